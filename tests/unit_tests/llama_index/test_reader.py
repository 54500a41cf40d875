"""Recordings as LlamaIndex's documents, in its readers, and in an index that is queried."""

from __future__ import annotations

import asyncio
import pickle
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import fsspec  # type: ignore[import-untyped]
import numpy as np
import pytest
from llama_index.core import Document, MockEmbedding, SimpleDirectoryReader, VectorStoreIndex
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.schema import MetadataMode

from langchain_qwen_audio import ChatQwenAudio, QwenAudioLoader, TranscriptFormat
from langchain_qwen_audio.errors import AudioError, AuthenticationError
from langchain_qwen_audio.llama_index import QwenAudio, QwenAudioReader
from langchain_qwen_audio.local import ReceivedRequest, Reply, error_reply
from tests.unit_tests import made_files as made
from tests.unit_tests.job_calls import LISTED, jobs_of, submissions
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import tone, wav

from .conftest import llm_at

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope

# LlamaIndex imports langchain-community where it is installed.
pytestmark = pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset")

ASR = "qwen3-asr-flash"


class Load(Protocol):
    """Load all documents, in one of four ways."""

    __name__: str

    def __call__(self, reader: QwenAudioReader, /, *args: Any, **rest: Any) -> list[Document]: ...


def load(reader: QwenAudioReader, /, *args: Any, **rest: Any) -> list[Document]:
    return reader.load_data(*args, **rest)


def lazy_load(reader: QwenAudioReader, /, *args: Any, **rest: Any) -> list[Document]:
    return list(reader.lazy_load_data(*args, **rest))


def aload(reader: QwenAudioReader, /, *args: Any, **rest: Any) -> list[Document]:
    return asyncio.run(reader.aload_data(*args, **rest))


def alazy_load(reader: QwenAudioReader, /, *args: Any, **rest: Any) -> list[Document]:
    return list(asyncio.run(reader.alazy_load_data(*args, **rest)))


