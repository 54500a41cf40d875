"""The OpenAI-compatible wire format, both ways, of DashScope and of servers of one's own. Pure.

https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, assert_never

from langchain_qwen_audio._media.url_schemes import url_suffix
from langchain_qwen_audio._protocols.base import (
    ServiceReply,
    WireProtocol,
    only_choice,
    read_content,
    read_message,
    refuse_shape,
    string_or_none,
)
from langchain_qwen_audio._request.parts import (
    AudioUrlPart,
    FramesPart,
    ImagePart,
    InlineAudioPart,
    RequestMessage,
    SentPart,
    TextPart,
    VideoPart,
    text_of,
)
from langchain_qwen_audio.errors import AudioError, MessageError

if TYPE_CHECKING:
    from collections.abc import Sequence

AudioEncoding: TypeAlias = Literal["data_uri", "input_audio_raw", "audio_url"]

# Media subtypes → what this format calls them, where that differs.
_FORMATS = {"mpeg": "mp3", "3gpp": "3gp", "mp4": "m4a", "amr-wb": "amr", "x-ms-wma": "wma"}
_SUFFIXES = {*_FORMATS.values(), "aac", "aiff", "flac", "mp4", "ogg", "opus", "wav", "webm"}


@dataclass(frozen=True)
class OpenAIProtocol(WireProtocol):
    """Chat completions: `{"model", "messages", …}` and `{"choices"}`.

    Attributes:
        audio_encoding: How clips are written: `input_audio` with a data URI, as DashScope takes it,
            or with bare base64 (vLLM, llama.cpp); or `audio_url` (vLLM, SGLang).
    """

    audio_encoding: AudioEncoding = "data_uri"

    path: ClassVar[str] = "/chat/completions"
    stream_headers: ClassVar[dict[str, str]] = {}
    takes_uploads: ClassVar[bool] = False

    def write(
        self,
        model: str,
        messages: Sequence[RequestMessage[SentPart]],
        parameters: dict[str, Any],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Write the JSON body of a request."""
        # Without it, a stream says nothing of usage.
        streaming = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
        written = [
            self._write_message(message, f"messages[{index}]")
            for index, message in enumerate(messages)
        ]
        return {"model": model, "messages": written, **streaming, **self._parameters(parameters)}

    def read(self, body: Any) -> ServiceReply:
        """Read the JSON body of a reply, or of an event of a stream."""
        try:
            choice = only_choice(body.get("choices"))
            message = choice.get("message") or choice.get("delta") or {}
            text, refusal = read_content(message)
            if not text and message.get("audio"):
                text = string_or_none(message["audio"].get("transcript")) or ""
            reason = choice.get("finish_reason")
            return read_message(body, message, reason, (text, refusal), has_answer=bool(choice))
        except (AttributeError, TypeError, LookupError) as error:
            refuse_shape(body, error)

    def check_audio_url(self, url: str, model: str) -> None:
        """Require that the server fetches this URL."""
        if url.lower().startswith("oss:") and self.audio_encoding != "data_uri":
            raise AudioError(
                f"{url[:200]}: the server of {model} does not resolve oss:// URLs, which are "
                "DashScope's; send the recording itself, or an http(s) URL"
            )
        if self.audio_encoding == "input_audio_raw":
            raise AudioError(
                f"{url[:200]}: the server of {model} does not fetch URLs; fetch='client' "
                "downloads http(s) URLs here, and audio_encoding='audio_url' is for servers that "
                "fetch them"
            )

    def _parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """Write whether to think as the server takes it: DashScope takes a parameter of its own.

        vLLM, SGLang, llama.cpp, LiteLLM and `transformers serve` (from 5.24 on) take an argument of
        the model's chat template; the first two ignore a bare `enable_thinking`, and
        `transformers serve` refuses it.
        https://qwen.readthedocs.io/en/latest/deployment/vllm.html
        https://docs.sglang.io/advanced_features/separate_reasoning.html
        https://github.com/ggml-org/llama.cpp/pull/13196
        """
        if self.audio_encoding == "data_uri" or "enable_thinking" not in parameters:
            return parameters
        rest = dict(parameters)
        thinking = {"enable_thinking": rest.pop("enable_thinking")}
        rest["chat_template_kwargs"] = thinking | (rest.get("chat_template_kwargs") or {})
        return rest

    def _write_message(self, message: RequestMessage[SentPart], where: str) -> dict[str, Any]:
        optional = {
            "name": message.name,
            "tool_call_id": message.tool_call_id,
            "reasoning_content": message.reasoning,
            "tool_calls": message.tool_calls,
        }
        return {
            "role": message.role,
            "content": self._write_content(message, where),
            **{name: value for name, value in optional.items() if value},
        }

    def _write_content(
        self, message: RequestMessage[SentPart], where: str
    ) -> str | list[dict[str, Any]]:
        """Write content that is only text as a string, which every server takes."""
        if message.role == "assistant":
            return _text_of_answer(message, where)
        text = text_of(message.content)
        if text is not None and (len(message.content) < 2 or message.role != "user"):
            return text
        return [self._write_part(part) for part in message.content]

    def _write_part(self, part: SentPart) -> dict[str, Any]:
        match part:
            case TextPart():
                return {"type": "text", "text": part.text}
            case InlineAudioPart():
                return self._write_audio(part)
            case AudioUrlPart():
                return self._write_audio_url(part.url)
            case ImagePart():
                return {"type": "image_url", "image_url": {"url": part.url}}
            case VideoPart():
                return {"type": "video_url", "video_url": {"url": part.url}, **part.sampling}
            case FramesPart():
                return {"type": "video", "video": list(part.urls), **part.sampling}
            case _:
                assert_never(part)

    def _write_audio(self, part: InlineAudioPart) -> dict[str, Any]:
        if self.audio_encoding == "input_audio_raw":
            data = part.base64
        else:
            data = f"data:{part.mime_type};base64,{part.base64}"
        if self.audio_encoding == "audio_url":
            return {"type": "audio_url", "audio_url": {"url": data}}
        subtype = part.mime_type.removeprefix("audio/")
        audio = {"data": data, "format": _FORMATS.get(subtype, subtype)}
        return {"type": "input_audio", "input_audio": audio}

    def _write_audio_url(self, url: str) -> dict[str, Any]:
        if self.audio_encoding == "audio_url":
            return {"type": "audio_url", "audio_url": {"url": url}}
        # The format is in the URL's path, or it is not known here.
        suffix = url_suffix(url)
        named = {"format": suffix} if suffix in _SUFFIXES else {}
        return {"type": "input_audio", "input_audio": {"data": url, **named}}


def _text_of_answer(message: RequestMessage[SentPart], where: str) -> str:
    """Write an answer of the history as its text: this format takes no audio there.

    The text of a spoken answer says the same. https://help.aliyun.com/zh/model-studio/qwen-omni

    Raises:
        MessageError: The answer has audio and no text, or an image or a video.
    """
    texts = [part.text for part in message.content if isinstance(part, TextPart)]
    visual = (ImagePart, VideoPart, FramesPart)
    is_visual = any(isinstance(part, visual) for part in message.content)
    if len(texts) < len(message.content) and (is_visual or not any(texts)):
        raise MessageError(
            f"{where}: an answer came that has audio and no text, or an image or a video; this "
            "model takes the answers of a conversation as text"
        )
    return "".join(texts)
