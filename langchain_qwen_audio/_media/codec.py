"""Bytes → what they are and how they sound: everything that touches PyAV.

Demuxers are pinned to an allow-list and nothing but the given bytes can be opened, so that a
playlist or a script dressed as audio can neither read another file nor open a connection.
"""

from __future__ import annotations

import contextlib
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_qwen_audio._media import amr_frames
from langchain_qwen_audio._media.container_headers import (
    PastTags,
    absurd_claim,
    has_xing_header,
    is_pcm_wave,
    promised,
)
from langchain_qwen_audio._media.samples import SAMPLE_BYTES, SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import av
    from av.audio.resampler import AudioResampler
    from av.container import InputContainer

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000
MAX_CHANNELS = 24  # FFmpeg cannot mix more into one
# Decoding is hundreds of times faster than sound. So many seconds of work are always allowed,
# and more for long recordings that are at least so many times faster.
MAX_DECODE_S, MIN_SPEED = 60.0, 50.0

# Kinds of samples, by their letter in Python's buffer protocol, and FFmpeg's names of them.
SAMPLE_FORMATS = {"h": "s16", "f": "flt", "d": "dbl"}

# Containers that hold sound and refer to nothing outside themselves. Playlists and scripts
# (hls, dash, concat, sdp, …) are not here, and so are never opened.
DEMUXERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,eac3,flac,flv,gsm,loas,matroska,mov,mp3,"
    "mpeg,mpegts,ogg,tta,voc,w64,wav,wv"
)

# Containers whose headers say how long the sound is.
_DECLARING = {
    "aiff",
    "au",
    "caf",
    "flac",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "w64",
    "wav",
}
# FFmpeg looks for other codecs in the first megabytes of PCM, which takes longer than to decode it,
# and reads it in pieces of 1,024 samples; so many bytes of each are enough.
_WAVE_OPTIONS = {"probesize": "16384", "max_size": "16384"}


class CodecError(Exception):
    """The bytes are not usable audio; the message says why, in words that can follow a colon."""


@dataclass(frozen=True)
class Probe:
    """What a clip is, as its bytes say.

    Attributes:
        container: FFmpeg's name of the container (`wav`, `mp3`, `mov,mp4,m4a,3gp,3g2,mj2`).
        codec: FFmpeg's name of the codec (`pcm_s16le`, `opus`).
        sample_rate: Samples per second and channel.
        channels: Number of channels.
        declared_s: Seconds, as the headers declare; None where they do not.
        brand: The MP4 family's own name of the file's kind (`3gp4`, `M4A `), or "".
    """

    container: str
    codec: str
    sample_rate: int
    channels: int
    declared_s: float | None
    brand: str = ""


def _refuse_open(url: str, flags: int, options: dict[str, Any]) -> None:  # noqa: ARG001
    raise CodecError(f"it refers to another file, {url!r}, which is not opened")


@contextlib.contextmanager
def _open(file: BinaryIO) -> Iterator[tuple[InputContainer, av.AudioStream]]:
    """Open the sound of a clip, whatever the container."""
    import av
    import av.error
    from av.container import InputContainer

    if claim := absurd_claim(file):
        raise CodecError(f"it claims {claim}")
    options = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
    if is_pcm_wave(file):
        options |= _WAVE_OPTIONS
    # PyAV 19 reads metadata that is not UTF-8 by itself; those before have to be told.
    is_old = hasattr(InputContainer, "metadata_errors")
    lenient: Any = {"metadata_errors": "replace"} if is_old else {}
    try:
        with av.open(
            PastTags(file),
            mode="r",
            io_open=_refuse_open,
            container_options=options,
            **lenient,
        ) as container:
            if not container.streams.audio:
                raise CodecError("there is no sound in it")
            if container.streams.audio[0].codec_context is None:
                raise CodecError("its codec is not known")
            yield container, container.streams.audio[0]
    except (av.error.FFmpegError, ValueError, OSError, LookupError) as error:
        # FFmpeg's text names the file; what is wrong is enough.
        reason = getattr(error, "strerror", None) or error
        raise CodecError(f"it cannot be decoded ({reason})") from error


def _require_sane(sample_rate: int, channels: int) -> None:
    if MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE and 1 <= channels <= MAX_CHANNELS:
        return
    raise CodecError(
        f"it says {sample_rate} Hz and {channels} channels; {MIN_SAMPLE_RATE} to "
        f"{MAX_SAMPLE_RATE} Hz and at most {MAX_CHANNELS} channels are taken"
    )


def probe(file: BinaryIO) -> Probe:
    """Read what a clip is from its headers; nothing is decoded.

    Raises:
        CodecError: It is not audio, or its headers are absurd.
    """
    with _open(file) as (container, stream):
        _require_sane(stream.sample_rate, stream.channels)
        name = container.format.name
        return Probe(
            container=name,
            codec=stream.codec_context.codec.canonical_name,
            sample_rate=stream.sample_rate,
            channels=stream.channels,
            declared_s=_declared_s(file, container, stream),
            brand=container.metadata.get("major_brand", ""),
        )


