"""A recording → HTML: a player, its waveform, and what it is.

The HTML loads nothing and runs nothing: no script, no link that is fetched, and all text is
escaped. It is well-formed XML too, which shows that no text became markup.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pybase64

from langchain_qwen_audio._media.durations import format_length
from langchain_qwen_audio._media.mp3 import encode_mp3
from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count, length_of
from langchain_qwen_audio._media.splitting import Piece, split_at_pauses
from langchain_qwen_audio._media.wav import encode_wav
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio._notebook.waveform import MAX_CUTS, Waveform, draw, to_markup
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._media.decoding import Probe

# What a page can hold and a notebook can keep, in bytes before base64.
MAX_PLAYER_BYTES = 8 * 1024 * 1024
MAX_WAV_S = 60.0  # what is converted for the player is MP3 if it is longer,
MAX_PLAYER_S = 30 * 60.0  # and never longer than this, which keeps it within the bytes above
_BIT_RATE = 33_000  # below this, in bits per second

# What browsers play, as (media type, beginning of FFmpeg's codec name).
_PLAYABLE = (
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
_TIMED = "audio/ogg"  # browsers find its length at its end, others' in headers that may lack it


class Playable(Protocol):
    """What the player needs to know of a recording; `Audio` has it all."""

    name: str

    @property
    def probe(self) -> Probe: ...
    @property
    def mime_type(self) -> str: ...
    @property
    def declared_s(self) -> float | None: ...
    @property
    def is_plain(self) -> bool: ...
    @property
    def size(self) -> int: ...
    @property
    def base64(self) -> str: ...
    def decode(self, sample_rate: int) -> Iterator[bytes]: ...


class PlayerSource(NamedTuple):
    """What a browser plays: its type, its base64, and what was done to it."""

    mime_type: str
    base64: str
    remark: str = ""


def player_html(audio: Playable, model: str | None = None) -> str:
    """Show a recording, or why it cannot be used.

    Args:
        audio: The recording.
        model: A name in the table of models, whose tokens are counted, and for whose limit on a
            clip's length it is shown where the recording is split. None shows neither.
    """
    try:
        return _figure(audio, model)
    except AudioError as error:
        return note_html(f"⚠ {error}")


def note_html(text: str) -> str:
    """Show a remark, in small type."""
    style = "font-size:.85em;opacity:.8;overflow-wrap:anywhere"
    return f'<div dir="auto" style="{style}">{to_markup(text)}</div>'


def _figure(audio: Playable, model: str | None) -> str:
    wave, cuts = Waveform(SAMPLE_RATE), list[float]()
    samples = wave.watch(audio.decode(SAMPLE_RATE))
    if model in PROFILES:
        profile = PROFILES[model]
        if profile.max_clips is None:  # otherwise a longer clip is refused, and not split
            limit = byte_count(profile.max_part_s)
            samples = _joined(split_at_pauses(samples, limit, SAMPLE_RATE), cuts)
    source = _unchanged(audio) or _converted(samples, wave)
    deque(samples, maxlen=0)  # the waveform needs all of them
    title = f"Waveform of {audio.name}, {format_length(wave.length_s)}"
    facts = [*_facts(audio, wave), *_model_facts(audio, wave, model, len(cuts)), source.remark]
    return (
        '<figure style="margin:.3em 0;width:40em;max-width:100%">'
        f'<audio controls="" preload="metadata" aria-label="{to_markup(audio.name)}" '
        f'src="data:{source.mime_type};base64,{source.base64}" '
        'style="width:100%;color-scheme:light dark"></audio>'
        f"{draw(wave, cuts, title)}"
        f'<figcaption dir="auto" style="font-size:.85em;opacity:.8;overflow-wrap:anywhere">'
        f"{to_markup(' · '.join(filter(None, facts)))}</figcaption></figure>"
    )


def _facts(audio: Playable, wave: Waveform) -> Iterator[str]:
    probe = audio.probe
    yield audio.name
    yield format_length(_length_s(audio, wave))
    yield f"{audio.mime_type} ({probe.codec})"
    yield f"{probe.sample_rate:,} Hz"
    yield "mono" if probe.channels == 1 else f"{probe.channels} channels"
    yield f"{audio.size:,} bytes"
    yield f"{wave.silent_percent:.0f} % silence"


def _model_facts(audio: Playable, wave: Waveform, model: str | None, cuts: int) -> Iterator[str]:
    if model not in PROFILES:
        return
    profile, length_s = PROFILES[model], _length_s(audio, wave)
    tokens = profile.clip_tokens(length_s)
    if tokens is not None:
        yield f"{tokens:,} tokens for {model}"
    if profile.max_clips is not None and length_s > profile.max_part_s:
        yield f"longer than the {profile.max_part_s:g} s that it takes"
    if cuts:
        drawn = "" if cuts <= MAX_CUTS else " (more than can be drawn)"
        yield f"split into {cuts + 1} parts of up to {profile.max_part_s:g} s{drawn}"


def _length_s(audio: Playable, wave: Waveform) -> float:
    # As `Audio.duration_s`, without decoding once more.
    return audio.declared_s or wave.length_s


def _joined(pieces: Iterable[Piece], cuts: list[float]) -> Iterator[bytes]:
    """Pass samples on, and note the seconds at which a new part begins."""
    part = 0
    for piece in pieces:
        if piece.part != part:
            cuts.append(length_of(piece.start))
            part = piece.part
        yield piece.samples


def _unchanged(audio: Playable) -> PlayerSource | None:
    """Take the recording itself, if browsers play it and know how long it is."""
    kind, probe = audio.mime_type, audio.probe
    playable = audio.is_plain and any(
        kind == name and probe.codec.startswith(codec) for name, codec in _PLAYABLE
    )
    timed = kind == _TIMED or audio.declared_s is not None
    if playable and timed and audio.size <= MAX_PLAYER_BYTES:
        return PlayerSource(kind, audio.base64)
    return None


def _converted(samples: Iterator[bytes], wave: Waveform) -> PlayerSource:
    """Convert samples: to WAV, or, if they are many, the first of them to MP3."""
    head = bytearray()
    for block in samples:
        head += block
        if len(head) > byte_count(MAX_WAV_S):
            break
    else:
        wav = encode_wav([head], SAMPLE_RATE)
        return PlayerSource("audio/wav", _base64_of(wav), "converted to WAV for the player")
    mp3 = encode_mp3(_first_of(chain([bytes(head)], samples)), SAMPLE_RATE, _BIT_RATE)
    deque(samples, maxlen=0)  # the waveform is of all of it
    if wave.length_s > MAX_PLAYER_S:
        remark = f"the player has the first {MAX_PLAYER_S / 60:g} minutes, as MP3"
    else:
        remark = "converted to MP3 for the player"
    return PlayerSource("audio/mpeg", _base64_of(mp3), remark)


def _first_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass on no more than the player is given."""
    left = byte_count(MAX_PLAYER_S)
    for block in blocks:
        yield block[:left]
        left -= len(block)
        if left <= 0:
            return


def _base64_of(data: bytes) -> str:
    return pybase64.b64encode_as_string(data)
