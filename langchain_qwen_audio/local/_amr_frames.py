"""AMR packets → frames that FFmpeg's own decoders take, which refuse pauses."""

from collections.abc import Iterator

FRAMES_PER_S = 50

# Bytes of a frame with its header, by type: with speech, and of pauses (RFC 4867, 3.6 and 5.3).
_SPEECH = {
    "amr_nb": (13, 14, 16, 18, 20, 21, 27, 32),
    "amr_wb": (18, 24, 33, 37, 41, 47, 51, 59, 61),
}
_PAUSES = {"amr_nb": {8: 6, 15: 1}, "amr_wb": {9: 6, 14: 1, 15: 1}}

CODECS = frozenset(_SPEECH)


def split_amr_packet(packet: bytes, codec: str) -> Iterator[bytes | None]:
    """Yield the frames of a packet, with the bit for good quality set, and None for a pause."""
    sizes = {**dict(enumerate(_SPEECH[codec])), **_PAUSES[codec]}
    while packet:
        kind = packet[0] >> 3 & 15
        size = sizes.get(kind, len(packet))  # after a frame of another type nothing can be found
        yield None if kind in _PAUSES[codec] else bytes([packet[0] | 4]) + packet[1:size]
        packet = packet[size:]
