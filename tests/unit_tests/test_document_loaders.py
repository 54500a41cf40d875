"""Recordings as documents: which files, which segments, what is asked, and what goes wrong.

Checkpoints, subtitles and recordings of an hour have files of their own.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.document_loaders import Blob
from langchain_core.messages import SystemMessage
from langchain_core.rate_limiters import InMemoryRateLimiter

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.document_loaders import (
    QwenAudioLoader,
    QwenAudioParser,
    TranscriptFormat,
)
from langchain_qwen_audio.errors import (
    AudioError,
    AuthenticationError,
    InvalidRequestError,
    MessageError,
    NotFoundError,
    PermissionDeniedError,
)
from langchain_qwen_audio.local import (
    RESET,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    error_reply,
    sse_event,
)

from .recordings import (
    DATA,
    NAMES,
    RECORDINGS,
    ask_about,
    encode,
    hear,
    run_python,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from .recordings import Recording, Samples

RATE = 16_000
ASR, QWEN_AUDIO = "qwen3-asr-flash", "qwen-audio-turbo-latest"
LEVEL = 5_000  # of the first second of a numbered recording
OOPS = error_reply(500, "InternalError", "oops")
REFUSED = error_reply(400, "InvalidParameter", "no such thing")


class Load(Protocol):
    """Load all documents, in one of two ways."""

    def __call__(self, loader: QwenAudioLoader, /) -> list[Document]: ...


def sync(loader: QwenAudioLoader) -> list[Document]:
    return list(loader.lazy_load())


def asynchronous(loader: QwenAudioLoader) -> list[Document]:
    async def collect() -> list[Document]:
        return [document async for document in loader.alazy_load()]

    return asyncio.run(collect())


@pytest.fixture(params=[sync, asynchronous], ids=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Load:
    way: Load = request.param
    return way


def numbered(seconds: int, first: int = 0) -> Samples:
    """Make a recording whose seconds differ, each in what it is, and not in how loud it seems."""
    levels = np.arange(first, first + seconds, dtype=np.int16) + LEVEL
    samples: Samples = np.repeat(levels, RATE)
    return samples


def clip_in(request: ReceivedRequest) -> bytes:
    (part,) = (part for part in request.messages[-1]["content"] if "audio" in part)
    return base64.b64decode(part["audio"].partition(";base64,")[2], validate=True)


def numbers_in(request: ReceivedRequest) -> list[int]:
    """Tell which seconds of a numbered recording a request is about."""
    return list(dict.fromkeys((hear(clip_in(request)).samples - LEVEL).tolist()))


def count(request: ReceivedRequest) -> str:
    """Transcribe a numbered recording."""
    return " ".join(map(str, numbers_in(request)))


def seconds_in(request: ReceivedRequest) -> str:
    return f"{hear(clip_in(request)).seconds:.2f}"


def llm_of(server: LocalDashScope, model: str = ASR, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(model=model, base_url=server.base_url, api_key="local", **fields)


def loader_of(
    server: LocalDashScope, paths: Any, fields: dict[str, Any] | None = None, **options: Any
) -> QwenAudioLoader:
    return QwenAudioLoader(paths, llm=llm_of(server, **(fields or {})), **options)


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


def sources(documents: list[Document]) -> list[str]:
    return [document.metadata["source"] for document in documents]


def times(documents: list[Document]) -> list[tuple[float, float]]:
    return [(it.metadata["start_s"], it.metadata["end_s"]) for it in documents]


def threads() -> list[str]:
    """Name the threads that ask."""
    return [it.name for it in threading.enumerate() if it.name.startswith("ThreadPoolExecutor")]


def eventually(holds: Callable[[], bool], within_s: float = 20.0) -> bool:
    give_up = time.monotonic() + within_s
    while not holds() and time.monotonic() < give_up:
        time.sleep(0.01)
    return holds()


class Gauge:
    """Says what `reply` says after a while, and how many requests it worked on at once."""

    def __init__(self, reply: Callable[[ReceivedRequest], Any], delay_s: float = 0.1) -> None:
        self._reply, self._delay_s = reply, delay_s
        self._lock = threading.Lock()
        self._busy = self.busiest = 0
        self.came: list[float] = []

    def __call__(self, request: ReceivedRequest) -> Any:
        with self._lock:
            self.came.append(time.monotonic())
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        time.sleep(self._delay_s)
        with self._lock:
            self._busy -= 1
        return self._reply(request)


@pytest.fixture
def counting() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=count) as server:
        yield server


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """Ten seconds, numbered."""
    path = tmp_path / "ten.wav"
    path.write_bytes(wav(numbered(10)))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Make a folder of recordings that are numbered as they are found: 1 to 5."""
    folder = tmp_path / "archive"
    names = ["a.wav", "b.WAV", "deep/down/c.wav", "deep/録音 ünï[1].wav", "z.wav"]
    for number, name in enumerate(names, 1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(numbered(1, number)))
    (folder / "notes.txt").write_text("not a recording")
    (folder / "empty").mkdir()
    return folder


# --- documents --------------------------------------------------------------------------------


