"""What decoding may take, whatever a recording says: memory and processor time of this process.

A worker (`worker.py`) sets them for itself. The operating system keeps them: memory on Linux only,
processor time on every system that has workers.
"""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

MAX_MEMORY_BYTES = 200_000_000  # beyond what a worker has before it sees a recording
# Decoding is hundreds of times faster than sound. So many seconds of processor time are always
# allowed, more for recordings that are at least so many times faster, and more for large files.
MAX_WORK_S, MIN_SPEED, MIN_BYTES_PER_S = 2.0, 20.0, 20_000_000
_IS_WORN = 0.25  # a worker that keeps more than this part of the memory is replaced
_STATM = Path("/proc/self/statm")  # in pages; the sixth number is data and stacks
TOO_MUCH_MEMORY = f"decoding it takes more than {MAX_MEMORY_BYTES // 1_000_000} MB of memory"
TOO_MUCH_WORK = (
    f"decoding it takes more than {MAX_WORK_S:g} s of work, and more than a second for every "
    f"{MIN_SPEED:g} s of sound and every {MIN_BYTES_PER_S // 1_000_000} MB of it"
)


class WorkLimits:
    """Limits of this process, from now on."""

    def __init__(self) -> None:
        """Limit the memory, and what is left behind by a crash."""
        self._data = _data_bytes()
        self._base_s = 0.0
        signal.signal(signal.SIGXCPU, signal.SIG_DFL)  # whoever started this may ignore it
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGXCPU})
        _limit("RLIMIT_CORE", 0)
        if self._data:
            _limit("RLIMIT_DATA", self._data + MAX_MEMORY_BYTES)

    def begin(self, size: int) -> None:
        """Begin to count the work that a file of `size` bytes may take."""
        self._base_s = time.process_time() + MAX_WORK_S + size / MIN_BYTES_PER_S
        self.allow(0.0)

    def allow(self, sound_s: float) -> None:
        """Allow the work that `sound_s` seconds of sound may take."""
        _limit("RLIMIT_CPU", math.ceil(self._base_s + sound_s / MIN_SPEED))

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
