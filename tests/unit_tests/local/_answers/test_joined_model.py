"""Files in parts of several packages → one folder."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio.local._answers.joined_model import PinnedFile, join_model

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = b"first half, second half"
PARTS = ("first_package/data/part1", "second_package/data/part2")
FILES = {
    "model.bin": PinnedFile(hashlib.sha256(WHOLE).hexdigest(), PARTS),
    "config.json": PinnedFile(
        hashlib.sha256(b"{}").hexdigest(), ("first_package/data/config.json",)
    ),
}
JOIN = f"""
from pathlib import Path
import sys
from langchain_qwen_audio.local._answers.joined_model import PinnedFile, join_model
join_model({FILES!r}, Path(sys.argv[1]))
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two packages that can be imported."""
    folder = tmp_path / "packages"
    for path, content in ((PARTS[0], WHOLE[:10]), (PARTS[1], WHOLE[10:])):
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(content)
        (folder / path).parents[1].joinpath("__init__.py").touch()
    (folder / "first_package/data/config.json").write_text("{}")
    monkeypatch.syspath_prepend(folder)
    for package in ("first_package", "second_package"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    return folder


@pytest.mark.usefixtures("packages")
def test_parts_are_joined_once_and_damage_is_repaired(tmp_path: Path) -> None:
    folder = join_model(FILES, tmp_path / "cache/model")
    joined = folder / "model.bin"
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.bin"]
    assert joined.read_bytes() == WHOLE
    written = joined.stat().st_ino
    join_model(FILES, folder)
    assert joined.stat().st_ino == written
    joined.write_bytes(WHOLE[:-1])
    join_model(FILES, folder)
    assert joined.read_bytes() == WHOLE


def test_other_files_than_expected_are_refused_and_not_kept(packages: Path, tmp_path: Path) -> None:
    (packages / PARTS[1]).write_bytes(b"something else")
    with pytest.raises(ValueError, match=r"model\.bin of first_package and second_package has the"):
        join_model(FILES, tmp_path / "model")
    assert [*(tmp_path / "model").iterdir()] == []


def test_two_processes_can_join_at_the_same_time(packages: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    command = [sys.executable, "-c", JOIN, str(folder)]
    path = {"PYTHONPATH": f"{packages}:{':'.join(sys.path)}"}
    running = [subprocess.Popen(command, env=path) for _ in range(2)]
    assert [process.wait() for process in running] == [0, 0]
    assert (folder / "model.bin").read_bytes() == WHOLE
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.bin"]
