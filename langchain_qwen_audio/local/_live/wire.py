"""What a session writes to: events, texts, closes, and scripted faults."""

import asyncio
import math
from typing import Protocol

from langchain_qwen_audio.local._live.events import Event
from langchain_qwen_audio.local._replies import END, RESET, CloseCode, LiveReply


class Wire(Protocol):
    """The socket of a session."""

    async def send(self, event: Event | str) -> None:
        """Send an event, or a text as it is."""

    async def close(self, code: int, reason: str) -> None:
        """Close with a code."""

    def reset(self) -> None:
        """Break the connection (TCP RST)."""

    def end(self) -> None:
        """Close the socket without a closing frame."""


class ClosedError(Exception):
    """The session is over."""


async def play(reply: LiveReply, wire: Wire) -> None:
    """Send exactly what is scripted.

    Raises:
        ClosedError: That ended the session.
    """
    for step in reply.steps:
        match step:
            case str() | dict():
                await wire.send(step)
            case CloseCode(code, reason):
                await wire.close(code, reason)
                raise ClosedError
            case float() | int():
                await (asyncio.sleep(step) if step < math.inf else asyncio.Event().wait())
            case _ if step is RESET:
                wire.reset()
                raise ClosedError
            case _ if step is END:
                wire.end()
                raise ClosedError
