"""The server's life: threads, ports, connections, and what an import costs."""

import asyncio
import contextlib
import gc
import logging
import math
import socket
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply
from tests.unit_tests.waiting import HANG_S

from ._client import QUESTION, generate, get, request, text_of, user, wait_until


@pytest.mark.asyncio
async def test_async_with() -> None:
    async with LocalDashScope(reply="ok") as server, httpx.AsyncClient(verify=False) as client:
        answers = await asyncio.gather(
            *(client.post(**request(server, user(QUESTION))) for _ in range(20))
        )
        assert [text_of(response) for response in answers] == ["ok"] * 20
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", httpx.URL(server.base_url).port)


def test_two_servers_are_apart() -> None:
    with LocalDashScope(reply="one") as one, LocalDashScope(reply="two") as two:
        assert one.base_url != two.base_url
        assert [text_of(generate(server)) for server in (one, two, one)] == ["one", "two", "one"]
        assert [len(server.requests) for server in (one, two)] == [2, 1]


def test_a_port_can_be_chosen_and_used_again() -> None:
    with LocalDashScope() as first:
        port = int(first.base_url.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            LocalDashScope(port=port).start()
    with LocalDashScope(port=port, reply="ok") as second:
        assert second.base_url == first.base_url
        assert text_of(generate(second)) == "ok"


def test_a_server_runs_once() -> None:
    server = LocalDashScope()
    with pytest.raises(RuntimeError, match="no address yet"):
        _ = server.base_url
    server.stop()
    server.start()
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="runs once"):
        server.start()


def test_stop_waits_for_no_stalled_stream(caplog: pytest.LogCaptureFixture) -> None:
    stalled = Reply(fragments=("a", "b"), pause_s=math.inf)
    with LocalDashScope(reply=stalled) as server, contextlib.ExitStack() as streams:
        streams.enter_context(httpx.Client(verify=False)).get(server.base_url)
        readers = []  # kept: a reader that is dropped closes its connection
        for _ in range(5):
            stream = httpx.stream("POST", **request(server, user(QUESTION), stream=True))
            readers.append(streams.enter_context(stream).iter_raw())
            next(readers[-1])
        assert server.open_connections == 6
        server.stop()  # would never return if it waited
        assert server.open_connections == 0
        assert server.disconnects == 0
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_stop_waits_for_no_worker(caplog: pytest.LogCaptureFixture) -> None:
    gate, ended = threading.Event(), threading.Event()
    failures: list[Exception] = []

    def block(_: object) -> str:
        gate.wait()
        ended.set()
        return "too late"

    def call() -> None:
        try:
            generate(server)
        except httpx.TransportError as error:
            failures.append(error)

    server = LocalDashScope(reply=block).start()
    thread = threading.Thread(target=call)
    thread.start()
    wait_until(lambda: len(server.requests) == 1)
    server.stop()
    assert not ended.is_set()
    gate.set()
    thread.join()
    assert len(failures) == 1
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_stop_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    with LocalDashScope(reply=lambda _: "ok") as server:
        generate(server)
        assert len(set(threading.enumerate()) - before) == 2
    wait_until(lambda: set(threading.enumerate()) <= before)


def test_a_stop_drops_connections_that_are_being_accepted() -> None:
    # A socket left open would be a ResourceWarning, and so an error of this test.
    for _ in range(5):
        with LocalDashScope() as server:
            address = ("127.0.0.1", httpx.URL(server.base_url).port)
            clients = [socket.create_connection(address) for _ in range(60)]
        for client in clients:
            client.close()
    gc.collect()


def test_a_mounted_application_has_its_paths_and_no_others(server: LocalDashScope) -> None:
    async def say_its_path(scope: Any, _: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": scope["path"].encode()})

    server.mount(say_its_path, ["/", "/page/a"])
    host = server.base_url.removesuffix("/api/v1")
    for path in ("/", "/page/a"):
        assert get(host + path).text == path
    others = ["/page", "/page/", "/page/a/b", "/api", "/v1/a", "/api/v1/a", "/oss"]
    for path in others:
        assert get(host + path).status_code in {400, 404}
    assert "The local test server has no" in get(host + "/v1/a").json()["message"]
    assert {request.path for request in server.requests} == {*others}


@pytest.mark.parametrize("path", ["/v1/services/aigc/multimodal-generation/generation", "/"])
def test_both_headers_that_say_where_a_body_ends_are_refused(
    server: LocalDashScope, path: str
) -> None:
    """A proxy in front may go by the other one, and take the body's end for a request."""
    url = httpx.URL(server.base_url)
    head = [f"POST {path} HTTP/1.1", "Host: x", "Content-Length: 4", "Transfer-Encoding: chunked"]
    body = ["0", "", "GET /smuggled HTTP/1.1", "Host: x"]
    with socket.create_connection((url.host, url.port or 0), timeout=HANG_S) as it:
        it.sendall("\r\n".join([*head, "", *body, "", ""]).encode())
        reply = b"".join(iter(lambda: it.recv(10_000), b"")).decode()
    assert reply.startswith("HTTP/1.1 400 ")
    assert "Content-Length and Transfer-Encoding came, expected one of them" in reply
    assert reply.count("HTTP/1.1") == 1, "the connection was closed"
    assert server.requests == []


def test_connections_are_counted_and_kept(server: LocalDashScope) -> None:
    server.script(*["ok"] * 3)
    with httpx.Client(verify=False) as client:
        for _ in range(3):
            client.post(**request(server, user(QUESTION)))
        assert (server.open_connections, server.connections_accepted) == (1, 1)
    wait_until(lambda: server.open_connections == 0)
    assert server.disconnects == 0


@pytest.mark.asyncio
async def test_hundreds_of_streams_at_once() -> None:
    async def open_stream(port: int) -> asyncio.StreamWriter:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"GET /api/v1/uploads?action=getPolicy&model=qwen-audio-turbo HTTP/1.1\r\n"
            b"host: x\r\nauthorization: Bearer local\r\n\r\n"
        )
        await reader.readuntil(b"begun")
        return writer

    async with LocalDashScope() as server:
        server.script_policy(*[RawReply(steps=[b"begun", math.inf])] * 500)
        port = int(server.base_url.split(":")[2].split("/")[0])
        writers = await asyncio.gather(*(open_stream(port) for _ in range(500)))
        assert (server.connections_accepted, server.open_connections) == (500, 500)
        for writer in writers:
            writer.close()
            await writer.wait_closed()


def test_importing_and_making_a_server_loads_nothing_heavy() -> None:
    code = (
        "import sys; from langchain_qwen_audio.local import LocalDashScope; LocalDashScope(); "
        "heavy = {'uvicorn', 'fastapi', 'av', 'numpy', 'faster_whisper', 'ctranslate2'}; "
        "package = 'langchain_qwen_audio'; "
        "ours = {m for m in sys.modules if m.startswith(package + '.')}; "
        "print(sorted(heavy & set(sys.modules)), "
        "sorted(m for m in ours if not m.startswith(package + '.local')))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[] []\n"
