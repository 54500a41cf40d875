"""Ask about an archive: transcribe, index, find the segments that match, and send their audio.

The embeddings count words, so that the example runs with no key and no download; use a real
embedding model instead.
"""

import re
import zlib

from connect import SAMPLE, connect
from langchain_core.embeddings import Embeddings
from langchain_core.messages import HumanMessage
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_qwen_audio import Audio, QwenAudioLoader


class WordCounts(Embeddings):
    """Texts that share words are near each other."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Count the words of each text, in 256 bins."""
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        """Count the words of a text, in 256 bins."""
        counts = [0.0] * 256
        for word in re.findall(r"\w+", text.lower()):
            counts[zlib.crc32(word.encode()) % 256] += 1.0
        return counts


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
