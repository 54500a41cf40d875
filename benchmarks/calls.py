"""One call after the other, from this package and its peers in turns → times of each."""

from __future__ import annotations

import statistics
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.peers import (
    CHAT_OPENAI,
    FLOOR,
    MESSAGES,
    OURS,
    QUESTION,
    SDK,
    Sdk,
    make_model,
)
from benchmarks.service import NATIVE, PIECES, Service
from benchmarks.table import Beside, Row, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


def measure() -> Iterator[Row]:
    """Time calls with a short message, and streams."""
    with Service() as service:
        models = {name: make_model(name, service.url()) for name in (FLOOR, CHAT_OPENAI, OURS)}
        asks: dict[str, Any] = {
            name: partial(model.invoke, QUESTION) for name, model in models.items()
        }
        streams: dict[str, Any] = {
            name: partial(model.stream, QUESTION) for name, model in models.items()
        }
        sdk = Sdk(service.url() + NATIVE)
        asks[SDK], streams[SDK] = partial(sdk.invoke, MESSAGES), partial(sdk.stream, MESSAGES)
        yield _row("`invoke`, a short message", timed(asks, 60), 1.1, 0.5)
        whole = {name: partial(_read_all, ask) for name, ask in streams.items()}
        yield _row(f"`stream`, {PIECES} fragments", timed(whole, 40), 1.15, 0.35)


def timed(
    ways: Mapping[str, Callable[[], object]], rounds: int, in_a_row: int = 10
) -> dict[str, list[float]]:
    """Time ways to do the same, in turns of some in a row; the medians of each, in ms."""
    turns: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, way in ways.items():
            times = []
            for _ in range(in_a_row):
                began = time.perf_counter()
                way()
                times.append(1000 * (time.perf_counter() - began))
            turns[name].append(statistics.median(times))
    return {name: medians[1:] for name, medians in turns.items()}  # the first one warms up


def beside(
    turns: Mapping[str, list[float]], *names: str, target: float | None = None, mine: str = OURS
) -> Beside:
    """Compare turns with those of peers together.

    The ratio is the median of each turn's ratio: a machine that is slower for a while is so for
    all who take part in the turn.
    """
    others = [sum(it) for it in zip(*(turns[name] for name in names), strict=True)]
    ratios = (value / other for value, other in zip(turns[mine], others, strict=True))
    return Beside(
        " + ".join(names),
        statistics.median(others),
        None if target is None else Target(target),
        statistics.median(ratios),
    )


def _row(what: str, turns: dict[str, list[float]], limit: float, otherwise: float) -> Row:
    return Row(
        what,
        statistics.median(turns[OURS]),
        "ms",
        otherwise=beside(turns, CHAT_OPENAI, target=otherwise),
        limit=beside(turns, SDK, FLOOR, target=limit),
    )


def _read_all(ask: Callable[[], Iterator[object]]) -> None:
    """Wait for every fragment."""
    for _ in ask():
        pass
