"""Every row of the price list, by what made-up usage costs."""

from __future__ import annotations

from decimal import Decimal

from langchain_core.messages.ai import UsageMetadata

from langchain_qwen_audio import Cost
from langchain_qwen_audio._models.prices import PRICES, TokenPrices
from langchain_qwen_audio._models.profiles import PROFILES
from tests.unit_tests.models import ASR, CAPTIONER, OMNI_3, OMNI_3_5, OMNI_3_8, TURBO
from tests.unit_tests.priced_usage import (
    ASR_3_1,
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

# A million tokens of each kind, so that the amounts are sums of the page's own numbers.
BY_TOKEN: list[tuple[str, str, UsageMetadata, str]] = [
    (OMNI_3_8, BEIJING, TEXT, "3.5"),
    (OMNI_3_8, BEIJING, MIXED, "5.9"),
    (OMNI_3_8, SINGAPORE, MIXED, "7.803"),
    *(
        (OMNI_3_8, region, MIXED, "5.9")
        for region in ("cn-hongkong", "ap-northeast-1", "eu-central-1", "us-east-1")
    ),
    (PLUS, BEIJING, MIXED, "114"),
    (PLUS, SINGAPORE, MIXED, "176.11"),
    (PLUS, BEIJING, SPOKEN, "273"),
    (PLUS, SINGAPORE, SPOKEN, "422.67"),
    (OMNI_3_5, BEIJING, MIXED, "37.9"),
    (OMNI_3_5, SINGAPORE, MIXED, "47.97"),
    (OMNI_3_5, BEIJING, SPOKEN, "92.2"),
    (OMNI_3_5, SINGAPORE, SPOKEN, "114.66"),
    (OMNI_3, BEIJING, TEXT, "8.7"),
    (OMNI_3, SINGAPORE, TEXT, "15.339"),
    (OMNI_3, BEIJING, MIXED, "36.9"),
    (OMNI_3, SINGAPORE, MIXED, "65.026"),
    (OMNI_3, BEIJING, SPOKEN, "80.2"),
    (OMNI_3, SINGAPORE, SPOKEN, "142.014"),
    ("qwen3-omni-flash-2025-12-01", BEIJING, MIXED, "36.9"),
    ("qwen3-omni-flash-2025-12-01", SINGAPORE, MIXED, "65.026"),
    (TURBO, BEIJING, TEXT, "2"),
    (TURBO, SINGAPORE, TEXT, "2.496"),
    (TURBO, BEIJING, MIXED, "32.9"),
    (TURBO, SINGAPORE, MIXED, "40.806"),
    (TURBO, BEIJING, SPOKEN, "75.4"),
    (TURBO, SINGAPORE, SPOKEN, "98.346"),
    ("qwen2.5-omni-7b", BEIJING, TEXT, "3"),
    ("qwen2.5-omni-7b", SINGAPORE, TEXT, "3.67"),
    ("qwen2.5-omni-7b", BEIJING, MIXED, "48.6"),
    ("qwen2.5-omni-7b", SINGAPORE, MIXED, "60.622"),
    ("qwen2.5-omni-7b", BEIJING, SPOKEN, "114.6"),
    ("qwen2.5-omni-7b", SINGAPORE, SPOKEN, "149.5"),
    (CAPTIONER, BEIJING, AUDIO, "28.5"),
    (CAPTIONER, SINGAPORE, AUDIO, "50.42"),
    ("qwen3-livetranslate-flash", BEIJING, used({"audio": M, "video": M}, {"audio": M}), "54"),
    ("qwen3-livetranslate-flash", SINGAPORE, AUDIO, "23.146"),
    (ASR_3_1, BEIJING, AUDIO, "3.5"),
    (ASR_3_1, SINGAPORE, AUDIO, "4.521"),
    ("qwen-audio-3.1-asr-flash-filetrans", BEIJING, AUDIO, "3.5"),
    ("qwen-audio-3.1-asr-flash-filetrans", SINGAPORE, AUDIO, "4.521"),
    ("qwen-audio-3.1-asr-flash-streaming", BEIJING, AUDIO, "10.5"),
    ("qwen-audio-3.1-asr-flash-streaming", SINGAPORE, AUDIO, "11.885"),
    ("qwen-audio-3.1-asr-flash-message", BEIJING, AUDIO, "10.5"),
    ("qwen-audio-3.1-asr-flash-message", SINGAPORE, AUDIO, "11.885"),
    ("qwen3.8-omni-flash-realtime", BEIJING, SPOKEN, "24"),  # its text is billed, too
    ("qwen3.8-omni-flash-realtime", SINGAPORE, SPOKEN, "27.198"),
    ("qwen3.5-omni-plus-realtime", BEIJING, SPOKEN, "390"),
    ("qwen3.5-omni-plus-realtime", SINGAPORE, SPOKEN, "604.03"),
    ("qwen3.5-omni-flash-realtime", BEIJING, SPOKEN, "137.3"),
    ("qwen3.5-omni-flash-realtime", SINGAPORE, SPOKEN, "170.49"),
    ("qwen3-omni-flash-realtime", BEIJING, TEXT, "10.5"),
    ("qwen3-omni-flash-realtime", SINGAPORE, TEXT, "18.421"),
    ("qwen3-omni-flash-realtime", BEIJING, MIXED, "44.1"),
    ("qwen3-omni-flash-realtime", SINGAPORE, SPOKEN, "170.416"),
    ("qwen-audio-3.1-realtime-plus", BEIJING, SPOKEN, "195"),
    ("qwen-audio-3.1-realtime-plus", SINGAPORE, SPOKEN, "233.819"),
    ("qwen-audio-3.0-realtime-plus", BEIJING, TEXT, "45"),
    ("qwen-audio-3.0-realtime-plus", SINGAPORE, SPOKEN, "233.819"),
    ("qwen-audio-3.0-realtime-flash", BEIJING, SPOKEN, "19.5"),
    ("qwen-audio-3.0-realtime-flash", SINGAPORE, SPOKEN, "22.094"),
    # rules
    (OMNI_3_8, BEIJING, used({"audio": M}, {"text": M, "reasoning": M}), "6.2"),  # thoughts
    (OMNI_3, BEIJING, used({"image": M}, {"text": M}), "16"),  # an image is more than text, too
]
HOUR: list[tuple[str, str, str]] = [
    (ASR, BEIJING, "0.792"),
    (ASR, SINGAPORE, "0.936"),
    (ASR, "us-east-1", "0.936"),
    ("qwen3-asr-flash-2025-09-08", BEIJING, "0.792"),
    ("qwen3-asr-flash-2025-09-08", SINGAPORE, "0.936"),
    ("qwen3-asr-flash-2025-09-08", "us-east-1", "0.936"),
    ("qwen3-asr-flash-us", "us-east-1", "0.936"),
    ("qwen3-asr-flash-2025-09-08-us", "us-east-1", "0.936"),
    *(
        (name, region, amount)
        for name in (
            "qwen3-asr-flash-filetrans",
            "fun-asr",
            "fun-asr-flash-2026-06-15",
            "qwen-audio-3.0-asr-flash",
            "qwen-audio-3.0-asr-flash-filetrans",
        )
        for region, amount in ((BEIJING, "0.792"), (SINGAPORE, "0.936"))
    ),
    *(
        (name, region, amount)
        for name in (
            "qwen3-asr-flash-realtime",
            "fun-asr-realtime",
            "qwen-audio-3.0-asr-flash-streaming",
        )
        for region, amount in ((BEIJING, "1.188"), (SINGAPORE, "2.376"))
    ),
    *(
        (name, BEIJING, "0.288")
        for name in ("paraformer-v2", "paraformer-8k-v2", "paraformer-mtl-v1")
    ),
    ("paraformer-realtime-v2", BEIJING, "0.864"),
    ("paraformer-realtime-8k-v2", BEIJING, "0.864"),
]


def test_tokens_cost_what_the_list_says() -> None:
    costs = [Cost.of(usage, model=model, region=region) for model, region, usage, _ in BY_TOKEN]
    found = [(*row[:3], cost.amount) for row, cost in zip(BY_TOKEN, costs, strict=True)]
    assert found == [(*row[:3], Decimal(row[3])) for row in BY_TOKEN]
    assert {cost.currency for cost in costs} == {"CNY"}


def test_all_that_comes_in_is_audio_where_audio_alone_has_a_price() -> None:
    usage = UsageMetadata(input_tokens=1_000_000, output_tokens=1_000_000, total_tokens=2_000_000)
    assert Cost.of(usage, model=ASR_3_1, region=BEIJING).amount == Decimal("3.5")


def test_an_hour_of_speech_costs_what_the_list_says() -> None:
    found = {
        (model, region): Cost.of(answer(model, region, seconds=3600)).amount
        for model, region, _ in HOUR
    }
    assert found == {(model, region): Decimal(amount) for model, region, amount in HOUR}


def test_no_row_of_the_list_is_untried() -> None:
    tried = {(model, region) for model, region, *_ in [*BY_TOKEN, *HOUR]}
    assert tried == {(model, region) for model, regions in PRICES.items() for region in regions}


def test_prices_are_of_regions_where_the_model_is_offered() -> None:
    for model in PRICES.keys() & PROFILES.keys():
        assert PRICES[model].keys() <= set(PROFILES[model].regions), model


def test_batches_are_half_the_price_where_that_is_documented() -> None:
    factors = {
        (model, region): prices.batch_factor
        for model, regions in PRICES.items()
        for region, prices in regions.items()
        if isinstance(prices, TokenPrices) and prices.batch_factor is not None
    }
    models = [(PLUS, BEIJING), (OMNI_3_5, BEIJING), (TURBO, BEIJING)]
    assert factors == dict.fromkeys(models, Decimal("0.5"))
