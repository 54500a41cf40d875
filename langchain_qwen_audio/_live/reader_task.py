"""The task that reads a live session: events in, until its end; how long it waits for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from langchain_qwen_audio._live.cancellation import is_being_cancelled
from langchain_qwen_audio._live.client_events import kind_of
from langchain_qwen_audio._live.connection import PING_S, LiveConnection
from langchain_qwen_audio._live.events import ErrorReported
from langchain_qwen_audio.errors import (
    APITimeoutError,
    InvalidRequestError,
    QwenAudioError,
    StreamInterruptedError,
    StreamTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from langchain_qwen_audio._live.client_events import Opening
    from langchain_qwen_audio._live.event_queue import EventQueue
    from langchain_qwen_audio._live.protocols import EventReader

E = TypeVar("E")

_SILENT_S = 2.5 * PING_S  # without a sign of life a connection is gone
_NORMAL = 1000  # the close code
_END_S = 3.0  # more than closing takes
_CANCELLED = "reading was cancelled, for example by a callback that raised asyncio.CancelledError"
_UNCONFIRMED_END_S = 5.0  # of silence, of a model that does not confirm the end


async def _do_nothing() -> None:
    pass


class ReaderTask(Generic[E]):
    """Reads one connection, and says when it is silent for too long.

    While an answer is awaited, `timeout` is the longest silence. Otherwise a session may be silent
    as long as its connection lives, which pings find out.

    Attributes:
        is_finishing: Whether the end was requested.
        is_passing_on: Whether an event was read that has not been passed on as a whole. The reader
            already knows what followed from it; nobody else does.
    """

    def __init__(
        self,
        connection: LiveConnection,
        reader: EventReader[E],
        events: EventQueue[E],
        timeout: float,
    ) -> None:
        """Take what is read, by what, and where to."""
        self._connection = connection
        self._reader = reader
        self._events = events
        self._timeout = timeout
        self._pass_on: Callable[[E], Awaitable[None]] = events.put
        self._settle: Callable[[], Awaitable[None]] = _do_nothing
        self._is_busy: Callable[[], bool] = lambda: False
        self._limit = asyncio.timeout(None)
        self._task: asyncio.Task[None] | None = None
        self._is_confirmed = True
        self.is_finishing = False
        self.is_passing_on = False

    async def begin(self, opening: Opening) -> None:
        """Send what begins the session, and wait until it is in force.

        Raises:
            QwenAudioError: The service does not take it.
        """
        try:
            async with asyncio.timeout(self._timeout):
                if opening.after is not None:
                    await self._wait_for(opening.after)
                await self._connection.send(opening.event)
                await self._wait_for(opening.confirmed_by)
        except TimeoutError as error:
            raise APITimeoutError(
                f"the service did not begin the session within {self._timeout:g} s"
            ) from error

    async def _wait_for(self, kind: str) -> None:
        while True:
            event = await self._connection.receive()
            for read in self._reader.read(event) if event else ():
                if isinstance(read, ErrorReported):
                    raise read.error
            if event and kind_of(event) == kind:
                return

    def start(
        self,
        pass_on: Callable[[E], Awaitable[None]],
        settle: Callable[[], Awaitable[None]] = _do_nothing,
        is_busy: Callable[[], bool] = lambda: False,
    ) -> None:
        """Read from now on.

        Args:
            pass_on: Takes what is read.
            settle: Does what follows when all that one event says was passed on.
            is_busy: Tells whether something is under way that the service does not know of.
        """
        self._pass_on, self._settle, self._is_busy = pass_on, settle, is_busy
        self._task = asyncio.create_task(self._run())

    def expect(self) -> None:
        """Note that something was requested: the time for it begins now."""
        is_running = self._limit.when() is not None and not self._limit.expired()
        if self._task and not self._task.done() and is_running:
            self._reschedule()

    def finish(self, *, is_confirmed: bool) -> None:
        """Note that the end was requested, and whether the service confirms it."""
        self.is_finishing, self._is_confirmed = True, is_confirmed
        self.expect()

    def check_open(self) -> None:
        """Refuse to send more when the session is over.

        Raises:
            QwenAudioError: It is.
        """
        if self._events.error is not None:
            raise self._events.error
        if self._task is None or self._events.is_ended:
            raise InvalidRequestError("the session is not open: nothing can be sent")

    async def wait_end(self) -> None:
        """Wait until the end of a broken connection was read; it comes at once."""
        if self._task is not None and self._task is not asyncio.current_task():
            await asyncio.wait([self._task], timeout=_END_S)

    async def wait_for(self, event: asyncio.Event) -> None:
        """Wait for something that is set when an event is read, or for the end of the session."""
        waiting = asyncio.ensure_future(event.wait())
        first = {waiting, self._task or waiting}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()

    def fail(self, error: BaseException) -> None:
        """End the session with an error."""
        self._events.end(error)
        if self._task is not None:
            self._task.cancel()

    def end(self) -> None:
        """End the session in good order."""
        self._events.end()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()

    async def stop(self) -> None:
        """End the session, and wait until nothing is read any more."""
        if not self._events.is_ended:  # else the task closes the connection, in good order
            self.end()
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(None) as self._limit:
                self._reschedule()
                while not (self._reader.is_finished or self._events.is_ended):
                    await self._read_next()
            self._events.end(self._early_end())
        except asyncio.CancelledError:
            self._events.end(self._with_text(StreamInterruptedError(_CANCELLED)))
            if is_being_cancelled():
                raise
        except TimeoutError as error:
            self._events.end(self._silence_error() if self._limit.expired() else error)
        except QwenAudioError as error:
            self._events.end(self._explained(error))
        except Exception as error:  # noqa: BLE001  # a bug: whoever reads the events sees it
            self._events.end(error)
        await self._connection.close()  # who still sends must not wait for a service that is silent

    async def _read_next(self) -> None:
        event = await self._connection.receive()
        if event is None:
            if not self._awaits:  # a sign of life is no answer
                self._reschedule()
            return
        self._limit.reschedule(None)  # a slow reader is no silence of the service
        self.is_passing_on = True
        try:
            for read in self._reader.read(event):
                await self._pass_on(read)
        finally:
            self.is_passing_on = False
        self._reschedule()
        await self._settle()

    @property
    def _awaits(self) -> bool:
        return self._reader.awaits_answer or self._awaits_end

    @property
    def _awaits_end(self) -> bool:
        return self.is_finishing and not self._is_busy()

    @property
    def _ends_silently(self) -> bool:
        return self._awaits_end and not (self._is_confirmed or self._reader.awaits_answer)

    @property
    def _wait_s(self) -> float:
        """The longest silence of the service."""
        if self._ends_silently:
            return _UNCONFIRMED_END_S
        return self._timeout if self._awaits else _SILENT_S

    def _reschedule(self) -> None:
        self._limit.reschedule(asyncio.get_running_loop().time() + self._wait_s)

    def _silence_error(self) -> QwenAudioError | None:
        if self._ends_silently:
            return None
        silence = f"the service fell silent for {self._wait_s:g} s"
        return self._with_text(StreamTimeoutError(silence))

    def _early_end(self) -> QwenAudioError | None:
        """Say what it means that the session is over: nothing, where that was requested."""
        is_due = self._awaits_end and not self._reader.awaits_answer
        if self._events.is_ended or is_due:
            return None
        return self._with_text(StreamInterruptedError("the service ended the session too early"))

    def _explained(self, error: QwenAudioError) -> QwenAudioError | None:
        """Say what a broken session means: nothing, where it is the only end that comes."""
        if self._ends_silently and self._connection.close_code == _NORMAL:
            return None
        return self._with_text(error)

    def _with_text(self, error: QwenAudioError) -> QwenAudioError:
        error.text = self._reader.text
        return error
