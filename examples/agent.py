"""Let an agent work with the recordings of a folder: `pip install langchain`."""

from connect import SAMPLE, connect
from langchain.agents import create_agent

from langchain_qwen_audio import QwenAudioToolkit

model = connect()
# The agent's model has audio input: it loads a recording, and the next request contains it. For a
# model without audio input: QwenAudioToolkit(root_dir=…, llm=ChatQwenAudio()), with `ask_audio`.
tools = QwenAudioToolkit(root_dir=SAMPLE.parent).get_tools()
agent = create_agent(model, tools)
question = "Load welcome.wav and tell me what is said in it."
result = agent.invoke({"messages": [{"role": "user", "content": question}]})
for message in result["messages"]:
    for call in getattr(message, "tool_calls", []):
        print(f"{call['name']}: {call['args']}")
print(result["messages"][-1].text)
