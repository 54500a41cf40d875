"""Every recording that people really have: how long it is, when there is sound, how loud it is.

docs/formats.md says the same for users.
"""

from __future__ import annotations

import functools
import gzip
import io
import tracemalloc
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pybase64
import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._models.profiles import QWEN_AUDIO
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio._transcription.segments import split_recording
from langchain_qwen_audio.errors import AudioError, ContextOverflowError
from tests.unit_tests import made_files as made
from tests.unit_tests._media.lying_files import page
from tests.unit_tests.recordings import DATA, SPEECH_S, decode_all, encode, read, tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

LOUD, QUIET = 3_000, 30  # of 32,768
RATE = 16_000


@dataclass(frozen=True)
class Kind:
    """A kind of file, and what is right.

    Attributes:
        make: Makes one.
        seconds: How long it is.
        loud: Stretches with sound in them, in seconds.
        silent: Stretches without.
        passes: Whether others decode it into the same.
        options: What of it is taken.
    """

    make: Callable[[], bytes]
    seconds: float
    loud: list[tuple[float, float]] = field(default_factory=list)
    silent: list[tuple[float, float]] = field(default_factory=list)
    passes: bool = False
    options: dict[str, Any] = field(default_factory=dict)


def gap(name: str, container: str, **options: str) -> Kind:
    return Kind(
        lambda: made.with_gap(name, container, made.PAUSE_S, **options),
        SPEECH_S + made.PAUSE_S,
        loud=[(0, 0.5), (10.6, 11.1)],
        silent=[(0.8, 10.5)],
    )


def late(name: str, container: str) -> Kind:
    return Kind(
        lambda: made.with_late_sound(name, container),
        SPEECH_S + made.DELAY_S,
        loud=[(5.0, 5.5), (5.6, 6.1)],
        silent=[(0, 4.9)],
    )


def joined(make: Callable[[], bytes], *lengths: float, passes: bool = False) -> Kind:
    """Make a kind of which each part begins with sound, and the last ends with some."""
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    loud = [(start + 0.05, start + 0.25) for start in starts]
    loud.append((sum(lengths) - 0.2, sum(lengths) - 0.05))
    return Kind(make, sum(lengths), loud, passes=passes)


TIMES = {
    "WebM, a gap": gap("speech.webm", "webm"),
    "WebM without a length, a gap": gap("speech.webm", "webm", live="1"),
    "MP4, a gap": gap("speech.m4a", "mp4"),
    "Matroska, a gap": gap("speech.m4a", "matroska"),
    "Ogg, a gap": gap("opus.ogg", "ogg", page_duration="200000"),
    "MPEG-TS, a gap": gap("speech.m4a", "mpegts"),
    "FLV, a gap": gap("speech.m4a", "flv"),
    "WMA, a gap": gap("speech.wma", "asf"),
    "3GP with AMR, a gap": gap("speech.3gp", "3gp"),
    "Matroska, late sound": late("video.mkv", "matroska"),
    "MP4, late sound": late("video.mp4", "mp4"),
    "MPEG-TS, late sound": late("video.ts", "mpegts"),
    "WebM, twice, a gap in each": Kind(
        lambda: made.with_gap("speech.webm", "webm", live="1") * 2,
        2 * (SPEECH_S + made.PAUSE_S),
        loud=[(0, 0.5), (10.6, 11.1), (11.2, 11.6), (21.8, 22.2)],
        silent=[(0.8, 10.5), (12, 21.6)],
    ),
    "MP4, twice, a gap in each": Kind(
        lambda: made.with_gap("speech.m4a", "mp4") * 2,
        2 * (SPEECH_S + made.PAUSE_S),
        loud=[(0, 0.5), (10.6, 11.1), (11.2, 11.6), (21.8, 22.2)],
        silent=[(0.8, 10.5), (12, 21.6)],
    ),
    "MPEG-TS, timestamps begin again": joined(
        lambda: read("video.ts") * 2, 1.17, 1.17, passes=True
    ),
}

