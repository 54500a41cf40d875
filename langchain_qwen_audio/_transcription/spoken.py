"""Sentences, or their texts → in order, joined, and what they have in common. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class Starting(Protocol):
    """What starts at a time, if it is known."""

    @property
    def start_s(self) -> float | None: ...


Started = TypeVar("Started", bound=Starting)
# Chinese and Japanese, with their marks: there are no spaces between sentences.
_CHINESE_OR_JAPANESE = re.compile("[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")


def sort_by_time(spoken: Iterable[Started]) -> list[Started]:
    """Sort by the time when they start; one whose time is not known stays behind the one before."""
    found, starts = list(spoken), [0.0]
    for it in found:
        starts.append(starts[-1] if it.start_s is None else it.start_s)
    return [found[at] for at in sorted(range(len(found)), key=starts[1:].__getitem__)]


def separator_between(before: str, after: str) -> str:
    """Say what stands between two sentences: a space; in Chinese and Japanese nothing."""
    ends = before[-1:], after[:1]
    return "" if "" in ends or all(map(_CHINESE_OR_JAPANESE.match, ends)) else " "


def join_spoken(texts: Iterable[str]) -> str:
    """Join the texts of sentences, with what stands between them.

    Example:
        `join_spoken(["早。", "你好。", "Hi."])` is `"早。你好。 Hi."`.
    """
    joined = ""
    for text in map(str.strip, texts):
        joined += separator_between(joined, text) + text
    return joined


def common_value(things: Iterable[object], name: str) -> Any:
    """Take what all have in a field; None if that is not the same."""
    values = {getattr(it, name) for it in things}
    return values.pop() if len(values) == 1 else None
