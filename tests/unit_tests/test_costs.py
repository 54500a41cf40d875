"""What calls cost: rules, what stays unknown, sums, and estimates."""

from __future__ import annotations

import json
import pickle
import threading
from contextlib import closing
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langsmith import Client, traceable, tracing_context
from langsmith.run_helpers import get_current_run_tree

from langchain_qwen_audio import Cost, QwenAudioLoader, costs
from langchain_qwen_audio.costs import Prices, SecondPrice, TokenPrices
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.calling_modes import ainvoke, invoke
from tests.unit_tests.loading import asynchronous, sync
from tests.unit_tests.models import (
    ASR,
    BLOCK,
    CAPTIONER,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    QWEN_AUDIO,
    RECOGNITION,
    SPEECH,
    model_at,
    user,
)
from tests.unit_tests.priced_usage import (
    AUDIO,
    BEIJING,
    MIXED,
    PLUS,
    SINGAPORE,
    SPOKEN,
    TEXT,
    M,
    answer,
    used,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit_tests.calling_modes import CallModel


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


def test_what_was_cached_costs_less() -> None:
    usage = used({"text": 10, "audio": 90, "cache_read": 0}, {"text": 0})
    usage["input_token_details"]["cache_read"] = 40
    cost = Cost.of(usage, model=OMNI_3_8, region=BEIJING)
    assert cost.breakdown == {
        "audio_in": 60 * Decimal("0.8") / M,
        "cached_in": 40 * Decimal("0.1") / M,
    }


def test_a_cost_says_what_it_is_of() -> None:
    usage = used({"text": 20, "audio": 1_000}, {"text": 100})
    cost = Cost.of(usage, model=OMNI_3_5, region=BEIJING)
    assert str(cost) == "0.019374 CNY (text in 0.000044, audio in 0.018, text out 0.00133)"
    assert str(Cost()) == "0 CNY"
    tiny = Cost({"audio_in": Decimal("0.0000001")})
    assert str(tiny) == "less than 0.000001 CNY (audio in less than 0.000001)"
    assert pickle.loads(pickle.dumps(cost)) == cost  # noqa: S301


CACHED = used({"text": 5, "audio": 7}, {"text": 1})
CACHED["input_token_details"]["cache_read"] = 3
BARE = UsageMetadata(input_tokens=9, output_tokens=2, total_tokens=11)
LESS_THAN_ITS_AUDIO = {**BARE, "input_token_details": {"audio": 100}}
LESS_THAN_ITS_CACHE = {**BARE, "input_token_details": {"cache_read": 100}}
BELOW_ZERO = {**BARE, "output_tokens": -2}
UNKNOWN: list[tuple[Any, dict[str, Any], str]] = [
    (answer(QWEN_AUDIO), {}, "no price of qwen-audio-turbo"),
    (answer("qwen3.5-omni-plus-2026-03-15"), {}, "no price of qwen3.5-omni-plus-2026-03-15"),
    (answer(PLUS, "cn-hongkong"), {}, "in cn-hongkong, but in cn-beijing, ap-southeast-1"),
    (answer(PLUS, None), {}, "pass region="),
    (AUDIO, {"region": BEIJING}, "pass model="),
    (answer(PLUS), {}, "how many tokens it used"),
    (answer(ASR), {}, "how many seconds are billed"),
    (AUDIO, {"model": ASR, "region": BEIJING}, "how many seconds are billed"),
    (BARE, {"model": PLUS, "region": BEIJING}, "how many tokens of the input are audio"),
    (BARE, {"model": OMNI_3, "region": BEIJING}, "the price of text out depends on"),
    (CACHED, {"model": OMNI_3_5, "region": BEIJING}, "which kind of input was cached"),
    (SPOKEN, {"model": OMNI_3_8, "region": BEIJING}, "no price of 1000000 tokens of audio out"),
    (MIXED, {"model": CAPTIONER, "region": BEIJING}, "no price of 1000000 tokens of text in"),
    (None, {"model": OMNI_3_5, "region": BEIJING}, "how many tokens it used"),
    ({}, {"model": OMNI_3_5, "region": BEIJING}, "how many tokens it used"),
    (LESS_THAN_ITS_AUDIO, {"model": OMNI_3_5, "region": BEIJING}, "input contradict each other"),
    (LESS_THAN_ITS_CACHE, {"model": OMNI_3_8, "region": BEIJING}, "input contradict each other"),
    (BELOW_ZERO, {"model": OMNI_3_8, "region": BEIJING}, "output is below 0"),
]


def test_what_is_not_known_is_not_guessed() -> None:
    for given, options, why in UNKNOWN:
        cost = Cost.of(given, **options)
        assert cost.amount is None, given
        assert why in "; ".join(cost.unknown), given
        assert why in str(cost), given


@pytest.mark.parametrize("used", ["a", 3, HumanMessage("a")])
def test_what_has_no_cost_is_said(used: Any) -> None:
    with pytest.raises(TypeError, match=r"(str|int|HumanMessage) came; expected an answer"):
        Cost.of(used, model=OMNI_3_5, region=BEIJING)


def test_what_is_known_of_an_unknown_amount_is_said() -> None:
    usage = used({"text": 8, "audio": 152}, {"text": 399})
    cost = Cost.of(usage, model=CAPTIONER, region=BEIJING)
    assert cost.at_least == (152 * Decimal("15.8") + 399 * Decimal("12.7")) / M
    assert str(cost) == "at least 0.007469 CNY (there is no price of 8 tokens of text in)"


def test_where_all_input_costs_the_same_its_kinds_need_not_be_known() -> None:
    assert Cost.of(BARE, model=OMNI_3_8, region=BEIJING).amount == Decimal("12.6") / M


@pytest.mark.parametrize(
    ("prices", "breakdown"),
    [
        (
            TokenPrices(audio_in=Decimal(2), mixed_text_out=Decimal(3), currency="USD"),
            {"audio_in": Decimal(2), "text_out": Decimal(3)},
        ),
        (SecondPrice(second=Decimal("0.01"), currency="USD"), {"audio_in": Decimal("0.1")}),
    ],
)
def test_your_own_prices_stand_above_the_list(
    prices: Prices, breakdown: dict[str, Decimal]
) -> None:
    message = answer("my-model", None, seconds=10)
    message.usage_metadata = AUDIO
    assert Cost.of(message, prices=prices) == Cost(breakdown, (), "USD")  # type: ignore[arg-type]


def test_a_region_that_is_given_stands_above_that_of_the_answer() -> None:
    message = answer(ASR, BEIJING, seconds=100)
    assert Cost.of(message, region=SINGAPORE).amount == Decimal("0.026")
    assert Cost.of(message, model="qwen3-asr-flash-realtime").amount == Decimal("0.033")


# --- sums -----------------------------------------------------------------------------------------


def test_costs_add_up() -> None:
    costs = [Cost.of(it, model=OMNI_3, region=BEIJING) for it in (TEXT, MIXED)]
    assert sum(costs) == costs[0] + costs[1] == sum(costs, Cost())
    assert (costs[0] + costs[1]).amount == Decimal("45.6")
    both = add_usage(TEXT, MIXED)
    assert Cost.of(both, model=OMNI_3, region=BEIJING).amount != Decimal("45.6")


def test_a_sum_with_something_unknown_is_unknown_and_says_it_once() -> None:
    known, unknown = Cost({"audio_in": Decimal(1)}), Cost(unknown=("why",))
    total = known + unknown + unknown
    assert total.amount is None
    assert (total.at_least, total.unknown) == (Decimal(1), ("why",))


def test_currencies_do_not_add_up() -> None:
    dollars = Cost({"audio_in": Decimal(1)}, currency="USD")
    assert (Cost() + dollars).currency == (dollars + Cost()).currency == "USD"
    with pytest.raises(ValueError, match="in CNY and in USD came"):
        Cost({"audio_in": Decimal(1)}) + dollars
    with pytest.raises(TypeError):
        dollars + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        1 + dollars


# --- answers of a model ---------------------------------------------------------------------------

OMNI_USAGE = {
    "prompt_tokens": 90,
    "completion_tokens": 9,
    "total_tokens": 99,
    "prompt_tokens_details": {"audio_tokens": 70, "text_tokens": 20},
    "completion_tokens_details": {"text_tokens": 9},
}


@pytest.mark.parametrize(
    ("region", "amount"), [(BEIJING, "1423.7"), (SINGAPORE, "1782.01")], ids=["Beijing", "abroad"]
)
def test_an_answer_costs_what_its_region_bills(
    call_model: CallModel, server: LocalDashScope, region: str, amount: str
) -> None:
    server.script(Reply(fragments=("a", "b"), usage=OMNI_USAGE))
    message = call_model(model_at(server, OMNI_3_5, region=region), [user(BLOCK)])
    assert message.response_metadata["region"] == region
    assert Cost.of(message).amount == Decimal(amount) / M


def test_the_region_of_an_answer_behind_a_gateway_is_not_known(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply(fragments=("a",), usage=OMNI_USAGE))
    message = call_model(model_at(server, OMNI_3_5), [user(BLOCK)])
    assert "region" not in message.response_metadata
    assert "pass region=" in str(Cost.of(message))


def test_speech_that_is_not_counted_has_no_price(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply("a", audio=bytes(480), usage=OMNI_USAGE))
    message = call_model(model_at(server, OMNI_3_5, region=BEIJING, **SPEECH), [user(BLOCK)])
    assert Cost.of(message).unknown == ("the speech in the answer is not counted",)


def test_seconds_of_speech_recognition_are_billed(
    call_model: CallModel, server: LocalDashScope
) -> None:
    usage = {"output_tokens_details": {"text_tokens": 6}, "seconds": 4}
    server.script(Reply(fragments=("a",), usage=usage))
    message = call_model(model_at(server, ASR, region=SINGAPORE), [user(BLOCK)])
    assert Cost.of(message).breakdown == {"audio_in": Decimal("0.00104")}


@pytest.mark.parametrize("call_model", [invoke, ainvoke])
def test_an_answer_from_langchains_cache_costs_nothing(
    call_model: CallModel, server: LocalDashScope
) -> None:
    usage = {"output_tokens_details": {"text_tokens": 6}, "seconds": 4}
    server.script(Reply("a", usage=usage))
    model = model_at(server, ASR, region=BEIJING, cache=InMemoryCache())
    first, second = (Cost.of(call_model(model, [user(BLOCK)])) for _ in range(2))
    assert (first.amount, second.amount) == (Decimal("0.00088"), Decimal(0))
    again = call_model(model, [user(BLOCK)]).usage_metadata
    assert Cost.of(again, model=ASR, region=BEIJING).amount == 0


# --- loaders --------------------------------------------------------------------------------------


def loaded(path: Path, model: str, usage: dict[str, Any]) -> QwenAudioLoader:
    with LocalDashScope(reply=Reply("a", usage=usage)) as server:
        llm = model_at(server, model, region=BEIJING)
        loader = QwenAudioLoader(path, llm=llm, segment_s=2)
        sync(loader)
    return loader


def test_a_loaders_summary_has_the_cost_of_its_run(ten: Path) -> None:
    summary = loaded(ten, ASR, {"seconds": 2, "output_tokens_details": {}}).summary
    assert summary.billed_s == 10
    assert summary.cost.amount == Cost.of(summary).amount == Decimal("0.0022")
    assert Cost.of(summary, prices=SecondPrice(second=Decimal(1))).amount == 10


def test_a_loaders_summary_has_the_cost_of_tokens(ten: Path) -> None:
    assert loaded(ten, OMNI_3_5, OMNI_USAGE).summary.cost.amount == Decimal("7118.5") / M


TOKENS = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34, "duration": 2}
UNCOUNTED = {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}


