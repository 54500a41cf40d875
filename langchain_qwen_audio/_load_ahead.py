"""Names of modules that are needed next → loaded while the first worker process starts.

Whoever opens a recording, in a program that has a chat model, is about to send it: the SDK takes
longer to load than a worker to start, and one waits for both only once.
"""

from __future__ import annotations

import logging
from importlib import import_module

logger = logging.getLogger(__name__)

_names: list[str] = []


def load_later(name: str) -> None:
    """Note a module that will be needed after a recording was opened."""
    _names.append(name)


def load_now() -> None:
    """Load what was noted, once.

    A module that cannot be loaded is no error of the recording: whoever needs the module imports it
    again, and has the error then.
    """
    while (name := _take()) is not None:
        try:
            import_module(name)
        except Exception:  # a module may raise anything
            logger.debug("%s cannot be loaded ahead", name, exc_info=True)


def _take() -> str | None:
    try:
        return _names.pop()
    except IndexError:  # another thread may have taken the last one
        return None
