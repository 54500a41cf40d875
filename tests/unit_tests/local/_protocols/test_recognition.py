"""Speech recognition with times: what is refused, and the bytes of replies."""

import json
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.local._client import (
    GENERATION,
    WELCOME,
    WELCOME_WAV,
    WHISPER,
    data_uri,
    make_wav,
    post,
    words,
)

MODEL, OLD = "qwen-audio-3.1-asr-flash", "qwen-audio-3.0-asr-flash"
URL = {"data": "https://example.com/a.wav"}
STREAM = {"X-DashScope-SSE": "enable"}


def recording(data: Any = URL) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_audio", "input_audio": data}]}


def recognize(
    server: LocalDashScope,
    *messages: Any,
    model: str = MODEL,
    headers: dict[str, str] | None = None,
    **parameters: Any,
) -> httpx.Response:
    body = {"model": model, "input": {"messages": messages}, "parameters": parameters}
    key = {"Authorization": "Bearer local"}
    return post(server.base_url + GENERATION, json=body, headers=key | (headers or {}), timeout=60)


REFUSED: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "no format": ([recording()], {}, "format is empty"),
    "no recording": (
        [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}],
        {"format": "wav"},
        "last message",
    ),
    "a part of another format": (
        [{"role": "user", "content": [{"audio": URL["data"]}]}],
        {"format": "wav"},
        "Required parameter",
    ),
    "two recordings": ([recording(), recording()], {"format": "wav"}, "one audio"),
    "five hints": ([recording()], {"format": "wav", "language_hints": list("abcde")}, "4 at most"),
}


@pytest.mark.parametrize(("messages", "parameters", "why"), REFUSED.values(), ids=REFUSED)
def test_what_the_service_refuses(
    server: LocalDashScope, messages: list[Any], parameters: dict[str, Any], why: str
) -> None:
    response = recognize(server, *messages, **parameters)
    assert (response.status_code, response.json()["code"]) == (400, "InvalidParameter")
    assert why in response.json()["message"]


def test_more_than_five_minutes_are_refused() -> None:
    with LocalDashScope(reply="ok", check_audio=True) as server:
        clip = {"data": data_uri(make_wav(bytes(2 * 301 * 1_000), 1_000))}
        response = recognize(server, recording(clip), format="wav")
    assert "AUDIO_DURATION_TOO_LONG" in response.json()["message"]


def test_a_short_recording_is_answered_with_json_also_where_a_stream_was_requested(
    server: LocalDashScope,
) -> None:
    server.script(Reply("One.", request_id="r-1"))
    response = recognize(server, recording(), model=OLD, headers=STREAM, format="wav")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {
        "output": {
            "text": "One.",
            "sentence": {
                "sentence_id": 1,
                "sentence_end": True,
                "channel_id": 0,
                "speaker_id": None,
                "begin_time": 0,
                "end_time": 1000,
                "text": "One.",
                "words": [],
            },
        },
        "usage": {"duration": 1},
        "request_id": "r-1",
    }


def test_a_stream_revises_each_sentence_until_it_ends(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("One. ", "Two.")))
    response = recognize(server, recording(), headers=STREAM, format="wav")
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = response.text.splitlines()
    assert lines[:3] == ["id:1", "event:result", ":HTTP_STATUS/200"]
    bodies = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
    assert [(it["output"]["text"], it["output"]["sentence"]["sentence_end"]) for it in bodies] == [
        ("ON", False),
        ("One. ", True),
        ("One. TW", False),
        ("One. Two.", True),
    ]
    assert [sorted(it["usage"]) for it in bodies][::3] == [
        [],
        ["duration", "input_tokens", "output_tokens", "total_tokens"],
    ]


def test_whisper_has_times_and_says_what_it_is() -> None:
    with LocalDashScope() as server:
        clip = {"data": data_uri(WELCOME_WAV)}
        body = recognize(server, recording(clip), format="wav").json()
    assert body["model"] == f"local-test-server/whisper-{WHISPER}"
    assert words(body["output"]["text"]) == WELCOME
    output = body["output"]
    spoken = [
        word for one in output.get("sentences", [output["sentence"]]) for word in one["words"]
    ]
    assert words(" ".join(word["text"] for word in spoken)) == WELCOME
    times = [(word["begin_time"], word["end_time"]) for word in spoken]
    assert times == sorted(times)
    assert 0 <= times[0][0] < times[-1][1] <= 8_000
    assert output["text"].endswith(spoken[-1]["punctuation"])
