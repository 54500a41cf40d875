"""LangChain messages → DashScope messages, whose content is made of the elements of _blocks.py.

Pure: no I/O and no SDK.
"""

from __future__ import annotations

import json
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

from langchain_qwen_audio._blocks import (
    REMOTE,
    Element,
    encode_block,
    find_audio,
    refusal,
    scheme,
    standard,
)
from langchain_qwen_audio._tool_prompt import encode_call, encode_response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

WireMessage: TypeAlias = dict[str, Any]

_MESSAGE_LEVEL = {
    *("reasoning", "thinking", "redacted_thinking"),
    *("tool_call", "tool_call_chunk", "invalid_tool_call"),
}
_SEE_NEXT = "[{kind}: see the next message]"


def encode_messages(
    messages: Sequence[BaseMessage],
    tool_prompt: str | None = None,
    *,
    native_tools: bool = False,
    images: bool = False,
) -> list[WireMessage]:
    """Translate a conversation, in order; nothing is dropped and nothing is changed in place.

    Audio and images that a tool returned move into a user message that follows the run of tool
    messages, because only users' are documented to be heard and seen.

    Args:
        messages: The conversation.
        tool_prompt: What offers tools to a model that has no native calling; it becomes part of
            the system message, and calls and results in the history are written as text.
        native_tools: The model has native calling after all: the history stays as it is.
        images: The model sees images.

    Raises:
        MessageError: A message or block that the model cannot be sent; says which.
        AudioError: A block whose base64 is none.
    """
    if not messages:
        raise refusal("messages", "no message came, expected at least one")
    if tool_prompt is not None and not native_tools:
        return _offer_tools([*_encode_for_prompt(messages, images=images)], tool_prompt)
    wire: list[WireMessage] = []
    from_tools: list[Element] = []
    for index, message in enumerate(messages):
        is_tool = isinstance(message, ToolMessage | FunctionMessage)
        if from_tools and not is_tool:
            wire.append({"role": "user", "content": from_tools})
            from_tools = []
        encoded = _encode_message(message, f"messages[{index}]", images=images)
        if is_tool:
            from_tools += _take_media(encoded)
        wire.append(encoded)
    if from_tools:
        wire.append({"role": "user", "content": from_tools})
    return _offer_tools(wire, tool_prompt or "")


def without_empty_texts(messages: Sequence[WireMessage]) -> list[WireMessage]:
    """Leave out texts with nothing in them, as prompt templates make them."""
    return [
        {**message, "content": [it for it in message["content"] if it != {"text": ""}]}
        for message in messages
    ]


def _encode_for_prompt(messages: Sequence[BaseMessage], *, images: bool) -> Iterator[WireMessage]:
    """Encode messages for a model that knows of no tools: calls and results become text."""
    results: list[Element] = []
    for index, message in enumerate(messages):
        encoded = _encode_message(message, f"messages[{index}]", images=images)
        calls = encoded.pop("tool_calls", [])
        if encoded["role"] == "tool":
            # Results that follow each other go into one user message, with what they sound like.
            media = _take_media(encoded)
            texts = [element["text"] for element in encoded["content"]]
            failed = isinstance(message, ToolMessage) and message.status == "error"
            result = encode_response(texts, failed=failed)
            results += [{"text": f"\n{result}" if results else result}, *media]
            continue
        if results:
            yield {"role": "user", "content": results}
            results = []
        said = [element for element in encoded["content"] if element != {"text": ""}]
        called = "\n".join(encode_call(**call["function"]) for call in calls)
        if called:
            encoded["content"] = [*said, {"text": f"\n{called}" if said else called}]
        yield encoded
    if results:
        yield {"role": "user", "content": results}


def _offer_tools(wire: list[WireMessage], tool_prompt: str) -> list[WireMessage]:
    if not tool_prompt:
        return wire
    if wire[0]["role"] == "system":
        offer = {"text": f"\n\n{tool_prompt}"}
        return [{**wire[0], "content": [*wire[0]["content"], offer]}, *wire[1:]]
    return [{"role": "system", "content": [{"text": tool_prompt}]}, *wire]


