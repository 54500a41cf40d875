"""Turns of an event loop, kept short: a thousand calls at once do not keep its other tasks waiting.

In one turn, a loop runs every task that can go on. Here, so many begin a call or take an event of a
stream; the others do that in the next turns. Those that begin go first; after them, the stream that
began first, so that it ends, and what LangChain keeps of a stream until then does not pile up.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import weakref

PER_TURN = 20  # beginning a call takes most: some 0.5 ms
FIRST = 0


class Turns:
    """The turns of one loop."""

    def __init__(self) -> None:
        self._left = PER_TURN
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap
        self._numbers = itertools.count(1)

    def new_rank(self) -> int:
        """Make the rank of a stream that begins: behind all that have begun."""
        return next(self._numbers)

    async def take(self, rank: int = FIRST) -> None:
        """Take a place in a turn, which most often is the present one.

        Args:
            rank: Who goes first, of those who wait.
        """
        loop = asyncio.get_running_loop()
        if self._left == PER_TURN:
            loop.call_soon(self._begin)
        if self._left:
            self._left -= 1
            return
        place = loop.create_future()
        heapq.heappush(self._waiting, (rank, next(self._numbers), place))
        await place

    def _begin(self) -> None:
        """Begin the next turn, with those who wait."""
        self._left = PER_TURN
        while self._left and self._waiting:
            *_, place = heapq.heappop(self._waiting)
            if not place.done():  # those that were cancelled are
                place.set_result(None)
                self._left -= 1
        if self._left < PER_TURN:
            asyncio.get_running_loop().call_soon(self._begin)


_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Turns] = weakref.WeakKeyDictionary()


def turns() -> Turns:
    """Find the turns of the loop that runs."""
    return _of_loops.setdefault(asyncio.get_running_loop(), Turns())
