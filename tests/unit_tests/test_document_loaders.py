"""Recordings as documents: formats, metadata, options, and what a run cost."""

from __future__ import annotations

import asyncio
import math
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
import pytest
import tqdm.auto
from langchain_core.document_loaders import Blob
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index
from langchain_core.messages import SystemMessage
from langchain_core.stores import InMemoryByteStore
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_qwen_audio.document_loaders import QwenAudioLoader, QwenAudioParser, TranscriptFormat
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from langchain_qwen_audio.transcripts import Transcript
from tests.unit_tests.loading import (
    ASR,
    QWEN_AUDIO,
    asynchronous,
    count_seconds,
    llm_of,
    loader_of,
    numbered,
    sources,
    sync,
    texts,
)
from tests.unit_tests.made_files import with_tracks
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import DATA, wav

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.documents import Document

    from tests.unit_tests.loading import Load


def test_each_segment_is_a_document_with_its_start_and_end(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    documents = load(loader_of(counting, ten, segment_s=4))
    assert [(document.page_content, document.metadata) for document in documents] == [
        (text, {"source": str(ten), "segment": i, "start_s": start, "end_s": end, "model": ASR})
        for i, (text, start, end) in enumerate(
            [("0 1 2 3", 0.0, 4.0), ("4 5 6 7", 4.0, 8.0), ("8 9", 8.0, 10.0)]
        )
    ]


def test_speech_recognition_with_times_loads_segments_like_any_other(ten: Path) -> None:
    with LocalDashScope(reply=" words \n") as server:
        llm = llm_of(server, model=RECOGNITION)
        documents = asynchronous(
            QwenAudioLoader(ten, llm=llm, segment_s=4, prompt=SystemMessage("Ada"))
        )
    assert [it.page_content for it in documents] == ["words"] * 3
    assert {it.metadata["model"] for it in documents} == {RECOGNITION}
    context = {"role": "user", "content": [{"type": "input_text", "text": "Ada"}]}
    assert [it.messages[0] for it in server.requests] == [context] * 3


def test_language_and_emotion_are_in_the_metadata_where_known(
    server: LocalDashScope, ten: Path
) -> None:
    facts: list[dict[str, str]] = [{"language": "zh", "emotion": "happy"}, {"language": "en"}, {}]
    for info in facts:
        annotations = [{"type": "audio_info", **info}]
        server.script(Reply(" words \n", annotations=annotations, model="transcriber-1"))
        (document,) = sync(loader_of(server, ten))
        told = {name: document.metadata.get(name) for name in ("language", "emotion")}
        assert {name: value for name, value in told.items() if value is not None} == info
        assert document.metadata["model"] == "transcriber-1"
        assert document.page_content == "words"


@pytest.mark.parametrize(("languages", "language"), [(["zh", "zh"], "zh"), (["zh", "en"], None)])
def test_a_recording_has_a_language_if_all_of_its_segments_have_it(
    ten: Path, languages: list[str], language: str | None
) -> None:
    replies = [Reply("a", annotations=[{"type": "audio_info", "language": it}]) for it in languages]
    with LocalDashScope() as server:
        server.script(*replies)
        options: dict[str, Any] = {
            "segment_s": 5,
            "max_concurrency": 1,
            "transcript_format": "json",
        }
        (document,) = sync(loader_of(server, ten, **options))
    assert document.metadata.get("language") == language
    assert Transcript.model_validate_json(document.page_content).language == language


FORMATTED: dict[TranscriptFormat, list[str]] = {
    TranscriptFormat.SEGMENTS: ["0 1", "2", "0 1"],
    TranscriptFormat.TEXT: ["0 1\n\n2", "0 1"],
    TranscriptFormat.SRT: [
        "1\n00:00:00,000 --> 00:00:02,000\n0 1\n\n2\n00:00:02,000 --> 00:00:03,000\n2\n",
        "1\n00:00:00,000 --> 00:00:02,000\n0 1\n",
    ],
    TranscriptFormat.VTT: [
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n0 1\n\n00:00:02.000 --> 00:00:03.000\n2\n",
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n0 1\n",
    ],
}


def test_a_format_makes_a_document_per_segment_or_per_recording(
    load: Load, counting: LocalDashScope, tmp_path: Path
) -> None:
    for name, seconds in (("a.wav", 3), ("b.wav", 2)):
        (tmp_path / name).write_bytes(wav(numbered(seconds)))
    options: dict[str, Any] = {"segment_s": 2, "checkpoint": InMemoryByteStore()}
    known = {"start_s": 0.0, "model": ASR}
    for transcript_format, contents in FORMATTED.items():
        options["transcript_format"] = transcript_format
        documents = load(loader_of(counting, tmp_path, **options))
        assert texts(documents) == contents
        if transcript_format is TranscriptFormat.SEGMENTS:
            continue
        assert [document.metadata for document in documents] == [
            {"source": str(tmp_path / "a.wav"), "end_s": 3.0, "segments": 2, **known},
            {"source": str(tmp_path / "b.wav"), "end_s": 2.0, "segments": 1, **known},
        ]


def test_segments_for_subtitles_are_ten_seconds_at_most(
    counting: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(25)))
    options: dict[str, Any] = {"checkpoint": InMemoryByteStore()}
    for transcript_format in (TranscriptFormat.SRT, TranscriptFormat.VTT, "srt"):
        loader = loader_of(counting, tmp_path, transcript_format=transcript_format, **options)
        (document,) = sync(loader)
        assert document.page_content.count("-->") == 3, transcript_format
        assert document.metadata["segments"] == 3


