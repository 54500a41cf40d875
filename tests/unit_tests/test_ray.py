"""Recordings on a local Ray cluster of two workers: what the loader transcribes, whatever dies."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from langchain_core.document_loaders import Blob
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter
from langchain_core.stores import InMemoryByteStore

from langchain_qwen_audio import ChatQwenAudio, QwenAudioLoader, TranscriptionJobs
from langchain_qwen_audio.errors import AuthenticationError
from langchain_qwen_audio.local import LocalDashScope, ReceivedRequest, Reply
from tests.unit_tests._service.test_connection_pool import model_of
from tests.unit_tests.waiting import wait_until

from .recordings import wav
from .test_docs import ROOT, SAMPLE, python_blocks

# Ray reads these when it is imported. Its cluster listens beyond loopback, so nobody else is let
# in; without a token it would make one, and keep it in the home directory.
os.environ |= {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(),
}
pq = pytest.importorskip("pyarrow.parquet")
ray = pytest.importorskip("ray")
pytest.importorskip("ray.data")

from langchain_qwen_audio.ray import SCHEMA, SharedRateLimiter, transcribe  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.slow,
    # Ray sets its own deprecated settings when it sets all to their defaults.
    pytest.mark.filterwarnings(
        r"ignore:`use_\w+` is deprecated:DeprecationWarning:ray.data.context"
    ),
]
# A cluster in a process of its own: Ray does not wait for the processes that it starts.
CLUSTER = """
import sys, ray
context = ray.init(
    num_cpus=2,
    include_dashboard=False,
    object_store_memory=80 * 1024 * 1024,
    _temp_dir=sys.argv[1],
)
print(context.address_info["address"], flush=True)
input()
ray.shutdown()
"""
ANNOTATIONS = ({"type": "audio_info", "language": "en", "emotion": "neutral"},)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    with (
        # The names of Ray's sockets must be short, and pytest's directories are not.
        tempfile.TemporaryDirectory(prefix="ray-") as folder,
        (Path(folder) / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", CLUSTER, folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address, (Path(folder) / "log").read_text()
        ray.init(address, logging_level="error", log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        yield
        ray.shutdown()
        process.communicate("\n", timeout=60)  # which it waits for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings of eight seconds, each of which is different."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(4):
        noise = np.random.default_rng(number).integers(-999, 999, 8 * 16_000, np.int16)
        (folder / f"{number}.wav").write_bytes(wav(noise))
    return folder


SEGMENTS = 32


def clip_in(request: ReceivedRequest) -> str:
    """Tell which clip a request is about."""
    (url,) = (
        str(part.get("audio") or part.get("input_audio"))
        for part in request.messages[-1]["content"]
        if "audio" in part or "input_audio" in part
    )
    return sha256(url.encode()).hexdigest()[:12]


def transcribe_clip(request: ReceivedRequest) -> Reply:
    return Reply(f"clip {clip_in(request)}", annotations=ANNOTATIONS)


def rows_of(dataset: Any) -> list[dict[str, Any]]:
    return in_order(dataset.take_all())


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["source"], row["segment"]))


def loaded(folder: Path, llm: ChatQwenAudio, **options: Any) -> list[dict[str, Any]]:
    """Make rows, as far as a loader tells them, of what a loader loads."""
    return [
        {"text": document.page_content, **document.metadata}
        for document in QwenAudioLoader(folder, llm=llm, segment_s=1, **options).lazy_load()
    ]


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and "tok" not in name}


# --- results ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("cluster")
def test_parquet_holds_what_the_loader_loads(folder: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    with LocalDashScope(reply=transcribe_clip) as server:
        llm = model_of(server, model="qwen3-asr-flash")
        expected = loaded(folder, llm)
        transcripts = transcribe(folder, llm=llm, segment_s=1, checkpoint=checkpoint)
        assert len(server.requests) == SEGMENTS == len(expected)  # nothing runs before it must
        transcripts.write_parquet(str(tmp_path / "parquet"))
        assert len(server.requests) == 2 * SEGMENTS
        # What the cluster has kept, the loader takes.
        assert loaded(folder, llm, checkpoint=checkpoint) == expected
        assert len(server.requests) == 2 * SEGMENTS
    table = pq.read_table(tmp_path / "parquet")
    assert table.schema.remove_metadata() == SCHEMA
    rows = in_order(table.to_pylist())
    assert [told(row) for row in rows] == expected
    assert {(row["language"], row["emotion"]) for row in rows} == {("en", "neutral")}
    assert all(row["input_tokens"] == 0 and row["output_tokens"] == 2 for row in rows)


@pytest.mark.usefixtures("cluster")
def test_what_cannot_be_read_is_a_row(folder: Path, tmp_path: Path) -> None:
    (folder / "notes.wav").write_text("not a recording")
    sources = [str(folder / name) for name in ("3.wav", "none.wav", "notes.wav", "*.mp3")]
    rows = [{"source": source} for source in [*sources, str(folder), "http://127.0.0.1/a.wav"]]
    with LocalDashScope(reply=transcribe_clip) as server:
        transcripts = transcribe(ray.data.from_items(rows), llm=model_of(server), batch_size=4)
        transcripts.write_parquet(str(tmp_path / "parquet"))
        assert len(server.requests) == 1
    table = pq.read_table(tmp_path / "parquet")
    assert table.schema.remove_metadata() == SCHEMA
    rows_by_source = {row["source"]: row for row in table.to_pylist()}
    assert rows_by_source.keys() == {row["source"] for row in rows}
    assert rows_by_source.pop(sources[0])["error"] is None
    for row in rows_by_source.values():
        assert row["error"].startswith("AudioError: ")
        assert (row["text"], row["model"], row["input_tokens"]) == (None, None, None)


@pytest.mark.usefixtures("cluster")
def test_each_channel_of_what_is_there_is_transcribed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    half = wav(np.repeat(np.arange(2 * 16_000, dtype=np.int16), 2), channels=2)[:64_000]
    (tmp_path / "call.wav").write_bytes(half)
    (tmp_path / "notes.txt").write_text("Buy milk.")
    with LocalDashScope(reply=transcribe_clip) as server:
        llm = model_of(server)
        taken: Any = {"channel": "each", "allow_truncated": True}
        rows = rows_of(transcribe(tmp_path, llm=llm, num_actors=1, **taken))
        *_, refused = rows_of(transcribe(tmp_path / "call.wav", llm=llm, num_actors=1))
    assert [row["channel"] for row in rows] == [0, 1]
    assert [row["end_s"] for row in rows] == [pytest.approx(1, abs=0.01)] * 2
    assert "truncated" in refused["error"]
    assert "notes.txt: it is text, not a recording" in caplog.text


@pytest.mark.usefixtures("cluster")
def test_a_transcript_that_stays_cut_is_marked(folder: Path) -> None:
    with LocalDashScope(reply=lambda _: Reply("Part", finish_reason="length")) as server:
        rows = rows_of(transcribe(folder / "0.wav", llm=model_of(server), segment_s=1))
    assert {row["finish_reason"] for row in rows} == {"length"}
    assert {row["error"] for row in rows} == {None}


@pytest.mark.usefixtures("cluster")
def test_contents_travel(folder: Path) -> None:
    with LocalDashScope(reply=transcribe_clip) as server:
        llm = model_of(server)
        expected = loaded(folder, llm)
        files = ray.data.read_binary_files(str(folder), include_paths=True)
        rows = rows_of(transcribe(files, column="path", llm=llm, segment_s=1))
        assert [told(row) for row in rows] == expected
        blobs = [Blob.from_data(path.read_bytes(), path=str(path)) for path in folder.iterdir()]
        rows = rows_of(transcribe(blobs, llm=llm, segment_s=1, batch_size=2, num_actors=1))
        assert [told(row) for row in rows] == expected


@pytest.mark.usefixtures("cluster")
def test_a_wrong_key_ends_the_job(folder: Path) -> None:
    with LocalDashScope(reply=transcribe_clip, api_keys={"right"}) as server:
        transcripts = transcribe(folder, llm=model_of(server, api_key="a-wrong-key"))
        with pytest.raises(AuthenticationError) as caught:
            transcripts.take_all()
    assert "a-wrong-key" not in str(caught.value)


# --- what dies --------------------------------------------------------------------------------


class LeavesItsPid(BaseRateLimiter):
    """Limits nothing, and tells who takes a turn."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def acquire(self, *, blocking: bool = True) -> bool:
        (self.folder / str(os.getpid())).touch()
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        raise NotImplementedError

    @property
    def pids(self) -> list[int]:
        return [int(path.name) for path in self.folder.iterdir()]