SECOND, PIECE = 1.0, 0.25
JOINED = {
    "MP3, two": joined(lambda: made.xing_mp3() + made.xing_mp3(880), 1, 1),
    "MP3, two rates": joined(lambda: made.xing_mp3() + made.xing_mp3(880, 24_000), 1, 1),
    "MP3, the second has no header": joined(lambda: made.xing_mp3() + made.bare_mp3(), 1, 1.08),
    "MP3, three rates, no headers": joined(
        lambda: made.bare_mp3() + made.bare_mp3(24_000) + made.bare_mp3(44_100), 1.08, 1.05, 1.05
    ),
    "MP3, with tags before and after": joined(
        lambda: (made.id3() + made.xing_mp3() + made.id3v1()) * 3, 1, 1, 1
    ),
    "WAV, a header each": joined(lambda: wav(tone(1)) * 3, 1, 1, 1),
    "WAV, the first one's header": joined(lambda: wav(tone(1)) + tone(2).tobytes(), 1, 1, 1),
    "WAV, two rates": joined(lambda: wav(tone(1)) + wav(tone(1, 8_000), 8_000), 1, 1),
    "WAV, two numbers of channels": joined(
        lambda: wav(tone(1)) + wav(np.repeat(tone(1), 2), channels=2), 1, 1
    ),
    "WAV, from pipes": joined(lambda: read("piped.wav") * 3, PIECE, PIECE, PIECE),
    "WAV, then other chunks": joined(lambda: wav(tone(1)) + b"LIST\4\0\0\0INFO", 1, passes=True),
    "Ogg, two codecs": joined(lambda: read("vorbis.ogg") + read("opus.ogg"), SPEECH_S, SPEECH_S),
    "Ogg, twice the same": joined(lambda: read("vorbis.ogg") * 2, SPEECH_S, SPEECH_S),
    "Ogg, two tracks in each": joined(
        lambda: made.with_tracks("vorbis.ogg", "opus.ogg", container="ogg") * 2, SPEECH_S, SPEECH_S
    ),
    "ADTS, two rates": joined(
        lambda: read("speech.aac") + encode(tone(1), "adts", "aac"), 1.173, 1.088
    ),
    "FLAC, two rates": joined(
        lambda: read("speech.flac") + encode(tone(1, 24_000), "flac", "flac", 24_000), SPEECH_S, 1
    ),
    "M4A": joined(lambda: read("speech.m4a") + read("alac.m4a"), SPEECH_S, SPEECH_S),
    "WebM": joined(lambda: read("live.webm") + read("speech.webm"), 1.153, 1.153),
    "AMR": joined(lambda: read("pyav.amr") * 2, 1.16, 1.16),
    "AIFF": joined(lambda: read("speech.aiff") * 2, PIECE, PIECE),
    "AU": joined(lambda: read("speech.au") * 2, PIECE, PIECE),
    "CAF": joined(lambda: read("speech.caf") * 2, PIECE, PIECE),
    "W64": joined(lambda: read("speech.w64") * 2, PIECE, PIECE),
    "WAV, no lengths": joined(
        lambda: wav(tone(1)).replace(b"data\0\x7d\0\0", b"data\0\0\0\0") * 2, 1, 1
    ),
    "WAV, the first one's header, a pause": joined(
        lambda: wav(tone(1)) + bytes(32_000) + tone(1).tobytes(), 2, 1
    ),
    "WAV, larger than 4 GiB might be": joined(lambda: made.rf64(tone(1)) * 2, 1, 1),
    "WAV, an ID3 tag at its end": joined(lambda: wav(tone(1)) + made.id3(9_000), 1, passes=True),
    "WavPack, twice": joined(lambda: encode(tone(1), "wv", "wavpack") * 2, 1, 1),
    "TTA, twice": joined(lambda: encode(tone(1), "tta", "tta") * 2, 1, 1),
    "VOC, twice": joined(lambda: encode(tone(1), "voc", "pcm_s16le") * 2, 1, 1),
    "NIST SPHERE, twice": joined(lambda: made.sphere(tone(1)) * 2, 1, 1),
    "8SVX, twice": joined(lambda: made.iff(tone(1)) * 2, 1, 1),
    "AVI": joined(lambda: read("video.avi") * 2, 1.224, 1.224),
    "WMA": joined(lambda: read("speech.wma") * 2, 1.114, 1.114),
}

FORMATS = {
    "MP3, WAV": joined(lambda: made.xing_mp3() + wav(tone(1)), 1, 1),
    "WAV, MP3": joined(lambda: wav(tone(1)) + made.xing_mp3(), 1, 1),
    "WAV, MP3 without a tag": joined(lambda: wav(tone(1)) + made.bare_mp3(), 1, 1.08),
    "WAV from a pipe, MP3": joined(lambda: read("piped.wav") + made.xing_mp3(), PIECE, 1),
    "MP3, WAV, MP3, WAV": joined(lambda: (made.xing_mp3() + wav(tone(1))) * 2, 1, 1, 1, 1),
    "Ogg, FLAC": joined(lambda: read("opus.ogg") + read("speech.flac"), SPEECH_S, SPEECH_S),
    "Ogg with FLAC, MP3": joined(
        lambda: made.copied("speech.flac", "ogg") + made.bare_mp3(), SPEECH_S, 1.08
    ),
    "FLAC, MP3, FLAC, MP3, no tags": joined(
        lambda: (read("speech.flac") + made.bare_mp3()) * 2, SPEECH_S, 1.08, SPEECH_S, 1.08
    ),
    "WAV, Matroska with FLAC, FLAC": joined(
        lambda: wav(tone(1)) + made.copied("speech.flac", "matroska") + read("speech.flac"),
        1,
        SPEECH_S,
        SPEECH_S,
    ),
    "M4A, AAC": joined(lambda: read("alac.m4a") + read("speech.aac"), SPEECH_S, 1.173),
    "AAC, M4A": joined(lambda: read("speech.aac") + read("alac.m4a"), 1.173, SPEECH_S),
    "WebM, AMR": joined(lambda: read("live.webm") + read("pyav.amr"), 1.153, 1.16),
    "AMR, WebM": joined(lambda: read("pyav.amr") + read("speech.webm"), 1.16, 1.153),
    "AIFF, 8SVX": joined(lambda: made.aiff(tone(1)) + made.iff(tone(1)), 1, 1),
    "CAF, padding, AIFF": joined(
        lambda: read("speech.caf") + bytes(100) + read("speech.aiff"), PIECE, PIECE
    ),
    "VOC, AU": joined(lambda: encode(tone(1), "voc", "pcm_s16le") + read("speech.au"), 1, PIECE),
    "WMA, MP3": joined(lambda: read("speech.wma") + made.xing_mp3(), 1.114, 1),
}