@pytest.mark.parametrize(
    ("model", "usage", "amount"), [(RECOGNITION, TOKENS, "174"), (OMNI_3_8, UNCOUNTED, "49.5")]
)
def test_a_loader_needs_no_count_of_audio_where_all_input_costs_the_same(
    ten: Path, model: str, usage: dict[str, Any], amount: str
) -> None:
    assert loaded(ten, model, usage).summary.cost.amount == Decimal(amount) / M


def test_a_loaders_summary_says_what_its_answers_do_not_count(ten: Path) -> None:
    with LocalDashScope(reply=Reply("a", usage=OMNI_USAGE)) as server:
        llm = model_at(server, OMNI_3_8, region=BEIJING, enable_search=True)
        loader = QwenAudioLoader(ten, llm=llm, segment_s=2)
        asynchronous(loader)
    assert loader.summary.cost.at_least == Decimal("481.5") / M
    assert loader.summary.cost.unknown == (costs.SEARCHES,)


def test_a_loader_pays_once_for_what_langchains_cache_has(ten: Path) -> None:
    usage = {"seconds": 10, "output_tokens_details": {}}
    with LocalDashScope(reply=Reply("a", usage=usage)) as server:
        llm = model_at(server, ASR, region=BEIJING, cache=InMemoryCache())
        loaders = [QwenAudioLoader(ten, llm=llm) for _ in range(2)]
        for loader in loaders:
            asynchronous(loader)
    assert [it.summary.cost.amount for it in loaders] == [Decimal("0.0022"), 0]
    assert Cost.of(loaders[1].summary, model=OMNI_3_5).amount == 0


