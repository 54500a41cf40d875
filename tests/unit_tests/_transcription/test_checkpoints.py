"""What is transcribed is not paid for again: after a kill, in another process, in any store."""

from __future__ import annotations

import base64
import json
import logging
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import SystemMessage
from langchain_core.stores import InMemoryByteStore
from langchain_tests.integration_tests import BaseStoreSyncTests

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._request import encoded_segments
from langchain_qwen_audio._transcription.checkpoints import DirectoryStore
from langchain_qwen_audio.document_loaders import LoadSummary, QwenAudioLoader, TranscriptFormat
from langchain_qwen_audio.errors import CheckpointError, InvalidRequestError
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from tests.unit_tests.loading import ASR, LEVEL, QWEN_AUDIO, asynchronous, numbered, sync
from tests.unit_tests.programs import run_forked
from tests.unit_tests.recordings import encode, tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_qwen_audio.local import RawReply, ReceivedRequest

INFO = [{"type": "audio_info", "language": "en", "emotion": "neutral"}]


def number_in(request: ReceivedRequest) -> int:
    """Tell at which second of a numbered recording a clip begins."""
    (part,) = (part for part in request.messages[-1]["content"] if "audio" in part)
    wave_file = base64.b64decode(part["audio"].partition(";base64,")[2])
    return int.from_bytes(wave_file[44:46], "little") - LEVEL


def transcribe(request: ReceivedRequest) -> Reply:
    usage = {"input_tokens": 30, "output_tokens": 2, "total_tokens": 32}
    return Reply(f"这是 {number_in(request)}", annotations=INFO, usage=usage)


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=transcribe) as server:
        yield server


def loader_of(
    server: LocalDashScope, path: Any, checkpoint: Any, **options: Any
) -> QwenAudioLoader:
    fields = {"model": ASR, "base_url": server.base_url, "api_key": "local"}
    llm = ChatQwenAudio(**{**fields, **options.pop("fields", {})})
    return QwenAudioLoader(path, llm=llm, checkpoint=checkpoint, **{"segment_s": 2, **options})


both_ways = pytest.mark.parametrize("load", [sync, asynchronous], ids=["sync", "async"])


# --- the directory ----------------------------------------------------------------------------


class TestDirectoryStore(BaseStoreSyncTests[bytes]):
    """LangChain's own tests of what a store does."""

    @pytest.fixture
    def kv_store(self, tmp_path: Path) -> DirectoryStore:
        return DirectoryStore(tmp_path / "deep" / "down")

    @pytest.fixture
    def three_values(self) -> tuple[bytes, bytes, bytes]:
        return b"", b"\x00\xff", "三".encode()


def test_readers_of_a_directory_see_values_whole(tmp_path: Path) -> None:
    store = DirectoryStore(tmp_path)
    values = [bytes([number]) * 200_000 for number in range(8)]
    stop = threading.Event()

    def read() -> set[bytes | None]:
        seen: set[bytes | None] = set()
        while not stop.is_set():
            seen.update(store.mget(["key"]))
        return seen

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        writers = [pool.submit(store.mset, [("key", value)] * 10) for value in values]
        for writer in writers:
            writer.result()
        stop.set()
        assert set.union(*(reader.result() for reader in readers)) <= {None, *values}
    assert list(store.yield_keys()) == ["key"]


# --- once and for all -------------------------------------------------------------------------


def local_file_store(path: Path) -> Any:
    return pytest.importorskip("langchain_classic.storage").LocalFileStore(path)


STORES: dict[str, tuple[Callable[[Path], Any], Callable[[QwenAudioLoader], list[Document]]]] = {
    "a directory": (lambda path: path / "not" / "there yet", sync),
    "a directory's name": (str, asynchronous),
    "a store in memory": (lambda path: InMemoryByteStore(), sync),
    "LangChain's store of files": (local_file_store, asynchronous),
}