def test_each_segment_is_a_document_that_says_from_where_it_is(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    documents = load(loader_of(counting, ten, segment_s=4))
    assert [(document.page_content, document.metadata) for document in documents] == [
        (text, {"source": str(ten), "segment": i, "start_s": start, "end_s": end, "model": ASR})
        for i, (text, start, end) in enumerate(
            [("0 1 2 3", 0.0, 4.0), ("4 5 6 7", 4.0, 8.0), ("8 9", 8.0, 10.0)]
        )
    ]


@pytest.mark.parametrize(
    ("info", "known"),
    [
        ({"language": "zh", "emotion": "happy"}, {"language": "zh", "emotion": "happy"}),
        ({"language": "en"}, {"language": "en"}),
        ({}, {}),
    ],
)
def test_language_and_emotion_are_told_as_they_are_known(
    load: Load, ten: Path, info: dict[str, str], known: dict[str, str]
) -> None:
    said = Reply(" words \n", annotations=[{"type": "audio_info", **info}], model="listener")
    with LocalDashScope(reply=said) as server:
        (document,) = load(loader_of(server, ten))
    told = {name: document.metadata.get(name) for name in ("language", "emotion")}
    assert {name: value for name, value in told.items() if value is not None} == known
    assert document.metadata["model"] == "listener"
    assert document.page_content == "words"


@pytest.mark.parametrize(
    ("transcript_format", "contents"),
    [
        (TranscriptFormat.SEGMENTS, ["0 1", "2", "0 1"]),
        (TranscriptFormat.TEXT, ["0 1\n\n2", "0 1"]),
        (
            TranscriptFormat.SRT,
            [
                "1\n00:00:00,000 --> 00:00:02,000\n0 1\n\n2\n00:00:02,000 --> 00:00:03,000\n2\n",
                "1\n00:00:00,000 --> 00:00:02,000\n0 1\n",
            ],
        ),
        (
            TranscriptFormat.VTT,
            [
                (
                    "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n0 1\n\n"
                    "00:00:02.000 --> 00:00:03.000\n2\n"
                ),
                "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\n0 1\n",
            ],
        ),
    ],
)
def test_a_format_makes_a_document_per_segment_or_per_recording(
    load: Load,
    counting: LocalDashScope,
    tmp_path: Path,
    transcript_format: TranscriptFormat,
    contents: list[str],
) -> None:
    for name, seconds in (("a.wav", 3), ("b.wav", 2)):
        (tmp_path / name).write_bytes(wav(numbered(seconds)))
    options: dict[str, Any] = {"transcript_format": transcript_format, "segment_s": 2}
    documents = load(loader_of(counting, tmp_path, **options))
    assert texts(documents) == contents
    if transcript_format is TranscriptFormat.SEGMENTS:
        return
    known = {"start_s": 0.0, "model": ASR}
    assert [document.metadata for document in documents] == [
        {"source": str(tmp_path / "a.wav"), "end_s": 3.0, "segments": 2, **known},
        {"source": str(tmp_path / "b.wav"), "end_s": 2.0, "segments": 1, **known},
    ]


@pytest.mark.parametrize(
    "transcript_format",
    [
        TranscriptFormat.SRT,
        TranscriptFormat.VTT,
        "srt",
    ],
)
def test_a_subtitle_stands_for_ten_seconds_at_most(
    load: Load, counting: LocalDashScope, tmp_path: Path, transcript_format: Any
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(25)))
    (document,) = load(loader_of(counting, tmp_path, transcript_format=transcript_format))
    assert document.page_content.count("-->") == 3
    assert document.metadata["segments"] == 3


def test_documents_come_as_they_are_heard(counting: LocalDashScope, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(60)))
    documents = loader_of(counting, tmp_path, segment_s=1, max_concurrency=2).lazy_load()
    assert next(documents).page_content == "0"
    assert len(counting.requests) <= 5
    assert texts(list(documents)) == [str(number) for number in range(1, 60)]


# --- models and prompts -----------------------------------------------------------------------

HELP = SystemMessage("Names: Qwen, LangChain.")
TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."
ASKED: dict[str, tuple[str, Any, list[Any]]] = {
    "asr": (ASR, None, ["audio"]),
    "asr with help": (ASR, HELP, [HELP.text, "audio"]),
    "qwen-audio": (QWEN_AUDIO, None, ["audio", TRANSCRIBE]),
    "qwen-audio, a prompt": (QWEN_AUDIO, "List every decision.", ["audio", "List every decision."]),
    "qwen-audio, a system message": (QWEN_AUDIO, HELP, [HELP.text, "audio"]),
    "captioner": ("qwen3-omni-30b-a3b-captioner", None, ["audio"]),
    "omni, which streams": ("qwen3-omni-flash", "Who speaks?", ["audio", "Who speaks?"]),
    "omni": ("qwen3.8-omni-flash", None, ["audio", TRANSCRIBE]),
}


@pytest.mark.parametrize(("model", "prompt", "parts"), ASKED.values(), ids=ASKED)
def test_any_model_is_asked_anything_of_each_segment(
    load: Load, ten: Path, model: str, prompt: Any, parts: list[Any]
) -> None:
    with LocalDashScope(reply="said") as server:
        documents = load(loader_of(server, ten, {"model": model}, prompt=prompt, segment_s=5))
        requests = server.requests
    assert texts(documents) == ["said", "said"]
    for request in requests:
        content = [
            part
            for message in request.messages
            for part in (
                [{"text": message["content"]}]
                if isinstance(message["content"], str)
                else message["content"]
            )
        ]
        assert [part.get("text", "audio") for part in content] == parts


