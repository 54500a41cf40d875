"""Replies → LangChain messages, chunks and usage.

Pure: no I/O and no SDK. A reply is what the SDK reads off the wire, as a plain mapping:

    {"request_id": …, "usage": {…}, "choices": [{"finish_reason": …, "message"|"delta": {…}}]}
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import ModelError
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_qwen_audio._deltas import Deltas

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_qwen_audio.errors import QwenAudioError, StreamInterruptedError

PROVIDER = "dashscope"


def decode_reply(reply: Mapping[str, Any], model: str) -> ChatResult:
    """Make the result of a whole call.

    Raises:
        APIError: The reply has no answer in it.
    """
    choices = reply.get("choices") or []
    if not choices:
        raise _no_answer(reply)
    message = AIMessage(
        content=choices[0]["message"].get("content") or "",
        usage_metadata=decode_usage(reply.get("usage")),
        response_metadata=_metadata(reply, model, _finish_reason(choices[0])),
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


@dataclass
class StreamDecoder:
    """The state of one stream: event in, chunk out, and at its end the last chunk.

    Usage and metadata come once, in the last chunk, so that adding chunks up never counts
    twice what the service repeats in every event.
    """

    model: str
    _text: list[str] = field(default_factory=list)
    _deltas: Deltas = field(default_factory=Deltas)
    _last: dict[str, Any] = field(default_factory=dict)
    _finish_reason: str | None = None

    def decode(self, event: Mapping[str, Any]) -> list[ChatGenerationChunk]:
        """Make the chunks of one event; none where it has no new text."""
        self._last.update({key: event[key] for key in ("request_id", "usage") if event.get(key)})
        choices = event.get("choices") or []
        if not choices:
            return []
        self._finish_reason = _finish_reason(choices[0]) or self._finish_reason
        fragment = choices[0]["delta"].get("content") or ""
        return self._chunks(self._deltas.take(fragment, final=self._finish_reason is not None))

    def _chunks(self, fragments: list[str]) -> list[ChatGenerationChunk]:
        self._text += fragments
        return [ChatGenerationChunk(message=AIMessageChunk(content=text)) for text in fragments]

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
        rest = self._chunks(self._deltas.rest())
        message = AIMessageChunk(
            content="",
            usage_metadata=decode_usage(self._last.get("usage")),
            response_metadata=_metadata(self._last, self.model, self._finish_reason),
            chunk_position="last",
        )
        return [*rest, ChatGenerationChunk(message=message)]

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Add what has arrived to an error of the stream; tell an interruption from a refusal."""
        try:
            yield
        except ModelError as error:
            from langchain_qwen_audio import errors

            if not self._text or not isinstance(error, errors.QwenAudioError):
                raise
            error.text = "".join(self._text)
            if isinstance(error, errors.APITimeoutError):
                raise self._interrupted(errors.StreamTimeoutError, error.message) from error
            if isinstance(error, errors.APIConnectionError):
                raise self._interrupted(errors.StreamInterruptedError, error.message) from error
            raise

    def _interrupted(self, cls: type[StreamInterruptedError], why: str) -> StreamInterruptedError:
        text = "".join(self._text)
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
    inputs = usage.get("input_tokens_details") or {}
    outputs = usage.get("output_tokens_details") or {}
    audio = inputs.get("audio_tokens", usage.get("audio_tokens"))
    input_tokens = usage.get("input_tokens", _sum(inputs))
    output_tokens = usage.get("output_tokens", _sum(outputs))
    includes_audio = bool(inputs) or usage.get("total_tokens") == input_tokens + output_tokens
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


def _sum(details: Mapping[str, Any]) -> int:
    return sum(count for count in details.values() if isinstance(count, int))


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


def _no_answer(reply: Mapping[str, Any]) -> QwenAudioError:
    from langchain_qwen_audio.errors import APIError

    return APIError(
        f"the reply has no answer in it: {str(dict(reply))[:300]}",
        request_id=reply.get("request_id"),
    )
