"""Transcripts → files of one directory, in which nothing is overwritten that others wrote.

Beside them, in `.qwen-audio`: responses under their keys, and the digest of each file written.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.url_schemes import split_url
from langchain_qwen_audio._transcription.checkpoints import DirectoryStore, replace_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_KEPT = ".qwen-audio"
_RESPONSE = re.compile("[0-9a-f]{64}")  # the form of a checkpoint's keys


class TranscriptFolder:
    """A directory that transcripts are written to.

    Attributes:
        checkpoint: The responses of earlier runs that wrote to this directory.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        """Take a directory, which need not exist.

        Args:
            path: The directory.
            overwrite: Whether files that others wrote, or changed, may be replaced.
        """
        self._path = path
        self._kept = path / _KEPT
        self._overwrite = overwrite
        self.checkpoint = DirectoryStore(self._kept)

    def name_files(self, sources: Iterable[str], suffix: str) -> list[Path]:
        """Name a file for the transcript of each recording, none twice."""
        return [self._path / f"{name}.{suffix}" for name in _unique(map(_stem, sources))]

    def require_free(self, targets: Iterable[Path]) -> None:
        """Require that files do not exist, or are as an earlier run wrote them.

        Raises:
            FileExistsError: Others wrote or changed one, and it may not be replaced.
        """
        if self._overwrite:
            return
        taken = [it for it in targets if os.path.lexists(it) and not self._wrote(it)]
        if taken:
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            raise FileExistsError(
                f"{taken[0]}{more}: there is such a file, and no earlier run wrote it as it is; "
                "--overwrite replaces it"
            )

    def prepare(self, *, fresh: bool) -> None:
        """Make the directory, before anything is paid for that it cannot keep.

        Args:
            fresh: Delete the responses of earlier runs.

        Raises:
            OSError: It cannot be written to, or is a link that nothing is deleted through.
        """
        if fresh and self._kept.is_symlink():
            raise OSError(f"{self._kept} is a symbolic link; --fresh deletes nothing through links")
        self._kept.mkdir(parents=True, exist_ok=True)
        if not os.access(self._kept, os.W_OK | os.X_OK):
            raise PermissionError(f"{self._kept}: this directory cannot be written to")
        if fresh:
            self._delete_responses()

    def write(self, target: Path, text: str) -> None:
        """Write a transcript, whole or not at all.

        Raises:
            FileExistsError: Others wrote a file of this name meanwhile.
        """
        self.require_free([target])
        data = text.encode(errors="backslashreplace")  # names of files may not be UTF-8
        self.checkpoint.mset([(_record(target), _digest(data))])
        replace_file(target, data)

    def _wrote(self, target: Path) -> bool:
        if target.is_symlink() or not target.is_file():
            return False
        return self.checkpoint.mget([_record(target)]) == [_digest(target.read_bytes())]

    def _delete_responses(self) -> None:
        files = (self._kept / key for key in self.checkpoint.yield_keys())
        for file in files:
            if _RESPONSE.fullmatch(file.name) and file.is_file() and not file.is_symlink():
                file.unlink()


def _stem(source: str) -> str:
    parts = split_url(source) if "://" in source else None
    return Path(parts.path if parts else source).stem or "recording"


def _unique(names: Iterable[str]) -> Iterator[str]:
    """Number the names that came before; some file systems do not know capitals apart."""
    taken: set[str] = set()
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: itertools.count(2))
    for name in names:
        unique = name
        while unique.casefold() in taken:
            unique = f"{name}-{next(numbers[name])}"
        taken.add(unique.casefold())
        yield unique


def _record(target: Path) -> str:
    """Name the value of the checkpoint that says what was written to a file."""
    return f"written-{hashlib.sha256(os.fsencode(target.name)).hexdigest()}"


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
