"""Tasks of the local test server, as a bare WebSocket client sees them."""

import asyncio
import json
import math
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import aiohttp
import pytest

from langchain_qwen_audio.local import JobFailure, LiveReply, LocalDashScope, Reply
from langchain_qwen_audio.local._live import endpoint
from langchain_qwen_audio.local._live.task import TaskSession
from tests.unit_tests._live.conversations import silence, tone

MODEL = "qwen-audio-3.1-asr-flash-streaming"
PARAMETERS: dict[str, Any] = {"format": "pcm", "sample_rate": 16_000, "max_sentence_silence": 400}


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


def message(action: str, task_id: str = "t1", **payload: Any) -> dict[str, Any]:
    header = {"action": action, "task_id": task_id, "streaming": "duplex"}
    return {"header": header, "payload": {"input": {}, **payload}}


def run_task(
    model: str = MODEL, parameters: Any = PARAMETERS, task_id: str = "t1", **more: Any
) -> dict[str, Any]:
    fixed = {"task_group": "audio", "task": "asr", "function": "recognition"}
    about = {**fixed, "model": model, "parameters": parameters, **more}
    return message("run-task", task_id, **about)


class Client:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, *messages: Any) -> None:
        for it in messages:
            if isinstance(it, bytes):
                await self.socket.send_bytes(it)
            else:
                await self.socket.send_str(it if isinstance(it, str) else json.dumps(it))

    async def read(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(await self.socket.receive_str())
        return event

    async def results(self) -> list[Any]:
        """Read up to the end of the task: its sentences, and their usage if there is one."""
        found: list[Any] = []
        while (event := await self.read())["header"]["event"] == "result-generated":
            found.append(event["payload"]["output"]["sentence"])
            if event["payload"]["usage"]:
                found.append(event["payload"]["usage"])
        return [*found, (event["header"]["event"], event["payload"])]


@asynccontextmanager
async def connected(server: LocalDashScope) -> AsyncIterator[Client]:
    url = server.base_url.replace("/api/v1", "/api-ws/v1/inference")
    key = {"authorization": "Bearer k"}
    async with aiohttp.ClientSession() as http, http.ws_connect(url, headers=key) as socket:
        yield Client(socket)


SPEECH = (tone(0.5), silence(0.6))


async def test_a_task_has_the_documented_events(server: LocalDashScope) -> None:
    server.script(Reply("Hi you!"))
    async with connected(server) as client:
        await client.send(run_task(), *SPEECH, message("finish-task"))
        head = {"task_id": "t1", "event": "task-started", "attributes": {}}
        assert await client.read() == {"header": head, "payload": {}}
        results = await client.results()
        growing: dict[str, Any] = {
            "sentence_id": 1,
            "begin_time": 0,
            "end_time": None,
            "heartbeat": False,
            "sentence_end": False,
            "words": [],
        }
        words = [
            {"begin_time": 0, "end_time": 250, "text": "Hi", "punctuation": ""},
            {"begin_time": 250, "end_time": 500, "text": "you", "punctuation": "!"},
        ]
        usage = {"duration": 1, "input_tokens": 11, "output_tokens": 3, "total_tokens": 14}
        total = {"duration": 2, "input_tokens": 14, "output_tokens": 3, "total_tokens": 17}
        assert results == [
            {**growing, "text": "", "sentence_begin": True},
            {**growing, "text": "Hi"},
            {**growing, "text": "Hi you"},
            {**growing, "text": "Hi you!"},
            {**growing, "text": "Hi you!", "end_time": 500, "sentence_end": True, "words": words},
            usage,
            ("task-finished", {"output": {}, "usage": total}),
        ]


async def test_a_connection_has_one_task_after_another(server: LocalDashScope) -> None:
    async with connected(server) as client:
        for task_id in ("t1", "t2"):
            await client.send(run_task(task_id=task_id), message("finish-task", task_id))
            assert (await client.read())["header"]["task_id"] == task_id
            assert (await client.results())[0][0] == "task-finished"


NUMBERED = {"sentence_id"}
EMOTION = {"emo_tag", "emo_confidence"}
SECOND, TWO_SECONDS = {"duration": 1}, {"duration": 2}
TOKENS = {"duration", "input_tokens", "output_tokens", "total_tokens"}
# Model → parameters; keys of its sentences; growing ones; usage of a sentence, and at the end.
SENT: list[tuple[str, dict[str, Any], set[str], int, Any, Any]] = [
    ("fun-asr-realtime", {}, NUMBERED, 2, SECOND, None),
    ("qwen-audio-3.0-asr-flash-streaming", {}, NUMBERED, 2, SECOND, TWO_SECONDS),
    ("qwen-audio-3.1-asr-flash-message", {}, NUMBERED, 1, TOKENS, TOKENS),
    (
        *("qwen-audio-3.1-asr-flash-message", {"intermediate_result_enabled": True}),
        *(NUMBERED, 2, TOKENS, TOKENS),
    ),
    ("paraformer-realtime-v2", {}, set(), 1, SECOND, None),
    ("paraformer-realtime-8k-v2", {"sample_rate": 8000}, EMOTION, 1, SECOND, None),
]


@pytest.mark.parametrize("sent", SENT, ids=lambda it: f"{it[0]} {it[1] or ''}")
async def test_models_differ_in_what_they_send(server: LocalDashScope, sent: Any) -> None:
    model, parameters, keys, growing, usage, usage_at_end = sent
    told = {**PARAMETERS, **parameters}
    step = 16_000 // told["sample_rate"]
    speech = [array("h", pcm)[::step].tobytes() for pcm in SPEECH]
    async with connected(server) as client:
        await client.send(run_task(model, told), *speech, message("finish-task"))
        await client.read()
        *partials, final, counted, (_, payload) = await client.results()
    assert len(partials) == growing
    common = {"begin_time", "end_time", "text", "heartbeat", "sentence_end", "words"}
    assert final.keys() - common == keys
    assert usage in (counted, counted.keys())
    at_end = payload["usage"]
    assert usage_at_end in (at_end, at_end and at_end.keys())


INVALID = "CLIENT_ERROR"
WRONG: dict[str, tuple[list[Any], str, str]] = {
    "audio before run-task": ([b"ab"], INVALID, "no task has started"),
    "half a sample": ([run_task(), b"abc"], INVALID, "16-bit PCM"),
    "finish-task before run-task": ([message("finish-task")], INVALID, "does not run"),
    "finish-task of another task": (
        [run_task(), message("finish-task", "t2")],
        INVALID,
        "does not run",
    ),
    "audio after finish-task": (
        [run_task(), message("finish-task"), b"ab"],
        INVALID,
        "no task has started",
    ),
    "run-task twice": ([run_task(), run_task()], INVALID, "a task runs already"),
    "continue-task": ([run_task(), message("continue-task")], INVALID, "not played here"),
    "no JSON": (["{"], INVALID, "Invalid payload data"),
    "no object": (["[]"], INVALID, "Invalid payload data"),
    "no header": ([{"payload": {}}], INVALID, "Invalid payload data"),
    "no input": ([{**run_task(), "payload": {}}], INVALID, "Invalid payload data"),
    "another function": (
        [run_task(function="x")],
        "InvalidParameter",
        "payload.function must be 'recognition'",
    ),
    "no model": ([run_task("")], "BadRequest.EmptyModel", "model"),
    "a model of sessions": ([run_task("qwen3-asr-flash-realtime")], "ModelNotFound", "not exist"),
    "no parameters": ([run_task(parameters=None)], "InvalidParameter", "parameters is missing"),
    "a parameter": (
        [run_task("fun-asr-realtime", {**PARAMETERS, "keep_dialect": True})],
        "InvalidParameter",
        "Unknown parameter: 'keep_dialect'",
    ),
    "no format": ([run_task(parameters={})], "UNSUPPORTED_FORMAT", "must not be None"),
    "a format of another type": ([run_task(parameters={"format": []})], INVALID, "unhashable"),
    "a format that is not played": (
        [run_task(parameters={**PARAMETERS, "format": "mp3"})],
        "InvalidParameter",
        "takes the format pcm",
    ),
    "another rate": (
        [run_task("paraformer-realtime-8k-v2")],
        "InvalidParameter",
        "sample_rate must be 8000, not 16000",
    ),
    "a rate that is not played": (
        [run_task(parameters={**PARAMETERS, "sample_rate": 44_100})],
        "InvalidParameter",
        "not 44100",
    ),
    "a pause": (
        [run_task(parameters={**PARAMETERS, "max_sentence_silence": 100})],
        "InvalidParameter",
        "from 200 to 6000",
    ),
    "a minute without speech": (
        [run_task(), silence(61)],
        INVALID,
        "request timeout after 60 seconds.",
    ),
}


async def test_what_is_wrong_fails_the_task_and_closes_the_connection(
    server: LocalDashScope,
) -> None:
    for what, wrong in WRONG.items():
        sent, code, text = wrong
        async with connected(server) as client:
            await client.send(*sent)
            event = await client.read()
            while event["header"]["event"] != "task-failed":
                event = await client.read()
            assert event["header"]["error_code"] == code, what
            assert text in event["header"]["error_message"], what
            assert event["payload"] == {}, what
            closed = await client.socket.receive()
            assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 1007), what


