"""Names of files → the very files that were meant: found once, and later opened or refused."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_FOLDER = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)


class _KeptFiles(threading.local):
    """The files that this thread keeps open: a position in a file is of one thread."""

    def __init__(self) -> None:
        self.files: dict[tuple[object, ...], BinaryIO] = {}


_KEPT = _KeptFiles()


@dataclass(frozen=True)
class LocalFile:
    """A file that was found: opening it later opens that very file, or fails.

    Attributes:
        path: Where it is, with links resolved.
        size: Its bytes.
        identity: What the system knows it by, and when it was last changed.
    """

    path: Path
    size: int
    identity: tuple[int, int, int, int]

    @classmethod
    def find(cls, path: Path, within: Sequence[Path] | None = None) -> LocalFile:
        """Find a regular file, below one of the directories `within` if any are given.

        Raises:
            AudioError: There is none, or it lies elsewhere.
        """
        with _explained(path):
            real = path.resolve()
            roots = [root.resolve() for root in within or []]
        root = next((it for it in roots if real.is_relative_to(it)), None)
        if within is not None and root is None:  # whether there is such a file or not
            raise AudioError(
                f"{path}: it lies outside of what `local_files` allows: "
                f"{', '.join(map(str, within)) or 'nothing'}"
            )
        with _explained(path):
            status = real.stat() if root is None else _status_below(root, real)
        if not stat.S_ISREG(status.st_mode):
            raise AudioError(f"{path}: it is not a regular file, but a folder, a pipe or a device")
        return cls(real, status.st_size, _identity(status))

    def open(self) -> BinaryIO:
        """Open it.

        Raises:
            OSError: It cannot be read, or something else is there now.
        """
        if not self.size:  # so are files of /proc, of which some make a reader wait for ever
            return BytesIO()
        file = open(self.path, "rb", opener=_open_without_waiting)  # noqa: SIM115
        try:
            self.require_unchanged(file)
        except OSError:
            file.close()
            raise
        return file

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Open it once for all that this thread reads of it within.

        Raises:
            OSError: It cannot be read, or something else is there now.
        """
        if self._kept is not None:
            yield
            return
        with self.open() as file:
            _KEPT.files[self._key] = file
            try:
                yield
            finally:
                _KEPT.files.pop(self._key, None)

    @contextlib.contextmanager
    def reading(self) -> Iterator[BinaryIO]:
        """Take it from its beginning: what this thread keeps open, or else open it.

        Raises:
            OSError: It cannot be read, or something else is there now.
        """
        if (kept := self._kept) is not None:
            self.require_unchanged(kept)
            kept.seek(0)
            yield kept
            return
        with self.open() as file:
            yield file

    @property
    def _key(self) -> tuple[object, ...]:
        return self.path, *self.identity  # a list, where it comes from a checkpoint

    @property
    def _kept(self) -> BinaryIO | None:
        file = _KEPT.files.get(self._key)
        return None if file is None or file.closed else file  # another thread may close it

    def require_unchanged(self, file: BinaryIO) -> None:
        """Require that an open file still is what was found.

        Raises:
            OSError: It is another one, or was written to.
        """
        if self.size and _identity(os.fstat(file.fileno())) != tuple(self.identity):
            raise OSError("it changed since it was looked at")


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, RuntimeError) as error:
        raise AudioError(f"{path}: it cannot be read ({error})") from error


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _status_below(root: Path, path: Path) -> os.stat_result:
    """Look at a file below a directory, and follow no link, whoever puts one there meanwhile."""
    if os.stat not in os.supports_dir_fd:  # on Windows
        return path.lstat()
    *folders, name = path.relative_to(root).parts or (".",)
    folder = os.open(root, _FOLDER)
    try:
        for part in folders:
            below = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = below
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    finally:
        os.close(folder)


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe put in the file's place would otherwise wait for a writer for ever, and a link is not
    # what was found.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))


def path_of_file_url(url: str) -> Path:
    """Read the path in a `file://` URL, percent-encoded as `Path.as_uri` makes it.

    Raises:
        AudioError: The URL names another machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AudioError(f"{url[:200]}: it is not a URL ({error})") from error
    # file:///C:/a.wav and, as DashScope's own examples write it, file://C:/a.wav
    drive = parts.netloc if parts.netloc.endswith(":") else ""
    if parts.netloc not in {"", "localhost", drive}:
        raise AudioError(
            f"{url[:200]}: the file is on another machine, {parts.netloc!r}; an absolute path "
            "takes three slashes: file:///path/to/file"
        )
    return Path(url2pathname(drive + parts.path))
