"""Requests that the service answers, and the wire they are answered on."""

import json

from langchain_qwen_audio.local import LocalDashScope, Reply

from ._client import QUESTION, ask, assistant, data_uri, events_of, get, text_of, user, wav


def test_answer_has_the_documented_shape(server: LocalDashScope) -> None:
    server.script(Reply("欢迎使用阿里云", request_id="r-1"))
    response = ask(server, user({"audio": data_uri(wav())}, QUESTION))
    assert response.json() == {
        "output": {
            "choices": [
                {
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": [{"text": "欢迎使用阿里云"}]},
                }
            ]
        },
        "usage": {"input_tokens": 4, "audio_tokens": 25, "output_tokens": 7},
        "request_id": "r-1",
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"] == "r-1"


def test_every_response_says_who_answers(server: LocalDashScope) -> None:
    server.script("ok")
    answers = [ask(server), ask(server, model="x"), get(server.base_url)]
    assert {response.headers["server"] for response in answers} == {
        "langchain-qwen-audio local stand-in"
    }


def test_incremental_stream_is_exactly_these_bytes(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("这段", "", "云"), request_id="r"))
    response = ask(server, stream=True, incremental_output=True)

    def event(number: int, content: str, finish: str, tokens: int) -> str:
        return (
            f"id:{number}\nevent:result\n:HTTP_STATUS/200\n"
            f'data:{{"output":{{"choices":[{{"finish_reason":"{finish}","message":'
            f'{{"role":"assistant","content":{content}}}}}]}},'
            f'"usage":{{"input_tokens":4,"output_tokens":{tokens}}},"request_id":"r"}}\n\n'
        )

    assert response.content.decode() == (
        event(1, '[{"text":"这段"}]', "null", 2)
        + event(2, "[]", "null", 2)
        + event(3, '[{"text":"云"}]', "null", 3)
        + event(4, "[]", "stop", 3)
    )
    assert response.headers["content-type"] == "text/event-stream;charset=UTF-8"
    assert response.headers["x-request-id"] == "r"


def test_stream_is_cumulative_by_default(server: LocalDashScope) -> None:
    server.script("One two")
    texts = [
        event["output"]["choices"][0]["message"]["content"][0]["text"]
        for event in events_of(ask(server, stream=True))
    ]
    assert texts == ["One", "One two", "One two"]


def test_without_the_header_nothing_streams(server: LocalDashScope) -> None:
    server.script("One two")
    assert text_of(ask(server, incremental_output=True)) == "One two"


def test_history_and_system_messages_are_taken(server: LocalDashScope) -> None:
    server.script("ok")
    system = {"role": "system", "content": [{"text": "Be brief."}]}
    response = ask(
        server, system, user({"audio": data_uri(wav())}), assistant("Hi"), user(QUESTION)
    )
    assert response.json()["usage"] == {"input_tokens": 8, "audio_tokens": 25, "output_tokens": 1}


def test_a_tool_message_may_be_the_last(server: LocalDashScope) -> None:
    server.script("ok")
    assert (
        text_of(ask(server, user(QUESTION), {"role": "tool", "content": [{"text": "4"}]})) == "ok"
    )


def test_extra_models_are_served() -> None:
    with LocalDashScope(models=["qwen-audio-chat"], reply="ok") as server:
        assert text_of(ask(server, model="qwen-audio-chat")) == "ok"
        assert text_of(ask(server, model="qwen-audio-turbo-latest")) == "ok"


def test_requests_are_logged_with_their_body(server: LocalDashScope) -> None:
    server.script("ok")
    ask(server, user(QUESTION), seed=7)
    (request,) = server.requests
    assert (request.kind, request.method) == ("generation", "POST")
    assert request.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert request.headers["authorization"] == "Bearer local"
    assert request.messages == [user(QUESTION)]
    assert request.parameters == {"seed": 7}
    assert request.json == json.loads(request.body)


def test_refused_requests_are_logged_too(server: LocalDashScope) -> None:
    get(server.base_url + "/nothing?a=1&b=")
    (request,) = server.requests
    assert (request.kind, dict(request.query)) == ("other", {"a": "1"})


def test_the_log_keeps_the_latest() -> None:
    with LocalDashScope(reply="ok", max_log=2) as server:
        for seed in range(3):
            ask(server, seed=seed)
        assert [request.parameters["seed"] for request in server.requests] == [1, 2]
        server.clear()
        assert server.requests == []
