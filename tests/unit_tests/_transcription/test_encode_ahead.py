"""Segments that are encoded before they are requested: in order, few at once, none for nobody."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._media.worker_pool import POOL, WorkerPool
from langchain_qwen_audio._request.encoded_segments import Segment
from langchain_qwen_audio._transcription.backend import SegmentTask
from langchain_qwen_audio._transcription.encode_ahead import encode_ahead
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
from tests.unit_tests.loading import QWEN_AUDIO, loader_of, threads
from tests.unit_tests.recordings import encode, tone
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from langchain_qwen_audio.document_loaders import QwenAudioLoader
    from langchain_qwen_audio.local import LocalDashScope

COUNT = 12


class Samples:
    """The samples of a segment, which are encoded when they may be."""

    def __init__(self, number: int, source: Source) -> None:
        self._number, self._source = number, source

    def encode(self) -> Audio:
        with self._source.lock:
            self._source.begun.append(self._number)
        assert self._source.may_encode.wait(HANG_S)
        return Audio.from_bytes(b"encoded", name=str(self._number))


class Source:
    """Segments, and what was done with them."""

    def __init__(self, *, may_encode: bool = False) -> None:
        self.lock = threading.Lock()
        self.may_encode = threading.Event()
        if may_encode:
            self.may_encode.set()
        self.begun: list[int] = []
        self.samples: list[weakref.ref[Samples]] = []
        self.is_closed = False

    @property
    def held(self) -> int:
        """How many segments there are as samples."""
        return sum(it() is not None for it in self.samples)

    def tasks(self) -> Generator[SegmentTask]:
        try:
            for number in range(COUNT):
                yield self.task(number)
        finally:
            self.is_closed = True

    def task(self, number: int) -> SegmentTask:
        samples = Samples(number, self)
        self.samples.append(weakref.ref(samples))
        place = SegmentTranscript("call", number, 0.0, 0.0)
        return SegmentTask(place, Segment(samples.encode, 0.0, 0.0, ()), str(number))


def name_of(task: SegmentTask) -> str:
    assert isinstance(task.audio, Segment)
    return task.audio.encode().name


@pytest.mark.parametrize("encoders", [1, 3])
def test_segments_come_in_order_and_encoded(encoders: int) -> None:
    source = Source(may_encode=True)
    tasks = [*encode_ahead(source.tasks(), encoders, threading.Event())]
    assert [name_of(task) for task in tasks] == [str(number) for number in range(COUNT)]
    assert sorted(source.begun) == [*range(COUNT)]
    assert source.is_closed


@pytest.mark.parametrize("encoders", [1, 3])
def test_one_more_segment_than_there_are_encoders_is_held_as_samples(encoders: int) -> None:
    source = Source()
    taken: list[SegmentTask] = []
    with DaemonThreads(1, "taking") as threads:
        ahead = encode_ahead(source.tasks(), encoders, threading.Event())
        done = threads.submit(lambda: taken.extend(ahead))
        wait_until(lambda: len(source.samples) == encoders + 1)
        wait_until(lambda: len(source.begun) == encoders)
        assert source.held == encoders + 1
        assert len(taken) == encoders
        source.may_encode.set()
        done.result(HANG_S)
    wait_until(lambda: source.held == 0)
    assert len(taken) == COUNT


def test_what_has_no_segment_is_passed_on_while_encoders_are_busy() -> None:
    source, place = Source(), SegmentTranscript("call", 0, 0.0, 0.0)

    def tasks() -> Generator[SegmentTask]:
        yield source.task(0)
        yield SegmentTask(place)
        yield SegmentTask(place, "https://example.com/call.mp3")

    ahead = encode_ahead(tasks(), 1, threading.Event())
    assert isinstance(next(ahead).audio, Segment)
    assert [task.audio for task in ahead] == [None, "https://example.com/call.mp3"]
    source.may_encode.set()


def test_closing_begins_nothing_more_and_closes_what_is_read() -> None:
    source = Source()
    ahead = encode_ahead(source.tasks(), 2, threading.Event())
    next(ahead)
    ahead.close()
    assert source.is_closed
    source.may_encode.set()
    wait_until(lambda: not [it for it in threading.enumerate() if it.name == "encoding"])
    assert source.begun == [0]


def test_a_segment_that_waits_for_an_encoder_when_the_run_ends_is_not_encoded() -> None:
    source, ended = Source(), threading.Event()
    ahead = encode_ahead(source.tasks(), 1, ended)
    next(ahead)
    with DaemonThreads(1, "taking") as threads:
        waiting = threads.submit(lambda: next(ahead))
        wait_until(lambda: len(source.samples) == 2)
        ended.set()
        source.may_encode.set()
        with pytest.raises(CancelledError):
            waiting.result(HANG_S)
    assert source.begun == [0]
    assert source.is_closed


# --- of a loader ------------------------------------------------------------------------------

CORES = os.cpu_count() or 1
SEGMENTS = 30


class Encodings:
    """Encodings in workers: how many have begun and ended, and how many may end."""

    def __init__(self) -> None:
        self.lock, self.may_end = threading.Lock(), threading.Semaphore(1)
        self.begun = self.ended = 0

    def run(self, job: str, *arguments: Any, **options: Any) -> Generator[bytes, None, Any]:
        if job != "encode":
            return (yield from WorkerPool.run(POOL, job, *arguments, **options))
        with self.lock:
            self.begun += 1
        assert self.may_end.acquire(timeout=HANG_S)
        result = yield from WorkerPool.run(POOL, job, *arguments, **options)
        with self.lock:
            self.ended += 1
        return result


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> Iterator[Encodings]:
    noted = Encodings()
    monkeypatch.setattr(POOL, "run", noted.run)
    yield noted
    noted.may_end.release(SEGMENTS)


def abandon(loader: QwenAudioLoader, encodings: Encodings) -> tuple[int, int]:
    """Take the first document alone; return how many encodings have begun and ended then."""
    documents = iter(loader.lazy_load())
    with DaemonThreads(1, "loading") as loading:
        first = loading.submit(lambda: next(documents))
        while not first.done():
            encodings.may_end.release()
            time.sleep(0.05)
    assert first.result().page_content == "ok"
    documents.close()  # type: ignore[attr-defined]
    return encodings.begun, encodings.ended


def cancel(loader: QwenAudioLoader, encodings: Encodings) -> tuple[int, int]:
    """Cancel a load while all encoders are busy."""

    async def run() -> tuple[int, int]:
        loading = asyncio.create_task(loader.aload())
        with DaemonThreads(1, "waiting") as waiting:  # the loop's own wait for segments
            busy = waiting.submit(lambda: wait_until(lambda: encodings.begun == 1 + CORES))
            await asyncio.wrap_future(busy)
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading
        counts = encodings.begun, encodings.ended
        encodings.may_end.release(SEGMENTS)
        return counts

    return asyncio.run(run())


@pytest.mark.parametrize("way", [abandon, cancel], ids=["sync", "async"])
def test_an_abandoned_loader_leaves_no_worker_busy_and_sends_nothing_more(
    server: LocalDashScope,
    tmp_path: Path,
    encodings: Encodings,
    way: Callable[[QwenAudioLoader, Encodings], tuple[int, int]],
) -> None:
    gc.collect()  # what other tests have left to it
    before = len(POOL._all) - len(POOL._idle)
    path = tmp_path / "call.mp3"
    path.write_bytes(encode(tone(SEGMENTS), "mp3", "libmp3lame"))
    options: dict[str, Any] = {"segment_s": 1, "max_concurrency": 8}
    begun, ended = way(loader_of(server, path, {"model": QWEN_AUDIO}, **options), encodings)
    encodings.may_end.release(SEGMENTS)
    wait_until(lambda: not any(it.name == "encoding" for it in threading.enumerate()))
    assert encodings.begun == encodings.ended <= begun + CORES
    wait_until(lambda: len(POOL._all) - len(POOL._idle) == before and not threads())
    assert len(server.requests) <= ended, "what was encoded later is not sent"
