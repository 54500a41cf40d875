"""Samples → their transcript, by Whisper on this machine's CPU."""

import hashlib
import importlib.util
import threading
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache

from langchain_qwen_audio.local._answers.whisper_models import choose_whisper

if TYPE_CHECKING:
    from faster_whisper import WhisperModel
    from faster_whisper.transcribe import Segment, Word

    from langchain_qwen_audio.local._audio_input import Samples

# Below this peak (-60 dBFS) nobody speaks, and Whisper tends to write "you".
_SILENCE = 0.001
_NO_SPEECH = 0.6
_PUNCTUATION = ",.?!;:，。？！；：、"  # noqa: RUF001 - the wide forms are Chinese

_ONE_AT_A_TIME = threading.Lock()
# By the model and the recording, for all servers of this process: a test makes a server of its own.
_transcripts: LRUCache[tuple[str, bool, bytes], "Transcription"] = LRUCache(256)


@dataclass(frozen=True)
class Transcription:
    """What Whisper makes of a recording.

    Attributes:
        segments: Its segments with speech.
        language: The language that it found, as a code such as "fr"; `None` if nobody speaks.
    """

    segments: "Sequence[Segment]" = ()
    language: str | None = None

    @property
    def text(self) -> str:
        """The words spoken, or an empty text when nobody speaks."""
        return "".join(segment.text for segment in self.segments).strip()

    def write_sentences(self) -> list[dict[str, Any]]:
        """Write the segments with their words, as the service writes sentences.

        The blank between two of them, if the language has one there, is at the end of the first, so
        that the texts can be joined.
        """
        sentences = [_write_sentence(segment) for segment in self.segments]
        for sentence, following in zip(sentences, self.segments[1:], strict=False):
            sentence["text"] += " " * following.text.startswith(" ")
        return sentences


class WhisperTranscriber:
    """Whisper, which writes down the words of a recording and nothing else of it."""

    def __init__(self, whisper: str | None = None) -> None:
        """Take a model as `choose_whisper` does."""
        self._model = choose_whisper(whisper)

    @property
    def name(self) -> str:
        """The model's name, for the text of an answer."""
        return self._model.name

    @property
    def label(self) -> str:
        """What the `model` of a reply is whose text is data."""
        return f"local-test-server/whisper-{self.name}"

    def missing(self) -> str:
        """Say which modules are not installed that transcribing needs; "" if all are."""
        modules = ("numpy", "faster_whisper", *self._model.modules)
        missing = [name for name in modules if importlib.util.find_spec(name) is None]
        if not missing:
            return ""
        return (
            f"The local test server cannot transcribe without {', '.join(missing)}. Run: "
            'pip install "langchain-qwen-audio[local]". A server with scripted replies (reply=…) '
            "needs none of them"
        )

    def transcribe(self, samples: "Samples", *, times: bool = False) -> Transcription:
        """Transcribe a recording. Blocks for a second or two.

        The same recording is transcribed once in a process.

        Args:
            samples: Mono, 16 kHz, of shape `(n,)`.
            times: Also find the times of the words.
        """
        with _ONE_AT_A_TIME:
            folder = self._model.find()
            key = (folder, times, hashlib.sha256(samples.data).digest())
            if key not in _transcripts:
                _transcripts[key] = _run(folder, samples, times=times)
            return _transcripts[key]


def _run(folder: str, samples: "Samples", *, times: bool) -> Transcription:
    if abs(samples).max() < _SILENCE:
        return Transcription()
    # Greedy and without fallback temperatures, so that the same clip gives the same words.
    segments, about = _load(folder).transcribe(
        samples,
        beam_size=1,
        temperature=0,
        condition_on_previous_text=False,
        word_timestamps=times,
    )
    spoken = [segment for segment in segments if segment.no_speech_prob < _NO_SPEECH]
    return Transcription(spoken, about.language if spoken else None)


def _write_sentence(segment: "Segment") -> dict[str, Any]:
    return {
        "begin_time": _milliseconds(segment.start),
        "end_time": _milliseconds(segment.end),
        "text": segment.text.strip(),
        "words": [_write_word(word) for word in segment.words or []],
    }


def _write_word(word: "Word") -> dict[str, Any]:
    text = word.word.strip()
    bare = text.rstrip(_PUNCTUATION)
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
def _load(folder: str) -> "WhisperModel":
    with warnings.catch_warnings():
        # In a notebook tqdm, which it imports, misses widgets that nothing here shows.
        warnings.simplefilter("ignore")
        from faster_whisper import WhisperModel
    return WhisperModel(folder, device="cpu", compute_type="int8")
