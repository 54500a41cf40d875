"""Recordings and conversations → HTML to see and hear in a notebook.

What comes out needs nothing from elsewhere and runs nothing: no script, no link that is fetched,
and all text escaped, whoever wrote it. It is well-formed XML too, which shows that nothing of what
is displayed became markup.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

import pybase64
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)

from langchain_qwen_audio import _codec
from langchain_qwen_audio._blocks import encode_block, find_audio, standard
from langchain_qwen_audio._codec import SAMPLE_BYTES, SAMPLE_RATE
from langchain_qwen_audio._fit import cut
from langchain_qwen_audio._profiles import QWEN_AUDIO
from langchain_qwen_audio._waveform import MAX_CUTS, Meter, clock, draw, to_markup
from langchain_qwen_audio.audio import Audio

# What a page can hold and a notebook can keep, in bytes before base64.
MAX_PLAYER_BYTES = 8 * 1024 * 1024
MAX_WAV_S = 60.0  # what is converted for the player is MP3 if it is longer,
MAX_PLAYER_S = 30 * 60.0  # and has no more than so much, which is within the bytes above,
_BIT_RATE = 33_000  # below this, in bits per second

# What browsers play, as (media type, beginning of FFmpeg's codec name).
_PLAYED = (
    ("audio/wav", "pcm_"),
    ("audio/mpeg", "mp3"),
    ("audio/flac", "flac"),
    ("audio/mp4", "aac"),
    ("audio/ogg", "flac"),
    ("audio/ogg", "opus"),
    ("audio/ogg", "vorbis"),
    ("audio/webm", "opus"),
    ("audio/webm", "vorbis"),
)
_TIMED = "audio/ogg"  # browsers read its length off its end, others' off headers that may lack it
# Pictures whose content cannot be a program, as data and nothing else.
_PICTURE = re.compile(r"data:image/(?:png|jpeg|gif|webp|bmp);base64,[A-Za-z0-9+/]+={0,2}")
_MAX_SHOWN = 2_000  # characters of what is shown only so that it is not lost


# --- recordings -----------------------------------------------------------------------------------


class Player(NamedTuple):
    """What a browser plays: its type, its base64, and what to say of it."""

    mime_type: str
    base64: str
    remark: str = ""


def audio_html(audio: Audio) -> str:
    """Show a recording: a player, its waveform, and what it is; or why it cannot be used."""
    from langchain_qwen_audio.errors import AudioError

    try:
        return _figure(audio)
    except AudioError as error:
        return _muted(f"⚠ {error}")


def _figure(audio: Audio) -> str:
    meter, cuts = Meter(SAMPLE_RATE), list[float]()
    limit = int(QWEN_AUDIO.max_part_s * SAMPLE_RATE) * SAMPLE_BYTES
    samples = _joined(cut(meter.watch(audio.decode(SAMPLE_RATE)), limit, SAMPLE_RATE), cuts)
    player = _as_it_came(audio) or _converted(samples, meter)
    deque(samples, maxlen=0)  # hear what the player has no need of
    title = f"Waveform of {audio.name}, {clock(meter.length_s)}"
    return (
        '<figure style="margin:.3em 0;width:40em;max-width:100%">'
        f'<audio controls="" preload="metadata" aria-label="{to_markup(audio.name)}" '
        f'src="data:{player.mime_type};base64,{player.base64}" '
        'style="width:100%;color-scheme:light dark"></audio>'
        f"{draw(meter, cuts, title)}"
        f'<figcaption dir="auto" style="font-size:.85em;opacity:.8;overflow-wrap:anywhere">'
        f"{to_markup(' · '.join(_facts(audio, meter, len(cuts), player.remark)))}"
        "</figcaption></figure>"
    )


def _facts(audio: Audio, meter: Meter, cuts: int, remark: str) -> Iterator[str]:
    # As `audio.duration_s`, but what was decoded for the picture is not decoded for that again.
    length_s = audio.probe.declared_s or meter.length_s
    yield audio.name
    yield clock(length_s)
    yield f"{audio.mime_type} ({audio.codec})"
    yield f"{audio.sample_rate:,} Hz"
    yield "mono" if audio.channels == 1 else f"{audio.channels} channels"
    yield f"{audio.size:,} bytes"
    yield f"{QWEN_AUDIO.clip_tokens(length_s):,} tokens for Qwen-Audio"
    yield f"{100 * meter.silent_s / meter.length_s:.0f} % silence"
    if cuts:
        drawn = "" if cuts <= MAX_CUTS else " (more than can be drawn)"
        yield f"heard in {cuts + 1} parts of up to {QWEN_AUDIO.max_part_s:g} s{drawn}"
    if remark:
        yield remark


def _joined(pieces: Iterable[tuple[int, bytes]], cuts: list[float]) -> Iterator[bytes]:
    """Pass samples on, and note the seconds at which a new part begins."""
    position, part = 0, 0
    for number, samples in pieces:
        if number != part:
            cuts.append(position / SAMPLE_BYTES / SAMPLE_RATE)
            part = number
        position += len(samples)
        yield samples


def _as_it_came(audio: Audio) -> Player | None:
    """Take the recording itself, if browsers play it and know how long it is."""
    kind = audio.mime_type
    played = any(kind == name and audio.codec.startswith(codec) for name, codec in _PLAYED)
    timed = kind == _TIMED or audio.probe.declared_s is not None
    if played and timed and audio.size <= MAX_PLAYER_BYTES:
        return Player(kind, audio.base64)
    return None


def _converted(samples: Iterator[bytes], meter: Meter) -> Player:
    """Make something playable of samples: WAV, or of much sound MP3 of the first part of it."""
    head = bytearray()
    for block in samples:
        head += block
        if len(head) > MAX_WAV_S * SAMPLE_RATE * SAMPLE_BYTES:
            break
    else:
        wav = _codec.encode_wav([bytes(head)], SAMPLE_RATE)
        return Player("audio/wav", _base64_of(wav), "converted to WAV for the player")
    mp3 = _codec.encode_mp3(_first_of(chain([bytes(head)], samples)), SAMPLE_RATE, _BIT_RATE)
    deque(samples, maxlen=0)  # the picture is of all of it
    if meter.length_s > MAX_PLAYER_S:
        remark = f"the player has the first {MAX_PLAYER_S / 60:g} minutes, as MP3"
    else:
        remark = "converted to MP3 for the player"
    return Player("audio/mpeg", _base64_of(mp3), remark)


def _first_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on no more than the player is given."""
    left = int(MAX_PLAYER_S * SAMPLE_RATE) * SAMPLE_BYTES
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def _base64_of(data: bytes) -> str:
    return pybase64.b64encode_as_string(data)