@pytest.mark.parametrize(
    ("model", "usage", "why"),
    [
        (ASR, {"output_tokens_details": {"text_tokens": 1}}, "how many seconds"),
        (OMNI_3_5, {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10}, "5 answers"),
        (RECOGNITION, {"duration": 2}, "an answer does not say how many tokens it used"),
    ],
)
def test_a_loaders_summary_without_counts_has_no_amount(
    ten: Path, model: str, usage: dict[str, Any], why: str
) -> None:
    cost = loaded(ten, model, usage).summary.cost
    assert cost.amount is None
    assert why in str(cost)


# --- estimates ------------------------------------------------------------------------------------

QUESTION = user(BLOCK, {"type": "text", "text": "What is said in this recording?"})


@pytest.mark.parametrize(
    ("region", "text", "audio"), [(BEIJING, "2.2", "18"), (SINGAPORE, "3", "22.48")]
)
def test_an_estimate_is_of_the_counted_tokens_of_the_input(
    server: LocalDashScope, region: str, text: str, audio: str
) -> None:
    model = model_at(server, OMNI_3_5, region=region)
    cost = model.estimate_cost([QUESTION])
    texts = model.get_num_tokens_from_messages([QUESTION]) - 7  # half a second counts as a whole
    assert cost.breakdown == {
        "text_in": texts * Decimal(text) / M,
        "audio_in": 7 * Decimal(audio) / M,
    }
    assert cost.amount is None
    assert cost.unknown == ("the output is not known before the call",)
    assert server.requests == []


