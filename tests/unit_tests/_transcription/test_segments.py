"""Recordings of every kind in segments: where they are split, and that nothing is lost."""

from __future__ import annotations

import gc
import itertools
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.worker_pool import POOL
from langchain_qwen_audio._models.profiles import ASR as ASR_PROFILE
from langchain_qwen_audio._transcription.segments import split_recording, split_speech
from langchain_qwen_audio.document_loaders import TranscriptFormat
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.loading import (
    ASR,
    QWEN_AUDIO,
    RATE,
    asynchronous,
    clip_in,
    loader_of,
    numbered,
    sync,
    texts,
    times,
)
from tests.unit_tests.recordings import (
    DATA,
    RECORDINGS,
    amr,
    decode_all,
    encode,
    read,
    tone,
    wav,
)
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.loading import Load


def seconds_in(request: ReceivedRequest) -> str:
    return f"{decode_all(clip_in(request)).seconds:.2f}"


def test_cuts_fall_into_silence_near_the_limit(counting: LocalDashScope, tmp_path: Path) -> None:
    samples = numbered(30)
    for pause in range(3, 30, 4):  # half a second at 3 s, 7 s, 11 s, …
        samples[pause * RATE : pause * RATE + RATE // 2] = 0
    (tmp_path / "talk.wav").write_bytes(wav(samples))
    documents = sync(loader_of(counting, tmp_path, segment_s=10))
    bounds = [start for start, _ in times(documents)] + [30.0]
    assert [end for _, end in times(documents)] == bounds[1:]
    for cut in bounds[1:-1]:
        at = round(cut * RATE)
        assert not samples[at - RATE // 20 : at + RATE // 20].any()
    assert all(5 < end - start <= 10 for start, end in times(documents)[:-1])
    sent = [decode_all(clip_in(request)).samples for request in counting.requests]
    assert sorted(map(len, sent)) == sorted(round((b - a) * RATE) for a, b in times(documents))


@pytest.mark.parametrize(
    ("model", "limit_s"), [(QWEN_AUDIO, 30), (ASR, 240), ("qwen-omni-turbo", 180)]
)
def test_by_default_segments_are_near_the_models_limit(
    server: LocalDashScope, tmp_path: Path, model: str, limit_s: int
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.full((limit_s * 2 + 1) * 8_000, 9_000, np.int16), 8_000))
    documents = asynchronous(loader_of(server, path, {"model": model}))
    assert times(documents) == [
        (0.0, limit_s),
        (limit_s, 2 * limit_s),
        (2 * limit_s, 2 * limit_s + 1),
    ]


@pytest.fixture
def long_speech() -> bytes:
    spoken = np.tile(decode_all(read("speech.wav")).samples, 20)
    return encode(spoken, "mp3", "libmp3lame")


@each_row("split", [split_recording, split_speech])
def test_a_recording_that_is_not_split_to_its_end_is_decoded_no_further(
    long_speech: bytes, split: Callable[..., Generator[Any]]
) -> None:
    segments = split(Audio.from_bytes(long_speech), ASR_PROFILE, 5.0)
    gc.collect()  # what other tests have left to it
    before = len(POOL._all) - len(POOL._idle)
    first = next(segments)
    assert len(POOL._all) - len(POOL._idle) == before + 1
    segments.close()
    assert len(POOL._all) - len(POOL._idle) == before, "it is free, though the segment is held"
    assert 1.0 < first.encode().duration_s <= 5.0


def test_no_segment_is_longer_than_the_model_takes(server: LocalDashScope, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(61)))
    for segment_s in (31, 1e6, math.inf):
        loader = loader_of(server, tmp_path, {"model": QWEN_AUDIO}, segment_s=segment_s)
        assert times(loader.load()) == [(0.0, 30.0), (30.0, 60.0), (60.0, 61.0)], segment_s


