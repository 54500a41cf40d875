"""The events of the service → typed events: what depends on the events before."""

from __future__ import annotations

import itertools
from typing import Any

import pybase64

from langchain_qwen_audio._live.conversation import SessionMessages
from langchain_qwen_audio._live.omni import OmniReader
from langchain_qwen_audio._response.messages import Origin
from langchain_qwen_audio.live import (
    AudioDelta,
    ErrorReported,
    InputTranscriptDelta,
    ResponseFinished,
    ResponseStarted,
    TextDelta,
)
from tests.unit_tests.rows import each_row

TRANSCRIPTION = "conversation.item.input_audio_transcription"
BEGUN = {"type": "response.created", "response": {"id": "r1"}}
CALL = {
    "type": "response.function_call_arguments.done",
    "response_id": "r1",
    "call_id": "c1",
    "name": "add",
    "arguments": "{}",
}


def make_reader() -> OmniReader:
    return OmniReader(Origin("m", region=None), SessionMessages(None))


def read(reader: OmniReader, *events: dict[str, Any]) -> list[Any]:
    return [yielded for event in events for yielded in reader.read(event)]


def refused(**error: Any) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": "no", **error}}


def done(status: str) -> dict[str, Any]:
    return {"type": "response.done", "response": {"id": "r1", "status": status}}


@each_row("cuts", [(1,), (3, 4), (1, 2, 5), (6,)])
def test_samples_that_are_cut_anywhere_are_whole_again(cuts: tuple[int, ...]) -> None:
    speech, reader = bytes(range(6)), make_reader()
    edges = [0, *cuts, len(speech)]
    deltas = [
        {"type": "response.audio.delta", "delta": pybase64.b64encode_as_string(speech[start:end])}
        for start, end in itertools.pairwise(edges)
    ]
    pieces = [it.pcm for it in read(reader, BEGUN, *deltas) if isinstance(it, AudioDelta)]
    assert b"".join(pieces) == speech
    assert all(len(piece) % 2 == 0 for piece in pieces)


def test_an_answer_may_have_the_id_of_the_one_before() -> None:
    reader = make_reader()
    delta = {"type": "response.text.delta", "response_id": "r1", "delta": "yes"}
    for _ in range(2):
        events = read(reader, BEGUN, delta, done("completed"), delta)  # the last one comes too late
        assert [type(it) for it in events] == [ResponseStarted, TextDelta, ResponseFinished]
        assert events[-1].message.content == "yes"
        assert not reader.awaits_answer


def test_an_interruption_that_came_too_late_is_no_error() -> None:
    reader = make_reader()
    read(reader, BEGUN)
    reader.expect_end("event_1")
    assert read(reader, done("completed"), refused(event_id="event_1"))[1:] == []
    (other,) = read(reader, refused(event_id="event_2"))
    assert isinstance(other, ErrorReported)


@each_row(
    "error, is_awaited",
    [
        ({"event_id": "event_1"}, False),
        ({"event_id": "event_2"}, True),
        ({"event_id": "event_2", "param": "response.create"}, True),
        ({"event_id": None, "param": "response.create"}, False),
        ({"param": "session.modalities"}, True),
        ({}, True),
    ],
)
def test_an_answer_is_awaited_until_its_own_request_is_refused(
    error: dict[str, Any], is_awaited: bool
) -> None:
    reader = make_reader()
    reader.expect_answer("event_1")
    read(reader, refused(**error))
    assert reader.awaits_answer is is_awaited


def test_a_second_request_that_is_refused_takes_back_no_other() -> None:
    reader = make_reader()
    reader.expect_answer("event_1")
    reader.expect_answer("event_2")
    read(reader, refused(event_id="event_2"))
    assert reader.awaits_answer
    read(reader, BEGUN, done("completed"))
    assert not reader.awaits_answer


def test_calls_of_an_answer_that_was_cut_off_are_not_run() -> None:
    *_, whole = read(make_reader(), BEGUN, CALL, done("completed"))
    *_, cut = read(make_reader(), BEGUN, CALL, done("cancelled"))
    assert isinstance(whole, ResponseFinished)
    assert [call["name"] for call in whole.message.tool_calls] == ["add"]
    assert cut.message.tool_calls == []
    assert cut.message.response_metadata["finish_reason"] == "cancelled"


def test_nothing_is_held_of_turns_that_are_transcribed() -> None:
    reader, place = make_reader(), {"item_id": "i1"}
    drafts = [{"type": f"{TRANSCRIPTION}.delta", "text": text, **place} for text in ("a", "ab")]
    deltas = read(reader, {"type": "input_audio_buffer.committed", **place}, *drafts)
    assert deltas == [InputTranscriptDelta("a", "i1"), InputTranscriptDelta("b", "i1")]
    assert reader.awaits_transcript
    read(reader, {"type": f"{TRANSCRIPTION}.completed", "transcript": "ab", **place})
    assert not reader.awaits_transcript
    assert reader._sure == {}
