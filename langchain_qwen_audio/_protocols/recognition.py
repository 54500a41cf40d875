"""The wire format of speech recognition with times, both ways. Pure.

https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from langchain_qwen_audio._media.url_schemes import url_suffix
from langchain_qwen_audio._protocols.base import (
    ReadReply,
    ServiceReply,
    WireProtocol,
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
)
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

# Media subtypes → what `parameters.format` calls them, where that differs.
_FORMATS = {"mpeg": "mp3", "mp4": "m4a", "ogg": "opus", "x-ms-wma": "wma"}
_SUFFIXES = {
    *("aac", "amr", "avi", "flac", "flv", "m4a", "mkv", "mov", "mp3", "mp4", "mpeg", "ogg"),
    *("opus", "wav", "webm", "wma", "wmv"),
}


@dataclass(frozen=True)
class RecognitionProtocol(WireProtocol):
    """Messages of `input_text`, `text` and `input_audio`; `{"output": {"text", "sentence"}}`."""

    path: ClassVar[str] = "/services/aigc/multimodal-generation/generation"
    stream_headers: ClassVar[dict[str, str]] = {"X-DashScope-SSE": "enable"}
    takes_uploads: ClassVar[bool] = False  # not documented
    may_not_stream: ClassVar[bool] = True

    def write(
        self,
        model: str,
        messages: Sequence[RequestMessage[SentPart]],
        parameters: dict[str, Any],
        *,
        stream: bool,  # noqa: ARG002  # the header alone says it
    ) -> dict[str, Any]:
        """Write the JSON body of a request."""
        options = parameters.get("asr_options") or {}
        rest = {name: value for name, value in parameters.items() if name != "asr_options"}
        audio_format = rest.pop("format", None) or _format_of(messages)
        return {
            "model": model,
            "input": {"messages": [_write_message(message) for message in messages]},
            "parameters": {"format": audio_format, **rest, **options},
        }

    def read(self, body: Any) -> ServiceReply:
        """Read the JSON body of a whole reply."""
        reply, text = _read(body)
        reply["text"] = text or _join(reply["sentences"] or [])
        return reply

    def stream_reader(self) -> ReadReply:
        """Make what reads the events of one stream."""
        return _StreamReader().read


def _read(body: Any) -> tuple[ServiceReply, str]:
    """Read a reply, and apart from it the text that it gives: all so far, or "" for none."""
    try:
        output = body.get("output") or {}
        sentences = _sentences_of(output)
        text = string_or_none(output.get("text")) or ""
        has_answer = "text" in output or bool(sentences)
        reason = "stop" if has_answer else None
        reply = read_message(body, {}, reason, ("", ""), has_answer=has_answer)
        reply["sentences"] = sentences or None
    except (AttributeError, TypeError, LookupError) as error:
        refuse_shape(body, error)
    return reply, text


class _StreamReader:
    """The state of one stream: events that repeat and revise the text → what is new and final.

    Text is passed on when its sentence has ended, since an open sentence may still be revised.
    """

    def __init__(self) -> None:
        self._text = ""
        self._open: set[str] = set()  # channels whose sentence goes on
        self._ended: dict[tuple[str, ...], dict[str, Any]] = {}

    def read(self, body: Any) -> ServiceReply:
        reply, so_far = _read(body)
        found = reply["sentences"] or []
        ended = [it for it in found if _has_ended(it)]
        self._open -= {_channel_of(it) for it in ended}
        self._open |= {_channel_of(it) for it in found if it not in ended}
        new = [it for it in ended if _key_of(it) not in self._ended]
        self._ended |= {_key_of(it): it for it in ended}
        reply["sentences"] = list(self._ended.values()) or None
        if self._open:
            reply["finish_reason"] = ""
        else:
            reply["text"] = self._next_text(so_far, new)
        return reply

    def _next_text(self, so_far: str, new: list[dict[str, Any]]) -> str:
        if so_far and so_far.startswith(self._text):
            text = so_far[len(self._text) :]
        else:
            text = _join(new)
            if so_far:
                logger.warning("a sentence was revised after it had ended; its first text is kept")
        self._text += text
        return text


def _has_ended(sentence: dict[str, Any]) -> bool:
    """Tell whether a sentence is not revised any more; its end has a time only then."""
    flag = sentence.get("sentence_end")
    return sentence.get("end_time", 0) is not None if flag is None else bool(flag)


def _key_of(sentence: dict[str, Any]) -> tuple[str, ...]:
    """Name a sentence, by its text where nothing else does."""
    names = ("sentence_id", "begin_time")
    known = [str(sentence.get(name)) for name in names if sentence.get(name) is not None]
    return (_channel_of(sentence), *(known or [str(sentence.get("text"))]))


def _channel_of(sentence: dict[str, Any]) -> str:
    return str(sentence.get("channel_id"))


def _join(sentences: list[dict[str, Any]]) -> str:
    return "".join(sentence.get("text") or "" for sentence in sentences)


def _sentences_of(output: dict[str, Any]) -> list[dict[str, Any]]:
    """Find the sentences; one page puts them a level deeper than the other."""
    inner = output.get("output") or {}
    several = output.get("sentences") or inner.get("sentences")
    one = output.get("sentence") or inner.get("sentence")
    sentences = several or ([one] if one else [])
    if not isinstance(sentences, list) or not all(isinstance(it, dict) for it in sentences):
        raise TypeError("sentences that are none")
    for sentence in sentences:
        string_or_none(sentence.get("text"))
    return sentences


def _write_message(message: RequestMessage[SentPart]) -> dict[str, Any]:
    is_answer = message.role == "assistant"
    return {
        # A system message is context too, and the format has no such role.
        "role": "assistant" if is_answer else "user",
        "content": [_write_part(part, is_answer=is_answer) for part in message.content],
    }


def _write_part(part: SentPart, *, is_answer: bool) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text" if is_answer else "input_text", "text": part.text}
        case InlineAudioPart():
            return _write_audio(f"data:{part.mime_type};base64,{part.base64}")
        case AudioUrlPart():
            return _write_audio(part.url)
        case ImagePart() | VideoPart() | FramesPart():
            raise MessageError(
                "an image or a video came; this model takes a recording and its context"
            )
        case _:
            assert_never(part)


def _write_audio(data: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data}}


def _format_of(messages: Sequence[RequestMessage[SentPart]]) -> str:
    """Tell the format of the recording: from its content, or from the name in its URL.

    Raises:
        MessageError: The name does not tell.
    """
    for part in (part for message in messages for part in message.content):
        if isinstance(part, InlineAudioPart):
            subtype = part.mime_type.removeprefix("audio/")
            return _FORMATS.get(subtype, subtype)
        if isinstance(part, AudioUrlPart):
            return _format_of_url(part.url)
    raise MessageError("this model takes one recording, and none came")


def _format_of_url(url: str) -> str:
    suffix = url_suffix(url)
    if suffix in _SUFFIXES:
        return suffix
    raise MessageError(
        f"{url[:200]}: this model must be told the format of a recording, and the URL does not "
        "end in one: pass format='mp3' (or wav, …) with the request, or use fetch='client'"
    )