# --- what of a recording is taken -----------------------------------------------------------------


@pytest.fixture
def call(tmp_path: Path) -> Path:
    """A call of three seconds, with 0 1 2 on one channel and 5 6 7 on the other."""
    path = tmp_path / "call.wav"
    path.write_bytes(wav(np.stack([numbered(3), numbered(3, 5)], axis=1), channels=2))
    return path


def test_each_channel_is_transcribed_by_itself(counting: LocalDashScope, call: Path) -> None:
    loader = loader_of(counting, call, segment_s=2, channel="each")
    documents = sync(loader)
    assert texts(documents) == ["0 1", "2", "5 6", "7"]
    facts = [(it.metadata["channel"], it.metadata["segment"]) for it in documents]
    assert facts == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert loader.summary.recordings == 1
    assert loader.summary.audio_s == 6.0


WHOLE_CALL = {
    "text": "Channel 0: 0 1\n\nChannel 1: 5 6\n\nChannel 0: 2\n\nChannel 1: 7",
    "vtt": (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n<v Channel 0>0 1\n\n"
        "00:00:00.000 --> 00:00:02.000\n<v Channel 1>5 6\n\n"
        "00:00:02.000 --> 00:00:03.000\n<v Channel 0>2\n\n"
        "00:00:02.000 --> 00:00:03.000\n<v Channel 1>7\n"
    ),
}


@pytest.mark.parametrize(("transcript_format", "text"), WHOLE_CALL.items())
def test_channels_are_merged_by_time(
    counting: LocalDashScope, call: Path, transcript_format: Any, text: str
) -> None:
    options = {"channel": "each", "segment_s": 2, "transcript_format": transcript_format}
    (document,) = asynchronous(loader_of(counting, call, **options))
    assert document.page_content == text
    assert (document.metadata["segments"], document.metadata["end_s"]) == (4, 3.0)


