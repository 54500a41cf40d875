"""Ask about an archive with LlamaIndex: transcribe, index, and answer with the seconds cited.

It needs `pip install "langchain-qwen-audio[llama-index]"`. The embeddings count words, so that the
example runs with no key and no download; use a real embedding model instead.
"""

import re
import zlib

from connect import SAMPLE, connect
from llama_index.core import VectorStoreIndex
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.llms import AudioBlock, ChatMessage, TextBlock

from langchain_qwen_audio import Audio
from langchain_qwen_audio.llama_index import QwenAudio, QwenAudioReader


class WordCounts(BaseEmbedding):
    """Texts that share words are near each other."""

    def _get_text_embedding(self, text: str) -> list[float]:
        counts = [0.0] * 1024
        for word in re.findall(r"\w{4,}", text.lower()):  # of four letters or more
            counts[zlib.crc32(word.encode()) % 1024] += 1.0
        return counts

    def _get_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return self._get_text_embedding(query)


chat = connect()  # the service, or the local test server
llm = QwenAudio(base_url=chat.base_url, api_key=chat.api_key, model="qwen3.5-omni-flash")
asr = QwenAudio(base_url=chat.base_url, api_key=chat.api_key, model="qwen3-asr-flash")

reader = QwenAudioReader(asr, segment_s=10)
index = VectorStoreIndex.from_documents(
    reader.load_data(SAMPLE.parent), embed_model=WordCounts(embed_batch_size=10)
)
print(reader.summary)

question = "What should one do with the microphone?"
answer = index.as_query_engine(llm=llm, similarity_top_k=2).query(question)
print(answer)
for found in answer.source_nodes:
    cited = found.node.metadata
    print(f"found {cited['source']} from {cited['start_s']} to {cited['end_s']} s:")
    print(f"  {found.node.get_content()}")

# The transcript may not be enough: send the audio of the best match.
cited = answer.source_nodes[0].node.metadata
excerpt = Audio.from_path(cited["source"]).excerpt(cited["start_s"], cited["end_s"])
blocks = [AudioBlock(audio=excerpt.data), TextBlock(text=question)]
print(llm.chat([ChatMessage(blocks=blocks)]))
