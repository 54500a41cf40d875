"""Segments in flight: what is sent for each, what is repeated, and how a run ends."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import SystemMessage
from langchain_core.rate_limiters import BaseRateLimiter

from langchain_qwen_audio import Audio
from langchain_qwen_audio.document_loaders import QwenAudioLoader, TranscriptFormat
from langchain_qwen_audio.errors import (
    AuthenticationError,
    InvalidRequestError,
    MessageError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
)
from langchain_qwen_audio.local import (
    RESET,
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
    sse_event,
)
from tests.unit_tests.loading import (
    ASR,
    QWEN_AUDIO,
    count_seconds,
    llm_of,
    loader_of,
    numbered,
    numbers_in,
    sync,
    texts,
    threads,
)
from tests.unit_tests.programs import started_forked
from tests.unit_tests.recordings import question_about, wav
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.loading import Load


class Gauge:
    """Replies after a while, and counts how many requests it worked on at once."""

    def __init__(self, reply: Callable[[ReceivedRequest], Any], wait: Callable[[], object]) -> None:
        self._reply, self._wait = reply, wait
        self._lock = threading.Lock()
        self._busy = self.busiest = 0

    def __call__(self, request: ReceivedRequest) -> Any:
        with self._lock:
            self._busy += 1
            self.busiest = max(self.busiest, self._busy)
        self._wait()
        with self._lock:
            self._busy -= 1
        return self._reply(request)


# --- prompts --------------------------------------------------------------------------------------

HELP = SystemMessage("Names: Qwen, LangChain.")


TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."


PROMPTS: dict[str, tuple[str, Any, list[Any]]] = {
    "asr": (ASR, None, ["audio"]),
    "asr with help": (ASR, HELP, [HELP.text, "audio"]),
    "qwen-audio": (QWEN_AUDIO, None, ["audio", TRANSCRIBE]),
    "qwen-audio, a prompt": (QWEN_AUDIO, "List every decision.", ["audio", "List every decision."]),
    "qwen-audio, a system message": (QWEN_AUDIO, HELP, [HELP.text, "audio"]),
    "captioner": ("qwen3-omni-30b-a3b-captioner", None, ["audio"]),
    "omni, which streams": ("qwen3-omni-flash", "Who speaks?", ["audio", "Who speaks?"]),
    "omni": ("qwen3.8-omni-flash", None, ["audio", TRANSCRIBE]),
}


def parts_of(request: ReceivedRequest) -> list[str]:
    """List the texts that are sent, and where the audio is among them."""
    contents = [message["content"] for message in request.messages]
    parts = [[{"text": it}] if isinstance(it, str) else it for it in contents]
    return [part.get("text", "audio") for content in parts for part in content]


def test_any_model_is_given_any_prompt_for_each_segment(ten: Path) -> None:
    with LocalDashScope(reply="words") as server:
        for name, (model, prompt, parts) in PROMPTS.items():
            server.clear()
            loader = loader_of(server, ten, {"model": model}, prompt=prompt, segment_s=5)
            assert texts(sync(loader)) == ["words", "words"], name
            assert [parts_of(it) for it in server.requests] == [parts, parts], name


def test_a_prompt_that_the_model_cannot_be_sent_is_an_error_before_any_request(
    load: Load, server: LocalDashScope, ten: Path
) -> None:
    with pytest.raises(MessageError, match=r"qwen3-asr-flash takes a recording and no text"):
        load(loader_of(server, ten, prompt="List every decision."))
    assert server.requests == []


# --- in flight ------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_concurrency", [1, 3, 8])
def test_so_many_segments_are_in_flight_and_come_in_order(
    load: Load, tmp_path: Path, max_concurrency: int
) -> None:
    seconds = max(2 * max_concurrency, 6)
    (tmp_path / "long.wav").write_bytes(wav(numbered(seconds)))
    meeting = threading.Barrier(max_concurrency)
    gauge = Gauge(count_seconds, wait=lambda: meeting.wait(HANG_S))
    with LocalDashScope(reply=gauge) as server:
        loader = loader_of(server, tmp_path, segment_s=1, max_concurrency=max_concurrency)
        assert texts(load(loader)) == [str(number) for number in range(seconds)]
    assert gauge.busiest == max_concurrency


def test_slow_segments_do_not_change_the_order(load: Load, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(4)))
    others = threading.Semaphore(0)

    def reply(request: ReceivedRequest) -> str:
        if numbers_in(request) != [0]:
            others.release()
            return count_seconds(request)
        assert all(others.acquire(timeout=HANG_S) for _ in range(3)), "the others overtake it"
        return count_seconds(request)

    with LocalDashScope(reply=reply) as server:
        documents = load(loader_of(server, tmp_path, segment_s=1, max_concurrency=4))
    assert texts(documents) == ["0", "1", "2", "3"]


class CountingLimiter(BaseRateLimiter):
    """Lets everybody pass, and counts."""

    def __init__(self) -> None:
        self.turns = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.turns += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire(blocking=blocking)


def test_the_models_rate_limiter_gives_each_request_its_turn(load: Load, ten: Path) -> None:
    limiter = CountingLimiter()
    ahead: list[bool] = []

    def reply(request: ReceivedRequest) -> str | RawReply:
        ahead.append(len(ahead) < limiter.turns)
        return OOPS if len(ahead) == 1 else count_seconds(request)

    with LocalDashScope(reply=reply) as server:
        documents = load(loader_of(server, ten, {"rate_limiter": limiter}, segment_s=5))
    assert texts(documents) == ["0 1 2 3 4", "5 6 7 8 9"]
    assert ahead == [True] * 3, "a retry takes a turn too"
    assert limiter.turns == 3


def test_abatch_has_at_most_so_many_requests_in_flight() -> None:
    clips = [Audio.from_bytes(wav(numbered(1, number))) for number in range(10)]
    meeting = threading.Barrier(5)
    gauge = Gauge(count_seconds, wait=lambda: meeting.wait(HANG_S))
    with LocalDashScope(reply=gauge) as server:
        llm = llm_of(server, QWEN_AUDIO)
        answers = asyncio.run(
            llm.abatch([question_about(clip) for clip in clips], config={"max_concurrency": 5})
        )
    assert [answer.text for answer in answers] == [str(number) for number in range(10)]
    assert gauge.busiest == 5


# --- failures -------------------------------------------------------------------------------------


MUCH_LATER = error_reply(429, "Throttling", "later", headers={"retry-after": "50"})
OOPS = error_reply(500, "InternalError", "oops")


REFUSED = error_reply(400, "InvalidParameter", "no such thing")


@pytest.mark.parametrize(("fields", "requests"), [({}, 3), ({"max_retries": 0}, 1)])
def test_a_failed_segment_is_requested_as_often_as_max_retries_says(
    load: Load, tmp_path: Path, fields: dict[str, Any], requests: int
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(1)))
    with LocalDashScope(reply=OOPS) as server:
        loader = loader_of(server, tmp_path, fields, on_error="document")
        (document,) = load(loader)
        assert len(server.requests) == requests
    assert document.metadata["error"].startswith("APIError: oops")


def test_a_failed_segment_is_repeated_and_then_reported_in_its_place(
    load: Load, tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(4)))
    failures = {1: 2, 2: 9}  # segment 1 fails twice, segment 2 always
    attempts: Counter[int] = Counter()

    def reply(request: ReceivedRequest) -> str | RawReply:
        (number,) = numbers_in(request)
        attempts[number] += 1
        return OOPS if attempts[number] <= failures.get(number, 0) else str(number)

    with LocalDashScope(reply=reply) as server:
        loader = loader_of(server, tmp_path, segment_s=1, on_error="document")
        documents = load(loader)
    assert attempts == {0: 1, 1: 3, 2: 3, 3: 1}
    assert [texts(documents)[i] for i in (0, 1, 3)] == ["0", "1", "3"]
    gap = documents[2]
    assert gap.metadata["error"].startswith("APIError: oops (code=InternalError, status=500")
    assert gap.page_content == f"[00:02 to 00:03 could not be transcribed: {gap.metadata['error']}]"
    place = [gap.metadata[name] for name in ("start_s", "end_s", "segment")]
    assert place == [2.0, 3.0, 2]
    assert "model" not in gap.metadata
    assert (loader.summary.failed, loader.summary.segments) == (1, 4)


@pytest.mark.parametrize(("seconds", "requests"), [("0", 3), ("61", 1)])
def test_the_wait_that_the_service_sends_decides(
    load: Load, ten: Path, seconds: str, requests: int
) -> None:
    busy = error_reply(429, "Throttling", "slower", headers={"retry-after": seconds})
    with LocalDashScope(reply=busy) as server:
        with pytest.raises(RateLimitError):
            load(loader_of(server, ten))
        assert len(server.requests) == requests, "a minute is too long to wait"


@pytest.mark.parametrize("transcript_format", [TranscriptFormat.TEXT, TranscriptFormat.SRT])
def test_a_whole_transcript_says_what_is_missing_too(
    tmp_path: Path, transcript_format: TranscriptFormat
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(3)))

    def reply(request: ReceivedRequest) -> str | RawReply:
        return REFUSED if numbers_in(request) == [1] else count_seconds(request)

    with LocalDashScope(reply=reply) as server:
        options: dict[str, Any] = {"on_error": "document", "segment_s": 1}
        (document,) = sync(
            loader_of(server, tmp_path, transcript_format=transcript_format, **options)
        )
    said = " ".join(document.page_content.split())
    assert "[00:01 to 00:02 could not be transcribed: InvalidRequestError:" in said
    assert (document.metadata["segments"], document.metadata["failed"]) == (3, 1)


def test_an_error_that_a_retry_cannot_help_is_raised_after_one_request(
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


def test_a_stream_that_broke_off_is_repeated(load: Load, ten: Path) -> None:
    choices = [{"delta": {"content": "half of "}, "index": 0, "finish_reason": None}]
    event = {"choices": choices, "id": "1", "object": "chat.completion.chunk", "created": 1}
    begun = sse_event(event, 1).partition(b"data:")[2]
    broken = RawReply(200, {"content-type": "text/event-stream"}, [b"data: " + begun, 0.1, RESET])
    with LocalDashScope(replies=[broken], reply="all of it") as server:
        (document,) = load(loader_of(server, ten, {"model": "qwen3-omni-flash"}))
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


@pytest.mark.parametrize(("settings", "error"), FATAL.values(), ids=FATAL)
def test_an_error_that_all_segments_would_have_ends_the_run_at_once(
    load: Load, tmp_path: Path, settings: dict[str, Any], error: type[Exception]
) -> None:
    (tmp_path / "a.wav").write_bytes(wav(numbered(20)))
    options: dict[str, Any] = {"segment_s": 1, "max_concurrency": 2, "on_error": "document"}
    with LocalDashScope(**settings) as server:
        with pytest.raises(error):
            load(loader_of(server, tmp_path, **options))
        assert len(server.requests) <= 8


# --- ends before the end --------------------------------------------------------------------------


class HeldReplies:
    """Replies at once about second 0, and about the others when it is released."""

    def __init__(self, first: RawReply | None = None) -> None:
        self._first = first
        self._released = threading.Event()
        self.release = self._released.set

    def __call__(self, request: ReceivedRequest) -> str | RawReply:
        if numbers_in(request) != [0]:
            self._released.wait(HANG_S)
        elif self._first is not None:
            return self._first
        return count_seconds(request)


@pytest.fixture
def held() -> Iterator[HeldReplies]:
    replies = HeldReplies()
    yield replies
    replies.release()


def close_run(documents: Iterator[Document]) -> None:
    assert next(documents).page_content == "0"
    documents.close()  # type: ignore[attr-defined]


def forget_run(documents: Iterator[Document]) -> None:
    for document in documents:
        assert document.page_content == "0"
        break


def fail_run(documents: Iterator[Document]) -> None:
    with pytest.raises(InvalidRequestError):
        next(documents)


@pytest.mark.parametrize(
    ("end", "first"), [(close_run, None), (forget_run, None), (fail_run, REFUSED)]
)
def test_a_run_that_has_ended_sends_nothing_more_and_leaves_no_threads(
    ten: Path, end: Callable[[Iterator[Document]], None], first: RawReply | None
) -> None:
    held = HeldReplies(first)
    with LocalDashScope(reply=held) as server:
        end(iter(loader_of(server, ten, segment_s=1, max_concurrency=3).lazy_load()))
        assert threads(), "nobody waits for requests in flight"
        held.release()
        wait_until(lambda: not threads())
        assert len(server.requests) <= 1 + 2 * 3


def test_a_run_that_has_ended_repeats_nothing(ten: Path) -> None:
    failing = threading.Barrier(2)

    def reply(request: ReceivedRequest) -> RawReply:
        failing.wait(HANG_S)
        return REFUSED if numbers_in(request)[0] == 0 else MUCH_LATER

    with LocalDashScope(reply=reply) as server:
        with pytest.raises(InvalidRequestError):
            loader_of(server, ten, segment_s=5, max_concurrency=2).load()
        wait_until(lambda: not threads())  # it does not wait for its next attempt
        assert len(server.requests) == 2


def test_a_closed_async_run_leaves_no_tasks_and_no_requests(held: HeldReplies, ten: Path) -> None:
    async def first_of(loader: QwenAudioLoader) -> str:
        async with contextlib.aclosing(loader.alazy_load()) as documents:  # type: ignore[type-var]
            async for document in documents:
                return document.page_content
        return ""

    async def run(server: LocalDashScope) -> None:
        loader = loader_of(server, ten, segment_s=1, max_concurrency=3)
        assert await first_of(loader) == "0"
        assert asyncio.all_tasks() == {asyncio.current_task()}
        requests = len(server.requests)
        assert requests <= 1 + 2 * 3
        # What was in flight is dropped: the server sees each connection close.
        await asyncio.to_thread(wait_until, lambda: server.disconnects == requests - 1)
        assert len(server.requests) == requests

    with LocalDashScope(reply=held) as server:
        asyncio.run(run(server))


def test_a_cancelled_load_drops_its_requests(ten: Path) -> None:
    waiting: list[Reply] = []

    def reply(request: ReceivedRequest) -> Reply:
        if len(waiting) == 3:
            return Reply(count_seconds(request))
        waiting.append(Reply(delay_s=60))
        return waiting[-1]

    async def run(server: LocalDashScope) -> None:
        loader = loader_of(server, ten, segment_s=2, max_concurrency=3)
        task = asyncio.create_task(loader.aload())
        await asyncio.to_thread(wait_until, lambda: len(waiting) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(server.requests) == 3
        assert len(await loader.aload()) == 5

    with LocalDashScope(reply=reply) as server:
        asyncio.run(run(server))
        wait_until(lambda: server.disconnects == 3)


INTERRUPTED = """
import asyncio, sys
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader

