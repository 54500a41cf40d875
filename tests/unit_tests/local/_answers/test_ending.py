"""Where an answer ends: at a stop text, or at the largest number of tokens."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.local._client import assert_events, chat, deltas_of, generate

FRAGMENTS = ("One two", " three. Four", " five")
CALL = {"name": "add", "arguments": "{}"}
ENDINGS: dict[str, tuple[dict[str, Any], str, str]] = {
    "neither": ({}, "One two three. Four five", "stop"),
    "a stop text": ({"stop": "."}, "One two three", "stop"),
    "the first of several": ({"stop": ["Four", "three"]}, "One two ", "stop"),
    "a stop text that does not come": ({"stop": ["six"]}, "One two three. Four five", "stop"),
    "tokens": ({"max_tokens": 3}, "One two three", "length"),
    "as many tokens as there are": ({"max_tokens": 6}, "One two three. Four five", "stop"),
    "whichever is first": ({"max_tokens": 2, "stop": "."}, "One two", "length"),
    "whichever is first, the other way": ({"max_tokens": 5, "stop": "two"}, "One ", "stop"),
}


def read_native(response: httpx.Response) -> tuple[str, str]:
    choice = response.json()["output"]["choices"][0]
    return "".join(it["text"] for it in choice["message"]["content"]), choice["finish_reason"]


def read_chat(response: httpx.Response) -> tuple[str, str]:
    choice = response.json()["choices"][0]
    return choice["message"]["content"], choice["finish_reason"]


def test_an_answer_ends_where_the_request_says(server: LocalDashScope) -> None:
    for what, (limits, text, reason) in ENDINGS.items():
        server.script(*["".join(FRAGMENTS)] * 2)
        assert read_native(generate(server, **limits)) == (text, reason), what
        assert read_chat(chat(server, **limits)) == (text, reason), what


def test_a_stream_ends_there_too(server: LocalDashScope) -> None:
    server.script(*[Reply(fragments=FRAGMENTS)] * 2)
    deltas = deltas_of(chat(server, stream=True, max_tokens=3))
    assert [it["content"] for it in deltas] == ["", "One two", " three", ""]
    events = assert_events(generate(server, stream=True, incremental_output=True, stop="three"))
    pieces = [it["output"]["choices"][0] for it in events]
    assert [it["message"]["content"] for it in pieces] == [
        [{"text": "One two"}],
        [{"text": " "}],
        [],
    ]
    assert pieces[-1]["finish_reason"] == "stop"


def test_what_comes_after_the_text_does_not_come(server: LocalDashScope) -> None:
    server.script(*[Reply("One two", tool_calls=[CALL])] * 2)
    assert "tool_calls" in chat(server, max_tokens=2).json()["choices"][0]["message"]
    assert "tool_calls" not in chat(server, max_tokens=1).json()["choices"][0]["message"]


def test_a_reason_that_is_scripted_stays(server: LocalDashScope) -> None:
    server.script(Reply("One two", finish_reason="sensitive"))
    assert read_chat(chat(server, max_completion_tokens=1)) == ("One", "sensitive")


@pytest.mark.parametrize("post", [generate, chat])
def test_what_is_no_such_parameter_is_refused(
    server: LocalDashScope, post: Callable[..., httpx.Response]
) -> None:
    rows: list[tuple[dict[str, Any], str]] = [
        ({"n": 2}, "does not play n: it writes one answer"),
        ({"stop": 1}, "parameters.stop"),
        ({"stop": [""]}, "parameters.stop"),
        ({"max_tokens": 0}, "Range of max_tokens should be [1, …]"),
        ({"max_tokens": "9"}, "Range of max_tokens should be [1, …]"),
    ]
    for parameters, message in rows:
        response = post(server, **parameters)
        assert response.status_code == 400, parameters
        assert message in response.text, parameters
        assert post(server, n=1).status_code == 200, parameters
