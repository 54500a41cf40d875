"""The examples run as they are, with no key, and hear what the sample says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "name",
    ["audio_url", "local_file", "multi_turn", "streaming", "voice_chat", "speak", "rag", "agent"],
)
def test_example_hears_the_sample(name: str) -> None:
    env = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    done = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        env=env,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "a local stand-in answers, not Qwen-Audio" in done.stdout
    assert "Welcome to the recording studio" in done.stdout
