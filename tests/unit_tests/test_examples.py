"""The examples run as they are, with no key, and transcribe the sample."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit_tests.programs import STRICT
from tests.unit_tests.waiting import HANG_S

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    "name",
    ["audio_url", "local_file", "multi_turn", "streaming", "voice_chat", "speak", "rag", "agent"],
)
def test_example_transcribes_the_sample(name: str) -> None:
    env = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    done = subprocess.run(
        [sys.executable, *STRICT, EXAMPLES / f"{name}.py"],
        capture_output=True,
        text=True,
        env=env,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "the local test server answers, not Qwen-Audio" in done.stdout
    assert "Welcome to the recording studio" in done.stdout
