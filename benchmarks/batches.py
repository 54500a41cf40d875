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
    from collections.abc import Iterator

CLIPS, OF_ONE_CORE = 200, 30  # the fewer, the sooner it is over
LENGTH_S, BIT_RATE = 60.0, 65_000.0
MODEL = "qwen-audio-turbo-latest"  # it takes 30 s
SERVICE_MS = 50


class Batch(NamedTuple):
    """What a batch took: clips per second, and MB at the most."""

    clips_per_s: float
    memory_mb: float


def measure() -> Iterator[Row | Skipped]:
    """Send MP3s of a minute to a model that takes half a minute, on one core and on two."""
    what = f"{CLIPS} MP3s of a minute through `batch`, two cores"
    cores = sorted(os.sched_getaffinity(0))[:2]
    if len(cores) < 2:
        yield Skipped(what, "there is one core")
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = write_clips(Path(folder), CLIPS)
        one, two = run(paths[:OF_ONE_CORE], cores[:1]), run(paths, cores)
    one_core = Beside("one core", one.clips_per_s, Target(1.7, is_least=True))
    yield Row(what, two.clips_per_s, "clips/s", otherwise=one_core)
    memory = Beside(f"{OF_ONE_CORE} on one core", one.memory_mb)
    yield Row("memory meanwhile, worker processes included", two.memory_mb, "MB", memory)


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


def run(paths: list[Path], cores: list[int]) -> Batch:
    """Send clips from a new process, which has these cores only; so has the service."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as processes:
        return processes.submit(_run, paths, cores).result()


def _run(paths: list[Path], cores: list[int]) -> Batch:
    os.sched_setaffinity(0, cores)
    from langchain_qwen_audio import ChatQwenAudio

    with Service() as service:
        url = service.url(delay_ms=SERVICE_MS) + NATIVE
        folder = str(paths[0].parent)
        model = ChatQwenAudio(model=MODEL, base_url=url, api_key=KEY, local_files=[folder])
        model.invoke("What is said?")  # the SDK is imported, however many clips there are
        messages: list[Any] = [[("user", [_audio(path)])] for path in paths]
        began = time.monotonic()
        model.batch(messages)
        taken_s = time.monotonic() - began
    return Batch(len(paths) / taken_s, peak_mb())


def _audio(path: Path) -> dict[str, str]:
    return {"type": "audio", "url": path.as_uri()}
