"""Paths, globs, directories, URLs and blobs → recordings to open, one after the other."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeAlias

from langchain_core.document_loaders import Blob

from langchain_qwen_audio._files import audio_error
from langchain_qwen_audio._media_types import SUFFIXES
from langchain_qwen_audio.audio import Audio

Source: TypeAlias = str | os.PathLike[str] | Blob


class Recording(NamedTuple):
    """A recording that is not opened yet."""

    source: str
    open: Callable[[], Audio]


def recordings(sources: Source | Iterable[Source]) -> Iterator[Recording]:
    """Find the recordings that sources name, in order; directories are searched to the bottom.

    Raises:
        AudioError: A path or a pattern names nothing.
    """
    several = [sources] if isinstance(sources, str | os.PathLike | Blob) else sources
    for source in several:
        if isinstance(source, Blob):
            yield recording_of(source)
        elif isinstance(source, str) and source.lower().startswith(("http://", "https://")):
            yield Recording(source, partial(Audio.from_url, source))
        else:
            yield from map(_from_path, _paths(os.fspath(source)))


def recording_of(blob: Blob) -> Recording:
    """Take a blob: its bytes if it has them, its file if not."""
    source = str(blob.source or "blob")
    if blob.data is None and blob.path is not None:
        return Recording(source, partial(Audio.from_path, blob.path))
    mime_type = blob.mimetype or ""
    data = blob.as_bytes()
    return Recording(source, partial(Audio.from_bytes, data, mime_type=mime_type, name=source))


def _from_path(path: Path) -> Recording:
    return Recording(str(path), partial(Audio.from_path, path))


def _paths(text: str) -> list[Path]:
    path = Path(text).expanduser()
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
        kind = f"a directory came in which no recording is ({', '.join(sorted(SUFFIXES))})"
    elif path.exists() or not glob.has_magic(text):
        return [path]  # which says itself if it cannot be opened
    else:
        found = [Path(name) for name in glob.glob(str(path), recursive=True)]  # noqa: PTH207
        kind = "a pattern came that no file matches"
    if not found:
        raise audio_error(f"{text}: {kind}")
    return sorted(found)
