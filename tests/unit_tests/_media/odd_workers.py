"""Workers that do something else than they should, or within other limits."""

from __future__ import annotations

from langchain_qwen_audio._media import worker_pool

# A worker with a job of its own, whose code comes before the worker's program.
_ODD = """
import sys
sys.path[:] = sys.argv[1:]
from langchain_qwen_audio._media import work_limits, worker
{}
worker.serve_jobs()
"""


def odd_command(code: str) -> list[str]:
    """Say how to start a worker that runs some code before it begins."""
    start, paths = worker_pool._command()[:4], worker_pool._command()[5:]
    return [*start, _ODD.format(code), *paths]
