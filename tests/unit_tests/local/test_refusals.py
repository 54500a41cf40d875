"""Everything the service refuses, with its status, its code and its words."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from langchain_qwen_audio.local import LocalDashScope

from ._client import (
    GENERATION,
    QUESTION,
    ask,
    assert_refused,
    assistant,
    data_uri,
    get,
    post,
    text_of,
    user,
    wav,
)

INVALID_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
INVALID = "Required parameter(s) missing or invalid, please check the request parameters."
MODAL = "The item of content should be a message of a certain modal"
ILLEGAL = "The audio format is illegal and cannot be opened"


@pytest.mark.parametrize("header", [{}, {"authorization": "Bearer"}, {"authorization": "Basic k"}])
def test_a_key_is_required(server: LocalDashScope, header: dict[str, str]) -> None:
    response = post(server.base_url + GENERATION, headers=header, json={})
    assert_refused(response, 401, "InvalidApiKey", "Invalid API-key provided.")


def test_keys_can_be_restricted() -> None:
    with LocalDashScope(api_keys={"right"}, reply="ok") as server:
        assert text_of(ask(server, key="right")) == "ok"
        refused = ask(server, key="wrong")
        assert_refused(refused, 401, "InvalidApiKey", "Invalid API-key provided.")


@pytest.mark.parametrize("model", ["qwen-audio-chat", "qwen-audio-turbo-2024-12-04", "gpt-4o"])
def test_retired_and_unknown_models_are_not_found(server: LocalDashScope, model: str) -> None:
    message = (
        f"Model can not be found. The model `{model}` does not exist or you do not have access to "
        "it. (This local stand-in serves: qwen-audio-turbo, qwen-audio-turbo-latest, "
        "qwen3-asr-flash, qwen3-asr-flash-2025-09-08, qwen3-asr-flash-2025-09-08-us, "
        "qwen3-asr-flash-2026-02-10, qwen3-asr-flash-us, qwen3-omni-30b-a3b-captioner.)"
    )
    assert_refused(ask(server, model=model), 404, "ModelNotFound", message)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{", "InvalidParameter", INVALID),
        (b"[]", "InvalidParameter", INVALID),
        (b'{"parameters":[1]}', "InvalidParameter", INVALID),
        (b"{}", "BadRequest.EmptyModel", 'Required parameter "model" missing from request.'),
        (
            b'{"model":"qwen-audio-turbo"}',
            "BadRequest.EmptyInput",
            "Required input parameter missing from request.",
        ),
        (
            b'{"model":"qwen-audio-turbo","input":{"messages":[]}}',
            "BadRequest.EmptyInput",
            "Required input parameter missing from request.",
        ),
        (b'{"model":"qwen-audio-turbo","input":{"messages":[1]}}', "InvalidParameter", INVALID),
    ],
)
def test_a_body_must_be_a_request(
    server: LocalDashScope, body: bytes, code: str, message: str
) -> None:
    headers = {"authorization": "Bearer local"}
    response = post(server.base_url + GENERATION, headers=headers, content=body)
    assert_refused(response, 400, code, message)


@pytest.mark.parametrize(
    "content",
    [
        "What is said?",
        ["What is said?"],
        [{}],
        [{"text": None}],
        [{"type": "text", "text": "What is said?"}],
        [{"input_audio": {"data": "https://example.com/a.wav"}}],
    ],
)
def test_content_is_a_list_of_known_parts(server: LocalDashScope, content: object) -> None:
    refused = ask(server, {"role": "user", "content": content})
    assert_refused(refused, 400, "InvalidParameter", MODAL)


@pytest.mark.parametrize(
    "audio",
    [
        data_uri(wav())[13:],
        "data:audio/wav,RIFF",
        "data:;base64,not base64!",
        "file:///tmp/a.wav",
        "oss://dashscope-instant/a.wav",
        "",
        {"url": "https://example.com/a.wav"},
    ],
)
def test_audio_is_a_url(server: LocalDashScope, audio: object) -> None:
    assert_refused(ask(server, user({"audio": audio})), 400, "InvalidParameter", INVALID_URL)


def test_the_last_message_asks(server: LocalDashScope) -> None:
    refused = ask(server, user(QUESTION), assistant("Hi"))
    assert_refused(refused, 500, "InternalError.Algo", "list index out of range")


def test_a_data_uri_has_10_mib_encoded() -> None:
    with LocalDashScope(reply="ok") as server:
        fits = "data:;base64,".ljust(10_485_760, "A")
        assert text_of(ask(server, user({"audio": fits}))) == "ok"
        refused = ask(server, user({"audio": fits + "A"}))
        message = "Exceeded limit on max bytes per data-uri item : 10485760"
        assert_refused(refused, 400, "InvalidParameter", message)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "The audio is empty"),
        (wav(0), "The audio is empty"),
        (b"This is a letter, not a recording. " * 30, ILLEGAL),
        (bytes(range(256)) * 20, ILLEGAL),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), ILLEGAL),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", ILLEGAL),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", ILLEGAL),
    ],
)
def test_a_file_must_be_audio(server: LocalDashScope, data: bytes, message: str) -> None:
    refused = ask(server, user({"audio": data_uri(data)}))
    assert_refused(refused, 400, "InvalidParameter", message)


def test_an_unknown_path_is_not_found(server: LocalDashScope) -> None:
    message = "The local stand-in has no GET /api/v1/tasks"
    assert_refused(get(server.base_url + "/tasks"), 404, "NotFound", message)


@contextmanager
def file_server(data: bytes, status: int = 200, *, length: bool = True) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            if length:
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as files:
        thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}/a.wav?b=c"
        files.shutdown()
        thread.join()


def test_a_loopback_url_is_fetched(server: LocalDashScope) -> None:
    with file_server(wav(2, amplitude=0)) as url:
        assert ask(server, user({"audio": url})).json()["usage"]["audio_tokens"] == 50


def test_a_url_needs_a_content_length(server: LocalDashScope) -> None:
    with file_server(wav(), length=False) as url:
        refused = ask(server, user({"audio": url}))
    message = "Missing Content-Length of multimodal url"
    assert_refused(refused, 500, "InternalError.Algo", message)


def test_a_file_has_10_mib(server: LocalDashScope) -> None:
    with file_server(wav(2, amplitude=0).ljust(10 * 1024 * 1024, b"\0")) as url:
        assert ask(server, user({"audio": url})).status_code == 200
    with file_server(bytes(10 * 1024 * 1024 + 1)) as url:
        refused = ask(server, user({"audio": url}))
    assert_refused(refused, 400, "InvalidParameter", "Multimodal file size is too large")


@pytest.mark.parametrize("status", [302, 403, 404])
def test_a_file_must_be_there_itself(server: LocalDashScope, status: int) -> None:
    with file_server(b"", status) as url:
        refused = ask(server, user({"audio": url}))
    message = f"Failed to download multimodal content: {url}: HTTP {status}"
    assert_refused(refused, 400, "InvalidParameter", message)


def test_a_dead_address_is_refused(server: LocalDashScope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.wav"
    body = ask(server, user({"audio": url})).json()
    assert body["code"] == "InvalidParameter"
    assert body["message"].startswith(f"Failed to download multimodal content: {url}: ")


@pytest.mark.parametrize(
    "url", ["https://example.com/a.wav", "http://169.254.169.254/", "http://127.0.0.1.example.com/"]
)
def test_other_machines_are_not_asked(server: LocalDashScope, url: str) -> None:
    message = (
        "Failed to download multimodal content: "
        f"the local stand-in only fetches loopback URLs, not {url}"
    )
    assert_refused(ask(server, user({"audio": url})), 400, "InvalidParameter", message)


def test_errors_are_json_when_a_stream_was_asked_for(server: LocalDashScope) -> None:
    response = ask(server, model="x", stream=True)
    assert response.status_code == 404
    assert json.loads(response.content)["code"] == "ModelNotFound"
