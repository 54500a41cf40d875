"""Replies → LangChain messages, chunks and usage.

Pure: no I/O and no SDK. A reply is what the SDK reads off the wire, as a plain mapping:

    {"request_id": …, "usage": {…}, "choices": [{"finish_reason": …, "message"|"delta": {…}}]}
"""

from __future__ import annotations

import contextlib
from dataclasses import InitVar, dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessageChunk, message_chunk_to_message
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_qwen_audio._deltas import Deltas
from langchain_qwen_audio._tool_prompt import Piece, ToolCallParser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_qwen_audio.errors import StreamInterruptedError

PROVIDER = "dashscope"


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
    pieces = [*_pieces(parser, said.get("content") or ""), *(parser.finish() if parser else ())]
    message = AIMessageChunk(
        content="".join(piece for piece in pieces if isinstance(piece, str)),
        tool_call_chunks=_merged(pieces) + _native_calls(said),
        usage_metadata=decode_usage(reply.get("usage")),
        response_metadata=_metadata(reply, model, _finish_reason(choices[0])),
    )
    return ChatResult(generations=[ChatGeneration(message=message_chunk_to_message(message))])


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
            name=call.get("function", {}).get("name"),
            args=call.get("function", {}).get("arguments"),
            id=call.get("id") or None,
            index=call.get("index", position),
        )
        for position, call in enumerate(said.get("tool_calls") or [])
    ]


@dataclass
class StreamDecoder:
    """The state of one stream: event in, chunk out, and at its end the last chunk.

    Usage and metadata come once, in the last chunk, so that adding chunks up never counts
    twice what the service repeats in every event.
    """

    model: str
    tool_prompt: InitVar[bool] = False
    _parser: ToolCallParser | None = None
    _text: list[str] = field(default_factory=list)
    _deltas: Deltas = field(default_factory=Deltas)
    _last: dict[str, Any] = field(default_factory=dict)
    _finish_reason: str | None = None

    def __post_init__(self, tool_prompt: bool) -> None:
        self._parser = ToolCallParser() if tool_prompt else None

    def decode(self, event: Mapping[str, Any]) -> list[ChatGenerationChunk]:
        """Make the chunks of one event; none where it has no new text."""
        self._last.update({key: event[key] for key in ("request_id", "usage") if event.get(key)})
        choices = event.get("choices") or []
        if not choices:
            return []
        self._finish_reason = _finish_reason(choices[0]) or self._finish_reason
        said = choices[0]["delta"]
        texts = self._deltas.take(said.get("content") or "", final=self._finish_reason is not None)
        pieces = [piece for text in texts for piece in _pieces(self._parser, text)]
        return self._chunks([*pieces, *_native_calls(said)])

    def _chunks(self, pieces: list[Piece]) -> list[ChatGenerationChunk]:
        self._text += [piece for piece in pieces if isinstance(piece, str)]
        return [
            ChatGenerationChunk(
                message=AIMessageChunk(content=piece)
                if isinstance(piece, str)
                else AIMessageChunk(content="", tool_call_chunks=[piece])
            )
            for piece in pieces
        ]

    def finish(self) -> list[ChatGenerationChunk]:
        """Make the last chunks.

        Raises:
            StreamInterruptedError: The stream ended before the service said that it had finished.
        """
        if self._finish_reason is None:
            from langchain_qwen_audio.errors import StreamInterruptedError

            raise self._interrupted(
                StreamInterruptedError, "the stream ended before the service said it had finished"
            )
        held = [piece for text in self._deltas.rest() for piece in _pieces(self._parser, text)]
        rest = self._chunks([*held, *(self._parser.finish() if self._parser else ())])
        message = AIMessageChunk(
            content="",
            usage_metadata=decode_usage(self._last.get("usage")),
            response_metadata=_metadata(self._last, self.model, self._finish_reason),
            chunk_position="last",
        )
        return [*rest, ChatGenerationChunk(message=message)]

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
    with the 152 of audio inside (audio-language-model and qwen3-omni-captioner pages).
    """
    if not usage:
        return None
    flat = _counts(usage)
    inputs = _counts(usage.get("input_tokens_details"))
    outputs = _counts(usage.get("output_tokens_details"))
    audio = inputs.get("audio_tokens", flat.get("audio_tokens"))
    input_tokens = flat.get("input_tokens", sum(inputs.values()))
    output_tokens = flat.get("output_tokens", sum(outputs.values()))
    includes_audio = bool(inputs) or flat.get("total_tokens") == input_tokens + output_tokens
    if audio and not includes_audio:
        input_tokens += audio
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
    )
    if audio is not None:
        metadata["input_token_details"] = InputTokenDetails(audio=audio)
    if outputs.get("reasoning_tokens") is not None:
        metadata["output_token_details"] = OutputTokenDetails(reasoning=outputs["reasoning_tokens"])
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


def _metadata(reply: Mapping[str, Any], model: str, finish_reason: str | None) -> dict[str, Any]:
    metadata = {
        "model_name": reply.get("model") or model,
        "model_provider": PROVIDER,
        "finish_reason": finish_reason,
        "request_id": reply.get("request_id"),
    }
    return {name: value for name, value in metadata.items() if value is not None}
