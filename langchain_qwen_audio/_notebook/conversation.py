"""Messages → HTML for a notebook: text, players, pictures and tool calls.

The HTML loads nothing and runs nothing: no script, no link that is fetched, and all text is
escaped. It is well-formed XML too, which shows that no text became markup.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, assert_never

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ToolMessage,
    convert_to_messages,
)

from langchain_qwen_audio._notebook.player import MAX_PLAYER_BYTES, note_html, player_html
from langchain_qwen_audio._notebook.waveform import to_markup
from langchain_qwen_audio._request.content_blocks import find_audio, read_block, unwrap
from langchain_qwen_audio._request.messages import content_blocks_of, role_of, tool_calls_of
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    FramesPart,
    ImagePart,
    Part,
    TextPart,
    VideoPart,
)

# Pictures whose content cannot be a program, as data and nothing else.
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/]+={0,2}")
_MAX_SHOWN = 2_000  # characters of what is shown only so that it is not lost


@dataclass(frozen=True)
class Note:
    """A remark about a message: an error, the usage."""

    text: str


@dataclass(frozen=True)
class Details:
    """Text that is folded away: reasoning, arguments, blocks of unknown kinds."""

    title: str
    text: str
    is_open: bool = False


Item: TypeAlias = Part | Note | Details
"""What is shown of a message: its parts, as a request has them, and more."""


class Conversation:
    """Messages that show themselves in a notebook, and as text elsewhere."""

    def __init__(
        self, messages: list[BaseMessage], title: str | None = None, model: str | None = None
    ) -> None:
        """Take messages; use `show_messages`."""
        self._messages = messages
        self._title = title
        self._model = model

    def __repr__(self) -> str:
        lines = [self._title] if self._title else []
        lines += [f"{_label(it)}: {' '.join(map(_as_text, _items(it)))}" for it in self._messages]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = f"<strong>{to_markup(self._title)}</strong>" if self._title else ""
        bubbles = map(_bubble, self._messages, _models_of(self._messages, self._model))
        return (
            f'<section aria-label="{to_markup(self._title or "Conversation")}" style="display:flex;'
            f'flex-direction:column;gap:.6em;max-width:56em">{title}{"".join(bubbles)}</section>'
        )


def show_messages(
    messages: Any, *, title: str | None = None, model: str | None = None
) -> Conversation:
    """Show a conversation in a notebook, with its audio in players.

    Tool calls become readable. Nothing is fetched, and no file is read that a message only names.
    Put it last in a cell, or pass it to `display`.

    Example:
        ```python
        answer = llm.invoke(messages)
        show_messages([*messages, answer])
        ```

    Args:
        messages: What a model takes or gives: messages in any form that `invoke` takes, a prompt,
            one message or chunk, a string, or an agent's state with its "messages".
        title: What to call it.
        model: The model for which the tokens of audio are counted, and for whose limit it is shown
            where audio is split; by default the one that answered, as the next answer says.
    """
    if isinstance(messages, Mapping) and "messages" in messages:
        messages = messages["messages"]
    if isinstance(messages, str | Mapping | BaseMessage):
        messages = [messages]
    return Conversation(convert_to_messages(messages), title, model)


def _models_of(messages: Sequence[BaseMessage], model: str | None) -> list[str | None]:
    """Find the model that each message was sent to: `model`, or the one that answered next."""
    found: list[str | None] = []
    sent_to = model
    for message in reversed(messages):
        is_answer = isinstance(message, AIMessage)
        answered = message.response_metadata.get("model_name") if is_answer else None
        if isinstance(answered, str) and model is None:
            sent_to = answered
        found.append(None if is_answer else sent_to)
    return found[::-1]


def _role(message: BaseMessage) -> str:
    return role_of(message) or message.type


def _label(message: BaseMessage) -> str:
    model = message.response_metadata.get("model_name")
    call = message.tool_call_id if isinstance(message, ToolMessage) else ""
    return " · ".join(str(part) for part in (_role(message), message.name, model, call) if part)


def _items(message: BaseMessage) -> list[Item]:
    """Take a message apart; there is always something to show of it."""
    calls = tool_calls_of(message)
    items = list(_content_items(message, [call["id"] for call in calls]))
    thought = message.additional_kwargs.get("reasoning_content")
    # LangChain puts it among the blocks too, where there are blocks.
    if isinstance(thought, str) and thought and _reasoning(thought) not in items:
        items.insert(0, _reasoning(thought))
    if isinstance(message, ToolMessage) and message.status == "error":
        items.insert(0, Note("⚠ the tool failed"))
    items += map(_call, calls)
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return [*(items or [Note("(empty)")]), *([_usage(usage)] if usage else [])]


def _content_items(message: BaseMessage, called: list[Any]) -> Iterator[Item]:
    for block in _blocks(message):
        if isinstance(block, str):
            item: Item = TextPart(block)
        elif _is_call(block) and block.get("id") in called:
            continue  # which is shown with the message's calls
        else:
            item = _item(unwrap(block))
        if item != TextPart(""):
            yield item


def _is_call(block: Mapping[str, Any]) -> bool:
    return str(block.get("type")) in {
        *("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use")
    }


def _blocks(message: BaseMessage) -> Sequence[str | Mapping[str, Any]]:
    # What LangChain's translators of other providers' formats cannot read is shown as it is.
    with contextlib.suppress(Exception):
        blocks = content_blocks_of(message, video_inputs=True)
        return [blocks] if isinstance(blocks, str) else blocks
    return message.content


def _item(block: Mapping[str, Any]) -> Item:
    kind = block.get("type")
    if kind is not None and not isinstance(kind, str):
        return _unknown(block)
    if kind in {"tool_call", "tool_call_chunk", "invalid_tool_call"}:
        return _call(block)
    if kind in {"reasoning", "thinking"}:
        thought = block.get("reasoning") or block.get("thinking")
        return _reasoning(thought) if isinstance(thought, str) else _unknown(block)
    try:
        # As in a user's message, where references to files are not refused. They are not read here.
        return read_block(block, "user", "audio", image_inputs=True, video_inputs=True)
    except ValueError as error:  # it is of no kind that is known, or its audio is unusable
        return Note(f"⚠ {error}") if find_audio(block) else _unknown(block)


def _unknown(block: Mapping[str, Any]) -> Item:
    return Details(f"Block of type {block.get('type')!r}", _shortened(repr(block), _MAX_SHOWN))


def _reasoning(thought: str) -> Item:
    return Details("Reasoning", thought)


def _call(call: Mapping[str, Any]) -> Item:
    args = call.get("args")
    if not isinstance(args, str):
        args = json.dumps(args or {}, indent=2, ensure_ascii=False, default=str)
    reason = f": ⚠ {call['error']}" if call.get("error") else ""
    return Details(f"Calls {call.get('name')} · {call.get('id')}{reason}", args, is_open=True)


def _usage(usage: Mapping[str, Any]) -> Item:
    input_tokens = _counts(usage.get("input_tokens"), usage.get("input_token_details"))
    output_tokens = _counts(usage.get("output_tokens"), usage.get("output_token_details"))
    return Note(f"Tokens: {input_tokens} in, {output_tokens} out")


def _counts(total: Any, details: Mapping[str, Any] | None) -> str:
    of = ", ".join(f"{name} {count}" for name, count in (details or {}).items())
    return f"{total} ({of})" if of else str(total)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


# --- what they look like --------------------------------------------------------------------------

# Translucent, so that they suit a light page and a dark one.
_COLOURS = {"user": "59,130,246,.18", "assistant": "128,128,128,.16"}


def _bubble(message: BaseMessage, model: str | None) -> str:
    role = _role(message)
    side = "flex-end" if role == "user" else "flex-start"
    look = (
        f"background:rgba({_COLOURS[role]})"
        if role in _COLOURS
        else "border:1px dashed rgba(128,128,128,.6);font-size:.9em"
    )
    label = to_markup(_label(message))
    items = "".join(_as_html(item, model) for item in _items(message))
    return (
        f'<article aria-label="{label}" style="align-self:{side};max-width:85%;{look};'
        'box-sizing:border-box;padding:.5em .9em;border-radius:1em;line-height:1.45">'
        f'<div dir="auto" style="font-size:.8em;opacity:.75;overflow-wrap:anywhere">{label}</div>'
        f"{items}</article>"
    )


def _as_html(item: Item, model: str | None) -> str:
    match item:
        case TextPart(text):
            wrapped = "white-space:pre-wrap;overflow-wrap:anywhere"
            return f'<div dir="auto" style="{wrapped}">{to_markup(text)}</div>'
        case Note(text):
            return note_html(text)
        case Details(title, text, is_open):
            opened = ' open=""' if is_open else ""
            return (
                f'<details{opened} style="margin:.2em 0"><summary dir="auto" '
                f'style="cursor:pointer;overflow-wrap:anywhere">{to_markup(title)}</summary>'
                '<pre dir="auto" style="margin:.2em 0 .2em 1em;background:none;'
                "white-space:pre-wrap;overflow-wrap:anywhere;"
                f'max-height:20em;overflow:auto">{to_markup(text)}</pre>'
                "</details>"
            )
        case AudioPart(audio):
            return player_html(audio, model)
        case ImagePart(url) if _is_picture(url):
            return f'<img alt="image" src="{url}" style="max-width:20em;max-height:15em"/>'
        case ImagePart() | VideoPart() | FramesPart() | AudioUrlPart():
            return note_html(_reference(item))
        case _:
            assert_never(item)


def _as_text(item: Item) -> str:
    match item:
        case TextPart(text):
            return text
        case Note(text):
            return f"[{text}]"
        case Details(title, text):
            return f"[{title}: {_shortened(' '.join(text.split()), 200)}]"
        case AudioPart(audio):
            return f"[{audio!r}]"
        case ImagePart(url) if _is_picture(url):
            return f"[image, {len(url):,} characters]"
        case ImagePart() | VideoPart() | FramesPart() | AudioUrlPart():
            return f"[{_reference(item)}]"
        case _:
            assert_never(item)


def _is_picture(url: str) -> bool:
    return len(url) <= MAX_PLAYER_BYTES and _PICTURE.fullmatch(url) is not None


def _reference(part: ImagePart | VideoPart | FramesPart | AudioUrlPart) -> str:
    match part:
        case ImagePart(url):
            return f"image at {_shortened(url, 200)} (not loaded here)"
        case VideoPart(url):
            return f"video at {_shortened(url, 200)} (not loaded here)"
        case FramesPart(urls):
            first = _shortened(urls[0], 200)
            return f"video of {len(urls):,} images, the first at {first} (not loaded here)"
        case AudioUrlPart(url):
            return f"audio at {_shortened(url, 200)} (not loaded here)"
        case _:
            assert_never(part)
