"""LlamaIndex's chat messages → LangChain's, and answers back.

ChatMessage.blocks ─ to_langchain_messages ─► LangChain messages ─► ChatQwenAudio ─┐
ChatResponse ◄─────── to_chat_response, ChatResponseStream ◄── AIMessage ◄─────────┘

LlamaIndex's guess of a recording's format is not passed on: it is detected from the content.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import IOBase
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pybase64
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.messages.ai import add_ai_message_chunks
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    ContentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.utils import resolve_binary
from pydantic import BaseModel

from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SYSTEM = {MessageRole.SYSTEM, MessageRole.DEVELOPER}
_ASSISTANT = {MessageRole.ASSISTANT, MessageRole.CHATBOT, MessageRole.MODEL}
_TOOL = {MessageRole.TOOL, MessageRole.FUNCTION}


# --- in ---


def to_langchain_messages(messages: Sequence[ChatMessage]) -> list[BaseMessage]:
    """Translate a conversation, in order; nothing is dropped. Files that blocks name are read.

    Raises:
        MessageError: A block is of a kind that no model here takes; says which.
        AudioError: A recording cannot be read, or is none.
        ValueError: An image or a video holds nothing.
    """
    return [_to_langchain(message, f"messages[{i}]") for i, message in enumerate(messages)]


def _to_langchain(message: ChatMessage, where: str) -> BaseMessage:
    extra = message.additional_kwargs
    name = str(extra["name"]) if extra.get("name") else None
    if message.role in _ASSISTANT:
        return _answer_to_langchain(message, name, where)
    blocks = [_block_to_langchain(block, f"{where}.blocks[{i}]") for i, block in _numbered(message)]
    content: Any = blocks or ""
    if message.role in _SYSTEM:
        return SystemMessage(content, name=name)
    if message.role not in _TOOL:
        return HumanMessage(content, name=name)
    if extra.get("tool_call_id") is None:  # OpenAI's functions, before there were tools
        return FunctionMessage(content=content, name=name or "")
    return ToolMessage(content, tool_call_id=extra["tool_call_id"], name=name)


def _answer_to_langchain(message: ChatMessage, name: str | None, where: str) -> AIMessage:
    content: list[Any] = []
    thoughts: list[str] = []
    calls: list[dict[str, Any]] = []
    for i, block in _numbered(message):
        if isinstance(block, ThinkingBlock):
            thoughts.append(block.content or "")
        elif isinstance(block, ToolCallBlock):
            calls.append(_openai_call(block))
        else:
            content.append(_block_to_langchain(block, f"{where}.blocks[{i}]"))
    if not calls:  # where they were before there were blocks of them
        found = message.additional_kwargs.get("tool_calls") or []
        calls = [call.model_dump() if isinstance(call, BaseModel) else call for call in found]
    extra: dict[str, Any] = {"tool_calls": calls} if calls else {}
    if any(thoughts):
        extra["reasoning_content"] = "".join(thoughts)
    return AIMessage(content or "", additional_kwargs=extra, name=name)


def _numbered(message: ChatMessage) -> Iterator[tuple[int, ContentBlock]]:
    return enumerate(message.blocks)


def _openai_call(block: ToolCallBlock) -> dict[str, Any]:
    """Write a call in OpenAI's form, which LangChain parses, and keeps where it cannot."""
    args = block.tool_kwargs
    text = args if isinstance(args, str) else json.dumps(args, ensure_ascii=False)
    function = {"name": block.tool_name, "arguments": text}
    return {"id": block.tool_call_id, "type": "function", "function": function}


def _block_to_langchain(block: ContentBlock, where: str) -> dict[str, Any]:
    if isinstance(block, TextBlock):
        return {"type": "text", "text": block.text}
    if isinstance(block, AudioBlock):
        return _audio_block(block, where)
    if isinstance(block, ImageBlock):
        return _image_block(block)
    if isinstance(block, VideoBlock):
        return _video_block(block)
    raise MessageError(
        f"{where}: a block of type {block.block_type!r} came; expected text, audio, or an image or "
        "a video for a model that takes them"
    )


def _audio_block(block: AudioBlock, where: str) -> dict[str, Any]:
    if isinstance(block.audio, IOBase):
        file = cast("BinaryIO", block.audio)
        if file.seekable():  # the same message may be sent again
            file.seek(0)
        return Audio.from_file(file, name=where).to_block()
    if block.audio:
        text = resolve_binary(block.audio, as_base64=True).read().decode("ascii")
        return {"type": "audio", "base64": text}
    if block.path is not None:
        return Audio.from_path(block.path).to_block()
    return {"type": "audio", "url": str(block.url or "")}


