"""A server of one's own, which says what it is told to, and remembers its requests."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio import ChatQwenAudio

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON, SSE = "application/json", "text/event-stream; charset=utf-8"
NAME = "Qwen/Qwen2-Audio-7B-Instruct"
SERVED = "qwen2-audio-7b-instruct.Q8_0"  # what the server itself calls it
USAGE = {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22}


@dataclass
class Question:
    """One request."""

    path: str
    headers: dict[str, str]
    json: dict[str, Any]


@dataclass
class OwnServer:
    """A server that says what it is told to, as llama.cpp and vLLM do, and remembers."""

    url: str = ""
    requests: list[Question] = field(default_factory=list)
    replies: deque[tuple[int, str, bytes]] = field(default_factory=deque)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        question = Question(path, headers, json.loads(body))
        self.requests.append(question)
        if self.replies:
            return self.replies.popleft()
        return whole("ok") if "stream" not in question.json else events({"content": "ok"})


@contextlib.contextmanager
def serve(own: OwnServer) -> Iterator[OwnServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # or a body waits 40 ms for the head to be acknowledged

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, kind, reply = own.answer(self.path, headers, body)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        own.url = f"http://127.0.0.1:{http.server_port}/v1"
        yield own
        http.shutdown()
        thread.join()


def whole(text: str, **more: Any) -> tuple[int, str, bytes]:
    message = {"role": "assistant", "content": text, **more}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    reply = {"id": "chatcmpl-1", "object": "chat.completion", "model": SERVED, "choices": [choice]}
    return 200, JSON, json.dumps({**reply, "usage": USAGE}).encode()


def events(*deltas: dict[str, Any]) -> tuple[int, str, bytes]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": SERVED}
    choices = [
        {"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None},
        *({"index": 0, "delta": delta, "finish_reason": None} for delta in deltas),
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    chunks = [{**head, "choices": [choice]} for choice in choices]
    payloads = [*chunks, {**head, "choices": [], "usage": USAGE}]
    lines = [f"data: {json.dumps(payload)}\n\n" for payload in payloads]
    return 200, SSE, "".join([*lines, "data: [DONE]\n\n"]).encode()


def model_at(own: OwnServer, name: str = NAME, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(**{"model": name, "base_url": own.url, "max_retries": 0, **fields})
