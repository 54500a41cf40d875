"""An agent that leaves recordings to another agent: `pip install langchain`.

The supervisor is any model that calls tools; it needs no audio input. Here it is the same model, so
that one key is enough.
"""

from connect import SAMPLE, connect
from langchain.agents import create_agent
from langchain_core.tools import tool

from langchain_qwen_audio import QwenAudioToolkit

model = connect(model="qwen3.5-omni-flash")
audio_agent = create_agent(
    model,
    QwenAudioToolkit(root_dir=SAMPLE.parent).get_tools(),
    system_prompt="Load the recordings that a request names, and answer from them.",
)


@tool
def recording_expert(request: str) -> str:
    """Answer a request about recordings, which it names."""
    answer = audio_agent.invoke({"messages": [{"role": "user", "content": request}]})
    return str(answer["messages"][-1].text)


supervisor = create_agent(
    model,
    [recording_expert],
    system_prompt="Leave recordings to recording_expert: tell it their names, and your question.",
)
question = 'Ask recording_expert: "Use load_audio with welcome.wav and say what is said in it."'
done = supervisor.invoke({"messages": [{"role": "user", "content": question}]})
for message in done["messages"]:
    print(f"{message.type}: {message.text}")
