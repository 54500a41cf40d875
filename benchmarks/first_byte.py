"""A recording of a phone → when the first byte of its request arrives: cold, and warm."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import av

from benchmarks import clips
from benchmarks.service import NATIVE, _whole
from benchmarks.table import Beside, Row
from langchain_qwen_audio._media.frames import make_frame

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS, RECORDINGS = 5, 8
LENGTH_S, RATE = 5.0, 48_000
MILLI = 1000.0

# Sends one recording after the other, and prints when it begins to.
_PROGRAM = """
import sys, time
from langchain_qwen_audio import Audio, ChatQwenAudio
model = ChatQwenAudio(model="qwen-audio-turbo-latest", base_url=sys.argv[1], api_key="key")
for path in sys.argv[2:]:
    print(time.monotonic())
    model.invoke([("user", [Audio.from_path(path).to_block()])])
"""
_IMPORTS = """
from langchain_core.language_models.chat_models import BaseChatModel
import dashscope; dashscope.Client
"""


def measure() -> Iterator[Row]:
    """Time the first byte of a new process, and of later recordings in it."""
    cold: list[float] = []
    warm: list[float] = []
    imports: list[float] = []
    with tempfile.TemporaryDirectory() as folder, _listening() as (url, arrivals):
        paths = [_write_m4a(Path(folder) / f"{seed}.m4a", seed) for seed in range(RECORDINGS)]
        for _ in range(ROUNDS):
            began = time.monotonic()
            begins = _run(_PROGRAM, url, *map(str, paths))
            cold.append(arrivals[0] - began)
            warm += [end - begin for begin, end in zip(begins[1:], arrivals[1:], strict=True)]
            arrivals.clear()
            began = time.monotonic()
            _run(_IMPORTS)
            imports.append(time.monotonic() - began)
    least = Beside("importing LangChain and the SDK", statistics.median(imports))
    what = "first byte of a 5 s recording of a phone"
    yield Row(f"{what}, new process", statistics.median(cold), "s", limit=least)
    yield Row(f"{what}, later ones", statistics.median(warm) * MILLI, "ms")


def _run(program: str, *arguments: str) -> list[float]:
    """Run a program; return the times that it prints."""
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return list(map(float, done.stdout.split()))


def _write_m4a(path: Path, seed: int) -> Path:
    """Write AAC of 64 kbit/s, as phones record."""
    sound = clips.samples(LENGTH_S, RATE, 1, seed=seed)
    with av.open(str(path), "w", format="ipod") as target:
        stream = target.add_stream("aac", rate=RATE, layout="mono")
        stream.bit_rate = 64_000
        fifo = av.AudioFifo()
        fifo.write(make_frame(sound, "h", RATE))
        for frame in fifo.read_many(1024):
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return path


@contextlib.contextmanager
def _listening() -> Iterator[tuple[str, list[float]]]:
    """Answer requests; yield the address, and when the head of each request has arrived."""
    arrivals: list[float] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:  # the name that http.server calls
            arrivals.append(time.monotonic())
            self.rfile.read(int(self.headers["content-length"]))
            body = _whole(NATIVE)
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}{NATIVE}", arrivals
        server.shutdown()