@pytest.mark.parametrize(
    ("prompt", "model"), [(None, ASR), (HELP, ASR), ("List every decision.", QWEN_AUDIO)]
)
def test_without_a_model_the_prompt_decides_which_one_listens(
    monkeypatch: pytest.MonkeyPatch, server: LocalDashScope, ten: Path, prompt: Any, model: str
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
    assert texts(QwenAudioLoader(ten, prompt=prompt).load()) == ["ok"]
    assert [request.json["model"] for request in server.requests] == [model]


def test_a_prompt_that_the_model_cannot_be_sent_is_an_error_before_any_request(
    load: Load, server: LocalDashScope, ten: Path
) -> None:
    with pytest.raises(MessageError, match=r"qwen3-asr-flash takes a recording and no text"):
        load(loader_of(server, ten, prompt="List every decision."))
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_concurrency": 0}, "max_concurrency is 0"),
        ({"on_error": "ignore"}, "on_error is 'ignore'"),
        ({"segment_s": 0.5}, "segment_s is 0.5"),
        ({"segment_s": -1}, "segment_s is -1"),
        ({"segment_s": 10, "overlap_s": 5.1}, "overlap_s is 5.1; expected 0 to 5"),
        ({"overlap_s": -0.1}, "overlap_s is -0.1"),
        ({"overlap_s": math.nan}, "overlap_s is nan"),
        ({"transcript_format": "docx"}, "docx"),
    ],
)
def test_impossible_options_are_refused(
    server: LocalDashScope, options: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        loader_of(server, "a.wav", **options)


# --- sources ----------------------------------------------------------------------------------


def blob_of(path: Path) -> Blob:
    return Blob.from_data(path.read_bytes(), path=str(path), mime_type="audio/wav")


SOURCES: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    "a string": (lambda folder: str(folder / "a.wav"), ["1"]),
    "a path": (lambda folder: folder / "a.wav", ["1"]),
    "several": (lambda folder: [folder / "z.wav", str(folder / "a.wav")], ["5", "1"]),
    "any iterable": (lambda folder: iter([folder / "z.wav", folder / "a.wav"]), ["5", "1"]),
    "the same twice": (lambda folder: [folder / "a.wav"] * 2, ["1", "1"]),
    "a directory": (lambda folder: folder, ["1", "2", "3", "4", "5"]),
    "a pattern": (lambda folder: str(folder / "*.wav"), ["1", "5"]),
    "a pattern for any depth": (lambda folder: folder / "**" / "*.wav", ["1", "3", "4", "5"]),
    "a name that looks like one": (lambda folder: folder / "deep/録音 ünï[1].wav", ["4"]),
    "a blob of bytes": (lambda folder: blob_of(folder / "a.wav"), ["1"]),
    "a blob of a file": (lambda folder: Blob.from_path(folder / "b.WAV"), ["2"]),
    "all of these": (
        lambda folder: [folder / "deep", blob_of(folder / "z.wav"), str(folder / "*.WAV")],
        ["3", "4", "5", "2"],
    ),
}


@pytest.mark.parametrize(("find", "numbers"), SOURCES.values(), ids=SOURCES)
def test_recordings_are_found_and_heard_in_order(
    load: Load,
    counting: LocalDashScope,
    archive: Path,
    find: Callable[[Path], Any],
    numbers: list[str],
) -> None:
    loader = loader_of(counting, find(archive))
    documents = load(loader)
    names = ["", "a.wav", "b.WAV", "deep/down/c.wav", "deep/録音 ünï[1].wav", "z.wav"]
    assert texts(documents) == numbers
    assert sources(documents) == [str(archive / names[int(number)]) for number in numbers]
    assert loader.summary.recordings == len(numbers)


def test_a_path_may_begin_at_home(
    monkeypatch: pytest.MonkeyPatch, counting: LocalDashScope, archive: Path
) -> None:
    monkeypatch.setenv("HOME", str(archive))
    monkeypatch.setenv("USERPROFILE", str(archive))
    assert texts(loader_of(counting, ["~/a.wav", "~/z*.wav"]).load()) == ["1", "5"]


@pytest.mark.parametrize("pattern", ["*", "**", "**/*"])
def test_of_what_a_pattern_matches_only_files_are_heard(
    counting: LocalDashScope, archive: Path, pattern: str
) -> None:
    (archive / "notes.txt").unlink()
    assert texts(loader_of(counting, archive / pattern).load())[0] == "1"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty", "no recording is"),
        ("*.mp3", "no file matches"),
        ("gone.wav", "it cannot be read"),
        ("notes.txt", "not usable audio"),
    ],
)
def test_what_is_no_recording_is_an_error_that_names_it(
    load: Load, counting: LocalDashScope, archive: Path, name: str, says: str
) -> None:
    with pytest.raises(AudioError, match=says) as caught:
        load(loader_of(counting, archive / name))
    assert name in str(caught.value)
    assert counting.requests == []


GAPS = [
    "gone.wav",
    "notes.txt",
    "empty",
    "*.mp3",
]


@pytest.mark.parametrize("name", GAPS)
def test_what_is_no_recording_is_reported_in_its_place_and_the_rest_still_comes(
    load: Load, counting: LocalDashScope, archive: Path, name: str
) -> None:
    paths = [archive / "a.wav", archive / name, archive / "z.wav"]
    loader = loader_of(counting, paths, on_error="document")
    before, gap, after = load(loader)
    assert texts([before, after]) == ["1", "5"]
    assert gap.metadata["source"] == str(archive / name)
    assert gap.metadata["error"].startswith("AudioError: ")
    assert gap.metadata["error"] in gap.page_content
    assert "was not heard" in gap.page_content
    assert (loader.summary.recordings, loader.summary.failed) == (3, 1)


@pytest.mark.parametrize("name", GAPS)
def test_what_comes_before_an_error_is_not_lost(
    counting: LocalDashScope, archive: Path, name: str
) -> None:
    paths = [archive / "a.wav", archive / "b.WAV", archive / name, archive / "z.wav"]
    documents = loader_of(counting, paths).lazy_load()
    assert [next(documents).page_content for _ in range(2)] == ["1", "2"]
    with pytest.raises(AudioError):
        next(documents)


