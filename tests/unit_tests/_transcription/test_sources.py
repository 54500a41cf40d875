"""Paths, patterns, URLs and blobs: which recordings they name, and what if they name none."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.document_loaders import Blob

from langchain_qwen_audio._transcription.transcriber import AHEAD
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.loading import loader_of, numbered, sources, texts
from tests.unit_tests.recordings import read, wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.unit_tests.loading import Load


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
def test_recordings_are_found_and_transcribed_in_order(
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
def test_of_what_a_pattern_matches_only_files_are_transcribed(
    counting: LocalDashScope, archive: Path, pattern: str
) -> None:
    (archive / "notes.txt").unlink()
    assert texts(loader_of(counting, archive / pattern).load())[0] == "1"


TOO_LONG = "x" * 5_000  # which the system refuses to look for, as it does in others' folders


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty", "no recording is"),
        ("*.mp3", "no file matches"),
        ("gone.wav", "it cannot be read"),
        ("notes.txt", "not usable audio"),
        (TOO_LONG, "it cannot be read"),
    ],
)
def test_a_source_without_a_recording_is_an_error_that_names_it(
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
    TOO_LONG,
]


@pytest.mark.parametrize("name", GAPS)
def test_a_source_without_a_recording_is_reported_in_its_place_and_the_rest_still_comes(
    load: Load, counting: LocalDashScope, archive: Path, name: str
) -> None:
    paths = [archive / "a.wav", archive / name, archive / "z.wav"]
    loader = loader_of(counting, paths, on_error="document")
    before, gap, after = load(loader)
    assert texts([before, after]) == ["1", "5"]
    assert gap.metadata["source"] == str(archive / name)
    assert gap.metadata["error"].startswith("AudioError: ")
    assert gap.metadata["error"] in gap.page_content
    assert "could not be transcribed" in gap.page_content
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


def test_the_same_file_twice_is_transcribed_twice(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    documents = load(loader_of(counting, [ten, ten], segment_s=5))
    assert texts(documents) == ["0 1 2 3 4", "5 6 7 8 9"] * 2
    assert [document.metadata["segment"] for document in documents] == [0, 1, 0, 1]


# --- what of a folder is a recording --------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder of recordings under strange names, of other files, and of what is hidden."""
    folder = tmp_path / "mixed"
    (folder / ".transcripts").mkdir(parents=True)
    files = {
        "1.m4b": wav(numbered(1, 1)),
        "2.weba": wav(numbered(1, 2)),
        "3 without a suffix": wav(numbered(1, 3)),
        "4.txt": wav(numbered(1, 4)),
        "cover.jpg": b"\xff\xd8\xff\xe0",
        "film.mp4": read("silent.mp4"),
        "notes.txt": b"not a recording",
        "program.ts": b"const a = 1;",
        "transcript.srt": b"1\n00:00:00,000 --> 00:00:02,000\n0 1\n",
        ".hidden.wav": wav(numbered(1, 9)),
        ".transcripts/1.wav": wav(numbered(1, 9)),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def test_the_content_of_files_says_what_is_a_recording(
    load: Load, counting: LocalDashScope, mixed: Path
) -> None:
    loader = loader_of(counting, mixed)
    assert texts(load(loader)) == ["1", "2", "3", "4"]
    reasons = {
        "cover.jpg": "it is a picture (JPEG), not a recording",
        "film.mp4": "there is no sound in it",
        "notes.txt": "it is text, not a recording: 'not a recording'",
        "program.ts": "it is text, not a recording: 'const a = 1;'",
    }
    left_out = loader.summary.left_out
    assert left_out[:4] == [f"{mixed / name}: {reason}" for name, reason in reasons.items()]
    assert [line.partition(": ")[0] for line in left_out[4:]] == [str(mixed / "transcript.srt")]
    assert str(loader.summary).endswith("; 5 other files left out")


UNUSABLE = {
    "voice.slk": b"\x02#!SILK_V3" + bytes(500),
    "a voice message without a name": b"\x02#!SILK_V3" + bytes(500),
    "error page.mp3": b"<html>404</html>",
    "empty.wav": b"",
    "noise.mp3": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_recording_of_a_folder_that_cannot_be_read_is_an_error(
    load: Load, counting: LocalDashScope, mixed: Path, name: str
) -> None:
    (mixed / name).write_bytes(UNUSABLE[name])
    loader = loader_of(counting, mixed, on_error="document")
    failed = [it for it in load(loader) if "error" in it.metadata]
    assert sources(failed) == [str(mixed / name)]
    assert loader.summary.failed == 1
    assert len(loader.summary.left_out) == 5


def test_a_folder_without_recordings_says_what_is_in_it(
    load: Load, counting: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.")
    with pytest.raises(
        AudioError, match=r"no recording is in this directory.*notes\.txt: it is text"
    ):
        load(loader_of(counting, tmp_path))


# --- generators of sources ------------------------------------------------------------------------


def first_of(loader: QwenAudioLoader) -> str:
    with contextlib.closing(loader.lazy_load()) as documents:  # type: ignore[type-var]
        return next(documents).page_content


async def afirst_of(loader: QwenAudioLoader) -> str:
    async with contextlib.aclosing(loader.alazy_load()) as documents:  # type: ignore[type-var]
        return (await anext(documents)).page_content


class Endless:
    """Names the same recording again and again, and counts how often."""

    def __init__(self, path: Path, fails_at: int = 1_000) -> None:
        self._path, self._fails_at = path, fails_at
        self.taken = 0

    def __iter__(self) -> Iterator[Path]:
        for self.taken in itertools.count(1):
            if self.taken == self._fails_at:
                raise ConnectionError("no more can be listed")
            yield self._path


@pytest.mark.parametrize("concurrency", [1, 3])
@pytest.mark.parametrize(
    "first", [first_of, lambda it: asyncio.run(afirst_of(it))], ids=["sync", "async"]
)
def test_of_endless_sources_so_many_are_taken_as_may_be_in_flight(
    counting: LocalDashScope,
    archive: Path,
    concurrency: int,
    first: Callable[[QwenAudioLoader], str],
) -> None:
    endless = Endless(archive / "a.wav")
    loader = loader_of(counting, iter(endless), max_concurrency=concurrency)
    assert endless.taken == 0
    assert first(loader) == "1"
    # What is in flight or ready, one that has come too early, and one for each that reads ahead.
    assert 1 <= endless.taken <= AHEAD * concurrency + 1 + concurrency


@pytest.mark.parametrize(
    "first", [first_of, lambda it: asyncio.run(afirst_of(it))], ids=["sync", "async"]
)
def test_an_answer_does_not_wait_for_sources_that_come_later(
    counting: LocalDashScope, archive: Path, first: Callable[[QwenAudioLoader], str]
) -> None:
    taken: list[Path] = []

    def paths() -> Iterator[Path]:
        while True:
            taken.append(archive / "a.wav")
            yield taken[-1]
            time.sleep(0.5)  # an answer has come long before the last of those that may be taken

    assert first(loader_of(counting, paths(), max_concurrency=20)) == "1"
    assert len(taken) < AHEAD * 20


def test_what_a_generator_has_yielded_is_loaded_again_and_then_the_rest(
    counting: LocalDashScope, archive: Path
) -> None:
    paths = (archive / name for name in ["a.wav", "z.wav"] * 10)
    loader = loader_of(counting, paths, max_concurrency=1)
    assert first_of(loader) == "1"
    assert texts(loader.load()) == texts(loader.load()) == ["1", "5"] * 10


def test_threads_share_a_generator(counting: LocalDashScope, archive: Path) -> None:
    loader = loader_of(counting, (archive / name for name in ["a.wav", "z.wav"] * 5))
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: texts([*loader.lazy_load()]), range(3)))
    assert runs == [["1", "5"] * 5] * 3


def test_a_generator_that_fails_is_an_error_of_each_run(
    load: Load, counting: LocalDashScope, archive: Path
) -> None:
    loader = loader_of(counting, iter(Endless(archive / "a.wav", fails_at=3)))
    for _ in range(2):
        with pytest.raises(ConnectionError, match="no more can be listed"):
            load(loader)


def test_a_list_is_taken_as_it_is_when_the_loader_is_made(
    counting: LocalDashScope, archive: Path
) -> None:
    paths = [archive / "a.wav"]
    loader = loader_of(counting, paths)
    paths.append(archive / "z.wav")
    assert texts(loader.load()) == ["1"]
    assert loader.paths == [archive / "a.wav"]
