"""An array of samples → its channels, and signed 16-bit samples. NumPy is not needed."""

from __future__ import annotations

import math
import struct
import sys
import warnings
from typing import Any

from langchain_qwen_audio._media.frames import SAMPLE_FORMATS, to_s16
from langchain_qwen_audio._media.mixing import MAX_CHANNELS
from langchain_qwen_audio.errors import AudioError

# Floats go from -1 to 1. What was resampled or mixed goes a little beyond, and is clipped; what
# goes further was never scaled.
MAX_FLOAT = 4.0
_EXPECTED = (
    "expected int16, int32, uint8, or float32 or float64 between -1 and 1, in the machine's byte "
    "order; use array.astype"
)


def samples_of(samples: Any, name: str) -> tuple[int, bytes]:
    """Read the channels and the signed 16-bit samples of an array.

    Raises:
        AudioError: It is no array of samples, or of samples that were not scaled.
    """
    view = _view_of(samples, name)
    shape = view.shape or ()
    channels = shape[1] if len(shape) == 2 else 1
    if len(shape) not in {1, 2} or not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(
            f"{name}: an array of shape {shape} came, expected (frames,) or (frames, channels); "
            "transpose it if channels come first"
        )
    if not view.nbytes:
        raise AudioError(f"{name}: an empty array came, expected samples")
    kind = _kind_of(view)
    if kind not in SAMPLE_FORMATS:
        raise AudioError(f"{name}: samples of buffer format {view.format!r} came, {_EXPECTED}")
    data = view.tobytes()
    if kind in "fd":
        _require_scaled(memoryview(data).cast("f" if kind == "f" else "d"), name)
    if kind == "i":
        data = _full_scale(data, name)
    return channels, to_s16(data, kind)


def _view_of(samples: Any, name: str) -> memoryview:
    if isinstance(samples, bytes | bytearray):
        raise AudioError(
            f"{name}: bytes came, expected an array of samples; use Audio.from_bytes for the "
            "content of a file, and numpy.frombuffer(data, numpy.int16) for samples"
        )
    try:
        return memoryview(samples)
    except (TypeError, ValueError, BufferError) as error:
        raise AudioError(
            f"{name}: {type(samples).__name__} came, expected a NumPy array or a buffer; of a "
            "tensor use tensor.numpy(), of a list numpy.array(list, numpy.int16)"
        ) from error


def _kind_of(view: memoryview) -> str:
    """Name the kind of samples by its letter; C's long is as an int where both have four bytes."""
    kind = view.format.lstrip("@=<" if sys.byteorder == "little" else "@=>")
    return "i" if kind == "l" and view.itemsize == struct.calcsize("i") else kind


def _require_scaled(values: memoryview[Any], name: str) -> None:
    if not math.isfinite(sum(values)):
        raise AudioError(
            f"{name}: samples that are NaN or infinite came, expected numbers between -1 and 1; "
            "numpy.nan_to_num(array, posinf=0, neginf=0) makes them silence"
        )
    highest, lowest = max(values), min(values)
    peak = max(highest, -lowest)
    if peak > MAX_FLOAT:
        raise AudioError(
            f"{name}: floats up to {peak:g} came, expected them between -1 and 1; divide them by "
            "their full scale, which is 32768 for what was int16: array / 32768"
        )


def _full_scale(data: bytes, name: str) -> bytes:
    """Shift samples of 24 or 16 bits that are in the low bytes of int32 into the high ones.

    soundfile and others put them into the high bytes, which leaves the low ones zero.
    """
    values = memoryview(data).cast("i")
    highest, lowest = max(values), min(values)
    peak = max(highest, -1 - lowest)
    low_bytes = data[:: values.itemsize] if sys.byteorder == "little" else data[3::4]
    if peak >= 1 << 23 or not any(low_bytes):
        return data
    bits, shift = (16, 2) if peak < 1 << 15 else (24, 1)
    warnings.warn(
        f"{name}: int32 samples up to {peak} came; they are taken as {bits}-bit samples, whose "
        "full scale is no more than that; shift others to int32's full scale first",
        UserWarning,
        stacklevel=4,
    )
    # Bytes move across samples too, where they are less than anybody can notice.
    return (
        bytes(shift) + data[:-shift] if sys.byteorder == "little" else data[shift:] + bytes(shift)
    )
