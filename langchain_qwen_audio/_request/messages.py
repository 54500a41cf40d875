"""LangChain messages → request messages, whose content is parts. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_qwen_audio._request.answers import content_of_answer, standard_blocks
from langchain_qwen_audio._request.content_blocks import read_block, unwrap
from langchain_qwen_audio._request.parts import Part, RequestMessage, TextPart
from langchain_qwen_audio._request.tool_results import blocks_in_json, check_result, split_media
from langchain_qwen_audio._tool_calling.prompt import write_call, write_result
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Messages: TypeAlias = list[RequestMessage[Part]]
Blocks: TypeAlias = str | Sequence[str | Mapping[str, Any]]
ReadBlock: TypeAlias = Callable[[Mapping[str, Any], str, str], Part]

_SURROGATE = re.compile("[\ud800-\udfff]")
_MESSAGE_LEVEL = {
    *("reasoning", "thinking", "redacted_thinking"),
    *("tool_call", "tool_call_chunk", "invalid_tool_call"),
}

_CALLS = {"tool_use", "custom_tool_call"}  # Anthropic's, and OpenAI's of tools with free text


def map_messages(
    messages: Sequence[BaseMessage],
    *,
    system_text: str = "",
    calls_as_text: bool = False,
    image_inputs: bool = False,
    video_inputs: bool = False,
) -> Messages:
    """Translate a conversation, in order; nothing is dropped and nothing is changed in place.

    Audio, images and videos that a tool returned move into a user message after the tool messages,
    because only users' are documented to be taken.

    Args:
        messages: The conversation.
        system_text: What is added to the system message, such as a description of tools.
        calls_as_text: Whether calls and results in the history are written as text, for a model
            whose endpoint has no function calling.
        image_inputs: Whether the model takes images.
        video_inputs: Whether the model takes videos.

    Raises:
        MessageError: A message or block that the model cannot be sent; says which.
        AudioError: A block whose base64 cannot be decoded.
    """
    if not messages:
        raise MessageError("messages: no message came, expected at least one")
    read = partial(read_block, image_inputs=image_inputs, video_inputs=video_inputs)
    mapped = (
        _map_message(message, f"messages[{index}]", read, video_inputs=video_inputs)
        for index, message in enumerate(messages)
    )
    moved = _calls_as_text(mapped, messages) if calls_as_text else _media_to_users(mapped)
    return _with_system_text(list(moved), system_text)


def without_empty_texts(messages: Messages) -> Messages:
    """Leave out texts with nothing in them, as prompt templates make them."""
    empty = TextPart("")
    return [
        message.with_content([part for part in message.content if part != empty])
        for message in messages
    ]


def _media_to_users(mapped: Iterable[RequestMessage[Part]]) -> Iterator[RequestMessage[Part]]:
    """Move the media of a run of tool messages into a user message that follows it."""
    from_tools: list[Part] = []
    for message in mapped:
        if message.role != "tool":
            if from_tools:
                yield RequestMessage("user", from_tools)
                from_tools = []
            yield message
            continue
        texts, media = split_media(message.content)
        from_tools += media
        yield message.with_content(texts)
    if from_tools:
        yield RequestMessage("user", from_tools)


def _calls_as_text(
    mapped: Iterable[RequestMessage[Part]], originals: Sequence[BaseMessage]
) -> Iterator[RequestMessage[Part]]:
    """Write calls and results as text. Results that follow each other go into one user message."""
    results: list[Part] = []
    for message, original in zip(mapped, originals, strict=True):
        if message.role == "tool":
            failed = isinstance(original, ToolMessage) and original.status == "error"
            results += _result_parts(message, failed=failed, first=not results)
            continue
        if results:
            yield RequestMessage("user", results)
            results = []
        yield _with_calls_as_text(message)
    if results:
        yield RequestMessage("user", results)


def _result_parts(message: RequestMessage[Part], *, failed: bool, first: bool) -> list[Part]:
    texts, media = split_media(message.content)
    result = write_result(
        [part.text for part in texts if isinstance(part, TextPart)], failed=failed
    )
    return [TextPart(result if first else f"\n{result}"), *media]


def _with_calls_as_text(message: RequestMessage[Part]) -> RequestMessage[Part]:
    calls = "\n".join(write_call(**call["function"]) for call in message.tool_calls)
    if not calls:
        return message
    content = [part for part in message.content if part != TextPart("")]
    content.append(TextPart(f"\n{calls}" if content else calls))
    return RequestMessage(message.role, content, message.name, reasoning=message.reasoning)


def _with_system_text(messages: Messages, text: str) -> Messages:
    if not text:
        return messages
    if messages[0].role == "system":
        content = [*messages[0].content, TextPart(f"\n\n{text}")]
        return [messages[0].with_content(content), *messages[1:]]
    return [RequestMessage("system", [TextPart(text)]), *messages]


def _map_message(
    message: BaseMessage, where: str, read: ReadBlock, *, video_inputs: bool
) -> RequestMessage[Part]:
    role = role_of(message)
    if role is None:
        raise MessageError(f"{where}: a {type(message).__name__} came, which no model is sent")
    blocks = content_blocks_of(message, where, video_inputs=video_inputs)
    content = list(_map_content(message, blocks, role, where, read))
    name = message.name or None
    match message:
        case ToolMessage():
            return RequestMessage(role, content, name, message.tool_call_id)
        case AIMessage():
            calls = [
                _map_tool_call(call, f"{where}.tool_calls[{index}]")
                for index, call in enumerate(tool_calls_of(message))
            ]
            reasoning = _reasoning_of(message, where)
            return RequestMessage(role, content, name, None, calls, reasoning)
        case _:
            return RequestMessage(role, content, name)


def role_of(message: BaseMessage) -> str | None:
    """Name the role of a message; None if no model is sent such a message."""
    match message:
        case SystemMessage():
            return "system"
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case ToolMessage() | FunctionMessage():
            return "tool"
        case ChatMessage():
            return message.role
        case _:
            return None


def _map_content(
    message: BaseMessage, blocks: Blocks, role: str, where: str, read: ReadBlock
) -> Iterator[Part]:
    if isinstance(blocks, str):
        yield _text_part(blocks, role)
        return
    is_answer = isinstance(message, AIMessage)  # nobody else thinks or calls
    calls = [call["id"] for call in tool_calls_of(message)]
    for index, block in enumerate(blocks):
        if isinstance(block, str):
            yield _text_part(block, role)
        elif not (is_answer and _is_message_level(unwrap(block), calls)):
            where_block = f"{where}.content[{index}]"
            known = _refusal_as_text(unwrap(block)) if is_answer else block
            part = read(known, role, where_block)
            yield _text_part(part.text, role) if isinstance(part, TextPart) else part


def _refusal_as_text(block: Mapping[str, Any]) -> Mapping[str, Any]:
    is_refusal = block.get("type") == "refusal" and isinstance(block.get("refusal"), str)
    return {"type": "text", "text": block["refusal"]} if is_refusal else block


def _text_part(text: str, role: str) -> TextPart:
    """Make a part of a text.

    What cannot be written as UTF-8 is replaced in answers and in results of tools, such as names of
    files, where nobody could mend it; it would end the conversation for ever.
    """
    if role in {"assistant", "tool"}:
        text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return TextPart(text)


def _is_message_level(block: Mapping[str, Any], calls: list[str | None]) -> bool:
    """Tell the blocks of an answer that travel as fields of the message, not as its content."""
    kind = block.get("type")
    if not isinstance(kind, str):
        return False
    call_id = block.get("call_id") or block.get("id")
    return kind in _MESSAGE_LEVEL or (kind in _CALLS and call_id in calls)


def tool_calls_of(message: BaseMessage) -> list[Any]:
    """List the tool calls of an answer, well-formed or not."""
    if isinstance(message, AIMessage):
        return [*message.tool_calls, *message.invalid_tool_calls]
    return []


def content_blocks_of(
    message: BaseMessage, where: str = "message", *, video_inputs: bool = False
) -> Blocks:
    """Take the content of a message apart: a text, or blocks in whatever format.

    Raises:
        MessageError: Blocks of an answer that LangChain cannot read, or an `Audio` that it has
            turned into text.
    """
    if isinstance(message, AIMessage):
        return content_of_answer(message, where)
    if isinstance(message.content, str) and role_of(message) == "tool":
        check_result(message.content, where)
        return blocks_in_json(message.content, video_inputs=video_inputs) or message.content
    return message.content


def _reasoning_of(message: AIMessage, where: str) -> str:
    """Collect what an answer says of its reasoning, wherever its provider put that."""
    kept = message.additional_kwargs.get("reasoning_content")
    if isinstance(kept, str):
        return kept
    if isinstance(message.content, str):
        return ""
    blocks = [unwrap(block) for block in standard_blocks(message, where)]
    return "".join(_thought(block.get("reasoning") or block.get("thinking")) for block in blocks)


def _thought(value: Any) -> str:
    """Read a thought: a text, or, as Mistral's, blocks of text."""
    match value:
        case str():
            return value
        case list():
            return "".join(map(_thought, value))
        case {"text": str(text)}:
            return text
        case _:
            return ""


def _map_tool_call(call: Mapping[str, Any], where: str) -> dict[str, Any]:
    args = call["args"]
    text = args if isinstance(args, str) else _write_arguments(args or {}, where)
    # JSON has escapes for what cannot be written as UTF-8.
    text = text.encode(errors="backslashreplace").decode()
    function = {"name": call["name"], "arguments": text}
    return {"id": call["id"], "type": "function", "function": function}


def _write_arguments(args: Mapping[str, Any], where: str) -> str:
    try:
        return json.dumps(args, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise MessageError(f"{where}: its args cannot be written as JSON: {error}") from error
