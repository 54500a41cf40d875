"""AMR packets → frames that FFmpeg's own decoders take; knows nothing of FFmpeg.

FFmpeg's decoders are the same in every version of PyAV, but they refuse what encoders write while
nobody speaks (discontinuous transmission), and silence wide-band frames without the quality bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FRAMES_PER_S = 50

# The bytes of a frame by its type, header included: those with speech in order, then those of
# pauses (comfort noise, no data, speech lost). RFC 4867, sections 3.6 and 5.3.
_SPEECH_BYTES = {
    "amr_nb": (13, 14, 16, 18, 20, 21, 27, 32),
    "amr_wb": (18, 24, 33, 37, 41, 47, 51, 59, 61),
}
_PAUSE_BYTES = {"amr_nb": {8: 6, 15: 1}, "amr_wb": {9: 6, 14: 1, 15: 1}}
_GOOD_QUALITY = 0b100

CODECS = frozenset(_SPEECH_BYTES)


def split_frames(packet: bytes, codec: str) -> Iterator[bytes | None]:
    """Yield the frames of a packet, marked as good; None is a pause of a frame's length.

    After a frame of a reserved type the next one cannot be found; all the rest is yielded.
    """
    bytes_of = dict(enumerate(_SPEECH_BYTES[codec])) | _PAUSE_BYTES[codec]
    while packet:
        kind = packet[0] >> 3 & 0xF
        size = bytes_of.get(kind, len(packet))
        is_pause = kind in _PAUSE_BYTES[codec]
        yield None if is_pause else bytes([packet[0] | _GOOD_QUALITY]) + packet[1:size]
        packet = packet[size:]
