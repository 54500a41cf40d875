"""Replies that are no answers, or odd ones: one outcome each, in every way to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio import errors
from langchain_qwen_audio.local import RawReply
from tests.unit_tests.faults import (
    HTML,
    LAST,
    REFUSAL,
    SOON,
    Fault,
    Outcome,
    answer,
    assert_outcome,
    body,
    broken,
    calls_in_turn,
    event,
    every_way,
    lasting,
    passing,
    payload,
    sse,
)

if TYPE_CHECKING:
    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.conftest import CallModel

# --- no answer --------------------------------------------------------------------------------

NOT_AN_ANSWER = passing(errors.APIError)
NO_CHOICES: dict[str, Any] = {
    "choices missing": {"output": {}},
    "choices empty": {"output": {"choices": []}},
    "choices null": {"output": {"choices": None}},
    "choices a string": {"output": {"choices": "ab"}},
    "choices of null": {"output": {"choices": [None]}},
    "no message": {"output": {"choices": [{"finish_reason": "stop"}]}},
    "message null": {"output": {"choices": [{"finish_reason": "stop", "message": None}]}},
    "output missing": {"request_id": "r-1"},
    "output null": {"output": None},
    "output a string": {"output": "ab"},
}
WITHOUT_ANSWER = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a number": b"1",
    "a string": b'"ab"',
    "an empty object": b"{}",
    "garbage": b"\x00\xff\xfe garbage",
    "truncated JSON in": body(payload("ab", "stop")).steps[0][:-7],  # type: ignore[index]
}
NO_ANSWERS = {
    **{
        f"{name}, in a body": Fault(body(said), whole=NOT_AN_ANSWER)
        for name, said in {**NO_CHOICES, **WITHOUT_ANSWER}.items()
    },
    "HTML with status 200": every_way(
        RawReply(200, {"content-type": "text/html", **SOON}, [HTML]), NOT_AN_ANSWER
    ),
    "200 with a code": every_way(body(REFUSAL), passing(errors.APIError, "it went wrong")),
    "200 with a lasting code": every_way(
        body({"code": "InvalidParameter", "message": "The audio is empty"}),
        lasting(errors.AudioError, "The audio is empty"),
    ),
    "200 with a code of the compatible mode": every_way(
        body({"error": {"code": "invalid_parameter_error", "message": "The audio is empty"}}),
        lasting(errors.AudioError, "The audio is empty"),
    ),
    "a code that is a number": every_way(
        body({"code": 1234, "message": "it went wrong"}), NOT_AN_ANSWER
    ),
    "a code that is a list": every_way(
        body({"code": ["a"], "message": "it went wrong"}), NOT_AN_ANSWER
    ),
    "a code without a message": every_way(
        body({"code": "InvalidParameter"}), lasting(errors.InvalidRequestError)
    ),
    "a code and a message that is an object": every_way(
        body({"code": "InvalidParameter", "message": {"a": 1}}),
        lasting(errors.InvalidRequestError),
    ),
    "a status whose code is a number": every_way(
        body({"code": 1234, "message": "it went wrong"}, 400),
        lasting(errors.InvalidRequestError, "it went wrong"),
    ),
    "a status whose code is a list": every_way(
        body({"code": ["a"], "message": "it went wrong"}, 400), NOT_AN_ANSWER
    ),
    "JSON where a stream was requested": Fault(
        body(payload("ab", "stop")),
        whole=answer("ab"),
        streamed=passing(errors.APIError, "a stream was requested"),
    ),
    "a stream where a whole answer was requested": Fault(
        sse(event("ab"), LAST), whole=NOT_AN_ANSWER, streamed=answer("ab")
    ),
}


@calls_in_turn(NO_ANSWERS)
def test_a_reply_without_an_answer_is_an_error(fault: Fault, way: CallModel) -> None:
    assert_outcome(fault, way, max_retries=1)


# --- odd answers ------------------------------------------------------------------------------

CONTENTS: dict[str, tuple[Any, str]] = {
    "null": (None, ""),
    "an empty list": ([], ""),
    "a string": ("ab", "ab"),
    "two texts": ([{"text": "a"}, {"text": "b"}], "ab"),
    "bare texts": (["a", {"text": "b"}], "ab"),
    "a text and null": ([{"text": "ab"}, None], "ab"),
    "a text and an unknown part": ([{"text": "ab"}, {"box": [1, 2]}], "ab"),
    "a text and a null text": ([{"text": "ab"}, {"text": None}], "ab"),
}
USAGES: dict[str, tuple[Any, Outcome]] = {
    "null": (None, answer("ab")),
    "empty": ({}, answer("ab")),
    "of nothing known": ({"seconds": 3}, answer("ab")),
    "of null details": ({"input_tokens": 1, "input_tokens_details": None}, answer("ab")),
    "of details that are a list": ({"input_tokens": 1, "input_tokens_details": [1]}, answer("ab")),
    "of details of strings": (
        {"input_tokens": 1, "input_tokens_details": {"audio_tokens": "many"}},
        answer("ab"),
    ),
    # What cannot be counted is not, and the answer that was paid for is kept.
    "of strings": ({"input_tokens": "many", "output_tokens": "few"}, answer("ab")),
    "of nulls": ({"input_tokens": None, "output_tokens": None}, answer("ab")),
    # Such a reply is no reply at all, neither here nor to the SDK.
    "a string": ("many", NOT_AN_ANSWER),
    "a list": ([1], NOT_AN_ANSWER),
}


def either(content: Any, finish: Any = "stop", **rest: Any) -> Any:
    """Reply with a body or with a stream, as requested."""

    def reply(request: ReceivedRequest) -> RawReply:
        if "x-dashscope-sse" in request.headers:
            return sse(event(content, **rest), event([], finish, **rest))
        return body(payload(content, finish, **rest))

    return reply


ODD = {
    **{
        f"content {name}": every_way(either(content), answer(text))
        for name, (content, text) in CONTENTS.items()
    },
    **{
        f"usage {name}": every_way(either("ab", usage=usage), outcome)
        for name, (usage, outcome) in USAGES.items()
    },
    "finish reason a list": Fault(
        either("", ["stop"]), whole=NOT_AN_ANSWER, streamed=broken(errors.APIError, "")
    ),
}


@calls_in_turn(ODD)
def test_an_odd_answer_is_read_as_far_as_it_can_be(fault: Fault, way: CallModel) -> None:
    assert_outcome(fault, way, max_retries=1)