@dataclass
class HoldsBack:
    """A reply that transcribes some clips, and then none until it is told.

    Attributes:
        requested: The clips that were requested, in order.
        held: Those that are held back.
    """

    after: int
    requested: list[str] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    def __call__(self, request: ReceivedRequest) -> Reply:
        clip = clip_in(request)
        self.requested.append(clip)
        if len(self.requested) > self.after and not self.go_on.is_set():
            self.held.append(clip)
            self.go_on.wait(120)
        return transcribe_clip(request)


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("remembers", [True, False], ids=["checkpoint", "no checkpoint"])
def test_a_killed_worker_loses_nothing(folder: Path, tmp_path: Path, remembers: bool) -> None:
    checkpoint = tmp_path / "checkpoint" if remembers else None
    (tmp_path / "pids").mkdir()
    workers = LeavesItsPid(tmp_path / "pids")
    reply = HoldsBack(after=5)
    with LocalDashScope(reply=reply) as server:
        llm = model_of(server, rate_limiter=workers)
        transcripts = transcribe(
            folder, llm=llm, segment_s=1, max_concurrency=2, checkpoint=checkpoint
        )
        parquet = str(tmp_path / "parquet")
        job = threading.Thread(target=transcripts.write_parquet, args=[parquet])
        job.start()
        try:
            wait_until(lambda: len(reply.held) == 4)  # two of each worker
            held = list(reply.held)
            assert len(workers.pids) == 2
            os.kill(workers.pids[0], signal.SIGKILL)
        finally:
            reply.go_on.set()
            job.join(120)
        assert not job.is_alive()
        assert len(workers.pids) == 3
        twice = {clip for clip, times in Counter(reply.requested).items() if times > 1}
        if remembers:
            assert twice < set(held)
            assert len(twice) == 2  # what the one that was killed had in flight
        assert max(Counter(reply.requested).values()) <= 2
        reply.requested.clear()
        expected = loaded(folder, model_of(server))
        assert len(set(reply.requested)) == SEGMENTS
    rows = in_order(pq.read_table(parquet).to_pylist())
    assert [told(row) for row in rows] == expected
    assert all(row["input_tokens"] > 0 and row["output_tokens"] > 0 for row in rows)