def _image_block(block: ImageBlock) -> dict[str, Any]:
    if block.image is None and block.path is None:
        return {"type": "image", "url": str(block.url or "")}
    data = block.resolve_image().read()
    text = pybase64.b64encode_as_string(data)
    return {"type": "image", "base64": text, "mime_type": block.image_mimetype or ""}


def _video_block(block: VideoBlock) -> dict[str, Any]:
    sampling = {} if block.fps is None else {"fps": block.fps}
    if block.video is None and block.path is None:
        return {"type": "video", "url": str(block.url or ""), **sampling}
    text = pybase64.b64encode_as_string(block.resolve_video().read())
    mime_type = block.video_mimetype or ""
    return {"type": "video", "base64": text, "mime_type": mime_type, **sampling}


# --- out ---


def to_chat_response(answer: AIMessage) -> ChatResponse:
    """Make the response of a whole answer; `raw` is the answer as LangChain has it."""
    blocks = [*_thinking_blocks(answer), *_content_blocks(answer), *_call_blocks(answer)]
    return ChatResponse(message=_message(blocks), raw=answer, additional_kwargs=_counts(answer))


@dataclass
class ChatResponseStream:
    """The state of one stream: chunk in, response out, and at its end the whole answer.

    A response's `delta` is what is new, its message everything so far. Speech is in `raw` as it
    comes, and in the message at the end.
    """

    _chunks: list[AIMessageChunk] = field(default_factory=list)
    _text: str = ""
    _thought: str = ""
    _called: AIMessageChunk = field(default_factory=lambda: AIMessageChunk(content=""))

    def add(self, chunk: AIMessageChunk) -> Iterator[ChatResponse]:
        """Make the response of a chunk; none where it holds only counts."""
        self._chunks.append(chunk)
        thought = chunk.additional_kwargs.get("reasoning_content") or ""
        calls = chunk.tool_call_chunks
        if not (chunk.content or calls or thought):
            return
        self._text += chunk.text
        self._thought += thought
        if calls:
            self._called += AIMessageChunk(content="", tool_call_chunks=calls)
        thinking = [ThinkingBlock(content=self._thought)] if self._thought else []
        yield ChatResponse(
            message=_message([*thinking, TextBlock(text=self._text), *_call_blocks(self._called)]),
            delta=chunk.text,
            raw=chunk,
            additional_kwargs={"thinking_delta": thought} if thought else {},
        )

    def finish(self) -> ChatResponse:
        """Make the last response, which has the whole answer and its counts, and nothing new."""
        whole = message_chunk_to_message(add_ai_message_chunks(*self._chunks))
        response = to_chat_response(cast("AIMessage", whole))
        response.delta = ""
        return response


def _message(blocks: list[ContentBlock]) -> ChatMessage:
    calls = [_openai_call(block) for block in blocks if isinstance(block, ToolCallBlock)]
    # LlamaIndex's structured streams look for calls where they were before there were blocks.
    extra = {"tool_calls": calls} if calls else {}
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=extra)


def keep_one_call(message: ChatMessage) -> None:
    """Drop all calls of an answer but the first."""
    calls = [block for block in message.blocks if isinstance(block, ToolCallBlock)]
    if len(calls) > 1:
        dropped = {id(call) for call in calls[1:]}
        message.blocks = [block for block in message.blocks if id(block) not in dropped]
        message.additional_kwargs["tool_calls"] = [_openai_call(calls[0])]


def _thinking_blocks(answer: AIMessage) -> Iterator[ContentBlock]:
    if thought := answer.additional_kwargs.get("reasoning_content"):
        usage = answer.usage_metadata
        details = usage.get("output_token_details", {}) if usage else {}
        yield ThinkingBlock(content=thought, num_tokens=details.get("reasoning"))


def _content_blocks(answer: AIMessage) -> Iterator[ContentBlock]:
    if isinstance(answer.content, str):
        yield TextBlock(text=answer.content)
        return
    for block in answer.content:
        if isinstance(block, dict) and block.get("type") == "audio":
            yield AudioBlock(audio=Audio.from_message(answer).data, format="wav")
        elif isinstance(block, dict):
            yield TextBlock(text=block["text"])
        else:
            yield TextBlock(text=block)


def _call_blocks(answer: AIMessage) -> Iterator[ToolCallBlock]:
    for call in [*answer.tool_calls, *answer.invalid_tool_calls]:
        yield ToolCallBlock(
            tool_call_id=call["id"], tool_name=call["name"] or "", tool_kwargs=call["args"] or {}
        )


def _counts(answer: AIMessage) -> dict[str, Any]:
    """Count tokens under the names that LlamaIndex's own integrations use."""
    usage = answer.usage_metadata
    if usage is None:
        return {}
    return {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "total_tokens": usage["total_tokens"],
    }
