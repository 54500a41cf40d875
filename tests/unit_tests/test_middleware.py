"""Agents whose recordings are in a store: what is in checkpoints, and what is sent."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    ModelFallbackMiddleware,
    PIIMiddleware,
    SummarizationMiddleware,
)
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage, trim_messages
from langchain_core.stores import InMemoryByteStore
from langchain_core.tools import InjectedToolCallId, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.store.memory import InMemoryStore
from langgraph.store.sqlite.aio import AsyncSqliteStore
from langgraph.types import Command
from pydantic import Field

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._agent_memory.recordings import recording_id_of
from langchain_qwen_audio.errors import AudioError, MessageError, QwenAudioError
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply
from langchain_qwen_audio.middleware import AudioMiddleware
from tests.unit_tests.recordings import tone, wav
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_core.runnables import RunnableConfig

    from langchain_qwen_audio.local import ReceivedRequest

THREAD: RunnableConfig = {"configurable": {"thread_id": "1"}}
HELLO = wav(tone(2))
BYE = wav(tone(3, 16_000, 600.0))
WORDS = "good morning"
OMNI, ASR = "qwen3.5-omni-flash", "qwen3-asr-flash"


class Run(Protocol):
    """Run an agent, sync or async."""

    def __call__(self, agent: Any, *content: Any) -> dict[str, Any]: ...


def run(agent: Any, *content: Any) -> dict[str, Any]:
    state: dict[str, Any] = agent.invoke(
        {"messages": [{"role": "user", "content": list(content)}]}, THREAD
    )
    return state


def arun(agent: Any, *content: Any) -> dict[str, Any]:
    state: dict[str, Any] = asyncio.run(
        agent.ainvoke({"messages": [{"role": "user", "content": list(content)}]}, THREAD)
    )
    return state


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def sound(data: bytes) -> dict[str, Any]:
    return Audio.from_bytes(data).to_block()


@pytest.fixture(params=[run, arun], ids=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


def reply(request: ReceivedRequest) -> str:
    return WORDS if request.json["model"] == ASR else "an answer"


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=reply) as server:
        yield server


def model_of(server: LocalDashScope, model: str = OMNI, **options: Any) -> ChatQwenAudio:
    return ChatQwenAudio(model=model, base_url=server.base_url, api_key="local", **options)


def memory_of(server: LocalDashScope, store: Any, **options: Any) -> AudioMiddleware:
    return AudioMiddleware(store, transcriber=model_of(server, ASR), **options)


def agent_of(
    server: LocalDashScope, *middleware: AgentMiddleware[Any, Any, Any], **options: Any
) -> Any:
    options.setdefault("checkpointer", InMemorySaver())
    return create_agent(model_of(server), middleware=middleware, **options)


def sounds_sent(request: ReceivedRequest) -> list[bytes]:
    """Take the clips out of a request, in order."""
    found = re.findall(rb"data:audio/[^;]*;base64,([^\"]+)", request.body)
    return [Audio.from_base64(it.decode()).data for it in found]


def contents(state: dict[str, Any]) -> list[Any]:
    return [message.content for message in state["messages"]]


# --- what is kept, and what is sent -----------------------------------------------------------


def test_messages_name_a_recording_and_requests_have_its_sound(
    ask: Run, server: LocalDashScope, tmp_path: Path
) -> None:
    memory = memory_of(server, tmp_path)
    state = ask(agent_of(server, memory), sound(HELLO), text("What is said?"))
    name, block, question = contents(state)[0]
    recording_id = block["file_id"]
    assert name == text(f"[{recording_id}: 2.0 s]")
    extras = {"duration_s": 2.0}
    assert block == {
        "type": "audio",
        "file_id": recording_id,
        "mime_type": "audio/wav",
        "extras": extras,
    }
    assert question == text("What is said?")
    assert sounds_sent(server.requests[0]) == [HELLO]
    assert memory.get_recording(recording_id).data == HELLO
    assert memory.to_blocks(Audio.from_bytes(HELLO)) == [name, block]


def test_what_is_older_than_the_turns_that_are_kept_is_transcribed_once(
    ask: Run, server: LocalDashScope, tmp_path: Path
) -> None:
    agent = agent_of(server, memory_of(server, tmp_path, keep_turns=2))
    ask(agent, sound(HELLO), text("one"))
    ask(agent, sound(BYE), text("two"))
    assert sounds_sent(server.requests[-1]) == [HELLO, BYE]
    server.clear()
    state = ask(agent, text("three"))
    assert [request.json["model"] for request in server.requests] == [ASR, OMNI]
    assert sounds_sent(server.requests[-1]) == [BYE]
    name, transcript, question = contents(state)[0]
    recording_id = name["text"][1:].partition(":")[0]
    assert transcript == text(f"[Transcript of {recording_id}: {WORDS}]")
    assert question == text("one")
    ask(agent, text("four"))
    ask(agent, text("five"))
    assert [request.json["model"] for request in server.requests[2:]] == [ASR, OMNI, OMNI]
    assert sounds_sent(server.requests[-1]) == []


def test_another_conversation_about_a_recording_needs_no_transcript(
    server: LocalDashScope, tmp_path: Path
) -> None:
    for _ in range(2):  # each agent has a checkpointer of its own
        run(agent_of(server, memory_of(server, tmp_path, keep_turns=0)), sound(HELLO))
    assert [request.json["model"] for request in server.requests] == [ASR, OMNI, OMNI]


def test_a_model_without_audio_input_gets_transcripts_alone(
    server: LocalDashScope, tmp_path: Path
) -> None:
    memory = memory_of(server, tmp_path, keep_turns=0)
    assert memory.tools == []
    arun(agent_of(server, memory), sound(HELLO), text("What is said?"))
    assert sounds_sent(server.requests[-1]) == []
    assert WORDS in server.requests[-1].body.decode()


def test_where_nobody_speaks_the_transcript_says_so(tmp_path: Path) -> None:
    with LocalDashScope(reply=lambda it: "" if it.json["model"] == ASR else "an answer") as server:
        state = run(agent_of(server, memory_of(server, tmp_path, keep_turns=0)), sound(HELLO))
    assert contents(state)[0][1]["text"].endswith(": (nobody speaks)]")


def test_what_cannot_be_transcribed_stays_sound(
    ask: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    refused = RawReply(400, steps=[b'{"code": "InvalidParameter", "message": "no"}'])
    with LocalDashScope(
        reply=lambda it: refused if it.json["model"] == ASR else "an answer"
    ) as server:
        agent = agent_of(server, memory_of(server, tmp_path, keep_turns=1))
        ask(agent, sound(HELLO), text("one"))
        with caplog.at_level(logging.WARNING):
            ask(agent, text("two"))
        assert sounds_sent(server.requests[-1]) == [HELLO]
    assert "no transcript; its sound is sent instead" in caplog.text
    assert "InvalidRequestError: no" in caplog.text


def test_four_old_recordings_at_most_are_transcribed_at_once(
    ask: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clips = [wav(tone(2, 16_000, 300.0 + 100 * number)) for number in range(8)]
    refused = RawReply(400, steps=[b'{"code": "InvalidParameter", "message": "no"}'])
    meeting, busy, most = threading.Barrier(4), set[bytes](), [0]

    def transcribe(request: ReceivedRequest) -> Any:
        busy.add(request.body)
        meeting.wait(HANG_S)
        most[0] = max(most[0], len(busy))
        meeting.wait(HANG_S)
        busy.remove(request.body)
        return refused if sounds_sent(request) == [clips[3]] else WORDS

    with LocalDashScope(
        reply=lambda it: transcribe(it) if it.json["model"] == ASR else "an answer"
    ) as server:
        state = ask(agent_of(server, memory_of(server, tmp_path, keep_turns=0)), *map(sound, clips))
        assert sounds_sent(server.requests[-1]) == [clips[3]]
    assert most == [4]
    assert str(contents(state)[0]).count(WORDS) == 7
    (warning,) = (it.message for it in caplog.records if it.levelno == logging.WARNING)
    assert recording_id_of(Audio.from_bytes(clips[3])) in warning


def test_urls_and_what_is_no_recording_stay_as_they_came(
    ask: Run, server: LocalDashScope, tmp_path: Path
) -> None:
    url = {"type": "audio", "url": "https://example.com/a.mp3"}
    state = ask(agent_of(server, memory_of(server, tmp_path)), url, text("What is said?"))
    assert contents(state)[0] == [url, text("What is said?")]
    broken = {"type": "audio", "base64": "bm9uc2Vuc2U=", "mime_type": "audio/wav"}
    with pytest.raises(AudioError, match="not usable audio"):
        ask(agent_of(server, memory_of(server, tmp_path)), broken, text("What is said?"))


def test_odd_blocks_are_the_models_own_errors(server: LocalDashScope, tmp_path: Path) -> None:
    odd: list[dict[str, Any]] = [{"type": ["audio"]}, {"type": "audio", "file_id": 1}]
    for block in odd:
        with pytest.raises(MessageError, match=r"^messages\[0\]"):
            run(agent_of(server, memory_of(server, tmp_path)), block, text("What is said?"))


def test_a_channel_that_was_chosen_is_all_that_is_stored_and_sent(
    server: LocalDashScope, tmp_path: Path
) -> None:
    both = np.stack([tone(2), tone(2, 16_000, 3_000.0)], axis=1)
    (tmp_path / "call.wav").write_bytes(wav(both, channels=2))
    one = Audio.from_path(tmp_path / "call.wav", channel=1)
    memory = memory_of(server, tmp_path / "store")
    name, block = memory.to_blocks(one)
    run(agent_of(server, memory), name, block, text("What is said?"))
    assert sounds_sent(server.requests[0]) == [one.excerpt().data]
    assert memory.get_recording(block["file_id"]).channels == 1


def test_an_answer_in_sound_alone_is_sent_as_sound(server: LocalDashScope, tmp_path: Path) -> None:
    memory = memory_of(server, tmp_path)
    agent = agent_of(server, memory)
    history = [HumanMessage("one"), AIMessage([sound(BYE)]), HumanMessage("two")]
    with pytest.raises(MessageError, match="audio"):  # which Omni refuses by name
        agent.invoke({"messages": history}, THREAD)
    kept = agent.get_state(THREAD).values["messages"][1].content
    assert memory.get_recording(kept[0]["file_id"]).data == BYE


def test_no_message_at_all_is_the_models_own_error(server: LocalDashScope, tmp_path: Path) -> None:
    with pytest.raises(QwenAudioError):
        agent_of(server, memory_of(server, tmp_path)).invoke({"messages": []}, THREAD)


# --- tools ------------------------------------------------------------------------------------


def test_the_tool_loads_an_old_recording_or_a_part_of_it(ask: Run, tmp_path: Path) -> None:
    first = Audio.from_bytes(HELLO)
    with LocalDashScope(reply=reply) as server:
        memory = memory_of(server, tmp_path, keep_turns=1)
        recording_id = memory.to_blocks(first)[1]["file_id"]
        agent = agent_of(server, memory)
        ask(agent, *memory.to_blocks(first), text("one"))
        whole = {"name": "load_recording", "arguments": {"recording_id": recording_id}}
        part = {**whole, "arguments": {"recording_id": recording_id, "start_s": 1}}
        lost = {**whole, "arguments": {"recording_id": "audio-0000000000000000"}}
        server.script(WORDS)  # the transcript
        server.script(Reply(tool_calls=[whole, part, lost]))
        state = ask(agent, text("two"))
        assert sounds_sent(server.requests[-1]) == [HELLO, first.excerpt(1).data]
    found, cut, missing = (it for it in state["messages"] if isinstance(it, ToolMessage))
    name, block = memory.to_blocks(first)
    assert found.content == [name, {**block, "type": "file"}]
    assert cut.content[0]["text"].endswith(": 1.0 s]")  # type: ignore[index]
    assert missing.status == "error"
    assert "no such recording" in missing.text


@tool(response_format="content_and_artifact")
def record() -> tuple[list[dict[str, Any]], Audio]:
    """Record with the microphone."""
    return [text("recorded"), sound(BYE)], Audio.from_bytes(BYE)


def test_what_a_tool_returns_is_stored(ask: Run, server: LocalDashScope, tmp_path: Path) -> None:
    memory = memory_of(server, tmp_path)
    agent = agent_of(server, memory, tools=[record])
    server.script(Reply(tool_calls=[{"name": "record", "arguments": {}}]))
    state = ask(agent, text("Listen"))
    (result,) = (it for it in state["messages"] if isinstance(it, ToolMessage))
    assert result.content == [text("recorded"), *memory.to_blocks(Audio.from_bytes(BYE))]
    assert result.artifact == {"file_id": result.content[2]["file_id"]}  # type: ignore[index]
    assert sounds_sent(server.requests[-1]) == [BYE]


@tool(response_format="content_and_artifact")
def record_twice() -> tuple[list[Any], dict[str, Any]]:
    """Record with the microphone, twice."""
    both = [Audio.from_bytes(HELLO), Audio.from_bytes(BYE)]
    return ["Two recordings:", *both], {"both": both}


@tool
def record_and_go_on(tool_call_id: Annotated[str, InjectedToolCallId]) -> list[Any]:
    """Record with the microphone, and update the state."""
    block = Audio.from_bytes(HELLO).to_tool_block()
    message = ToolMessage([text("recorded"), block], tool_call_id=tool_call_id)
    return [Command(update={"messages": [message]})]


@pytest.mark.parametrize(
    ("recorder", "sent"),
    [(record_twice, [HELLO, BYE]), (record_and_go_on, [HELLO])],
    ids=["in a list", "in a command"],
)
def test_recordings_that_a_tool_returns_otherwise_are_stored_and_sent(
    ask: Run, server: LocalDashScope, tmp_path: Path, recorder: Any, sent: list[bytes]
) -> None:
    saver = InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
    agent = agent_of(server, memory_of(server, tmp_path), tools=[recorder], checkpointer=saver)
    server.script(Reply(tool_calls=[{"name": recorder.name, "arguments": {}}]))
    state = ask(agent, text("Listen"))
    (result,) = (it for it in state["messages"] if isinstance(it, ToolMessage))
    ids = [recording_id_of(Audio.from_bytes(it)) for it in sent]
    assert [it["file_id"] for it in result.content[1:] if "file_id" in it] == ids  # type: ignore[index]
    assert result.artifact in (None, {"both": [{"file_id": it} for it in ids]})
    assert sounds_sent(server.requests[-1]) == sent
    assert not any(b"base64" in data for _, data in saver.blobs.values())


# --- what the model says aloud ----------------------------------------------------------------


def test_a_spoken_answer_is_stored_with_the_next_turn_and_its_words_are_sent(
    tmp_path: Path,
) -> None:
    pcm = tone(1, 24_000).tobytes()
    with LocalDashScope(reply=Reply("hello there", audio=pcm)) as server:
        memory = memory_of(server, tmp_path, load_tool=False)
        model = model_of(server, modalities=["text", "audio"])
        agent = create_agent(model, middleware=[memory], checkpointer=InMemorySaver())
        answer = arun(agent, text("one"))["messages"][-1]
        spoken = Audio.from_message(answer)
        state = arun(agent, text("two"))
        assert "hello there" in server.requests[-1].body.decode()
        assert sounds_sent(server.requests[-1]) == []
    (block,) = (it for it in contents(state)[1] if it["type"] == "audio")
    assert memory.get_recording(block["file_id"]).data == spoken.data


# --- stores -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [InMemoryByteStore, InMemoryStore, str])
def test_a_store_of_any_kind_keeps_recordings(
    server: LocalDashScope, make: Callable[[], Any], tmp_path: Path
) -> None:
    store = make() or str(tmp_path / "new")
    agent = agent_of(server, memory_of(server, store, keep_turns=1))
    run(agent, sound(HELLO), text("one"))
    assert sounds_sent(server.requests[-1]) == [HELLO]
    assert WORDS in str(contents(run(agent, text("two"))))
    again = memory_of(server, store)
    (recording_id,) = {it["file_id"] for it in again.to_blocks(Audio.from_bytes(HELLO))[1:]}
    assert again.get_recording(recording_id).data == HELLO


async def test_an_async_store_keeps_recordings(server: LocalDashScope) -> None:
    async with AsyncSqliteStore.from_conn_string(":memory:") as store:
        await store.setup()
        memory = memory_of(server, store, keep_turns=1)
        blocks = await memory.ato_blocks(Audio.from_bytes(HELLO))
        agent = agent_of(server, memory)
        for words in ("one", "two"):
            state = await agent.ainvoke(
                {"messages": [{"role": "user", "content": [*blocks, text(words)]}]}, THREAD
            )
        assert WORDS in str(contents(state)[0])
        assert sounds_sent(server.requests[-1]) == [HELLO]
        assert (await memory.aget_recording(blocks[1]["file_id"])).data == HELLO


def test_another_store_is_an_error_that_says_so(
    ask: Run, server: LocalDashScope, tmp_path: Path
) -> None:
    blocks = memory_of(server, tmp_path / "one").to_blocks(Audio.from_bytes(HELLO))
    agent = agent_of(server, memory_of(server, tmp_path / "two"))
    with pytest.raises(AudioError, match="began with another store"):
        ask(agent, *blocks)
    assert server.requests == []


def test_bytes_that_are_not_those_that_were_stored_are_not_sent(
    server: LocalDashScope, tmp_path: Path
) -> None:
    memory = memory_of(server, tmp_path)
    blocks = memory.to_blocks(Audio.from_bytes(HELLO))
    (tmp_path / blocks[1]["file_id"]).write_bytes(BYE)
    with pytest.raises(AudioError, match="something else has written there"):
        arun(agent_of(server, memory), *blocks)
    assert server.requests == []


def test_a_model_without_the_middleware_says_where_the_sound_is(
    server: LocalDashScope, tmp_path: Path
) -> None:
    message = HumanMessage([*memory_of(server, tmp_path).to_blocks(Audio.from_bytes(HELLO))])
    with pytest.raises(MessageError, match=r"AudioMiddleware has stored use its get_recording"):
        model_of(server).invoke([message])


def test_only_ids_are_looked_up(server: LocalDashScope, tmp_path: Path) -> None:
    (tmp_path / "audio-0000000000000000.txt").write_bytes(HELLO)
    for name in ("../../etc/passwd", "audio-0000000000000000.txt", "audio-", ""):
        with pytest.raises(AudioError, match="no such recording"):
            memory_of(server, tmp_path).get_recording(name)


def test_bad_arguments_are_errors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep_turns is -1; expected 0 or more"):
        AudioMiddleware(tmp_path, keep_turns=-1)
    with pytest.raises(TypeError, match="store is a dict; expected a directory"):
        AudioMiddleware({})  # type: ignore[arg-type]


def test_without_a_key_the_transcriber_is_missed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    with pytest.raises(ValueError, match="pass transcriber=ChatQwenAudio"):
        AudioMiddleware(tmp_path)


# --- beside other middleware ------------------------------------------------------------------


def test_tokens_are_those_of_the_model(server: LocalDashScope, tmp_path: Path) -> None:
    memory = memory_of(server, tmp_path)
    message = HumanMessage([*memory.to_blocks(Audio.from_bytes(wav(tone(60)))), text("one")])
    texts = memory.token_counter()([HumanMessage([message.content[0], text("one")])])
    assert memory.token_counter()([message]) == texts + 60 * 25
    assert memory.token_counter(model_of(server))([message]) == texts + 60 * 7
    raw = HumanMessage([message.content[0], sound(wav(tone(60))), text("one")])
    assert memory.token_counter()([raw]) == texts + 60 * 25
    odd = {**message.content[1], "extras": {"duration_s": "long"}}  # type: ignore[dict-item]
    assert memory.token_counter()([HumanMessage([message.content[0], odd, text("one")])]) > texts
    short = HumanMessage([*memory.to_blocks(Audio.from_bytes(wav(tone(0.5))))])
    alone = memory.token_counter()([HumanMessage(short.content[:1])])
    assert memory.token_counter()([short]) == alone + 25
    kept = trim_messages(
        [message, AIMessage("an answer"), HumanMessage("two")],
        max_tokens=500,
        token_counter=memory.token_counter(),
        start_on="human",
    )
    assert [it.content for it in kept] == ["two"]


def test_a_summary_keeps_the_name_of_a_recording_and_its_transcript(
    server: LocalDashScope, tmp_path: Path
) -> None:
    memory = memory_of(server, tmp_path, keep_turns=1)
    summary = SummarizationMiddleware(
        model_of(server),
        trigger=("messages", 3),
        keep=("messages", 1),
        token_counter=memory.token_counter(),
    )
    agent = agent_of(server, memory, summary)
    run(agent, sound(HELLO), text("one"))
    server.clear()
    run(agent, text("two"))
    _, summarized, _ = (request.body.decode() for request in server.requests)
    assert "[Transcript of audio-" in summarized
    assert WORDS in summarized


@pytest.mark.parametrize("is_first", [True, False], ids=["before", "after"])
def test_results_with_recordings_are_cleared_by_their_length(
    server: LocalDashScope, tmp_path: Path, is_first: bool
) -> None:
    memory = memory_of(server, tmp_path)
    edits = [ClearToolUsesEdit(trigger=200, keep=0)]  # BYE is 75 tokens, and much longer in base64
    editing = ContextEditingMiddleware(edits=edits, token_counter=memory.token_counter())
    both = (memory, editing) if is_first else (editing, memory)
    agent = agent_of(server, *both, tools=[record])
    server.script(Reply(tool_calls=[{"name": "record", "arguments": {}}]))
    run(agent, text("Listen"))
    assert sounds_sent(server.requests[-1]) == [BYE]
    run(agent, sound(wav(tone(20))), text("And here"))
    assert sounds_sent(server.requests[-1]) == [wav(tone(20))]


def test_redaction_redacts_transcripts(tmp_path: Path) -> None:
    def reply(request: ReceivedRequest) -> str:
        return "write to ann@example.com" if request.json["model"] == ASR else "an answer"

    with LocalDashScope(reply=reply) as server:
        memory = memory_of(server, tmp_path, keep_turns=0)
        agent = agent_of(server, memory, PIIMiddleware("email", strategy="redact"))
        arun(agent, sound(HELLO), text("one"))
        assert "[REDACTED_EMAIL]" in server.requests[-1].body.decode()
    assert "ann@example.com" not in server.requests[-1].body.decode()


class Other(GenericFakeChatModel):
    """Another provider's model."""

    seen: list[Any] = Field(default_factory=list)

    def _generate(self, messages: list[BaseMessage], *args: Any, **options: Any) -> Any:
        self.seen.extend(messages)
        return super()._generate(messages, *args, **options)

    def bind_tools(self, *_: Any, **__: Any) -> Any:
        return self


