"""Whole replies → LangChain messages. Pure.

Speech is content: an answer with some is a list of blocks, {"type": "text", …} and
{"type": "audio", "base64": …}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import pybase64
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    InvalidToolCall,
    message_chunk_to_message,
)
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.messages.tool import (
    ToolCall,
    ToolCallChunk,
    invalid_tool_call,
    tool_call,
    tool_call_chunk,
)
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_qwen_audio._media.wav import close_wav, lacks_sizes
from langchain_qwen_audio._models.profiles import PROVIDER
from langchain_qwen_audio._response.finish_reasons import FILTERED, normalize_finish_reason
from langchain_qwen_audio._response.speech import SpeechDecoder
from langchain_qwen_audio._response.usage import billed_seconds, to_usage_metadata
from langchain_qwen_audio._tool_calling.parser import Piece, ToolCallParser, read_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_qwen_audio._protocols.base import ReplyToolCall, ServiceReply, Speech

_HEADER_CHARS = 60  # in base64: 45 bytes


class Origin(NamedTuple):
    """Where an answer comes from: what is known of it before it is there.

    Attributes:
        model: The model of the request.
        provider: Who answers, and bills.
        region: The region that bills, if it is known.
        searches: Whether the model may search the web.
    """

    model: str
    provider: str = PROVIDER
    region: str | None = None
    searches: bool = False


def to_chat_result(
    reply: ServiceReply, origin: Origin, *, tools_as_text: bool = False
) -> ChatResult:
    """Make the result of a whole call.

    Args:
        reply: The reply.
        origin: Where it comes from.
        tools_as_text: Whether tools were offered in the prompt, so that calls are in the text.
    """
    pieces: list[Piece] = [reply["text"]]
    if tools_as_text:
        parser = ToolCallParser()
        pieces = [*parser.feed(reply["text"]), *parser.finish()]
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    calls = _whole_calls(pieces) + tool_call_chunks(reply["tool_calls"])
    refusal = find_refusal(reply["refusal"], reply["finish_reason"])
    message = AIMessage(
        content=_content(text, refusal, reply["speech"], reply["search_results"]),
        additional_kwargs=reasoning_kwargs(reply["reasoning"]),
        usage_metadata=to_usage_metadata(reply["usage"]),
        response_metadata=response_metadata(
            reply, origin, has_calls=bool(calls), has_refusal=bool(refusal)
        ),
        **_read_calls(calls),
    )
    return _result(message)


def chunks_to_chat_result(chunks: Iterable[ChatGenerationChunk]) -> ChatResult:
    """Make the result of a stream, for a model that answers in no other way."""
    messages = [chunk.message for chunk in chunks]
    message = add_ai_message_chunks(*cast("list[AIMessageChunk]", messages))
    if isinstance(message.content, list):
        message.content = [whole_block(block) for block in message.content]
    return _result(message_chunk_to_message(message))


def _result(message: BaseMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _content(
    text: str, refusal: dict[str, Any] | None, speech: Speech | None, sources: list[Any] | None
) -> str | list[str | dict[Any, Any]]:
    """Make content of what was written; blocks where there is more than a text."""
    if not (refusal or speech or sources):
        return text
    cited = {"annotations": citations(sources)} if sources else {}
    blocks: list[str | dict[Any, Any]] = [{"type": "text", "text": text, **cited}] if text else []
    if refusal:
        blocks.append(refusal)
    if speech:
        decoder = SpeechDecoder()
        base64_text = decoder.feed(speech["data"]) + decoder.finish()
        blocks.append(whole_block(audio_block(speech["id"], base64_text, first=True)))
    return blocks


def citations(sources: list[Any]) -> list[dict[str, Any]]:
    """Make LangChain's citations of what a search has found."""
    known = ({name: it.get(name) for name in ("url", "title")} for it in sources if _is_source(it))
    return [
        {"type": "citation", **{name: value for name, value in it.items() if value}} for it in known
    ]


def _is_source(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("url"), str)


def refusal_block(refusal: str) -> dict[str, Any]:
    """Make the block by which LangChain knows that a model refused to answer."""
    return {"type": "refusal", "refusal": refusal}


def find_refusal(refusal: str, finish_reason: str | None) -> dict[str, Any] | None:
    """Make the block of a refusal, or of an answer that moderation cut off without a word."""
    if refusal:
        return refusal_block(refusal)
    if finish_reason == FILTERED:
        return {**refusal_block(""), "extras": {"finish_reason": FILTERED}}
    return None


def _read_calls(calls: list[ToolCallChunk]) -> dict[str, list[Any]]:
    """Read the arguments of whole calls. One that was cut off is invalid, and is not completed."""
    read: dict[str, list[Any]] = {"tool_calls": [], "invalid_tool_calls": []}
    for call in map(read_call, calls):
        read[f"{call['type']}s"].append(call)
    return read