UNKNOWN = 2**64 - 1
LENGTHS = {
    "AIFF, as streamed": joined(lambda: made.streamed_aiff(tone(1)), 1),
    "AIFF, as SoX streams it": joined(
        lambda: made.aiff(tone(1), sound=0x7F00_0008, frames=0x3F80_0000), 1
    ),
    "AIFF, half is declared": joined(lambda: made.aiff(tone(1), sound=16_008, frames=8_000), 1),
    "AIFF, fewer frames": joined(lambda: made.aiff(tone(1), frames=1_600), 1, passes=True),
    "AIFF, the first one's header": joined(
        lambda: made.aiff(tone(1)) + tone(1).byteswap().tobytes(), 1, 1
    ),
    "AIFF, as streamed, twice": joined(lambda: made.streamed_aiff(tone(1)) * 2, 1, 1),
    "AIFF, then other chunks": joined(
        lambda: made.aiff(tone(1)) + b"NAME\0\0\x20\0" + b"a" * 8_192, 1, passes=True
    ),
    "CAF, to the end": joined(lambda: made.caf(tone(1), UNKNOWN), 1),
    "CAF, nothing is declared": joined(lambda: made.caf(tone(1), 0), 1),
    "CAF, half is declared": joined(lambda: made.caf(tone(1), 16_004), 1),
    "CAF, padding": joined(lambda: made.caf(tone(1), 32_004) + bytes(9_000), 1),
    "W64, nothing is declared": joined(lambda: made.w64(tone(1), 0), 1),
    "W64, unknown": joined(lambda: made.w64(tone(1), UNKNOWN), 1),
    "W64, as streamed": joined(
        lambda: made.patched(made.w64(tone(1), 2**63 - 1), 16, "<Q", 2**63 - 1), 1
    ),
    "W64, half is declared": joined(lambda: made.w64(tone(1), 16_024), 1),
    "W64, no size of the whole": joined(
        lambda: made.patched(made.w64(tone(1), 32_024), 16, "<Q", 0), 1
    ),
    "W64, padding": joined(lambda: made.w64(tone(1), 32_024) + bytes(9_000), 1),
    "AU, unknown": joined(lambda: made.au(tone(1), 0xFFFF_FFFF), 1, passes=True),
    "AU, nothing is declared": joined(lambda: made.au(tone(1), 0), 1),
    "AU, as much as can be": joined(lambda: made.au(tone(1), 0x7FFF_FFFF), 1),
    "AU, half is declared": joined(lambda: made.au(tone(1), 16_000), 1),
    "AU, an ID3 tag at its end": joined(lambda: made.au(tone(1), 32_000) + made.id3(9_000), 1),
    "RF64, nothing is declared": joined(lambda: made.rf64(tone(1), 0), 1),
    "RF64, unknown": joined(lambda: made.rf64(tone(1), UNKNOWN), 1),
    "RF64, half is declared": joined(lambda: made.rf64(tone(1), 16_000), 1),
    "RF64, without its sizes": joined(lambda: made.rf64(tone(1))[:12] + made.rf64(tone(1))[48:], 1),
    "BW64": joined(lambda: b"BW64" + made.rf64(tone(1))[4:], 1, passes=True),
    "DSF, half is declared": joined(lambda: made.patched(made.dsf(1), 84, "<Q", 176_140), 1),
    "DSF, fewer samples": joined(lambda: made.patched(made.dsf(1), 64, "<Q", 1_409_024), 1),
    "DSF, an ID3 tag at its end": joined(lambda: made.dsf(1) + made.id3(9_000), 1, passes=True),
    "VOC, to the end": joined(lambda: made.voc(tone(1), 0), 1, passes=True),
    "VOC, half is declared": joined(lambda: made.voc(tone(1), 16_012), 1),
    "MP3, padding": joined(lambda: made.xing_mp3() + bytes(9_000), 1),
    "Ogg, its end is not marked": joined(
        lambda: made.without_end_flag(read("vorbis.ogg")), SPEECH_S, passes=True
    ),
    "Ogg, padding": joined(lambda: read("opus.ogg") + bytes(9_000), SPEECH_S, passes=True),
}
ALL_OF_THEM = TIMES | JOINED | FORMATS | LENGTHS
# Every kind of gap, and some of each other table: all are decoded by the same code.
SOME_OF_THEM = [*TIMES, *list(JOINED | FORMATS | LENGTHS)[::4]]

