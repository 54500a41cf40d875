"""Transcription in tasks on the server's side: messages and samples in, the service's events out.

Messages of the client are taken one by one, at once. What is sent is a queue of jobs, so that
sentences come in order, however long it takes to transcribe them. What is wrong ends the task, and
the connection with it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias

from langchain_qwen_audio.local._json import read_json
from langchain_qwen_audio.local._live.events import Event
from langchain_qwen_audio.local._live.task_audio import Begun, Quiet, Spoken, TaskAudio
from langchain_qwen_audio.local._live.task_events import TaskWriter, failed_event
from langchain_qwen_audio.local._live.task_request import read_header, read_run_task
from langchain_qwen_audio.local._live.wire import ClosedError, Wire, play
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import JobFailure, LiveReply

MAX_WAIT_S: Final = 23.0  # for the next message of a client, says the text of the error
_INVALID_DATA = 1007  # the close code; no page says which one it is

Job: TypeAlias = Callable[[], Awaitable[None]]


class TaskAnswers(Protocol):
    """What tasks take from the server."""

    def take_failure(self) -> JobFailure | None:
        """Take the next reply of the script, if it says how a task fails."""

    async def recognize(self, pcm: bytes) -> Any:
        """Take the next reply of the script, or transcribe samples."""


@dataclass(frozen=True)
class RunningTask:
    """A task, between its `run-task` and its `finish-task`."""

    task_id: str
    audio: TaskAudio
    writer: TaskWriter


class TaskSession:
    """A connection with one task after another."""

    def __init__(self, answers: TaskAnswers, wire: Wire, max_wait_s: float = MAX_WAIT_S) -> None:
        """Take what answers, the socket, and how long it waits for the next message."""
        self._answers = answers
        self._wire = wire
        self._max_wait_s = max_wait_s
        self._task: RunningTask | None = None
        self._task_id = ""  # of the latest message
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._limit: asyncio.TimerHandle | None = None
        self._is_closed = False

    async def begin(self) -> None:
        """Say nothing: the client begins."""

    async def work(self) -> None:
        """Do the jobs, one after another, until the session is over."""
        with contextlib.suppress(ClosedError):
            while True:
                await self._do(await self._jobs.get())

    async def _do(self, job: Job) -> None:
        """Do one job; a refusal, or a failure of this server, ends the session."""
        try:
            await job()
        except Refusal as refusal:
            await self._fail(refusal)
        except (TypeError, ValueError, AttributeError, LookupError) as error:
            msg = f"The local test server failed: {error!r}"
            await self._fail(Refusal(500, "InternalError", msg))

    async def take(self, message: str | bytes) -> None:
        """Take one message of the client."""
        if self._is_closed:
            return
        try:
            if isinstance(message, bytes):
                self._take_audio(message)
            else:
                self._take(message)
        except Refusal as refusal:
            self._refuse(refusal)
        except (TypeError, AttributeError) as error:
            self._refuse(_invalid_data(f"{error!r}"))
        self._wait_for_more()

    def _take(self, text: str) -> None:
        message = None
        with contextlib.suppress(ValueError):
            message = read_json(text)
        action, self._task_id = read_header(message)
        if action == "run-task":
            self._run(message)
        elif action == "finish-task" and self._task and self._task.task_id == self._task_id:
            self._finish(self._task)
        else:
            raise _invalid_data(f"{action} of a task that does not run, or is not played here")

    def _run(self, message: Any) -> None:
        if self._task is not None:
            raise _invalid_data("a task runs already")
        request = read_run_task(message)
        if failure := self._answers.take_failure():
            raise Refusal(400, failure.code, failure.message)
        self._task = RunningTask(request.task_id, TaskAudio(request), TaskWriter(request))
        self._send(self._task.writer.started())

    def _take_audio(self, pcm: bytes) -> None:
        if self._task is None:
            raise _invalid_data("no task has started")
        writer = self._task.writer
        for found in self._task.audio.append(pcm):
            match found:
                case Begun(begin_ms):
                    self._send(writer.begun(begin_ms))
                case Quiet(at_ms):
                    self._send(writer.heartbeat(at_ms))
                case Spoken():
                    self._transcribe(writer, found)

    def _finish(self, task: RunningTask) -> None:
        for spoken in task.audio.stop():
            self._transcribe(task.writer, spoken)
        self._send(task.writer.finished(task.audio.at_ms))
        self._task = None

    # --- what is sent ---

    def _send(self, events: Iterable[Event]) -> None:
        """Send events, which are written when their turn comes."""

        async def job() -> None:
            for event in events:
                await self._wire.send(event)

        self._jobs.put_nowait(job)

    def _transcribe(self, writer: TaskWriter, spoken: Spoken) -> None:
        self._jobs.put_nowait(lambda: self._recognize(writer, spoken))

    async def _recognize(self, writer: TaskWriter, spoken: Spoken) -> None:
        reply = await self._answers.recognize(spoken.pcm)
        match reply:
            case LiveReply():
                await play(reply, self._wire)
                return
            case JobFailure(code, message):
                raise Refusal(400, code, message)
        await asyncio.sleep(reply.delay_s)
        for event in writer.sentence(reply, spoken):
            await self._wire.send(event)
            await asyncio.sleep(reply.pause_s)

    def _refuse(self, refusal: Refusal) -> None:
        """Fail, when what was found before is sent."""
        self._is_closed = True
        self._jobs.put_nowait(lambda: self._fail(refusal))

    async def _fail(self, refusal: Refusal) -> None:
        self._is_closed = True
        await self._wire.send(failed_event(self._task_id, refusal))
        await self._wire.close(_INVALID_DATA, "")
        raise ClosedError from refusal

    def _wait_for_more(self) -> None:
        """Begin to wait for the next message, as long as a task runs."""
        if self._limit is not None:
            self._limit.cancel()
        if self._task is not None:
            msg = f"request timeout after {self._max_wait_s:g} seconds."
            refusal = Refusal(400, "CLIENT_ERROR", msg)
            loop = asyncio.get_running_loop()
            self._limit = loop.call_later(self._max_wait_s, self._refuse, refusal)


def _invalid_data(why: str) -> Refusal:
    return Refusal(400, "CLIENT_ERROR", f"Invalid payload data: {why}")
