"""Generators that threads read ahead: in order, bounded, closed, and errors where they came."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio._transcription.read_ahead import AHEAD, read_ahead
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Generator

COUNT = 10


class Source:
    """Generators of numbers, which note what was done with them."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at = fails_at
        self.made: list[int] = []
        self.closed: list[int] = []
        self.threads: set[int] = set()

    def numbers(self, start: int) -> Generator[int]:
        try:
            for number in range(start, start + COUNT):
                if number == self.fails_at:
                    raise ValueError(number)
                self.made.append(number)
                self.threads.add(threading.get_ident())
                yield number
        finally:
            self.closed.append(start)

    def read(self, starts: range, readers: int) -> Generator[int]:
        return read_ahead(map(self.numbers, starts), readers, "reading")


@pytest.mark.parametrize("sources", [0, 1, 5])
def test_values_come_in_order(sources: int) -> None:
    for readers in (1, 2, 3, 9):
        source = Source()
        starts = range(0, sources * COUNT, COUNT)
        assert list(source.read(starts, readers)) == list(range(sources * COUNT)), readers
        assert sorted(source.closed) == list(starts), readers


def test_no_more_is_read_than_may_wait() -> None:
    source = Source()
    values = source.read(range(0, 5 * COUNT, COUNT), 2)
    assert next(values) == 0
    # One that was taken, some that wait, and one that will wait next; and the same of the next one.
    most = {*range(AHEAD + 2), *range(COUNT, COUNT + AHEAD + 1)}
    wait_until(lambda: set(source.made) == most)
    assert threading.get_ident() not in source.threads
    values.close()


def test_no_more_sources_are_taken_than_there_are_readers() -> None:
    source, taken = Source(), []

    def starts() -> Generator[int]:
        for start in itertools.count(0, COUNT):
            taken.append(start)
            yield start

    values = read_ahead(map(source.numbers, starts()), 3, "reading")
    for number in range(2 * COUNT + 1):
        assert next(values) == number
        assert len(taken) == number // COUNT + 3
    values.close()


def test_an_error_comes_where_it_was_raised() -> None:
    values = Source(fails_at=COUNT + 3).read(range(0, 3 * COUNT, COUNT), 2)
    assert [next(values) for _ in range(COUNT + 3)] == list(range(COUNT + 3))
    with pytest.raises(ValueError, match="13"):
        next(values)


def test_closing_closes_all_that_was_begun() -> None:
    source = Source()
    values = source.read(range(0, 5 * COUNT, COUNT), 3)
    next(values)
    values.close()
    wait_until(lambda: sorted(source.closed) == [0, COUNT, 2 * COUNT])
