"""Generators → what they yield, one after the other, while threads read on in the next ones."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING, Generic, TypeVar

from langchain_qwen_audio._daemon_threads import DaemonThreads

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

AHEAD = 2  # values of each generator that may wait

_T = TypeVar("_T")


def read_ahead(sources: Iterable[Generator[_T]], readers: int, thread_name: str) -> Generator[_T]:
    """Yield what generators yield, in order; as many as there are readers are read at once.

    Each generator runs in one thread, from its beginning until it is closed.
    """
    waiting: deque[_Reader[_T]] = deque()
    with DaemonThreads(readers, thread_name) as threads:
        try:
            for source in sources:
                waiting.append(_Reader(source, threads))
                if len(waiting) >= readers:
                    yield from waiting[0]
                    waiting.popleft()
            while waiting:
                yield from waiting[0]
                waiting.popleft()
        finally:
            for reader in waiting:
                reader.stop()


class _Reader(Generic[_T]):
    """A generator, and the first of its values that nobody has taken yet."""

    def __init__(self, source: Generator[_T], threads: DaemonThreads) -> None:
        self._source = source
        self._ready: SimpleQueue[list[_T]] = SimpleQueue()  # of one value; none is the end
        self._free = threading.Semaphore(AHEAD)
        self._is_stopped = False
        self._reading = threads.submit(self._read)

    def _read(self) -> None:
        try:
            with contextlib.closing(self._source):
                for value in self._source:
                    self._free.acquire()
                    if self._is_stopped:
                        return
                    self._ready.put([value])
        finally:
            self._ready.put([])

    def __iter__(self) -> Iterator[_T]:
        while found := self._ready.get():
            self._free.release()
            yield found[0]
        self._reading.result()

    def stop(self) -> None:
        """Have the generator closed, as soon as it has yielded its next value."""
        self._is_stopped = True
        self._free.release()
