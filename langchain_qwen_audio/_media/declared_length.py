"""A recording's headers → how long they say that it is, and how far that can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._media.container import open_sound
from langchain_qwen_audio._media.container_headers import has_xing_header, is_large_wave
from langchain_qwen_audio._media.file_parts import whole_file
from langchain_qwen_audio._media.sound_sizes import promised
from langchain_qwen_audio._media.timeline import MAX_SILENCE_S, TOLERANCE_S

if TYPE_CHECKING:
    from langchain_qwen_audio._media.container import Sound
    from langchain_qwen_audio._media.file_parts import PartReader

# Containers whose headers say how long the sound is.
DECLARING = {
    "aiff",
    "ape",
    "au",
    "caf",
    "flac",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "nistsphere",
    "tta",
    "w64",
    "wav",
    "wv",
}
# Containers with timestamps of their own; of others FFmpeg counts samples, or guesses.
TIMED = {
    "asf",
    "avi",
    "flv",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "mpeg",
    "mpegts",
    "ogg",
}
# FFmpeg shortens the length of these to what the file holds.
_SHORTENED = {"caf", "w64", "wav"}
# Headers and sound of honest files differ by less than this, or by this part of the length; in
# Matroska and WebM by more, since a pause at the end may have no packets.
_DIFFERENCE_S, _DIFFERENCE = 0.25, 0.02
_PAUSE_S = {"matroska,webm": 0.5}
# Containers that say how long they are in a place of its own, which packets may contradict.
CONTRADICTED = {"aiff", "flac", "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "nistsphere"}


def tolerance_s(declared_s: float, container: str) -> float:
    """Say by how many seconds the header and the sound of an honest file may differ."""
    return max(_PAUSE_S.get(container, _DIFFERENCE_S), _DIFFERENCE * declared_s)


def declared_length(part: PartReader, sound: Sound) -> float | None:
    """Read how long the headers say it is, where they do; elsewhere FFmpeg only guesses."""
    container, stream = sound.container, sound.stream
    name = sound.format_name
    if name not in DECLARING and not (name == "mp3" and has_xing_header(part)):
        return None
    if stream.duration is not None and stream.time_base is not None:
        declared_s = float(stream.duration * stream.time_base)
        if name in TIMED:
            declared_s += _late_s(sound)
    elif container.duration and len(container.streams) == 1:  # others may go on for longer
        declared_s = container.duration / 1_000_000
    else:
        return None
    is_shortened = name in _SHORTENED and not is_large_wave(part)
    return declared_s * promised(part, name) if is_shortened else declared_s


def _late_s(sound: Sound) -> float:
    """Tell how much later than the recording its sound starts, in seconds."""
    stream, start = sound.stream, sound.container.start_time
    if stream.start_time is None or stream.time_base is None or start is None:
        return 0.0
    late_s = float(stream.start_time * stream.time_base) - start / 1_000_000
    return late_s if TOLERANCE_S < late_s < MAX_SILENCE_S else 0.0


def confirmed_length(
    file: BinaryIO, declared_s: float, container: str, track: int | None = None
) -> float | None:
    """Compare what the headers say with the packets, of which there may be more.

    Args:
        file: The file.
        declared_s: Seconds, as its headers say.
        container: FFmpeg's name of the container, one of `CONTRADICTED`.
        track: The sound track; by default the default one.

    Returns:
        What the headers say; None if there is more than that.

    Raises:
        CodecError: It is not audio, or has no such track.
    """
    with open_sound(whole_file(file).open(file), track) as sound:
        there_s = _length_of_packets(sound)
    return declared_s if there_s <= declared_s + tolerance_s(declared_s, container) else None


def _length_of_packets(sound: Sound) -> float:
    first: int | None = None
    end = total = 0
    for packet in sound.container.demux(sound.stream):
        start, length = packet.pts, packet.duration or 0
        total += length
        if start is not None:
            first = start if first is None else first
            end = max(end, start + length)
    return float(sound.stream.time_base or 0) * max(end - (first or 0), total)
