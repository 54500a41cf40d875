"""Ask about a file on this machine, with a system message."""

from connect import SAMPLE, connect
from langchain_core.messages import HumanMessage, SystemMessage

from langchain_qwen_audio import Audio

model = connect()
reply = model.invoke(
    [
        SystemMessage("You are a helpful assistant."),
        HumanMessage(
            [
                Audio.from_path(SAMPLE).to_block(),
                {"type": "text", "text": "What is said in this recording?"},
            ]
        ),
    ]
)
print(reply.text)
