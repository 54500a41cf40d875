"""Many at once: nothing is lost, mixed up, shared with the wrong one or left open."""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._service import connection_pool
from langchain_qwen_audio.local import (
    END,
    RESET,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    error_reply,
    sse_event,
)
from tests.unit_tests.programs import run_forked
from tests.unit_tests.recordings import audio_urls, kinds, tone
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


calling_modes = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, **{"api_key": "local", **fields})


def question_in(request: ReceivedRequest) -> str:
    text: str = request.messages[-1]["content"][-1]["text"]
    return text


def echo(request: ReceivedRequest) -> str:
    return f"echo {question_in(request)}"


def clip_of(samples: Any) -> Audio:
    return Audio.from_array(samples, 16_000)


def all_at_once(calls: Iterable[Callable[[], Any]], threads: int) -> list[Any]:
    with ThreadPoolExecutor(threads) as pool:
        return [future.result(timeout=HANG_S) for future in [pool.submit(call) for call in calls]]


def begun(text: str, *then: Any) -> RawReply:
    """Stream one fragment, and then do something else."""
    message = {"role": "assistant", "content": [{"text": text}]}
    choices = [{"finish_reason": "null", "message": message}]
    event = sse_event({"output": {"choices": choices}, "request_id": "r"}, 1)
    return RawReply(200, {"content-type": "text/event-stream"}, [event, *then])


def begun_and_silent(request: ReceivedRequest) -> RawReply:
    return begun(question_in(request), math.inf)


async def drain(model: ChatQwenAudio, question: str) -> str:
    return "".join([chunk.text async for chunk in model.astream(question)])


# --- under faults -----------------------------------------------------------------------------

# What the first attempts bring, and how that ends for a call and for a stream; then all is well.
SOON = {"retry-after-ms": "1"}
BUSY = error_reply(429, "Throttling.RateQuota", "slow down", headers=SOON)
OOPS = error_reply(500, "InternalError", "oops", headers=SOON)
REFUSED = error_reply(400, "InvalidParameter", "no")
FATES: dict[str, tuple[list[Any], str, str]] = {
    "good": ([], "right", "right"),
    "busy": ([BUSY], "right", "right"),
    "busy for long": ([BUSY, BUSY], "RateLimitError", "RateLimitError"),
    "broken": ([OOPS, OOPS], "APIError", "APIError"),
    "reset": ([RawReply(steps=[RESET])], "right", "right"),
    "cut": ([END], "right", "StreamInterruptedError"),
    "refused": ([REFUSED], "InvalidRequestError", "InvalidRequestError"),
}
# These take as long as the timeout, in which a healthy call has to end: there are few at a time.
SILENT_FATES: dict[str, tuple[list[Any], str, str]] = {
    "good": FATES["good"],
    "stall": ([RawReply(steps=[math.inf])], "right", "right"),
    "silence": ([math.inf], "right", "StreamTimeoutError"),
}


class Service:
    """Plays the fate that a question such as `cut 7` names."""

    def __init__(self) -> None:
        self.attempts: Counter[str] = Counter()

    def __call__(self, request: ReceivedRequest) -> str | Reply | RawReply:
        question = question_in(request)
        attempt = self.attempts[question]
        self.attempts[question] += 1
        faults, *_ = (FATES | SILENT_FATES)[question.rpartition(" ")[0]]
        if attempt >= len(faults):
            return Reply(fragments=(f"echo {question}", " and more"))
        fault: Any = faults[attempt]
        if isinstance(fault, RawReply):
            return fault
        if "x-dashscope-sse" in request.headers:
            return begun(f"echo {question}", fault)
        return RawReply(200, {"content-type": "application/json"}, [b'{"output":', fault])


def outcome(question: str, end: str | BaseException) -> str:
    """Name how a question ended, and what is wrong with the text that came."""
    if isinstance(end, str):
        return "right" if end == f"echo {question} and more" else f"mixed up: {end}"
    assert isinstance(end, errors.QwenAudioError), end
    is_own = end.text in {"", f"echo {question}"}
    return type(end).__name__ if is_own else f"mixed up: {end.text}"


