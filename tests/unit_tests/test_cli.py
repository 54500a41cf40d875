"""The command, as a shell runs it."""

import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

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
    assert re.fullmatch(r"\d+ tokens in \(179 of audio\), \d+ out\n", done.stderr)


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
        assert it.wait(timeout=10) == 130
