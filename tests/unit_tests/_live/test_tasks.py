"""Live transcription in tasks, over a real WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import math
from array import array
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._live.address import TASK_PATH, live_address
from langchain_qwen_audio._live.counted_usage import CountedUsage
from langchain_qwen_audio._live.tasks import TaskTranscription
from langchain_qwen_audio.costs import Cost
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APIError,
    APITimeoutError,
    AudioError,
    AuthenticationError,
    ContentFilterError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
    RateLimitError,
    StreamInterruptedError,
    StreamTimeoutError,
)
from langchain_qwen_audio.live import LiveSentence
from langchain_qwen_audio.local import (
    END,
    RESET,
    CloseCode,
    JobFailure,
    LiveReply,
    LocalDashScope,
    RawReply,
    Reply,
)
from langchain_qwen_audio.transcripts import Word
from tests.unit_tests.rows import each_row
from tests.unit_tests.test_docs import SAMPLE
from tests.unit_tests.waiting import wait_until

from .conversations import collect, live_model, silence, tone, two_sentences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from langchain_qwen_audio.local import LiveRecord

STREAMING = "qwen-audio-3.1-asr-flash-streaming"
KEY = "sk-of-the-user"


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


def messages(record: LiveRecord) -> list[Any]:
    """What the client sent, with samples by their length."""
    return [len(it["audio"]) if "audio" in it else it for it in record.received]


def result(**sentence: Any) -> dict[str, Any]:
    header = {"task_id": "t", "event": "result-generated", "attributes": {}}
    return {"header": header, "payload": {"output": {"sentence": sentence}}}


def failed(code: str, message: str) -> dict[str, Any]:
    header = {"event": "task-failed", "error_code": code, "error_message": message}
    return {"header": {"task_id": "t", **header}, "payload": {}}


async def test_a_task_has_the_documented_messages_both_ways(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("Hello", " there!")), "Bye")
    model = live_model(server, model=STREAMING, asr_options={"language_hints": ["en", "zh"]})
    sentences = await collect(model, two_sentences(), silence_ms=400)
    there = (
        Word(text="Hello", start_s=0.0, end_s=0.25),
        Word(text="there", punctuation="!", start_s=0.25, end_s=0.5),
    )
    bye = (Word(text="Bye", start_s=1.1, end_s=1.6),)
    assert sentences == [
        LiveSentence("Hello", is_final=False, start_s=0.0, item_id="1"),
        LiveSentence("Hello there!", is_final=False, start_s=0.0, item_id="1"),
        LiveSentence(
            "Hello there!", is_final=True, start_s=0.0, end_s=0.5, item_id="1", words=there
        ),
        LiveSentence("Bye", is_final=False, start_s=1.1, item_id="2"),
        LiveSentence("Bye", is_final=True, start_s=1.1, end_s=1.6, item_id="2", words=bye),
    ]
    (record,) = server.live_sessions
    task_id = record.received[0]["header"]["task_id"]
    header = {"task_id": task_id, "streaming": "duplex"}
    parameters = {
        "format": "pcm",
        "sample_rate": 16_000,
        "heartbeat": True,
        "max_sentence_silence": 400,
        "language_hints": ["en", "zh"],
    }
    assert messages(record) == [
        {
            "header": {"action": "run-task", **header},
            "payload": {
                "task_group": "audio",
                "task": "asr",
                "function": "recognition",
                "model": STREAMING,
                "parameters": parameters,
                "input": {},
            },
        },
        *[16_000, 16_000, 3_200] * 2,
        {"header": {"action": "finish-task", **header}, "payload": {"input": {}}},
    ]
    assert (record.request.path, record.request.query) == ("/api-ws/v1/inference", {})
    assert record.request.headers["authorization"] == "Bearer local"


HEARTBEAT = {"heartbeat": True}
PARAFORMER = {"language_hints": ["en"], "disfluency_removal_enabled": True}


@each_row(
    "model, asr_options, parameters, rate",
    [
        (STREAMING, {"keep_dialect": True, "vocabulary": {"Qwen": 5}}, HEARTBEAT, 16_000),
        (
            "qwen-audio-3.1-asr-flash-message",
            {"disfluency_removal_enabled": True, "vocabulary_id": "v"},
            {**HEARTBEAT, "intermediate_result_enabled": True},
            16_000,
        ),
        ("qwen-audio-3.0-asr-flash-streaming", {"vocabulary": {"Qwen": 5}}, HEARTBEAT, 16_000),
        ("fun-asr-realtime-2025-11-07", {"language_hints": ["en"]}, HEARTBEAT, 16_000),
        ("fun-asr-flash-8k-realtime", {"vocabulary_id": "v"}, HEARTBEAT, 8000),
        ("paraformer-realtime-v2", PARAFORMER, HEARTBEAT, 16_000),
        ("paraformer-realtime-8k-v2", PARAFORMER, HEARTBEAT, 8000),
        ("paraformer-realtime-v1", PARAFORMER, {}, 16_000),
        ("paraformer-realtime-8k-v1", PARAFORMER, {}, 8000),
    ],
)
async def test_each_model_is_told_what_it_takes(
    server: LocalDashScope,
    model: str,
    asr_options: dict[str, Any],
    parameters: dict[str, Any],
    rate: int,
) -> None:
    source = Audio.from_array(array("h", tone(0.5)), 16_000)
    llm = live_model(server, model=model, asr_options=asr_options)
    *partial, final = await collect(llm, source)
    assert [it.text for it in (*partial, final)] == ["ok", "ok"]
    begin, *audio, _ = messages(server.live_sessions[0])
    rates = {"format": "pcm", "sample_rate": rate}
    assert begin["payload"]["parameters"] == {**rates, **parameters, **asr_options}
    assert sum(audio) == rate  # bytes of half a second


async def test_parameters_without_a_field_are_sent_as_they_are(server: LocalDashScope) -> None:
    more = {"semantic_punctuation_enabled": True, "heartbeat": False}
    await collect(live_model(server, model=STREAMING, model_kwargs=more), Audio.from_path(SAMPLE))
    sent = server.live_sessions[0].received[0]["payload"]["parameters"]
    assert sent.items() >= more.items()


async def test_sentences_without_numbers_are_told_apart(server: LocalDashScope) -> None:
    model = live_model(server, model="paraformer-realtime-8k-v2")
    sentences = await collect(model, two_sentences(), silence_ms=400)
    facts = [(it.item_id, it.is_final, it.emotion) for it in sentences]
    assert facts == [
        *[("1", False, None), ("1", True, "neutral")],
        *[("2", False, None), ("2", True, "neutral")],
    ]


def test_a_sentence_that_grows_has_no_end() -> None:
    reader = TaskTranscription("m", {"sample_rate": 16_000}, CountedUsage())
    times = {"begin_time": 100, "end_time": 900}
    (partial,) = reader.read(result(text="Hel", sentence_end=False, **times))
    (final,) = reader.read(result(text="Hello", sentence_end=True, **times))
    assert [(it.start_s, it.end_s) for it in (partial, final)] == [(0.1, None), (0.1, 0.9)]


async def test_words_have_their_times_in_what_was_sent() -> None:
    async def late() -> AsyncIterator[bytes]:
        yield silence(1)
        yield b"".join(Audio.from_path(SAMPLE).decode(16_000))

    with LocalDashScope() as server:
        *_, final = await collect(live_model(server, model=STREAMING), late(), silence_ms=2000)
    assert final.text.startswith("Welcome to the recording studio")
    first, *_, last = final.words
    assert (first.text, last.text) == ("Welcome", "word")
    assert first.start_s is not None
    assert last.end_s is not None
    assert 0.5 < first.start_s < 2
    assert 6 < last.end_s < 9


async def test_heartbeats_and_what_is_not_known_are_no_sentences(server: LocalDashScope) -> None:
    beat = result(sentence_id=0, heartbeat=True, text="", sentence_end=True)
    new = {"header": {"task_id": "t", "event": "task-new"}, "payload": {}}
    server.script(LiveReply([beat, new]), "Bye")
    sentences = await collect(live_model(server, model=STREAMING), two_sentences(), silence_ms=400)
    assert {it.text for it in sentences} == {"Bye"}


async def test_a_pause_of_a_minute_is_none_for_the_service(server: LocalDashScope) -> None:
    async def quiet() -> AsyncIterator[bytes]:
        yield silence(61)
        yield tone(0.5)

    sentences = await collect(live_model(server, model=STREAMING), quiet())
    assert sentences[-1].text == "ok"


@each_row(
    "model, tokens, seconds, amount",
    [
        # 2.2 s of audio, to the end; 3 tokens of text.
        (STREAMING, (28, 3), 3, "0.0001815"),
        ("qwen-audio-3.0-asr-flash-streaming", None, 3, "0.00099"),
        # Their last word is that of the last sentence, 2 s after the beginning.
        ("fun-asr-realtime", None, 2, "0.00066"),
        ("paraformer-realtime-v2", None, 2, "0.00048"),
    ],
)
async def test_usage_is_that_of_the_whole_transcription(
    server: LocalDashScope,
    model: str,
    tokens: tuple[int, int] | None,
    seconds: int,
    amount: str,
) -> None:
    server.script("Hello!", "Bye")
    llm = live_model(server, model=model)
    transcription = llm.transcribe_live(two_sentences(), silence_ms=400)
    assert Cost.of(transcription, region="cn-beijing").amount is None
    async for _ in transcription:
        pass
    usage = transcription.usage
    assert (usage and (usage["input_tokens"], usage["output_tokens"])) == tokens
    assert transcription.billed_s == seconds
    assert Cost.of(transcription, region="cn-beijing").amount == Decimal(amount)
    assert transcription.cost.unknown == ("the region is not known: pass region=…",)


async def test_a_model_of_sessions_says_no_usage(server: LocalDashScope) -> None:
    transcription = live_model(server, model="qwen3-asr-flash-realtime").transcribe_live(
        two_sentences()
    )
    assert [it.text async for it in transcription if it.is_final] == ["ok", "ok"]
    cost = Cost.of(transcription, region="cn-beijing")
    assert cost.unknown == ("the answer does not say how many seconds are billed",)


FAULTS: dict[str, tuple[Any, type[QwenAudioError], str]] = {
    "too many tasks": (JobFailure("Throttling.RateQuota", "slow"), RateLimitError, "slow"),
    "an input that is filtered": (
        JobFailure("DataInspectionFailed", "no"),
        ContentFilterError,
        "moderation",
    ),
    "no sound for too long": (
        JobFailure("CLIENT_ERROR", "request timeout after 23 seconds."),
        APITimeoutError,
        "send sound all the time",
    ),
    "an error of the client": (JobFailure("CLIENT_ERROR", "odd"), InvalidRequestError, "odd"),
    "sound that is none": (JobFailure("NO_VALID_AUDIO_ERROR", ""), AudioError, "cannot use"),
    "a failure of the service": (JobFailure("InternalError", "oh"), APIError, "oh"),
    "a code that is new": (JobFailure("NEW", "new"), APIError, r"new \(code=NEW\)"),
    "a reset": (LiveReply([RESET]), StreamInterruptedError, "the connection broke"),
    "an end": (LiveReply([END]), StreamInterruptedError, "close code 1006"),
    "a close": (LiveReply([CloseCode(1013, "")]), StreamInterruptedError, "overloaded"),
    "a close for what was sent": (
        LiveReply([CloseCode(1009, "decoded text message too big")]),
        InvalidRequestError,
        "too big",
    ),
    "a close without a reason": (LiveReply([CloseCode(1011, "")]), APIError, "the service failed"),
    "no JSON": (LiveReply(["<html>"]), APIError, "no JSON: '<html>'"),
    "no event": (LiveReply([{"header": {}}]), APIError, "no event"),
    "an event without a sentence": (LiveReply([result()]), APIError, "cannot be read"),
    "a failure without a code": (
        LiveReply([{"header": {"event": "task-failed"}}]),
        APIError,
        "cannot be read",
    ),
    "silence": (LiveReply([math.inf]), StreamTimeoutError, r"silent for 0\.3 s"),
}


@each_row("fault", FAULTS)
async def test_a_task_that_breaks_is_an_error_after_what_came_before(
    server: LocalDashScope, fault: tuple[Any, type[QwenAudioError], str]
) -> None:
    is_read = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield tone(0.5) + silence(0.6)
        await is_read.wait()  # a reset loses what was not read
        yield tone(0.5) + silence(0.6)

    scripted, error, match = fault
    server.script("Hello", scripted)
    model = live_model(server, model=STREAMING, timeout=0.3)
    transcription = model.transcribe_live(source(), silence_ms=400)
    assert [(await anext(transcription)).text for _ in range(2)] == ["Hello", "Hello"]
    is_read.set()
    with pytest.raises(error, match=match):
        await anext(transcription)
    with pytest.raises(StopAsyncIteration):
        await anext(transcription)
    assert transcription.billed_s == 1
    wait_until(lambda: server.open_connections == 0)


@each_row(
    "settings, scripted, error, match",
    [
        ({"api_key": "wrong"}, None, AuthenticationError, "status 401"),
        ({}, RawReply(403), QwenAudioError, "status 403"),
        ({}, JobFailure("Model.NotExist", "gone"), NotFoundError, "gone"),
        ({"model_kwargs": {"new": 1}}, None, InvalidRequestError, "Unknown parameter: 'new'"),
        (
            {"model_kwargs": {"max_sentence_silence": 1}},
            None,
            InvalidRequestError,
            "from 200 to 6000",
        ),
    ],
)
async def test_a_task_that_does_not_begin_is_an_error(
    settings: dict[str, Any], scripted: Any, error: type[QwenAudioError], match: str
) -> None:
    with LocalDashScope(reply="ok", api_keys=["local"]) as server:
        if scripted:
            server.script(scripted)
        model = live_model(server, **{"model": STREAMING, "max_retries": 0, **settings})
        with pytest.raises(error, match=match):
            await collect(model, two_sentences())


async def test_the_handshake_is_repeated(server: LocalDashScope) -> None:
    server.script(RawReply(503, {"retry-after": "0"}))
    sentences = await collect(live_model(server, model=STREAMING), two_sentences(), silence_ms=400)
    assert sentences[-1].text == "ok"


async def test_the_key_is_in_no_error_and_no_log(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(LiveReply([failed("InternalError", f"of {KEY}")]))
    caplog.set_level("DEBUG")
    model = live_model(server, model=STREAMING, api_key=KEY)
    with pytest.raises(APIError) as caught:
        await collect(model, two_sentences(), silence_ms=400)
    error = caught.value
    assert KEY not in f"{error} {error.body} {error.__cause__!r} {caplog.text}"
    assert "of " in str(error)


async def test_what_the_source_raises_is_raised(server: LocalDashScope) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield tone(0.1)
        raise OSError("no microphone")

    with pytest.raises(OSError, match="no microphone"):
        await collect(live_model(server, model=STREAMING), broken())


async def test_leaving_early_hangs_up(server: LocalDashScope) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield tone(0.5) + silence(0.6)

    model = live_model(server, model=STREAMING)
    async with contextlib.aclosing(model.transcribe_live(endless(), silence_ms=400)) as sentences:
        async for _ in sentences:
            break
    wait_until(lambda: server.open_connections == 0)


@each_row(
    "settings, arguments, error, match",
    [
        (
            {"asr_options": {"language": "en"}},
            {},
            InvalidRequestError,
            f"{STREAMING} does not take language; of asr_options it takes language_hints, voc",
        ),
        ({"temperature": 0.1}, {}, InvalidRequestError, "does not take temperature"),
        (
            {"model": "qwen-audio-3.1-asr-flash-message", "asr_options": {"language_hints": []}},
            {},
            InvalidRequestError,
            "message does not take language_hints",
        ),
        (
            {"model": "paraformer-realtime-v1"},
            {"silence_ms": 400},
            InvalidRequestError,
            "paraformer-realtime-v1 does not take silence_ms",
        ),
        ({"base_url": "http://127.0.0.1:1/v1"}, {}, InvalidRequestError, "address of DashScope"),
        ({"model": "gummy-realtime-v1"}, {}, NotFoundError, "models that have one: qwen3-asr"),
    ],
)
def test_what_a_model_does_not_take_is_refused_by_name_at_once(
    server: LocalDashScope,
    settings: dict[str, Any],
    arguments: dict[str, Any],
    error: type[QwenAudioError],
    match: str,
) -> None:
    with pytest.raises(error, match=match):
        live_model(server, **{"model": STREAMING, **settings}).transcribe_live(
            two_sentences(), **arguments
        )


def test_a_model_that_transcribes_has_no_sessions_and_takes_no_requests(
    server: LocalDashScope,
) -> None:
    model = live_model(server, model=STREAMING)
    with pytest.raises(NotFoundError, match="no live voice session here"):
        model.session()
    with pytest.raises(NotFoundError, match="transcribe_live"):
        model.invoke("?")


def test_a_task_goes_to_the_host_of_the_model() -> None:
    model = ChatQwenAudio(
        model=STREAMING, api_key="x", base_url=None, workspace="ws1", region="ap-southeast-1"
    )
    address = live_address(model, path=TASK_PATH)
    assert address.url == "wss://ws1.ap-southeast-1.maas.aliyuncs.com/api-ws/v1/inference"


async def test_no_connection_is_an_error(unused_tcp_port: int) -> None:
    with LocalDashScope(reply="ok") as server:
        model = live_model(server, model=STREAMING, max_retries=0)
    with pytest.raises(APIConnectionError, match="no connection"):
        await collect(model, two_sentences())