@calling_modes
def test_every_question_ends_as_its_faults_say(is_async: bool) -> None:
    ask_all(is_async, FATES, rounds=2, timeout=HANG_S)


def test_every_question_ends_as_its_silence_says() -> None:
    ways = (partial(ask_all, is_async, SILENT_FATES, 1, 3) for is_async in (False, True))
    all_at_once(ways, 2)


def ask_all(is_async: bool, fates: dict[str, Any], rounds: int, timeout: float) -> None:
    questions = [f"{fate} {number}" for number in range(2 * rounds) for fate in fates]
    streams = {question: bool(int(question.rpartition(" ")[2]) % 2) for question in questions}

    def call_model(model: ChatQwenAudio, question: str) -> str | Exception:
        try:
            if streams[question]:
                return "".join(chunk.text for chunk in model.stream(question))
            return model.invoke(question).text
        except errors.QwenAudioError as error:
            return error

    async def acall_model(model: ChatQwenAudio, question: str) -> str:
        if streams[question]:
            return await drain(model, question)
        return (await model.ainvoke(question)).text

    async def aask_all(model: ChatQwenAudio) -> list[str | BaseException]:
        pending = (acall_model(model, question) for question in questions)
        return await asyncio.gather(*pending, return_exceptions=True)

    service = Service()
    with LocalDashScope(reply=service) as server:
        model = model_of(server, timeout=timeout, max_retries=1)
        if is_async:
            ends = asyncio.run(aask_all(model))
        else:
            ends = all_at_once([partial(call_model, model, q) for q in questions], len(questions))

    expected = [fates[q.rpartition(" ")[0]][1 + streams[q]] for q in questions]
    ended = [outcome(question, end) for question, end in zip(questions, ends, strict=True)]
    calling_modes = ["stream" if is_stream else "invoke" for is_stream in streams.values()]
    account = list(zip(questions, calling_modes, expected, ended, strict=True))
    assert [line for line in account if line[2] != line[3]] == []
    assert max(service.attempts.values()) == 2


@calling_modes
def test_streams_that_break_at_once_are_all_accounted_for(is_async: bool) -> None:
    questions = [f"stream {number}" for number in range(40)]
    server = LocalDashScope(reply=begun_and_silent).start()
    model = model_of(server)
    all_begun = Barrier(len(questions) + 1)

    def follow(question: str) -> errors.QwenAudioError:
        events = model.stream(question)
        assert next(events).text == question
        all_begun.wait(timeout=HANG_S)
        with pytest.raises(errors.StreamInterruptedError) as caught:
            next(events)
        return caught.value

    async def afollow_all() -> list[errors.QwenAudioError]:
        streams = [model.astream(question) for question in questions]
        begun = await asyncio.gather(*(anext(events) for events in streams))
        assert [chunk.text for chunk in begun] == questions
        await asyncio.to_thread(server.stop)
        rest = [anext(events) for events in streams]
        ends: Any = await asyncio.gather(*rest, return_exceptions=True)
        return list(ends)

    if is_async:
        ends = asyncio.run(afollow_all())
    else:
        with ThreadPoolExecutor(len(questions)) as pool:
            futures = [pool.submit(follow, question) for question in questions]
            all_begun.wait(timeout=HANG_S)
            server.stop()
            ends = [future.result(timeout=HANG_S) for future in futures]
    assert {type(end) for end in ends} == {errors.StreamInterruptedError}
    assert [end.text for end in ends] == questions


# --- how many ---------------------------------------------------------------------------------

MANY = 120  # more than the hundred that HTTP clients keep by default


async def test_many_streams_are_open_at_once() -> None:
    questions = [f"stream {number}" for number in range(MANY)]
    async with LocalDashScope(reply=begun_and_silent) as server:
        model = model_of(server)
        streams: list[Any] = [model.astream(question) for question in questions]
        first = await asyncio.gather(*(anext(events) for events in streams))
        assert [chunk.text for chunk in first] == questions
        assert server.open_connections == MANY
        await asyncio.gather(*(events.aclose() for events in streams))
        await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
        await asyncio.to_thread(wait_until, lambda: server.disconnects == MANY)


