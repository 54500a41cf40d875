"""Sentences with times → cues that can be read along, and these → SRT, WebVTT and LRC. Pure.

A cue has at most two lines of 42 columns, and is shown for 7 s at most; a character of Chinese,
Japanese or Korean takes as much as two columns and a bit, so that 20 fill a line. Cues end with
sentences or lines, or else between words. Where words have no times, theirs are estimated by their
length, and a text that fits into one cue stays together, however long its sentence.
"""

# ruff: noqa: RUF001  # marks of Chinese look like others

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, Protocol

from langchain_qwen_audio._transcription.columns import LINE_COLUMNS, columns, split_word

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

MAX_LINES, MAX_CUE_S = 2, 7.0
_MIN_CUE_S = 1.0  # a shorter sentence is shown together with the next one
# Words, or single characters of scripts that have no spaces, with the marks and blanks behind them.
_NO_SPACES = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
_MARKS = "、。，．！？；：」』）】》”’…～ー\u3099\u309a"
UNITS = re.compile(rf"(?:[^\s{_NO_SPACES}]+|\S)[{_MARKS}]*\s*")
_TIME = re.compile(r"(\d:\d{1,2}[.,]\d+)[ \t]*(?=.*\d:\d{1,2}[.,]\d)")
_SENTENCE_END = re.compile(r"""[.!?…。！？]["'”’」』)）]*\s*$""")
_PAUSE = re.compile(r"[,;:—、，；：]\s*$")


class TimedWord(Protocol):
    """A text, and when it is spoken."""

    @property
    def text(self) -> str: ...
    @property
    def start_s(self) -> float | None: ...
    @property
    def end_s(self) -> float | None: ...


class TimedSentence(TimedWord, Protocol):
    """A sentence, by whom it is spoken, and its words, if they are known."""

    @property
    def words(self) -> Sequence[TimedWord]: ...
    @property
    def label(self) -> str: ...


class Cue(NamedTuple):
    """What is shown at once.

    Attributes:
        start_s: From when, in seconds.
        end_s: Until when.
        lines: The lines.
        label: Who speaks, or "".
    """

    start_s: float
    end_s: float
    lines: list[str]
    label: str = ""


class _Unit(NamedTuple):
    """A word with what follows it, and when it is spoken, which may be an estimate."""

    text: str
    start_s: float
    end_s: float
    is_estimate: bool = False


def cues_of(sentences: Iterable[TimedSentence], *, names_speakers: bool = False) -> Iterator[Cue]:
    """Make cues of sentences; one without text gets none.

    Args:
        sentences: The sentences.
        names_speakers: Whether the text says who speaks, where that changes. Cues have a label
            where several speak.

    Raises:
        ValueError: A sentence has no times.
    """
    found = list(sentences)
    several = len({sentence.label for sentence in found}) > 1
    before = ""
    for sentence in found:
        label = sentence.label if several else ""
        prefix = f"[{label}] " if label != before and names_speakers else ""
        before = label
        for group in _groups(_units(sentence, prefix)):
            lines = _lines("".join(unit.text for unit in group))
            yield Cue(*_times_of(group), lines, label)


def _times_of(group: list[_Unit]) -> tuple[float, float]:
    """Say from when until when units are shown; what takes no time is shown for a second."""
    start_s, end_s = min(it.start_s for it in group), max(it.end_s for it in group)
    if end_s <= start_s:
        end_s = start_s + _MIN_CUE_S
    return start_s, min(end_s, start_s + MAX_CUE_S)


def write_srt(sentences: Iterable[TimedSentence]) -> str:
    """Write SubRip subtitles.

    SubRip has no way to quote: `-->`, which begins a cue wherever players find it, is written "→".
    """
    return "\n".join(
        f"{number}\n{_span(cue, ',')}\n{_joined(cue).replace('-->', '→')}\n"
        for number, cue in enumerate(cues_of(sentences, names_speakers=True), 1)
    )


def write_vtt(sentences: Iterable[TimedSentence]) -> str:
    """Write WebVTT subtitles, with a voice tag where it is known who speaks.

    https://www.w3.org/TR/webvtt1/
    """
    cues = (f"{_span(cue, '.')}\n{_voiced(cue)}\n" for cue in cues_of(sentences))
    return "\n".join(["WEBVTT\n", *cues])


def write_lrc(sentences: Iterable[TimedSentence]) -> str:
    """Write lyrics: a sentence a line with its time, and the times of words if they are known."""
    lines = (
        f"[{_lrc_time(units[0].start_s)}]{_timed_words(sentence, units)}\n"
        for sentence in sentences
        if (units := _units(sentence, ""))
    )
    return "".join(lines)


# --- words ---


def _units(sentence: TimedSentence, prefix: str) -> list[_Unit]:
    text = _printable(sentence.text)
    if not text:
        return []
    text = prefix + text
    if sentence.start_s is None or sentence.end_s is None:
        raise ValueError(
            f"{sentence.text[:80]!r} has no times, which subtitles need: use a model that tells "
            "them, as qwen-audio-3.1-asr-flash does, or QwenAudioLoader"
        )
    end_s = max(sentence.start_s, sentence.end_s)
    return _timed_units(text, sentence.words) or _estimated_units(text, sentence.start_s, end_s)