TWO_TRACKS = ("stereo48k.wav", "speech.wav")
TRACKS = {
    "the default one": Kind(lambda: made.with_tracks(*TWO_TRACKS, default=1), SPEECH_S),
    "the first of equals": Kind(lambda: made.with_tracks(*TWO_TRACKS), PIECE),
    "the one that is chosen": Kind(
        lambda: made.with_tracks(*TWO_TRACKS, default=1), PIECE, options={"track": 0}
    ),
    "one that can be decoded": Kind(
        lambda: made.renamed(made.with_tracks("aac.3gp", "alac.m4a", container="mp4"), b"apac"),
        SPEECH_S,
    ),
}

HALVES = {
    f"half of {name}": Kind(
        lambda name=name, size=size: read(name)[:size],  # type: ignore[misc]
        seconds,
        options={"allow_truncated": True},
    )
    for name, size, seconds in [
        ("speech.mp3", 2_000, 0.543),
        ("faststart.m4a", 4_000, 0.64),
        ("speech.wav", 20_000, 0.624),
        ("speech.flac", 20_000, 0.72),
        ("vorbis.ogg", 6_300, 0.991),
        ("opus.ogg", 2_300, 0.994),
    ]
} | {
    "half of a DSF file": Kind(
        lambda: half(made.dsf(2)), 1, [(0, 0.95)], options={"allow_truncated": True}
    ),
    "half of a VOC file": Kind(
        lambda: half(made.voc(tone(2), 64_012)), 1, [(0, 0.95)], options={"allow_truncated": True}
    ),
    "an AIFF file that declares more": Kind(
        lambda: made.aiff(tone(1), sound=64_008), 1, [(0, 1)], options={"allow_truncated": True}
    ),
}

OTHERS = {
    "NIST SPHERE": Kind(lambda: made.sphere(tone(1)), 1, [(0, 1)], passes=True),
    "DSF": Kind(lambda: made.dsf(1), 1, [(0, 1)], passes=True),
    "8SVX": Kind(lambda: made.iff(tone(1)), 1, [(0, 1)], passes=True),
    "RealAudio": Kind(
        lambda: encode(tone(1, 8_000), "rm", "real_144", 8_000), 1.02, [(0, 1)], passes=True
    ),
    "MP2": Kind(lambda: encode(tone(1), "mp2", "mp2"), 1.008, [(0, 1)], passes=True),
    "AC-3": Kind(lambda: encode_planar("ac3", "ac3"), 1.024, [(0, 1)], passes=True),
    "TTA": Kind(lambda: encode(tone(1), "tta", "tta"), 1, [(0, 1)], passes=True),
    "WMA with AAC": Kind(lambda: made.copied("speech.m4a", "asf"), 1.17, passes=True),
    "AVI with AAC": Kind(lambda: made.copied("speech.m4a", "avi"), 1.17, passes=True),
    "WavPack": Kind(lambda: encode(tone(1), "wv", "wavpack"), 1, [(0, 1)], passes=True),
    "VOC": Kind(lambda: encode(tone(1), "voc", "pcm_s16le"), 1, [(0, 1)], passes=True),
    "MP4 whose beginning is cut off by an edit list": Kind(
        lambda: made.with_times(
            read("speech.m4a"), "mp4", lambda at, _: at - 0.5, avoid_negative_ts="disabled"
        ),
        SPEECH_S - 0.5,
        passes=True,
    ),
    "WebM whose first timestamp is not zero": Kind(
        lambda: made.with_times(read("speech.webm"), "webm", lambda at, _: at + 1_000, live="1"),
        SPEECH_S,
        [(0, 0.5)],
        passes=True,
    ),
    "WAV, float, 96 kHz": Kind(
        lambda: encode(tone(1, 96_000), "wav", "pcm_f32le", 96_000), 1, [(0, 1)], passes=True
    ),
    "WAV, μ-law, 8 kHz": Kind(
        lambda: encode(tone(1, 8_000), "wav", "pcm_mulaw", 8_000), 1, [(0, 1)], passes=True
    ),
    "WAV, ADPCM": Kind(lambda: encode(tone(1), "wav", "adpcm_ms"), 1.02, [(0, 1)], passes=True),
    "MOV, ADPCM": Kind(lambda: encode(tone(1), "mov", "adpcm_ima_qt"), 1, [(0, 1)], passes=True),
    "Matroska, PCM": Kind(
        lambda: encode(tone(1), "matroska", "pcm_s16le"), 1, [(0, 1)], passes=True
    ),
    "E-AC-3 in MP4": Kind(lambda: encode_planar("mp4", "eac3"), 1.02, [(0, 1)], passes=True),
    "Opus, pauses that are not sent": Kind(
        made.opus_with_pauses, 4, [(3, 3.5)], [(0, 2.9)], passes=True
    ),
    "MP3 with a cover": Kind(made.mp3_with_cover, 1, [(0, 1)], passes=True),
    "MP4 in fragments": Kind(made.fragmented, 1.173, passes=True),
}


