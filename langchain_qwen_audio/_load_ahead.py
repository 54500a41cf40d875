"""Names of modules that are needed next → loaded while the first worker process starts.

Whoever opens a recording, in a program that has a chat model, is about to send it: the SDK takes
longer to load than a worker to start, and one waits for both only once. Pure.
"""

from __future__ import annotations

from importlib import import_module

_names: list[str] = []


def load_later(name: str) -> None:
    """Note a module that will be needed after a recording was opened."""
    _names.append(name)


def load_now() -> None:
    """Load what was noted, once."""
    while _names:
        import_module(_names.pop())
