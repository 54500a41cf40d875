"""What a service, a proxy or a cable may do to a response, as data; and what comes of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.errors import QwenAudioError
from langchain_qwen_audio.local import LocalDashScope, RawReply, sse_event
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.rows import each_row
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from langchain_qwen_audio.local import Scripted
    from langchain_qwen_audio.local._replies import Break
    from tests.unit_tests.conftest import CallModel
    from tests.unit_tests.rows import Test

    Step = bytes | float | Break

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream;charset=UTF-8"}
SOON = {"retry-after-ms": "1"}
REFUSAL = {"code": "Odd", "message": "it went wrong", "request_id": "r-1"}
HTML = b"<html><body><h1>it went wrong</h1></body></html>"


# --- replies ----------------------------------------------------------------------------------


def payload(text: Any, finish: Any = "null", **rest: Any) -> dict[str, Any]:
    """Say a text as Qwen-Audio does; anything but a `str` is the content itself."""
    content = ([{"text": text}] if text else []) if isinstance(text, str) else text
    message = {"role": "assistant", "content": content}
    choices = [{"finish_reason": finish, "message": message}]
    return {"output": {"choices": choices}, "request_id": "r-1", **rest}


def event(text: Any, finish: Any = "null", **rest: Any) -> bytes:
    return sse_event(payload(text, finish, **rest), 1)


LAST = event("", "stop")
LONG = json.dumps(payload("ab" * 100, "stop")).encode()


def body(said: Any, status: int = 200, headers: Mapping[str, str] = SOON) -> RawReply:
    """Reply with JSON, or with `bytes` that are said to be JSON."""
    data = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
    return RawReply(status, {**JSON, **headers}, [data])


def sse(*steps: Step, status: int = 200) -> RawReply:
    return RawReply(status, {**SSE, **SOON}, steps)


def cut(data: bytes, size: int = 1, pause_s: float = 0) -> list[Step]:
    """Cut bytes into packets."""
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return [step for piece in pieces for step in ((piece, pause_s) if pause_s else (piece,))]


# --- outcomes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What has to come of a fault: an answer, or an error.

    Attributes:
        text: The answer, or what the error holds of it.
        error: Exactly this class.
        retryable: What the error says of itself.
        begun: Whether something had come before, after which nothing is retried.
        says: A part of the error's message.
    """

    text: str = ""
    error: type[QwenAudioError] | None = None
    retryable: bool = False
    begun: bool = False
    says: str = ""

    def requests(self, max_retries: int) -> int:
        return 1 + max_retries * (self.retryable and not self.begun)


def answer(text: str) -> Outcome:
    return Outcome(text)


def lasting(error: type[QwenAudioError], says: str = "") -> Outcome:
    """Expect an error that a retry cannot help."""
    return Outcome(error=error, says=says)


def passing(error: type[QwenAudioError], says: str = "") -> Outcome:
    """Expect an error after all retries."""
    return Outcome(error=error, retryable=True, says=says)


def broken(error: type[QwenAudioError], text: str, says: str = "") -> Outcome:
    """Expect an error in the middle of an answer, which may pass but is not retried."""
    return Outcome(text, error, retryable=True, begun=True, says=says)


@dataclass(frozen=True)
class Fault:
    """A reply, and what comes of it.

    Attributes:
        reply: What every request is answered with.
        whole: What comes of `invoke` and `ainvoke`; None if this is not about them.
        streamed: The same for `stream` and `astream`.
        timeout: The model's, in seconds.
    """

    reply: Scripted
    whole: Outcome | None = None
    streamed: Outcome | None = None
    timeout: float = HANG_S

    def outcome(self, way: CallModel) -> Outcome | None:
        return self.streamed if way in {stream, astream} else self.whole


def every_way(reply: Scripted, outcome: Outcome, timeout: float = HANG_S) -> Fault:
    return Fault(reply, outcome, outcome, timeout)


def every_call(faults: Mapping[str, Fault]) -> Callable[[Test], Test]:
    """Run a test with each fault, and each way to call that it is about."""
    ways = (invoke, ainvoke, stream, astream)
    return _calls((name, fault, ways) for name, fault in faults.items())


def calls_in_turn(faults: Mapping[str, Fault]) -> Callable[[Test], Test]:
    """Run a test with each fault, a whole answer and a stream: where sync and async share code."""
    ways = itertools.cycle([(invoke, astream), (ainvoke, stream)])
    return _calls((name, fault, next(ways)) for name, fault in faults.items())


def _calls(faults: Iterable[tuple[str, Fault, Iterable[CallModel]]]) -> Callable[[Test], Test]:
    rows = {
        f"{name}, {way.__name__}": (fault, way)
        for name, fault, ways in faults
        for way in ways
        if fault.outcome(way)
    }
    return each_row("fault, way", rows)


def assert_outcome(fault: Fault, way: CallModel, max_retries: int) -> None:
    """Call a model of a service with that fault; check what comes, and of how many requests."""
    expected = fault.outcome(way)
    assert expected is not None
    text, error = "", None
    with LocalDashScope(reply=fault.reply) as server:
        model = ChatQwenAudio(
            base_url=server.base_url,
            api_key="local",
            timeout=fault.timeout,
            max_retries=max_retries,
        )
        try:
            text = way(model, "?").text
        except QwenAudioError as caught:
            error = caught
        assert type(error) is (expected.error or type(None)), repr(error)
        if error is not None:
            text = error.text
            assert error.is_retryable == expected.retryable
            assert expected.says in str(error)
            assert error.message.strip()
        assert text == expected.text
        assert len(server.requests) == expected.requests(max_retries)


# --- below HTTP -------------------------------------------------------------------------------


@contextlib.contextmanager
def replying(data: bytes) -> Iterator[str]:
    """Reply to every connection with the same bytes; yields a base URL.

    The head goes first and alone: aiohttp reads a body that comes with it otherwise.
    """
    head, blank, rest = data.partition(b"\r\n\r\n")

    def serve(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65_536)
                    connection.sendall(head + blank)
                    time.sleep(0.05)
                    connection.sendall(rest)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/api/v1"
        listener.shutdown(socket.SHUT_RDWR)
