"""Events of each kind, with each field missing or of each wrong type, in each protocol."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage

from langchain_qwen_audio._live.conversation import SessionMessages
from langchain_qwen_audio._live.counted_usage import CountedUsage
from langchain_qwen_audio._live.omni import OmniReader
from langchain_qwen_audio._live.tasks import TaskTranscription
from langchain_qwen_audio._live.transcription import SessionTranscription
from langchain_qwen_audio._response.messages import Origin
from langchain_qwen_audio.errors import APIError, QwenAudioError
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._live.protocols import EventReader

TRANSCRIPTION = "conversation.item.input_audio_transcription"
ERROR = {"type": "server_error", "code": "c", "message": "m", "param": "p", "event_id": "e"}
REFUSED = {**ERROR, "type": "invalid_request_error"}
USAGE = {"input_tokens": 1, "output_tokens": 2, "input_tokens_details": {"audio_tokens": 1}}
TURN = {"item_id": "i1", "content_index": 0}
ANSWER = {"response_id": "r1", "item_id": "i2", "output_index": 0, "content_index": 0}
CALL = {"response_id": "r1", "call_id": "c1"}
DONE = {"id": "r1", "status": "completed", "output": [], "usage": USAGE}
FAILED = {"id": "r2", "status": "failed", "status_details": {"error": ERROR}}
WORD = {"begin_time": 0, "end_time": 500, "text": "Hello", "punctuation": "!"}
SENTENCE = {
    "sentence_id": 1,
    "begin_time": 0,
    "end_time": 500,
    "text": "Hello!",
    "heartbeat": False,
    "sentence_end": True,
    "emo_tag": "neutral",
    "words": [WORD],
}


def task_event(kind: str, payload: dict[str, Any], **header: Any) -> dict[str, Any]:
    return {"header": {"task_id": "t", "event": kind, **header}, "payload": payload}


EVENTS: dict[str, list[dict[str, Any]]] = {
    "omni": [
        {"type": "session.created", "session": {"id": "s1"}},
        {"type": "session.updated", "session": {"id": "s1"}},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, **TURN},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, "reason": "", **TURN},
        {"type": "input_audio_buffer.committed", "item_id": "i1"},
        {"type": "conversation.item.created", "item": {"id": "i1"}},
        {"type": f"{TRANSCRIPTION}.delta", "text": "He", "stash": "llo", **TURN},
        {"type": f"{TRANSCRIPTION}.completed", "transcript": "Hello", **TURN},
        {"type": f"{TRANSCRIPTION}.failed", "error": ERROR, **TURN},
        {"type": "voiceprint_audio_list.failed", "reason": "no file"},
        {"type": "error", "error": REFUSED},
        {"type": "response.created", "response": {"id": "r1", "status": "in_progress"}},
        {"type": "response.output_item.added", "item": {}, **ANSWER},
        {"type": "response.text.delta", "delta": "Hi", **ANSWER},
        {"type": "response.audio_transcript.delta", "delta": " you", **ANSWER},
        {"type": "response.audio.delta", "delta": "AAAA", **ANSWER},
        {"type": "response.function_call_arguments.delta", "delta": "{", **CALL},
        {"type": "response.function_call_arguments.done", "name": "f", "arguments": "{}", **CALL},
        {"type": "response.output_item.done", "item": {}, **ANSWER},
        {"type": "response.done", "response": DONE},
        {"type": "response.created", "response": {"id": "r2"}},
        {"type": "response.done", "response": FAILED},
        {"type": "session.finished"},
        {"type": "error", "error": ERROR},
    ],
    "session": [
        {"type": "session.created", "session": {"id": "s1"}},
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, **TURN},
        {"type": f"{TRANSCRIPTION}.text", "text": "He", "stash": "llo", "language": "en", **TURN},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **TURN},
        {"type": f"{TRANSCRIPTION}.completed", "transcript": "Hello", "emotion": "sad", **TURN},
        {"type": f"{TRANSCRIPTION}.failed", "error": ERROR, **TURN},
        {"type": "session.finished"},
        {"type": "error", "error": ERROR},
    ],
    "task": [
        task_event("task-started", {}),
        task_event("result-generated", {"output": {"sentence": SENTENCE}, "usage": USAGE}),
        task_event("task-finished", {"output": {}, "usage": USAGE}),
        task_event("task-failed", {}, error_code="InternalError", error_message="m"),
    ],
}


class Missing:
    """Stands for a field that is not there."""

    def __repr__(self) -> str:
        return "missing"


MISSING = Missing()
TYPES: tuple[Any, ...] = (
    "text",
    "",
    5,
    -1.5,
    10**400,
    math.nan,
    True,
    None,
    [],
    ["x"],
    [{}],
    {},
    {"x": 1},
    MISSING,
)
NO_TEXT = (5, 1.5, True, ["x"], {"x": 1})


def reader_of(protocol: str) -> EventReader[Any]:
    match protocol:
        case "omni":
            return OmniReader(Origin("m", region=None), SessionMessages(None))
        case "session":
            return SessionTranscription("m", {"sample_rate": 16_000}, CountedUsage())
    return TaskTranscription("m", {"sample_rate": 16_000}, CountedUsage())


def read(protocol: str, events: list[dict[str, Any]]) -> list[Any]:
    reader = reader_of(protocol)
    return [yielded for event in events for yielded in reader.read(event)]


def kind_of(event: dict[str, Any]) -> str:
    return str(event["type"] if "type" in event else event["header"]["event"])


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Find the way to each field, also to those inside of others."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield (*path, key)
        if isinstance(value[key], dict | list):
            yield from paths_in(value[key], (*path, key))


def changed(event: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    event = copy.deepcopy(event)
    *way, last = path
    inner: Any = event
    for key in way:
        inner = inner[key]
    if value is MISSING:
        del inner[last]
    else:
        inner[last] = value
    return event


EXPECTED: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "str | None": (str, type(None)),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "bool": bool,
    "bytes": bytes,
}


def assert_typed(yielded: Any) -> None:
    for field in dataclasses.fields(yielded):
        value = getattr(yielded, field.name)
        assert isinstance(value, EXPECTED.get(str(field.type), object)), (yielded, field.name)
    message = getattr(yielded, "message", None)
    if isinstance(message, AIMessage):
        assert isinstance(message.content, str)
        assert isinstance(message.id, str)
        for call in message.tool_calls:
            assert isinstance(call["id"], str)
            assert isinstance(call["name"], str)


KINDS = [(name, at) for name, events in EVENTS.items() for at in range(len(events))]


@each_row("protocol, at", KINDS)
def test_a_field_of_another_type_is_an_error_of_this_package_or_is_not_needed(
    protocol: str, at: int
) -> None:
    events = EVENTS[protocol]
    before, event, after = events[:at], events[at], events[at + 1 :]
    for path in paths_in(event):
        for value in TYPES:
            reader = reader_of(protocol)
            with contextlib.suppress(QwenAudioError):
                for it in (*before, changed(event, path, value), *after):
                    for yielded in reader.read(it):
                        assert_typed(yielded)


def place_of(protocol: str, kind: str, name: str) -> tuple[int, tuple[Any, ...]]:
    """Find the first event of a kind, and the way to its field of a name."""
    at = next(at for at, it in enumerate(EVENTS[protocol]) if kind_of(it) == kind)
    return at, next(path for path in paths_in(EVENTS[protocol][at]) if path[-1] == name)


# The field of each event that has a text, and what null in it is like.
TEXTS: list[tuple[str, str, str, Any]] = [
    ("omni", f"{TRANSCRIPTION}.delta", "text", ""),
    ("omni", f"{TRANSCRIPTION}.delta", "stash", MISSING),
    ("omni", f"{TRANSCRIPTION}.completed", "transcript", ""),
    ("omni", "voiceprint_audio_list.failed", "reason", ""),
    ("omni", "input_audio_buffer.speech_stopped", "reason", MISSING),
    ("omni", "response.text.delta", "delta", ""),
    ("omni", "response.audio_transcript.delta", "delta", ""),
    ("omni", "response.audio.delta", "delta", ""),
    ("omni", "response.text.delta", "response_id", MISSING),
    ("omni", "response.function_call_arguments.done", "arguments", ""),
    ("omni", "response.done", "status", MISSING),
    ("omni", "session.created", "id", MISSING),
    ("omni", "error", "event_id", MISSING),
    ("session", f"{TRANSCRIPTION}.text", "text", ""),
    ("session", f"{TRANSCRIPTION}.text", "stash", MISSING),
    ("session", f"{TRANSCRIPTION}.text", "language", MISSING),
    ("session", f"{TRANSCRIPTION}.completed", "transcript", ""),
    ("session", f"{TRANSCRIPTION}.completed", "emotion", MISSING),
    ("task", "result-generated", "text", ""),
    ("task", "result-generated", "emo_tag", MISSING),
    ("task", "result-generated", "punctuation", MISSING),
    ("task", "task-failed", "error_code", ""),
    ("task", "task-failed", "error_message", MISSING),
]


def told(protocol: str, events: list[dict[str, Any]]) -> str:
    """Say what events lead to, and the error that they end in."""
    reader = reader_of(protocol)
    yielded: list[Any] = []
    try:
        for event in events:
            yielded += reader.read(event)
    except QwenAudioError as error:
        return f"{yielded} {error!r}"
    return f"{yielded}"


@each_row("protocol, kind, name, like", TEXTS)
def test_a_text_that_is_null_is_empty_or_left_out(
    protocol: str, kind: str, name: str, like: Any
) -> None:
    at, path = place_of(protocol, kind, name)
    outcomes = []
    for value in (None, like):
        events = [*EVENTS[protocol]]
        events[at] = changed(events[at], path, value)
        outcomes.append(told(protocol, events))
    assert outcomes[0] == outcomes[1]
    assert "cannot be read" not in outcomes[0]


@each_row("protocol, kind, name", [it[:3] for it in TEXTS])
def test_a_text_of_another_type_is_an_error_that_says_what_came(
    protocol: str, kind: str, name: str
) -> None:
    at, path = place_of(protocol, kind, name)
    for value in NO_TEXT:
        with pytest.raises(APIError) as caught:
            read(protocol, [*EVENTS[protocol][:at], changed(EVENTS[protocol][at], path, value)])
        assert f"cannot be read: {name} is {value!r}, expected a text, in {{" in str(caught.value)


IDS = [
    ("omni", "input_audio_buffer.committed", "item_id"),
    ("omni", f"{TRANSCRIPTION}.delta", "item_id"),
    ("omni", f"{TRANSCRIPTION}.completed", "item_id"),
    ("omni", "response.created", "id"),
    ("omni", "response.function_call_arguments.done", "name"),
    ("omni", "response.function_call_arguments.done", "call_id"),
    ("session", "input_audio_buffer.speech_started", "item_id"),
    ("session", "input_audio_buffer.speech_stopped", "item_id"),
    ("session", f"{TRANSCRIPTION}.text", "item_id"),
    ("session", f"{TRANSCRIPTION}.completed", "item_id"),
]


@each_row("protocol, kind, name", IDS)
def test_an_id_that_is_missing_or_no_text_is_an_error_that_says_so(
    protocol: str, kind: str, name: str
) -> None:
    at, path = place_of(protocol, kind, name)
    for value in (MISSING, None, "", *NO_TEXT):
        with pytest.raises(APIError) as caught:
            read(protocol, [*EVENTS[protocol][:at], changed(EVENTS[protocol][at], path, value)])
        expected = "a text" if value in NO_TEXT else "a text that is not empty"
        found = f"cannot be read: {name} is {value!r}, expected {expected}, in {{"
        assert found in str(caught.value)


OTHERS: list[tuple[str, str, str, Any, str]] = [
    ("omni", "input_audio_buffer.speech_started", "audio_start_ms", None, "milliseconds"),
    ("omni", "input_audio_buffer.speech_stopped", "audio_end_ms", "1", "milliseconds"),
    ("omni", "input_audio_buffer.speech_stopped", "audio_end_ms", math.inf, "milliseconds"),
    ("session", "input_audio_buffer.speech_started", "audio_start_ms", 10**400, "milliseconds"),
    ("omni", "response.audio.delta", "delta", "?", "base64"),
    ("omni", "response.created", "response", None, "an object"),
    ("omni", "response.done", "usage", "many", "an object"),
    ("omni", "error", "error", "it broke", "an object"),
    ("session", "error", "error", None, "an object"),
    ("task", "result-generated", "payload", [], "an object"),
    ("task", "result-generated", "usage", 5, "an object"),
    ("task", "result-generated", "sentence_end", "false", "true or false"),
    ("task", "result-generated", "sentence_end", None, "true or false"),
    ("task", "result-generated", "sentence_id", "one", "a whole number"),
    ("task", "result-generated", "words", {}, "a list of objects"),
    ("task", "result-generated", "words", ["Hello"], "a list of objects"),
    ("task", "task-failed", "error_code", MISSING, "a text"),
    ("omni", "response.text.delta", "delta", MISSING, "a text"),
]


@each_row("protocol, kind, name, value, expected", OTHERS)
def test_an_error_says_which_field_came_and_what_was_expected(
    protocol: str, kind: str, name: str, value: Any, expected: str
) -> None:
    at, path = place_of(protocol, kind, name)
    with pytest.raises(APIError) as caught:
        read(protocol, [*EVENTS[protocol][:at], changed(EVENTS[protocol][at], path, value)])
    assert f"{name} is {value!r:.100}, expected {expected}, in {{" in str(caught.value)


def test_an_event_of_no_answer_that_has_begun_is_an_error() -> None:
    delta = {"type": "response.text.delta", "response_id": "r9", "delta": "lost"}
    for before in ([], EVENTS["omni"][:12]):
        with pytest.raises(APIError, match="it belongs to no answer that has begun"):
            read("omni", [*before, delta])


def test_whatever_a_session_knows_an_event_of_a_task_is_no_event_of_it() -> None:
    for protocol in ("omni", "session"):
        with pytest.raises(APIError, match="type is missing, expected a text"):
            read(protocol, [task_event("task-started", {})])
