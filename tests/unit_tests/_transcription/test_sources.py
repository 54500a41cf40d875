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
from tests.unit_tests.loading import asynchronous, loader_of, numbered, sources, sync, texts
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


def test_recordings_are_found_and_transcribed_in_order(
    counting: LocalDashScope, archive: Path
) -> None:
    names = ["", "a.wav", "b.WAV", "deep/down/c.wav", "deep/録音 ünï[1].wav", "z.wav"]
    for what, (find, numbers) in SOURCES.items():
        loader = loader_of(counting, find(archive))
        documents = sync(loader)
        assert texts(documents) == numbers, what
        assert sources(documents) == [str(archive / names[int(number)]) for number in numbers], what
        assert loader.summary.recordings == len(numbers), what


def test_a_path_may_begin_at_home(
    monkeypatch: pytest.MonkeyPatch, counting: LocalDashScope, archive: Path
) -> None:
    monkeypatch.setenv("HOME", str(archive))
    monkeypatch.setenv("USERPROFILE", str(archive))
    assert texts(loader_of(counting, ["~/a.wav", "~/z*.wav"]).load()) == ["1", "5"]


def test_of_what_a_pattern_matches_only_files_are_transcribed(
    counting: LocalDashScope, archive: Path
) -> None:
    (archive / "notes.txt").unlink()
    for pattern in ("*", "**", "**/*"):
        assert texts(loader_of(counting, archive / pattern).load())[0] == "1", pattern


TOO_LONG = "x" * 5_000  # which the system refuses to look for, as it does in others' folders


GAPS = {
    "empty": "no recording is",
    "*.mp3": "no file matches",
    "gone.wav": "it cannot be read",
    "notes.txt": "not usable audio",
    TOO_LONG: "it cannot be read",
}


def test_a_source_without_a_recording_is_an_error_that_names_it(
    counting: LocalDashScope, archive: Path
) -> None:
    for name, says in GAPS.items():
        with pytest.raises(AudioError, match=says) as caught:
            sync(loader_of(counting, archive / name))
        assert name in str(caught.value)
    assert counting.requests == []


def test_a_source_without_a_recording_is_reported_in_its_place_and_the_rest_still_comes(
    load: Load, counting: LocalDashScope, archive: Path
) -> None:
    paths = [archive / "a.wav", *(archive / name for name in GAPS), archive / "z.wav"]
    loader = loader_of(counting, paths, on_error="document")
    before, *gaps, after = load(loader)
    assert texts([before, after]) == ["1", "5"]
    assert sources(gaps) == [str(archive / name) for name in GAPS]
    for gap in gaps:
        assert gap.metadata["error"].startswith("AudioError: ")
        assert gap.metadata["error"] in gap.page_content
        assert "could not be transcribed" in gap.page_content
    assert (loader.summary.recordings, loader.summary.failed) == (7, 5)


def test_what_comes_before_an_error_is_not_lost(counting: LocalDashScope, archive: Path) -> None:
    for name in GAPS:
        paths = [archive / "a.wav", archive / "b.WAV", archive / name, archive / "z.wav"]
        documents = loader_of(counting, paths).lazy_load()
        assert [next(documents).page_content for _ in range(2)] == ["1", "2"], name
        with pytest.raises(AudioError):
            next(documents)


def test_a_url_on_this_machine_is_refused(server: LocalDashScope) -> None:
    with pytest.raises(AudioError, match="not on the public network"):
        sync(loader_of(server, f"{server.base_url}/a.wav"))
    assert server.requests == []


class Page(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_a_url_is_downloaded_here(
    monkeypatch: pytest.MonkeyPatch, counting: LocalDashScope, archive: Path
) -> None:
    # LangChain's own switch: this machine by its name may be reached.
    monkeypatch.setenv("LANGCHAIN_ENV", "local_test")
    page = partial(Page, directory=str(archive))
    with ThreadingHTTPServer(("127.0.0.1", 0), page) as web:
        thread = threading.Thread(target=web.serve_forever, args=(0.01,))
        thread.start()
        url = f"http://localhost:{web.server_port}"
        try:
            documents = asynchronous(
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


def test_the_same_file_twice_is_transcribed_twice(counting: LocalDashScope, ten: Path) -> None:
    documents = sync(loader_of(counting, [ten, ten], segment_s=5))
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
    counting: LocalDashScope, mixed: Path
) -> None:
    loader = loader_of(counting, mixed)
    assert texts(asynchronous(loader)) == ["1", "2", "3", "4"]
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


def test_a_recording_of_a_folder_that_cannot_be_read_is_an_error(
    counting: LocalDashScope, mixed: Path
) -> None:
    for name, data in UNUSABLE.items():
        (mixed / name).write_bytes(data)
    loader = loader_of(counting, mixed, on_error="document")
    failed = [it for it in sync(loader) if "error" in it.metadata]
    assert sources(failed) == sorted(str(mixed / name) for name in UNUSABLE)
    assert loader.summary.failed == len(UNUSABLE)
    assert len(loader.summary.left_out) == 5


def test_a_folder_without_recordings_says_what_is_in_it(
    counting: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("Buy milk.")
    with pytest.raises(
        AudioError, match=r"no recording is in this directory.*notes\.txt: it is text"
    ):
        sync(loader_of(counting, tmp_path))


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
            time.sleep(0.2)  # an answer has come long before the last of those that may be taken

    assert first(loader_of(counting, paths(), max_concurrency=20)) == "1"
    assert len(taken) < AHEAD * 20


def test_what_a_generator_has_yielded_is_loaded_again_and_then_the_rest(
    counting: LocalDashScope, archive: Path
) -> None:
    paths = (archive / name for name in ["a.wav", "z.wav"] * 4)
    loader = loader_of(counting, paths, max_concurrency=1)
    assert first_of(loader) == "1"
    assert texts(loader.load()) == texts(loader.load()) == ["1", "5"] * 4


def test_threads_share_a_generator(counting: LocalDashScope, archive: Path) -> None:
    loader = loader_of(counting, (archive / name for name in ["a.wav", "z.wav"] * 3))
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: texts([*loader.lazy_load()]), range(3)))
    assert runs == [["1", "5"] * 3] * 3


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