def test_many_threads_stream_at_once() -> None:
    all_begun = Barrier(MANY)

    def follow(model: ChatQwenAudio, server: LocalDashScope, question: str) -> tuple[str, int]:
        events: Any = model.stream(question)
        first = next(events).text
        all_begun.wait(timeout=HANG_S)
        open_now = server.open_connections
        all_begun.wait(timeout=HANG_S)
        events.close()
        return first, open_now

    with LocalDashScope(reply=begun_and_silent) as server:
        model = model_of(server)
        calls = [partial(follow, model, server, str(number)) for number in range(MANY)]
        answers = all_at_once(calls, MANY)
        assert answers == [(str(number), MANY) for number in range(MANY)]
        wait_until(lambda: server.open_connections == 0)
        wait_until(lambda: server.disconnects == MANY)


async def test_many_first_calls_set_up_the_connections_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new_async_http, made = connection_pool._new_async_http, []

    def note_and_make() -> Any:
        made.append(new_async_http())
        return made[-1]

    monkeypatch.setattr(connection_pool, "_new_async_http", note_and_make)
    async with LocalDashScope(reply="ok") as server:
        model = model_of(server)
        await asyncio.gather(*(model.ainvoke("?") for _ in range(50)))
    assert len(made) == 1


def test_batches_from_many_threads_share_an_instance() -> None:
    with LocalDashScope(reply=echo) as server:
        model = model_of(server)

        def call_model(thread: int) -> list[str]:
            questions: list[Any] = [f"{thread}.{number}" for number in range(8)]
            if thread % 2:
                answers = model.batch(questions, {"max_concurrency": 5})
            else:
                answers = asyncio.run(model.abatch(questions, {"max_concurrency": 5}))
            return [answer.text for answer in answers]

        answers = all_at_once([partial(call_model, thread) for thread in range(8)], 8)
        assert answers == [[f"echo {thread}.{n}" for n in range(8)] for thread in range(8)]
        assert len(server.requests) == 8 * 8


# --- the event loop ---------------------------------------------------------------------------


async def test_the_loop_prepares_no_audio() -> None:
    clips = [Audio.from_array(tone(59, 48_000, 300.0 + n), 48_000) for n in range(2)]
    contents: list[list[Any]] = [
        [clip.to_block(), {"type": "text", "text": str(number)}]
        for number, clip in enumerate(clips * 10)
    ]
    async with LocalDashScope(reply=echo) as server:
        model = model_of(server, audio_transport="upload")
        await model.ainvoke("warm up")
        # How long a thread has worked does not depend on what else the machine does.
        of_all_s, of_the_loop_s = time.process_time(), time.thread_time()
        answers = await asyncio.gather(*(model.ainvoke([("user", it)]) for it in contents))
        of_all_s, of_the_loop_s = time.process_time() - of_all_s, time.thread_time() - of_the_loop_s
        # Base64 is read, two minutes are cut and encoded: on the loop, that would be nearly all.
        assert of_the_loop_s < 0.5 * of_all_s
        assert len(audio_urls(server)) == 2
        assert kinds(server).count("upload") == 4
    assert [answer.text for answer in answers] == [f"echo {number}" for number in range(20)]


def test_a_closed_loop_leaves_no_connection_open() -> None:
    async def call_model(model: ChatQwenAudio) -> None:
        await asyncio.gather(
            *(model.ainvoke("?") for _ in range(16)), *(drain(model, "?") for _ in range(16))
        )

    all_wait = Barrier(32)

    def reply(request: ReceivedRequest) -> str:
        all_wait.wait(timeout=HANG_S)
        return "ok"

    with LocalDashScope(reply=reply) as server:
        asyncio.run(call_model(model_of(server)))
        assert server.connections_accepted == 32
        wait_until(lambda: server.open_connections == 0)


