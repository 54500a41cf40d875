"""The examples run as they are, with no key, and transcribe the sample."""

import os
from pathlib import Path

import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.programs import run_forked

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = """
import pathlib, runpy, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(name: str, environment: dict[str, str]) -> str:
    variables = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    return run_forked(RUN, str(EXAMPLES / f"{name}.py"), environment=variables | environment)


def test_without_a_key_an_example_starts_the_local_test_server() -> None:
    output = run("audio_url", {})
    assert "the local test server answers, not Qwen-Audio" in output
    assert "Welcome to the recording studio" in output


@pytest.mark.parametrize(
    "name",
    [
        "local_file",
        "multi_turn",
        "streaming",
        "voice_chat",
        "speak",
        "rag",
        "rag_speakers",
        "agent",
        "agent_memory",
        "mcp_agent",
        "deep_agent",
        "supervisor",
    ],
)
def test_example_transcribes_the_sample(name: str) -> None:
    with LocalDashScope() as server:  # its Whisper has transcribed the sample for other tests
        output = run(name, {"DASHSCOPE_API_KEY": "local", "DASHSCOPE_BASE_URL": server.base_url})
    assert "Welcome to the recording studio" in output
