"""Agents whose checkpoints and recordings are in Postgres.

Skipped unless `POSTGRES_URI` names a database, and langgraph-checkpoint-postgres and
psycopg[binary] are installed. The tables stay.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage

import langchain_qwen_audio
from langchain_qwen_audio import Audio, ChatQwenAudio, LoadAudio
from langchain_qwen_audio.local import LocalDashScope, Reply
from langchain_qwen_audio.middleware import AudioMiddleware

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.runnables import RunnableConfig

URI = os.environ.get("POSTGRES_URI", "")
WELCOME = Path(langchain_qwen_audio.__file__).parent / "samples" / "welcome.wav"
LOAD = {"name": "load_audio", "arguments": {"audio": "welcome.wav"}}

pytestmark = pytest.mark.skipif(not URI, reason="POSTGRES_URI names no database")


@pytest.fixture
def saver() -> Iterator[Any]:
    postgres = pytest.importorskip("langgraph.checkpoint.postgres")
    with postgres.PostgresSaver.from_conn_string(URI) as found:
        found.setup()
        yield found


@pytest.fixture
def thread() -> RunnableConfig:
    return {"configurable": {"thread_id": uuid.uuid4().hex}}


@pytest.fixture
def model() -> Iterator[ChatQwenAudio]:
    with LocalDashScope(reply="an answer") as server:
        server.script(Reply(tool_calls=[LOAD]))
        yield ChatQwenAudio(
            model="qwen3.5-omni-flash", base_url=server.base_url, api_key="local", max_retries=0
        )


def test_a_loaded_recording_is_the_same_after_a_restart(
    saver: Any, thread: RunnableConfig, model: ChatQwenAudio
) -> None:
    tools = [LoadAudio(root_dir=WELCOME.parent)]
    create_agent(model, tools, checkpointer=saver).invoke(
        {"messages": [HumanMessage("one")]}, thread
    )
    again = create_agent(model, tools, checkpointer=saver)
    done = again.invoke({"messages": [HumanMessage("two")]}, thread)
    assert Audio.from_message(done["messages"][2]).data == WELCOME.read_bytes()


def test_checkpoints_name_recordings_that_are_in_a_store(
    saver: Any, thread: RunnableConfig, model: ChatQwenAudio
) -> None:
    stores = pytest.importorskip("langgraph.store.postgres")
    with stores.PostgresStore.from_conn_string(URI) as store:
        store.setup()
        memory = AudioMiddleware(store, transcriber=model)
        tools = [LoadAudio(root_dir=WELCOME.parent)]
        agent = create_agent(model, tools, middleware=[memory], checkpointer=saver)
        done = agent.invoke({"messages": [HumanMessage("one")]}, thread)
        blocks = done["messages"][2].content
        assert memory.get_recording(blocks[-1]["file_id"]).data == WELCOME.read_bytes()
        assert "base64" not in str([*agent.get_state_history(thread)])
