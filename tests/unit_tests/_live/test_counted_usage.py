"""What a live transcription counts of its usage, and what it says is not counted."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio._live.counted_usage import CountedUsage
from langchain_qwen_audio.costs import Cost
from langchain_qwen_audio.local import LiveReply, LocalDashScope
from tests.unit_tests.rows import each_row

from .conversations import live_model, silence, tone, two_sentences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

TOKENS = {"duration": 3, "input_tokens": 28, "output_tokens": 3, "total_tokens": 31}
NULLS = dict.fromkeys(TOKENS)
STREAMING = "qwen-audio-3.1-asr-flash-streaming"
FUN_ASR = "fun-asr-realtime"


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok") as server:
        yield server


@each_row(
    "said, tokens, seconds, uncounted",
    [
        ([], None, None, 0),
        (["sentence"], None, None, 1),
        (["sentence", {"duration": 2}], None, 2, 0),
        (["sentence", TOKENS], (28, 3), 3, 0),
        (["sentence", TOKENS, "sentence"], (28, 3), None, 1),
        (["sentence", "sentence", TOKENS], (28, 3), 3, 0),
        (["sentence", TOKENS, NULLS], (28, 3), 3, 0),
        (["sentence", TOKENS, {}], (28, 3), 3, 0),
        (["sentence", NULLS], None, None, 1),
        (["sentence", {"duration": None}], None, None, 1),
        (["sentence", {"duration": 3, "input_tokens": 28}], None, 3, 0),
        (["sentence", {"duration": 3, "input_tokens": 28, "output_tokens": None}], None, 3, 0),
        (["sentence", {**TOKENS, "input_tokens": "28"}], None, 3, 0),
        (["sentence", {"input_tokens": 28, "output_tokens": 3}], (28, 3), None, 0),
    ],
)
def test_a_count_that_did_not_come_is_not_0(
    said: list[Any], tokens: tuple[int, int] | None, seconds: float | None, uncounted: int
) -> None:
    usage = CountedUsage()
    for it in said:
        if it == "sentence":
            usage.add_sentence()
        else:
            usage.add_usage(it)
    found = usage.tokens
    assert (found and (found["input_tokens"], found["output_tokens"])) == tokens
    assert usage.seconds == seconds
    assert usage.uncounted == uncounted
    assert bool(usage.gaps) == bool(uncounted)


def sentence(number: int, usage: dict[str, Any] | None) -> LiveReply:
    known = {"sentence_id": number, "text": "Hello", "sentence_end": True, "words": []}
    payload = {"output": {"sentence": known}, "usage": usage}
    return LiveReply([{"header": {"event": "result-generated"}, "payload": payload}])


async def test_a_sentence_whose_seconds_are_not_said_makes_the_cost_unknown(
    server: LocalDashScope,
) -> None:
    server.script(sentence(1, {"duration": 1}), sentence(2, None))
    llm = live_model(server, model=FUN_ASR)
    transcription = llm.transcribe_live(two_sentences(), silence_ms=400)
    assert [it.text async for it in transcription] == ["Hello", "Hello"]
    assert transcription.billed_s is None
    assert transcription.uncounted == 1
    assert transcription.gaps == ("the usage of 1 sentence is not known",)
    assert Cost.of(transcription, region="cn-beijing").amount is None


async def test_a_sentence_whose_tokens_are_not_said_makes_the_cost_more_than_is_known(
    server: LocalDashScope,
) -> None:
    spoken = asyncio.Event()

    async def speak() -> AsyncIterator[bytes]:
        for _ in range(2):
            yield tone(0.5) + silence(0.6)
            await spoken.wait()
            spoken.clear()

    server.script(sentence(1, TOKENS), sentence(2, None))
    transcription = live_model(server, model=STREAMING).transcribe_live(speak(), silence_ms=400)
    costs = []
    async for _ in transcription:
        costs.append(Cost.of(transcription, region="cn-beijing"))
        spoken.set()
    known = costs[0].amount
    assert known == Decimal("0.0001815")
    assert (costs[1].at_least, costs[1].amount) == (known, None)
    assert costs[1].unknown == ("the usage of 1 sentence is not known",)
    last = Cost.of(transcription, region="cn-beijing")  # the end of the task says it of all
    assert last.amount is not None
    assert transcription.uncounted == 0


async def test_a_model_of_sessions_has_sentences_without_usage(server: LocalDashScope) -> None:
    transcription = live_model(server, model="qwen3-asr-flash-realtime").transcribe_live(
        two_sentences()
    )
    assert [it.text async for it in transcription if it.is_final] == ["ok", "ok"]
    assert transcription.gaps == ("the usage of 2 sentences is not known",)
