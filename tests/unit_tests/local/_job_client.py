"""A client of transcription jobs that uses nothing of the package."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.local._client import RESOLVE, get, post

ONE, LISTED = "qwen3-asr-flash-filetrans", "qwen-audio-3.1-asr-flash-filetrans"
URL = "http://127.0.0.1:1/a.wav"
HEADERS = {"authorization": "Bearer local", "x-dashscope-async": "enable"}
PATH = "/services/audio/asr/transcription"


def given(model: str, url: str) -> dict[str, Any]:
    return {"file_url": url} if model == ONE else {"file_urls": [url]}


def submit(server: LocalDashScope, model: str = LISTED, url: str = URL, **rest: Any) -> Any:
    body = {"model": model, "input": given(model, url), "parameters": {}, **rest}
    headers = HEADERS | (RESOLVE if url.startswith("oss:") else {})
    return post(server.base_url + PATH, json=body, headers=headers)


def look(server: LocalDashScope, task_id: str, key: str = "local") -> Any:
    url = f"{server.base_url}/tasks/{task_id}"
    return get(url, headers={"authorization": f"Bearer {key}"}).json()


@contextlib.contextmanager
def web(files: dict[str, bytes]) -> Iterator[str]:
    """Serve files on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = files.get(self.path[1:])
            self.send_response(404 if data is None else 200)
            self.send_header("content-length", str(len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def finish(server: LocalDashScope, submitted: httpx.Response) -> tuple[list[str], Any]:
    """Look until a job is over; return its states, each once, and the last reply."""
    task_id = submitted.json()["output"]["task_id"]
    states: list[str] = []
    while True:
        body = look(server, task_id)
        state = body["output"]["task_status"]
        states += [state] if state not in states else []
        if state not in {"PENDING", "RUNNING"}:
            return states, body
        time.sleep(0.01)


def address(body: Any) -> str:
    output = body["output"]
    result = output["result"] if "result" in output else output["results"][0]
    return str(result["transcription_url"])
