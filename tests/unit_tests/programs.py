"""Programs that tests run in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest

from tests.unit_tests.waiting import HANG_S

# Options of a program in which every warning is an error, but for langsmith's own on Python 3.14.
STRICT = [
    "-Werror",
    "-Wignore:'asyncio.iscoroutinefunction' is deprecated:DeprecationWarning",
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
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *_PRELOADED])
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("stdout", "stderr")]
        variables = dict(os.environ) if environment is None else environment
        process = context.Process(target=_run, args=(code, arguments, variables, files))
        process.start()
        process.join(HANG_S)
        output, errors = (file.read_text(encoding="utf-8") for file in files)
        assert (errors, process.exitcode) == ("", 0), f"{process.exitcode}\n{output}\n{errors}"
        process.close()
    return output


_PRELOADED = [
    "langchain_qwen_audio.chat_models",
    "langchain_qwen_audio.document_loaders",
    "langchain_qwen_audio._service.client",
    "tests.unit_tests.recordings",
    "av",
]


def _run(code: str, arguments: list[str], environment: dict[str, str], files: list[Path]) -> None:
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["-c", *arguments]
    warnings.simplefilter("error")
    exec(compile(code, "<program>", "exec"), {"__name__": "__main__"})  # noqa: S102
