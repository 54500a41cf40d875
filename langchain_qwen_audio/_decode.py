"""Replies → LangChain messages, chunks and usage.

Pure: no I/O and no SDK. What a reply is, and an event of a stream, says _bodies.py.

Speech is content: an answer with some is a list of blocks, {"type": "text", …} and
{"type": "audio", "base64": …}. In a stream each has its index, by which LangChain adds them up, and
the first of audio begins a WAV file that the others continue.
"""

from __future__ import annotations

import contextlib
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pybase64
from langchain_core.exceptions import ModelError
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.messages.ai import (
    InputTokenDetails,
    OutputTokenDetails,
    UsageMetadata,
    add_ai_message_chunks,
)
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_qwen_audio._deltas import Deltas
from langchain_qwen_audio._profiles import PROVIDER
from langchain_qwen_audio._speech import SpeechDecoder, close_wav
from langchain_qwen_audio._tool_prompt import Piece, ToolCallParser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from langchain_qwen_audio.errors import StreamInterruptedError


def decode_reply(reply: Mapping[str, Any], model: str, *, tool_prompt: bool = False) -> ChatResult:
    """Make the result of a whole call.

    Args:
        reply: The reply.
        model: The model that was asked.
        tool_prompt: Whether tools were offered in the prompt, so that calls are in the text.
    """
    choices = reply["choices"]
    parser = ToolCallParser() if tool_prompt else None
    said = choices[0]["message"]
    speech = said.get("audio") or {}
    text = said.get("content") or speech.get("transcript") or ""
    pieces = [*_pieces(parser, text), *(parser.finish() if parser else ())]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    parts: dict[str, Any] = {
        "content": _spoken(text, speech) if speech.get("data") else text,
        "additional_kwargs": _reasoning(said),
        "usage_metadata": decode_usage(reply.get("usage")),
        "response_metadata": _metadata(
            {**reply, "annotations": said.get("annotations") or None}, model, choices[0]
        ),
    }
    if calls := _merged(pieces) + _native_calls(said):
        chunk = AIMessageChunk(**parts, tool_call_chunks=calls)  # which reads their arguments
        return _result(message_chunk_to_message(chunk))
    return _result(AIMessage(**parts))


def decode_chunks(chunks: Iterable[ChatGenerationChunk]) -> ChatResult:
    """Make the result of a stream that was asked for because the model answers in no other way."""
    messages = [chunk.message for chunk in chunks]
    message = add_ai_message_chunks(*cast("list[AIMessageChunk]", messages))
    if isinstance(message.content, list):
        message.content = [_whole(block) for block in message.content]
    return _result(message_chunk_to_message(message))


