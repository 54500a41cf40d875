"""Names of transcripts, and how they are written; test_cli has what the command does with them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from langchain_qwen_audio._transcription.transcript_folder import TranscriptFolder

NAMES: list[tuple[list[str], list[str]]] = [
    ([], []),
    (["a.wav", "b/c.mp3"], ["a", "c"]),
    (["a.wav", "b/a.wav", "c/a.mp3"], ["a", "a-2", "a-3"]),
    (["a.wav", "a-2.wav", "b/a.wav"], ["a", "a-2", "a-3"]),
    (["a.wav", "A.wav"], ["a", "A-2"]),
    (["https://host/x/a.mp3?token=b.wav", "https://host/"], ["a", "recording"]),
    (["stdin"], ["stdin"]),
]


def test_each_recording_has_a_file_of_its_own() -> None:
    for sources, names in NAMES:
        targets = TranscriptFolder(Path("out")).name_files(sources, "srt")
        assert targets == [Path("out") / f"{name}.srt" for name in names], sources


def test_a_transcript_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path)
    (other := tmp_path / "other").touch()
    folder.write(tmp_path / "a.txt", "a text\n")
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a.txt", other)]
    assert modes[0] == modes[1]


def test_a_name_that_is_no_text_is_written_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    folder = TranscriptFolder(tmp_path)
    (target,) = folder.name_files([name], "jsonl")
    folder.write(target, f'{{"source": "{name}"}}\n')
    assert target.read_text() == '{"source": "caf\\udce9.wav"}\n'
    folder.require_free([target])


def test_a_write_that_fails_leaves_the_file_as_it_was_and_no_other(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path, overwrite=True)
    (target := tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError, match=r"a\.txt"):
        folder.write(target, "a text\n")
    assert {it.name for it in tmp_path.iterdir()} == {"a.txt", ".qwen-audio"}


def test_a_file_that_came_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    folder = TranscriptFolder(tmp_path)
    target = tmp_path / "a.txt"
    folder.require_free([target])
    target.write_text("mine")
    with pytest.raises(FileExistsError, match="--overwrite"):
        folder.write(target, "a text\n")
    assert target.read_text() == "mine"