def encode_planar(container: str, codec: str) -> bytes:
    """Encode with a codec that takes 48 kHz only."""
    return encode(tone(1, 48_000), container, codec, 48_000)


KINDS = ALL_OF_THEM | TRACKS | HALVES | OTHERS


@functools.cache
def data_of(name: str) -> bytes:
    return KINDS[name].make()


def decoded(audio: Audio) -> npt.NDArray[np.int16]:
    return np.frombuffer(b"".join(audio.decode(RATE)), np.int16)


def level(samples: npt.NDArray[np.int16], start_s: float, end_s: float) -> int:
    return int(np.abs(samples[round(start_s * RATE) : round(end_s * RATE)].astype(int)).max())


def test_all_of_a_recording_is_where_it_belongs(subtests: pytest.Subtests) -> None:
    for name, kind in KINDS.items():
        with subtests.test(name):
            assert_is_where_it_belongs(kind, Audio.from_bytes(data_of(name), **kind.options))


def assert_is_where_it_belongs(kind: Kind, audio: Audio) -> None:
    before_s = audio.duration_s
    samples = decoded(audio)
    assert len(samples) / RATE == pytest.approx(kind.seconds, abs=0.06)
    assert before_s == pytest.approx(kind.seconds, abs=0.06)
    assert audio.duration_s == pytest.approx(kind.seconds, abs=0.06)
    for start_s, end_s in kind.loud:
        assert level(samples, start_s, end_s) > LOUD
    for start_s, end_s in kind.silent:
        assert level(samples, start_s, end_s) < QUIET
    assert audio.is_plain == kind.passes


def test_excerpts_and_segments_have_the_same_times(subtests: pytest.Subtests) -> None:
    for name in SOME_OF_THEM:
        with subtests.test(name):
            assert_excerpts_have_the_same_times(KINDS[name], Audio.from_bytes(data_of(name)))


def assert_excerpts_have_the_same_times(kind: Kind, audio: Audio) -> None:
    for start_s, end_s in kind.loud:
        assert level(decode_all(audio.excerpt(start_s, end_s).data).samples, 0, 1) > LOUD
    for start_s, end_s in kind.silent:
        assert level(decode_all(audio.excerpt(start_s, end_s).data).samples, 0, 9) < QUIET
    segments = list(split_recording(audio, QWEN_AUDIO, 0.5))
    assert segments[0].start_s == 0
    assert segments[-1].end_s == pytest.approx(kind.seconds, abs=0.06)


def test_tokens_are_of_the_whole(subtests: pytest.Subtests) -> None:
    model = ChatQwenAudio(api_key="local")
    for name in list(ALL_OF_THEM)[::4]:  # some of each table: it is the length that was found above
        kind = KINDS[name]
        with subtests.test(name):
            message = HumanMessage([Audio.from_bytes(data_of(name)).to_block()])
            tokens = model.get_num_tokens_from_messages([message])
            assert tokens == pytest.approx(25 * max(kind.seconds, 1), abs=2)


def test_what_others_might_decode_otherwise_is_converted(subtests: pytest.Subtests) -> None:
    names = [*SOME_OF_THEM, *TRACKS, *HALVES]
    for name in [name for name in names if not KINDS[name].passes]:
        with subtests.test(name):
            audio = Audio.from_bytes(data_of(name), **KINDS[name].options)
            (sent,) = convert(audio, QWEN_AUDIO)
            assert sent.data != audio.data
            assert decode_all(sent.data).seconds == pytest.approx(KINDS[name].seconds, abs=0.12)


def short_webm() -> bytes:
    data = bytearray(read("speech.webm"))
    at = data.index(b"\x44\x89\x88") + 3  # Duration, a double
    data[at : at + 8] = b"\x40\x59" + bytes(6)  # 100 ms
    return bytes(data)


SHORT: dict[str, tuple[Callable[[], bytes], float]] = {
    "WebM": (short_webm, SPEECH_S),
    "AIFF": (lambda: made.aiff(tone(1), frames=1_600), 1.0),
    "FLAC": (lambda: made.flac_of_length(tone(1), 1_600), 1.0),
    "NIST SPHERE": (
        lambda: made.sphere(tone(1)).replace(b"count -i 16000", b"count -i  1600"),
        1.0,
    ),
}


def test_a_declared_length_that_is_too_short_is_not_believed(subtests: pytest.Subtests) -> None:
    for name, (make, seconds) in SHORT.items():
        audio = Audio.from_bytes(make())
        with subtests.test(name):
            assert audio.probe.declared_s == pytest.approx(0.1)
            assert audio.duration_s == pytest.approx(seconds, abs=0.01)


# --- gaps that nobody can believe ---------------------------------------------------------------


