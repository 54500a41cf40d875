"""The speech of the server: one recorded sentence that says what it is."""

from functools import cache
from pathlib import Path

_SAMPLE_RATE = 24_000
_SENTENCE = Path(__file__).parents[2] / "samples" / "speech_output.mp3"


@cache
def read_speech_output() -> bytes:
    """Return the sentence as Omni speaks: raw PCM, 16-bit little endian, mono, 24 kHz. Blocks."""
    import av

    resampler = av.AudioResampler(format="s16", layout="mono", rate=_SAMPLE_RATE)
    with av.open(str(_SENTENCE)) as container:
        frames = [*container.decode(audio=0), None]
    pieces = (piece for frame in frames for piece in resampler.resample(frame))
    return b"".join(piece.to_ndarray().astype("<i2", copy=False).tobytes() for piece in pieces)
