"""Clips on a local Ray cluster, with one worker and with two → clips per second."""

from __future__ import annotations

import importlib.util
import os
import secrets
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import clips
from benchmarks.peers import KEY
from benchmarks.service import OPENAI, Service
from benchmarks.table import Beside, Row, Skipped, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

WHAT = "clips on Ray Data, two workers, 1 s of service time"
CLIPS, AT_ONCE, DELAY_MS = 60, 4, 1000
START = CLIPS // 3  # by then all workers are there


def measure() -> Iterator[Row | Skipped]:
    """Transcribe the same clips with two workers and with one."""
    if importlib.util.find_spec("ray") is None:
        yield Skipped(WHAT, "Ray is not installed")
        return
    _start_cluster()
    with tempfile.TemporaryDirectory() as folder, Service() as service:
        for number in range(CLIPS):
            clip = clips.wav(10, 16_000, 1, seed=number)
            (Path(folder) / f"{number}.wav").write_bytes(clip)
        two, one = (_clips_per_second(folder, service, workers) for workers in (2, 1))
    yield Row(WHAT, two, "clips/s", Beside("one worker", one, Target(1.8, is_least=True)))


def _start_cluster() -> None:
    """Start Ray in this process's children; nobody else is let in."""
    os.environ |= {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(),
    }
    import ray
    import ray.data

    ray.init(num_cpus=2, include_dashboard=False, logging_level="error", log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False


def _clips_per_second(folder: str, service: Service, workers: int) -> float:
    """Transcribe all; what counts is when requests come to the service."""
    from langchain_qwen_audio import ChatQwenAudio
    from langchain_qwen_audio.ray import transcribe

    url = service.url(delay_ms=DELAY_MS) + OPENAI
    llm = ChatQwenAudio(model="own", base_url=url, api_key=KEY)
    service.seen()
    transcribe(
        folder, llm=llm, num_actors=workers, batch_size=AT_ONCE, max_concurrency=AT_ONCE
    ).materialize()
    times_s = service.seen().times_s[START:]
    in_flight = AT_ONCE * workers
    took_s = (later - time for time, later in zip(times_s, times_s[in_flight:], strict=False))
    return in_flight / statistics.mean(took_s)