def _printable(text: str) -> str:
    """Leave out what ends a cue, or cannot be shown: empty lines and control characters."""
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _timed_units(text: str, words: Sequence[TimedWord]) -> list[_Unit]:
    """Find the words in a text; none if they are not all there, with their times."""
    places: list[tuple[int, float, float]] = []
    at = 0
    for word in words:
        found = text.find(word.text, at)
        if found < 0 or not word.text or word.start_s is None or word.end_s is None:
            return []
        places.append((found if places else 0, word.start_s, word.end_s))
        at = found + len(word.text)
    if not places:
        return []
    stops = [*(place for place, _, _ in places[1:]), len(text)]
    return [
        _Unit(text[place:stop], start_s, end_s)
        for (place, start_s, end_s), stop in zip(places, stops, strict=True)
    ]


def _estimated_units(text: str, start_s: float, end_s: float) -> list[_Unit]:
    """Divide the time of a sentence among its words, by their length."""
    pieces = _pieces(text)
    a_column_s = (end_s - start_s) / (sum(map(columns, pieces)) or 1.0)
    units: list[_Unit] = []
    done = 0.0
    for piece in pieces:
        begin, done = done, done + columns(piece)
        begin_s, done_s = start_s + begin * a_column_s, start_s + done * a_column_s
        units.append(_Unit(piece, begin_s, done_s, is_estimate=True))
    return units


def _pieces(text: str) -> list[str]:
    """Split a text where a line may end: behind words, and within those that no line holds."""
    return [
        piece
        for unit in UNITS.findall(text)
        for piece in (
            [unit] if columns(unit) <= LINE_COLUMNS else split_word(unit, LINE_COLUMNS / 2)
        )
    ]


# --- cues ---


def _groups(units: list[_Unit]) -> Iterator[list[_Unit]]:
    """Group units into cues."""
    group: list[_Unit] = []
    for unit in units:
        while group and not _fits([*group, unit]):
            stop = _break_of(group)
            yield group[:stop]
            group = group[stop:]
        group.append(unit)
        is_end = unit.text.endswith("\n") or _SENTENCE_END.search(unit.text)
        if is_end and unit.end_s - group[0].start_s >= _MIN_CUE_S:
            yield group
            group = []
    if group:
        yield group


def _fits(group: list[_Unit]) -> bool:
    is_short = group[-1].end_s - group[0].start_s <= MAX_CUE_S or group[0].is_estimate
    return is_short and len(_lines("".join(unit.text for unit in group))) <= MAX_LINES


def _break_of(group: list[_Unit]) -> int:
    """Say after how many units a cue ends: with a sentence, or at a comma, of its second half."""
    for mark in (_SENTENCE_END, _PAUSE):
        for stop in range(len(group), len(group) // 2, -1):
            if mark.search(group[stop - 1].text):
                return stop
    return len(group)


def _lines(text: str) -> list[str]:
    """Break a text into lines, two of which are about equally long."""
    whole = " ".join(text.split())
    width = columns(whole)
    if width <= LINE_COLUMNS:
        return [whole]
    for limit in range(int(width / MAX_LINES), int(LINE_COLUMNS)):
        lines = _wrapped(whole, limit)
        if len(lines) <= MAX_LINES:
            return lines
    return _wrapped(whole, LINE_COLUMNS)


def _wrapped(text: str, limit: float) -> list[str]:
    lines = [""]
    for piece in _pieces(text):
        if lines[-1] and columns(lines[-1] + piece) > limit:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


# --- writing ---


def _span(cue: Cue, decimal: str) -> str:
    return f"{timestamp(cue.start_s, decimal)} --> {timestamp(cue.end_s, decimal)}"


def timestamp(seconds: float, decimal: str) -> str:
    """Write a time with hours and milliseconds; none is before the recording."""
    whole, milliseconds = divmod(round(max(0.0, seconds) * 1000), 1000)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest:02}{decimal}{milliseconds:03}"


def _joined(cue: Cue) -> str:
    """Join lines; players take one with two times in it for the beginning of a cue."""
    return "\n".join(_TIME.sub(r"\1\n", line).rstrip() for line in cue.lines)


def _voiced(cue: Cue) -> str:
    text = _escaped(_joined(cue))
    return f"<v {_escaped(cue.label)}>{text}" if cue.label else text


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _lrc_time(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds) * 100), 6000)
    return f"{minutes:02}:{rest // 100:02}.{rest % 100:02}"


def _timed_words(sentence: TimedSentence, units: list[_Unit]) -> str:
    if not sentence.words:
        return " ".join(sentence.text.split())
    return "".join(f"<{_lrc_time(unit.start_s)}>{unit.text}" for unit in units).rstrip()