def read_call(call: ToolCallChunk) -> ToolCall | InvalidToolCall:
    """Read the arguments of a whole call."""
    text = call["args"] or ""
    arguments = read_arguments(text) if text.strip() else {}
    name, call_id = call["name"], call["id"]
    if arguments is None:
        return invalid_tool_call(name=name, args=text, id=call_id, error=None)
    return tool_call(name=name or "", args=arguments, id=call_id)


def whole_block(block: Any) -> Any:
    """Finish a block that was added up: its index goes, and its WAV file gets its size."""
    if not isinstance(block, dict):
        return block
    whole = {name: value for name, value in block.items() if name != "index"}
    if whole.get("type") == "audio":
        whole["base64"] = _whole_wav(whole["base64"])
    return whole


def _whole_wav(base64_text: str) -> str:
    if not lacks_sizes(pybase64.b64decode(base64_text[:_HEADER_CHARS])):
        return base64_text
    return pybase64.b64encode_as_string(close_wav(pybase64.b64decode(base64_text)))


def whole_result(result: ChatResult) -> ChatResult:
    """Finish the blocks of answers that LangChain core has added up from a stream.

    It leaves out the size of a WAV file, and wraps refusals, which `ModelRefusalMiddleware` and
    parsers then do not see.
    """
    if all(isinstance(it.message.content, str) for it in result.generations):
        return result
    generations = [_whole_generation(it) for it in result.generations]
    return result.model_copy(update={"generations": generations})


def _whole_generation(generation: ChatGeneration) -> ChatGeneration:
    message = generation.message
    if not isinstance(message.content, list):
        return generation
    content = [_whole_content(block) for block in message.content]
    return ChatGeneration(
        message=message.model_copy(update={"content": content}),
        generation_info=generation.generation_info,
    )


def _whole_content(block: Any) -> Any:
    match block:
        case {"type": "audio", "base64": str(base64_text)}:
            return {**block, "base64": _whole_wav(base64_text)}
        case {"type": "non_standard", "value": {"type": "refusal"} as refusal}:
            return refusal
        case _:
            return block


def audio_block(speech_id: str | None, base64_text: str, *, first: bool) -> dict[str, Any]:
    """Make a block of speech; the first of a stream says what it is."""
    block = {"type": "audio", "base64": base64_text}
    if first:
        block["mime_type"] = "audio/wav"
    if speech_id:
        block["id"] = speech_id
    return block


def reasoning_kwargs(reasoning: str) -> dict[str, str]:
    """Put what the model thought where LangChain's `content_blocks` find it."""
    return {"reasoning_content": reasoning} if reasoning else {}


def _whole_calls(pieces: list[Piece]) -> list[ToolCallChunk]:
    """Add up the pieces of each tool call."""
    calls: dict[int | None, ToolCallChunk] = {}
    for piece in pieces:
        if isinstance(piece, str):
            continue
        whole = calls.setdefault(piece["index"], tool_call_chunk(index=piece["index"], args=""))
        whole["name"] = whole["name"] or piece["name"]
        whole["id"] = whole["id"] or piece["id"]
        whole["args"] = (whole["args"] or "") + (piece["args"] or "")
    return list(calls.values())


def tool_call_chunks(calls: list[ReplyToolCall]) -> list[ToolCallChunk]:
    """Translate the calls of an endpoint with function calling, whole or in pieces."""
    return [
        tool_call_chunk(
            name=call["name"],
            args=call["arguments"],
            id=call["id"] or None,
            index=position if call["index"] is None else call["index"],
        )
        for position, call in enumerate(calls)
    ]


def response_metadata(
    reply: Mapping[str, Any], origin: Origin, *, has_calls: bool = False, has_refusal: bool = False
) -> dict[str, Any]:
    """Say what else is known of an answer.

    Args:
        reply: A whole reply, or what is known of the events of a stream.
        origin: Where it comes from.
        has_calls: Whether the answer calls tools.
        has_refusal: Whether the model refused, in words or without.
    """
    usage, reason = reply.get("usage") or {}, reply.get("finish_reason")
    metadata = {
        "model_name": reply.get("model") or origin.model,
        "model_provider": origin.provider,
        "region": origin.region,
        "finish_reason": reason,
        "normalized_finish_reason": normalize_finish_reason(
            reason, has_calls=has_calls, has_refusal=has_refusal
        ),
        "request_id": reply.get("request_id"),
        "annotations": reply.get("annotations"),  # of qwen3-asr-flash, as is
        "sentences": reply.get("sentences"),  # of speech recognition with times, as is
        "enable_search": origin.searches or None,  # which is billed apart
        "search_results": reply.get("search_results"),  # as is
        "seconds": billed_seconds(usage),
    }
    return {name: value for name, value in metadata.items() if value is not None}