@pytest.mark.parametrize("streams", [False, True], ids=["ainvoke", "astream"])
async def test_cancelling_tasks_leaves_the_pool_usable(streams: bool) -> None:
    silent = begun("a", math.inf) if streams else RawReply(steps=[math.inf])
    async with LocalDashScope(replies=[silent] * 20, reply=echo) as server:
        model = model_of(server)

        def call_model(question: str) -> Any:
            return drain(model, question) if streams else model.ainvoke(question)

        tasks = [asyncio.create_task(call_model("?")) for _ in range(20)]
        await asyncio.to_thread(wait_until, lambda: len(server.requests) == 20)
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(end) for end in ends} == {asyncio.CancelledError}
        await asyncio.to_thread(wait_until, lambda: server.disconnects == 20)
        await asyncio.to_thread(wait_until, lambda: server.open_connections == 0)
        again = await asyncio.gather(*(call_model(str(number)) for number in range(20)))
        texts = [answer if streams else answer.text for answer in again]
        assert texts == [f"echo {number}" for number in range(20)]


# --- fork -------------------------------------------------------------------------------------

FORK = """
import asyncio, json, os, sys, threading
from concurrent.futures import ThreadPoolExecutor
from langchain_qwen_audio import Audio, ChatQwenAudio

def fork():
    # Python 3.12 and later warn of every fork of a process with threads.
    import warnings
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
        return os.fork()

def say(line):
    # Both processes write to one pipe: print() writes the end of the line in a call of its own.
    data = line.encode() + b"\\n"
    assert len(data) <= 4096, "longer lines may be torn apart"
    os.write(1, data)

model = ChatQwenAudio(base_url=sys.argv[1], api_key="local")
def call_sync(question):
    if question[-1] in "02468":
        return model.invoke(question).text
    return "".join(chunk.text for chunk in model.stream(question))
async def call_async(question):
    if question[-1] in "02468":
        return (await model.ainvoke(question)).text
    return "".join([chunk.text async for chunk in model.astream(question)])
"""

ONE_EACH = {
    "sync": """
call_sync("before 0")
child = fork()
say(call_sync("child 0" if child == 0 else "parent 0"))
""",
    "async": """
loop = asyncio.new_event_loop()
loop.run_until_complete(call_async("before 0"))
child = fork()
if child == 0:
    say(asyncio.run(call_async("child 0")))
else:
    say(loop.run_until_complete(call_async("parent 0")))
    loop.close()
""",
}
MANY_EACH = """
asyncio.run(call_async("before 0"))
call_sync("before 1")
child = fork()
def questions(way):
    return [f"{'child' if child == 0 else 'parent'} {way} {number}" for number in range(15)]
async def call_all():
    return await asyncio.gather(*map(call_async, questions("async")))
with ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(call_sync, questions("sync"))) + asyncio.run(call_all())
say(json.dumps([questions("sync") + questions("async"), answers]))
"""
JOIN = """
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
needs_fork = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")


@needs_fork
@pytest.mark.parametrize("program", ONE_EACH.values(), ids=ONE_EACH)
def test_a_fork_shares_no_connection(program: str) -> None:
    with LocalDashScope(reply=echo) as server:
        lines = run_forked(FORK + program + JOIN, server.base_url).splitlines()
        assert sorted(lines) == ["echo child 0", "echo parent 0"]
        # The parent's second call reuses its connection, and the child makes one of its own.
        assert server.connections_accepted == 2


@needs_fork
def test_both_sides_of_a_fork_send_requests_at_once() -> None:
    with LocalDashScope(reply=echo) as server:
        lines = run_forked(FORK + MANY_EACH + JOIN, server.base_url).splitlines()
        sent = []
        for line in lines:
            questions, answers = json.loads(line)
            assert answers == [f"echo {question}" for question in questions]
            sent += questions
        assert len(set(sent)) == 60
        assert len(server.requests) == 62
        wait_until(lambda: server.open_connections == 0)


FORK_IN_MID_UPLOAD = """
import array, time
clip = Audio.from_array(array.array("h", [99, -99] * 8_000), 16_000)
uploading = ChatQwenAudio(base_url=sys.argv[1], api_key="local", audio_transport="upload")
messages = [("user", [clip.to_block(), {"type": "text", "text": "about a clip"}])]
thread = threading.Thread(target=uploading.invoke, args=[messages], daemon=True)
thread.start()
while not os.path.exists(sys.argv[2]):
    time.sleep(0.01)
child = fork()
if child == 0:
    uploading.invoke(messages)
else:
    assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""


