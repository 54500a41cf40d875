"""A part of a file → its container, and the track in it that is taken. FFmpeg opens it here.

Demuxers are pinned to an allow-list and nothing but the given bytes can be opened, so that a
playlist or a script dressed as audio can neither read another file nor open a connection.
"""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_qwen_audio._media.container_headers import (
    codec_codes,
    is_pcm_wave,
)
from langchain_qwen_audio._media.unreadable import CodecError, diagnose, no_such
from langchain_qwen_audio._media.work_limits import too_much_memory

if TYPE_CHECKING:
    from collections.abc import Iterator

    import av
    from av.container import InputContainer

    from langchain_qwen_audio._media.file_parts import PartReader

# Containers that hold sound and refer to nothing outside themselves. Playlists and scripts
# (hls, dash, concat, sdp, …) are not here, and so are never opened.
DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,eac3,flac,flv,gsm,iff,loas,matroska,"
    "mov,mp3,mpeg,mpegts,nistsphere,ogg,rm,tta,voc,w64,wav,wv"
)
# FFmpeg looks for other codecs in the first megabytes of PCM, which takes longer than to decode it,
# and reads it in pieces of 1,024 samples; so many bytes of each are enough.
_WAVE_OPTIONS = {"probesize": "16384", "max_size": "16384"}

# FFmpeg decodes these into noise: it takes them for what they are encoded from or named after.
_PROTECTED = {"drms", "enca", "aavd", "drmi"}
ALLOW_TRUNCATED = "allow_truncated=True, or --allow-truncated in the command, takes what"
_NOT_DECODED = {"apac": "Apple Positional Audio"}


class Sound(NamedTuple):
    """An open container, and one of its sound tracks.

    Attributes:
        container: The container.
        format_name: FFmpeg's name of the container's format, with all that it goes by.
        stream: The track.
        track: Its number among the sound tracks, from 0.
        tracks: How many sound tracks there are.
    """

    container: InputContainer
    format_name: str
    stream: av.AudioStream
    track: int
    tracks: int


def _refuse_open(url: str, flags: int, options: dict[str, Any]) -> None:  # noqa: ARG001
    raise CodecError(f"it refers to another file, {url!r}, which is not opened")


@contextlib.contextmanager
def open_sound(
    file: PartReader, track: int | None = None, container: str | None = None
) -> Iterator[Sound]:
    """Open the sound of a file.

    Args:
        file: The file.
        track: Which of its sound tracks; by default one that can be decoded, and of those the
            one that is marked as default.
        container: FFmpeg's name of the container; by default it is found out.

    Raises:
        CodecError: It is not audio, or has no such track.
    """
    import av.error

    is_open = False
    try:
        with _open_container(file, container) as opened:
            number = _choose(opened, track, file)
            streams = opened.streams.audio
            # PyAV calls a format by the name that it was given.
            name = container or opened.format.name
            sound = Sound(opened, name, streams[number], number, len(streams))
            is_open = True
            yield sound
    except MemoryError as error:
        raise CodecError(too_much_memory("decode")) from error
    except (av.error.FFmpegError, ValueError, OSError, LookupError) as error:
        if not is_open and (finding := diagnose(file.again())):
            raise CodecError(finding.text, is_recording=finding.is_recording) from error
        # FFmpeg's text names the file; what is wrong is enough.
        reason = getattr(error, "strerror", None) or error
        if not is_open and getattr(error, "errno", None) == errno.EINVAL:  # it is not in DEMUXERS
            reason = "it is none of the formats that are read here; convert it to WAV first"
        message = f"it cannot be decoded ({reason})"
        if is_open:
            message += f"; {ALLOW_TRUNCATED} can be"
        raise CodecError(message, is_recording=is_open) from error


def _open_container(file: PartReader, container: str | None) -> InputContainer:
    import av
    from av.container import InputContainer

    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
    if is_pcm_wave(file):
        options |= _WAVE_OPTIONS
    # PyAV 19 reads metadata that is not UTF-8 by itself; those before have to be told.
    is_old = hasattr(InputContainer, "metadata_errors")
    lenient: Any = {"metadata_errors": "replace"} if is_old else {}
    file.seek(0)
    opened: InputContainer = av.open(
        file,
        mode="r",
        format=container and container.partition(",")[0],
        io_open=_refuse_open,
        container_options=options,
        **lenient,
    )
    return opened


def _choose(container: InputContainer, track: int | None, file: PartReader) -> int:
    """Choose the number of a sound track, of which there is a decoder."""
    streams = container.streams.audio
    if not streams:
        finding = diagnose(file.again())
        text = finding.text if finding else "there is no sound in it"
        raise CodecError(text, is_recording=False, is_silent=finding is None)
    count = len(streams)
    if track is not None and not 0 <= track < count:
        raise no_such("track", track, count)
    faults = [_fault(stream, number, file) for number, stream in enumerate(streams)]
    if track is None:
        usable = [number for number, fault in enumerate(faults) if not fault] or [0]
        track = min(usable, key=lambda number: not _is_default(streams[number]))
    if faults[track]:
        raise CodecError(faults[track])
    return track


def _is_default(stream: av.AudioStream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.default)


def _tag(context: av.AudioCodecContext) -> str:
    """Read what an MP4 file calls a codec; "" for the numbers that others have in its place."""
    try:
        return context.codec_tag
    except UnicodeDecodeError:
        return ""


def _fault(stream: av.AudioStream, number: int, file: PartReader) -> str:
    """Say why a track cannot be decoded; "" if it can."""
    context = stream.codec_context
    if context is None:
        codes = codec_codes(file.again())
        name = f", {codes[number]}," if number < len(codes) else ""
        return f"there is no decoder for its codec{name} in this build of FFmpeg; convert it first"
    tag = _tag(context)
    if tag in _PROTECTED:
        return (
            f"it is protected by DRM ({tag}), and only the shop's own player can open it; pass a "
            "copy without protection"
        )
    if tag in _NOT_DECODED:
        return f"there is no decoder for its codec, {_NOT_DECODED[tag]} ({tag}); convert it first"
    return ""