def test_one_channel_is_transcribed(counting: LocalDashScope, call: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (first,) = sync(loader_of(counting, call, channel=0, checkpoint=kept))
    (second,) = sync(loader_of(counting, call, channel=1, checkpoint=kept))
    assert (first.page_content, second.page_content) == ("0 1 2", "5 6 7")
    assert (first.metadata["channel"], second.metadata["channel"]) == (0, 1)


def test_a_channel_that_there_is_not_is_an_error_in_its_place(
    counting: LocalDashScope, call: Path
) -> None:
    (document,) = sync(loader_of(counting, call, channel=2, on_error="document"))
    assert (
        "channel 2 was requested, and the recording has 2 channels, 0 to 1"
        in document.metadata["error"]
    )


@pytest.mark.parametrize("channel", [-1, "both"])
def test_a_channel_that_makes_no_sense_is_refused(
    counting: LocalDashScope, call: Path, channel: Any
) -> None:
    with pytest.raises(ValueError, match="expected a number from 0, or 'each'"):
        loader_of(counting, call, channel=channel)


@pytest.mark.parametrize(("options", "track"), [({}, 1), ({"track": 0}, 0)])
def test_the_track_is_in_the_metadata(
    server: LocalDashScope, tmp_path: Path, options: dict[str, Any], track: int
) -> None:
    film = tmp_path / "film.mkv"
    film.write_bytes(with_tracks("stereo48k.wav", "speech.wav", default=1))
    (document,) = sync(loader_of(server, film, **options))
    assert document.metadata["track"] == track
    assert document.metadata["end_s"] == pytest.approx([0.25, 1.149][track], abs=0.01)


def test_what_is_there_of_a_truncated_recording_is_transcribed(
    counting: LocalDashScope, tmp_path: Path
) -> None:
    half = tmp_path / "half.wav"
    half.write_bytes(wav(numbered(4))[: 44 + 2 * 32_000])
    with pytest.raises(AudioError, match=r"truncated.*allow_truncated=True"):
        sync(loader_of(counting, half, segment_s=1))
    assert texts(sync(loader_of(counting, half, segment_s=1, allow_truncated=True))) == ["0", "1"]


def test_documents_come_as_they_are_transcribed(counting: LocalDashScope, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(10)))
    documents = loader_of(counting, tmp_path, segment_s=1, max_concurrency=2).lazy_load()
    assert next(documents).page_content == "0"
    assert len(counting.requests) <= 5
    assert texts(list(documents)) == [str(number) for number in range(1, 10)]


def test_ids_are_the_same_in_each_run_and_differ_within_one(tmp_path: Path) -> None:
    for name in ("a.wav", "copy.wav"):
        (tmp_path / name).write_bytes(wav(numbered(2)))
    blobs = [Blob.from_data(wav(numbered(2, first))) for first in (10, 20)]
    (tmp_path / "no.wav").write_bytes(b"no recording")
    paths = [tmp_path / "a.wav", tmp_path / "copy.wav", tmp_path / "no.wav", *blobs]

    def ids(transcript_format: str, model: str = ASR, **options: Any) -> list[str | None]:
        options |= {"transcript_format": transcript_format, "on_error": "document"}
        options |= {"window_s": 1} if transcript_format == "windows" else {}
        options |= {"segment_s": 1, "checkpoint": tmp_path / "kept"}
        return [it.id for it in sync(loader_of(server, paths, {"model": model}, **options))]

    with LocalDashScope(reply=count_seconds) as server:
        for transcript_format in ("segments", "sentences", "windows", "text"):
            first = ids(transcript_format)
            assert [UUID(it).version for it in first if it] == [5] * len(first)
            assert len(set(first)) == len(first) == (5 if transcript_format == "text" else 9)
            assert ids(transcript_format) == first
            assert first[0] not in ids(transcript_format, QWEN_AUDIO, prompt="List names.")


def test_a_failed_segment_has_the_id_of_its_later_transcript(ten: Path) -> None:
    with LocalDashScope(reply=count_seconds) as server:
        server.script(error_reply(400, "InvalidParameter", "no"))
        options: dict[str, Any] = {"segment_s": 4, "transcript_format": "sentences"}
        failed = sync(loader_of(server, ten, on_error="document", max_concurrency=1, **options))
        whole = sync(loader_of(server, ten, **options))
    assert "error" in failed[0].metadata
    assert [it.id for it in failed] == [it.id for it in whole]


def test_langchains_index_adds_nothing_twice(counting: LocalDashScope, ten: Path) -> None:
    store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
    records = InMemoryRecordManager("recordings")
    for encode in ("sha256", lambda document: document.id):
        loader = loader_of(counting, ten, segment_s=4)
        counts = [index(loader, records, store, key_encoder=encode, cleanup=None) for _ in range(2)]
        assert [it["num_added"] for it in counts] == [3, 0]
        assert [it["num_skipped"] for it in counts] == [0, 3]


