"""Paths, globs, directories, URLs and blobs → recordings to open, one after the other."""

from __future__ import annotations

import glob
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from langchain_core.document_loaders import Blob

from langchain_qwen_audio._transcription.folders import search_folder
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

Source: TypeAlias = str | os.PathLike[str] | Blob


class Recording(NamedTuple):
    """A recording that is not opened yet.

    Attributes:
        source: What it is called.
        open: Reads it; a URL is downloaded to this machine.
        url: Its http(s) URL, if it has one, for a service that fetches it itself.
    """

    source: str
    open: Callable[[], Audio]
    url: str | None = None


class KeptSources:
    """Sources of an iterator, each taken when it is needed, and kept for the next run."""

    def __init__(self, sources: Iterable[Source]) -> None:
        """Take the iterator; nothing is taken from it yet."""
        self._rest = iter(sources)
        self._kept: list[Source] = []
        self._error: Exception | None = None
        self._lock = threading.Lock()  # runs in several threads share the iterator

    def __iter__(self) -> Iterator[Source]:
        """Yield what earlier runs have taken, and then the rest.

        Raises:
            Exception: What the iterator raised, in this run or in an earlier one.
        """
        for number in itertools.count():
            if number >= len(self._kept) and not self._take(number):
                return
            yield self._kept[number]

    def _take(self, number: int) -> bool:
        """Take the source of this number, unless another thread has; tell whether there is one."""
        with self._lock:
            if number < len(self._kept):
                return True
            if self._error is not None:
                raise self._error
            try:
                self._kept.append(next(self._rest))
            except StopIteration:
                return False
            except Exception as error:
                self._error = error  # the next run must not take what came before for all
                raise
            return True


def recordings(
    sources: Source | Iterable[Source], left_out: list[str] | None = None
) -> Iterator[Recording]:
    """Find the recordings that sources name, in order; directories are searched to the bottom.

    What names nothing is a recording too, which says so when it is opened. Of a directory, what is
    a recording is decided by the content of files.

    Args:
        sources: Paths, patterns, directories, URLs or blobs, or one of these.
        left_out: Where files of directories are noted that are no recordings, and why.
    """
    noted = [] if left_out is None else left_out
    several = [sources] if isinstance(sources, str | os.PathLike | Blob) else sources
    for source in several:
        if isinstance(source, Blob):
            yield recording_of(source)
        elif isinstance(source, str) and source.lower().startswith(("http://", "https://")):
            yield Recording(source, partial(Audio.from_url, source), url=source)
        else:
            yield from _named(os.fspath(source), noted)


def recording_of(blob: Blob) -> Recording:
    """Take a blob: its bytes if it has them, its file if not."""
    source = str(blob.source or "blob")
    if blob.data is None and blob.path is not None:
        return Recording(source, partial(Audio.from_path, blob.path))
    mime_type = blob.mimetype or ""
    data = blob.as_bytes()
    return Recording(source, partial(Audio.from_bytes, data, mime_type=mime_type, name=source))


def _named(text: str, left_out: list[str]) -> Iterator[Recording]:
    try:
        yield from _find(text, left_out)
    except (OSError, ValueError, RuntimeError) as error:  # such as a folder that is another user's
        yield Recording(text, partial(_refuse, f"{text}: it cannot be read ({error})"))


def _find(text: str, left_out: list[str]) -> Iterator[Recording]:
    path = Path(text).expanduser()
    if path.is_dir():
        yield from _in_folder(text, path, left_out)
        return
    if path.exists() or not glob.has_magic(text):
        found = [path]  # it says itself if it cannot be opened
    else:
        names = map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207
        found = sorted(it for it in names if it.is_file())
    if not found:
        yield Recording(text, partial(_refuse, f"{text}: no file matches this pattern"))
    for it in found:
        yield Recording(str(it), partial(Audio.from_path, it))


def _in_folder(text: str, folder: Path, left_out: list[str]) -> Iterator[Recording]:
    before, count = len(left_out), 0
    for path in search_folder(folder, left_out):
        count += 1
        yield Recording(str(path), partial(Audio.from_path, path))
    if not count:
        others = f"; left out: {'; '.join(left_out[before:][:5])}" if left_out[before:] else ""
        nothing = f"{text}: no recording is in this directory{others}"
        yield Recording(text, partial(_refuse, nothing))


def _refuse(message: str) -> Audio:
    raise AudioError(message)
