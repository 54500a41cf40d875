"""The jobs that workers do meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio._media.worker_pool import POOL, WorkerPool

if TYPE_CHECKING:
    from collections.abc import Generator


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """List the jobs of workers."""
    done: list[str] = []

    def run(
        pool: WorkerPool, job: str, *arguments: Any, **options: Any
    ) -> Generator[bytes, None, Any]:
        done.append(job)
        return (yield from WorkerPool.run(pool, job, *arguments, **options))

    monkeypatch.setattr(POOL, "run", run.__get__(POOL))
    return done
