"""What has been paid for already: results under keys, in a directory or a LangChain store."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from langchain_core.stores import BaseStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ByteStore: TypeAlias = BaseStore[str, bytes]


def store_of(checkpoint: ByteStore | str | os.PathLike[str]) -> ByteStore:
    """Take a store as it is, and a path for a directory of files."""
    if isinstance(checkpoint, str | os.PathLike):
        return DirectoryStore(Path(checkpoint))
    return checkpoint


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
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(value)
            os.replace(file.name, self._folder / key)  # noqa: PTH105

    def mdelete(self, keys: Sequence[str]) -> None:
        """Forget values."""
        for key in keys:
            (self._folder / key).unlink(missing_ok=True)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        """List the keys."""
        if self._folder.is_dir():
            names = (path.name for path in self._folder.iterdir())
            yield from (name for name in names if name.startswith(prefix or ""))

    def _read(self, key: str) -> bytes | None:
        with contextlib.suppress(FileNotFoundError):
            return (self._folder / key).read_bytes()
        return None
