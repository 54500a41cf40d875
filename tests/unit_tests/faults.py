"""What a service, a proxy or a cable may do to an answer, as data; and what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.errors import QwenAudioError
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply, sse_event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from langchain_qwen_audio.local import ReceivedRequest, Scripted
    from langchain_qwen_audio.local._replies import Break

    Step = bytes | float | Break

JSON = {"content-type": "application/json"}
SSE = {"content-type": "text/event-stream;charset=UTF-8"}
SOON = {"retry-after-ms": "1"}
PATIENCE_S = 20.0


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
    """One row of the matrix.

    Attributes:
        reply: What every request is answered with.
        whole: What comes of `invoke` and `ainvoke`; None if the row is not about them.
        streamed: The same for `stream` and `astream`.
        timeout: The model's.
    """

    reply: Scripted
    whole: Outcome | None = None
    streamed: Outcome | None = None
    timeout: float = PATIENCE_S

    def outcome(self, way: str) -> Outcome | None:
        return self.streamed if way in {"stream", "astream"} else self.whole


def every_way(reply: Scripted, outcome: Outcome, timeout: float = PATIENCE_S) -> Fault:
    return Fault(reply, outcome, outcome, timeout)


# --- asking -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One call of the matrix; its `str` is the question, by which its requests are known."""

    fault: str
    way: str
    max_retries: int

    def __str__(self) -> str:
        return f"{self.fault} / {self.way} / {self.max_retries} retries"


@dataclass
class Seen:
    """What came of one call."""

    text: str = ""
    error: BaseException | None = None
    seconds: float = 0.0
    requests: int = 0


@dataclass
class Matrix:
    """Every case against one server, many at once."""

    faults: Mapping[str, Fault]
    threads: int = 48
    seen: dict[Case, Seen] = field(default_factory=dict)

    def run(self, cases: Sequence[Case]) -> Matrix:
        with LocalDashScope(reply=self._reply, max_log=100_000) as server:
            with ThreadPoolExecutor(self.threads) as pool:
                waiting = [pool.submit(self._ask, server, c) for c in cases if c.way[0] != "a"]
                asyncio.run(self._aask_all(server, [c for c in cases if c.way[0] == "a"]))
                for one in waiting:
                    one.result()
            questions = (_question(request) for request in server.requests)
            requests = Counter(question for question in questions)
        for case, seen in self.seen.items():
            seen.requests = requests[str(case)]
        return self

    def _reply(self, request: ReceivedRequest) -> str | Reply | RawReply:
        reply = self.faults[_question(request).partition(" / ")[0]].reply
        return reply(request) if callable(reply) else reply

    def _model(self, server: LocalDashScope, case: Case) -> ChatQwenAudio:
        timeout = self.faults[case.fault].timeout
        return ChatQwenAudio(
            base_url=server.base_url, api_key="local", timeout=timeout, max_retries=case.max_retries
        )

    def _ask(self, server: LocalDashScope, case: Case) -> None:
        model, seen = self._model(server, case), self.seen.setdefault(case, Seen())
        began = time.monotonic()
        try:
            if case.way == "invoke":
                seen.text = model.invoke(str(case)).text
            else:
                for chunk in model.stream(str(case)):
                    seen.text += chunk.text
        except BaseException as error:  # noqa: BLE001  # which one is for the test to judge
            seen.error = error
        seen.seconds = time.monotonic() - began

    async def _aask_all(self, server: LocalDashScope, cases: Sequence[Case]) -> None:
        gate = asyncio.Semaphore(self.threads)

        async def ask(case: Case) -> None:
            async with gate:
                await self._aask(server, case)

        await asyncio.gather(*map(ask, cases))

    async def _aask(self, server: LocalDashScope, case: Case) -> None:
        model, seen = self._model(server, case), self.seen.setdefault(case, Seen())
        began = time.monotonic()
        try:
            if case.way == "ainvoke":
                seen.text = (await model.ainvoke(str(case))).text
            else:
                async for chunk in model.astream(str(case)):
                    seen.text += chunk.text
        except BaseException as error:  # noqa: BLE001
            seen.error = error
        seen.seconds = time.monotonic() - began


def _question(request: ReceivedRequest) -> str:
    return str(request.messages[-1]["content"][0]["text"])


# --- below HTTP -------------------------------------------------------------------------------


@contextlib.contextmanager
def answering(data: bytes) -> Iterator[str]:
    """Answer every connection with the same bytes, whatever is asked; yields a base URL.

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


def error_within(seconds: float, work: Callable[[], object]) -> BaseException:
    """Return what `work` raises; fail if it hangs or returns."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert not thread.is_alive(), "It hangs."
    assert raised, "It did not fail."
    return raised[0]