# --- one rate for all -------------------------------------------------------------------------

RATE = 5.0


@pytest.mark.usefixtures("cluster")
def test_the_rate_holds_for_all_actors_together(folder: Path) -> None:
    times: list[float] = []

    def note(request: ReceivedRequest) -> Reply:
        times.append(time.monotonic())
        return transcribe_clip(request)

    with LocalDashScope(reply=note) as server:
        transcripts = transcribe(
            sorted(folder.glob("[012].wav")),
            llm=model_of(server),
            segment_s=1,
            max_concurrency=2,
            requests_per_second=RATE,
        )
        assert len(rows_of(transcripts)) == 24
    # Each of four threads may have had its turn some time before its request came.
    assert times[-1] - times[0] > (24 - 1 - 4) / RATE


def take_turns(limiter: SharedRateLimiter, count: int) -> list[float]:
    times = []
    for _ in range(count):
        assert limiter.acquire()
        times.append(time.time())
    return times


@pytest.mark.usefixtures("cluster")
def test_a_limiter_that_dies_is_restarted_and_lets_no_more_through() -> None:
    limiter = SharedRateLimiter(RATE)
    taker = ray.remote(num_cpus=0.5)(take_turns)
    takers = [taker.remote(limiter, 10) for _ in range(2)]
    time.sleep(3)
    ray.kill(limiter._turns, no_restart=False)
    one, other = ray.get(takers, timeout=60)
    times = sorted([*one, *other])
    assert len(times) == 20
    for begin, end in itertools.combinations(range(20), 2):
        # A turn may be noticed late, and the next one in time.
        assert times[end] - times[begin] > (end - begin) / RATE - 0.8


