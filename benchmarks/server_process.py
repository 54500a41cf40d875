"""A server of the benchmarks in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import ClassVar, Self

ROOT = Path(__file__).parent.parent


class ServerProcess:
    """A server, while the context lasts. Its module prints the port, and serves until the end."""

    module: ClassVar[str]

    def __enter__(self) -> Self:
        """Start it."""
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", self.module], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None  # noqa: S101
        self._host = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.communicate()
