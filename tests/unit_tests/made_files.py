"""Kinds of files that people have and that no other fixture is of: made of the ones in data/audio.

Packets are copied with other timestamps, files are joined, and headers are cut off or changed.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from tests.unit_tests.recordings import encode, read, tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit_tests.recordings import Samples

PAUSE_S = 10.0
DELAY_S = 5.0


def with_times(
    data: bytes, container: str, time_of: Callable[[float, str], float], **options: str
) -> bytes:
    """Copy the packets of a file into another one, with other timestamps.

    Args:
        data: The file.
        container: The format of the other one.
        time_of: Takes a timestamp in seconds and the type of its stream, and gives the new one.
        **options: For the muxer.
    """
    file = io.BytesIO()
    source: Any
    with (
        av.open(io.BytesIO(data)) as source,
        av.open(file, "w", format=container, options=options) as output,
    ):
        streams = {it.index: output.add_stream_from_template(it) for it in source.streams}
        packets = [packet for packet in source.demux() if packet.size and packet.pts is not None]
        for packet in packets:
            time_s = float(packet.pts * packet.time_base)
            moved = round(time_of(time_s, packet.stream.type) / packet.time_base)
            packet.dts = moved - packet.pts + packet.dts
            packet.pts = moved
        for packet in sorted(packets, key=lambda it: it.dts * it.time_base):
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return file.getvalue()


def copied(name: str, container: str) -> bytes:
    """Put the sound of a recording into another container."""
    return with_times(read(name), container, lambda at, _: at)


def with_gap(name: str, container: str, gap_s: float = PAUSE_S, **options: str) -> bytes:
    """Put a gap into the timestamps of a recording, after 0.6 s of it."""
    return with_times(read(name), container, lambda at, _: at + gap_s * (at > 0.6), **options)


def with_late_sound(name: str, container: str) -> bytes:
    """Make the sound of a film start later than its picture."""
    return with_times(read(name), container, lambda at, kind: at + DELAY_S * (kind == "audio"))


def with_tracks(*names: str, container: str = "matroska", default: int | None = None) -> bytes:
    """Put the sound of several files into one, as tracks."""
    file = io.BytesIO()
    sources: list[Any] = [av.open(io.BytesIO(read(name))) for name in names]
    with av.open(file, "w", format=container) as output:
        packets = []
        for number, source in enumerate(sources):
            stream: Any = output.add_stream_from_template(source.streams.audio[0])
            stream.disposition = int(number == default)
            found = [packet for packet in source.demux(audio=0) if packet.size]
            for packet in found:
                packet.stream = stream
            packets += found
        for packet in sorted(packets, key=lambda it: it.dts * it.time_base):
            output.mux(packet)
    return file.getvalue()


def renamed(data: bytes, codec: bytes, count: int = 1) -> bytes:
    """Give the first AAC tracks of an MP4 file another codec's name."""
    return data.replace(b"mp4a", codec, count)


def without_index() -> bytes:
    data = read("speech.m4a")
    return data[: data.index(b"moov") - 4]


def without_decoder() -> bytes:
    """Make a recording in a codec that nobody knows."""
    return renamed(read("speech.m4a"), b"abcd").replace(b"esds", b"free")


def later_chunk() -> bytes:
    data = with_gap("speech.webm", "webm", 60.0)
    clusters = data.split(b"\x1f\x43\xb6\x75")
    return b"\x1f\x43\xb6\x75" + clusters[-1]


def fragmented() -> bytes:
    return with_times(
        read("speech.m4a"), "mp4", lambda at, _: at, movflags="frag_keyframe+empty_moov"
    )


def later_fragment() -> bytes:
    data = fragmented()
    return data[data.index(b"moof") - 4 :]


def xing_mp3(hertz: float = 440.0, rate: int = 16_000) -> bytes:
    return encode(tone(1, rate, hertz), "mp3", "libmp3lame", rate)


def bare_mp3(rate: int = 16_000) -> bytes:
    """Make an MP3 without a header that says how long it is."""
    data = encode(tone(1, rate), "mp3", "libmp3lame", rate)
    return with_times(data, "mp3", lambda at, _: at, write_xing="0", id3v2_version="0")


def id3(size: int = 500) -> bytes:
    return b"ID3\4\0\0" + bytes([0, 0, size >> 7, size & 0x7F]) + bytes(size)


def id3v1() -> bytes:
    return b"TAG" + bytes(125)


def one_after_the_other(channels: int, *, inverse: bool = False) -> bytes:
    """Make a WAV file with one second of sound on each channel, one after the other."""
    samples = np.zeros((16_000 * channels, channels), np.int16)
    for number in range(channels):
        samples[16_000 * number : 16_000 * (number + 1), number] = tone(1)
    return wav(samples, 16_000, channels)


def rf64(samples: Samples, size: int | None = None) -> bytes:
    """Make a WAV file with the sizes in the place where those of large files are."""
    whole, sound = wav(samples), samples.nbytes if size is None else size
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, len(whole) + 28, sound, len(samples), 0)
    unknown = b"\xff" * 4
    return b"RF64" + unknown + b"WAVE" + sizes + whole[12:40] + unknown + whole[44:]


def inverse_stereo(rate: int = 16_000) -> bytes:
    return wav(np.stack([tone(2, rate), -tone(2, rate)], axis=1), rate, 2)