@pytest.mark.parametrize(
    ("prompt", "model"),
    [(None, ASR), (SystemMessage("Names: Qwen."), ASR), ("List every decision.", QWEN_AUDIO)],
)
def test_without_a_model_the_prompt_decides_which_one_is_used(
    monkeypatch: pytest.MonkeyPatch, server: LocalDashScope, ten: Path, prompt: Any, model: str
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
    assert texts(QwenAudioLoader(ten, prompt=prompt).load()) == ["ok"]
    assert [request.json["model"] for request in server.requests] == [model]


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"max_concurrency": 0}, "max_concurrency is 0"),
    ({"on_error": "ignore"}, "on_error is 'ignore'"),
    ({"segment_s": 0.5}, "segment_s is 0.5"),
    ({"segment_s": -1}, "segment_s is -1"),
    ({"segment_s": 10, "overlap_s": 5.1}, "overlap_s is 5.1; expected 0 to 5"),
    ({"overlap_s": -0.1}, "overlap_s is -0.1"),
    ({"overlap_s": math.nan}, "overlap_s is nan"),
    ({"transcript_format": "docx"}, "docx"),
]


def test_impossible_options_are_refused(server: LocalDashScope) -> None:
    for options, says in IMPOSSIBLE:
        with pytest.raises(ValueError, match=says):
            loader_of(server, "a.wav", **options)


@pytest.mark.filterwarnings("ignore:.langchain-community. is being sunset:DeprecationWarning")
def test_the_parser_works_in_langchains_generic_loader(
    counting: LocalDashScope, archive: Path
) -> None:
    from langchain_community.document_loaders.blob_loaders import FileSystemBlobLoader
    from langchain_community.document_loaders.generic import GenericLoader

    parser = QwenAudioParser(llm_of(counting))
    blobs = FileSystemBlobLoader(archive, glob="**/*", suffixes=[".wav"])
    for loader in (
        GenericLoader(blobs, parser),
        GenericLoader.from_filesystem(archive, glob="**/[!.]*", suffixes=[".wav"], parser=parser),
    ):
        documents = list(loader.lazy_load())
        assert sorted(texts(documents)) == ["1", "3", "4", "5"]
        assert sorted(sources(documents)) == sorted(map(str, archive.rglob("*.wav")))


def test_a_parser_takes_one_blob_after_the_other(counting: LocalDashScope, archive: Path) -> None:
    parser = QwenAudioParser(llm_of(counting))

    async def parse(blob: Blob) -> list[Document]:
        return [document async for document in parser.alazy_parse(blob)]

    assert texts(parser.parse(Blob.from_path(archive / "a.wav"))) == ["1"]
    assert texts(asyncio.run(parse(Blob.from_path(archive / "z.wav")))) == ["5"]
    (document,) = parser.parse(Blob.from_data(wav(numbered(1, 7))))
    assert (document.page_content, document.metadata["source"]) == ("7", "blob")


def test_a_loader_loads_again(counting: LocalDashScope, archive: Path) -> None:
    loader = loader_of(counting, iter([archive / "a.wav"]))
    assert texts(loader.load()) == texts(loader.load()) == ["1"]


def test_no_paths_are_no_documents(load: Load, server: LocalDashScope) -> None:
    loader = loader_of(server, [])
    assert load(loader) == []
    assert loader.summary.recordings == 0


def test_two_threads_may_use_one_loader(counting: LocalDashScope, ten: Path) -> None:
    loader = loader_of(counting, ten, segment_s=1)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(sync, [loader] * 3))
    assert [texts(run) for run in runs] == [[str(number) for number in range(10)]] * 3


# --- what it costs --------------------------------------------------------------------------------


def test_the_summary_counts_what_was_transcribed_and_paid_for(archive: Path) -> None:
    reply = Reply("w", usage={"input_tokens": 30, "output_tokens": 2, "total_tokens": 32})
    with LocalDashScope(reply=reply) as server:
        names = ["a.wav", "gone.wav", "z.wav"]
        paths = [*(archive / name for name in names), DATA / "speech.wav"]
        loader = loader_of(server, paths, on_error="document")
        sync(loader)
        first = loader.summary
        sync(loader)
    assert (first.recordings, first.segments, first.failed, first.from_checkpoint) == (4, 4, 1, 0)
    assert first.audio_s == pytest.approx(2 + 1.149, abs=0.01)
    assert first.usage == {"input_tokens": 90, "output_tokens": 6, "total_tokens": 96}
    assert str(first) == (
        "4 recordings, 00:03 in 4 segments (1 failed, 0 from the checkpoint): "
        "unknown seconds billed, 90 tokens in, 6 out"
    )
    assert loader.summary == first, "each run has its own"