def test_a_url_on_this_machine_is_refused(load: Load, server: LocalDashScope) -> None:
    with pytest.raises(AudioError, match="not on the public network"):
        load(loader_of(server, f"{server.base_url}/a.wav"))
    assert server.requests == []


class Page(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_a_url_is_downloaded_here(
    monkeypatch: pytest.MonkeyPatch, load: Load, counting: LocalDashScope, archive: Path
) -> None:
    # LangChain's own switch: this machine by its name may be reached.
    monkeypatch.setenv("LANGCHAIN_ENV", "local_test")
    page = partial(Page, directory=str(archive))
    with ThreadingHTTPServer(("127.0.0.1", 0), page) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://localhost:{web.server_port}"
        try:
            documents = load(
                loader_of(
                    counting,
                    [f"{url}/a.wav", f"{url}/gone.wav", f"{url}/z.wav"],
                    on_error="document",
                )
            )
        finally:
            web.shutdown()
            thread.join()
    assert sources(documents) == [f"{url}/{name}.wav" for name in ("a", "gone", "z")]
    assert [texts(documents)[i] for i in (0, 2)] == ["1", "5"]
    assert "404" in documents[1].metadata["error"]


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

    assert texts(parser.parse(blob_of(archive / "a.wav"))) == ["1"]
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


# --- segments ---------------------------------------------------------------------------------


def test_cuts_fall_into_silence_near_the_limit(
    load: Load, counting: LocalDashScope, tmp_path: Path
) -> None:
    samples = numbered(60)
    for pause in range(3, 60, 4):  # half a second at 3 s, 7 s, 11 s, …
        samples[pause * RATE : pause * RATE + RATE // 2] = 0
    (tmp_path / "talk.wav").write_bytes(wav(samples))
    documents = load(loader_of(counting, tmp_path, segment_s=10))
    bounds = [start for start, _ in times(documents)] + [60.0]
    assert [end for _, end in times(documents)] == bounds[1:]
    for cut in bounds[1:-1]:
        at = round(cut * RATE)
        assert not samples[at - RATE // 20 : at + RATE // 20].any()
    assert all(5 < end - start <= 10 for start, end in times(documents)[:-1])
    heard = [hear(clip_in(request)).samples for request in counting.requests]
    assert sorted(map(len, heard)) == sorted(round((b - a) * RATE) for a, b in times(documents))


@pytest.mark.parametrize(
    ("model", "limit_s"), [(QWEN_AUDIO, 30), (ASR, 240), ("qwen-omni-turbo", 180)]
)
def test_by_default_segments_are_near_the_models_limit(
    load: Load, server: LocalDashScope, tmp_path: Path, model: str, limit_s: float
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(tone(limit_s * 2 + 1, 8_000), 8_000))
    documents = load(loader_of(server, path, {"model": model}))
    assert times(documents) == [
        (0.0, limit_s),
        (limit_s, 2 * limit_s),
        (2 * limit_s, 2 * limit_s + 1),
    ]


@pytest.mark.parametrize("segment_s", [31, 1e6, math.inf])
def test_no_segment_is_longer_than_the_model_hears(
    counting: LocalDashScope, tmp_path: Path, segment_s: float
) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(61)))
    loader = loader_of(counting, tmp_path, {"model": QWEN_AUDIO}, segment_s=segment_s)
    assert times(loader.load()) == [(0.0, 30.0), (30.0, 60.0), (60.0, 61.0)]


@pytest.mark.parametrize("overlap_s", [0.0, 1.0, 2.5])
def test_an_overlap_repeats_the_end_of_the_segment_before(
    load: Load, counting: LocalDashScope, tmp_path: Path, overlap_s: float
) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(30)))
    documents = load(loader_of(counting, tmp_path, segment_s=5, overlap_s=overlap_s))
    starts, ends = zip(*times(documents), strict=True)
    assert starts[1:] == tuple(end - overlap_s for end in ends[:-1])
    assert (starts[0], ends[-1]) == (0.0, 30.0)
    assert max(end - start for start, end in times(documents)) == 5.0 if overlap_s else 5.0
    for document, (start, end) in zip(documents, times(documents), strict=True):
        expected = range(math.floor(start), math.ceil(end))
        assert document.page_content == " ".join(map(str, expected))


@pytest.mark.parametrize("max_concurrency", [1, 3, 8])
def test_so_many_segments_are_in_flight_and_come_in_order(
    load: Load, tmp_path: Path, max_concurrency: int
) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(24)))
    gauge = Gauge(count, 0.05)
    with LocalDashScope(reply=gauge) as server:
        loader = loader_of(server, tmp_path, segment_s=1, max_concurrency=max_concurrency)
        assert texts(load(loader)) == [str(number) for number in range(24)]
    assert gauge.busiest == max_concurrency


def test_slow_segments_do_not_change_the_order(load: Load, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(16)))

    def slower_at_first(request: ReceivedRequest) -> Reply:
        (number,) = numbers_in(request)
        return Reply(str(number), delay_s=0.4 if number % 4 == 0 else 0.02)

    with LocalDashScope(reply=slower_at_first) as server:
        documents = load(loader_of(server, tmp_path, segment_s=1, max_concurrency=4))
    assert texts(documents) == [str(number) for number in range(16)]


# --- kinds of recordings ----------------------------------------------------------------------


