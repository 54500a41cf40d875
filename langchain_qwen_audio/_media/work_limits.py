"""What decoding may take, whatever a recording says: memory and processor time of this process.

A worker (`worker.py`) sets them for itself. The operating system keeps them: memory on Linux only,
processor time on every system that has workers.
"""

from __future__ import annotations

import math
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

MAX_MEMORY_BYTES = 200_000_000  # beyond what a worker has before it sees a recording
# Decoding is hundreds of times faster than sound. So many seconds of processor time are always
# allowed, more for recordings that are at least so many times faster, and more for large files.
MAX_WORK_S, MIN_SPEED, MIN_BYTES_PER_S = 2.0, 20.0, 20_000_000
MAX_SOUND_S = 12 * 3600.0  # there is no more for what is longer, so that a step has a last bound
COUNTING_SPEED = 100.0  # to count packets, 400 a second at the most, is so many times faster
STEP_WORK_MS = 100.0  # to begin a step takes no more than this
_IS_WORN = 0.25  # a worker that keeps more than this part of the memory is replaced
_STATM = Path("/proc/self/statm")  # in pages; the sixth number is data and stacks


def too_much_memory(job: str) -> str:
    """Say of a job, in words that can follow the name of a recording, that it took too much."""
    return f"{verb_of(job).doing} it takes more than {MAX_MEMORY_BYTES // 1_000_000} MB of memory"


def too_much_work(job: str) -> str:
    """Say the same of its work."""
    return (
        f"{verb_of(job).doing} it takes more than {MAX_WORK_S:g} s of work, and more than a second "
        f"for every {MIN_SPEED:g} s of sound (of up to {MAX_SOUND_S / 3600:g} hours) and every "
        f"{MIN_BYTES_PER_S // 1_000_000} MB of it"
    )


class Verb(NamedTuple):
    """What a job does with a recording, in the forms that errors say it in."""

    doing: str
    did: str


def verb_of(job: str) -> Verb:
    """Find the verb of a job; all but one decode."""
    return Verb("encoding", "encoded") if job == "encode" else Verb("decoding", "decoded")


@dataclass
class WorkAccount:
    """What the steps of one recording took together.

    Attributes:
        debt_s: Seconds of work beyond what the sound, the bytes and the number of steps allow.
    """

    debt_s: float = 0.0


class WorkLimits:
    """Limits of this process, from now on."""

    def __init__(self) -> None:
        """Limit the memory, and what is left behind by a crash."""
        self._data = _data_bytes()
        self._begun_s = self._debt_s = self._earned_s = self._sound_work_s = 0.0
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # whoever started this may ignore it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGXCPU})
        _limit("RLIMIT_CORE", 0)
        if self._data:
            _limit("RLIMIT_DATA", self._data + MAX_MEMORY_BYTES)

    def begin(self, size: int, debt_s: float = 0.0) -> None:
        """Begin to count the work that a file of `size` bytes may take, after earlier steps."""
        self._begun_s, self._debt_s = time.process_time(), debt_s
        self._earned_s = STEP_WORK_MS / 1000 + size / MIN_BYTES_PER_S
        self.allow(0.0)

    @property
    def debt_s(self) -> float:
        """What is to be counted in the next step of the same recording."""
        spent_s = time.process_time() - self._begun_s
        return max(0.0, self._debt_s + spent_s - self._earned_s - self._sound_work_s)

    def allow(self, sound_s: float) -> None:
        """Allow the work that decoding `sound_s` seconds of sound may take."""
        self._allow(min(sound_s, MAX_SOUND_S) / MIN_SPEED)

    def allow_counting(self, sound_s: float) -> None:
        """Allow the work that counting `sound_s` seconds of sound may take."""
        self._allow(min(sound_s, MAX_SOUND_S) / COUNTING_SPEED)

    def _allow(self, work_s: float) -> None:
        self._sound_work_s = work_s
        left_s = MAX_WORK_S - self._debt_s + self._earned_s + work_s
        _limit("RLIMIT_CPU", math.ceil(self._begun_s + left_s))

    @property
    def is_worn(self) -> bool:
        """Whether memory was kept that the next recording may need."""
        return _data_bytes() - self._data > MAX_MEMORY_BYTES * _IS_WORN


def _data_bytes() -> int:
    """Count the bytes that RLIMIT_DATA limits; 0 where that is not known, and not limited."""
    try:
        pages = int(_STATM.read_bytes().split()[5])
    except FileNotFoundError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _limit(name: str, value: int) -> None:
    """Set a soft limit, below the hard one that there may be."""
    import resource

    number = getattr(resource, name)
    _, hard = resource.getrlimit(number)
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(number, (soft, hard))
