"""An agent that remembers recordings: `pip install langchain langgraph-checkpoint-sqlite`.

The conversation is in a SQLite database, and the recordings are in a folder beside it.
"""

import tempfile
from pathlib import Path

from connect import SAMPLE, connect
from langchain.agents import create_agent
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from langchain_qwen_audio import Audio
from langchain_qwen_audio.middleware import AudioMiddleware

folder = Path(tempfile.mkdtemp())
model = connect(model="qwen3.5-omni-flash")
memory = AudioMiddleware(
    folder / "recordings",
    transcriber=model.model_copy(update={"model": "qwen3-asr-flash"}),
    keep_turns=1,
)
thread: RunnableConfig = {"configurable": {"thread_id": "1"}}
with SqliteSaver.from_conn_string(str(folder / "conversation.sqlite")) as saver:
    agent = create_agent(model, middleware=[memory], checkpointer=saver)
    question = {"type": "text", "text": "What does the speaker say?"}
    content = [*memory.to_blocks(Audio.from_path(SAMPLE)), question]
    answer = agent.invoke({"messages": [{"role": "user", "content": content}]}, thread)
    print(answer["messages"][-1].text)
    answer = agent.invoke({"messages": [{"role": "user", "content": "Thank you."}]}, thread)
    for message in answer["messages"]:
        print(f"{message.type}: {message.text}")
