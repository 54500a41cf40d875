"""A file → its SHA-256, in a thread, while other threads and workers read the same open file."""

from __future__ import annotations

import contextlib
import hashlib
import os
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from langchain_qwen_audio._daemon_threads import DaemonThreads

if TYPE_CHECKING:
    from concurrent.futures import Future
    from hashlib import _Hash

_BLOCK_BYTES = 1 << 20


def hash_ahead(file: BinaryIO) -> Future[_Hash] | None:
    """Begin to hash an open file from its beginning; its position is left alone.

    Returns:
        The hash to come; None where a file has no descriptor, or cannot be read without a position.
    """
    if not hasattr(os, "pread"):  # on Windows
        return None
    with contextlib.suppress(OSError):
        descriptor = os.dup(file.fileno())
        with DaemonThreads(1, "hashing") as threads:
            return threads.submit(partial(_hash, descriptor))
    return None


def _hash(descriptor: int) -> _Hash:
    digest, position = hashlib.sha256(), 0
    try:
        while block := os.pread(descriptor, _BLOCK_BYTES, position):
            digest.update(block)
            position += len(block)
    finally:
        os.close(descriptor)
    return digest
