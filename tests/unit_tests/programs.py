"""Programs that tests run in a process of their own."""

from __future__ import annotations

import atexit
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.process import BaseProcess

# Options of a program in which every warning is an error, but for langsmith's own on Python 3.14,
# and that of a uvicorn before 0.50 with new websockets.
STRICT = [
    "-Werror",
    "-Wignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning",
    "-Wignore:websockets.:DeprecationWarning",
]

needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
# The most memory that a program has had. What `resource` tells is at least what the process had
# that started it, and so nothing, when that is pytest.
PEAK_MB = """
def peak_mb():
    with open("/proc/self/status") as status:
        return int(status.read().partition("VmHWM:")[2].split()[0]) / 1000
"""


def run_python(
    code: str,
    *arguments: str,
    timeout_s: float = HANG_S,
    environment: dict[str, str] | None = None,
) -> str:
    """Run a program in a process of its own, where a crash is a failing test; return its output."""
    done = subprocess.run(
        [sys.executable, *STRICT, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=None if environment is None else {**os.environ, **environment},
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr[-3000:]}"
    return done.stdout


def run_forked(code: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """Run a program as `run_python` does, in a process that has imported the package already.

    That takes a tenth of the time. The environment, by default this process's, is all that the
    program has; what Python itself reads there has no effect. The process ends without what happens
    at a program's own end.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        process = _start(_run, code, arguments, environment, files)
        process.join(HANG_S)
        exit_code = process.exitcode
        process.kill()  # what hangs does not stay
        output, errors = (file.read_text(encoding="utf-8") for file in files)
        assert (errors, exit_code) == ("", 0), f"{exit_code}\n{output}\n{errors}"
        process.close()
    return output


class Program(NamedTuple):
    """A program that runs, and what it prints."""

    process: BaseProcess
    stdout: IO[str]
    stderr: IO[str]

    def interrupt(self) -> None:
        """Do as Ctrl-C does."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its exit code and its errors."""
        self.process.join(HANG_S)
        assert self.process.exitcode is not None, "it does not end"
        return self.process.exitcode, self.stderr.read()


@contextlib.contextmanager
def started_forked(
    code: str, *arguments: str, environment: dict[str, str] | None = None
) -> Iterator[Program]:
    """Start a program as `run_forked` does, but with all that happens at its end."""
    with contextlib.ExitStack() as later:
        pipes = [os.pipe() for _ in ("stdout", "stderr")]
        read = [later.enter_context(os.fdopen(it, encoding="utf-8")) for it, _ in pipes]
        written = [Connection(it, readable=False) for _, it in pipes]
        process = _start(_run_to_its_end, code, arguments, environment, written)
        later.callback(process.close)
        later.callback(process.join)
        later.callback(process.kill)
        for it in written:
            it.close()  # what is left of them is the program's: its end is the end of its output
        yield Program(process, *read)


def _start(
    run: Callable[..., None],
    code: str,
    arguments: tuple[str, ...],
    environment: dict[str, str] | None,
    outputs: Sequence[Path | Connection],
) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_PRELOADED])
    variables = dict(os.environ) if environment is None else environment
    process = context.Process(target=run, args=(code, arguments, variables, outputs))
    process.start()
    return process


_PRELOADED = [
    "langchain_qwen_audio.chat_models",
    "langchain_qwen_audio.document_loaders",
    "langchain_qwen_audio._service.client",
    "tests.unit_tests.recordings",
    "av",
]


def _run(
    code: str,
    arguments: tuple[str, ...],
    environment: dict[str, str],
    outputs: Sequence[Path | Connection],
) -> None:
    for number, it in enumerate(outputs, start=1):
        os.dup2(
            os.open(it, os.O_WRONLY | os.O_CREAT) if isinstance(it, Path) else it.fileno(), number
        )
    sys.stdout, sys.stderr = (os.fdopen(it, "w", closefd=False) for it in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    warnings.simplefilter("error")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102


def _run_to_its_end(*program: Any) -> None:
    # Python does not notice a signal that comes just before it waits for a lock until the next one.
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 1, 1)
    try:
        _run(*program)
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
