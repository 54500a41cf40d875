"""Events between the connection and who reads them: bounded, however slowly they are read."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from langchain_qwen_audio._live.events import AudioDelta

E = TypeVar("E")

MAX_WAITING_BYTES = 16 * 1024 * 1024  # almost 6 minutes of speech
_EVENT_BYTES = 512  # about what an event takes besides its samples


class EventQueue(Generic[E]):
    """A queue of events, up to its end."""

    def __init__(self, max_bytes: int = MAX_WAITING_BYTES) -> None:
        """Take how many bytes may wait."""
        self._max_bytes = max_bytes
        self._events: deque[E] = deque()
        self._bytes = 0
        self._silenced: str | None = None
        self._changed = asyncio.Event()
        self._is_ended = False
        self._error: BaseException | None = None

    async def put(self, event: E) -> None:
        """Add an event; wait while too much waits to be read."""
        if isinstance(event, AudioDelta) and event.response_id == self._silenced:
            return
        while self._events and self._bytes + _size(event) > self._max_bytes:
            await self._change()
        self._events.append(event)
        self._bytes += _size(event)
        self._changed.set()

    async def get(self) -> E:
        """Take the next event; wait for it.

        Raises:
            StopAsyncIteration: No more come.
            QwenAudioError: The session broke.
        """
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._is_ended:
                raise StopAsyncIteration
            await self._change()
        event = self._events.popleft()
        self._bytes -= _size(event)
        self._changed.set()
        return event

    def silence(self, response_id: str) -> None:
        """Forget the speech of an answer, what waits of it and what still comes."""
        self._silenced = response_id
        kept = [
            event
            for event in self._events
            if not isinstance(event, AudioDelta) or event.response_id != response_id
        ]
        self._events = deque(kept)
        self._bytes = sum(map(_size, kept))
        self._changed.set()

    def end(self, error: BaseException | None = None) -> None:
        """Say that no more come, or why."""
        if not self._is_ended:
            self._is_ended, self._error = True, error
        self._changed.set()

    @property
    def is_ended(self) -> bool:
        """Whether no more come."""
        return self._is_ended

    @property
    def error(self) -> BaseException | None:
        """Why no more come, if that is an error."""
        return self._error

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()


def _size(event: object) -> int:
    return _EVENT_BYTES + (len(event.pcm) if isinstance(event, AudioDelta) else 0)
