"""Segments → the same, each encoded by a thread of its own before it is requested; few at once."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import CancelledError
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._request.encoded_segments import Segment

if TYPE_CHECKING:
    from collections.abc import Generator

    from langchain_qwen_audio._transcription.backend import SegmentTask


def encode_ahead(
    tasks: Generator[SegmentTask], encoders: int, ended: threading.Event
) -> Generator[SegmentTask]:
    """Begin to encode segments, in order, and yield each as soon as it is being encoded.

    One more segment than there are encoders is held as samples, at the most.

    Args:
        tasks: The segments, and what has none.
        encoders: How many are encoded at once.
        ended: Set when nobody wants segments any more: no other one is begun then.

    Raises:
        CancelledError: Nobody wants them any more.
    """
    with DaemonThreads(encoders, "encoding") as threads, contextlib.closing(tasks):
        begin = partial(_begin, threads, threading.Semaphore(encoders), ended)
        yield from map(begin, tasks)  # which holds no segment between two of them


def _begin(
    threads: DaemonThreads, free: threading.Semaphore, ended: threading.Event, task: SegmentTask
) -> SegmentTask:
    """Begin to encode a segment, as soon as an encoder is free."""
    segment = task.audio
    if not isinstance(segment, Segment):
        return task
    free.acquire()
    if ended.is_set():
        raise CancelledError
    audio = threads.submit(segment.encode)
    audio.add_done_callback(lambda _: free.release())
    return task._replace(audio=replace(segment, encode=audio.result))
