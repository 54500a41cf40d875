"""Ask about an archive: transcribe, index, find the segments that match, and send their audio."""

from connect import SAMPLE, connect
from langchain_core.messages import HumanMessage
from langchain_core.vectorstores import InMemoryVectorStore
from word_counts import WordCounts

from langchain_qwen_audio import Audio, QwenAudioLoader

question = "What should one do with the microphone?"
loader = QwenAudioLoader(SAMPLE.parent, llm=connect(model="qwen3-asr-flash"), segment_s=10)
index = InMemoryVectorStore.from_documents(loader.load(), WordCounts())
print(loader.summary)

model = connect(model="qwen3.5-omni-flash")
for found in index.similarity_search(question, k=1):
    place = found.metadata
    print(f"found {place['source']} from {place['start_s']} to {place['end_s']} s:")
    print(f"  {found.page_content}")
    excerpt = Audio.from_path(place["source"]).excerpt(place["start_s"], place["end_s"])
    message = HumanMessage([excerpt.to_block(), {"type": "text", "text": question}])
    print(f"[{place['start_s']:.0f} s] {model.invoke([message]).text}")