def _encode_message(message: BaseMessage, where: str, *, images: bool) -> WireMessage:
    encoded: WireMessage = {"role": _role(message, where)}
    if message.name:
        encoded["name"] = message.name
    encoded["content"] = list(_encode_content(message, encoded["role"], where, images=images))
    if isinstance(message, ToolMessage):
        encoded["tool_call_id"] = message.tool_call_id
    if isinstance(message, AIMessage):
        if reasoning := _reasoning(message):
            encoded["reasoning_content"] = reasoning
        if calls := _tool_calls(message):
            encoded["tool_calls"] = [_encode_tool_call(call) for call in calls]
    return encoded


def _role(message: BaseMessage, where: str) -> str:
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
            raise refusal(where, f"a {type(message).__name__} came, which no model is sent")


def _encode_content(
    message: BaseMessage, role: str, where: str, *, images: bool
) -> Iterator[Element]:
    blocks = _blocks(message, role)
    if isinstance(blocks, str):
        yield {"text": blocks}
        return
    answers = isinstance(message, AIMessage)  # nobody else thinks or calls
    called = {call["id"] for call in _tool_calls(message)}
    for index, block in enumerate(blocks):
        if isinstance(block, str):
            yield {"text": block}
        elif not (answers and _is_message_level(standard(block), called)):
            yield encode_block(block, role, f"{where}.content[{index}]", images=images)


def _is_message_level(block: Mapping[str, Any], called: set[str | None]) -> bool:
    """Tell the blocks of an answer that travel as keys of the message, not as its content."""
    kind = block.get("type")
    return kind in _MESSAGE_LEVEL or (kind == "tool_use" and block.get("id") in called)


def _tool_calls(message: BaseMessage) -> list[Any]:
    if isinstance(message, AIMessage):
        return [*message.tool_calls, *message.invalid_tool_calls]
    return []


def _blocks(message: BaseMessage, role: str) -> str | Sequence[str | Mapping[str, Any]]:
    if isinstance(message.content, str):
        if role == "tool" and (blocks := _blocks_in_json(message.content)):
            return blocks
        return message.content
    if isinstance(message, AIMessage):
        # Other providers' answers, in whatever dialect, as LangChain's own translators read them.
        return message.content_blocks
    return message.content


def _blocks_in_json(text: str) -> list[dict[str, Any]] | None:
    """Read back the content blocks of a tool that LangChain core turned into a JSON string.

    Anything but a whole list of text and audio, and any mention of a local file, stays text.
    """
    if text[:1] not in {"[", "{"}:
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    blocks = found if isinstance(found, list) else [found]
    if not all(isinstance(block, dict) for block in blocks):
        return None
    heard = [audio for block in blocks if (audio := find_audio(block))]
    texts = [block for block in blocks if block.get("type") == "text"]
    if not heard or len(heard) + len(texts) != len(blocks):
        return None
    if not all(inline or scheme(value) in REMOTE for value, inline, _ in heard):
        return None
    return blocks


def _take_media(message: WireMessage) -> list[Element]:
    """Move what is not text out of a tool message, which keeps something to read."""
    media = [element for element in message["content"] if "text" not in element]
    if media:
        texts = [element for element in message["content"] if "text" in element]
        message["content"] = texts or [{"text": _SEE_NEXT.format(kind=next(iter(media[0])))}]
    return media


def _reasoning(message: AIMessage) -> str:
    """Collect what an answer says of its reasoning, wherever its provider put that."""
    kept = message.additional_kwargs.get("reasoning_content")
    if isinstance(kept, str):
        return kept
    if isinstance(message.content, str):
        return ""
    blocks = [standard(block) for block in message.content_blocks]
    said = (block.get("reasoning") or block.get("thinking") or "" for block in blocks)
    return "".join(text for text in said if isinstance(text, str))


def _encode_tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    args = call["args"]
    text = args if isinstance(args, str) else json.dumps(args or {}, ensure_ascii=False)
    return {
        "id": call["id"],
        "type": "function",
        "function": {"name": call["name"], "arguments": text},
    }