def test_hours_of_silence_take_no_memory() -> None:
    decoded(Audio.from_bytes(made.with_gap("speech.webm", "webm", live="1")))  # what is loaded once
    audio = Audio.from_bytes(made.with_gap("speech.webm", "webm", 2 * 3600, live="1"))
    tracemalloc.start()
    size = sum(map(len, audio.decode(RATE)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size / 2 / RATE == pytest.approx(2 * 3600 + SPEECH_S, abs=0.1)
    assert peak < 2_000_000
    with pytest.raises(ContextOverflowError):
        convert(audio, QWEN_AUDIO)


def test_thirteen_hours_of_silence_are_closed_up_with_a_warning() -> None:
    audio = Audio.from_bytes(made.with_gap("speech.webm", "webm", 13 * 3600, live="1"))
    with pytest.warns(UserWarning, match="gaps of 13:00:00 in its timestamps"):
        assert audio.duration_s == pytest.approx(SPEECH_S, abs=0.01)
    assert level(decoded(audio), 0.7, 1.1) > LOUD


# --- channels -----------------------------------------------------------------------------------


def test_no_channel_vanishes() -> None:
    for channels in (2, 3, 6, 8, 32):
        samples = decoded(Audio.from_bytes(made.one_after_the_other(channels)))
        levels = [level(samples, second + 0.1, second + 0.9) for second in range(channels)]
        assert levels == [pytest.approx(9_000 / channels, abs=2)] * channels


CANCELLED = {
    "16 bits": made.inverse_stereo,
    "48 kHz": lambda: made.inverse_stereo(48_000),
    "in planes": made.inverse_flac,
}


@pytest.mark.parametrize("make", CANCELLED.values(), ids=CANCELLED)
def test_an_inverse_channel_cancels_nothing_out(make: Callable[[], bytes]) -> None:
    audio = Audio.from_bytes(make())
    with pytest.warns(UserWarning, match="channel 1 is the inverse of another one"):
        samples = decoded(audio)
    assert level(samples, 0, 0.1) > 8_900
    assert level(samples, 1.8, 2.0) > 8_900
    assert not audio.is_plain
    decoded(audio)  # and no second warning


def test_what_only_resembles_its_inverse_is_left_alone() -> None:
    noise = np.random.default_rng(0).integers(-9_000, 9_000, (2 * RATE, 2), dtype=np.int16)
    audio = Audio.from_bytes(wav(noise, channels=2))
    expected = noise.astype(int).sum(axis=1) / 2
    assert np.abs(decoded(audio) - expected).max() <= 1


def test_a_channel_can_be_chosen() -> None:
    data = made.one_after_the_other(3)
    first, second, third = Audio.from_bytes(data).split_channels()
    assert level(decoded(second), 1.1, 1.9) == pytest.approx(9_000, abs=2)
    assert level(decoded(second), 0, 0.9) == level(decoded(second), 2.1, 3) == 0
    assert decoded(Audio.from_bytes(data, channel=1)).tolist() == decoded(second).tolist()
    assert len({first.digest, second.digest, third.digest, Audio.from_bytes(data).digest}) == 4
    block = second.to_block()
    assert level(decoded(Audio.from_base64(block["base64"])), 1.1, 1.9) > 8_900
    assert "channel 1" in repr(second)


@pytest.mark.parametrize("channel", [3, -1])
def test_a_channel_that_there_is_not_is_refused(channel: int) -> None:
    audio = Audio.from_bytes(made.one_after_the_other(3), channel=channel)
    with pytest.raises(AudioError) as caught:
        decoded(audio)
    assert str(caught.value) == (
        f"audio: channel {channel} was requested, and the recording has 3 channels, 0 to 2; "
        "choose one of these, or leave channel= (--channel in the command) out"
    )


def test_each_channel_is_not_one_recording() -> None:
    with pytest.raises(TypeError, match="split_channels"):
        Audio.from_bytes(b"", channel="each")  # type: ignore[arg-type]


# --- tracks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("track", [2, -1])
def test_a_track_that_there_is_not_is_refused(track: int) -> None:
    audio = Audio.from_bytes(made.with_tracks(*TWO_TRACKS), track=track)
    with pytest.raises(AudioError) as caught:
        _ = audio.duration_s
    assert str(caught.value) == (
        f"audio: track {track} was requested, and the recording has 2 tracks, 0 to 1; "
        "choose one of these, or leave track= (--track in the command) out"
    )


def test_a_later_part_without_the_channel_is_named() -> None:
    data = wav(np.repeat(tone(1), 2), channels=2) + made.xing_mp3()
    with pytest.raises(AudioError, match=r"^audio: part 2 of 2 \(mp3, from byte 64,\d+ on\): chan"):
        decoded(Audio.from_bytes(data, channel=1))


def test_the_track_is_told() -> None:
    audio = Audio.from_bytes(made.with_tracks(*TWO_TRACKS, default=1))
    assert audio.track == 1
    assert "track 1 of 2" in repr(audio)
    assert "track 0" in repr(Audio.from_bytes(audio.data, track=0))
    assert "track" not in repr(Audio.from_bytes(read("speech.wav")))


# --- what cannot be read --------------------------------------------------------------------------


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("speech.wav", read("speech.wav"))
    return file.getvalue()


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


UNREADABLE: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "it is empty"),
    "SILK, WeChat": (lambda: b"\x02#!SILK_V3" + bytes(500), "SILK voice message.*silk-python"),
    "SILK": (lambda: b"#!SILK_V3" + bytes(500), "SILK voice message.*silk-python"),
    "M4A without its index": (made.without_index, r"never finished.*\(the moov box\) is missing"),
    "a later chunk of WebM": (made.later_chunk, "later piece.*join all pieces"),
    "a block of WebM": (
        lambda: made.later_chunk().partition(b"\xe7")[2][3:],
        "later piece.*join all pieces",
    ),
    "a later chunk of MP4": (made.later_fragment, "later piece.*join all pieces"),
    "a later page of Ogg": (lambda: read("opus.ogg")[28 + 19 :], "later piece.*join all pieces"),
    "JSON": (lambda: b'{"code": "InvalidApiKey"}', "it is JSON.*InvalidApiKey"),
    "a JSON list": (lambda: b'[{"code": 1}]', "it is JSON"),
    "HTML": (lambda: b"<!DOCTYPE html><title>404</title>", "it is a web page or XML.*404"),
    "text": ("Grüße, 你好".encode, "it is text, not a recording: 'Grüße, 你好'"),
    "text in UTF-16": (
        lambda: "Buy milk, 你好".encode("utf-16"),
        "it is text, not a recording: 'Buy",
    ),
    "HTML in GBK": (
        lambda: "<html><title>404</title>找不到网页</html>".encode("gbk"),
        "it is a web page or XML.*404",
    ),
    "text, cut in a character": (lambda: "你".encode() * 2_000, "it is text"),
    "a playlist": (lambda: b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1/a.mp3", "it is a playlist"),
    "a Git LFS pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
    "a URL": (lambda: b"https://example.com/a.mp3\n", "it is a URL.*Audio.from_url"),
    "base64": (lambda: pybase64.b64encode(read("speech.mp3")), "base64 text.*Audio.from_base64"),
    "base64 in lines": (lambda: pybase64.encodebytes(read("speech.wav")), "Audio.from_base64"),
    "a data URI": (lambda: b"data:audio/wav;base64,UklGRg==", "a data URI.*Audio.from_base64"),
    "DRM, iTunes": (lambda: made.renamed(read("speech.m4a"), b"drms"), r"DRM \(drms\)"),
    "DRM, streaming": (lambda: made.renamed(read("speech.m4a"), b"enca"), r"DRM \(enca\)"),
    "a codec of Apple's": (lambda: made.renamed(read("speech.m4a"), b"apac"), r"Apple.*\(apac\)"),
    "an unknown codec": (made.without_decoder, "no decoder for its codec, abcd,"),
    "an unknown codec in WAV": (
        lambda: wav(tone(1))[:20] + b"\x34\x12" + wav(tone(1))[22:],
        "no decoder for its codec, WAV format 0x1234,",
    ),
    "zip": (zipped, r"an archive \(zip\); unpack it"),
    "gzip": (lambda: gzip.compress(read("speech.wav")), r"an archive \(gzip\); unpack it"),
    "PNG": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(50), r"a picture \(PNG\)"),
    "JPEG": (lambda: b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(50), r"a picture \(JPEG\)"),
    "PDF": (lambda: b"%PDF-1.7\n1 0 obj", r"a document \(PDF\)"),
    "MIDI": (lambda: b"MThd\0\0\0\6\0\1\0\1\0\x60MTrk", "it is MIDI"),
    "a film without sound": (lambda: read("silent.mp4"), "there is no sound in it"),
    "half of an MP3": (lambda: read("speech.mp3")[:2_000], "truncated.*allow_truncated=True"),
    "half of a WAV": (lambda: read("speech.wav")[:20_000], "truncated.*allow_truncated=True"),
    "half of a TTA file": (lambda: half(encode(tone(2), "tta", "tta")), "allow_truncated=True"),
    "half of a WavPack file": (
        lambda: half(encode(tone(2), "wv", "wavpack")),
        "allow_truncated=True",
    ),
    "half of a FLAC file": (lambda: half(encode(tone(2), "flac", "flac")), "allow_truncated=True"),
    "half of a NIST SPHERE file": (lambda: half(made.sphere(tone(2))), "it is truncated"),
    "half of an AIFF file": (lambda: half(made.aiff(tone(2))), "says 2.00 s, and only"),
    "an AIFF file that declares more": (
        lambda: made.aiff(tone(1), sound=64_008),
        "its header says 64,000 bytes of sound, and only 32,000 are there; allow_truncated=True",
    ),
    "an AIFF file that declares more, but not all": (
        lambda: made.patched(made.aiff(tone(1), sound=64_008), 4, ">I", 0),
        "its header says 64,000 bytes of sound, and only 32,000 are there; allow_truncated=True",
    ),
    "a CAF file that declares more": (
        lambda: made.caf(tone(1), 2**40),
        "it is truncated.*allow_truncated=True",
    ),
    "a Wave64 file that declares more": (
        lambda: made.w64(tone(1), 64_024),
        "says 2.00 s, and only 1.00 s are there; allow_truncated=True",
    ),
    "an AU file that declares more": (
        lambda: made.au(tone(1), 64_000),
        "says 2.00 s, and only 1.00 s are there; allow_truncated=True",
    ),
    "an RF64 file that declares more": (
        lambda: made.rf64(tone(1), 64_000),
        "its header says 64,000 bytes of sound, and only 32,000 are there; allow_truncated=True",
    ),
    "half of a VOC file": (
        lambda: half(made.voc(tone(2), 64_012)),
        "its header says 64,012 bytes of sound, and only .* are there; allow_truncated=True",
    ),
    "half of a DSF file": (
        lambda: half(made.dsf(2)),
        "its header says 704,512 bytes of sound, and only .* are there; allow_truncated=True",
    ),
    "a DSF file that declares more": (
        lambda: made.patched(made.dsf(1), 64, "<Q", 10**7),
        "its header says 1,253,376 bytes of sound.*allow_truncated=True",
    ),
    "Vorbis, cut in a page": (
        lambda: read("vorbis.ogg")[:6_300],
        "its last page is cut in the middle; allow_truncated=True",
    ),
    "Opus, its last byte is missing": (
        lambda: read("opus.ogg")[:-1],
        "its last page is cut in the middle; allow_truncated=True",
    ),
    "Opus, cut in the header of a page": (
        lambda: read("opus.ogg") + b"OggS\0\0\0\0",
        "its last page is cut in the middle; allow_truncated=True",
    ),
    "Opus, cut in its only page": (
        lambda: read("opus.ogg")[:1_200],
        "its last page is cut in the middle, and nothing of it can be decoded",
    ),
    "Vorbis, a packet that goes on": (
        lambda: read("vorbis.ogg") + page(b"a" * 70_000, serial=9, flags=0)[: 27 + 255 + 255 * 255],
        "its last packet goes on in a page that is missing; allow_truncated=True",
    ),
    "half of a WAV, and an MP3": (
        lambda: half(wav(tone(2))) + made.xing_mp3(),
        r"part 1 of 2 \(wav, from byte 0 on\): it is truncated",
    ),
    "a WAV, and a protected M4A": (
        lambda: wav(tone(1)) + made.renamed(read("speech.m4a"), b"drms"),
        r"part 2 of 2 \(mov, from byte 32,044 on\): it is protected by DRM",
    ),
    "a WAV, and half of one": (
        lambda: wav(tone(1)) + wav(tone(1))[:9_000],
        "part 2 of 2: it is truncated",
    ),
    "an M4A, and half of one": (
        lambda: read("speech.m4a") + read("speech.m4a")[:4_000],
        "part 2 of 2: it is an MP4 recording that was never finished",
    ),
    "a WebM, and half of one": (
        lambda: read("speech.webm") + read("speech.webm")[:1_200],
        "part 2 of 2: it is truncated",
    ),
    "a format that is not read": (
        lambda: encode(tone(1), "nut", "pcm_s16le"),
        "none of the formats that are read here; convert it",
    ),
    "noise": (lambda: np.random.default_rng(7).bytes(9_000), "it cannot be decoded"),
}