def test_another_providers_model_gets_standard_blocks(tmp_path: Path) -> None:
    refused = RawReply(400, steps=[b'{"code": "InvalidParameter", "message": "no"}'])
    other = Other(messages=iter([AIMessage("from elsewhere")]))
    with LocalDashScope(reply=refused) as server:
        agent = agent_of(server, memory_of(server, tmp_path), ModelFallbackMiddleware(other))
        state = arun(agent, sound(HELLO), text("one"))
    assert state["messages"][-1].text == "from elsewhere"
    assert sound(HELLO) in other.seen[0].content


# --- what it saves ----------------------------------------------------------------------------


def test_twelve_turns_about_three_clips_keep_few_bytes_and_send_few_tokens(tmp_path: Path) -> None:
    def talk(server: LocalDashScope, memory: AudioMiddleware | None) -> tuple[int, int]:
        server.clear()
        path = tmp_path / f"{memory is not None}.sqlite"
        with SqliteSaver.from_conn_string(str(path)) as saver:
            agent = agent_of(server, *([memory] if memory else []), checkpointer=saver)
            for turn in range(12):
                clip = Audio.from_bytes(wav(tone(7, 8_000, 300.0 + turn), 8_000))
                put = memory.to_blocks if memory else lambda it: [it.to_block()]
                run(agent, *(put(clip) if turn % 4 == 0 else []), text(f"question {turn}"))
        return path.stat().st_size, sum(len(sounds_sent(it)) for it in server.requests)

    with LocalDashScope(reply=reply, max_log=10_000) as server:
        bytes_without, clips_without = talk(server, None)
        bytes_with, clips_with = talk(server, memory_of(server, tmp_path, keep_turns=2))
    assert clips_without == sum(turn // 4 + 1 for turn in range(12))
    assert clips_with == 3 * (2 + 1)  # in two turns each, and once for the transcript
    assert bytes_with < bytes_without / 30
