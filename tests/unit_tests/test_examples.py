"""The examples run as they are, with no key, and transcribe the sample."""

import os
from pathlib import Path

import pytest

from tests.unit_tests.programs import run_forked

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = """
import pathlib, runpy, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
runpy.run_path(sys.argv[1], run_name="__main__")
"""


@pytest.mark.parametrize(
    "name",
    ["audio_url", "local_file", "multi_turn", "streaming", "voice_chat", "speak", "rag", "agent"],
)
def test_example_transcribes_the_sample(name: str) -> None:
    environment = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    output = run_forked(RUN, str(EXAMPLES / f"{name}.py"), environment=environment)
    assert "the local test server answers, not Qwen-Audio" in output
    assert "Welcome to the recording studio" in output
