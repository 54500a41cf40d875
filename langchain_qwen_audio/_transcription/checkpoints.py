"""Transcripts that were paid for already, by key: in a directory or a LangChain store."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from langchain_core.stores import BaseStore

from langchain_qwen_audio.errors import CheckpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

logger = logging.getLogger(__name__)
ByteStore: TypeAlias = BaseStore[str, bytes]


class Checkpoint:
    """What an earlier run paid for, in a store. What is wrong with the store loses no transcript.

    A value that cannot be read is requested again, and one that cannot be written is returned
    nevertheless; the log says so, each time.

    Attributes:
        identity: What checkpoints of one store have in common, in this process; None without one.
    """

    def __init__(self, place: ByteStore | str | os.PathLike[str] | None) -> None:
        """Take a store as it is, and a path for a directory of files; None keeps nothing."""
        self._folder: Path | None = None
        self._store: ByteStore | None
        self.identity: Hashable | None = None if place is None else id(place)
        if isinstance(place, str | os.PathLike):
            self._folder = Path(place)
            self.identity = self._folder.absolute()
            self._store = DirectoryStore(self._folder)
        else:
            self._store = place

    def prepare(self) -> None:
        """Make the directory, if it is one.

        Raises:
            CheckpointError: It cannot be made.
        """
        if self._folder is None:
            return
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{self._folder}: no directory can be made here ({error}); nothing was sent"
            ) from error

    def read(self, key: str) -> bytes | None:
        """Find a value; None where there is none, or none that can be read."""
        try:
            return self._get(key)
        except Exception as error:  # noqa: BLE001  # the store may be anybody's
            self._warn("read", error, "its segment is requested, and paid for, again")
            return None

    def peek(self, key: str) -> bytes | None:
        """Find a value that will be read again if it cannot be read now, so nothing is logged."""
        try:
            return self._get(key)
        except Exception:  # noqa: BLE001  # the store may be anybody's
            return None

    def _get(self, key: str) -> bytes | None:
        return None if self._store is None else self._store.mget([key])[0]

    def write(self, key: str, make: Callable[[], bytes]) -> None:
        """Keep a value, if that is possible."""
        if self._store is None:
            return
        try:
            self._store.mset([(key, make())])
        except Exception as error:  # noqa: BLE001  # what was paid for is returned in any case
            self._warn("written", error, "its transcript is returned, but not kept")

    def forget(self, key: str) -> None:
        """Delete a value, if that is possible."""
        if self._store is None:
            return
        try:
            self._store.mdelete([key])
        except Exception as error:  # noqa: BLE001  # the store may be anybody's
            self._warn("deleted", error, "it stays there")

    def _warn(self, verb: str, error: Exception, effect: str) -> None:
        reason = f"{type(error).__name__}: {error}"
        logger.warning("a value of the checkpoint cannot be %s (%s): %s", verb, reason, effect)


class DirectoryStore(BaseStore[str, bytes]):
    """Values in files of one directory, which many processes may share.

    A file appears whole or not at all, also if the process is killed meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        """Take the directory, which is made when the first value is stored."""
        self._folder = folder

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        """Read values; None where there is none."""
        return [self._read(key) for key in keys]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        """Write values."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for key, value in key_value_pairs:
            replace_file(self._folder / key, value)

    def mdelete(self, keys: Sequence[str]) -> None:
        """Forget values."""
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """List the keys."""
        if self._folder.is_dir():
            names = (path.name for path in self._folder.iterdir())
            yield from (it for it in names if it.startswith(prefix or "") and it[0] != ".")

    def _read(self, key: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / key).read_bytes()
        return None


def replace_file(target: Path, data: bytes) -> None:
    """Write a file, whole or not at all.

    Raises:
        OSError: It cannot be written; what was there is there still.
    """
    beside = target.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