@pytest.mark.parametrize("overlap_s", [0.0, 1.0, 2.5])
def test_an_overlap_repeats_the_end_of_the_segment_before(
    counting: LocalDashScope, tmp_path: Path, overlap_s: float
) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(15)))
    documents = sync(loader_of(counting, tmp_path, segment_s=5, overlap_s=overlap_s))
    starts, ends = zip(*times(documents), strict=True)
    assert starts[1:] == tuple(end - overlap_s for end in ends[:-1])
    assert (starts[0], ends[-1]) == (0.0, 15.0)
    assert max(end - start for start, end in times(documents)) == 5.0 if overlap_s else 5.0
    for document, (start, end) in zip(documents, times(documents), strict=True):
        expected = range(math.floor(start), math.ceil(end))
        assert document.page_content == " ".join(map(str, expected))


def test_every_kind_of_recording_is_transcribed_whole(server: LocalDashScope) -> None:
    documents = loader_of(server, [it.path for it in RECORDINGS]).load()
    found = {it.metadata["source"]: (it.page_content, *times([it])) for it in documents}
    assert found == {
        str(it.path): ("ok", (0.0, pytest.approx(it.seconds, abs=0.1))) for it in RECORDINGS
    }
    assert len(documents) == len(RECORDINGS)


LONG_KINDS: dict[str, Callable[[], bytes]] = {
    "flac": lambda: encode(tone(7, 44_100), "flac", "flac", 44_100),
    "mp3": lambda: encode(tone(7), "mp3", "libmp3lame"),
    "opus": lambda: encode(tone(7, 48_000), "webm", "libopus", 48_000),
    "amr of 8 kHz": lambda: amr(7),
    "aac without a length": lambda: encode(tone(7, 48_000), "adts", "aac", 48_000),
    "video's container": lambda: encode(tone(7, 48_000), "mp4", "aac", 48_000),
    "transport stream": lambda: encode(tone(7, 48_000), "mpegts", "aac", 48_000),
}


WAYS = itertools.cycle([(sync, ASR), (asynchronous, QWEN_AUDIO)])


@pytest.mark.parametrize(
    ("make", "load", "model"),
    [(make, *way) for make, way in zip(LONG_KINDS.values(), WAYS, strict=False)],
    ids=LONG_KINDS,
)
def test_segments_of_every_kind_add_up(
    tmp_path: Path, make: Callable[[], bytes], load: Load, model: str
) -> None:
    (tmp_path / "long.wav").write_bytes(make())
    with LocalDashScope(reply=seconds_in) as server:
        documents = load(loader_of(server, tmp_path, {"model": model}, segment_s=3))
    starts, ends = zip(*times(documents), strict=True)
    assert starts == (0.0, *ends[:-1])
    assert all(end - start <= 3 for start, end in times(documents))
    assert ends[-1] == pytest.approx(7, abs=0.1)
    assert sum(map(float, texts(documents))) == pytest.approx(7, abs=0.1)


def test_stereo_is_sent_with_both_its_channels(tmp_path: Path) -> None:
    left, right = tone(7, 48_000, 300.0), tone(7, 48_000, 3_000.0)
    both = np.stack([left, right], axis=1)
    (tmp_path / "stereo.wav").write_bytes(wav(both, 48_000, channels=2))

    def pitches(request: ReceivedRequest) -> str:
        samples = decode_all(clip_in(request)).samples
        spectrum = np.abs(np.fft.rfft(samples[:RATE].astype(float)))
        return f"{len(samples) / RATE:g}: {sorted(np.argsort(spectrum)[-2:].tolist())}"

    with LocalDashScope(reply=pitches) as server:
        documents = asynchronous(loader_of(server, tmp_path, segment_s=3))
    assert texts(documents) == [f"{seconds}: [300, 3000]" for seconds in (3, 3, 1)]


def test_an_mp3_made_of_mp3s_is_transcribed_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "joined.mp3").write_bytes(encode(tone(2), "mp3", "libmp3lame") * 5)
    with LocalDashScope(reply=seconds_in) as server:
        documents = sync(loader_of(server, tmp_path, segment_s=3))
    assert times(documents)[-1][1] == pytest.approx(10, abs=0.5)
    assert sum(map(float, texts(documents))) == pytest.approx(10, abs=0.5)


@pytest.mark.parametrize("seconds", [0.3, 0.01])
def test_the_shortest_clips_are_transcribed(
    server: LocalDashScope, tmp_path: Path, seconds: float
) -> None:
    (tmp_path / "short.wav").write_bytes(wav(tone(seconds)))
    (document,) = sync(loader_of(server, tmp_path))
    assert times([document]) == [(0.0, seconds)]


