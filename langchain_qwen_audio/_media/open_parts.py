"""Parts of a file → each of them open, one after the other; what is wrong names the part."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, TypeVar

from langchain_qwen_audio._media.container import ALLOW_TRUNCATED, Sound, open_sound
from langchain_qwen_audio._media.declared_length import (
    DECLARING,
    declared_length,
    tolerance_s,
)
from langchain_qwen_audio._media.shortages import untimed_shortage
from langchain_qwen_audio._media.timeline import MAX_SILENCE_S, Timeline
from langchain_qwen_audio._media.unreadable import CodecError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_qwen_audio._media.choices import Choices
    from langchain_qwen_audio._media.file_parts import FilePart, PartReader

_T = TypeVar("_T")


class OpenPart(NamedTuple):
    """A part that is open.

    Attributes:
        reader: Its bytes.
        sound: The sound track that is taken.
        declared_s: Seconds, as its headers say; None where they do not.
    """

    reader: PartReader
    sound: Sound
    declared_s: float | None

    def timeline(self, silence_s: float) -> Timeline:
        """Make its timeline; there were `silence_s` seconds of silence in the parts before."""
        stream, start = self.sound.stream, self.sound.container.start_time
        max_silence_s = MAX_SILENCE_S - silence_s
        start_s = 0.0
        if start is not None:
            start_s = start / 1_000_000
        elif stream.start_time is not None and stream.time_base is not None:
            start_s = float(stream.start_time * stream.time_base)
        if self.sound.format_name in DECLARING and self.sound.container.duration:
            length_s = self.sound.container.duration / 1_000_000
            max_silence_s = min(max_silence_s, max(length_s, self.declared_s or 0.0) + 1.0)
        return Timeline(start_s, max_silence_s)

    def require_whole(self, length_s: float, closed_s: float) -> None:
        """Require that the sound is as long as the headers say, but for gaps that were closed.

        Raises:
            CodecError: It is truncated.
        """
        missing, name = "", self.sound.format_name
        expected_s = (self.declared_s or 0.0) - closed_s
        if expected_s - length_s > tolerance_s(expected_s, name):
            missing = f"its header says {expected_s:.2f} s, and only {length_s:.2f} s are there"
        if missing := missing or untimed_shortage(self.reader.again(), name):
            raise CodecError(f"it is truncated: {missing}; {ALLOW_TRUNCATED} is there")


@contextlib.contextmanager
def open_part(
    file: BinaryIO,
    parts: Sequence[FilePart],
    number: int,
    container: str | None,
    choices: Choices,
) -> Iterator[OpenPart | None]:
    """Open one of the parts of a file.

    Args:
        file: The file.
        parts: All its parts.
        number: Which of them, from 0.
        container: FFmpeg's name of the container of parts that do not say another one.
        choices: What of the recording is taken.

    Yields:
        The part; None if it is truncated before its sound, and may be.

    Raises:
        CodecError: It is not audio, or has no such track, or it cannot be decoded.
    """
    part = parts[number]
    reader = part.open(file)
    # FFmpeg does not tell what a very short file is, but a later one is as the first.
    name = part.container or container if len(parts) > 1 else None
    with _named(parts, number), contextlib.ExitStack() as stack:
        try:
            sound = stack.enter_context(open_sound(reader, choices.track, name))
        except CodecError:
            if not number or not choices.allow_truncated:
                raise
            sound = None
        yield sound and OpenPart(reader, sound, declared_length(reader.again(), sound))


def up_to_failure(items: Iterator[_T], choices: Choices) -> Iterator[_T]:
    """Yield what FFmpeg reads; of a truncated recording that is taken, up to where it gives up."""
    from av.error import FFmpegError

    try:
        yield from items
    except FFmpegError as error:
        if not choices.allow_truncated or isinstance(error, MemoryError):
            raise


@contextlib.contextmanager
def _named(parts: Sequence[FilePart], number: int) -> Iterator[None]:
    """Say in an error which part it is about, if there are several."""
    try:
        yield
    except CodecError as error:
        if len(parts) == 1:
            raise
        part = parts[number]
        format_ = part.container.partition(",")[0]
        place = f" ({format_}, from byte {part.ranges[0][0]:,} on)" if format_ else ""
        text = f"part {number + 1} of {len(parts)}{place}: {error}"
        raise CodecError(text, **vars(error)) from error
