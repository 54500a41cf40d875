"""The program of a worker: it probes, decodes and encodes for the process that started it.

It has limits on memory and work, and ends when its socket is closed. It knows what it is sent: an
open file and a job. It sends back blocks of samples and a result, as JSON: whoever took over this
process by a recording must not take over the other one too.
"""

from __future__ import annotations

import json
import os
import pickle
import socket
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import av  # noqa: F401  # before memory is limited, and before there is something to do

from langchain_qwen_audio._media.counted_length import counted_length
from langchain_qwen_audio._media.declared_length import confirmed_length
from langchain_qwen_audio._media.decoding import Report, decode, probe
from langchain_qwen_audio._media.mp3 import encode_mp3
from langchain_qwen_audio._media.samples import SAMPLE_RATE, length_of
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._media.work_limits import WorkLimits, too_much_memory
from langchain_qwen_audio._media.worker_messages import (
    BLOCK,
    BUG,
    ERROR,
    READY,
    RESULT,
    STOP,
    receive_message,
    send_message,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK_BYTES = 1 << 16


class _StopRequestedError(Exception):
    """Nobody wants the rest."""


class _SharedFile:
    """A file that another process reads as well: its own position is left alone."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor, self._at = descriptor, 0
        self.size = os.fstat(descriptor).st_size

    def read(self, size: int = -1) -> bytes:
        data = os.pread(self._descriptor, self.size if size < 0 else size, self._at)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at


class _Outlet:
    """Sends samples in large blocks, each when it is wanted, and allows the work for them."""

    def __init__(self, to: socket.socket, limits: WorkLimits) -> None:
        self._to, self.limits = to, limits
        self._buffer = bytearray()
        self._is_first = True

    def add(self, samples: bytes, sound_s: float) -> None:
        self._buffer += samples
        if len(self._buffer) >= BLOCK_BYTES:
            self.limits.allow(sound_s)
            self.flush()

    def flush(self) -> None:
        if not self._buffer:
            return
        if not self._is_first and STOP in (self._to.recv(16) or STOP):
            raise _StopRequestedError
        self._is_first = False
        send_message(self._to, BLOCK, self._buffer)
        self._buffer = bytearray()


def _probe(file: BinaryIO, _: _Outlet, **arguments: Any) -> Any:
    return asdict(probe(file, **arguments))


def _confirm(file: BinaryIO, _: _Outlet, **arguments: Any) -> Any:
    return confirmed_length(file, **arguments)


def _count(file: BinaryIO, outlet: _Outlet, **arguments: Any) -> Any:
    return counted_length(file, on_sound=outlet.limits.allow_counting, **arguments)


def _decode(file: BinaryIO, outlet: _Outlet, **arguments: Any) -> Any:
    report, size, sound_s = Report(), 0, 0.0
    try:
        for block in decode(file, report=report, **arguments):
            size += len(block)
            length_s = length_of(size, arguments.get("sample_rate", SAMPLE_RATE))
            sound_s = length_s - report.silence_s
            outlet.add(block, sound_s)
    except CodecError:
        outlet.flush()  # what came before the fault is sound
        raise
    outlet.flush()
    outlet.limits.allow(sound_s)
    return asdict(report) | {"inverted": sorted(report.inverted)}


def _encode(file: BinaryIO, outlet: _Outlet, *, sample_rate: int, max_bits_per_s: float) -> None:
    samples = file.read()
    outlet.limits.allow(sound_s := length_of(len(samples), sample_rate))
    blocks = (samples[at : at + BLOCK_BYTES] for at in range(0, len(samples), BLOCK_BYTES))
    outlet.add(encode_mp3(blocks, sample_rate, max_bits_per_s), sound_s)
    outlet.flush()


_JOBS: dict[str, Callable[..., Any]] = {
    "probe": _probe,
    "confirm": _confirm,
    "count": _count,
    "decode": _decode,
    "encode": _encode,
}


def serve_jobs() -> None:
    """Do one job after the other, until the socket on standard input is closed."""
    other = socket.socket(fileno=0)
    limits = WorkLimits()
    send_message(other, READY)
    while True:
        command, descriptors, _, _ = socket.recv_fds(other, 1, 1)
        if not command:
            return
        for descriptor in descriptors:  # none comes with what was meant for a job that has ended
            try:
                kind, facts = _outcome(other, descriptor, limits)
            finally:
                os.close(descriptor)
            facts |= {"is_worn": limits.is_worn, "debt_s": limits.debt_s}
            send_message(other, kind, json.dumps(facts).encode())


def _outcome(
    other: socket.socket, descriptor: int, limits: WorkLimits
) -> tuple[bytes, dict[str, Any]]:
    """Do a job, and say how it ended."""
    name = ""
    try:
        name, debt_s, arguments = pickle.loads(receive_message(other)[1])  # noqa: S301  # of our starter
        file = _SharedFile(descriptor)
        limits.begin(file.size, debt_s)
        job = _JOBS[name]
        return RESULT, {"value": job(cast("BinaryIO", file), _Outlet(other, limits), **arguments)}
    except _StopRequestedError:
        return RESULT, {"value": None}
    except CodecError as error:
        return ERROR, {"message": str(error)} | vars(error)
    except MemoryError:
        return ERROR, {"message": too_much_memory(name)}
    except Exception:  # noqa: BLE001
        return BUG, {"traceback": traceback.format_exc()}
