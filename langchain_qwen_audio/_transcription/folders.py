"""A directory → the recordings in it, by their content, and what is left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._media.mime_types import is_named_as_sound
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def search_folder(
    folder: Path, left_out: list[str], *, follow_links_out: bool = True
) -> Iterator[Path]:
    """Find the recordings in a directory, to the bottom, in order.

    A file is a recording if there is sound in it. So is one that cannot be read though it is one,
    or is named as one, so that it is an error and not overlooked. Files and directories whose names
    begin with a dot are not looked at.

    Args:
        folder: The directory.
        left_out: Where the other files are noted, and why they are no recordings.
        follow_links_out: Whether files are looked at that links put into the directory.
    """
    for path in sorted(folder.rglob("*")):
        names = path.relative_to(folder).parts
        if any(name.startswith(".") for name in names) or not path.is_file():
            continue
        if not follow_links_out and not path.resolve().is_relative_to(folder):
            continue
        reason = reason_to_leave_out(path)
        if reason is None:
            yield path
        else:
            left_out.append(f"{path}: {reason}")


def reason_to_leave_out(path: Path) -> str | None:
    """Say why a file is no recording; None if it is one, readable or not."""
    try:
        _ = Audio.from_path(path).probe
    except AudioError as error:
        cause = error.__cause__
        if not isinstance(cause, CodecError):  # it cannot be opened
            return None
        is_meant = is_named_as_sound(path.name) and not cause.is_silent
        return None if cause.is_recording or is_meant else str(cause)
    return None
