"""`file://` URLs in messages → the files that may be read, if `local_files` allows it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from langchain_qwen_audio._media.local_files import LocalFile, path_of_file_url
from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio.errors import AudioError, MessageError

MAX_FILE_BYTES = 2 * 1024**3  # of a file that a message names; the service's own limit for a URL

LocalFiles: TypeAlias = bool | Sequence[str | Path]
"""Which files are read that users' messages name: all, none, or those below these directories."""


def require_user(role: str, where: str) -> None:
    """Require that a `file://` URL came from a user.

    Raises:
        MessageError: It came from somebody else.
    """
    if role != "user":
        raise MessageError(
            f"{where}: a file:// URL came in a message of role {role!r}; files are read for users "
            "only, since an answer or a tool may name any path"
        )


def names_file(content: object) -> bool:
    """Tell content in which a block, of whatever format, names a file: by its URL, or its path."""
    left = [content]
    while left:  # it may be nested deep
        match left.pop():
            case {"path": str()}:
                return True
            case str() as value if url_scheme(value) == "file":
                return True
            case dict() as block:
                left += block.values()
            case list() | tuple() as values:
                left += values
    return False


def find_named_file(url: str, allowed: LocalFiles, instead: str) -> LocalFile:
    """Find the file that a URL names.

    Args:
        url: A `file://` URL.
        allowed: Which files may be read.
        instead: How to send it without naming it.

    Raises:
        AudioError: It may not be read, or cannot be.
    """
    if allowed is False:
        raise AudioError(
            f"{url[:200]}: files that messages name are not read (local_files=False): {instead}, "
            "or allow the folder, ChatQwenAudio(local_files=[folder])"
        )
    path = path_of_file_url(url)
    return LocalFile.find(path, None if allowed is True else [Path(root) for root in allowed])