def test_an_estimate_says_that_searches_are_not_in_it(server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_8, region=BEIJING, enable_search=True)
    assert costs.SEARCHES in model.estimate_cost("?").unknown


def test_an_estimate_of_speech_recognition_is_whole(server: LocalDashScope) -> None:
    cost = model_at(server, ASR, region=BEIJING).estimate_cost([user(BLOCK)])
    assert cost.amount == Decimal("0.00011")


def test_an_estimate_does_not_guess_how_many_tokens_a_second_has(server: LocalDashScope) -> None:
    cost = model_at(server, RECOGNITION, region=BEIJING).estimate_cost([user(BLOCK)])
    assert cost.at_least == 0
    assert "how many tokens this model counts" in cost.unknown[0]


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ({"type": "audio", "url": "https://example.org/a.wav"}, "at a URL is not known"),
        (
            {"type": "image", "url": "https://example.org/a.png"},
            "an image counts as the most tokens that it can be",
        ),
    ],
)
def test_an_estimate_says_what_it_does_not_know(
    server: LocalDashScope, block: dict[str, Any], why: str
) -> None:
    cost = model_at(server, OMNI_3_5, region=BEIJING).estimate_cost([user(block)])
    assert any(why in it for it in cost.unknown)


def test_an_estimate_without_prices_is_unknown_and_takes_yours(server: LocalDashScope) -> None:
    model = model_at(server, QWEN_AUDIO)
    assert "no price of" in str(model.estimate_cost("?"))
    prices = TokenPrices(text_in=Decimal(M), audio_in=Decimal(M))
    expected = model.get_num_tokens_from_messages([QUESTION])
    assert model.estimate_cost([QUESTION], prices=prices).at_least == expected


# --- traces -------------------------------------------------------------------------------------


class Traces(BaseHTTPRequestHandler):
    """What LangSmith's client sends, by the name of the run; the last state of each."""

    runs: dict[str, dict[str, Any]]

    def do_POST(self) -> None:
        run = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.runs[run["name"]] = run
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PATCH = do_POST  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def traces() -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """Serve the address for traces, and collect them."""
    runs: dict[str, dict[str, Any]] = {}
    handler = type("Handler", (Traces,), {"runs": runs})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", runs
        http.shutdown()
        thread.join()


def test_a_trace_can_have_the_cost_and_usage_stays_as_langchain_adds_it(
    server: LocalDashScope, traces: tuple[str, dict[str, dict[str, Any]]]
) -> None:
    server.script(Reply(fragments=("a",), usage=OMNI_USAGE))
    model = model_at(server, OMNI_3_5, region=BEIJING)
    address, runs = traces
    messages: list[AIMessage] = []

    @traceable
    def answer_question() -> str:
        message = model.invoke([QUESTION])
        run = get_current_run_tree()
        assert run is not None
        run.set(usage_metadata={"total_cost": float(Cost.of(message).amount or 0)})
        messages.append(message)
        return message.text  # from a message, LangSmith would take its own usage

    with (
        closing(Client(api_url=address, api_key="local", auto_batch_tracing=False)) as client,
        tracing_context(enabled=True, client=client),
    ):
        answer_question()
    (message,) = messages
    usages = {name: run["extra"]["metadata"]["usage_metadata"] for name, run in runs.items()}
    assert usages == {
        "answer_question": {"total_cost": 0.0014237},
        "ChatQwenAudio": message.usage_metadata,
    }
    assert add_usage(message.usage_metadata, message.usage_metadata)["total_tokens"] == 198
