"""The command `qwen-audio sample`."""

from __future__ import annotations

from pathlib import Path

import pytest

import langchain_qwen_audio
from langchain_qwen_audio.cli import main

SAMPLE = Path(langchain_qwen_audio.__file__).parent / "samples" / "welcome.wav"


def test_the_sample_is_written_where_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["sample"]) == main(["sample"]) == 0
    assert (tmp_path / "welcome.wav").read_bytes() == SAMPLE.read_bytes()
    assert capsys.readouterr().out == "welcome.wav\nwelcome.wav\n"


def test_another_file_of_that_name_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "welcome.wav").write_text("mine")
    assert main(["sample", "--out", str(tmp_path)]) == 2
    assert (tmp_path / "welcome.wav").read_text() == "mine"
    assert "another file of this name is there; choose a --out" in capsys.readouterr().err


def test_a_directory_that_is_not_there_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", "--out", str(tmp_path / "none")]) == 1
    assert "cannot be written (No such file or directory)" in capsys.readouterr().err
