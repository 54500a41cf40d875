"""Turns of an event loop, kept short: a thousand calls at once do not keep its other tasks waiting.

In one turn, a loop runs every task that can go on. Here, so many begin a call or take an event of a
stream; the others do that in the next turns, in the order in which they came.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque

PER_TURN = 50  # beginning a call takes most: some 0.5 ms


class Turns:
    """The turns of one loop."""

    def __init__(self) -> None:
        self._left = PER_TURN
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Take a place in a turn, which most often is the present one."""
        loop = asyncio.get_running_loop()
        if self._left == PER_TURN:
            loop.call_soon(self._begin)
        if self._left:
            self._left -= 1
            return
        place = loop.create_future()
        self._waiting.append(place)
        await place

    def _begin(self) -> None:
        """Begin the next turn, with those who wait."""
        self._left = PER_TURN
        while self._left and self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # those that were cancelled are
                place.set_result(None)
                self._left -= 1
        if self._left < PER_TURN:
            asyncio.get_running_loop().call_soon(self._begin)


_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = weakref.WeakKeyDictionary()


def turns() -> Turns:
    """Find the turns of the loop that runs."""
    return _of_loops.setdefault(asyncio.get_running_loop(), Turns())