# --- conversations --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Said:
    """Text, as it was written."""

    text: str


@dataclass(frozen=True)
class Noted:
    """What is said about the conversation rather than in it: references, errors, usage."""

    text: str


@dataclass(frozen=True)
class Folded:
    """What is there for who wants to look: reasoning, arguments, blocks of unknown kinds."""

    title: str
    text: str
    is_open: bool = False


@dataclass(frozen=True)
class Heard:
    """A recording."""

    audio: Audio


@dataclass(frozen=True)
class Seen:
    """A picture, as a data URI that `_PICTURE` matches."""

    uri: str


Part: TypeAlias = Said | Noted | Folded | Heard | Seen


class Conversation:
    """Messages that show themselves in a notebook, and as text elsewhere."""

    def __init__(self, messages: list[BaseMessage], title: str | None = None) -> None:
        """Take messages; use `show_messages`."""
        self._messages = messages
        self._title = title

    def __repr__(self) -> str:
        lines = [self._title] if self._title else []
        for message in self._messages:
            said = " ".join(map(_as_text, _parts(message)))
            lines.append(f"{_label(message)}: {said}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        title = f"<strong>{to_markup(self._title)}</strong>" if self._title else ""
        return (
            f'<section aria-label="{to_markup(self._title or "Conversation")}" style="display:flex;'
            f'flex-direction:column;gap:.6em;max-width:56em">{title}'
            f"{''.join(map(_bubble, self._messages))}</section>"
        )


def show_messages(messages: Any, *, title: str | None = None) -> Conversation:
    """Show a conversation in a notebook: who said what, to see and to hear.

    Audio becomes players and tool calls become readable; nothing is fetched, and no file is read
    that a message only names. Put it last in a cell, or pass it to `display`.

    Args:
        messages: What a model takes or gives: messages in any form that `invoke` takes, a prompt,
            one message or chunk, a string, or an agent's state with its "messages".
        title: What to call it.
    """
    if isinstance(messages, Mapping) and "messages" in messages:
        messages = messages["messages"]
    if isinstance(messages, str | Mapping | BaseMessage):
        messages = [messages]
    return Conversation(convert_to_messages(messages), title)


def _role(message: BaseMessage) -> str:
    match message:
        case HumanMessage():
            return "user"
        case AIMessage():
            return "assistant"
        case SystemMessage():
            return "system"
        case ToolMessage() | FunctionMessage():
            return "tool"
        case ChatMessage():
            return message.role
        case _:
            return message.type


def _label(message: BaseMessage) -> str:
    model = message.response_metadata.get("model_name")
    call = message.tool_call_id if isinstance(message, ToolMessage) else ""
    return " · ".join(str(part) for part in (_role(message), message.name, model, call) if part)


def _parts(message: BaseMessage) -> list[Part]:
    """Take a message apart; there is always something to show of it."""
    calls = _calls(message)
    said = list(_content_parts(message, [call["id"] for call in calls]))
    thought = message.additional_kwargs.get("reasoning_content")
    # LangChain puts it among the blocks too, where there are blocks.
    if isinstance(thought, str) and thought and _reasoning(thought) not in said:
        said.insert(0, _reasoning(thought))
    if isinstance(message, ToolMessage) and message.status == "error":
        said.insert(0, Noted("⚠ the tool failed"))
    said += map(_call, calls)
    usage = message.usage_metadata if isinstance(message, AIMessage) else None
    return [*(said or [Noted("(empty)")]), *([_usage(usage)] if usage else [])]


def _calls(message: BaseMessage) -> list[Any]:
    if isinstance(message, AIMessage):
        return [*message.tool_calls, *message.invalid_tool_calls]
    return []


def _content_parts(message: BaseMessage, called: list[Any]) -> Iterator[Part]:
    for block in _blocks(message):
        if isinstance(block, str):
            part: Part = Said(block)
        elif _is_call(block) and block.get("id") in called:
            continue  # which is shown with the message's calls
        else:
            part = _part(standard(block))
        if part != Said(""):
            yield part


def _is_call(block: Mapping[str, Any]) -> bool:
    return str(block.get("type")) in {
        *("tool_call", "tool_call_chunk", "invalid_tool_call", "tool_use")
    }


def _blocks(message: BaseMessage) -> Sequence[str | Mapping[str, Any]]:
    content = message.content
    if isinstance(content, str):
        is_tool = isinstance(message, ToolMessage | FunctionMessage)
        return _blocks_in_json(content) if is_tool else [content]
    if isinstance(message, AIMessage):
        # Other providers' answers, in whatever dialect, as LangChain's own translators read them;
        # what they stumble over is shown as it is.
        with contextlib.suppress(Exception):
            return message.content_blocks
    return content


def _blocks_in_json(text: str) -> Sequence[str | Mapping[str, Any]]:
    """Read back a tool's audio, whose blocks LangChain core turned into a JSON string."""
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        found = json.loads(text) if text.startswith(("[", "{")) else []
        blocks = found if isinstance(found, list) else [found]
        if all(isinstance(block, dict) for block in blocks) and any(map(find_audio, blocks)):
            return blocks
    return [text]


def _part(block: Mapping[str, Any]) -> Part:
    kind = block.get("type")
    if kind is not None and not isinstance(kind, str):
        return _unknown(block)
    if kind in {"tool_call", "tool_call_chunk", "invalid_tool_call"}:
        return _call(block)
    if kind in {"reasoning", "thinking"}:
        thought = block.get("reasoning") or block.get("thinking")
        return _reasoning(thought) if isinstance(thought, str) else _unknown(block)
    try:
        # For a user, whose references to files are not refused; they are not read here either.
        element = encode_block(block, "user", "audio", images=True)
    except ValueError as error:  # it is of no kind that is known, or its audio is none
        return Noted(f"⚠ {error}") if find_audio(block) else _unknown(block)
    match element:
        case {"text": text}:
            return Said(text)
        case {"audio": Audio() as audio}:
            return Heard(audio)
        case {"image": uri} if len(uri) <= MAX_PLAYER_BYTES and _PICTURE.fullmatch(uri):
            return Seen(uri)
    ((medium, reference),) = element.items()
    return Noted(f"{medium} at {_shortened(reference, 200)} (not loaded here)")


def _unknown(block: Mapping[str, Any]) -> Part:
    return Folded(f"Block of type {block.get('type')!r}", _shortened(repr(block), _MAX_SHOWN))


def _reasoning(thought: str) -> Part:
    return Folded("Reasoning", thought)


def _call(call: Mapping[str, Any]) -> Part:
    args = call.get("args")
    if not isinstance(args, str):
        args = json.dumps(args or {}, indent=2, ensure_ascii=False, default=str)
    reason = f": ⚠ {call['error']}" if call.get("error") else ""
    return Folded(f"Calls {call.get('name')} · {call.get('id')}{reason}", args, is_open=True)


def _usage(usage: Mapping[str, Any]) -> Part:
    heard = _counts(usage.get("input_tokens"), usage.get("input_token_details"))
    said = _counts(usage.get("output_tokens"), usage.get("output_token_details"))
    return Noted(f"Tokens: {heard} in, {said} out")


def _counts(total: Any, details: Mapping[str, Any] | None) -> str:
    of = ", ".join(f"{name} {count}" for name, count in (details or {}).items())
    return f"{total} ({of})" if of else str(total)


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


# --- what they look like --------------------------------------------------------------------------

# Translucent, so that they suit a light page and a dark one.
_COLOURS = {"user": "59,130,246,.18", "assistant": "128,128,128,.16"}


def _bubble(message: BaseMessage) -> str:
    role = _role(message)
    side = "flex-end" if role == "user" else "flex-start"
    look = (
        f"background:rgba({_COLOURS[role]})"
        if role in _COLOURS
        else "border:1px dashed rgba(128,128,128,.6);font-size:.9em"
    )
    label = to_markup(_label(message))
    return (
        f'<article aria-label="{label}" style="align-self:{side};max-width:85%;{look};'
        'box-sizing:border-box;padding:.5em .9em;border-radius:1em;line-height:1.45">'
        f'<div dir="auto" style="font-size:.8em;opacity:.75;overflow-wrap:anywhere">{label}</div>'
        f"{''.join(map(_as_html, _parts(message)))}</article>"
    )


def _as_html(part: Part) -> str:
    match part:
        case Said(text):
            wrapped = "white-space:pre-wrap;overflow-wrap:anywhere"
            return f'<div dir="auto" style="{wrapped}">{to_markup(text)}</div>'
        case Noted(text):
            return _muted(text)
        case Folded(title, text, is_open):
            opened = ' open=""' if is_open else ""
            return (
                f'<details{opened} style="margin:.2em 0"><summary dir="auto" '
                f'style="cursor:pointer;overflow-wrap:anywhere">{to_markup(title)}</summary>'
                '<pre dir="auto" style="margin:.2em 0 .2em 1em;background:none;'
                "white-space:pre-wrap;overflow-wrap:anywhere;"
                f'max-height:20em;overflow:auto">{to_markup(text)}</pre>'
                "</details>"
            )
        case Heard(audio):
            return audio_html(audio)
        case Seen(uri):
            return f'<img alt="image" src="{uri}" style="max-width:20em;max-height:15em"/>'


def _muted(text: str) -> str:
    style = "font-size:.85em;opacity:.8;overflow-wrap:anywhere"
    return f'<div dir="auto" style="{style}">{to_markup(text)}</div>'


def _as_text(part: Part) -> str:
    match part:
        case Said(text):
            return text
        case Noted(text):
            return f"[{text}]"
        case Folded(title, text):
            return f"[{title}: {_shortened(' '.join(text.split()), 200)}]"
        case Heard(audio):
            return f"[{audio!r}]"
        case Seen(uri):
            return f"[image, {len(uri):,} characters]"
