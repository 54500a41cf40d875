"""What the stand-in says aloud: one recorded sentence that tells what it is."""

from functools import cache
from pathlib import Path

SAMPLE_RATE = 24_000
BYTES_PER_S = 2 * SAMPLE_RATE

_SENTENCE = Path(__file__).parents[1] / "samples" / "standin.mp3"


@cache
def speak() -> bytes:
    """Return the sentence as Omni speaks: raw PCM, 16-bit little endian, mono, 24 kHz. Blocks."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(_SENTENCE)) as container:
        frames = [*container.decode(audio=0), None]
    pieces = (piece for frame in frames for piece in resampler.resample(frame))
    return b"".join(piece.to_ndarray().astype("<i2", copy=False).tobytes() for piece in pieces)
