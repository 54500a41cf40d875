"""The events of a stream → LangChain chunks. Pure.

Where content is blocks, each block has its index, by which LangChain adds chunks up, and the first
of speech begins a WAV file that the others continue.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessageChunk
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk

from langchain_qwen_audio._response.messages import (
    Origin,
    audio_block,
    citations,
    find_refusal,
    reasoning_kwargs,
    refusal_block,
    response_metadata,
    tool_call_chunks,
)
from langchain_qwen_audio._response.speech import SpeechDecoder
from langchain_qwen_audio._response.usage import to_usage_metadata
from langchain_qwen_audio._tool_calling.parser import (
    Piece,
    ToolCallParser,
    invalid_suffix,
    read_arguments,
)
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APITimeoutError,
    QwenAudioError,
    StreamInterruptedError,
    StreamTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._protocols.base import ReplyToolCall, ServiceReply, Speech

_KEPT = ("request_id", "usage", "model", "annotations", "sentences", "finish_reason")


class StreamDecoder:
    """The state of one stream: event in, chunks out, and at its end the last chunk.

    Usage and metadata come once, in the last chunk, so that adding chunks up never counts
    twice what the service repeats in every event.

    Args:
        origin: Where the answer comes from.
        tools_as_text: Whether tools were offered in the prompt, so that calls are in the text.
        as_blocks: Whether content is a list of blocks: speech was requested, or LangChain's content
            blocks (`output_version="v1"`), whose indexes must not be those of the tool calls.
    """

    def __init__(
        self, origin: Origin, *, tools_as_text: bool = False, as_blocks: bool = False
    ) -> None:
        self._origin = origin
        self._as_blocks = as_blocks
        self._parser = ToolCallParser() if tools_as_text else None
        self._text: list[str] = []
        self._speech: SpeechDecoder | None = None
        self._speech_id: str | None = None
        self._arguments: dict[int | None, list[str]] = {}  # of native calls, to their end
        self._has_calls = self._has_refusal = False
        self._last: dict[str, Any] = {}

    def decode(self, reply: ServiceReply) -> list[ChatGenerationChunk]:
        """Make the chunks of one event; none where it has nothing new."""
        if reply["finish_reason"] == "":
            self._last.pop("finish_reason", None)
        for name in _KEPT:
            if value := reply[name]:  # type: ignore[literal-required]
                self._last[name] = value
        if new := reply["search_results"]:
            known = self._last.setdefault("search_results", [])
            known += [it for it in new if it not in known]
        if not reply["has_answer"]:
            return []
        chunks = self._reasoning(reply["reasoning"])
        if text := reply["text"]:
            chunks += self._chunks(self._parser.feed(text) if self._parser else [text])
        if reply["refusal"]:
            chunks += self._refusal(refusal_block(reply["refusal"]))
        if reply["tool_calls"]:
            chunks += self._chunks(self._native_calls(reply["tool_calls"]))
        if reply["speech"]:
            chunks += self._speech_chunks(reply["speech"])
        return chunks

    def finish(self) -> list[ChatGenerationChunk]:
        """Make the last chunks.

        Raises:
            StreamInterruptedError: The stream ended before the service said that it had finished.
        """
        if "finish_reason" not in self._last:
            raise self._interrupted(
                StreamInterruptedError, "the stream ended before the service said it had finished"
            )
        rest = self._chunks(self._parser.finish() if self._parser else self._invalid_calls())
        if not self._has_refusal:
            rest += self._refusal(find_refusal("", self._last["finish_reason"]))
        last = self._chunk(
            usage_metadata=to_usage_metadata(self._last.get("usage")),
            response_metadata=response_metadata(
                self._last, self._origin, has_calls=self._has_calls, has_refusal=self._has_refusal
            ),
            chunk_position="last",
        )
        speech = self._speech_chunk(self._speech.finish()) if self._speech else []
        return [*rest, *self._citations(), *speech, last]

    def _refusal(self, block: dict[str, Any] | None) -> list[ChatGenerationChunk]:
        if block is None:
            return []
        self._has_refusal = True
        return [self._chunk([{**block, "index": "lc_rf_0"}])]

    def _citations(self) -> list[ChatGenerationChunk]:
        """Cite what a search has found, at the end of the text, where content is blocks."""
        found = citations(self._last.get("search_results") or []) if self._as_blocks else []
        block = {"type": "text", "text": "", "index": "lc_txt_0", "annotations": found}
        return [self._chunk([block])] if found else []

    @contextlib.contextmanager
    def explaining_errors(self) -> Iterator[None]:
        """Add what has arrived to an error of the stream; tell an interruption from a refusal."""
        try:
            yield
        except QwenAudioError as error:
            error.text = "".join(self._text)
            if not error.text:
                raise
            if isinstance(error, APITimeoutError):
                raise self._interrupted(StreamTimeoutError, error.message) from error
            if isinstance(error, APIConnectionError):
                raise self._interrupted(StreamInterruptedError, error.message) from error
            raise

    def _interrupted(self, cls: type[StreamInterruptedError], why: str) -> StreamInterruptedError:
        text = "".join(self._text)
        error = cls(
            f"{why}, after {len(text)} characters (in this error's `text`): send the request again",
            request_id=self._last.get("request_id"),
        )
        error.text = text
        return error

    def _chunk(
        self, content: str | list[str | dict[Any, Any]] = "", **rest: Any
    ) -> ChatGenerationChunk:
        if self._as_blocks and not content:
            content = []  # which, unlike "", adds up with blocks to blocks alone
        return ChatGenerationChunk(message=AIMessageChunk(content=content, **rest))

    def _reasoning(self, reasoning: str) -> list[ChatGenerationChunk]:
        if not reasoning:
            return []
        if self._as_blocks:
            block = {"type": "reasoning", "reasoning": reasoning, "index": "lc_rs_0"}
            return [self._chunk([block])]
        return [self._chunk(additional_kwargs=reasoning_kwargs(reasoning))]

    def _native_calls(self, calls: list[ReplyToolCall]) -> list[ToolCallChunk]:
        pieces = tool_call_chunks(calls)
        for piece in pieces:
            self._arguments.setdefault(piece["index"], []).append(piece["args"] or "")
        return pieces

    def _invalid_calls(self) -> Iterator[ToolCallChunk]:
        """Keep LangChain from completing calls that were cut off."""
        for index, pieces in self._arguments.items():
            text = "".join(pieces)
            suffix = invalid_suffix(text)
            if text.strip() and read_arguments(text) is None and suffix:
                yield tool_call_chunk(args=suffix, index=index)

    def _chunks(self, pieces: Iterable[Piece]) -> list[ChatGenerationChunk]:
        chunks = []
        for piece in pieces:
            if isinstance(piece, str):
                self._text.append(piece)
                block = {"type": "text", "text": piece, "index": "lc_txt_0"}
                chunks.append(self._chunk([block] if self._as_blocks else piece))
            else:
                self._has_calls = True
                chunks.append(self._chunk(tool_call_chunks=[piece]))
        return chunks

    def _speech_chunks(self, speech: Speech) -> list[ChatGenerationChunk]:
        self._speech_id = speech["id"] or self._speech_id
        first = self._speech is None
        self._speech = self._speech or SpeechDecoder()
        return self._speech_chunk(self._speech.feed(speech["data"]), first=first)

    def _speech_chunk(self, base64_text: str, *, first: bool = False) -> list[ChatGenerationChunk]:
        if not (base64_text or first):
            return []
        block = audio_block(self._speech_id, base64_text, first=first)
        return [self._chunk([{**block, "index": "lc_aud_0"}])]