def test_what_cannot_be_read_is_named_with_its_cure(subtests: pytest.Subtests) -> None:
    for name, (make, says) in UNREADABLE.items():
        data = make()
        audio = Audio.from_bytes(data)
        match = rf"(?s)^audio: {len(data):,} bytes came.*{says}"
        with subtests.test(name), pytest.raises(AudioError, match=match):
            decoded(audio)


MISTAKES: dict[str, tuple[Callable[[], object], str]] = {
    "a URL as a path": (lambda: Audio.from_path("https://example.com/a.mp3"), "Audio.from_url"),
    "a file URL as a path": (lambda: Audio.from_path("file:///a.mp3"), "a URL came"),
    "a path as a file": (lambda: Audio.from_file("a.wav"), "Audio.from_path"),  # type: ignore[arg-type]
    "a Path as a file": (lambda: Audio.from_file(DATA), "Audio.from_path"),  # type: ignore[arg-type]
    "bytes as a file": (lambda: Audio.from_file(b"RIFF"), "Audio.from_bytes"),  # type: ignore[arg-type]
    "a file of text": (lambda: Audio.from_file(io.StringIO("a")), "opened in binary mode"),  # type: ignore[arg-type]
    "text as bytes": (lambda: Audio.from_bytes("UklGRg=="), "Audio.from_base64"),  # type: ignore[arg-type]
    "a file at its end": (lambda: Audio.from_file(at_its_end()), r"file\.seek\(0\)"),
}


def at_its_end() -> io.BytesIO:
    file = io.BytesIO(read("speech.wav"))
    file.read()
    return file


def test_a_common_mistake_is_named_with_its_cure(subtests: pytest.Subtests) -> None:
    for name, (mistake, says) in MISTAKES.items():
        with subtests.test(name), pytest.raises(AudioError, match=says):
            mistake()
