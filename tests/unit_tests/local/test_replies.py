"""Scripted replies, and every fault as a client sees it."""

import contextlib
import math
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import (
    END,
    RESET,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    sse_event,
)
from langchain_qwen_audio.local._replies import Break
from tests.unit_tests.waiting import HANG_S

from ._client import QUESTION, generate, post, request, text_of, user, wait_until


def test_replies_are_given_in_order_then_the_default() -> None:
    with LocalDashScope(replies=["one", Reply("two")], reply="default") as server:
        server.script(lambda request: f"three: {request.parameters['seed']}")
        assert [text_of(generate(server, seed=seed)) for seed in range(4)] == [
            "one",
            "two",
            "three: 2",
            "default",
        ]


def test_a_refused_request_takes_no_reply(server: LocalDashScope) -> None:
    server.script("one")
    assert generate(server, model="x").status_code == 404
    assert text_of(generate(server)) == "one"


def test_a_function_may_answer_anything() -> None:
    def answer(request: ReceivedRequest) -> str | Reply | RawReply:
        return RawReply(418) if request.parameters.get("seed") else Reply("tea")

    with LocalDashScope(reply=answer) as server:
        assert generate(server, seed=418).status_code == 418
        assert text_of(generate(server)) == "tea"


def test_a_function_that_blocks_holds_nobody_else() -> None:
    gate = threading.Event()
    with LocalDashScope(replies=[lambda _: str(gate.wait(60)), "quick"]) as server:
        slow: list[str] = []
        thread = threading.Thread(target=lambda: slow.append(text_of(generate(server))))
        thread.start()
        wait_until(lambda: len(server.requests) == 1)
        assert text_of(generate(server)) == "quick"
        gate.set()
        thread.join()
    assert slow == ["True"]


def test_a_function_that_fails_is_told(server: LocalDashScope) -> None:
    server.script(lambda _: str(1 / 0))
    response = generate(server)
    assert (response.status_code, response.json()["code"]) == (500, "InternalError")
    message = "The local test server failed: ZeroDivisionError('division by zero')"
    assert response.json()["message"] == message


def test_a_proxy_can_answer_in_html(server: LocalDashScope) -> None:
    server.script(RawReply(502, {"Content-Type": "text/html"}, [b"<h1>Bad gateway</h1>"]))
    response = generate(server)
    assert (response.status_code, response.text) == (502, "<h1>Bad gateway</h1>")
    assert response.headers["content-type"] == "text/html"


def test_an_error_may_come_with_status_200(server: LocalDashScope) -> None:
    server.script(RawReply(200, {}, [b'{"code":"InternalError","message":"m"}']))
    assert generate(server).json() == {"code": "InternalError", "message": "m"}


def test_bytes_arrive_as_they_are(server: LocalDashScope) -> None:
    body = b": hello\r\n\r\n" + sse_event({"a": 1}, 1).replace(b"\n", b"\r\n") + b'data:{"trunc'
    server.script(RawReply(steps=[bytes([byte]) for byte in body]))
    assert generate(server, stream=True).content == body


def test_reset_before_the_first_byte(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[RESET]))
    with pytest.raises(httpx.ReadError, match="reset"):
        generate(server)


def test_reset_in_mid_stream(server: LocalDashScope) -> None:
    read = threading.Event()

    def steps() -> Iterator[Any]:
        yield b"begun"
        read.wait(HANG_S)
        yield RESET

    server.script(RawReply(steps=steps()))  # type: ignore[arg-type]
    with httpx.stream("POST", **request(server, user(QUESTION))) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"begun"
        read.set()
        with pytest.raises(httpx.ReadError, match="reset"):
            next(chunks)


def test_reset_in_mid_upload(server: LocalDashScope) -> None:
    server.script_upload(RawReply(steps=[RESET], after_bytes=1_000))
    with pytest.raises(httpx.TransportError):
        post(server.base_url.replace("/api/v1", "/oss"), content=bytes(50_000_000), timeout=20)
    assert server.requests == []
    wait_until(lambda: server.open_connections == 0)


def test_end_before_the_first_byte(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[END]))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        generate(server)


@pytest.mark.parametrize("headers", [{}, {"content-length": "100"}])
def test_end_in_mid_body_is_a_broken_connection(
    server: LocalDashScope, headers: dict[str, str]
) -> None:
    server.script(RawReply(200, headers, [b"begun", END]))
    with httpx.stream("POST", **request(server, user(QUESTION))) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"begun"
        with pytest.raises(
            httpx.RemoteProtocolError, match="without sending complete message body"
        ):
            next(chunks)


def test_empty_bytes_send_the_head_alone(server: LocalDashScope) -> None:
    server.script(RawReply(200, {"x-a": "b"}, [b"", math.inf]))
    with httpx.stream("POST", **request(server, user(QUESTION))) as response:
        assert response.headers["x-a"] == "b"
    wait_until(lambda: server.disconnects == 1)  # the body was still to come


def test_a_stall_before_the_head(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[math.inf]))
    with pytest.raises(httpx.ReadTimeout):
        post(**request(server, user(QUESTION)) | {"timeout": httpx.Timeout(60, read=0.1)})


def test_faults_are_not_disconnects_of_the_client(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[RESET]), RawReply(steps=[b"a", END]))
    for _ in range(2):
        with contextlib.suppress(httpx.TransportError):
            generate(server)
    wait_until(lambda: server.open_connections == 0)
    assert server.disconnects == 0
    assert server.connections_accepted == 2


def test_the_next_connection_works_after_a_fault(server: LocalDashScope) -> None:
    server.script(RawReply(steps=[RESET]), "ok")
    with httpx.Client(verify=False) as client:
        with pytest.raises(httpx.ReadError):
            client.post(**request(server, user(QUESTION)))
        assert text_of(client.post(**request(server, user(QUESTION)))) == "ok"


def test_a_client_that_leaves_is_noticed(server: LocalDashScope) -> None:
    server.script(Reply(fragments=("a", "b"), pause_s=math.inf))
    with httpx.stream("POST", **request(server, user(QUESTION), stream=True)) as response:
        chunks = response.iter_raw()
        assert next(chunks).startswith(b"id:1\n")
        assert (server.open_connections, server.disconnects) == (1, 0)
    wait_until(lambda: (server.open_connections, server.disconnects) == (0, 1))


@pytest.mark.parametrize("step", [b"more", RESET, END])
def test_nothing_fails_when_the_client_left_first(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture, step: bytes | Break
) -> None:
    server.script(RawReply(steps=[b"begun", math.inf, step]))
    with httpx.stream("POST", **request(server, user(QUESTION))) as response:
        chunks = response.iter_raw()
        assert next(chunks) == b"begun"
    wait_until(lambda: server.disconnects == 1)
    server.stop()
    assert [r for r in caplog.records if r.name.startswith("langchain")] == []


def test_a_request_that_is_cut_off_is_not_logged(server: LocalDashScope) -> None:
    host, port = server.base_url.split("/")[2].split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(b"POST /api/v1/uploads HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")
        wait_until(lambda: server.open_connections == 1)
    wait_until(lambda: server.open_connections == 0)
    assert server.requests == []
