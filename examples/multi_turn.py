"""Ask two questions about the same recording."""

from connect import SAMPLE, connect
from langchain_core.messages import BaseMessage, HumanMessage

from langchain_qwen_audio import Audio

model = connect()
history: list[BaseMessage] = [
    HumanMessage(
        [
            Audio.from_path(SAMPLE).to_block(),
            {"type": "text", "text": "What is said in this recording?"},
        ]
    )
]
history.append(model.invoke(history))
print("First: ", history[-1].text)

history.append(HumanMessage("Where might this have been recorded?"))
history.append(model.invoke(history))
print("Second:", history[-1].text)
