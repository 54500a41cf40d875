"""What a call takes → counts that are the same each time: functions, opened files, callbacks."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import langchain_qwen_audio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE = str(Path(langchain_qwen_audio.__file__).parent)


def count_functions(way: Callable[[], object]) -> Counter[str]:
    """Count the calls of this package's functions, by module and name; comprehensions are none.

    A generator that goes on where it was is not on the first line of its function.
    """
    found: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        begins = event == "call" and frame.f_lineno == code.co_firstlineno
        if begins and code.co_filename.startswith(PACKAGE) and code.co_name[0] != "<":
            found[f"{Path(code.co_filename).stem}.{code.co_name}"] += 1

    sys.setprofile(note)
    try:
        way()
    finally:
        sys.setprofile(None)
    return found


def count_opens(path: Path, way: Callable[[], object]) -> int:
    """Count how often this process opens a file."""
    opened: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and arguments[1]:  # without a mode it is the descriptor of the same
            opened.append(str(arguments[0]))

    sys.addaudithook(note)  # which stays
    way()
    return opened.count(str(path))


@contextlib.contextmanager
def counted(owner: type, name: str) -> Iterator[list[None]]:
    """Note each call of a method."""
    method, calls = getattr(owner, name), list[None]()

    def note(*arguments: Any, **options: Any) -> Any:
        calls.append(None)
        return method(*arguments, **options)

    with patch.object(owner, name, note):
        yield calls


async def count_callbacks(way: Callable[[], Any]) -> tuple[int, int]:
    """Count what an awaited call has the event loop run, and what it gives to threads."""
    loop = asyncio.BaseEventLoop
    with counted(loop, "call_soon") as callbacks, counted(loop, "run_in_executor") as threads:
        await way()
    return len(callbacks), len(threads)
