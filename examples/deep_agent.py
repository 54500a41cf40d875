"""A deep agent that works with recordings: `pip install "langchain-qwen-audio[deep-agents]"`."""

from connect import SAMPLE, connect
from deepagents import create_deep_agent
from deepagents.backends import FilesystemBackend

from langchain_qwen_audio.deep_agents import ReadAudio

files = FilesystemBackend(root_dir=SAMPLE.parent, virtual_mode=True)
agent = create_deep_agent(
    connect(model="qwen3.5-omni-flash"),
    # The agent's own `read_file` takes fewer formats, and whole files of any size.
    tools=[ReadAudio(backend=files, max_bytes=20_000_000)],
    backend=files,
)
question = 'Call read_audio with "/welcome.wav" and tell me what is said in it.'
done = agent.invoke({"messages": [{"role": "user", "content": question}]})
for message in done["messages"]:
    for call in getattr(message, "tool_calls", []):
        print(f"{call['name']}: {call['args']}")
print(done["messages"][-1].text)
