"""Send a spoken question: a recording and no text."""

from connect import SAMPLE, connect
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio

model = connect()
reply = model.invoke([HumanMessage([Audio.from_path(SAMPLE).to_block()])])
print(reply.text)