async def test_a_heartbeat_keeps_a_quiet_task_alive(server: LocalDashScope) -> None:
    async with connected(server) as client:
        told = {**PARAMETERS, "heartbeat": True}
        await client.send(run_task(parameters=told), *[silence(1)] * 61, message("finish-task"))
        await client.read()
        *beats, _ = await client.results()
    assert [(it["heartbeat"], it["sentence_id"]) for it in beats] == [(True, 0)] * 12


async def test_a_client_that_sends_nothing_is_not_waited_for(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endpoint, "TaskSession", partial(TaskSession, max_wait_s=0.01))
    async with connected(server) as client:
        await client.send(run_task())
        await client.read()
        header = (await client.read())["header"]
    assert (header["task_id"], header["error_code"]) == ("t1", "CLIENT_ERROR")
    assert header["error_message"] == "request timeout after 0.01 seconds."


async def test_a_scripted_failure_is_that_of_the_task(server: LocalDashScope) -> None:
    async with connected(server) as client:
        server.script(JobFailure("Throttling", "slow"))
        await client.send(run_task())
        assert (await client.read())["header"]["error_code"] == "Throttling"
    async with connected(server) as client:
        server.script("Hi", JobFailure("Throttling", "slow"))
        await client.send(run_task(), *SPEECH, *SPEECH)
        await client.read()
        *sentences, (end, _) = await client.results()
    assert end == "task-failed"
    assert any(it.get("text") == "Hi" and it["sentence_end"] for it in sentences)


async def test_a_scripted_event_is_sent_as_it_is(server: LocalDashScope) -> None:
    async with connected(server) as client:
        server.script(LiveReply([{"header": {"event": "new"}}, "text", 0.0, math.inf]))
        await client.send(run_task(), *SPEECH)
        await client.read()
        await client.read()
        assert await client.read() == {"header": {"event": "new"}}
        assert await client.socket.receive_str() == "text"


async def test_the_record_has_what_went_both_ways(server: LocalDashScope) -> None:
    async with connected(server) as client:
        await client.send(run_task(), b"ab", message("finish-task"))
        await client.read()
        await client.results()
    await asyncio.to_thread(server.stop)
    (record,) = server.live_sessions
    assert [*record.received] == [run_task(), {"audio": b"ab"}, message("finish-task")]
    kinds = [it["header"]["event"] for it in record.sent if isinstance(it, dict)]
    assert kinds == ["task-started", "task-finished"]


async def test_a_wrong_key_opens_no_connection() -> None:
    with LocalDashScope(reply="ok", api_keys=["mine"]) as server:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            async with connected(server):
                pass
        assert caught.value.status == 401
