"""Tables within one test: the rows share its fixtures, and a failure names its row."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from langchain_qwen_audio._models.routes import find_route
from langchain_qwen_audio._service import uploads
from langchain_qwen_audio.local import LocalDashScope

from .calling_modes import ainvoke, astream, astream_chunks, invoke, stream, stream_chunks

Test = Callable[..., Any]
_Table = Iterable[Any] | Mapping[str, Any]


def each_row(names: str, table: _Table) -> Callable[[Test], Test]:
    """Run a test with each row of a table, one after the other, as if each were the first.

    Args:
        names: The arguments that a row is for, with commas.
        table: Rows, or names of rows → rows; a row for one argument is its value.
    """
    keys = names.split(", ")
    rows = [(name, _values(keys, row)) for name, row in _named(table)]

    def over_rows(test: Test) -> Test:
        @functools.wraps(test)
        def run(*args: Any, **given: Any) -> None:
            for name, values in rows:
                with _row(f"{names}: {name}", given):
                    test(*args, **given, **values)

        @functools.wraps(test)
        async def arun(*args: Any, **given: Any) -> None:
            for name, values in rows:
                with _row(f"{names}: {name}", given):
                    await test(*args, **given, **values)

        whole: Test = arun if inspect.iscoroutinefunction(test) else run
        signature = inspect.signature(test)
        rest = [it for key, it in signature.parameters.items() if key not in keys]
        vars(whole)["__signature__"] = signature.replace(parameters=rest)
        return whole

    return over_rows


def _named(table: _Table) -> Iterator[tuple[str, Any]]:
    if isinstance(table, Mapping):
        yield from table.items()
    else:
        yield from ((getattr(row, "__name__", None) or repr(row), row) for row in table)


def _values(keys: list[str], row: Any) -> dict[str, Any]:
    return dict(zip(keys, row if len(keys) > 1 else (row,), strict=True))


@contextlib.contextmanager
def _row(name: str, fixtures: Mapping[str, Any]) -> Iterator[None]:
    _start_afresh(fixtures.values())
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the row of {name}")
        raise


def _start_afresh(fixtures: Iterable[Any]) -> None:
    """Forget what servers were sent, what they still were to reply, and what is kept of others."""
    for server in fixtures:
        if isinstance(server, LocalDashScope):
            server.clear()
            for replies in vars(server._scripts).values():
                replies.clear()
    forget_servers()


def forget_servers() -> None:
    """Forget what is kept by address: an earlier test's server may have had the port of another."""
    for kept in (uploads._policies, uploads._urls):
        kept._cache.clear()
    find_route.cache_clear()


# One way that waits and one that streams, one sync and one async; or all.
two_modes = each_row("call_model", (invoke, astream))
every_mode = each_row("call_model", (invoke, ainvoke, stream, astream))
two_streams = each_row("chunks_of", (stream_chunks, astream_chunks))
two_protocols = each_row("protocol", ("native", "openai"))
