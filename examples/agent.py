"""Let an agent work with the recordings of a folder."""

from connect import SAMPLE, connect
from langchain.agents import create_agent

from langchain_qwen_audio import QwenAudioToolkit

model = connect()
# The agent's own model hears: it loads a recording, and listens to it on its next turn. An agent
# whose model is deaf asks instead: QwenAudioToolkit(root_dir=…, llm=ChatQwenAudio()).
tools = QwenAudioToolkit(root_dir=SAMPLE.parent).get_tools()
agent = create_agent(model, tools)
question = "Load welcome.wav and tell me what is said in it."
result = agent.invoke({"messages": [{"role": "user", "content": question}]})
for message in result["messages"]:
    for call in getattr(message, "tool_calls", []):
        print(f"{call['name']}: {call['args']}")
print(result["messages"][-1].text)
