"""LangChain messages → DashScope messages: every dialect of audio block in, one form out.

Pure: no I/O and no SDK. A content element that leaves here is exactly one of

    {"text": str}
    {"audio": Audio}    a clip that came as bytes
    {"audio": str}      a reference: http(s)://, oss://, or, from a user only, file://
"""

from __future__ import annotations

import json
import mimetypes
import re
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

from langchain_qwen_audio._media_types import normalize_mime_type
from langchain_qwen_audio._tool_prompt import encode_call, encode_response
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from langchain_qwen_audio.errors import MessageError

Element: TypeAlias = dict[str, Any]
WireMessage: TypeAlias = dict[str, Any]

_TAKES = (
    "this model takes text and audio; audio as {'type': 'audio', 'base64': …, 'mime_type': …} "
    "or {'type': 'audio', 'url': …}"
)
_MESSAGE_LEVEL = {
    *("reasoning", "thinking", "redacted_thinking"),
    *("tool_call", "tool_call_chunk", "invalid_tool_call"),
}
_REMOTE = {"http", "https", "oss"}
_SEE_NEXT = "[audio: see the next message]"


def encode_messages(
    messages: Sequence[BaseMessage],
    tool_prompt: str | None = None,
    *,
    native_tools: bool = False,
) -> list[WireMessage]:
    """Translate a conversation, in order; nothing is dropped and nothing is changed in place.

    Audio that a tool returned moves into a user message that follows the run of tool messages,
    because only users' audio is documented to be heard.

    Args:
        messages: The conversation.
        tool_prompt: What offers tools to a model that has no native calling; it becomes part of
            the system message, and calls and results in the history are written as text.
        native_tools: The model has native calling after all: the history stays as it is.

    Raises:
        MessageError: A message or block that the model cannot be sent; says which.
        AudioError: A block whose base64 is none.
    """
    if not messages:
        raise _refusal("messages", "no message came, expected at least one")
    if tool_prompt is not None and not native_tools:
        return _offer_tools([*_encode_for_prompt(messages)], tool_prompt)
    wire: list[WireMessage] = []
    from_tools: list[Element] = []
    for index, message in enumerate(messages):
        is_tool = isinstance(message, ToolMessage | FunctionMessage)
        if from_tools and not is_tool:
            wire.append({"role": "user", "content": from_tools})
            from_tools = []
        encoded = _encode_message(message, f"messages[{index}]")
        if is_tool:
            from_tools += _take_audio(encoded)
        wire.append(encoded)
    if from_tools:
        wire.append({"role": "user", "content": from_tools})
    return _offer_tools(wire, tool_prompt or "")


def _encode_for_prompt(messages: Sequence[BaseMessage]) -> Iterator[WireMessage]:
    """Encode messages for a model that knows of no tools: calls and results become text."""
    results: list[Element] = []
    for index, message in enumerate(messages):
        encoded = _encode_message(message, f"messages[{index}]")
        calls = encoded.pop("tool_calls", [])
        if encoded["role"] == "tool":
            # Results that follow each other go into one user message, with what they sound like.
            audio = _take_audio(encoded)
            texts = [element["text"] for element in encoded["content"]]
            failed = isinstance(message, ToolMessage) and message.status == "error"
            result = encode_response(texts, failed=failed)
            results += [{"text": f"\n{result}" if results else result}, *audio]
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


def _encode_message(message: BaseMessage, where: str) -> WireMessage:
    encoded: WireMessage = {"role": _role(message, where)}
    if message.name:
        encoded["name"] = message.name
    encoded["content"] = list(_encode_content(message, encoded["role"], where))
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
            raise _refusal(where, f"a {type(message).__name__} came, which no model is sent")


def _encode_content(message: BaseMessage, role: str, where: str) -> Iterator[Element]:
    blocks = _blocks(message, role)
    if isinstance(blocks, str):
        yield {"text": blocks}
        return
    called = {call["id"] for call in _tool_calls(message)}
    for index, block in enumerate(blocks):
        if isinstance(block, str):
            yield {"text": block}
        elif not _is_message_level(_standard(block), called):
            yield _encode_block(block, role, f"{where}.content[{index}]")


