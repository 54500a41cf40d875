"""What the package says of itself, where an index, an installer and CI read it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

import langchain_qwen_audio

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_version_is_the_one_that_was_installed() -> None:
    assert langchain_qwen_audio.__version__ == version("langchain-qwen-audio")


def test_the_readme_of_a_package_index_has_no_link_to_a_file() -> None:
    hooks = PYPROJECT["tool"]["hatch"]["metadata"]["hooks"]
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for it in hooks["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(it["pattern"], it["replacement"], text)
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert [link for link in re.findall(r"\]\(([^)]*)\)", prose) if "://" not in link] == []


def test_the_same_pythons_are_declared_made_and_tested() -> None:
    declared = re.findall(r"Python :: (3\.\d+)", "\n".join(PYPROJECT["project"]["classifiers"]))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    [supported] = re.findall(r"^SUPPORTED := (.*)$", makefile, re.MULTILINE)
    workflow = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    [matrix] = re.findall(r"python: \[(.*)\]", workflow)
    assert supported.split() == [f"python{number}" for number in declared]
    assert re.findall(r"[\d.]+", matrix) == declared
    assert PYPROJECT["project"]["requires-python"] == f">={declared[0]}"


@pytest.mark.parametrize("below_pyenv", [True, False], ids=["in pyenv", "nowhere"])
def test_an_interpreter_that_pyenv_hides_is_found(tmp_path: Path, *, below_pyenv: bool) -> None:
    shim = tmp_path / "shims" / "python9.9"
    hidden = tmp_path / "versions" / "9.9.0" / "bin" / "python9.9"
    for folder in (shim.parent, hidden.parent):
        folder.mkdir(parents=True)
    shim.write_text("#!/bin/sh\nexit 127\n")  # what pyenv does with a version that is not selected
    shim.chmod(0o755)
    if below_pyenv:
        hidden.symlink_to(sys.executable)
    done = subprocess.run(
        [ROOT / ".ci" / "find-python", "python9.9"],
        env=os.environ
        | {"PATH": f"{shim.parent}:{os.environ['PATH']}", "PYENV_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if below_pyenv else 1)
    assert done.stdout.strip() == (os.path.realpath(sys.executable) if below_pyenv else "")
    assert below_pyenv or "python9.9" in done.stderr
