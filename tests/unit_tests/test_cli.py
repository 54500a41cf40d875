"""The command, as a shell runs it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import wave
from pathlib import Path

import pysubs2
import pytest

SAMPLES = Path(__file__).parents[2] / "langchain_qwen_audio" / "samples"
SAMPLE = str(SAMPLES / "welcome.wav")
COMMAND = [sys.executable, "-W", "error", "-m", "langchain_qwen_audio.cli"]


def run(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    return subprocess.run(
        [*COMMAND, *args], capture_output=True, text=True, env=clean | env, timeout=60, check=False
    )


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["stream", "whole"])
def test_ask_local_prints_what_the_sample_says_and_usage_apart(how: tuple[str, ...]) -> None:
    done = run("ask", SAMPLE, "What does the speaker say?", "--local", *how)
    said = words((SAMPLES / "welcome.txt").read_text())
    assert done.returncode == 0
    assert words(done.stdout)[-len(said) :] == said
    assert "not Qwen-Audio" in done.stdout
    notice, usage = done.stderr.splitlines()
    assert "not Qwen" in notice
    assert re.fullmatch(r"\d+ tokens in \(179 of audio\), \d+ out", usage)


def test_several_recordings_need_no_prompt() -> None:
    done = run("ask", SAMPLE, SAMPLE, "--local")
    assert done.returncode == 0
    assert "358 of audio" in done.stderr


@pytest.mark.parametrize(
    ("args", "env", "code", "message"),
    [
        ((), {}, 2, "COMMAND"),
        (("ask", "no.wav"), {}, 2, "no.wav: no such file"),
        (("ask", SAMPLE, "no.wav", "--local"), {}, 2, "no.wav: no such file"),
        (("ask", SAMPLE), {}, 2, "set the environment variable DASHSCOPE_API_KEY, or add --local"),
        (("ask", str(SAMPLES / "welcome.txt"), "Well?", "--local"), {}, 1, "not usable audio"),
        (
            ("ask", SAMPLE, "Well?"),
            {"DASHSCOPE_API_KEY": "sk-1", "DASHSCOPE_BASE_URL": "http://127.0.0.1:9/api/v1"},
            1,
            "APIConnectionError",
        ),
    ],
    ids=["no command", "no file", "no second file", "no key", "not audio", "no service"],
)
def test_mistakes_are_one_line_and_an_exit_code(
    args: tuple[str, ...], env: dict[str, str], code: int, message: str
) -> None:
    done = run(*args, **env)
    assert done.returncode == code
    assert done.stdout == ""
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_that_takes_no_text_is_sent_no_prompt() -> None:
    done = run("ask", SAMPLE, "--local", "--model", "qwen3-asr-flash")
    assert words(done.stdout) == words((SAMPLES / "welcome.txt").read_text())


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of two recordings of the same name: 7 s, and 14 s with a pause."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "again").mkdir()
    shutil.copy(SAMPLE, folder / "welcome.wav")
    with wave.open(SAMPLE) as sample, wave.open(str(folder / "again/welcome.wav"), "wb") as twice:
        frames = sample.readframes(sample.getnframes())
        twice.setparams(sample.getparams())
        twice.writeframes(frames + bytes(16_000) + frames)
    return folder


def test_transcribe_writes_subtitles_that_a_library_reads(recordings: Path, tmp_path: Path) -> None:
    done = run("transcribe", str(recordings), "--format", "srt", "--out", str(tmp_path), "--local")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(tmp_path / name) for name in ("welcome.srt", "welcome-2.srt")
    ]
    assert "not Qwen" in done.stderr
    assert "2 recordings, 00:21 in 3 segments (0 failed, 0 from the checkpoint)" in done.stderr
    said = words((SAMPLES / "welcome.txt").read_text())
    twice, once = (pysubs2.load(str(tmp_path / it)) for it in ("welcome.srt", "welcome-2.srt"))
    assert [words(cue.plaintext) for cue in once] == [said]
    assert [words(cue.plaintext) for cue in twice] == [said, said]
    assert (once[0].start, once[0].end) == (0, 7_155)
    assert twice[0].end == twice[1].start
    assert 7_155 <= twice[0].end <= 8_000, "cut in the pause"
    assert twice[1].end == 14_810


def test_transcribe_goes_on_where_it_was(recordings: Path, tmp_path: Path) -> None:
    command = ("transcribe", str(recordings / "*.wav"), "--out", str(tmp_path), "--local")
    assert run(*command, "--format", "txt").returncode == 0
    text = (tmp_path / "welcome.txt").read_text()
    (tmp_path / "welcome.txt").unlink()
    again = run(*command, "--format", "jsonl", "--resume")
    assert "1 from the checkpoint): 0 tokens in, 0 out" in again.stderr
    row = json.loads((tmp_path / "welcome.jsonl").read_text())
    assert row["text"] == text
    assert row["model"] == "local-stand-in/whisper-tiny.en"
    assert "0 from the checkpoint" in run(*command, "--format", "vtt").stderr


def test_transcribe_says_what_it_could_not_hear(recordings: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF....WAVEnothing")
    paths = (str(tmp_path / "broken.wav"), str(recordings / "welcome.wav"))
    done = run("transcribe", *paths, "--out", str(tmp_path / "out"), "--local")
    assert done.returncode == 1
    assert "1 of 2 recordings were not heard whole" in done.stderr
    assert "not usable audio" in (tmp_path / "out" / "broken.txt").read_text()
    assert "recording studio" in (tmp_path / "out" / "welcome.txt").read_text()


def test_serve_says_what_it_is_and_stops_on_interrupt() -> None:
    with subprocess.Popen(
        [*COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as it:
        assert it.stdout is not None
        banner = it.stdout.readline()
        url = banner.split()[-1]
        assert "local stand-in of DashScope, not Qwen-Audio" in banner
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"{url}/nothing", timeout=5)  # noqa: S310
        it.send_signal(signal.SIGINT)
        try:
            assert it.wait(timeout=10) == 130
        finally:
            it.kill()