@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_every_kind_of_recording_is_heard_whole(
    server: LocalDashScope, recording: Recording
) -> None:
    (document,) = loader_of(server, recording.path).load()
    assert document.metadata["start_s"] == 0.0
    assert document.metadata["end_s"] == pytest.approx(recording.seconds, abs=0.1)
    assert document.page_content == "ok"


LONG_KINDS: dict[str, tuple[Samples, tuple[str, str, int]]] = {
    "flac": (tone(12, 44_100), ("flac", "flac", 44_100)),
    "mp3": (tone(12), ("mp3", "libmp3lame", 16_000)),
    "opus": (tone(12, 48_000), ("webm", "libopus", 48_000)),
    "amr of 8 kHz": (tone(12, 8_000), ("amr", "libopencore_amrnb", 8_000)),
    "aac without a length": (tone(12, 48_000), ("adts", "aac", 48_000)),
    "video's container": (tone(12, 48_000), ("mp4", "aac", 48_000)),
    "transport stream": (tone(12, 48_000), ("mpegts", "aac", 48_000)),
}


@pytest.mark.parametrize(("samples", "form"), LONG_KINDS.values(), ids=LONG_KINDS)
@pytest.mark.parametrize("model", [ASR, QWEN_AUDIO])
def test_segments_of_every_kind_add_up(
    load: Load, tmp_path: Path, samples: Samples, form: tuple[str, str, int], model: str
) -> None:
    (tmp_path / "long.wav").write_bytes(encode(samples, *form))
    with LocalDashScope(reply=seconds_in) as server:
        documents = load(loader_of(server, tmp_path, {"model": model}, segment_s=5))
    assert [start for start, _ in times(documents)] == [0.0, 5.0, 10.0]
    assert times(documents)[-1][1] == pytest.approx(12, abs=0.1)
    assert sum(map(float, texts(documents))) == pytest.approx(12, abs=0.1)


def test_stereo_is_heard_with_both_its_channels(load: Load, tmp_path: Path) -> None:
    left, right = tone(12, 48_000, 300.0), tone(12, 48_000, 3_000.0)
    both = np.stack([left, right], axis=1)
    (tmp_path / "stereo.wav").write_bytes(wav(both, 48_000, channels=2))

    def pitches(request: ReceivedRequest) -> str:
        samples = hear(clip_in(request)).samples
        spectrum = np.abs(np.fft.rfft(samples[:RATE].astype(float)))
        return f"{len(samples) / RATE:g}: {sorted(np.argsort(spectrum)[-2:].tolist())}"

    with LocalDashScope(reply=pitches) as server:
        documents = load(loader_of(server, tmp_path, segment_s=5))
    assert texts(documents) == [f"{seconds}: [300, 3000]" for seconds in (5, 5, 2)]


def test_an_mp3_made_of_mp3s_is_heard_to_its_end(load: Load, tmp_path: Path) -> None:
    (tmp_path / "joined.mp3").write_bytes(encode(tone(4), "mp3", "libmp3lame") * 5)
    with LocalDashScope(reply=seconds_in) as server:
        documents = load(loader_of(server, tmp_path, segment_s=6))
    assert times(documents)[-1][1] == pytest.approx(20, abs=0.5)
    assert sum(map(float, texts(documents))) == pytest.approx(20, abs=0.5)


@pytest.mark.parametrize("seconds", [0.3, 0.01])
def test_the_shortest_clips_are_heard(
    load: Load, server: LocalDashScope, tmp_path: Path, seconds: float
) -> None:
    (tmp_path / "short.wav").write_bytes(wav(tone(seconds)))
    (document,) = load(loader_of(server, tmp_path))
    assert times([document]) == [(0.0, seconds)]


def test_silence_is_asked_about_too_and_may_be_an_empty_document(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "silence.wav").write_bytes(wav(np.zeros(12 * RATE, np.int16)))
    with LocalDashScope(reply="") as server:
        documents = load(loader_of(server, tmp_path, segment_s=5))
        subtitles = load(
            loader_of(server, tmp_path, segment_s=5, transcript_format=TranscriptFormat.SRT)
        )
    assert texts(documents) == ["", "", ""]
    assert times(documents) == [(0.0, 5.0), (5.0, 10.0), (10.0, 12.0)]
    assert texts(subtitles) == [""]


@pytest.mark.parametrize("name", ["silent.mp4", "README.md"])
def test_a_file_without_sound_is_an_error_in_its_place(
    load: Load, server: LocalDashScope, name: str
) -> None:
    paths = [DATA / "speech.wav", DATA / name, DATA / "speech.mp3"]
    documents = load(loader_of(server, paths, on_error="document"))
    assert [bool(document.metadata.get("error")) for document in documents] == [False, True, False]


@pytest.mark.parametrize(
    "data",
    [wav(tone(0.0)), b"", wav(tone(1))[:30]],
    ids=["no samples", "no bytes", "half a header"],
)
def test_an_empty_file_is_an_error(server: LocalDashScope, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "empty.wav").write_bytes(data)
    with pytest.raises(AudioError, match=r"empty\.wav|messages"):
        loader_of(server, tmp_path).load()
    assert server.requests == []


@pytest.mark.parametrize("segment_s", [4, 10, 20, 25, 60, 100])
def test_of_a_truncated_file_all_that_is_there_is_heard_before_the_error(
    load: Load, tmp_path: Path, segment_s: float
) -> None:
    (tmp_path / "cut.wav").write_bytes(wav(tone(60))[: 44 + 2 * RATE * 25])
    with LocalDashScope(reply=seconds_in) as server:
        *heard, gap = load(loader_of(server, tmp_path, segment_s=segment_s, on_error="document"))
    assert sum(map(float, texts(heard))) == pytest.approx(25, abs=0.1)
    starts, ends = zip(*times([*heard, gap]), strict=True)
    assert starts == (0.0, *ends[:-1])
    assert gap.metadata["start_s"] == 25.0
    assert "header says 60.00 s, and only 25.00 s are there" in gap.metadata["error"]