def test_seconds_that_are_billed_are_those_of_this_run(archive: Path) -> None:
    usage = {"input_tokens": 30, "output_tokens": 2, "total_tokens": 32, "seconds": 3}
    store = InMemoryByteStore()
    with LocalDashScope(reply=Reply("w", usage=usage)) as server:
        asynchronous(loader_of(server, archive / "a.wav", checkpoint=store))
        loader = loader_of(server, [archive / "a.wav", DATA / "speech.wav"], checkpoint=store)
        asynchronous(loader)
        assert "1 from the checkpoint): 3 s billed, 30 tokens in, 2 out" in str(loader.summary)
        asynchronous(loader)
    assert "2 from the checkpoint): 0 s billed, 0 tokens in, 0 out" in str(loader.summary)


def test_the_summary_counts_while_the_run_goes_on(counting: LocalDashScope, ten: Path) -> None:
    loader = loader_of(counting, ten, segment_s=2)
    assert [loader.summary.audio_s for _ in loader.lazy_load()] == [2.0, 4.0, 6.0, 8.0, 10.0]


OVERLAPS = [
    0.0,
    1.0,
]


@pytest.mark.parametrize("overlap_s", OVERLAPS)
def test_the_progress_bar_shows_seconds_done_and_tokens_used(
    capsys: pytest.CaptureFixture[str], ten: Path, overlap_s: float
) -> None:
    reply = Reply("w", usage={"input_tokens": 30, "output_tokens": 2, "total_tokens": 32})
    with LocalDashScope(reply=reply) as server:
        sync(loader_of(server, ten, segment_s=5, overlap_s=overlap_s, show_progress=True))
    shown = capsys.readouterr().err
    last = shown.rstrip().rpartition("\r")[2]
    assert "transcribing 1 of 1: 100%" in last
    assert "10.0/10.0" in last
    assert f"tokens={32 * (3 if overlap_s else 2)}" in last


def test_the_progress_bar_counts_recordings_and_estimates_the_rest(
    monkeypatch: pytest.MonkeyPatch,
    counting: LocalDashScope,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    bars: list[Any] = []
    make_bar = tqdm.auto.tqdm

    def draw_each_step(**options: Any) -> Any:
        bars.append(make_bar(**options, mininterval=0))
        return bars[-1]

    monkeypatch.setattr(make_bar, "monitor_interval", 0)  # which draws in between
    monkeypatch.setattr(tqdm.auto, "tqdm", draw_each_step)
    store = InMemoryByteStore()
    for number, seconds in enumerate((4, 6, 8)):
        (tmp_path / f"{number}.wav").write_bytes(wav(numbered(seconds, 10 * number)))
    asynchronous(loader_of(counting, tmp_path / "0.wav", segment_s=2, checkpoint=store))
    asynchronous(loader_of(counting, tmp_path, segment_s=2, checkpoint=store, show_progress=True))
    steps = [it for it in capsys.readouterr().err.split("\r") if "of 3" in it]
    places = [re.search(r"(\d of 3).* ([\d.]+/[\d.]+) ", it) for it in steps]
    shown = list(dict.fromkeys(it.groups() for it in places if it))
    assert shown == [
        *[("1 of 3", f"{it}.00/12.0") for it in (2, 4)],
        *[("2 of 3", f"{it}/15.0") for it in ("6.00", "8.00", "10.0")],
        *[("3 of 3", f"{it}.0/18.0") for it in (12, 14, 16, 18)],
    ]
    assert all(re.search(r"<\d\d:\d\d", it) for it in steps if "3 of 3" in it)  # time left
    assert bars[-1].initial == 4.0, "what came from the checkpoint says nothing of the speed"


def test_there_is_no_progress_bar_unless_it_is_set(
    counting: LocalDashScope, capsys: pytest.CaptureFixture[str], ten: Path
) -> None:
    sync(loader_of(counting, ten, segment_s=5))
    assert capsys.readouterr() == ("", "")


def test_the_summary_counts_what_overlaps_once(counting: LocalDashScope, ten: Path) -> None:
    loader = loader_of(counting, ten, segment_s=5, overlap_s=1)
    loader.load()
    assert loader.summary.audio_s == 10.0