@needs_fork
def test_a_fork_in_mid_upload_does_not_hold_up_the_child(tmp_path: Path) -> None:
    may_fork = tmp_path / "fork"
    with LocalDashScope(reply=echo) as server, ThreadPoolExecutor(1) as pool:
        server.script_policy(RawReply(steps=[math.inf]))
        program = (FORK + FORK_IN_MID_UPLOAD, server.base_url, str(may_fork))
        done = pool.submit(run_forked, *program)
        wait_until(lambda: len(server.requests) == 1)
        # The parent's thread waits for its policy, with the clip's lock in its hand.
        may_fork.touch()
        assert done.result() == ""
        assert server.requests[-1].kind == "generation"


# --- whose ------------------------------------------------------------------------------------


@calling_modes
def test_regions_and_keys_never_cross(is_async: bool) -> None:
    clips = [clip_of(np.full(16_000, level, np.int16)) for level in (1, 2, 3)]
    keys = {"one": ["key-11", "key-12"], "two": ["key-21", "key-22"]}

    def whose(request: ReceivedRequest) -> str:
        return f"{request.headers['authorization']} {question_in(request)}"

    with (
        LocalDashScope(reply=whose, api_keys=keys["one"]) as one,
        LocalDashScope(reply=whose, api_keys=keys["two"]) as two,
    ):
        servers = {"one": one, "two": two}
        owners = [(name, key) for name, own in keys.items() for key in own]
        sent = [(*owner, n, clip) for n in range(2) for owner in owners for clip in clips]

        def question(name: str, key: str, number: int, clip: Audio) -> tuple[ChatQwenAudio, Any]:
            model = model_of(servers[name], api_key=key, audio_transport="upload")
            text = {"type": "text", "text": f"{name} {number}"}
            return model, [("user", [clip.to_block(), text])]

        def call_model(*owner_and_clip: Any) -> Any:
            model, messages = question(*owner_and_clip)
            return model.invoke(messages)

        async def aask_all() -> list[Any]:
            calls = (model.ainvoke(messages) for model, messages in (question(*a) for a in sent))
            return await asyncio.gather(*calls)

        if is_async:
            answers = asyncio.run(aask_all())
        else:
            calls = [partial(call_model, *a) for a in sent]
            answers = all_at_once(calls, 32)

        assert [answer.text for answer in answers] == [
            f"Bearer {key} {name} {number}" for name, key, number, _ in sent
        ]
        urls: dict[str, set[str]] = defaultdict(set)
        uploaded: dict[str, set[str]] = {}
        for name, server in servers.items():
            forms = [request.form for request in server.requests if request.kind == "upload"]
            uploaded[name] = {f"oss://{form.fields['key']}" for form in forms}
            for request in server.requests:
                if request.kind == "upload":
                    assert "authorization" not in request.headers
                    continue
                key = request.headers["authorization"].removeprefix("Bearer ")
                assert key in keys[name]
                used = re.findall(r'oss://[^"]+', request.body.decode())
                assert uploaded[name].issuperset(used)
                urls[key].update(used)
        assert not uploaded["one"] & uploaded["two"]
        # Each account has its own three files, and nobody else's.
        assert {key: len(own) for key, own in urls.items()} == {key: 3 for _, key in owners}
        assert len(set().union(*urls.values())) == 12


@calling_modes
def test_cookies_are_never_sent_back(is_async: bool) -> None:
    message = {"role": "assistant", "content": [{"text": "ok"}]}
    output = {"choices": [{"finish_reason": "stop", "message": message}]}
    headers = {"content-type": "application/json", "set-cookie": "account=one; Path=/"}
    reply = RawReply(200, headers, [json.dumps({"output": output}).encode()])
    with LocalDashScope(reply=reply) as server:
        # aiohttp would keep no cookies of an address, but those of a name.
        base_url = server.base_url.replace("127.0.0.1", "localhost")
        models = [
            ChatQwenAudio(base_url=base_url, api_key=key) for key in ("key-1", "key-1", "key-2")
        ]

        async def aask_all() -> list[Any]:
            return [await model.ainvoke("?") for model in models]

        answers = asyncio.run(aask_all()) if is_async else [model.invoke("?") for model in models]
        assert [answer.text for answer in answers] == ["ok"] * 3
        assert [request.headers.get("cookie") for request in server.requests] == [None] * 3
