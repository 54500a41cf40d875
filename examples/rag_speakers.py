"""Ask about calls, and be told who said what: index what each speaker says, and cite it.

The service tells speakers apart; the local test server does not.
"""

from connect import SAMPLE, connect
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore
from word_counts import WordCounts

from langchain_qwen_audio import QwenAudioLoader, TranscriptFormat


def cite(turn: Document) -> str:
    """Write down when something was said, and by whom, as [01:02] Speaker 0: Hello."""
    minutes, seconds = divmod(int(turn.metadata["start_s"]), 60)
    speaker = turn.metadata.get("speaker")
    label = "" if speaker is None else f"Speaker {speaker}: "
    return f"[{minutes:02}:{seconds:02}] {label}{turn.page_content}"


question = "Who talks of the microphone, and what do they say?"
asr = connect(model="qwen-audio-3.1-asr-flash", asr_options={"speaker_diarization_enabled": True})
loader = QwenAudioLoader(SAMPLE, llm=asr, transcript_format=TranscriptFormat.SPEAKERS)
index = InMemoryVectorStore.from_documents(loader.load(), WordCounts())
turns = "\n".join(map(cite, index.similarity_search(question, k=4)))
print(turns)

model = connect(model="qwen3.5-omni-flash")
prompt = f"{turns}\n\nAnswer from these lines, and cite [mm:ss] and the speaker: {question}"
print(model.invoke(prompt).text)
