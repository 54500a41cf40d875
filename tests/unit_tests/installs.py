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
import termios
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit_tests.programs import STRICT
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = "langchain_qwen_audio"
EXTRAS: dict[str, list[str]] = _PROJECT["optional-dependencies"]

_START = """
import importlib.machinery, json, re, runpy, sys

modules, distributions = map(set, json.loads(sys.argv[1]))  # to be hidden


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
            if re.sub("[-_.]+", "-", found.name).lower() not in distributions:
                yield found


frozen = [importlib.machinery.BuiltinImporter, importlib.machinery.FrozenImporter]
sys.meta_path[:] = [*frozen, Installed]
for name in [name for name in sys.modules if name.partition(".")[0] in modules]:
    del sys.modules[name]

kind, what, *rest = sys.argv[2:]
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


def python(*args: str, extras: tuple[str, ...] = ()) -> list[str]:
    """Make the command line of a Python that has these extras alone.

    Args:
        args: `"-m", module, …` or `"-c", code, …`.
        extras: Extras of the package; none is the base install.
    """
    names = _names_by_module().keys() - modules(*extras)
    hidden = [sorted(names - {PACKAGE}), sorted(_installed() - distributions(*extras))]
    return [sys.executable, *STRICT, "-c", _START, json.dumps(hidden), *args]


def environment(**more: str) -> dict[str, str]:
    """Copy the environment without the variables that say where the service is."""
    return {name: it for name, it in os.environ.items() if "DASHSCOPE" not in name} | more


def run(
    *args: str,
    extras: tuple[str, ...] = (),
    cwd: Path | None = None,
    stdin: str = "",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a Python that has these extras alone; see `python`."""
    return subprocess.run(
        python(*args, extras=extras),
        capture_output=True,
        text=True,
        input=stdin,
        env=environment(**env or {}),
        cwd=cwd,
        timeout=HANG_S,
        check=False,
    )


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