@pytest.fixture(params=[load, lazy_load, aload, alazy_load], ids=lambda way: way.__name__)
def loaded(request: pytest.FixtureRequest) -> Load:
    way: Load = request.param
    return way


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make one recording of two segments, and one of one."""
    pause = 0 * tone(0.5)
    (tmp_path / "a.wav").write_bytes(wav(np.concatenate([tone(1.5), pause, tone(1.5)])))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.WAV").write_bytes(wav(tone(1.0)))
    (tmp_path / "notes.txt").write_text("A note.")
    return tmp_path


TRANSCRIPTS = [
    Reply(f"Part {n}.", annotations=[{"type": "audio_info", "language": "en", "emotion": "happy"}])
    for n in range(8)
]


@pytest.fixture
def llm(server: LocalDashScope) -> QwenAudio:
    server.script(*TRANSCRIPTS)
    return llm_at(server, ASR)


def reader_of(llm: QwenAudio | ChatQwenAudio, **options: Any) -> QwenAudioReader:
    return QwenAudioReader(llm, **{"segment_s": 2, "max_concurrency": 1, **options})


def test_documents_are_langchains(loaded: Load, llm: QwenAudio, folder: Path) -> None:
    documents = loaded(reader_of(llm), folder)
    loader = QwenAudioLoader(
        folder, llm=llm.chat_model, segment_s=2, max_concurrency=1, on_error="document"
    )
    theirs = loader.load()
    assert [document.metadata for document in documents] == [it.metadata for it in theirs]
    assert [document.text for document in documents] == ["Part 0.", "Part 1.", "Part 2."]
    first, second, third = (document.metadata for document in documents)
    assert first["source"] == second["source"] == str(folder / "a.wav")
    assert (first["segment"], first["start_s"]) == (0, 0.0)
    assert (second["segment"], second["end_s"]) == (1, 3.5)
    assert first["end_s"] == second["start_s"] == pytest.approx(1.75, abs=0.25)
    assert third["source"].endswith("b.WAV")
    assert {first["model"], first["language"], first["emotion"]} == {ASR, "en", "happy"}
    assert len({document.doc_id for document in documents}) == 3


def test_transcripts_of_a_model_that_tells_times(
    server: LocalDashScope, loaded: Load, folder: Path
) -> None:
    server.script("One.")
    (document,) = loaded(reader_of(llm_at(server, RECOGNITION)), folder / "sub" / "b.WAV")
    assert (document.text, document.metadata["model"]) == ("One.", RECOGNITION)


def test_what_is_embedded_and_what_is_read(llm: QwenAudio, folder: Path) -> None:
    (document, *_) = reader_of(llm).load_data(folder / "a.wav")
    embedded = document.get_content(MetadataMode.EMBED)
    assert "Part 0." in embedded
    assert "emotion: happy" in embedded
    assert "start_s" not in embedded
    assert "start_s: 0.0" in document.get_content(MetadataMode.LLM)


def test_a_cut_transcript_says_so_and_that_is_not_embedded(
    server: LocalDashScope, loaded: Load, folder: Path
) -> None:
    server.script(Reply("Part", finish_reason="length"))
    (document,) = loaded(reader_of(llm_at(server, ASR)), folder / "sub" / "b.WAV")
    assert document.metadata["finish_reason"] == "length"
    assert "[the model did not finish 00:00 to 00:01" in document.text
    assert "finish_reason: " not in document.get_content(MetadataMode.EMBED)


def test_a_transcript_in_one_piece(loaded: Load, llm: QwenAudio, folder: Path) -> None:
    reader = reader_of(llm, transcript_format=TranscriptFormat.SRT)
    (document,) = loaded(reader, folder / "a.wav")
    assert document.text.startswith("1\n00:00:00,000 --> ")
    assert document.metadata["segments"] == 2


def test_the_summary_counts(loaded: Load, llm: QwenAudio, folder: Path) -> None:
    reader = reader_of(llm)
    loaded(reader, [folder / "a.wav", folder / "sub" / "b.WAV"])
    assert (reader.summary.recordings, reader.summary.segments) == (2, 3)


def test_each_channel_of_what_is_there_and_what_is_left_out(
    loaded: Load, llm: QwenAudio, tmp_path: Path
) -> None:
    call = made.one_after_the_other(2)
    (tmp_path / "call").write_bytes(call[: 44 + 64_000])
    (tmp_path / "notes.txt").write_text("A note.")
    reader = reader_of(llm, channel="each", allow_truncated=True)
    documents = loaded(reader, tmp_path)
    facts = [(it.metadata["channel"], it.metadata["end_s"]) for it in documents]
    assert facts == [(0, 1.0), (1, 1.0)]
    (reason,) = reader.summary.left_out
    assert reason.endswith("notes.txt: it is text, not a recording: 'A note.'")


def test_more_metadata_wins(loaded: Load, llm: QwenAudio, folder: Path) -> None:
    documents = loaded(reader_of(llm), folder / "a.wav", extra_info={"who": "Ada", "source": "x"})
    assert [document.metadata["who"] for document in documents] == ["Ada", "Ada"]
    assert documents[1].metadata["source"] == "x"
    assert documents[1].metadata["segment"] == 1


def test_a_prompt_and_a_langchain_model(server: LocalDashScope, folder: Path) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    (document,) = reader_of(model, prompt="Who?").load_data(folder / "sub" / "b.WAV")
    assert document.text == "ok"
    assert server.requests[0].messages[-1]["content"][-1] == {"text": "Who?"}


def test_errors(loaded: Load, server: LocalDashScope, folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF")
    llm = llm_at(server, ASR, max_retries=0)
    with pytest.raises(AudioError, match="it cannot be read"):
        loaded(reader_of(llm), folder / "missing.wav")
    with pytest.raises(AudioError, match=r"broken\.wav"):
        loaded(reader_of(llm), folder / "broken.wav")
    server.script(error_reply(401, "InvalidApiKey", "no"))
    with pytest.raises(AuthenticationError):
        loaded(reader_of(llm, on_error="document"), folder / "a.wav")
    (document,) = loaded(reader_of(llm, on_error="document"), folder / "broken.wav")
    assert document.metadata["error"].startswith("AudioError")


def test_it_loads_as_it_goes(server: LocalDashScope, folder: Path) -> None:
    documents = reader_of(llm_at(server, ASR)).lazy_load_data([folder / "a.wav", "missing.wav"])
    assert next(documents).metadata["segment"] == 0
    with pytest.raises(AudioError):
        list(documents)


# --- in LlamaIndex's own reader ---------------------------------------------------------------


def directory(folder: Path, reader: QwenAudioReader, **options: Any) -> SimpleDirectoryReader:
    return SimpleDirectoryReader(
        str(folder),
        recursive=True,
        file_extractor=dict.fromkeys(QwenAudioReader.suffixes, reader),
        raise_on_error=True,
        **options,
    )


@pytest.mark.parametrize("is_async", [False, True])
def test_a_directory_of_recordings_and_others(
    llm: QwenAudio, folder: Path, *, is_async: bool
) -> None:
    found = directory(folder, reader_of(llm), filename_as_id=True)
    documents = asyncio.run(found.aload_data()) if is_async else found.load_data()
    assert sorted(document.text for document in documents) == [
        "A note.",
        "Part 0.",
        "Part 1.",
        "Part 2.",
    ]
    segments = [document for document in documents if "segment" in document.metadata]
    for document in segments:
        assert document.metadata["file_path"] == document.metadata["source"]
        assert "file_size" not in document.get_content(MetadataMode.LLM)
    assert segments[0].doc_id.endswith("a.wav_part_0")


def test_a_directory_elsewhere(llm: QwenAudio) -> None:
    fs = fsspec.filesystem("memory")
    fs.makedirs("/calls", exist_ok=True)
    with fs.open("/calls/a.wav", "wb") as file:
        file.write(wav(tone(1.0)))
    try:
        (document,) = directory(Path("/calls"), reader_of(llm), fs=fs).load_data()
    finally:
        fs.rm("/calls", recursive=True)
    assert document.text == "Part 0."
    assert document.metadata["source"] == "/calls/a.wav"


def test_a_directory_says_what_is_wrong(server: LocalDashScope, folder: Path) -> None:
    (folder / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(Exception, match="Error loading file") as caught:
        directory(folder, reader_of(llm_at(server, ASR))).load_data()
    assert isinstance(caught.value.__cause__, AudioError)


def test_it_goes_to_other_processes(llm: QwenAudio, folder: Path) -> None:
    """LlamaIndex's `num_workers` pickles readers."""
    reader = pickle.loads(pickle.dumps(reader_of(llm)))  # noqa: S301
    assert reader.load_data(folder / "a.wav")[0].text == "Part 0."