def test_silence_is_sent_too_and_may_be_an_empty_document(tmp_path: Path) -> None:
    (tmp_path / "silence.wav").write_bytes(wav(np.zeros(12 * RATE, np.int16)))
    with LocalDashScope(reply="") as server:
        documents = sync(loader_of(server, tmp_path, segment_s=5))
        subtitles = sync(
            loader_of(server, tmp_path, segment_s=5, transcript_format=TranscriptFormat.SRT)
        )
    assert texts(documents) == ["", "", ""]
    assert times(documents) == [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]
    assert texts(subtitles) == [""]


def test_a_file_without_sound_is_an_error_in_its_place(server: LocalDashScope) -> None:
    paths = [DATA / name for name in ("speech.wav", "silent.mp4", "README.md", "speech.mp3")]
    documents = asynchronous(loader_of(server, paths, on_error="document"))
    failed = [bool(document.metadata.get("error")) for document in documents]
    assert failed == [False, True, True, False]


@pytest.mark.parametrize(
    "data",
    [wav(tone(0.0)), b"", wav(tone(1))[:30]],
    ids=["no samples", "no bytes", "half a header"],
)
def test_an_empty_file_is_an_error(server: LocalDashScope, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "empty.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"empty\.wav|messages"):
        loader_of(server, tmp_path).load()
    assert server.requests == []


@pytest.mark.parametrize("segment_s", [4, 10, 100])
def test_of_a_truncated_file_all_that_is_there_is_transcribed_before_the_error(
    tmp_path: Path, segment_s: float
) -> None:
    (tmp_path / "cut.wav").write_bytes(wav(tone(20))[: 44 + 2 * RATE * 10])
    with LocalDashScope(reply=seconds_in) as server:
        *transcripts, gap = sync(
            loader_of(server, tmp_path, segment_s=segment_s, on_error="document")
        )
    assert sum(map(float, texts(transcripts))) == pytest.approx(10, abs=0.1)
    starts, ends = zip(*times([*transcripts, gap]), strict=True)
    assert starts == (0.0, *ends[:-1])
    assert gap.metadata["start_s"] == 10.0
    assert "header says 20.00 s, and only 10.00 s are there" in gap.metadata["error"]


@pytest.mark.parametrize("segment_s", [4, 100])
def test_of_joined_files_all_is_transcribed_up_to_where_the_last_is_truncated(
    tmp_path: Path, segment_s: float
) -> None:
    joined = wav(tone(8)) + wav(tone(8, hertz=880))[: 44 + 2 * RATE * 5]
    (tmp_path / "cut.wav").write_bytes(joined)
    with LocalDashScope(reply=seconds_in) as server:
        *transcripts, gap = asynchronous(
            loader_of(server, tmp_path, segment_s=segment_s, on_error="document")
        )
    assert sum(map(float, texts(transcripts))) == pytest.approx(13, abs=0.1)
    assert gap.metadata["start_s"] == 13.0
    assert "part 2 of 2: it is truncated" in gap.metadata["error"]


# --- files that change ----------------------------------------------------------------------------


def rewrite(path: Path) -> None:
    path.write_bytes(wav(numbered(20, 100)))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(100_000))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(wav(numbered(20, 100)))
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, grow])
def test_a_file_that_is_written_to_while_it_is_read_is_an_error(
    counting: LocalDashScope, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(numbered(20)))
    documents = loader_of(counting, path, segment_s=1, max_concurrency=1).lazy_load()
    assert next(documents).page_content == "0"
    change(path)
    with pytest.raises(AudioError, match="it changed"):
        list(documents)


@pytest.mark.parametrize("change", [replace, os.remove], ids=["replaced", "deleted"])
def test_a_file_whose_name_goes_is_read_to_its_end(
    counting: LocalDashScope, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(numbered(10)))
    documents = loader_of(counting, path, segment_s=1, max_concurrency=1).lazy_load()
    assert next(documents).page_content == "0"
    change(path)
    assert texts(list(documents)) == [str(number) for number in range(1, 10)]
