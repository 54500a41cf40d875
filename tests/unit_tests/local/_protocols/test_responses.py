"""The Responses API: what it refuses, and the bytes of its replies."""

import json
from typing import Any

import httpx

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.local._client import (
    OMNI_3,
    OMNI_38,
    assert_refused,
    data_uri,
    post,
    wav,
)

AUDIO = {"type": "input_audio", "audio_url": data_uri(wav()), "format": "wav"}
TEXT = {"type": "input_text", "text": "What is said?"}
TOOL = {"type": "function", "name": "add", "parameters": {"type": "object"}}
OFF = {"reasoning": {"effort": "none"}}


def respond(server: LocalDashScope, given: Any = "Hi", **fields: Any) -> httpx.Response:
    body = {"model": OMNI_38, "input": given, **fields}
    headers = {"authorization": "Bearer local"}
    return post(server.compatible_base_url + "/responses", headers=headers, json=body, timeout=60)


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def events_of(response: httpx.Response) -> list[dict[str, Any]]:
    """Read a stream, whose framing must be that of the native protocol."""
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    events = []
    for number, block in enumerate(blocks):
        event_id, kind, status, data = block.split("\n")
        event = json.loads(data.removeprefix("data:"))
        assert (event_id, status) == (f"id:{number + 1}", ":HTTP_STATUS/200")
        assert (kind, event["sequence_number"]) == (f"event:{event['type']}", number)
        events.append(event)
    return events


def test_a_reply_has_the_documented_shape(server: LocalDashScope) -> None:
    server.script(Reply("A tone.", request_id="r"))
    body = respond(server, user(AUDIO, TEXT), **OFF).json()
    assert isinstance(body.pop("created_at"), int)
    counts = {"input_tokens": 11, "output_tokens": 3, "total_tokens": 14}
    assert body == {
        "id": "resp_r",
        "object": "response",
        "status": "completed",
        "model": OMNI_38,
        "output": [
            {
                "type": "message",
                "id": "msg_r-1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "A tone.", "annotations": []}],
            }
        ],
        "parallel_tool_calls": False,
        "tools": [],
        "tool_choice": "auto",
        "error": None,
        "usage": {
            **counts,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
            "x_details": [{**counts, "x_billing_type": "response_api"}],
        },
    }
    (request,) = server.requests
    assert (request.kind, request.parameters) == ("responses", OFF)
    assert request.messages == user(AUDIO, TEXT)


def test_thoughts_and_calls_are_items_of_their_own(server: LocalDashScope) -> None:
    server.script(
        Reply(reasoning="Hm.", tool_calls=[{"name": "add", "arguments": "{}", "id": "c"}])
    )
    body = respond(server, tools=[TOOL], tool_choice="auto").json()
    thoughts, called = body["output"]
    assert thoughts["summary"] == [{"type": "summary_text", "text": "Hm."}]
    assert {key: called[key] for key in ("type", "call_id", "name", "arguments")} == {
        "type": "function_call",
        "call_id": "c",
        "name": "add",
        "arguments": "{}",
    }
    assert body["tools"] == [TOOL]
    assert body["usage"]["output_tokens_details"] == {"reasoning_tokens": 2}


def test_a_stream_has_the_documented_events(server: LocalDashScope) -> None:
    server.script(Reply("One two", reasoning="Hm"))
    *_, last = events = events_of(respond(server, stream=True))
    within = ["response.content_part.added", *["response.output_text.delta"] * 2]
    within += ["response.output_text.done", "response.content_part.done"]
    thoughts = ["response.reasoning_text.delta", "response.reasoning_text.done"]
    added, done = "response.output_item.added", "response.output_item.done"
    assert [it["type"] for it in events] == [
        *("response.created", "response.in_progress"),
        *(added, *thoughts, done),
        *(added, *within, done),
        "response.completed",
    ]
    assert [it["response"]["status"] for it in events[:2]] == ["queued", "in_progress"]
    assert "".join(it["delta"] for it in events if "output_text.delta" in it["type"]) == "One two"
    assert [it["item"]["content"] for it in events if "item" in it and "content" in it["item"]] == [
        [],
        [{"type": "output_text", "text": "One two", "annotations": []}],
    ]
    assert last["response"]["output"][1]["content"][0]["text"] == "One two"


def test_an_answer_that_is_too_long_is_incomplete(server: LocalDashScope) -> None:
    server.script(*["word " * 20] * 2)
    body = respond(server, max_output_tokens=16, **OFF).json()
    assert body["status"] == "incomplete"
    assert body["output"][0]["content"][0]["text"].split() == ["word"] * 16
    last = events_of(respond(server, max_output_tokens=16, stream=True, **OFF))[-1]
    assert last["type"] == "response.incomplete"


def test_a_conversation_with_calls_is_read(server: LocalDashScope) -> None:
    call = {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c", "output": "3"}
    system = {"role": "developer", "content": "Be brief."}
    server.script("ok")
    response = respond(server, [system, *user(TEXT), call, output], instructions="Help.", **OFF)
    assert response.json()["output"][0]["content"][0]["text"] == "ok"


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a model without it": ({"model": OMNI_3}, f"`{OMNI_3}` does not support the Responses API."),
    "what is stored": ({"previous_response_id": "x"}, "does not play previous_response_id."),
    "a conversation": ({"conversation": "x"}, "does not play conversation."),
    "text formats": ({"text": {}}, "does not play text."),
    "built-in tools": ({"tools": [{"type": "web_search"}]}, "does not play the tool web_search."),
    "another part": ({"given": user({"type": "input_file"})}, "a part of the type input_file."),
    "another item": ({"given": [{"type": "web_search_call"}]}, "an item of the type web_search"),
    "the names of Chat Completions": (
        {"given": user({"type": "input_audio", "input_audio": {"data": "x"}})},
        "such a part of the type input_audio",
    ),
    "too few tokens": ({"max_output_tokens": 15}, "Range of max_output_tokens should be [16, …]"),
    "sound of the model": (
        {"given": [{"role": "assistant", "content": [AUDIO]}, *user(TEXT)]},
        "A message of the role assistant should be text.",
    ),
}


def test_what_is_not_played_is_refused_by_name(server: LocalDashScope) -> None:
    for what, (fields, message) in REFUSED.items():
        response = respond(server, **fields)
        body = response.json()
        assert message in body["message"], what
        assert_refused(response, 400, "InvalidParameter", body["message"])
