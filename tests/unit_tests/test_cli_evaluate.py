"""The command `evaluate`: tables of error rates, costs, and exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio.cli import main
from langchain_qwen_audio.evaluation import TranscriptEvaluation
from langchain_qwen_audio.local import LocalDashScope

from .models import ASR, RECOGNITION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio.local import ReceivedRequest

SAMPLE = Path(__file__).parents[2] / "langchain_qwen_audio" / "samples" / "welcome.wav"
JOBS = f"{RECOGNITION}-filetrans"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(SAMPLE, tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text("One two three.")
    return tmp_path


def by_model(request: ReceivedRequest) -> str:
    return "one two three" if request.json["model"] == ASR else "one too"


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=by_model) as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        monkeypatch.setenv("DASHSCOPE_REGION", "cn-beijing")
        yield server


def test_a_table_for_the_default_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[1] == "0.0%      3            0        0         0  a.wav"
    assert f"{ASR}: WER 0.0%, 0 errors in 3 words of 1 recording; cost 0.00" in out
    assert err == ""


def test_several_models_are_compared_at_the_end(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [ASR, RECOGNITION, ASR]
    assert main(["evaluate", str(folder), *(f"--model={it}" for it in names)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3] == ""
    assert lines[-2].startswith(f"{ASR}: WER 0.0%, 0 errors")
    assert lines[-1].startswith(f"{RECOGNITION}: WER 66.7%, 2 errors")
    assert "cost 0.0" in lines[-1]


def test_json_is_an_object_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", str(folder), "--json", "--model", ASR, "--model", RECOGNITION]
    assert main(command) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(it)["total"]["hits"] for it in lines] == [3, 1]
    assert TranscriptEvaluation.model_validate_json(lines[1]).model == RECOGNITION


@pytest.mark.usefixtures("fast_polling")
def test_a_model_of_jobs_is_evaluated_by_jobs(
    folder: Path, capsys: pytest.CaptureFixture[str], service: LocalDashScope
) -> None:
    assert main(["evaluate", str(folder), "--model", JOBS]) == 0
    assert f"{JOBS}: WER 66.7%" in capsys.readouterr().out
    assert "upload" in {it.kind for it in service.requests}


def test_a_recording_that_failed_ends_in_an_exit_code(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.wav").write_text("not a recording")
    (folder / "b.txt").write_text("Four.")
    assert main(["evaluate", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert "failed, and not in the total: " in out
    assert err == "qwen-audio: 1 of 2 transcripts failed\n"


def test_a_folder_that_cannot_be_used_ends_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], service: LocalDashScope
) -> None:
    assert main(["evaluate", str(tmp_path / "none")]) == 2
    assert "expected a folder of recordings" in capsys.readouterr().err
    assert service.requests == []


def test_with_local_whisper_transcribes(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "a.txt").write_text((SAMPLE.with_suffix(".txt")).read_text())
    assert main(["evaluate", str(folder), "--local"]) == 0
    assert "qwen3-asr-flash: WER 0.0%, 0 errors in 19 words" in capsys.readouterr().out
