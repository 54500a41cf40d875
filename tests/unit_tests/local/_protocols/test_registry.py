"""Requests find their protocol by path and model; what is common to all protocols."""

import dataclasses
import json
from collections.abc import Callable

import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply
from langchain_qwen_audio.local._models.table import QWEN_AUDIO
from langchain_qwen_audio.local._protocols import registry
from langchain_qwen_audio.local._protocols.native import NATIVE
from tests.unit_tests.local._client import (
    MODEL,
    OMNI_38,
    QUESTION,
    assert_chat_refused,
    assert_refused,
    chat,
    generate,
    get,
    message_of,
    post,
    text,
    text_of,
    user,
)

LOCAL = {"authorization": "Bearer local"}


def test_all_protocols_take_from_the_same_queue(server: LocalDashScope) -> None:
    server.script("one", Reply("two"), lambda request: request.kind)
    assert text_of(generate(server)) == "one"
    assert message_of(chat(server))["content"] == "two"
    assert message_of(chat(server))["content"] == "chat"


def test_requests_are_logged_with_their_body(server: LocalDashScope) -> None:
    server.script("ok", "ok")
    generate(server, seed=7)
    chat(server, user(text("Hi")), seed=8)
    native, compatible = server.requests
    assert (native.kind, native.method) == ("generation", "POST")
    assert native.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert native.headers["authorization"] == "Bearer local"
    assert native.json == json.loads(native.body)
    assert (native.messages, native.parameters) == ([user(QUESTION)], {"seed": 7})
    assert (compatible.kind, compatible.path) == ("chat", "/compatible-mode/v1/chat/completions")
    assert (compatible.messages, compatible.parameters) == ([user(text("Hi"))], {"seed": 8})


def test_an_unknown_path_has_the_errors_of_its_base_url(server: LocalDashScope) -> None:
    message = "The local test server has no GET /api/v1/tasks"
    assert_refused(get(server.base_url + "/tasks"), 404, "NotFound", message)
    message = "The local test server has no GET /compatible-mode/v1/files"
    assert_chat_refused(get(server.compatible_base_url + "/files"), 404, "not_found", message)
    request, _ = server.requests
    assert (request.kind, dict(request.query)) == ("other", {})


def test_the_path_of_another_kind_of_models_is_a_url_error(server: LocalDashScope) -> None:
    """So that a client of it, as ChatTongyi, sees at once what is wrong."""
    there = server.base_url + "/services/aigc/text-generation/generation"
    refused = post(there, headers=LOCAL, json={"model": MODEL, "input": {"messages": []}})
    assert_refused(refused, 400, "InvalidParameter", "url error, please check url!")


def test_models_are_listed(server: LocalDashScope) -> None:
    listed = get(server.compatible_base_url + "/models", headers=LOCAL).json()
    assert listed["object"] == "list"
    names = [it["id"] for it in listed["data"]]
    assert OMNI_38 in names
    assert MODEL not in names  # which only the native path serves
    assert {it["object"] for it in listed["data"]} == {"model"}
    assert get(server.compatible_base_url + "/models").status_code == 401
    assert server.requests[0].kind == "models"


@pytest.mark.parametrize("post", [generate, chat])
def test_a_parameter_that_is_not_played_is_refused_by_name(
    server: LocalDashScope, post: Callable[..., httpx.Response]
) -> None:
    response = post(server, logprobs=True, newer=1)
    assert response.status_code == 400
    assert "does not play logprobs, newer. LocalDashScope(parameters=" in response.text


@pytest.mark.parametrize("post", [generate, chat])
def test_parameters_may_be_taken_without_effect(post: Callable[..., httpx.Response]) -> None:
    with LocalDashScope(reply="ok", parameters=["newer"]) as server:
        assert post(server, newer=1).status_code == 200
        assert post(server, newest=1).status_code == 400


@pytest.mark.parametrize("post", [generate, chat])
def test_a_function_that_fails_is_an_internal_error(server: LocalDashScope, post: object) -> None:
    server.script(lambda _: str(1 / 0))
    response = post(server)  # type: ignore[operator]
    assert response.status_code == 500
    assert "The local test server failed: ZeroDivisionError" in response.text


def test_every_response_says_who_answers(server: LocalDashScope) -> None:
    server.script("ok")
    answers = [generate(server), generate(server, model="x"), get(server.base_url)]
    assert {response.headers["server"] for response in answers} == {
        "langchain-qwen-audio local test server"
    }


def test_a_third_protocol_is_one_object_and_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may share a path with another one: then the model decides."""
    third = dataclasses.replace(
        NATIVE, name="third", write=lambda reply, *_: RawReply(steps=[reply.text.upper().encode()])
    )
    monkeypatch.setattr(registry, "PROTOCOLS", (*registry.PROTOCOLS, third))
    with LocalDashScope(reply="ok") as server:
        monkeypatch.setitem(server._app.models, "new", {"third": QWEN_AUDIO})
        assert generate(server, model="new").text == "OK"
        assert text_of(generate(server, model=MODEL)) == "ok"
        assert chat(server, model="new").status_code == 404