path, base_url, *checkpoints = sys.argv[1:]
fields = {"base_url": base_url, "api_key": "local", "timeout": 100_000}
llm = ChatQwenAudio(model="qwen3-asr-flash", **fields)
sync, asynchronous = (
    QwenAudioLoader(path, llm=llm, segment_s=1, max_concurrency=2, checkpoint=it)
    for it in checkpoints
)
try:
    sync.load()
except KeyboardInterrupt:
    asyncio.run(asynchronous.aload())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_an_interrupt_ends_the_process_while_the_service_is_silent(
    ten: Path, tmp_path: Path
) -> None:
    silent, ended = threading.Barrier(3), threading.Event()

    def reply(request: ReceivedRequest) -> str:
        if numbers_in(request)[0] >= 4 and not ended.is_set():
            silent.wait(HANG_S)  # both requests that may be in flight are here, and this test
            assert ended.wait(HANG_S)
        return count_seconds(request)

    with LocalDashScope(reply=reply) as server:
        checkpoints = [str(tmp_path / name) for name in ("sync", "async")]
        arguments = [str(ten), server.base_url, *checkpoints]
        with started_forked(INTERRUPTED, *arguments) as program:
            for _ in checkpoints:
                silent.wait(HANG_S)
                program.interrupt()
            _, errors = program.end()  # the timeout of a request is longer
        ended.set()
        assert errors.rstrip().endswith("KeyboardInterrupt")
        for checkpoint in checkpoints:
            server.clear()
            loader = loader_of(server, ten, segment_s=1, checkpoint=checkpoint)
            assert texts(sync(loader)) == [str(number) for number in range(10)]
            assert loader.summary.from_checkpoint == 4, "what had come was kept"
            assert len(server.requests) == 6


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
    wait_until(lambda: not threads())


def test_a_callback_that_may_not_raise_changes_nothing(
    load: Load, counting: LocalDashScope, ten: Path
) -> None:
    fields = {"callbacks": [Failing(raise_error=False)]}
    assert texts(load(loader_of(counting, ten, fields, segment_s=5))) == ["0 1 2 3 4", "5 6 7 8 9"]