def test_the_same_file_twice_is_heard_twice(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    documents = load(loader_of(counting, [ten, ten], segment_s=5))
    assert texts(documents) == ["0 1 2 3 4", "5 6 7 8 9"] * 2
    assert [document.metadata["segment"] for document in documents] == [0, 1, 0, 1]


# --- files that change ------------------------------------------------------------------------


def rewrite(path: Path) -> None:
    path.write_bytes(wav(numbered(60, 100)))


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(bytes(100_000))


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(wav(numbered(60, 100)))
    other.replace(path)


@pytest.mark.parametrize("change", [rewrite, grow])
def test_a_file_that_is_written_to_while_it_is_read_is_an_error(
    counting: LocalDashScope, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(numbered(60)))
    documents = loader_of(counting, path, segment_s=1, max_concurrency=1).lazy_load()
    assert next(documents).page_content == "0"
    change(path)
    with pytest.raises(AudioError, match="it changed"):
        list(documents)


@pytest.mark.parametrize("change", [replace, os.remove], ids=["replaced", "deleted"])
def test_a_file_whose_name_goes_is_read_to_its_end(
    counting: LocalDashScope, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(numbered(60)))
    documents = loader_of(counting, path, segment_s=1, max_concurrency=1).lazy_load()
    assert next(documents).page_content == "0"
    change(path)
    assert texts(list(documents)) == [str(number) for number in range(1, 60)]


# --- failures ---------------------------------------------------------------------------------


def test_a_failed_segment_is_asked_again_and_then_reported_in_its_place(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(5)))
    failures = {1: 2, 2: 9}  # segment 1 fails twice, segment 2 always
    attempts: Counter[int] = Counter()

    def reply(request: ReceivedRequest) -> str | RawReply:
        (number,) = numbers_in(request)
        attempts[number] += 1
        return OOPS if attempts[number] <= failures.get(number, 0) else str(number)

    with LocalDashScope(reply=reply) as server:
        loader = loader_of(server, tmp_path, {"max_retries": 0}, segment_s=1, on_error="document")
        documents = load(loader)
    assert attempts == {0: 1, 1: 3, 2: 3, 3: 1, 4: 1}
    assert [texts(documents)[i] for i in (0, 1, 3, 4)] == ["0", "1", "3", "4"]
    gap = documents[2]
    assert gap.metadata["error"].startswith("APIError: oops (code=InternalError, status=500")
    assert gap.page_content == f"[00:02 to 00:03 was not heard: {gap.metadata['error']}]"
    assert (gap.metadata["start_s"], gap.metadata["end_s"], gap.metadata["segment"]) == (
        2.0,
        3.0,
        2,
    )
    assert "model" not in gap.metadata
    assert (loader.summary.failed, loader.summary.segments) == (1, 5)


@pytest.mark.parametrize("transcript_format", [TranscriptFormat.TEXT, TranscriptFormat.SRT])
def test_a_whole_transcript_says_what_is_missing_too(
    load: Load, tmp_path: Path, transcript_format: TranscriptFormat
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(3)))

    def reply(request: ReceivedRequest) -> str | RawReply:
        return REFUSED if numbers_in(request) == [1] else count(request)

    with LocalDashScope(reply=reply) as server:
        options: dict[str, Any] = {"on_error": "document", "segment_s": 1}
        (document,) = load(
            loader_of(server, tmp_path, transcript_format=transcript_format, **options)
        )
    assert "[00:01 to 00:02 was not heard: InvalidRequestError: no such thing" in (
        document.page_content
    )
    assert (document.metadata["segments"], document.metadata["failed"]) == (3, 1)


def test_what_another_attempt_cannot_mend_is_asked_once_and_raised(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(5)))
    attempts: Counter[int] = Counter()

    def reply(request: ReceivedRequest) -> str | RawReply:
        (number,) = numbers_in(request)
        attempts[number] += 1
        return REFUSED if number == 2 else str(number)

    with LocalDashScope(reply=reply) as server:
        loader = loader_of(server, tmp_path, segment_s=1)
        documents = loader.lazy_load()
        assert [next(documents).page_content for _ in range(2)] == ["0", "1"]
        with pytest.raises(InvalidRequestError, match="no such thing"):
            next(documents)
        with pytest.raises(InvalidRequestError, match="no such thing"):
            load(loader)
    assert attempts[2] == 2, "once for each run"


def test_a_stream_that_broke_off_is_asked_again(load: Load, ten: Path) -> None:
    choices = [{"delta": {"content": "half of "}, "index": 0, "finish_reason": None}]
    event = {"choices": choices, "id": "1", "object": "chat.completion.chunk", "created": 1}
    begun = sse_event(event, 1).partition(b"data:")[2]
    broken = RawReply(200, {"content-type": "text/event-stream"}, [b"data: " + begun, 0.1, RESET])
    with LocalDashScope(replies=[broken], reply="all of it") as server:
        (document,) = load(loader_of(server, ten, {"model": "qwen3-omni-flash", "max_retries": 0}))
        assert len(server.requests) == 2
    assert document.page_content == "all of it"


