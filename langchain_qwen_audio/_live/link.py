"""Opening a live session: connect, send the settings, begin to read.

Imported with the first session, since it imports the SDK and aiohttp.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from langchain_qwen_audio._live.client_events import update_session
from langchain_qwen_audio._live.connection import LiveConnection
from langchain_qwen_audio._live.reader_task import EventReader, ReaderTask

if TYPE_CHECKING:
    from typing import Any

    from langchain_qwen_audio._live.address import LiveAddress
    from langchain_qwen_audio._live.event_queue import EventQueue
    from langchain_qwen_audio._settings import BaseChatQwenAudio

R = TypeVar("R", bound=EventReader)


class Link(NamedTuple, Generic[R]):
    """A session that has begun: its connection, what reads its events, and the task that does."""

    connection: LiveConnection
    reader: R
    task: ReaderTask

    async def close(self) -> None:
        """End it."""
        await self.task.stop()
        await self.connection.close()


async def open_link(
    settings: BaseChatQwenAudio,
    address: LiveAddress,
    session: dict[str, Any],
    reader: R,
    events: EventQueue,
) -> Link[R]:
    """Connect, and wait until the settings of the session are in force.

    Raises:
        QwenAudioError: The service does not open the session, or does not take its settings.
    """
    connection = LiveConnection(address, settings.timeout)
    await connection.open(settings.max_retries)
    try:
        task = ReaderTask(connection, reader, events, settings.timeout)
        await task.begin(update_session(session))
    except BaseException:
        await connection.close()
        raise
    return Link(connection, reader, task)
