"""Many clips at once → how many more of them two cores prepare than one, and in what memory."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks import clips
from benchmarks.hours import peak_mb
from benchmarks.peers import KEY
from benchmarks.service import NATIVE, Service
from benchmarks.table import Beside, Row, Skipped, Target
from langchain_qwen_audio._media.mp3 import encode_mp3

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_qwen_audio import ChatQwenAudio

CLIPS = 40  # of the 200 that a long run takes: `measure(clips=200)`
LENGTH_S, BIT_RATE = 60.0, 65_000.0
MODEL = "qwen-audio-turbo-latest"  # it takes 30 s
SERVICE_MS = 50


class Batch(NamedTuple):
    """What a batch took: seconds, seconds of processor time, and MB at the most."""

    taken_s: float
    processor_s: float
    memory_mb: float


def measure(clips: int = CLIPS, rounds: int = 3) -> Iterator[Row | Skipped]:
    """Send MP3s of a minute to a model that takes half a minute, on one core and on two."""
    ways = {"`batch`": _batch, "`abatch`": _abatch, "the loader": _load}
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        yield Skipped(f"{clips} MP3s on two cores", "there is one core")
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = write_clips(Path(folder), clips)
        for name, way in ways.items():
            turns = [(run(way, paths, cores[:1]), run(way, paths, cores)) for _ in range(rounds)]
            one, two = (min(batches, key=_taken_s) for batches in zip(*turns, strict=True))
            yield Row(
                f"{clips} MP3s of a minute through {name}, two cores",
                clips / two.taken_s,
                "clips/s",
                otherwise=Beside("on one core", clips / one.taken_s, Target(1.7, is_least=True)),
            )
            yield Row(f"its memory, worker processes included ({name})", two.memory_mb, "MB")


def _taken_s(batch: Batch) -> float:
    return batch.taken_s


def write_clips(folder: Path, count: int) -> list[Path]:
    """Write MP3s, of which no two are the same: a tag at the end has a number."""
    sounds = [
        encode_mp3([clips.samples(LENGTH_S, 16_000, 1, seed=seed)], 16_000, BIT_RATE)
        for seed in range(4)
    ]
    paths = [folder / f"{number:03}.mp3" for number in range(count)]
    for number, path in enumerate(paths):
        path.write_bytes(sounds[number % len(sounds)] + b"TAG" + f"{number:<125}".encode())
    return paths


def run(way: Callable[..., None], paths: list[Path], cores: list[int]) -> Batch:
    """Send clips from a new process, which has these cores only; so has the service."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as processes:
        return processes.submit(_run, way, paths, cores).result()


def _run(way: Callable[..., None], paths: list[Path], cores: list[int]) -> Batch:
    os.sched_setaffinity(0, cores)
    from langchain_qwen_audio import ChatQwenAudio
    from langchain_qwen_audio._media.worker_pool import POOL

    with Service() as service:
        url = service.url(delay_ms=SERVICE_MS) + NATIVE
        folder = str(paths[0].parent)
        model = ChatQwenAudio(model=MODEL, base_url=url, api_key=KEY, local_files=[folder])
        model.invoke("What is said?")  # the SDK is imported, however many clips there are
        began, worked_s = time.monotonic(), time.process_time()
        way(model, paths)
        taken_s, worked_s = time.monotonic() - began, time.process_time() - worked_s
    pids = [os.getpid(), *(worker.process.pid for worker in POOL._all)]  # noqa: SLF001
    # The clock of another process, as clock_getcpuclockid(3) on Linux makes it.
    worked_s += sum(time.clock_gettime(~pid << 3 | 2) for pid in pids[1:])
    return Batch(taken_s, worked_s, sum(map(peak_mb, pids)))


def _conversations(paths: list[Path]) -> list[Any]:
    return [
        [{"role": "user", "content": [{"type": "audio", "url": path.as_uri()}]}] for path in paths
    ]


def _batch(model: ChatQwenAudio, paths: list[Path]) -> None:
    model.batch(_conversations(paths))


def _abatch(model: ChatQwenAudio, paths: list[Path]) -> None:
    import asyncio

    asyncio.run(model.abatch(_conversations(paths)))


def _load(model: ChatQwenAudio, paths: list[Path]) -> None:
    from langchain_qwen_audio import QwenAudioLoader

    for _ in QwenAudioLoader(list(map(str, paths)), llm=model).lazy_load():
        pass