FATAL: dict[str, tuple[dict[str, Any], type[Exception]]] = {
    "a wrong key": ({"api_keys": ["another"]}, AuthenticationError),
    "no right": (
        {"reply": error_reply(403, "AccessDenied", "no access")},
        PermissionDeniedError,
    ),
    "no such model": ({"reply": error_reply(404, "ModelNotFound", "no model")}, NotFoundError),
}


@pytest.mark.parametrize("on_error", ["raise", "document"])
@pytest.mark.parametrize(("settings", "error"), FATAL.values(), ids=FATAL)
def test_what_no_segment_would_fare_better_with_ends_the_run_at_once(
    load: Load, tmp_path: Path, settings: dict[str, Any], error: type[Exception], on_error: str
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(60)))
    with LocalDashScope(**settings) as server:
        with pytest.raises(error):
            load(loader_of(server, tmp_path, segment_s=1, max_concurrency=2, on_error=on_error))
        assert len(server.requests) <= 8


# --- ends before the end ----------------------------------------------------------------------


@pytest.fixture
def slow() -> Iterator[LocalDashScope]:
    def reply(request: ReceivedRequest) -> Reply:
        return Reply(count(request), delay_s=0 if numbers_in(request) == [0] else 1.0)

    with LocalDashScope(reply=reply) as server:
        yield server


@pytest.fixture
def minute(tmp_path: Path) -> Path:
    path = tmp_path / "minute.wav"
    path.write_bytes(wav(numbered(60)))
    return path


def test_a_closed_run_asks_nothing_more_and_leaves_no_threads(
    slow: LocalDashScope, minute: Path
) -> None:
    loader = loader_of(slow, minute, segment_s=1, max_concurrency=3)
    documents = loader.lazy_load()
    assert next(documents).page_content == "0"
    documents.close()  # type: ignore[attr-defined]
    assert threads(), "nobody waits for what is being asked"
    assert eventually(lambda: not threads())
    assert len(slow.requests) <= 1 + 2 * 3
    assert next(loader.lazy_load()).page_content == "0"
    assert eventually(lambda: not threads())


def test_a_forgotten_run_ends_too(slow: LocalDashScope, minute: Path) -> None:
    for document in loader_of(slow, minute, segment_s=1, max_concurrency=3).lazy_load():
        assert document.page_content == "0"
        break
    assert eventually(lambda: not threads())
    assert len(slow.requests) <= 1 + 2 * 3


def test_a_run_that_has_ended_asks_nothing_again(minute: Path) -> None:
    def reply(request: ReceivedRequest) -> RawReply:
        return REFUSED if numbers_in(request) == [0] else OOPS

    with LocalDashScope(reply=reply) as server:
        loader = loader_of(server, minute, {"max_retries": 0}, segment_s=1)
        with pytest.raises(InvalidRequestError):
            loader.load()
        time.sleep(0.2)
        asked = len(server.requests)
        assert eventually(lambda: not threads())
        assert len(server.requests) == asked


def test_a_closed_async_run_leaves_no_tasks_and_no_requests(
    slow: LocalDashScope, minute: Path
) -> None:
    async def first_of(loader: QwenAudioLoader) -> str:
        async with contextlib.aclosing(loader.alazy_load()) as documents:  # type: ignore[type-var]
            async for document in documents:
                return document.page_content
        return ""

    async def run() -> None:
        loader = loader_of(slow, minute, segment_s=1, max_concurrency=3)
        assert await first_of(loader) == "0"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        asked = len(slow.requests)
        await asyncio.sleep(0.2)
        assert len(slow.requests) == asked <= 1 + 2 * 3
        assert await first_of(loader) == "0"

    asyncio.run(run())
    assert eventually(lambda: slow.disconnects > 0), "requests are dropped"


