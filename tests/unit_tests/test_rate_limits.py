"""The rate limiter of a model follows from the table of models."""

from __future__ import annotations

import pytest

from langchain_qwen_audio import ChatQwenAudio, rate_limiter_for
from langchain_qwen_audio._models.profiles import PROFILES
from tests.unit_tests.models import ASR, OMNI_3_5, OMNI_3_8

# https://help.aliyun.com/zh/model-studio/rate-limit
DOCUMENTED: dict[str, tuple[int, int | None]] = {
    OMNI_3_8: (30_000, None),
    OMNI_3_5: (60, 100_000),
    "qwen3.5-omni-plus": (60, 100_000),
    "qwen3-omni-flash": (60, 100_000),
    "qwen-omni-turbo": (60, 100_000),
    "qwen3-omni-30b-a3b-captioner": (60, 100_000),
    "qwen-audio-turbo": (120, 100_000),
    "qwen-audio-turbo-latest": (60, None),
    ASR: (100, None),
}


@pytest.mark.parametrize(("model", "limits"), DOCUMENTED.items())
def test_a_limiter_spreads_the_documented_requests_over_the_minute(
    model: str, limits: tuple[int, int | None]
) -> None:
    profile = PROFILES[model]
    assert (profile.requests_per_minute, profile.tokens_per_minute) == limits
    limiter = rate_limiter_for(model)
    assert limiter.requests_per_second * 60 == pytest.approx(limits[0])
    assert limiter.max_bucket_size == max(1, limits[0] / 60)


def test_a_model_takes_it() -> None:
    limiter = rate_limiter_for(OMNI_3_8)
    model = ChatQwenAudio(model=OMNI_3_8, api_key="local", rate_limiter=limiter)
    assert model.rate_limiter is limiter


@pytest.mark.parametrize("model", ["my-model", "qwen-audio-chat"])
def test_a_limit_that_is_not_known_is_an_error(model: str) -> None:
    with pytest.raises(ValueError, match=f"requests per minute of '{model}' are not known"):
        rate_limiter_for(model)
