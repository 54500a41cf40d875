"""Paths, globs, directories, URLs and blobs → recordings to open, one after the other."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from langchain_core.document_loaders import Blob

from langchain_qwen_audio._media.mime_types import SUFFIXES
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

Source: TypeAlias = str | os.PathLike[str] | Blob


class Recording(NamedTuple):
    """A recording that is not opened yet."""

    source: str
    open: Callable[[], Audio]


def recordings(sources: Source | Iterable[Source]) -> Iterator[Recording]:
    """Find the recordings that sources name, in order; directories are searched to the bottom.

    What names nothing is a recording too, which says so when it is opened.
    """
    several = [sources] if isinstance(sources, str | os.PathLike | Blob) else sources
    for source in several:
        if isinstance(source, Blob):
            yield recording_of(source)
        elif isinstance(source, str) and source.lower().startswith(("http://", "https://")):
            yield Recording(source, partial(Audio.from_url, source))
        else:
            yield from _named(os.fspath(source))


def recording_of(blob: Blob) -> Recording:
    """Take a blob: its bytes if it has them, its file if not."""
    source = str(blob.source or "blob")
    if blob.data is None and blob.path is not None:
        return Recording(source, partial(Audio.from_path, blob.path))
    mime_type = blob.mimetype or ""
    data = blob.as_bytes()
    return Recording(source, partial(Audio.from_bytes, data, mime_type=mime_type, name=source))


def _named(text: str) -> list[Recording]:
    try:
        return _find(text)
    except (OSError, ValueError, RuntimeError) as error:  # such as a folder that is another user's
        return [Recording(text, partial(_refuse, f"{text}: it cannot be read ({error})"))]


def _find(text: str) -> list[Recording]:
    path = Path(text).expanduser()
    if path.is_dir():
        found = [it for it in path.rglob("*") if it.suffix.lower() in SUFFIXES and it.is_file()]
        nothing = f"no recording is in this directory ({', '.join(sorted(SUFFIXES))})"
    elif path.exists() or not glob.has_magic(text):
        found, nothing = [path], ""  # it says itself if it cannot be opened
    else:
        names = map(Path, glob.iglob(str(path), recursive=True))  # noqa: PTH207
        found, nothing = [it for it in names if it.is_file()], "no file matches this pattern"
    if not found:
        return [Recording(text, partial(_refuse, f"{text}: {nothing}"))]
    return [Recording(str(it), partial(Audio.from_path, it)) for it in sorted(found)]


def _refuse(message: str) -> Audio:
    raise AudioError(message)
