"""The examples run as they are, with no key, and transcribe the sample."""

import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply
from tests.unit_tests._live.conversations import silence, tone
from tests.unit_tests.programs import run_forked
from tests.unit_tests.waiting import HANG_S

EXAMPLES = Path(__file__).parents[2] / "examples"
RUN = """
import pathlib, runpy, sys
sys.path.insert(0, str(pathlib.Path(sys.argv[1]).parent))
if sys.argv[2:]:
    import connect
    connect.SAMPLE = pathlib.Path(sys.argv[2])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(name: str, environment: dict[str, str], *sample: str) -> str:
    variables = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    variables |= environment
    return run_forked(RUN, str(EXAMPLES / f"{name}.py"), *sample, environment=variables)


def test_without_a_key_an_example_starts_the_local_test_server() -> None:
    output = run("audio_url", {})
    assert "the local test server answers, not Qwen-Audio" in output
    assert "Welcome to the recording studio" in output


TRANSCRIBING = [
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
]
ONE_AFTER_THE_OTHER = """
import contextlib, io, json, runpy, sys, traceback
sys.path.insert(0, sys.argv[1])
outcomes = {}
for name in sys.argv[2:]:
    printed, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed):
            runpy.run_path(f"{sys.argv[1]}/{name}.py", run_name="__main__")
    except BaseException:
        error = traceback.format_exc()
    outcomes[name] = printed.getvalue(), error
print(json.dumps(outcomes))
"""


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[str, str]]:
    """Run the examples in one process, as they load the same: what each printed and raised."""
    with LocalDashScope() as server:  # its Whisper has transcribed the sample for other tests
        variables = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
        variables |= {"DASHSCOPE_API_KEY": "local", "DASHSCOPE_BASE_URL": server.base_url}
        args = (str(EXAMPLES), *TRANSCRIBING)
        outcomes: dict[str, tuple[str, str]] = json.loads(
            run_forked(ONE_AFTER_THE_OTHER, *args, environment=variables)
        )
    return outcomes


@pytest.mark.parametrize("name", TRANSCRIBING)
def test_example_transcribes_the_sample(outcomes: dict[str, tuple[str, str]], name: str) -> None:
    printed, error = outcomes[name]
    assert error == ""
    assert "Welcome to the recording studio" in printed


# A stream that does not end.
BEGUN = RawReply(
    headers={"content-type": "text/event-stream"},
    steps=(b'data: {"choices": [{"delta": {"content": "Yes, we are. "}}]}\n\n', float(HANG_S)),
)


class Callers:
    """What is said and answered on the phone; the second question comes within the first answer."""

    def __init__(self) -> None:
        self.questions = ["Are you open?", "And at the weekend?"]
        self.first_is_spoken = threading.Event()
        self.conversations: list[list[dict[str, Any]]] = []

    def reply(self, request: Any) -> Reply | RawReply:
        if request.kind == "live":
            if len(self.questions) == 1:
                assert self.first_is_spoken.wait(HANG_S)
            return Reply(self.questions.pop(0))
        if "audio" in request.json.get("modalities", []):
            self.first_is_spoken.set()
            return Reply("…", audio=tone(0.1, 24_000))
        self.conversations.append(request.messages)
        return self.answer(request.messages[-1])

    def answer(self, last: dict[str, Any]) -> Reply | RawReply:
        if last["role"] == "tool":
            return Reply("From 10 to 14 o'clock.")
        if last["content"] == "Are you open?":
            return BEGUN
        return Reply(tool_calls=[{"name": "studio_hours", "arguments": {"day": "weekend"}}])


def test_the_voice_agent_is_interrupted_and_calls_its_tool(tmp_path: Path) -> None:
    phone, recording = Callers(), tmp_path / "caller.wav"
    samples = memoryview(tone(0.2) + silence(0.6) + tone(0.2)).cast("h")
    recording.write_bytes(Audio.from_array(samples, 16_000).data)
    with LocalDashScope(reply=phone.reply) as server:
        variables = {"DASHSCOPE_API_KEY": "local", "DASHSCOPE_BASE_URL": server.base_url}
        variables["PATH"] = ""  # nothing is played
        output = run("voice_agent", variables, str(recording))
    lines = [line for line in output.splitlines() if not line.startswith("  (")]
    assert lines == [
        "user:  Are you open?",
        "agent: Yes, we are. ",
        "agent: (interrupted)",
        "user:  And at the weekend?",
        "agent: From 10 to 14 o'clock.",
    ]
    *_, last = phone.conversations
    assert [(it["role"], it.get("content")) for it in last[1:4]] == [
        ("user", "Are you open?"),
        ("assistant", "Yes, we are. "),
        ("user", "And at the weekend?"),
    ]
    assert last[-1]["content"] == "from 10 to 14 o'clock"