def inverse_flac() -> bytes:
    """Make stereo in planes of 32 bits whose second channel is the inverse of the first."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as output:
        stream: Any = output.add_stream("flac", rate=16_000, layout="stereo")
        samples = np.stack([tone(2), -tone(2)], axis=1).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate = 16_000
        fifo = av.AudioFifo()
        fifo.write(frame)
        for piece in fifo.read_many(stream.codec_context.frame_size, partial=True):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def opus_with_pauses() -> bytes:
    """Make four seconds of Opus in WebM, with a tone from 3 s on; silence is hardly sent (DTX)."""
    samples = tone(4, 48_000)
    samples[: 3 * 48_000] = 0
    return encode(samples, "webm", "libopus", 48_000, dtx="1", application="voip", b="16000")


def mp3_with_cover() -> bytes:
    """Make an MP3 with a picture, which FFmpeg takes for a video track."""
    file = io.BytesIO()
    source: Any
    with av.open(io.BytesIO(xing_mp3())) as source, av.open(file, "w", format="mp3") as output:
        sound = output.add_stream_from_template(source.streams.audio[0])
        cover: Any = output.add_stream("png", rate=1)
        cover.width = cover.height = 16
        cover.pix_fmt = "rgb24"
        picture = av.VideoFrame(16, 16, "rgb24")
        picture.pts = 0
        output.mux([*cover.encode(picture), *cover.encode(None)])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = sound
                output.mux(packet)
    return file.getvalue()


def flac_of_length(samples: Samples, frames: int) -> bytes:
    """Make a FLAC file whose header says another number of samples."""
    data = encode(samples, "flac", "flac")
    return data[:22] + struct.pack(">I", frames) + data[26:]


def sphere(samples: Samples) -> bytes:
    """Make a NIST SPHERE file, as speech corpora have them."""
    fields = (
        f"channel_count -i 1\nsample_count -i {len(samples)}\nsample_rate -i 16000\n"
        "sample_n_bytes -i 2\nsample_byte_format -s2 01\nsample_coding -s3 pcm\nend_head\n"
    )
    return f"NIST_1A\n   1024\n{fields}".ljust(1024).encode() + samples.tobytes()


def dsf(seconds: float) -> bytes:
    """Make a DSF file of 440 Hz, one bit a sample: bits of which most are ones, then zeros."""
    blocks = round(seconds * 2_822_400 / 8 / 4096)
    period = bytes([0xDB]) * 401 + bytes([0x24]) * 401
    data = (period * (blocks * 6))[: 4096 * blocks]
    head = struct.pack("<4sQQQ", b"DSD ", 28, 28 + 52 + 12 + len(data), 0)
    form = struct.pack(
        "<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 1, 1, 2_822_400, 1, blocks * 4096 * 8, 4096, 0
    )
    return head + form + struct.pack("<4sQ", b"data", 12 + len(data)) + data


def iff(samples: Samples) -> bytes:
    """Make an 8SVX file, as Amigas have them."""
    body = (samples >> 8).astype(np.int8).tobytes()
    head = struct.pack(">IIIHBBI", len(body), 0, 0, 16_000, 1, 0, 0x10000)
    chunks = b"8SVXVHDR" + struct.pack(">I", 20) + head + b"BODY" + struct.pack(">I", len(body))
    return b"FORM" + struct.pack(">I", len(chunks) + len(body)) + chunks + body


# --- headers that say another length ---


def patched(data: bytes, at: int, form: str, value: int) -> bytes:
    """Put a number into a file."""
    new = struct.pack(form, value)
    return data[:at] + new + data[at + len(new) :]


def aiff(samples: Samples, *, sound: int | None = None, frames: int | None = None) -> bytes:
    """Make an AIFF file whose header says so many bytes of sound, or so many frames."""
    data = encode(samples, "aiff", "pcm_s16be")
    if sound is not None:
        data = patched(data, data.index(b"SSND") + 4, ">I", sound)
    return data if frames is None else patched(data, data.index(b"COMM") + 10, ">I", frames)


def streamed_aiff(samples: Samples) -> bytes:
    """Make an AIFF file as FFmpeg writes it to a pipe: no length is known when it begins."""
    return patched(aiff(samples, sound=0, frames=0), 4, ">I", 0)


def caf(samples: Samples, size: int) -> bytes:
    data = encode(samples, "caf", "pcm_s16be")
    return patched(data, data.index(b"data") + 4, ">Q", size)


def w64(samples: Samples, size: int) -> bytes:
    data = encode(samples, "w64", "pcm_s16le")
    return patched(data, data.index(b"data\xf3") + 16, "<Q", size)


def au(samples: Samples, size: int) -> bytes:
    return patched(encode(samples, "au", "pcm_s16be"), 8, ">I", size)


def voc(samples: Samples, size: int) -> bytes:
    """Make a VOC file of one block, which says that it is so large."""
    head = b"Creative Voice File\x1a" + struct.pack("<HHH", 26, 0x010A, 0x1129)
    form = struct.pack("<IBBHI", 16_000, 16, 1, 4, 0)
    return head + b"\x09" + size.to_bytes(3, "little") + form + samples.tobytes() + b"\0"


def without_end_flag(data: bytes) -> bytes:
    """Make an Ogg file whose last page does not say that it is the last: a recorder was killed."""
    at = data.rindex(b"OggS")
    page = bytearray(data[at:])
    page[5] &= ~4
    page[22:26] = bytes(4)
    page[22:26] = ogg_checksum(bytes(page)).to_bytes(4, "little")
    return data[:at] + bytes(page)


def ogg_checksum(data: bytes) -> int:
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _CRC[value >> 24 ^ byte]
    return value


def _crc_row(value: int) -> int:
    value <<= 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
    return value


_CRC = [_crc_row(byte) for byte in range(256)]
