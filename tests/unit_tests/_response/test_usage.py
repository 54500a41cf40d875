"""The usage that each family reports → LangChain's usage metadata."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._response.usage import billed_seconds, to_usage_metadata
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.models import (
    ASR,
    BLOCK,
    CAPTIONER,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    SPEECH,
    TURBO,
    model_at,
    user,
)
from tests.unit_tests.rows import each_row, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from tests.unit_tests.calling_modes import CallModel


def counted(text: int, audio: int | None, output: int, **details: Any) -> dict[str, Any]:
    total = text + (audio or 0)
    of_audio = {"input_token_details": {"audio": audio}} if audio is not None else {}
    return {
        "input_tokens": total,
        "output_tokens": output,
        "total_tokens": total + output,
        **of_audio,
        **details,
    }


def compatible_usage(
    inputs: dict[str, int], outputs: dict[str, int], prompt: int, completion: int
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": outputs,
    }


# Where a page has a sample, these are its numbers.
USAGE: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Qwen-Audio": (
        "qwen-audio-turbo",
        {},
        {"audio_tokens": 85, "output_tokens": 10, "input_tokens": 33},
        counted(33, 85, 10),
    ),
    "captioner": (
        CAPTIONER,
        {},
        {
            "input_tokens": 160,
            "output_tokens": 399,
            "total_tokens": 559,
            "input_tokens_details": {"audio_tokens": 152, "text_tokens": 8},
            "output_tokens_details": {"text_tokens": 399},
        },
        counted(8, 152, 399),
    ),
    "captioner, compatible": (
        CAPTIONER,
        {"protocol": "openai"},
        compatible_usage({"audio_tokens": 152, "text_tokens": 8}, {"text_tokens": 387}, 160, 387),
        counted(8, 152, 387),
    ),
    "speech recognition": (
        ASR,
        {},
        {
            "input_tokens_details": {"text_tokens": 0},
            "output_tokens_details": {"text_tokens": 6},
            "seconds": 1,
        },
        counted(0, None, 6),
    ),
    "speech recognition, compatible": (
        ASR,
        {"protocol": "openai"},
        {
            **compatible_usage({"audio_tokens": 42, "text_tokens": 0}, {"text_tokens": 12}, 42, 12),
            "seconds": 1,
        },
        counted(0, 42, 12),
    ),
    "Omni": (
        OMNI_3_5,
        {},
        compatible_usage({"audio_tokens": 70, "text_tokens": 20}, {"text_tokens": 9}, 90, 9),
        counted(20, 70, 9),
    ),
    "Omni, text alone": (
        TURBO,
        {},
        compatible_usage({"text_tokens": 207}, {"text_tokens": 9}, 207, 9),
        counted(207, 0, 9),
    ),
    "Omni, spoken": (
        OMNI_3,
        SPEECH,
        compatible_usage({"text_tokens": 207}, {"audio_tokens": 83, "text_tokens": 20}, 207, 103),
        counted(207, 0, 103, output_token_details={"audio": 83}),
    ),
    "Omni, thinking": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "text_tokens": 5},
            {"reasoning_tokens": 30, "text_tokens": 4},
            12,
            34,
        ),
        counted(5, 7, 34, output_token_details={"reasoning": 30}),
    ),
    "Omni, with an image": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "image_tokens": 300, "text_tokens": 5}, {"text_tokens": 4}, 312, 4
        ),
        {**counted(305, 7, 4), "input_token_details": {"audio": 7, "image": 300}},
    ),
    "Omni, from the cache": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "text_tokens": 5, "cached_tokens": 10}, {"text_tokens": 4}, 12, 4
        ),
        {**counted(5, 7, 4), "input_token_details": {"audio": 7, "cache_read": 10}},
    ),
    "Omni, without details": (
        OMNI_3_5,
        {},
        {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23},
        counted(20, None, 3),
    ),
}


@two_modes
@each_row("case", USAGE)
def test_the_usage_of_each_family_is_langchains(
    call_model: CallModel,
    server: LocalDashScope,
    case: tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    name, fields, reported, expected = case
    server.script(Reply(fragments=("a", "b"), usage=reported))
    answer = call_model(model_at(server, name, **fields), [user(BLOCK)])
    assert answer.usage_metadata == expected
    assert answer.response_metadata.get("seconds") == reported.get("seconds")


ODD_SECONDS = [None, True, "5", [5], -1, float("inf"), float("nan"), 10**400]


@each_row("seconds", ODD_SECONDS)
def test_seconds_that_nobody_can_bill_are_left_out(seconds: object) -> None:
    assert billed_seconds({"seconds": seconds}) is None
    assert billed_seconds({"duration": 1.5}) == 1.5


@each_row(
    "usage",
    [
        None,
        {},
        {"duration": 3},
        {"seconds": 3},
        {"input_tokens": None, "output_tokens": None, "total_tokens": None},
        {"duration": 3, "input_tokens": "28", "input_tokens_details": None},
    ],
)
def test_tokens_that_are_not_said_are_not_0(usage: dict[str, Any] | None) -> None:
    assert to_usage_metadata(usage) is None


@two_streams
def test_the_usage_of_a_stream_comes_once(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    name, _, reported, expected = USAGE["Omni"]
    server.script(Reply(fragments=("a", "b"), usage=reported))
    chunks = chunks_of(model_at(server, name), "?")
    assert [chunk.usage_metadata for chunk in chunks] == [None, None, expected]
