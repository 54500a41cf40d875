"""Opening a live session: connect, send the settings, begin to read.

Imported with the first session, since it imports the SDK and aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from langchain_qwen_audio._live.connection import LiveConnection
from langchain_qwen_audio._live.protocols import EventReader
from langchain_qwen_audio._live.reader_task import ReaderTask
from langchain_qwen_audio.errors import APIConnectionError

if TYPE_CHECKING:
    from langchain_qwen_audio._live.address import LiveAddress
    from langchain_qwen_audio._live.client_events import Opening, RawEvent
    from langchain_qwen_audio._live.event_queue import EventQueue
    from langchain_qwen_audio._settings import BaseChatQwenAudio

E = TypeVar("E")
R = TypeVar("R", bound=EventReader[Any])


class Link(NamedTuple, Generic[R, E]):
    """A session that has begun: its connection, what reads its events, and the task that does."""

    connection: LiveConnection
    reader: R
    task: ReaderTask[E]

    async def send(self, event: RawEvent | bytes) -> None:
        """Send an event, or samples as they are.

        Raises:
            QwenAudioError: The session is over.
        """
        self.task.check_open()
        try:
            await self.connection.send(event)
        except APIConnectionError:
            await self.task.wait_end()
            self.task.check_open()  # which knows better why
            raise

    async def close(self) -> None:
        """End it."""
        try:
            await self.task.stop()
        finally:
            await self.connection.close()


async def open_link(
    settings: BaseChatQwenAudio,
    address: LiveAddress,
    opening: Opening,
    reader: R,
    events: EventQueue[E],
) -> Link[R, E]:
    """Connect, and wait until the settings of the session are in force.

    Raises:
        QwenAudioError: The service does not open the session, or does not take its settings.
    """
    connection = LiveConnection(address, settings.timeout)
    await connection.open(settings.max_retries)
    try:
        task: ReaderTask[E] = ReaderTask(connection, reader, events, settings.timeout)
        await task.begin(opening)
    except BaseException:
        await connection.close()
        raise
    return Link(connection, reader, task)