def test_a_cancelled_load_drops_its_requests(minute: Path) -> None:
    waiting: list[Reply] = []

    def reply(request: ReceivedRequest) -> Reply:
        if len(waiting) == 3:
            return Reply(count(request))
        waiting.append(Reply(delay_s=60))
        return waiting[-1]

    async def run(server: LocalDashScope) -> None:
        loader = loader_of(server, minute, segment_s=10, max_concurrency=3)
        task = asyncio.create_task(loader.aload())
        assert await asyncio.to_thread(eventually, lambda: len(waiting) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(server.requests) == 3
        assert len(await loader.aload()) == 6

    with LocalDashScope(reply=reply) as server:
        asyncio.run(run(server))
        assert eventually(lambda: server.disconnects == 3)


INTERRUPTED = """
import sys
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader

path, base_url, checkpoint = sys.argv[1:]
llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=base_url, api_key="local")
loader = QwenAudioLoader(path, llm=llm, segment_s=1, max_concurrency=2, checkpoint=checkpoint)
for document in loader.lazy_load():
    print(document.page_content, flush=True)
print(loader.summary.remembered)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interrupt_ends_a_run_soon_and_what_was_heard_is_kept(
    minute: Path, tmp_path: Path
) -> None:
    def reply(request: ReceivedRequest) -> Reply:
        return Reply(count(request), delay_s=0.15 if hurried else 0)

    hurried = True
    with LocalDashScope(reply=reply) as server:
        arguments = (str(minute), server.base_url, str(tmp_path / "heard"))
        with subprocess.Popen(
            [sys.executable, "-c", INTERRUPTED, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert [process.stdout.readline() for _ in range(4)] == ["0\n", "1\n", "2\n", "3\n"]
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=10)
        assert process.returncode not in {0, None}
        assert errors.rstrip().endswith("KeyboardInterrupt")
        asked = len(server.requests)
        assert asked < 20
        hurried = False
        *numbers, remembered = run_python(INTERRUPTED, *arguments).split()
        assert numbers == [str(number) for number in range(60)]
        assert int(remembered) == asked, "what was in flight was waited for, and kept"
        assert len(server.requests) == 60


class Failing(BaseCallbackHandler):
    """Fails when an answer comes."""

    def __init__(self, *, raise_error: bool) -> None:
        self.raise_error = raise_error

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the handler fails")


@pytest.mark.parametrize("on_error", ["raise", "document"])
def test_a_callback_that_may_raise_ends_the_run(
    load: Load, counting: LocalDashScope, minute: Path, on_error: str
) -> None:
    fields = {"callbacks": [Failing(raise_error=True)]}
    with pytest.raises(RuntimeError, match="the handler fails"):
        load(loader_of(counting, minute, fields, segment_s=1, on_error=on_error))
    assert len(counting.requests) < 20
    assert eventually(lambda: not threads())


def test_a_callback_that_may_not_raise_changes_nothing(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    fields = {"callbacks": [Failing(raise_error=False)]}
    assert texts(load(loader_of(counting, ten, fields, segment_s=5))) == ["0 1 2 3 4", "5 6 7 8 9"]


def test_two_threads_may_use_one_loader(counting: LocalDashScope, minute: Path) -> None:
    loader = loader_of(counting, minute, segment_s=2)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(sync, [loader] * 3))
    expected = [f"{number} {number + 1}" for number in range(0, 60, 2)]
    assert [texts(run) for run in runs] == [expected] * 3


# --- what it costs ----------------------------------------------------------------------------


def test_the_summary_counts_what_was_heard_and_paid_for(load: Load, archive: Path) -> None:
    said = Reply("w", usage={"input_tokens": 30, "output_tokens": 2, "total_tokens": 32})
    with LocalDashScope(reply=said) as server:
        names = ["a.wav", "gone.wav", "z.wav"]
        paths = [*(archive / name for name in names), DATA / "speech.wav"]
        loader = loader_of(server, paths, on_error="document")
        load(loader)
        first = loader.summary
        load(loader)
    assert (first.recordings, first.segments, first.failed, first.remembered) == (4, 4, 1, 0)
    assert first.audio_s == pytest.approx(2 + 1.149, abs=0.01)
    assert first.usage == {"input_tokens": 90, "output_tokens": 6, "total_tokens": 96}
    assert str(first) == (
        "4 recordings, 00:03 in 4 segments (1 failed, 0 from the checkpoint): 90 tokens in, 6 out"
    )
    assert loader.summary == first, "each run has its own"


def test_the_summary_counts_while_the_run_goes_on(counting: LocalDashScope, ten: Path) -> None:
    loader = loader_of(counting, ten, segment_s=2)
    assert [loader.summary.audio_s for _ in loader.lazy_load()] == [2.0, 4.0, 6.0, 8.0, 10.0]


OVERLAPS = [
    0.0,
    1.0,
]


@pytest.mark.parametrize("overlap_s", OVERLAPS)
def test_the_progress_bar_shows_seconds_done_and_tokens_used(
    load: Load, capsys: pytest.CaptureFixture[str], ten: Path, overlap_s: float
) -> None:
    said = Reply("w", usage={"input_tokens": 30, "output_tokens": 2, "total_tokens": 32})
    with LocalDashScope(reply=said) as server:
        load(loader_of(server, ten, segment_s=5, overlap_s=overlap_s, show_progress=True))
    shown = capsys.readouterr().err
    last = shown.rstrip().rpartition("\r")[2]
    assert "listening: 100%" in last
    assert "10.0/10.0" in last
    assert f"tokens={32 * (3 if overlap_s else 2)}" in last


def test_there_is_no_progress_bar_unless_asked_for(
    load: Load, counting: LocalDashScope, capsys: pytest.CaptureFixture[str], ten: Path
) -> None:
    load(loader_of(counting, ten, segment_s=5))
    assert capsys.readouterr() == ("", "")


def test_the_summary_counts_what_overlaps_once(counting: LocalDashScope, ten: Path) -> None:
    loader = loader_of(counting, ten, segment_s=5, overlap_s=1)
    loader.load()
    assert loader.summary.audio_s == 10.0


# --- no faster than allowed -------------------------------------------------------------------


def limiter(per_second: float) -> InMemoryRateLimiter:
    return InMemoryRateLimiter(
        requests_per_second=per_second, check_every_n_seconds=0.005, max_bucket_size=1
    )


def test_the_models_rate_limiter_is_kept_to(load: Load, ten: Path) -> None:
    gauge = Gauge(count, 0.0)
    with LocalDashScope(reply=gauge) as server:
        fields = {"rate_limiter": limiter(10)}
        documents = load(loader_of(server, ten, fields, segment_s=1, max_concurrency=8))
    assert texts(documents) == [str(number) for number in range(10)]
    assert gauge.came[-1] - gauge.came[0] > 0.8, "ten requests at ten a second"


def test_abatch_hears_many_clips_at_most_so_many_at_once() -> None:
    clips = [Audio.from_bytes(wav(numbered(1, number))) for number in range(40)]
    gauge = Gauge(count, 0.02)
    with LocalDashScope(reply=gauge) as server:
        llm = llm_of(server, QWEN_AUDIO, rate_limiter=limiter(100))
        answers = asyncio.run(
            llm.abatch([ask_about(clip) for clip in clips], config={"max_concurrency": 5})
        )
    assert [answer.text for answer in answers] == [str(number) for number in range(40)]
    assert 2 <= gauge.busiest <= 5
    assert gauge.came[-1] - gauge.came[0] > 0.35
