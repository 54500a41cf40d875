"""Names of files → the very files that were meant: found once, and later opened or refused."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import urlsplit
from urllib.request import url2pathname

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio.errors import AudioError


def audio_error(message: str) -> AudioError:
    """Make the error of unusable audio."""
    # Imported here because the error classes import the SDK, which most programs never need
    # before their first request.
    from langchain_qwen_audio.errors import AudioError

    return AudioError(message)


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
        try:
            real = path.resolve(strict=True)
            status = real.stat()
        except (OSError, ValueError, RuntimeError) as error:
            raise audio_error(f"{path}: it cannot be read ({error})") from error
        if within is not None and not any(real.is_relative_to(root.resolve()) for root in within):
            raise audio_error(
                f"{path}: it lies outside of what `local_files` allows: "
                f"{', '.join(map(str, within)) or 'nothing'}"
            )
        if not stat.S_ISREG(status.st_mode):
            raise audio_error(f"{path}: it is not a regular file; expected a recording")
        return cls(real, status.st_size, _identity(status))

    def open(self) -> BinaryIO:
        """Open it.

        Raises:
            AudioError: Something else is there now.
        """
        try:
            file = open(self.path, "rb", opener=_open_without_waiting)  # noqa: SIM115
        except OSError as error:
            raise audio_error(f"{self.path}: it cannot be read ({error})") from error
        try:
            self.require_unchanged(file)
        except ValueError:
            file.close()
            raise
        return file

    def require_unchanged(self, file: BinaryIO) -> None:
        """Require that an open file still is what was found.

        Raises:
            AudioError: It is another one, or was written to.
        """
        if _identity(os.fstat(file.fileno())) != tuple(self.identity):
            raise audio_error(f"{self.path}: it changed since it was looked at")


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open_without_waiting(path: str, flags: int) -> int:
    # A pipe put in the file's place would otherwise wait for a writer for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def path_of_file_url(url: str) -> Path:
    """Read the path in a `file://` URL, percent-encoded as `Path.as_uri` makes it.

    Raises:
        AudioError: The URL names another machine.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise audio_error(f"{url[:200]}: it is not a URL ({error})") from error
    # file:///C:/a.wav and, as DashScope's own examples write it, file://C:/a.wav
    drive = parts.netloc if parts.netloc.endswith(":") else ""
    if parts.netloc not in {"", "localhost", drive}:
        raise audio_error(
            f"{url[:200]}: the file is on another machine, {parts.netloc!r}; an absolute path "
            "takes three slashes: file:///path/to/file"
        )
    return Path(url2pathname(drive + parts.path))
