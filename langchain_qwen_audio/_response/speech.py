"""Spoken answers: base64 cut anywhere, of raw samples → pieces that add up to one WAV file.

Samples are 16-bit, little-endian, mono, at 24 kHz, whatever the request's `format` says; whether
any model puts a WAV header before them is not known, so none is added to one that is there.
https://help.aliyun.com/zh/model-studio/qwen-omni
"""

from __future__ import annotations

import pybase64

from langchain_qwen_audio._media.wav import wav_header
from langchain_qwen_audio.errors import APIError

SAMPLE_RATE = 24_000
# Whole samples, and whole groups of base64: such pieces can be played one by one, and their texts
# joined are base64 again.
_STEP = 6


class SpeechDecoder:
    """A state machine: pieces of base64 in, pieces of a WAV file out, in base64 again."""

    def __init__(self) -> None:
        self._text = ""  # less than a group of four characters
        self._bytes = b""  # less than can be passed on
        self._begun = False

    def feed(self, piece: str) -> str:
        """Take the next piece, and return what can be passed on of it.

        Raises:
            APIError: It is not base64.
        """
        self._bytes += self._decode(piece)
        if not self._begun and len(self._bytes) >= 4:
            self._begun = True
            if not self._bytes.startswith(b"RIFF"):
                self._bytes = wav_header(None, SAMPLE_RATE) + self._bytes
        size = len(self._bytes) // _STEP * _STEP if self._begun else 0
        whole, self._bytes = self._bytes[:size], self._bytes[size:]
        return pybase64.b64encode_as_string(whole)

    def finish(self) -> str:
        """Return what was held back, when nothing more comes.

        Raises:
            APIError: The base64 breaks off within a byte.
        """
        rest = self.feed("=" * (-len(self._text) % 4)) if self._text else ""
        held, self._bytes = self._bytes, b""
        if held and not self._begun:  # less than could be told from a header
            self._begun, held = True, wav_header(None, SAMPLE_RATE) + held
        return rest + pybase64.b64encode_as_string(held)

    def _decode(self, piece: str) -> bytes:
        text = self._text + "".join(piece.split())
        size = len(text) // 4 * 4
        whole, self._text = text[:size], text[size:]
        # Pieces may have been padded each for itself, and then only groups can be decoded.
        step = 4 if "=" in whole else size
        groups = (whole[at : at + step] for at in range(0, size, step or 1))
        try:
            return b"".join(pybase64.b64decode(group, validate=True) for group in groups)
        except ValueError as error:
            raise APIError(f"speech came that is not base64: {piece[:40]!r}") from error