def _result(message: BaseMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _spoken(text: str, speech: Mapping[str, Any]) -> list[str | dict[Any, Any]]:
    decoder = SpeechDecoder()
    block = _audio_block(speech, decoder.feed(speech["data"]) + decoder.finish(), first=True)
    return [*([{"type": "text", "text": text}] if text else []), _whole(block)]


def _whole(block: Any) -> Any:
    """Finish a block that was added up: its index goes, and its WAV file gets its size."""
    if not isinstance(block, dict):
        return block
    whole = {name: value for name, value in block.items() if name != "index"}
    if whole.get("type") == "audio":
        wav = close_wav(pybase64.b64decode(whole["base64"]))
        whole["base64"] = pybase64.b64encode_as_string(wav)
    return whole


def _audio_block(speech: Mapping[str, Any], base64_text: str, *, first: bool) -> dict[str, Any]:
    block = {"type": "audio", "base64": base64_text}
    if first:
        block["mime_type"] = "audio/wav"
    if speech.get("id"):
        block["id"] = speech["id"]
    return block


def _reasoning(said: Mapping[str, Any]) -> dict[str, Any]:
    """Put what the model thought where LangChain's `content_blocks` find it."""
    # vLLM calls it "reasoning".
    thought = said.get("reasoning_content") or said.get("reasoning")
    return {"reasoning_content": thought} if isinstance(thought, str) else {}


def _pieces(parser: ToolCallParser | None, text: str) -> list[Piece]:
    if parser is not None:
        return parser.feed(text)
    return [text] if text else []


def _merged(pieces: list[Piece]) -> list[ToolCallChunk]:
    """Add up the pieces of each tool call."""
    merged: dict[int | None, ToolCallChunk] = {}
    for piece in pieces:
        if isinstance(piece, str):
            continue
        whole = merged.setdefault(piece["index"], tool_call_chunk(index=piece["index"], args=""))
        whole["name"] = whole["name"] or piece["name"]
        whole["id"] = whole["id"] or piece["id"]
        whole["args"] = (whole["args"] or "") + (piece["args"] or "")
    return list(merged.values())


def _native_calls(said: Mapping[str, Any]) -> list[ToolCallChunk]:
    """Read the calls of a model that has native calling, whole or in pieces."""
    return [
        tool_call_chunk(
            name=call["function"]["name"],
            args=call["function"]["arguments"],
            id=call["id"] or None,
            index=position if call["index"] is None else call["index"],
        )
        for position, call in enumerate(said.get("tool_calls") or [])
    ]


@dataclass
class StreamDecoder:
    """The state of one stream: event in, chunk out, and at its end the last chunk.

    Usage and metadata come once, in the last chunk, so that adding chunks up never counts
    twice what the service repeats in every event.

    Attributes:
        model: The model that was asked.
        tool_prompt: Whether tools were offered in the prompt, so that calls are in the text.
        blocks: Whether content is a list of blocks: speech was asked for, or LangChain's content
            blocks (`output_version="v1"`), whose indexes must not be those of the tool calls.
    """

    model: str
    tool_prompt: InitVar[bool] = False
    blocks: bool = False
    _parser: ToolCallParser | None = None
    _text: list[str] = field(default_factory=list)
    _deltas: Deltas = field(default_factory=Deltas)
    _speech: SpeechDecoder | None = None
    _speech_id: dict[str, Any] = field(default_factory=dict)
    _last: dict[str, Any] = field(default_factory=dict)
    _ended: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self, tool_prompt: bool) -> None:
        self._parser = ToolCallParser() if tool_prompt else None

    def decode(self, event: Mapping[str, Any]) -> list[ChatGenerationChunk]:
        """Make the chunks of one event; none where it has nothing new."""
        for key in ("request_id", "usage", "model"):
            if value := event.get(key):
                self._last[key] = value
        choices = event.get("choices")
        if not choices:
            return []
        if reason := _finish_reason(choices[0]):
            self._ended = {"finish_reason": reason}
        said = choices[0]["message"]
        if said.get("annotations"):
            self._last["annotations"] = said["annotations"]
        speech = said.get("audio") or {}
        text = said.get("content") or speech.get("transcript") or ""
        chunks = self._thoughts(said)
        for fragment in self._deltas.take(text, final=bool(self._ended)):
            chunks += self._chunks(_pieces(self._parser, fragment))
        if said.get("tool_calls"):
            chunks += self._chunks(_native_calls(said))
        if speech:
            chunks += self._sounds(speech)
        return chunks

    def _chunk(
        self, content: str | list[str | dict[Any, Any]] = "", **rest: Any
    ) -> ChatGenerationChunk:
        if self.blocks and not content:
            content = []  # which, unlike "", adds up with blocks to blocks alone
        return ChatGenerationChunk(message=AIMessageChunk(content=content, **rest))

    def _thoughts(self, said: Mapping[str, Any]) -> list[ChatGenerationChunk]:
        thought = _reasoning(said)
        if thought and self.blocks:
            said = thought["reasoning_content"]
            return [self._chunk([{"type": "reasoning", "reasoning": said, "index": "lc_rs_0"}])]
        return [self._chunk(additional_kwargs=thought)] if thought else []

    def _chunks(self, pieces: Iterable[Piece]) -> list[ChatGenerationChunk]:
        chunks = []
        for piece in pieces:
            if isinstance(piece, str):
                self._text.append(piece)
                block = {"type": "text", "text": piece, "index": "lc_txt_0"}
                chunks.append(self._chunk([block] if self.blocks else piece))
            else:
                chunks.append(self._chunk(tool_call_chunks=[piece]))
        return chunks

    def _sounds(self, speech: Mapping[str, Any]) -> list[ChatGenerationChunk]:
        if not speech.get("data"):
            return []
        self._speech_id = {"id": speech["id"]} if speech.get("id") else self._speech_id
        first = self._speech is None
        self._speech = self._speech or SpeechDecoder()
        return self._sound(self._speech.feed(speech["data"]), first=first)

    def _sound(self, base64_text: str, *, first: bool = False) -> list[ChatGenerationChunk]:
        if not (base64_text or first):
            return []
        block = {**_audio_block(self._speech_id, base64_text, first=first), "index": "lc_aud_0"}
        return [self._chunk([block])]

    def finish(self) -> list[ChatGenerationChunk]:
        """Make the last chunks.

        Raises:
            StreamInterruptedError: The stream ended before the service said that it had finished.
        """
        if not self._ended:
            from langchain_qwen_audio.errors import StreamInterruptedError

            raise self._interrupted(
                StreamInterruptedError, "the stream ended before the service said it had finished"
            )
        held = [piece for text in self._deltas.rest() for piece in _pieces(self._parser, text)]
        rest = self._chunks([*held, *(self._parser.finish() if self._parser else ())])
        last = self._chunk(
            usage_metadata=decode_usage(self._last.get("usage")),
            response_metadata=_metadata(self._last, self.model, self._ended),
            chunk_position="last",
        )
        return [*rest, *self._sound(self._speech.finish() if self._speech else ""), last]

    def _so_far(self) -> str:
        return "".join([*self._text, *self._deltas.rest()])

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Add what has arrived to an error of the stream; tell an interruption from a refusal."""
        try:
            yield
        except ModelError as error:
            from langchain_qwen_audio import errors

            text = self._so_far()
            if not text or not isinstance(error, errors.QwenAudioError):
                raise
            error.text = text
            if isinstance(error, errors.APITimeoutError):
                raise self._interrupted(errors.StreamTimeoutError, error.message) from error
            if isinstance(error, errors.APIConnectionError):
                raise self._interrupted(errors.StreamInterruptedError, error.message) from error
            raise

    def _interrupted(self, cls: type[StreamInterruptedError], why: str) -> StreamInterruptedError:
        text = self._so_far()
        error = cls(
            f"{why}, after {len(text)} characters (in this error's `text`): ask again",
            request_id=self._last.get("request_id"),
        )
        error.text = text
        return error


def decode_usage(usage: Mapping[str, Any] | None) -> UsageMetadata | None:
    """Count tokens the way LangChain does: audio is part of the input.

    Qwen-Audio reports 33 text and 85 audio tokens apart and no total; the captioner reports 160
    with the 152 of audio inside; qwen3-asr-flash natively reports details alone
    (audio-language-model, qwen3-omni-captioner and qwen-asr-api-reference pages). The compatible
    protocol calls its details by other names.
    """
    if not usage:
        return None
    flat = _counts(usage)
    inputs = _counts(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    outputs = _counts(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    audio = inputs.get("audio_tokens", flat.get("audio_tokens"))
    cached = inputs.pop("cached_tokens", None)  # a part of the others
    input_tokens = flat.get("input_tokens", flat.get("prompt_tokens", sum(inputs.values())))
    output_tokens = flat.get("output_tokens", flat.get("completion_tokens", sum(outputs.values())))
    includes_audio = bool(inputs) or flat.get("total_tokens") == input_tokens + output_tokens
    if audio and not includes_audio:
        input_tokens += audio
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
    )
    heard = {"audio": audio, "cache_read": cached}
    said = {"audio": outputs.get("audio_tokens"), "reasoning": outputs.get("reasoning_tokens")}
    if details := {name: count for name, count in heard.items() if count is not None}:
        metadata["input_token_details"] = cast("InputTokenDetails", details)
    if details := {name: count for name, count in said.items() if count is not None}:
        metadata["output_token_details"] = cast("OutputTokenDetails", details)
    return metadata


def _counts(said: Any) -> dict[str, int]:
    """Keep what can be counted of what a service says of its counts."""
    if not isinstance(said, dict):
        return {}
    return {name: n for name, n in said.items() if isinstance(n, int) and not isinstance(n, bool)}


def _finish_reason(choice: Mapping[str, Any]) -> str | None:
    """Read why an answer ended; while it is being written the service says the string "null"."""
    reason = choice.get("finish_reason")
    return None if reason in {None, "", "null"} else str(reason)


def _metadata(reply: Mapping[str, Any], model: str, choice: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {
        "model_name": reply.get("model") or model,
        "model_provider": PROVIDER,
        "finish_reason": _finish_reason(choice),
        "request_id": reply.get("request_id"),
        "annotations": reply.get("annotations"),  # of qwen3-asr-flash, as is
        "seconds": (reply.get("usage") or {}).get("seconds"),  # what qwen3-asr-flash bills
    }
    return {name: value for name, value in metadata.items() if value is not None}
