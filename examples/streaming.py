"""Stream an answer."""

from connect import SAMPLE, connect
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio

model = connect()
question = HumanMessage(
    [
        Audio.from_path(SAMPLE).to_block(),
        {"type": "text", "text": "What is said in this recording?"},
    ]
)
for chunk in model.stream([question]):
    print(chunk.text, end="", flush=True)
print()
