"""Twelve minutes of speech: split in pauses, each sample sent once, in order; memory is bounded."""

from __future__ import annotations

import base64
import functools
import hashlib
import io
import itertools
import json
import re
import threading
import wave
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.programs import PEAK_MB, needs_proc, run_forked
from tests.unit_tests.recordings import decode_all, wav
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.recordings import Samples

RATE = 16_000
LENGTH_S = 720
PAUSES_S = (0.5, 0.9, 0.4, 1.3)  # between sentences, in turn
SAMPLES = files("langchain_qwen_audio") / "samples"
SENTENCES = (SAMPLES / "welcome.txt").read_text().strip()


@functools.cache
def sentence() -> Samples:
    with wave.open(io.BytesIO((SAMPLES / "welcome.wav").read_bytes())) as reader:
        assert reader.getframerate() == RATE
        samples: Samples = np.frombuffer(reader.readframes(reader.getnframes()), np.int16)
    return samples


def talk() -> Iterator[Samples]:
    """Say the same over and over, with pauses of different lengths."""
    for pause_s in itertools.cycle(PAUSES_S):
        yield sentence()
        yield np.zeros(round(pause_s * RATE), np.int16)


@pytest.fixture(scope="module")
def talk_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("talk") / "talk.wav"
    left = LENGTH_S * RATE
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        for samples in talk():
            writer.writeframes(samples[:left].tobytes())
            left -= min(left, len(samples))
            if not left:
                break
    return path


@functools.cache
def samples_of(path: Path) -> Samples:
    samples: Samples = np.memmap(path, np.int16, "r", offset=44)
    return samples


@dataclass
class CountingService:
    """Answers with what it was sent: how many samples, and their hash; and counts."""

    is_second_awaited: bool = False
    second_came: threading.Event = field(default_factory=threading.Event)
    sent: int = 0
    requests: int = 0
    busy: int = 0
    busiest: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, request: ReceivedRequest) -> Reply:
        with self.lock:
            self.requests += 1
            self.sent += len(request.body)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            if self.busy > 1:
                self.second_came.set()
        if self.is_second_awaited:
            assert self.second_came.wait(HANG_S)
        (part,) = (part for part in request.messages[-1]["content"] if "audio" in part)
        clip = decode_all(base64.b64decode(part["audio"].partition(";base64,")[2]))
        with self.lock:
            self.busy -= 1
        return Reply(f"{len(clip.samples)} {digest(clip.samples)}")


def digest(samples: Samples) -> str:
    return hashlib.sha256(samples.tobytes()).hexdigest()


LOAD = """
import asyncio, json, sys
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader

path, base_url, model, way, concurrency = sys.argv[1:]
llm = ChatQwenAudio(model=model, base_url=base_url, api_key="local")
import av, dashscope.v2.errors  # what is loaded once, however long the recording
loader = QwenAudioLoader(path, llm=llm, max_concurrency=int(concurrency))
before = peak_mb()

async def aload():
    async for document in loader.alazy_load():
        tell(document)

def tell(document):
    print(json.dumps([document.page_content, document.metadata]))

if way == "async":
    asyncio.run(aload())
else:
    for document in loader.lazy_load():
        tell(document)
print(json.dumps([peak_mb() - before, loader.summary.audio_s]))
"""


@dataclass(frozen=True)
class LoadJob:
    """How it is transcribed, and what memory that may take."""

    model: str
    way: str
    concurrency: int
    limit_s: float
    max_mb: float


JOBS = [
    pytest.param(LoadJob("qwen-audio-turbo-latest", "sync", 8, 30, 200), marks=pytest.mark.slow),
    # Four segments of 7.7 MB are sent, each as base64 in JSON; the allocator keeps as much again.
    LoadJob("qwen3-asr-flash", "async", 4, 240, 500),
]


@needs_proc
@pytest.mark.parametrize("job", JOBS, ids=lambda job: f"{job.model}, {job.way}")
def test_a_long_recording_is_sent_sample_by_sample_in_order_and_in_bounded_memory(
    talk_file: Path, job: LoadJob
) -> None:
    service = CountingService(is_second_awaited=True)
    with LocalDashScope(reply=service, max_log=1) as server:
        arguments = (str(talk_file), server.base_url, job.model, job.way, str(job.concurrency))
        *rows, last = map(json.loads, run_forked(PEAK_MB + LOAD, *arguments).splitlines())
    peak_mb, audio_s = last
    assert [metadata["segment"] for _, metadata in rows] == list(range(len(rows)))
    bounds = [0.0, *(metadata["end_s"] for _, metadata in rows)]
    assert [metadata["start_s"] for _, metadata in rows] == bounds[:-1]
    assert bounds[-1] == LENGTH_S
    assert audio_s == pytest.approx(LENGTH_S)  # a sum of the segments

    original = samples_of(talk_file)
    loudness = np.abs(sentence().astype(float)).mean()
    for text, metadata in rows:
        start, end = (round(metadata[name] * RATE) for name in ("start_s", "end_s"))
        assert text == f"{end - start} {digest(original[start:end])}"
        assert end - start <= job.limit_s * RATE
        if end < len(original):
            assert end - start >= job.limit_s / 3 * RATE
            around = original[end - RATE // 10 : end + RATE // 10].astype(float)
            assert np.abs(around).mean() < loudness / 20, "it is split in a pause"

    assert service.requests == len(rows)
    assert 1 < service.busiest <= job.concurrency
    assert service.sent < talk_file.stat().st_size * 1.34 + 2000 * len(rows), "base64 adds a third"
    assert peak_mb < job.max_mb


# --- overlap ----------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap_s", [0.5, 2.0])
def test_where_segments_overlap_each_still_is_what_its_times_say(
    tmp_path: Path, overlap_s: float
) -> None:
    original = np.concatenate(list(itertools.islice(talk(), 10)))
    (tmp_path / "talk.wav").write_bytes(wav(original))
    with LocalDashScope(reply=CountingService()) as server:
        llm = ChatQwenAudio(base_url=server.base_url, api_key="local")
        documents = QwenAudioLoader(tmp_path, llm=llm, segment_s=15, overlap_s=overlap_s).load()
    bounds = [(it.metadata["start_s"], it.metadata["end_s"]) for it in documents]
    starts, ends = zip(*bounds, strict=True)
    assert starts[1:] == pytest.approx([end - overlap_s for end in ends[:-1]])
    assert ends[-1] == pytest.approx(len(original) / RATE, abs=0.001)
    for document, (start_s, end_s) in zip(documents, bounds, strict=True):
        part = original[round(start_s * RATE) : round(end_s * RATE)]
        assert document.page_content == f"{len(part)} {digest(part)}"


# --- words ------------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def word_errors(spoken: list[str], written: list[str]) -> int:
    """Count the words that were changed, left out or put in."""
    row = list(range(len(written) + 1))
    for i, word in enumerate(spoken, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(written, 1):
            change = before + (word != other)
            before, row[j] = row[j], min(change, row[j] + 1, row[j - 1] + 1)
    return row[-1]


def test_no_word_is_lost_or_doubled_at_a_cut(tmp_path: Path) -> None:
    (tmp_path / "talk.wav").write_bytes(wav(np.concatenate(list(itertools.islice(talk(), 4)))))
    with LocalDashScope() as server:  # it really transcribes
        llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=server.base_url, api_key="local")
        documents = QwenAudioLoader(tmp_path, llm=llm, segment_s=11).load()
    spoken = words(SENTENCES) * 2
    written = words(" ".join(document.page_content for document in documents))
    assert len(documents) >= 2
    assert word_errors(spoken, written) <= len(spoken) // 20