@pytest.mark.parametrize(("store", "load"), STORES.values(), ids=STORES)
def test_what_has_been_transcribed_is_not_requested_again(
    load: Callable[[QwenAudioLoader], list[Document]],
    server: LocalDashScope,
    ten: Path,
    tmp_path: Path,
    store: Callable[[Path], Any],
) -> None:
    checkpoint = store(tmp_path / "checkpoint")
    loader = loader_of(server, ten, checkpoint)
    first = load(loader)
    paid = loader.summary
    assert [document.page_content for document in first] == [f"这是 {n}" for n in range(0, 10, 2)]
    assert (paid.from_checkpoint, paid.usage["total_tokens"]) == (0, 5 * 32)
    again = loader_of(server, ten, checkpoint)
    assert load(again) == first
    assert again.summary == LoadSummary(
        recordings=1, segments=5, from_checkpoint=5, audio_s=10.0, model=ASR
    )
    assert len(server.requests) == 5


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List the sizes of segments that are encoded."""
    sizes: list[int] = []
    real = encoded_segments._encode_mp3

    def note(blocks: list[bytes], *arguments: Any) -> bytes:
        sizes.append(sum(map(len, blocks)))
        return real(blocks, *arguments)

    monkeypatch.setattr(encoded_segments, "_encode_mp3", note)
    return sizes


@both_ways
def test_what_has_been_transcribed_is_not_encoded_again(
    load: Callable[[QwenAudioLoader], list[Document]], tmp_path: Path, encoded: list[int]
) -> None:
    path, folder = tmp_path / "call.mp3", tmp_path / "checkpoint"
    path.write_bytes(encode(tone(10), "mp3", "libmp3lame"))
    with LocalDashScope(reply="ok") as server:
        first = load(loader_of(server, path, folder))
        assert (len(encoded), len(server.requests)) == (5, 5)
        again = loader_of(server, path, folder)
        assert load(again) == first
        assert again.summary.from_checkpoint == 5
        assert (len(encoded), len(server.requests)) == (5, 5)
        sorted(folder.iterdir())[1].unlink()
        assert load(loader_of(server, path, folder)) == first
        assert (len(encoded), len(server.requests)) == (6, 6)


def test_sync_and_async_runs_share_what_they_know(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    documents = sync(loader_of(server, ten, tmp_path / "checkpoint"))
    assert asynchronous(loader_of(server, ten, tmp_path / "checkpoint")) == documents
    assert len(server.requests) == 5


# What is another question, and how many of the ten seconds are requested anew; and what is not.
ANOTHER: dict[str, tuple[dict[str, Any], int]] = {
    "the same": ({}, 0),
    "another model": ({"fields": {"model": "qwen3-asr-flash-2025-09-08"}}, 5),
    "another temperature": ({"fields": {"temperature": 0.5}}, 5),
    "other options": ({"fields": {"asr_options": {"language": "zh"}}}, 5),
    "other arguments": ({"fields": {"model_kwargs": {"seed": 1}}}, 5),
    "help": ({"prompt": SystemMessage("Names: Qwen.")}, 5),
    "other segments": ({"segment_s": 5}, 2),
    "segments of which half are the same": ({"segment_s": 2, "overlap_s": 1}, 5),
    "another key": ({"fields": {"api_key": "another"}}, 0),
    "another patience": ({"fields": {"timeout": 5, "max_retries": 0}}, 0),
    "another concurrency": ({"max_concurrency": 1}, 0),
    "other errors": ({"on_error": "document"}, 0),
    "another format": ({"transcript_format": TranscriptFormat.TEXT}, 0),
}


def test_only_the_request_decides_whether_it_is_sent_again(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    sync(loader_of(server, ten, tmp_path / "checkpoint"))
    requests = {}
    for name, (change, _) in ANOTHER.items():
        server.clear()
        sync(loader_of(server, ten, tmp_path / "checkpoint", **change))
        requests[name] = len(server.requests)
    assert requests == {name: expected for name, (_, expected) in ANOTHER.items()}


def test_each_prompt_has_its_own_answers(server: LocalDashScope, ten: Path, tmp_path: Path) -> None:
    fields = {"model": QWEN_AUDIO}
    prompts = [None, "Who speaks?", "Who  speaks?", SystemMessage("Who speaks?")]
    for prompt in [*prompts, *prompts]:
        options: dict[str, Any] = {"fields": fields, "prompt": prompt, "segment_s": 10}
        sync(loader_of(server, ten, tmp_path / "checkpoint", **options))
    assert len(server.requests) == len(prompts)


def test_a_local_test_server_is_known_again_at_another_port(ten: Path, tmp_path: Path) -> None:
    requests = []
    for _ in range(2):
        with LocalDashScope(reply=transcribe) as server:
            sync(loader_of(server, ten, tmp_path / "checkpoint"))
            requests.append(len(server.requests))
    assert requests == [5, 0]


def test_the_content_of_a_recording_counts_and_not_its_name(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    first = sync(loader_of(server, ten, tmp_path / "checkpoint"))
    moved = ten.rename(tmp_path / "moved.wav")
    (again, *_) = sync(loader_of(server, moved, tmp_path / "checkpoint"))
    assert (again.page_content, again.metadata["source"]) == (first[0].page_content, str(moved))
    assert len(server.requests) == 5
    moved.write_bytes(wav(numbered(10, 1)))
    sync(loader_of(server, moved, tmp_path / "checkpoint"))
    assert len(server.requests) == 10


@both_ways
def test_only_what_failed_is_requested_again(
    load: Callable[[QwenAudioLoader], list[Document]], ten: Path, tmp_path: Path
) -> None:
    attempts: Counter[int] = Counter()

    def reply(request: ReceivedRequest) -> Reply | RawReply:
        number = number_in(request)
        attempts[number] += 1
        bad = number == 4 and attempts[4] < 3
        return error_reply(400, "InvalidParameter", "no") if bad else transcribe(request)

    with LocalDashScope(reply=reply) as server:
        with pytest.raises(InvalidRequestError):
            load(loader_of(server, ten, tmp_path / "checkpoint", max_concurrency=1))
        (gap,) = (
            document
            for document in load(
                loader_of(server, ten, tmp_path / "checkpoint", on_error="document")
            )
            if "error" in document.metadata
        )
        assert gap.metadata["start_s"] == 4.0
        documents = load(loader_of(server, ten, tmp_path / "checkpoint"))
    assert [document.page_content for document in documents] == [
        f"这是 {n}" for n in range(0, 10, 2)
    ]
    assert attempts[4] == 3
    assert {attempts[number] for number in (0, 2)} == {1}
    assert max(attempts[number] for number in (6, 8)) <= 2  # dropped with the run, or kept


def test_an_empty_answer_is_kept_too(ten: Path, tmp_path: Path) -> None:
    with LocalDashScope(reply="") as server:
        for _ in range(2):
            documents = sync(loader_of(server, ten, tmp_path / "checkpoint"))
            assert [document.page_content for document in documents] == [""] * 5
        assert len(server.requests) == 5


# --- killed -----------------------------------------------------------------------------------

# It is killed, if at all, in a fork of its own, once it has told of so many segments.
JOB = """
import asyncio, itertools, json, os, signal, sys
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader

path, base_url, checkpoint, way, key, killed_at = sys.argv[1:]
if int(killed_at) and (job := os.fork()):
    assert os.waitpid(job, 0)[1] == signal.SIGKILL
    sys.exit()
numbers = itertools.count(1)
llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=base_url, api_key=key)
loader = QwenAudioLoader(path, llm=llm, segment_s=1, max_concurrency=4, checkpoint=checkpoint)

def tell(document):
    print(json.dumps([document.page_content, document.metadata]), flush=True)
    if next(numbers) == int(killed_at):
        os.kill(os.getpid(), signal.SIGKILL)

async def aload():
    async for document in loader.alazy_load():
        tell(document)

if way == "async":
    asyncio.run(aload())
else:
    for document in loader.lazy_load():
        tell(document)
print(json.dumps([loader.summary.from_checkpoint, loader.summary.usage["total_tokens"]]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
@pytest.mark.parametrize(
    ("way", "segments", "killed_at"),
    [pytest.param("sync", 720, 700, marks=pytest.mark.slow), ("async", 30, 20)],
)
def test_a_job_killed_at_a_segment_goes_on_at_it_and_pays_for_nothing_twice(
    tmp_path: Path, way: str, segments: int, killed_at: int
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(numbered(segments)))
    first: list[int] = []
    second: list[int] = []

    def reply(request: ReceivedRequest) -> Reply:
        is_first = request.headers["authorization"].endswith("first")
        (first if is_first else second).append(number_in(request))
        return transcribe(request)

    with LocalDashScope(reply=reply, max_log=1) as server:
        arguments = (str(path), server.base_url, str(tmp_path / "checkpoint"), way)
        told = run_forked(JOB, *arguments, "first", str(killed_at)).splitlines()
        again = run_forked(JOB, *arguments, "second", "0").splitlines()
    assert len(told) == killed_at
    before, (*documents, last) = map(json.loads, told), map(json.loads, again)
    assert documents[:killed_at] == [*before]
    assert documents == [
        [
            f"这是 {number}",
            {
                "source": str(path),
                "segment": number,
                "start_s": float(number),
                "end_s": number + 1.0,
                "model": ASR,
                "language": "en",
                "emotion": "neutral",
            },
        ]
        for number in range(segments)
    ]
    from_checkpoint, tokens = last
    assert from_checkpoint >= killed_at
    assert sorted(second) == sorted(set(second))
    assert len(second) == segments - from_checkpoint
    assert tokens == 32 * len(second)
    assert not set(second) & set(range(killed_at)), "what had come is not requested again"
    assert len(set(first) & set(second)) <= 4, "only what was on its way is requested again"


def test_two_jobs_may_share_a_directory(server: LocalDashScope, ten: Path, tmp_path: Path) -> None:
    def job(_: int) -> list[str]:
        return run_forked(
            JOB, str(ten), server.base_url, str(tmp_path / "checkpoint"), "sync", "local", "0"
        ).splitlines()[:-1]

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(job, range(2))
    assert one == other
    assert len(one) == 10
    assert 10 <= len(server.requests) <= 20
    documents = sync(loader_of(server, ten, tmp_path / "checkpoint", segment_s=1))
    assert [document.page_content for document in documents] == [f"这是 {n}" for n in range(10)]


# --- broken -----------------------------------------------------------------------------------

GOOD = {"text": "x", "model": "m", "language": None, "emotion": None, "usage": None}
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "a surrogate": json.dumps({**GOOD, "text": "\ud800"}).encode(),
    "half": json.dumps(GOOD).encode()[:20],
    "not JSON": b"\xff\xfe\x00",
    "null": b"null",
    "a list": b"[]",
    "too little": b'{"text": "x"}',
    "something else": b'{"other": 1}',
    "more": json.dumps({**GOOD, "more": 1}).encode(),
    "another type": json.dumps({**GOOD, "text": 1}).encode(),
    "no text": json.dumps({**GOOD, "text": None}).encode(),
}


def test_a_value_that_cannot_be_read_is_requested_again(
    server: LocalDashScope,
    ten: Path,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "checkpoint"
    documents = sync(loader_of(server, ten, folder))
    broken = sorted(folder.iterdir())[1]
    for number, (name, value) in enumerate(BROKEN.items(), start=6):
        broken.write_bytes(value)
        again = loader_of(server, ten, folder)
        assert sync(again) == documents, name
        assert (again.summary.from_checkpoint, len(server.requests)) == (4, number), name
        assert sync(loader_of(server, ten, folder)) == documents, "and the store is whole again"
        assert len(server.requests) == number, name


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """List warnings alone, whatever the level of the logger is set to."""
    return [it.message for it in caplog.records if it.levelno == logging.WARNING]


class Unreadable(InMemoryByteStore):
    """A store whose service is not there."""

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        raise ConnectionError("the store is not there")


class Unwritable(InMemoryByteStore):
    """A store that is full."""

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        raise RuntimeError("the store is full")


@pytest.mark.parametrize(("load", "store"), [(sync, Unreadable), (asynchronous, Unwritable)])
def test_what_was_paid_for_is_returned_also_where_the_store_fails(
    load: Callable[[QwenAudioLoader], list[Document]],
    server: LocalDashScope,
    ten: Path,
    store: type[InMemoryByteStore],
    caplog: pytest.LogCaptureFixture,
) -> None:
    documents = load(loader_of(server, ten, store()))
    assert [document.page_content for document in documents] == [
        f"这是 {n}" for n in range(0, 10, 2)
    ]
    assert len(server.requests) == 5
    warnings = warnings_in(caplog)
    assert len(warnings) == 5
    assert all("the store is" in it for it in warnings)


@both_ways
def test_a_value_that_the_system_refuses_to_read_or_write_is_logged(
    load: Callable[[QwenAudioLoader], list[Document]],
    server: LocalDashScope,
    ten: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = tmp_path / "checkpoint"
    documents = load(loader_of(server, ten, folder))
    broken = sorted(folder.iterdir())[1]
    broken.unlink()
    broken.mkdir()  # which nobody can read or replace, be it root, as if it were another user's
    assert load(loader_of(server, ten, folder)) == documents
    assert len(server.requests) == 6
    read, written = warnings_in(caplog)
    assert "cannot be read (IsADirectoryError" in read
    assert "is requested, and paid for, again" in read
    assert "cannot be written (" in written
    assert "is returned, but not kept" in written
    assert len(list(folder.iterdir())) == 5, "no temporary file stays"


FULL_DISK = """
import io, logging, resource, socket, sys
from pathlib import Path
del socket.send_fds  # no workers: what they read is a file too, though on no disk
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader

path, base_url, checkpoint = sys.argv[1:]
logged = io.StringIO()
logging.basicConfig(stream=logged)
llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=base_url, api_key="local")
loader = QwenAudioLoader(path, llm=llm, segment_s=2, checkpoint=checkpoint)
limit, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, most))  # no file may grow beyond ten bytes
documents = loader.load()
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))  # what is printed is in a file too
print(*[document.page_content for document in documents], sep="\\n")
print(len(list(Path(checkpoint).iterdir())), logged.getvalue().count("returned, but not kept"))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the limit is POSIX's")
def test_a_full_disk_keeps_no_answer_back_and_leaves_no_file(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    output = run_forked(FULL_DISK, str(ten), server.base_url, str(tmp_path / "checkpoint"))
    assert output.splitlines() == [*(f"这是 {n}" for n in range(0, 10, 2)), "0 5"]


@both_ways
def test_a_checkpoint_that_cannot_be_made_is_one_error_before_any_request(
    load: Callable[[QwenAudioLoader], list[Document]],
    server: LocalDashScope,
    ten: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "checkpoint").write_text("not a directory")
    for place in ("checkpoint", "checkpoint/below"):
        with pytest.raises(CheckpointError, match="checkpoint"):
            load(loader_of(server, ten, tmp_path / place, on_error="document"))
    assert server.requests == []


def test_values_are_as_readable_as_other_files_of_the_user(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    sync(loader_of(server, ten, tmp_path / "checkpoint"))
    (tmp_path / "other").write_text("x")
    modes = {path.stat().st_mode for path in (tmp_path / "checkpoint").iterdir()}
    assert modes == {(tmp_path / "other").stat().st_mode}


def test_what_a_kill_left_half_written_disturbs_nothing(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    (folder / "tmpabc123").write_bytes(b"half")
    documents = sync(loader_of(server, ten, folder))
    assert sync(loader_of(server, ten, folder)) == documents
    assert len(server.requests) == 5
