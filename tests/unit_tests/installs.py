"""Python as it is where only some of the package's requirements are installed.

The requirements of the base and of each extra come from pyproject.toml, what those need in turn
from the metadata of what is installed here. What is installed besides is not found: imports fail,
`importlib.util.find_spec` finds nothing, and `importlib.metadata` knows nothing of it.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import json
import os
import pty
import subprocess
import sys
import tempfile
import termios
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit_tests.programs import STRICT
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = "langchain_qwen_audio"
EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]

# A process that has imported what the base install is made of, and forks for each program: that
# takes most of the time of a program that is started anew. This package itself is not imported.
_FORK = """
import gc, importlib.machinery, json, os, re, runpy, signal, sys

modules, distributions = set(), set()  # to be hidden


class Installed(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = super().find_spec(name, path, target)
        is_hidden = name.partition(".")[0] in modules
        if found and is_hidden and "thirdparty_files" not in (found.origin or ""):  # Ray's own
            return None
        return found

    @classmethod
    def find_distributions(cls, *args, **options):
        for found in super().find_distributions(*args, **options):
            name = re.search("^Name: (.*)$", found.read_text("METADATA") or "Name: ", re.M)[1]
            if re.sub("[-_.]+", "-", name).lower() not in distributions:
                yield found


def hide(*names):
    for hidden, these in zip((modules, distributions), names):
        hidden.clear()
        hidden.update(these)


frozen = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
sys.meta_path[:] = [*frozen, Installed]
hide(*json.loads(sys.stdin.readline()))
for name in [name for name in sys.modules if name.partition(".")[0] in modules]:
    del sys.modules[name]
import aiohttp, av, cachetools, dashscope, langchain_core.tools, langchain_core.tracers.event_stream
import langchain_core.document_loaders, langchain_core.runnables.history
gc.collect()
gc.freeze()  # no program's end visits all that again
gc.disable()  # most of what a program makes are the classes of what it imports

for line in sys.stdin:
    names, files, folder, variables, seconds, (kind, what, *rest) = json.loads(line)
    child = os.fork()
    if not child:
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()

signal.alarm(seconds)
hide(*names)
for number, file in enumerate(files):
    os.dup2(os.open(file, os.O_RDWR | os.O_CREAT), number)
    stream = open(number, "w" if number else "r", closefd=False)
    setattr(sys, ("stdin", "stdout", "stderr")[number], stream)
os.chdir(folder)
os.environ.clear()
os.environ.update(variables)
sys.argv = [what, *rest]
if kind == "-m":
    runpy.run_module(what, run_name="__main__", alter_sys=True)
else:
    exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})
"""


@functools.cache
def distributions(*extras: str) -> frozenset[str]:
    """Name what pip installs with the package and these extras, as far as it is installed here."""
    todo = [_PROJECT["name"], *_PROJECT["dependencies"]]
    for extra in extras:
        todo += EXTRAS[extra]
    found: dict[tuple[str, str], None] = {}
    while todo:
        requirement = Requirement(todo.pop())
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) not in found:
                found[name, extra] = None
                todo += _required(name, extra)
    return frozenset(name for name, _ in found)


def _required(name: str, extra: str) -> list[str]:
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    parsed = ((line, Requirement(line).marker) for line in lines)
    return [line for line, it in parsed if it is None or it.evaluate({"extra": extra})]


@functools.cache
def modules(*extras: str) -> frozenset[str]:
    """Name the top-level modules of what is installed with the package and these extras."""
    wanted = distributions(*extras)
    return frozenset(
        module
        for module, names in _names_by_module().items()
        if any(canonicalize_name(name) in wanted for name in names)
    )


@functools.cache
def _names_by_module() -> Mapping[str, list[str]]:
    return importlib.metadata.packages_distributions()


@functools.cache
def _installed() -> frozenset[str]:
    """Name all that is installed here."""
    return frozenset(canonicalize_name(it.name) for it in importlib.metadata.distributions())


def is_installed(extra: str) -> bool:
    """Tell whether this environment has an extra at all."""
    return _installed().issuperset(canonicalize_name(Requirement(it).name) for it in EXTRAS[extra])


def _hidden(*extras: str) -> tuple[list[str], list[str]]:
    """Name the modules and the distributions that these extras do not bring."""
    names = _names_by_module().keys() - modules(*extras)
    return sorted(names - {PACKAGE}), sorted(_installed() - distributions(*extras))


def environment(**more: str) -> dict[str, str]:
    """Copy the environment without the variables that say where the service is."""
    return {name: it for name, it in os.environ.items() if "DASHSCOPE" not in name} | more


class Installs:
    """Runs programs where the base and some extras are all that is installed."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._send(_hidden())

    def run(
        self,
        *args: str,
        extras: tuple[str, ...] = (),
        cwd: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a Python that has these extras alone.

        Args:
            args: `"-m", module, …` or `"-c", code, …`.
            extras: Extras of the package; none is the base install.
            cwd: Where it runs.
            stdin: What it reads.
            env: Variables, besides those of `environment`.
        """
        assert self._process.stdout
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("stdin", "stdout", "stderr")]
            files[0].write_text(stdin, encoding="utf-8")
            variables, paths = environment(**env or {}), [str(it) for it in files]
            self._send((_hidden(*extras), paths, str(cwd or Path.cwd()), variables, HANG_S, args))
            code = int(self._process.stdout.readline())
            shown = [it.read_text(encoding="utf-8") for it in files[1:]]
        return subprocess.CompletedProcess(args, code, *shown)

    def _send(self, data: object) -> None:
        assert self._process.stdin
        print(json.dumps(data), file=self._process.stdin, flush=True)


@contextlib.contextmanager
def installs() -> Iterator[Installs]:
    """Start what runs such programs."""
    command = [sys.executable, *STRICT, "-c", _FORK]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, env=environment()) as process:  # type: ignore[call-overload]
        yield Installs(process)
        process.stdin.close()


def run_at_terminal(command: list[str], **options: Any) -> tuple[int, str]:
    """Run a command at a pseudo-terminal; return its exit code, and all that it shows."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    shown = b""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, **options) as it:
        os.close(theirs)
        with contextlib.suppress(OSError):  # as Linux says that the other end is closed
            while data := os.read(ours, 65_536):
                shown += data
    os.close(ours)
    return it.returncode, shown.decode()