def _declared_s(file: BinaryIO, container: InputContainer, stream: av.AudioStream) -> float | None:
    """Read how long the headers say it is, where they do; elsewhere FFmpeg only guesses."""
    name = container.format.name
    if name not in _DECLARING and not (name == "mp3" and has_xing_header(file)):
        return None
    if stream.duration is not None and stream.time_base is not None:
        declared_s = float(stream.duration * stream.time_base)
    elif container.duration and not container.streams.video:  # which may go on for longer
        declared_s = container.duration / 1_000_000
    else:
        return None
    # FFmpeg shortens the length of some to what the file holds.
    return declared_s * promised(file, name)


def decode(file: BinaryIO, *, sample_rate: int = SAMPLE_RATE) -> Iterator[bytes]:
    """Yield a clip's sound as mono, signed 16-bit, native-endian samples at `sample_rate` hertz.

    Memory is bounded by one packet, however long the clip.

    Raises:
        CodecError: It cannot be decoded, or takes too much work: more than `MAX_DECODE_S` seconds,
            and a second for each `MIN_SPEED` seconds of sound.
    """
    worked_s, size = 0.0, 0
    began = time.monotonic()
    with contextlib.closing(_decode(file, sample_rate)) as blocks:
        for block in blocks:
            worked_s += time.monotonic() - began
            size += len(block)
            if worked_s > MAX_DECODE_S + size / SAMPLE_BYTES / sample_rate / MIN_SPEED:
                raise CodecError(f"decoding it took more than {worked_s:.0f} s")
            yield block
            began = time.monotonic()  # what became of it took its own time


def _decode(file: BinaryIO, sample_rate: int) -> Generator[bytes]:
    from av.audio.resampler import AudioResampler

    resampler: AudioResampler | None = None
    shape = None
    with _open(file) as (container, stream):
        for frame in _frames(container, stream):
            frame.pts = None  # timestamps of real files jump; samples are what counts
            now = (frame.format.name, frame.layout.name, frame.sample_rate)
            if now != shape:  # some streams change in the middle
                _require_sane(frame.sample_rate, frame.layout.nb_channels)
                yield from _resample(resampler, None)
                resampler = AudioResampler(format="s16", layout="mono", rate=sample_rate)
                shape = now
            yield from _resample(resampler, frame)
        yield from _resample(resampler, None)


def _frames(container: InputContainer, stream: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decode packet by packet; a damaged one is left out, as every player does."""
    from av.error import EOFError as EndOfStream
    from av.error import InvalidDataError

    context = stream.codec_context
    if context.codec.canonical_name in amr_frames.CODECS:
        context.layout = "mono"  # whatever the container says
    packets = damaged = 0
    for packet in _packets(container, stream):
        packets += 1
        try:
            yield from [_pause(context)] if packet is None else context.decode(packet)
        except InvalidDataError:
            damaged += 1
        except EndOfStream:
            break
    if damaged > 1 + packets // 20:
        raise CodecError(f"{damaged} of its {packets} packets are damaged")


def _packets(container: InputContainer, stream: av.AudioStream) -> Iterator[av.Packet[Any] | None]:
    """Yield what is to be decoded; of AMR, frame by frame, and None for a pause."""
    import av

    codec = stream.codec_context.codec.canonical_name
    for packet in container.demux(stream):
        if packet.size and codec in amr_frames.CODECS:
            for frame in amr_frames.split_frames(bytes(packet), codec):
                yield None if frame is None else av.Packet(frame)
        else:
            yield packet


def _pause(context: av.AudioCodecContext) -> av.AudioFrame:
    """Make the silence of an AMR frame without speech."""
    import av

    samples = context.sample_rate // amr_frames.FRAMES_PER_S
    frame = av.AudioFrame(context.format.name, "mono", samples)
    frame.sample_rate = context.sample_rate
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    return frame


def _resample(resampler: AudioResampler | None, frame: av.AudioFrame | None) -> Iterator[bytes]:
    """Yield the samples of a frame, or, with None, those that were held back."""
    for mono in resampler.resample(frame) if resampler else ():
        yield _samples(mono)


def _samples(frame: av.AudioFrame) -> bytes:
    return bytes(memoryview(frame.planes[0])[: frame.samples * SAMPLE_BYTES])


def to_s16(samples: bytes, kind: str) -> bytes:
    """Make signed 16-bit samples of others, whose kind is one of `SAMPLE_FORMATS`."""
    if kind == "h":
        return samples
    from av.audio.resampler import AudioResampler

    # Samples are scaled one by one, so that channels do not matter here.
    frame = make_frame(samples, kind, SAMPLE_RATE)
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    return b"".join([*_resample(resampler, frame), *_resample(resampler, None)])


def make_frame(samples: bytes, kind: str, sample_rate: int) -> av.AudioFrame:
    """Make a mono frame of samples whose kind is one of `SAMPLE_FORMATS`."""
    import av

    frame = av.AudioFrame(SAMPLE_FORMATS[kind], "mono", len(samples) // struct.calcsize(kind))
    frame.sample_rate = sample_rate
    frame.planes[0].update(samples + bytes(frame.planes[0].buffer_size - len(samples)))
    return frame
