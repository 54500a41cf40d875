"""AMR of any encoder: what is no speech in it, and what FFmpeg's own decoders refuse."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.amr_frames import split_frames
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.local._audio_input import decode_samples
from langchain_qwen_audio.local._refusal import Refusal
from tests.unit_tests.recordings import read

if TYPE_CHECKING:
    from collections.abc import Callable

NARROW, WIDE = "amr_nb", "amr_wb"
FRAME_S = 0.02


def speech(codec: str) -> tuple[bytes, list[bytes]]:
    """Read the header and the frames, 0.02 s each, of a recording without pauses."""
    name, size = {NARROW: ("pyav.amr", 13), WIDE: ("wide.amr", 18)}[codec]
    head, line, body = read(name).partition(b"\n")
    return head + line, [body[start : start + size] for start in range(0, len(body), size)]


def frame(kind: int, size: int, quality: int = 1) -> bytes:
    return bytes([kind << 3 | quality << 2]).ljust(size, b"\0")


def pack(packets: list[bytes], container: str) -> bytes:
    """Put packets of several frames into a container, as some telephones do."""
    file = io.BytesIO()
    with (
        av.open(io.BytesIO(read("speech.3gp"))) as telephone,
        av.open(file, "w", format=container) as output,
    ):
        stream = output.add_stream_from_template(telephone.streams.audio[0])
        position = 0
        for data in packets:
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, 8_000)
            packet.pts = packet.dts = position
            packet.duration = 160 * sum(1 for _ in split_frames(data, NARROW))
            position += packet.duration
            output.mux(packet)
    return file.getvalue()


def by_the_package(data: bytes) -> np.ndarray:
    return np.frombuffer(b"".join(Audio.from_bytes(data).decode(16_000)), np.int16)


def by_the_server(data: bytes) -> np.ndarray:
    return (decode_samples(data) * 32768).astype(np.int16)


decoders = pytest.mark.parametrize("decode", [by_the_package, by_the_server])

PAUSES = {
    "narrow, comfort noise": (NARROW, frame(8, 6)),
    "narrow, no data": (NARROW, frame(15, 1)),
    "narrow, no data of bad quality": (NARROW, frame(15, 1, quality=0)),
    "wide, comfort noise": (WIDE, frame(9, 6)),
    "wide, speech lost": (WIDE, frame(14, 1)),
    "wide, no data": (WIDE, frame(15, 1)),
}


@decoders
@pytest.mark.parametrize("before", [0, 20])
def test_a_pause_is_silence_as_long_as_it_is(
    decode: Callable[[bytes], np.ndarray], before: int, subtests: pytest.Subtests
) -> None:
    for name, (codec, pause) in PAUSES.items():
        head, frames = speech(codec)
        whole = decode(head + b"".join(frames))
        decoded = decode(head + b"".join([*frames[:before], *[pause] * 10, *frames[before:]]))
        start = round(before * FRAME_S * 16_000)
        with subtests.test(name):
            length_s = (len(frames) + 10) * FRAME_S
            assert len(decoded) / 16_000 == pytest.approx(length_s, abs=0.002)
            assert not decoded[start + 160 : start + 3_000].any()  # resampling smears the edges
            assert np.abs(decoded[start + 3_200 :]).max() > 3_000
            assert np.abs(decoded[: start - 160]).sum() == np.abs(whole[: start - 160]).sum()


@decoders
def test_what_a_real_encoder_writes_of_a_silent_end_is_silence(
    decode: Callable[[bytes], np.ndarray],
) -> None:
    decoded = decode(read("sox.amr"))
    assert len(decoded) / 16_000 == pytest.approx(1.76, abs=0.002)
    assert np.abs(decoded[:16_000]).max() > 3_000
    assert not decoded[-6_000:].any()


@decoders
@pytest.mark.parametrize("codec", [NARROW, WIDE])
def test_frames_without_the_quality_bit_are_speech_all_the_same(
    decode: Callable[[bytes], np.ndarray], codec: str
) -> None:
    head, frames = speech(codec)
    unmarked = [bytes([it[0] & ~4]) + it[1:] for it in frames]
    np.testing.assert_array_equal(
        decode(head + b"".join(unmarked)), decode(head + b"".join(frames))
    )


@decoders
@pytest.mark.parametrize("container", ["caf", "wav"])
def test_packets_of_several_frames_lose_none(
    decode: Callable[[bytes], np.ndarray], container: str
) -> None:
    _, frames = speech(NARROW)
    frames[7:7] = [frame(8, 6), frame(15, 1), frame(15, 1)]
    for frames_per_packet in (1, 5, 10):
        starts = range(0, len(frames), frames_per_packet)
        packets = [b"".join(frames[start : start + frames_per_packet]) for start in starts]
        decoded = decode(pack(packets, container))
        length_s = len(frames) * FRAME_S
        assert len(decoded) / 16_000 == pytest.approx(length_s, abs=0.002), frames_per_packet


@pytest.mark.parametrize(
    ("codec", "kinds"), [(NARROW, range(9, 15)), (WIDE, range(10, 14))], ids=[NARROW, WIDE]
)
def test_frames_of_reserved_types_are_damage(codec: str, kinds: range) -> None:
    head, frames = speech(codec)
    for kind in kinds:
        data = head + b"".join([*frames[:20], *[frame(kind, 1)] * 20, *frames[20:]])
        with pytest.raises(AudioError, match="damaged"):
            list(Audio.from_bytes(data).decode(16_000))
        with pytest.raises(Refusal, match="illegal"):
            decode_samples(data)


SPEECH_BYTES = {
    NARROW: [13, 14, 16, 18, 20, 21, 27, 32],
    WIDE: [18, 24, 33, 37, 41, 47, 51, 59, 61],
}


@pytest.mark.parametrize("codec", [NARROW, WIDE])
def test_frames_of_every_rate_are_told_apart(codec: str) -> None:
    frames = [frame(kind, size) for kind, size in enumerate(SPEECH_BYTES[codec])]
    assert list(split_frames(b"".join(frames), codec)) == frames


PACKETS: dict[str, tuple[bytes, list[bytes | None]]] = {
    "nothing": (b"", []),
    "cut short": (frame(0, 13)[:5], [frame(0, 5)]),
    "pauses": (frame(8, 6) + frame(15, 1) + frame(0, 13), [None, None, frame(0, 13)]),
    "a pause cut short": (frame(8, 6)[:2], [None]),
    "a reserved type": (frame(12, 1) + frame(0, 13), [frame(12, 1) + frame(0, 13)]),
    "bad quality": (frame(0, 13, quality=0), [frame(0, 13)]),
}


def test_a_packet_falls_into_frames() -> None:
    for name, (packet, frames) in PACKETS.items():
        assert list(split_frames(packet, NARROW)) == frames, name
