"""Traces without base64, at a LangSmith on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda
from langsmith import Client, tracing_context

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.tracing import without_base64
from tests.unit_tests.calling_modes import ainvoke, astream, invoke, stream
from tests.unit_tests.models import BLOCK, CLIP, INPUT_AUDIO, RAW, URI
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

HANDLE = f"[{len(CLIP):,} bytes, sha256:{hashlib.sha256(CLIP).hexdigest()}]"
TEXT = "What is said in it? " * 100  # a long text, of short words
LINES = base64.encodebytes(CLIP).decode().rstrip()
NAMES = "\n".join(f"recordings/2026/customer-calls-{number:03}.wav" for number in range(200))
FORMATS: dict[str, tuple[Any, Any]] = {
    "a standard block": (BLOCK, {**BLOCK, "base64": HANDLE}),
    "a data URI": (
        INPUT_AUDIO,
        {"type": "input_audio", "input_audio": {"data": HANDLE, "format": "wav"}},
    ),
    "without its padding": ([RAW.rstrip("=")], [HANDLE]),
    "URL-safe": (RAW.replace("+", "-").replace("/", "_"), HANDLE),
    "in lines": (LINES, HANDLE),
    "in lines, in JSON": (json.dumps({"audio": LINES}), json.dumps({"audio": HANDLE})),
    "long names, each in a line": (NAMES, NAMES),
    "within a text": (
        f'{{"audio": "{URI}"}}, and {URI}.',
        f'{{"audio": "{HANDLE}"}}, and {HANDLE}.',
    ),
    "a text": ({"text": TEXT}, {"text": TEXT}),
    "Chinese": ("录音里说了什么" * 500, "录音里说了什么" * 500),
    "a short one": (RAW[:999], RAW[:999]),
    "a URL": ({"url": "https://example.com/a.wav"}, {"url": "https://example.com/a.wav"}),
    "no text": ([1, None, True, 0.5], [1, None, True, 0.5]),
}


@pytest.mark.parametrize(("traced", "shown"), FORMATS.values(), ids=FORMATS)
def test_base64_becomes_a_handle_and_nothing_else_does(traced: Any, shown: Any) -> None:
    before = json.dumps(traced)
    assert without_base64({"inputs": [traced]}) == {"inputs": [shown]}
    assert json.dumps(traced) == before


def test_what_only_looks_like_base64_has_a_handle_of_its_own() -> None:
    text = "A" * 1_001  # base64 has no such length
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert without_base64(text) == f"[1,001 bytes, sha256:{digest}]"


def test_the_handle_is_the_digest_of_the_file() -> None:
    shown = without_base64(Audio.from_bytes(CLIP).to_block())
    assert hashlib.sha256(CLIP).hexdigest() in shown["base64"]


# --- a trace ----------------------------------------------------------------------------------


@contextmanager
def langsmith() -> Iterator[tuple[str, list[bytes]]]:
    """Serve what receives runs; yields its address, and the bodies that came."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(202)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_PATCH = do_POST  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}", bodies
        http.shutdown()
        thread.join()


def trace(call: Callable[[], object], **options: Any) -> list[bytes]:
    """Trace a call, and return the bodies that LangSmith received."""
    with langsmith() as (address, bodies):
        client = Client(api_url=address, api_key="local", auto_batch_tracing=False, **options)
        with closing(client), tracing_context(enabled=True, client=client):
            call()
    return bodies


@pytest.mark.parametrize("way", [invoke, ainvoke, stream, astream])
def test_a_trace_has_handles_in_place_of_recordings(server: LocalDashScope, way: CallModel) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    chain: Any = RunnableLambda(lambda content: [HumanMessage(content)]) | model
    bodies = trace(lambda: way(chain, [BLOCK, INPUT_AUDIO]), anonymizer=without_base64)
    runs = [json.loads(body) for body in bodies]
    assert {run["name"] for run in runs if "name" in run} >= {"RunnableSequence", "ChatQwenAudio"}
    everything = b"".join(bodies)
    assert RAW.encode() not in everything
    assert everything.count(HANDLE.encode()) >= 4  # two clips, of the chain and of the model
    assert b"ok" in everything
    sent = server.requests[0].messages[0]["content"]
    assert [part["audio"] for part in sent] == [URI, URI]


def test_the_trace_of_a_clip_of_5_mb_is_small(server: LocalDashScope) -> None:
    block = Audio.from_bytes(wav(tone(26.0, rate=96_000), rate=96_000)).to_block()

    def call() -> None:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        model.invoke([HumanMessage([block])])

    before = sum(map(len, trace(call)))
    after = sum(map(len, trace(call, anonymizer=without_base64)))
    assert before > 6_600_000
    assert after < 10_000