def _standard(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Unwrap what LangChain core wraps because it does not know it."""
    if block.get("type") == "non_standard" and isinstance(block.get("value"), dict):
        value: Mapping[str, Any] = block["value"]
        return value
    return block


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
    heard = [audio for block in blocks if (audio := _find_audio(block))]
    texts = [block for block in blocks if block.get("type") == "text"]
    if not heard or len(heard) + len(texts) != len(blocks):
        return None
    if not all(inline or _scheme(value) in _REMOTE for value, inline, _ in heard):
        return None
    return blocks


def _take_audio(message: WireMessage) -> list[Element]:
    """Move the audio out of a tool message, which keeps something to read."""
    audio = [element for element in message["content"] if "audio" in element]
    if audio:
        texts = [element for element in message["content"] if "text" in element]
        message["content"] = texts or [{"text": _SEE_NEXT}]
    return audio


def _encode_block(block: Mapping[str, Any], role: str, where: str) -> Element:
    block = _standard(block)
    if block.get("type") in {"text", "text-plain", None} and isinstance(block.get("text"), str):
        return {"text": block["text"]}
    found = _find_audio(block)
    if found is None:
        kind = block.get("type") or "/".join(map(str, block))
        raise _refusal(where, f"a block of type {kind!r} came; {_TAKES}")
    value, inline, mime_type = found
    if not value:
        raise _refusal(where, f"an audio block without audio came; {_TAKES}")
    if isinstance(value, bytes | bytearray):
        return {"audio": Audio.from_bytes(value, mime_type=mime_type, name=where)}
    if not isinstance(value, str):
        raise _refusal(where, f"audio came as {type(value).__name__}, expected str or bytes")
    if inline and not _scheme(value):
        return {"audio": Audio.from_base64(value, mime_type=mime_type, name=where)}
    return {"audio": _encode_url(value, role, where)}


def _find_audio(block: Mapping[str, Any]) -> tuple[Any, bool, str] | None:
    """Find the recording in a block of any dialect.

    Returns:
        The recording (a URL, base64 text or bytes), whether its place is one for base64 text
        (where people put URLs too), and its claimed MIME type; None if it is no block of audio.
    """
    mime_type = str(block.get("mime_type") or "")
    kind = block.get("type")
    match block:
        case {"type": "input_audio", "input_audio": {"data": value, **rest}}:  # OpenAI
            return value, True, f"audio/{rest['format']}" if rest.get("format") else ""
        case {"type": "audio_url", "audio_url": {"url": value} | str(value)}:  # vLLM and others
            return value, False, ""
        case {"audio": value} if kind in {"audio", None}:  # DashScope's own
            return value, False, mime_type
        case {"type": "file", "file": {"file_data": str(value), **rest}}:  # OpenAI
            named = mimetypes.guess_type(str(rest.get("filename")))[0] or ""
            return (value, True, "") if _is_audio(value[5:80]) or _is_audio(named) else None
        case {"type": "file", "mime_type": "application/pdf", "base64": str(value)}:
            # LangChain core calls every file in OpenAI's dialect a PDF; PDFs begin "%PDF-".
            return None if value.startswith("JVBERi") else (value, True, "")
    if kind != "audio" and not (kind in {"media", "file"} and _is_audio(mime_type)):
        return None
    for key in ("base64", "data", "url", "file_uri", "file_id", "id"):
        # `id` names the recording only in LangChain v0's source_type "id".
        if block.get(key) and (key != "id" or block.get("source_type") == "id"):
            return block[key], key in {"base64", "data"}, mime_type
    return None, False, mime_type


def _is_audio(mime_type: str) -> bool:
    return normalize_mime_type(mime_type).startswith("audio/")


def _scheme(value: Any) -> str:
    """Read a URL's scheme; a Windows drive (`C:`) is none."""
    match = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):", value[:40]) if isinstance(value, str) else None
    return match[1].lower() if match else ""


def _encode_url(url: str, role: str, where: str) -> Audio | str:
    scheme = _scheme(url)
    if scheme in _REMOTE:
        return scheme + url[len(scheme) :]
    if scheme == "data":
        return _decode_data_uri(url, where)
    if scheme == "file" and role == "user":
        return url
    if scheme == "file":
        raise _refusal(
            where,
            f"a file:// URL came in a message of role {role!r}; files are read for users only, "
            "since an answer or a tool may name any path",
        )
    raise _refusal(
        where,
        f"{url[:200]!r} came where a URL is expected (http://, https://, oss://, data: or "
        "file://); for a local file use Audio.from_path(path).to_block(), or "
        "Path(path).resolve().as_uri()",
    )


def _decode_data_uri(uri: str, where: str) -> Audio:
    header, comma, text = uri.partition(",")
    if not comma or not header.lower().endswith(";base64"):
        raise _refusal(where, f"the data URI begins {uri[:40]!r}, expected 'data:<type>;base64,…'")
    return Audio.from_base64(text, mime_type=header[5:-7], name=where)


def _reasoning(message: AIMessage) -> str:
    """Collect what an answer says of its reasoning, wherever its provider put that."""
    kept = message.additional_kwargs.get("reasoning_content")
    if isinstance(kept, str):
        return kept
    if isinstance(message.content, str):
        return ""
    blocks = [_standard(block) for block in message.content_blocks]
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


def _refusal(where: str, message: str) -> MessageError:
    # Imported here because the error classes import the SDK.
    from langchain_qwen_audio.errors import MessageError

    return MessageError(f"{where}: {message}")
