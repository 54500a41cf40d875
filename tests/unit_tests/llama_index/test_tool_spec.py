"""The tools as LlamaIndex's: what they say, what they do not reach, and agents that use them."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from langchain_core.tools import ToolException
from llama_index.core.agent.workflow import AgentStream, FunctionAgent, ReActAgent, ToolCallResult
from llama_index.core.base.llms.types import AudioBlock, ChatMessage, TextBlock
from llama_index.core.memory import Memory
from llama_index.core.tools import FunctionTool, ToolMetadata, ToolOutput
from pydantic import ValidationError

import langchain_qwen_audio
from langchain_qwen_audio import Audio, LoadAudio
from langchain_qwen_audio.errors import AuthenticationError
from langchain_qwen_audio.llama_index import QwenAudio, QwenAudioToolSpec
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from tests.unit_tests.recordings import decode_all, tone, wav

from .conftest import llm_at

if TYPE_CHECKING:
    from collections.abc import Iterator

# LlamaIndex's workflows look at every attribute of an agent, also at Pydantic's deprecated ones,
# and its ReActAgent at one of its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:is_running called from within a step"),
    pytest.mark.filterwarnings("ignore:The `__fields"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_"),
]

SAMPLES = Path(langchain_qwen_audio.__file__).parent / "samples"
WELCOME = "Welcome to the recording studio, please speak clearly into the microphone"
TONE = wav(tone(2.0))


def sent_clips(server: LocalDashScope) -> list[bytes]:
    """List the recordings of the latest question, in either protocol."""
    found = [
        part.get("audio") or part["input_audio"]["data"]
        for message in server.requests[-1].messages
        for part in message["content"]
        if "audio" in part or "input_audio" in part
    ]
    return [base64.b64decode(uri.partition(";base64,")[2], validate=True) for uri in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.wav").write_bytes(TONE)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "tone.wav").write_bytes(TONE)
    (folder / "notes.wav").write_text("No recording at all.")
    (folder / "out.wav").symlink_to(tmp_path / "secret.wav")
    return folder


class Call(Protocol):
    """Call a tool, synchronously or not."""

    def __call__(self, tool: FunctionTool, /, **args: Any) -> ToolOutput: ...


def call_now(tool: FunctionTool, /, **args: Any) -> ToolOutput:
    return tool.call(**args)


def call_later(tool: FunctionTool, /, **args: Any) -> ToolOutput:
    return asyncio.run(tool.acall(**args))


@pytest.fixture(params=[call_now, call_later], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    way: Call = request.param
    return way


def tools_of(spec: QwenAudioToolSpec) -> dict[str, FunctionTool]:
    return {tool.metadata.get_name(): tool for tool in spec.to_tool_list()}


def test_which_tools_there_are(llm: QwenAudio, folder: Path) -> None:
    assert list(tools_of(QwenAudioToolSpec(folder))) == ["list_audio", "load_audio"]
    assert list(tools_of(QwenAudioToolSpec(allow_urls=True))) == ["load_audio"]
    spec = QwenAudioToolSpec(folder, llm=llm)
    assert list(tools_of(spec)) == ["list_audio", "load_audio", "ask_audio"]
    assert [tool.metadata.name for tool in spec.to_tool_list(["ask_audio"])] == ["ask_audio"]
    own = ToolMetadata("Load it.", "load")
    (renamed,) = spec.to_tool_list(["ask_audio"], {"ask_audio": own})
    assert renamed.metadata is own


def test_they_are_described_as_langchains(llm: QwenAudio, folder: Path) -> None:
    tools = tools_of(QwenAudioToolSpec(folder, llm=llm))
    told = tools["load_audio"].metadata
    assert told.description == LoadAudio(root_dir=folder).description
    parameters = told.get_parameters_dict()
    assert list(parameters["properties"]) == ["audio", "start_s", "end_s"]
    assert parameters["required"] == ["audio"]
    assert "Name of the recording" in parameters["properties"]["audio"]["description"]
    assert tools["list_audio"].metadata.get_parameters_dict()["properties"] == {}


def test_load_audio(call: Call, folder: Path) -> None:
    output = call(tools_of(QwenAudioToolSpec(folder))["load_audio"], audio="tone.wav")
    text, recording = output.blocks
    assert isinstance(text, TextBlock)
    assert text.text.startswith("tone.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s)")
    assert output.content == text.text
    assert isinstance(recording, AudioBlock)
    assert recording.resolve_audio().read() == TONE


def test_a_part_of_a_recording(call: Call, folder: Path) -> None:
    tool = tools_of(QwenAudioToolSpec(folder))["load_audio"]
    *_, recording = call(tool, audio="tone.wav", start_s=0.5, end_s=1.0).blocks
    assert isinstance(recording, AudioBlock)
    assert decode_all(recording.resolve_audio().read()).seconds == pytest.approx(0.5)


@pytest.mark.parametrize("as_langchain", [False, True])
def test_ask_audio(call: Call, server: LocalDashScope, folder: Path, *, as_langchain: bool) -> None:
    server.script("A tone.")
    llm: Any = llm_at(server, "qwen3.5-omni-flash")
    spec = QwenAudioToolSpec(folder, llm=llm.chat_model if as_langchain else llm)
    output = call(tools_of(spec)["ask_audio"], audio="tone.wav", question="What is it?")
    assert output.content == "A tone."
    assert sent_clips(server) == [TONE]


def test_list_audio(call: Call, folder: Path) -> None:
    tool = tools_of(QwenAudioToolSpec(folder))["list_audio"]
    listed = call(tool).content.splitlines()
    assert f"tone.wav (2.0 s, {len(TONE):,} bytes)" in listed
    assert not any("secret" in line or "out.wav" in line for line in listed)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"audio": "none.wav"}, "there is no such recording in the folder"),
    "outside": ({"audio": "../secret.wav"}, "there is no such recording in the folder"),
    "by a link": ({"audio": "out.wav"}, "there is no such recording in the folder"),
    "no recording": ({"audio": "notes.wav"}, "not usable audio"),
    "a URL": ({"audio": "https://h/a.wav"}, "URLs are not allowed here"),
    "no such part": ({"audio": "tone.wav", "start_s": 9}, "there is nothing from 9 s"),
    "before the beginning": ({"audio": "tone.wav", "start_s": -1}, "start_s: Input should be"),
}


def test_mistakes_raise_what_the_model_can_mend(
    call: Call, folder: Path, subtests: pytest.Subtests
) -> None:
    tool = tools_of(QwenAudioToolSpec(folder))["load_audio"]
    for name, (args, match) in WRONG.items():
        with subtests.test(name), pytest.raises(ToolException, match=match):
            call(tool, **args)


def test_limits(call: Call, folder: Path, llm: QwenAudio) -> None:
    tools = tools_of(QwenAudioToolSpec(folder, llm=llm, max_duration_s=1.0))
    with pytest.raises(ToolException, match="at most 1 s are taken"):
        call(tools["load_audio"], audio="tone.wav")
    with pytest.raises(ToolException, match="at most 1 s are taken"):
        call(tools["ask_audio"], audio="tone.wav", question="?")
    tools = tools_of(QwenAudioToolSpec(folder, max_bytes=10))
    with pytest.raises(ToolException, match="at most 10 are taken"):
        call(tools["load_audio"], audio="tone.wav")
    with pytest.raises(ToolException, match="files are not allowed here"):
        call(tools_of(QwenAudioToolSpec())["load_audio"], audio="tone.wav")
    with pytest.raises(ValidationError):
        QwenAudioToolSpec(folder, max_bytes="many")


def test_other_errors_of_the_model_raise(call: Call, server: LocalDashScope, folder: Path) -> None:
    server.script(error_reply(401, "InvalidApiKey", "no"))
    tools = tools_of(QwenAudioToolSpec(folder, llm=llm_at(server, "qwen-audio-turbo-latest")))
    with pytest.raises(AuthenticationError):
        call(tools["ask_audio"], audio="tone.wav", question="?")


# --- agents -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whisper_server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


def run(agent: Any, text: str) -> tuple[str, list[Any]]:
    """Run an agent; return its answer, and what happened on the way."""

    async def work() -> tuple[str, list[Any]]:
        handler = agent.run(text)
        events = [event async for event in handler.stream_events()]
        return str(await handler), events

    return asyncio.run(work())


@pytest.mark.parametrize(
    ("model", "streaming"), [("qwen-audio-turbo-latest", True), ("qwen3.8-omni-flash", False)]
)
def test_a_function_agent_takes_audio_itself(
    whisper_server: LocalDashScope, model: str, *, streaming: bool
) -> None:
    """The local test server calls by rules, and transcribes."""
    whisper_server.clear()
    tools: list[Any] = [*QwenAudioToolSpec(SAMPLES).to_tool_list()]
    agent = FunctionAgent(tools=tools, llm=llm_at(whisper_server, model), streaming=streaming)
    answer, events = run(agent, "Load welcome.wav and tell me what is said.")
    assert WELCOME in answer
    (loaded,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert (loaded.tool_name, loaded.tool_kwargs["audio"]) == ("load_audio", "welcome.wav")
    (clip,) = sent_clips(whisper_server)
    assert decode_all(clip).seconds == pytest.approx(
        Audio.from_path(SAMPLES / "welcome.wav").duration_s
    )
    if streaming:
        pieces = [event.delta for event in events if isinstance(event, AgentStream)]
        assert WELCOME in "".join(pieces)


def test_a_react_agent_calls_a_model_that_takes_audio(
    whisper_server: LocalDashScope, server: LocalDashScope
) -> None:
    arguments = '{"audio": "welcome.wav", "question": "What is said?"}'
    server.script(
        f"Thought: I need the recording.\nAction: ask_audio\nAction Input: {arguments}",
        "Thought: I can answer without using any more tools.\nAnswer: A welcome.",
    )
    spec = QwenAudioToolSpec(SAMPLES, llm=llm_at(whisper_server, "qwen-audio-turbo-latest"))
    tools: list[Any] = [*spec.to_tool_list()]
    agent = ReActAgent(tools=tools, llm=llm_at(server, "qwen-audio-turbo-latest"))
    answer, events = run(agent, "What is said in welcome.wav?")
    assert answer == "A welcome."
    (result,) = [event for event in events if isinstance(event, ToolCallResult)]
    assert WELCOME in result.tool_output.content
    assert "Observation:" in str(server.requests[-1].messages)
    assert WELCOME in str(server.requests[-1].messages)


def test_a_mistake_comes_back_to_the_agent(server: LocalDashScope, folder: Path) -> None:
    server.script(
        Reply(tool_calls=[{"name": "load_audio", "arguments": {"audio": "../secret.wav"}}]),
        Reply(tool_calls=[{"name": "load_audio", "arguments": {"audio": "tone.wav"}}]),
        "A tone.",
    )
    tools: list[Any] = [*QwenAudioToolSpec(folder).to_tool_list()]
    agent = FunctionAgent(tools=tools, llm=llm_at(server, "qwen3.8-omni-flash"))
    answer, events = run(agent, "What is it?")
    assert answer == "A tone."
    outputs = [event.tool_output for event in events if isinstance(event, ToolCallResult)]
    assert [output.is_error for output in outputs] == [True, False]
    results = [m for m in server.requests[-1].messages if m["role"] == "tool"]
    assert results[0]["content"] == "../secret.wav: there is no such recording in the folder"
    assert sent_clips(server) == [TONE]


def test_errors_of_the_agents_own_model_raise(server: LocalDashScope, folder: Path) -> None:
    server.script(error_reply(401, "InvalidApiKey", "no"))
    tools: list[Any] = [*QwenAudioToolSpec(folder).to_tool_list()]
    agent = FunctionAgent(tools=tools, llm=llm_at(server, "qwen-audio-turbo-latest"))
    with pytest.raises(AuthenticationError):
        run(agent, "What is it?")


def test_two_recordings_at_once(server: LocalDashScope) -> None:
    tones = [wav(tone(1.0, hertz=hertz)) for hertz in (300.0, 600.0)]
    llm = llm_at(server, "qwen-audio-turbo-latest")
    agent = FunctionAgent(tools=[], llm=llm)

    async def work() -> str:
        blocks: list[Any] = [AudioBlock(audio=clip) for clip in tones]
        return str(await agent.run(ChatMessage(blocks=[*blocks, TextBlock(text="Same?")])))

    assert asyncio.run(work()) == "ok"
    assert sent_clips(server) == tones


# LlamaIndex says so itself of what it keeps beside a context.
@pytest.mark.filterwarnings("ignore:Skipping serialization of known unserializable key")
def test_an_agent_remembers_the_audio(server: LocalDashScope, folder: Path) -> None:
    server.script(
        Reply(tool_calls=[{"name": "load_audio", "arguments": {"audio": "tone.wav"}}]),
        "A tone.",
        "Still a tone.",
    )
    tools: list[Any] = [*QwenAudioToolSpec(folder).to_tool_list()]
    agent = FunctionAgent(tools=tools, llm=llm_at(server, "qwen3.8-omni-flash"))

    async def work() -> str:
        memory = Memory.from_defaults(session_id="1")
        await agent.run("What is it?", memory=memory)
        return str(await agent.run("And now?", memory=memory))

    assert asyncio.run(work()) == "Still a tone."
    assert sent_clips(server) == [TONE]
    roles = [message["role"] for message in server.requests[-1].messages]
    assert roles == ["user", "assistant", "tool", "user", "assistant", "user"]
