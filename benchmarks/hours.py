"""Recordings of hours through the loader → time, and memory of this process and its workers."""

from __future__ import annotations

import math
import multiprocessing
import re
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from benchmarks import clips
from benchmarks.peers import KEY, MODEL
from benchmarks.service import NATIVE, Service
from benchmarks.table import Beside, Row, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

CONCURRENCY = 8
HOURS = 12


class Loaded(NamedTuple):
    """What a recording took: seconds, segments, and MB at the most."""

    taken_s: float
    segments: int
    memory_mb: float


def measure() -> Iterator[Row]:
    """Load an hour from a service that takes a second, then many from one that takes none."""
    with tempfile.TemporaryDirectory() as folder, Service() as service:
        hour, hours = Path(folder) / "hour.wav", Path(folder) / "hours.wav"
        clips.write_hours(hour, 1)
        clips.write_hours(hours, HOURS)
        loaded = load(hour, service.url(delay_ms=1000))
        least_s = math.ceil(loaded.segments / CONCURRENCY)
        yield Row(
            f"an hour through the loader, 1 s of service time, {CONCURRENCY} segments at once",
            loaded.taken_s,
            "s",
            limit=Beside(f"{loaded.segments} segments ÷ {CONCURRENCY}", least_s, Target(1.15)),
        )
        memory = {path: load(path, service.url()).memory_mb for path in (hour, hours)}
    yield Row(
        f"memory of a file of {HOURS} hours, worker processes included",
        memory[hours],
        "MB",
        limit=Beside("a file of 1 hour", memory[hour], Target(1.1)),
    )


def load(path: Path, url: str) -> Loaded:
    """Load a recording in a new process."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as processes:
        return processes.submit(_load, path, url).result()


def _load(path: Path, url: str) -> Loaded:
    from langchain_qwen_audio import ChatQwenAudio, QwenAudioLoader

    llm = ChatQwenAudio(model=MODEL, base_url=url + NATIVE, api_key=KEY)
    llm.invoke("What is said?")  # the SDK is imported once, however long the recording
    loader = QwenAudioLoader(path, llm=llm, max_concurrency=CONCURRENCY)
    began = time.monotonic()
    for _ in loader.lazy_load():
        pass
    return Loaded(time.monotonic() - began, loader.summary.segments, peak_mb())


def peak_mb() -> float:
    """Read the most memory that this process and its workers ever had; Linux tells."""
    from langchain_qwen_audio._media.worker_pool import POOL

    pids = ("self", *(worker.process.pid for worker in POOL._all))  # noqa: SLF001
    texts = (Path(f"/proc/{pid}/status").read_text(encoding="ascii") for pid in pids)
    return sum(int(it) for text in texts for it in re.findall(r"VmHWM:\s+(\d+) kB", text)) / 1000
