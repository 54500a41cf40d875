"""Agents with recordings, against the local test server, which calls tools by rules."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware, ModelRefusalMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.exceptions import ModelRefusalError
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command
from pydantic import BaseModel, Field

import langchain_qwen_audio
from langchain_qwen_audio import Audio, ChatQwenAudio, LoadAudio, QwenAudioToolkit, errors
from langchain_qwen_audio._media.wav import encode_wav
from langchain_qwen_audio.local import LocalDashScope, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.callbacks import CallbackManagerForLLMRun
    from langchain_core.runnables import RunnableConfig

SAMPLES = Path(langchain_qwen_audio.__file__).parent / "samples"
WELCOME = SAMPLES / "welcome.wav"
SAID = "Welcome to the recording studio, please speak clearly into the microphone"
LOAD = "Load welcome.wav and tell me what is said."
THREAD: RunnableConfig = {"configurable": {"thread_id": "1"}}


class Scripted(BaseChatModel):
    """A model without audio input, with a script of replies."""

    script: list[AIMessage]
    requests: list[list[BaseMessage]] = Field(default_factory=list)
    tools: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        self.tools[:] = [tool.name for tool in tools]
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **options: Any,
    ) -> ChatResult:
        self.requests.append(messages)
        return ChatResult(generations=[ChatGeneration(message=self.script[len(self.requests) - 1])])


def calls(name: str, **args: Any) -> AIMessage:
    return AIMessage("", tool_calls=[{"type": "tool_call", "id": name, "name": name, "args": args}])


@pytest.fixture(scope="module")
def whisper_server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@pytest.fixture
def listener(whisper_server: LocalDashScope) -> ChatQwenAudio:
    whisper_server.clear()
    return ChatQwenAudio(
        base_url=whisper_server.base_url, api_key="local", local_files=[WELCOME.parent]
    )


def run(agent: Any, state: Any, config: Any = None, *, is_async: bool = False) -> Any:
    return asyncio.run(agent.ainvoke(state, config)) if is_async else agent.invoke(state, config)


def events_and_output(
    agent: Any, state: Any, config: Any = None, *, is_async: bool = False
) -> tuple[list[Any], Any]:
    async def collect() -> tuple[list[Any], Any]:
        streamed = await agent.astream_events(state, config, version="v3")
        return [event async for event in streamed], await streamed.output()

    if is_async:
        return asyncio.run(collect())
    streamed = agent.stream_events(state, config, version="v3")
    return list(streamed), streamed.output


def to_agent(text: str) -> Any:
    return {"messages": [HumanMessage(text)]}


TWO_WAYS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


# --- a model without audio input calls ---------------------------------------------------------


@TWO_WAYS
def test_a_text_model_calls_a_model_that_takes_audio(
    listener: ChatQwenAudio, is_async: bool
) -> None:
    text_model = Scripted(
        script=[
            calls("list_audio"),
            calls("ask_audio", audio="welcome.mp3", question="What is said?"),
            calls("ask_audio", audio="welcome.wav", question="What is said?"),
            AIMessage("Somebody welcomes you."),
        ]
    )
    tools = QwenAudioToolkit(root_dir=SAMPLES, llm=listener).get_tools()
    done = run(create_agent(text_model, tools), to_agent("What is there?"), is_async=is_async)
    assert text_model.tools == ["list_audio", "load_audio", "ask_audio"]
    listed, wrong, answered = (it for it in done["messages"] if isinstance(it, ToolMessage))
    assert (
        f"welcome.wav (7.2 s, {WELCOME.stat().st_size:,} bytes)" in str(listed.content).splitlines()
    )
    assert (wrong.status, answered.status) == ("error", "success")
    assert wrong.content == "welcome.mp3: there is no such recording in the folder"
    assert SAID in answered.text
    assert text_model.requests[-1][-1].content == answered.content
    assert done["messages"][-1].text == "Somebody welcomes you."


# --- a model that takes audio loads recordings ------------------------------------------------


@TWO_WAYS
def test_qwen_audio_loads_a_recording_and_answers_about_it(
    whisper_server: LocalDashScope, listener: ChatQwenAudio, is_async: bool
) -> None:
    agent = create_agent(listener, QwenAudioToolkit(root_dir=SAMPLES).get_tools())
    done = run(agent, to_agent(LOAD), is_async=is_async)
    _, called, loaded, answer = done["messages"]
    assert [(call["name"], call["args"]) for call in called.tool_calls] == [
        ("load_audio", {"audio": "welcome.wav"})
    ]
    assert loaded.status == "success"
    assert loaded.artifact is None
    assert SAID in answer.text
    assert answer.usage_metadata["input_token_details"]["audio"] == 179  # 7.16 s
    last = whisper_server.requests[-1].messages[-1]
    assert [*map(list, last["content"])] == [["text"], ["audio"]]
    assert last["content"][0]["text"].startswith("<tool_response>\nwelcome.wav: 7.2 s")


@TWO_WAYS
def test_a_mistake_is_told_to_the_model(
    whisper_server: LocalDashScope, listener: ChatQwenAudio, is_async: bool
) -> None:
    agent = create_agent(listener, [LoadAudio(root_dir=SAMPLES)])
    done = run(agent, to_agent("load_audio ../errors.py"), is_async=is_async)
    assert done["messages"][2].status == "error"
    told = "Error: ../errors.py: there is no such recording in the folder"
    assert whisper_server.requests[-1].messages[-1]["content"] == [
        {"text": f"<tool_response>\n{told}\n</tool_response>"}
    ]
    assert told in done["messages"][-1].text


@TWO_WAYS
def test_parallel_calls_are_answered_in_one_turn(
    whisper_server: LocalDashScope, listener: ChatQwenAudio, is_async: bool
) -> None:
    agent = create_agent(listener, QwenAudioToolkit(root_dir=SAMPLES).get_tools())
    question = "Call list_audio, and load_audio of 'welcome.wav'."
    done = run(agent, to_agent(question), is_async=is_async)
    assert [call["name"] for call in done["messages"][1].tool_calls] == ["list_audio", "load_audio"]
    turn = whisper_server.requests[-1].messages[-1]["content"]
    assert [*map(list, turn)] == [["text"], ["text"], ["audio"]]
    assert SAID in done["messages"][-1].text


class Note(BaseModel):
    """A note on a recording."""

    transcript: str
    seconds: float


@TWO_WAYS
def test_an_agent_returns_data_of_a_recording(listener: ChatQwenAudio, is_async: bool) -> None:
    tools = [LoadAudio(root_dir=SAMPLES)]
    agent = create_agent(listener, tools, response_format=ToolStrategy(Note))
    done = run(
        agent, to_agent("load_audio 'welcome.wav', which is 7 seconds long."), is_async=is_async
    )
    assert isinstance(done["structured_response"], Note)
    assert SAID in done["structured_response"].transcript
    assert done["structured_response"].seconds == 7


# --- data, from a model that answers in words ---------------------------------------------------

NOTE_IN_TEXT = (
    '<tool_call>\n{"name": "Note", "arguments": {"transcript": "a", "seconds": 1}}\n</tool_call>'
)


@pytest.fixture
def speaker(server: LocalDashScope) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)


@TWO_WAYS
def test_an_answer_in_words_is_followed_by_the_call(
    server: LocalDashScope, speaker: ChatQwenAudio, is_async: bool
) -> None:
    server.script("It is a note.", NOTE_IN_TEXT)
    agent = create_agent(speaker, [], response_format=ToolStrategy(Note))
    done = run(agent, to_agent("?"), is_async=is_async)
    assert done["structured_response"] == Note(transcript="a", seconds=1)
    assert len(server.requests) == 2
    assert server.requests[1].messages[-1]["role"] == "user"


@TWO_WAYS
def test_a_model_that_only_answers_in_words_ends_the_loop_with_its_answer(
    server: LocalDashScope, speaker: ChatQwenAudio, is_async: bool
) -> None:
    server.script("It is a note.", "I said it.")
    agent = create_agent(speaker, [], response_format=ToolStrategy(Note))
    with pytest.raises(errors.MessageError, match=r"It answered: 'I said it\.'"):
        run(agent, to_agent("?"), is_async=is_async)
    assert len(server.requests) == 2


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("in_events", [False, True], ids=["state", "events"])
@TWO_WAYS
def test_a_refusal_reaches_the_middleware(
    server: LocalDashScope, speaker: ChatQwenAudio, is_async: bool, in_events: bool
) -> None:
    server.script(Reply("", finish_reason="content_filter"))
    agent = create_agent(speaker, [], middleware=[ModelRefusalMiddleware()])
    way = events_and_output if in_events else run
    with pytest.raises(ModelRefusalError):
        way(agent, to_agent("?"), is_async=is_async)


# --- streaming --------------------------------------------------------------------------------


@TWO_WAYS
def test_tokens_and_tool_calls_of_an_agent_stream(listener: ChatQwenAudio, is_async: bool) -> None:
    agent = create_agent(listener, QwenAudioToolkit(root_dir=SAMPLES).get_tools())

    async def collect() -> list[Any]:
        return [it async for it in agent.astream(to_agent(LOAD), stream_mode="messages")]

    streamed: list[Any] = (
        asyncio.run(collect())
        if is_async
        else list(agent.stream(to_agent(LOAD), stream_mode="messages"))
    )
    chunks = [message for message, _ in streamed if isinstance(message, AIMessageChunk)]
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [piece["name"] for piece in pieces if piece["name"]] == ["load_audio"]
    assert json.loads("".join(piece["args"] or "" for piece in pieces)) == {"audio": "welcome.wav"}
    assert len([piece for piece in pieces if piece["args"]]) > 1
    texts = [chunk.text for chunk in chunks if chunk.text]
    assert SAID in "".join(texts)
    assert len(texts) > 20
    assert not any("<" in text or "tool_call" in text for text in texts)
    tool_messages = [message for message, _ in streamed if isinstance(message, ToolMessage)]
    assert [message.name for message in tool_messages] == ["load_audio"]


@TWO_WAYS
def test_what_a_tool_requests_streams_with_the_agent(
    listener: ChatQwenAudio, is_async: bool
) -> None:
    script = [calls("ask_audio", audio="welcome.wav", question="?"), AIMessage("Done.")]
    tools = QwenAudioToolkit(root_dir=SAMPLES, llm=listener).get_tools()
    agent = create_agent(Scripted(script=script), tools)

    async def collect() -> list[Any]:
        return [it async for it in agent.astream(to_agent("?"), stream_mode="messages")]

    streamed: list[Any] = (
        asyncio.run(collect())
        if is_async
        else list(agent.stream(to_agent("?"), stream_mode="messages"))
    )
    texts = [
        message.text
        for message, about in streamed
        if isinstance(message, AIMessageChunk) and about["langgraph_node"] == "tools"
    ]
    assert len([text for text in texts if text]) > 20
    assert SAID in "".join(texts)


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@TWO_WAYS
def test_speech_of_an_agent_comes_in_events(server: LocalDashScope, is_async: bool) -> None:
    pcm = bytes(range(250)) * 96
    server.script(Reply("Hello you", audio=pcm, audio_piece=999))
    speaker = ChatQwenAudio(
        model="qwen3.5-omni-flash",
        modalities=["text", "audio"],
        base_url=server.base_url,
        api_key="local",
    )
    events, output = events_and_output(create_agent(speaker, []), to_agent("?"), is_async=is_async)
    found = [event["params"]["data"][0] for event in events if event["method"] == "messages"]
    pieces = [
        it["delta"]["data"] for it in found if it.get("delta", {}).get("type") == "data-delta"
    ]
    assert b"".join(map(base64.b64decode, pieces))[44:] == pcm
    assert Audio.from_message(output["messages"][-1]).data[44:] == pcm


@TWO_WAYS
def test_the_answer_of_an_agent_that_streams_is_a_whole_wav_file(
    server: LocalDashScope, is_async: bool
) -> None:
    pcm = bytes(range(250)) * 96
    server.script(Reply("Hello you", audio=pcm))
    speaker = ChatQwenAudio(
        model="qwen3.5-omni-flash",
        modalities=["text", "audio"],
        base_url=server.base_url,
        api_key="local",
    )
    agent: Any = create_agent(speaker, [], checkpointer=InMemorySaver())

    async def collect() -> list[Any]:
        return [it async for it in agent.astream(to_agent("?"), THREAD, stream_mode="messages")]

    _ = (
        asyncio.run(collect())
        if is_async
        else list(agent.stream(to_agent("?"), THREAD, stream_mode="messages"))
    )
    (speech,) = agent.get_state(THREAD).values["messages"][-1].content[1:]
    assert base64.b64decode(speech["base64"]) == encode_wav([pcm], 24_000)


# --- tools that return recordings ---------------------------------------------------------------


@tool
def record() -> Audio:
    """Record with the microphone."""
    return Audio.from_path(WELCOME)


@tool
def record_twice() -> list[Any]:
    """Record with the microphone, twice."""
    return ["The first:", Audio.from_path(WELCOME), "The second:", Audio.from_path(WELCOME)]


@tool
def record_and_describe() -> list[Any]:
    """Record with the microphone, and describe it."""
    return ["One recording:", Audio.from_path(WELCOME).to_tool_block()]


@TWO_WAYS
@pytest.mark.parametrize("recorder", [record, record_and_describe], ids=lambda it: it.name)
def test_an_audio_that_a_tool_returns_is_heard(
    whisper_server: LocalDashScope, listener: ChatQwenAudio, recorder: Any, is_async: bool
) -> None:
    question = f"Call {recorder.name}, and tell me what is said."
    done = run(create_agent(listener, [recorder]), to_agent(question), is_async=is_async)
    assert done["messages"][-1].usage_metadata["input_token_details"]["audio"] == 179
    assert SAID in done["messages"][-1].text


@TWO_WAYS
def test_an_audio_that_became_text_in_a_list_is_refused(
    listener: ChatQwenAudio, is_async: bool
) -> None:
    agent = create_agent(listener, [record_twice])
    with pytest.raises(
        errors.MessageError, match=r"^messages\[2\]: a tool returned an Audio within something"
    ):
        run(agent, to_agent("Call record_twice."), is_async=is_async)


# --- checkpoints ------------------------------------------------------------------------------


# What all savers write with, SQLite's and Postgres' too; strict: LANGGRAPH_STRICT_MSGPACK=true.
SERDES = {
    "by default": JsonPlusSerializer(),
    "strict": JsonPlusSerializer(allowed_msgpack_modules=None),
}


def chat(model: ChatQwenAudio, saver: InMemorySaver) -> Any:
    """Make a graph that does nothing but answer, and remembers."""

    def answer(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    graph.add_edge("answer", END)
    return graph.compile(checkpointer=saver)


def stored(saver: InMemorySaver) -> bytes:
    """Collect all that a checkpointer holds."""
    blobs = [data for _, data in saver.blobs.values()]
    writes = [value[2][1] for of_task in saver.writes.values() for value in of_task.values()]
    saved = [
        part[1]
        for namespaces in saver.storage.values()
        for checkpoints in namespaces.values()
        for checkpoint in checkpoints.values()
        for part in checkpoint[:2]
    ]
    return b"".join([*blobs, *writes, *saved])


def test_a_checkpoint_keeps_handles_and_not_bytes(
    whisper_server: LocalDashScope, listener: ChatQwenAudio
) -> None:
    saver = InMemorySaver()
    graph = chat(listener, saver)
    handle = {"type": "audio", "url": WELCOME.as_uri()}
    question = HumanMessage([handle, {"type": "text", "text": "What is said?"}])
    first = graph.invoke({"messages": [question]}, THREAD)
    assert SAID in first["messages"][-1].text
    second = chat(listener, saver).invoke(to_agent("And where?"), THREAD)  # as if after a restart
    assert len(second["messages"]) == 4
    assert SAID in second["messages"][-1].text
    assert second["messages"][0].content[0] == handle
    for request in whisper_server.requests:
        assert request.messages[0]["content"][0]["audio"].startswith("data:audio/wav;base64,")
    held = stored(saver)
    assert WELCOME.as_uri().encode() in held
    assert b"base64" not in held
    assert b"UklGR" not in held  # how WAV files begin, in base64
    assert b"RIFF" not in held
    assert len(held) < 40_000 < WELCOME.stat().st_size


@TWO_WAYS
@pytest.mark.parametrize("serde", SERDES.values(), ids=SERDES)
def test_an_agent_that_has_loaded_a_recording_can_be_checkpointed(
    listener: ChatQwenAudio,
    serde: JsonPlusSerializer,
    caplog: pytest.LogCaptureFixture,
    is_async: bool,
) -> None:
    saver = InMemorySaver(serde=serde)
    agent = create_agent(listener, [LoadAudio(root_dir=SAMPLES)], checkpointer=saver)
    done = run(agent, to_agent(LOAD), THREAD, is_async=is_async)
    assert SAID in done["messages"][-1].text
    again = run(agent, to_agent("Once more, what is said?"), THREAD, is_async=is_async)
    assert len(again["messages"]) == 6
    assert SAID in again["messages"][-1].text
    loaded = agent.get_state(THREAD).values["messages"][2]
    assert loaded.content[1]["type"] == "file"
    assert loaded.artifact is None
    assert Audio.from_message(loaded).data == WELCOME.read_bytes()
    assert caplog.messages == []  # none of a type that is not registered


# --- a human in between -----------------------------------------------------------------------


@TWO_WAYS
@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
def test_a_human_decides_on_a_call(
    whisper_server: LocalDashScope, listener: ChatQwenAudio, decision: str, is_async: bool
) -> None:
    agent = create_agent(
        listener,
        [LoadAudio(root_dir=SAMPLES)],
        middleware=[HumanInTheLoopMiddleware(interrupt_on={"load_audio": True})],
        checkpointer=InMemorySaver(),
    )
    stopped = run(agent, to_agent("load_audio of 'wellcome.wav'"), THREAD, is_async=is_async)
    (interrupt,) = stopped["__interrupt__"]
    (request,) = interrupt.value["action_requests"]
    assert (request["name"], request["args"]) == ("load_audio", {"audio": "wellcome.wav"})
    assert len(whisper_server.requests) == 1
    edited = {"name": "load_audio", "args": {"audio": "welcome.wav"}}
    decided = {
        "approve": {"type": "approve"},
        "edit": {"type": "edit", "edited_action": edited},
        "reject": {"type": "reject", "message": "Leave it."},
    }[decision]
    done = run(agent, Command(resume={"decisions": [decided]}), THREAD, is_async=is_async)
    assert "__interrupt__" not in done
    told = {"approve": "no such recording", "edit": SAID, "reject": "Leave it."}[decision]
    assert told in done["messages"][-1].text


def test_a_graph_interrupted_before_its_tools_goes_on(listener: ChatQwenAudio) -> None:
    tools = QwenAudioToolkit(root_dir=SAMPLES).get_tools()
    agent = create_agent(listener, tools, checkpointer=InMemorySaver(), interrupt_before=["tools"])
    stopped = agent.invoke(to_agent(LOAD), THREAD)
    assert stopped["messages"][-1].tool_calls
    assert agent.get_state(THREAD).next == ("tools",)
    done = agent.invoke(None, THREAD)
    assert SAID in done["messages"][-1].text
