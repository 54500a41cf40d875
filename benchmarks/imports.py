"""What a program waits for before its first line, each in a fresh interpreter → times."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.calls import beside
from benchmarks.peers import CHAT_OPENAI, OURS
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 7
CORE = "langchain_core"
STATEMENTS = {
    CORE: "from langchain_core.language_models.chat_models import BaseChatModel",
    OURS: "from langchain_qwen_audio import ChatQwenAudio",
    CHAT_OPENAI: "from langchain_openai import ChatOpenAI",
}
TIMING = "import time; t = time.perf_counter(); {}; print(time.perf_counter() - t)"


def measure() -> Iterator[Row]:
    """Time imports in turns."""
    turns: dict[str, list[float]] = {name: [] for name in STATEMENTS}
    for _ in range(ROUNDS + 1):
        for name, statement in STATEMENTS.items():
            turns[name].append(_import_ms(statement))
    turns = {name: taken[1:] for name, taken in turns.items()}  # the first one compiles
    yield Row(
        "import",
        statistics.median(turns[OURS]),
        "ms",
        otherwise=beside(turns, CHAT_OPENAI),
        limit=beside(turns, CORE, target=1.05),
    )


def _import_ms(statement: str) -> float:
    # What is edited here is compiled once, as what is installed was.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", TIMING.format(statement)],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return 1000 * float(done.stdout)