@pytest.mark.usefixtures("cluster")
async def test_turns_may_be_awaited_or_tried() -> None:
    limiter = SharedRateLimiter(2)
    assert await limiter.aacquire()
    assert not limiter.acquire(blocking=False)
    assert not await limiter.aacquire(blocking=False)
    time.sleep(0.6)  # noqa: ASYNC251  # nobody else is here
    assert limiter.acquire(blocking=False)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "options", "error", "says"),
    [
        ({}, {"num_actors": 0}, ValueError, "num_actors is 0"),
        ({}, {"batch_size": 0}, ValueError, "batch_size is 0"),
        ({}, {"segment_s": 0.5}, ValueError, "segment_s is 0.5"),
        ({}, {"requests_per_second": 0}, ValueError, "expected more than 0"),
        ({}, {"checkpoint": InMemoryByteStore()}, TypeError, "pass a directory"),
        ({"rate_limiter": InMemoryRateLimiter()}, {}, TypeError, "pass requests_per_second"),
        ({"http_client": httpx.Client()}, {}, TypeError, "http_client cannot travel"),
        (
            {"rate_limiter": LeavesItsPid(Path())},
            {"requests_per_second": 1},
            ValueError,
            "has a rate_limiter already",
        ),
    ],
)
def test_what_cannot_be_shared_is_refused_at_once(
    fields: dict[str, Any], options: dict[str, Any], error: type[Exception], says: str
) -> None:
    llm = ChatQwenAudio(api_key="k", **fields)
    with pytest.raises(error, match=says):
        transcribe("recordings/", llm=llm, **options)


def test_jobs_are_no_stage_of_a_cluster() -> None:
    jobs: Any = TranscriptionJobs(api_key="k")
    with pytest.raises(TypeError, match="TranscriptionJobs came, expected a ChatQwenAudio"):
        transcribe("recordings/", llm=jobs)


# --- what the page says -----------------------------------------------------------------------


# The page has but one recording.
@pytest.mark.filterwarnings("ignore:The minimum number of concurrent actors:UserWarning")
@pytest.mark.usefixtures("cluster")
def test_the_page_on_clusters_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(SAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    with LocalDashScope(reply="Welcome to the studio.") as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        names: dict[str, Any] = {}
        for block in python_blocks(ROOT / "docs/cluster.md"):
            exec(compile(block, "docs/cluster.md", "exec"), names)  # noqa: S102
    assert capsys.readouterr().out.count("Welcome to the studio.") == 3


def test_the_example_transcribes_the_sample() -> None:
    env = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    # Its temporary files go where nobody else's are, and their names must be short.
    with tempfile.TemporaryDirectory(prefix="ray-") as folder:
        done = subprocess.run(
            [sys.executable, ROOT / "examples" / "cluster.py"],
            capture_output=True,
            text=True,
            env=env | {"RAY_TMPDIR": folder},
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "the local test server answers, not Qwen-Audio" in done.stdout
    assert "Welcome to the recording studio" in done.stdout