# --- in an index ------------------------------------------------------------------------------


def _cite(request: ReceivedRequest) -> str:
    """Cite the source that says so; which one it is is up to the index."""
    found = re.search(r"Source (\d):\nPart 1\.", request.messages[-1]["content"])
    return f"It is part 1 [{found[1] if found else '?'}]."


@pytest.mark.parametrize("is_async", [False, True])
def test_an_index_over_recordings_that_cites(
    server: LocalDashScope, folder: Path, *, is_async: bool
) -> None:
    server.script(*TRANSCRIPTS[:2], _cite)
    documents = reader_of(llm_at(server, ASR)).load_data(folder / "a.wav")
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))
    llm = llm_at(server, "qwen3.5-omni-flash")
    engine = CitationQueryEngine.from_args(index, llm=llm, similarity_top_k=2)
    question = "Which part?"
    found: Any = asyncio.run(engine.aquery(question)) if is_async else engine.query(question)
    number = int(str(found).removeprefix("It is part 1 [").removesuffix("]."))
    cited = found.source_nodes[number - 1].node
    assert cited.get_content() == f"Source {number}:\nPart 1.\n"
    assert cited.metadata["source"] == str(folder / "a.wav")
    assert cited.metadata["segment"] == 1
    assert cited.metadata["end_s"] == 3.5


def test_an_index_tells_the_model_the_times_of_a_passage(
    server: LocalDashScope, folder: Path
) -> None:
    server.script(*TRANSCRIPTS[:2], "At 1.75 s.")
    documents = reader_of(llm_at(server, ASR)).load_data(folder / "a.wav")
    index = VectorStoreIndex.from_documents(documents, embed_model=MockEmbedding(embed_dim=4))
    engine = index.as_query_engine(llm=llm_at(server, "qwen-audio-turbo-latest"), streaming=True)
    assert str(engine.query("When?")) == "At 1.75 s."
    sent = str(server.requests[-1].messages)
    assert "start_s: 0.0" in sent
    assert f"source: {folder / 'a.wav'}" in sent


def test_jobs_transcribe_too(server: LocalDashScope, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(tone(1)))
    (document,) = QwenAudioReader(jobs_of(server, model=LISTED)).load_data(path)
    assert (document.text, document.metadata["model"]) == ("ok", LISTED)
    assert len(submissions(server)) == 1
