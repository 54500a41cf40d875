"""The pure half: replies → bytes."""

import json
from typing import Any

import pytest

from langchain_qwen_audio.local import RawReply, Reply, error_reply, sse_event, stream_error_reply
from langchain_qwen_audio.local._tokens import split_tokens
from langchain_qwen_audio.local._wire import encode_reply

USAGE = {"input_tokens": 33, "audio_tokens": 85}


def payloads_of(reply: RawReply) -> list[dict[str, Any]]:
    events = [step for step in reply.steps if isinstance(step, bytes)]
    return [json.loads(event.split(b"\ndata:")[1]) for event in events]


def contents_of(reply: RawReply) -> list[list[dict[str, str]]]:
    return [payload["output"]["choices"][0]["message"]["content"] for payload in payloads_of(reply)]


def test_event_has_no_blank_after_a_colon() -> None:
    expected = 'id:3\nevent:result\n:HTTP_STATUS/200\ndata:{"a":"这段"}\n\n'
    assert sse_event({"a": "这段"}, 3) == expected.encode()


def test_event_carries_a_broken_payload_as_it_is() -> None:
    assert sse_event('{"output":{"cho', 1).endswith(b'\ndata:{"output":{"cho\n\n')


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        ("One two", ["One", " two"]),
        ("it's 3.5\n", ["it", "'", "s", " 3", ".", "5", "\n"]),
        ("这段音频 ok", ["这", "段", "音", "频", " ok"]),
    ],
)
def test_tokens_join_to_the_text(text: str, tokens: list[str]) -> None:
    assert split_tokens(text) == tokens
    assert "".join(tokens) == text


def test_incremental_chunks_hold_what_is_new() -> None:
    reply = Reply(fragments=("ha", "ha", "", "!"))
    chunks = contents_of(encode_reply(reply, USAGE, stream=True, incremental=True))
    assert chunks == [[{"text": "ha"}], [{"text": "ha"}], [], [{"text": "!"}], []]


def test_cumulative_chunks_hold_all_so_far() -> None:
    reply = Reply(fragments=("ha", "ha", "", "!"))
    chunks = contents_of(encode_reply(reply, USAGE, stream=True, incremental=False))
    texts = [chunk[0]["text"] for chunk in chunks]
    assert texts == ["ha", "haha", "haha", "haha!", "haha!"]


def test_output_tokens_accumulate_and_repeat() -> None:
    reply = Reply(fragments=("one two", "", "three"), request_id="r")
    chunks = payloads_of(encode_reply(reply, USAGE, stream=True, incremental=True))
    assert [chunk["usage"] for chunk in chunks] == [
        {**USAGE, "output_tokens": count} for count in (2, 2, 3, 3)
    ]
    assert {chunk["request_id"] for chunk in chunks} == {"r"}


def test_only_the_last_chunk_finishes() -> None:
    reply = Reply("a b", finish_reason="length")
    chunks = payloads_of(encode_reply(reply, USAGE, stream=True, incremental=True))
    reasons = [chunk["output"]["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons == ["null", "null", "length"]


def test_usage_can_be_replaced() -> None:
    reply = Reply("a", usage={"seconds": 1})
    chunks = payloads_of(encode_reply(reply, USAGE, stream=True, incremental=True))
    assert [chunk["usage"] for chunk in chunks] == [{"seconds": 1}, {"seconds": 1}]


def test_delay_comes_before_the_first_chunk_and_pauses_between() -> None:
    reply = Reply(fragments=("a", "b"), delay_s=5, pause_s=2)
    steps = encode_reply(reply, USAGE, stream=True, incremental=True).steps
    assert [step if isinstance(step, float | int) else "event" for step in steps] == [
        5,
        "event",
        2,
        "event",
        2,
        "event",
    ]


def test_annotations_are_part_of_the_message() -> None:
    annotations = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]
    reply = encode_reply(Reply("a", annotations=annotations), {}, stream=False, incremental=False)
    (body,) = reply.steps
    assert isinstance(body, bytes)
    assert json.loads(body)["output"]["choices"][0]["message"] == {
        "role": "assistant",
        "content": [{"text": "a"}],
        "annotations": annotations,
    }


def test_a_reply_says_one_thing() -> None:
    with pytest.raises(ValueError, match="either text or fragments"):
        Reply("a", fragments=("b",))


def test_error_reply_is_a_native_body() -> None:
    reply = error_reply(429, "Throttling", "Slow down.", headers={"retry-after": "1"})
    (body,) = reply.steps
    assert isinstance(body, bytes)
    error = json.loads(body)
    assert reply.status == 429
    assert reply.headers["retry-after"] == "1"
    assert error == {
        "code": "Throttling",
        "message": "Slow down.",
        "request_id": reply.headers["x-request-id"],
    }


def test_stream_error_follows_the_fragments() -> None:
    reply = stream_error_reply(["a", "b"], "DataInspectionFailed", "No.")
    *_, failure = reply.steps
    assert contents_of(RawReply(steps=reply.steps[:-1])) == [[{"text": "a"}], [{"text": "b"}]]
    assert isinstance(failure, bytes)
    assert failure.startswith(b"id:3\nevent:error\n:HTTP_STATUS/400\ndata:")
    assert payloads_of(reply)[-1]["code"] == "DataInspectionFailed"
    assert len({payload["request_id"] for payload in payloads_of(reply)}) == 1
