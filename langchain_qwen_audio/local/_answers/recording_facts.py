"""What is known of the recordings of a question → the value of a field, by its name. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_TEXT = {"text", "transcript", "transcripts", "transcription", "words", "said", "speech"}
_LANGUAGE = {"language", "lang"}
_DURATION = {"duration", "seconds"}
_OTHER_UNITS = {"ms", "milliseconds", "min", "minutes", "h", "hours"}


@dataclass(frozen=True)
class RecordingFacts:
    """What the server knows of recordings; of anything else it knows nothing.

    Attributes:
        transcripts: What is said in each; "" where nobody speaks.
        language: The language of the first one with speech, as a code; `None` if there is none.
        duration_s: How long all of them are.
        whisper: The model that transcribed them.
    """

    transcripts: Sequence[str] = ()
    language: str | None = None
    duration_s: float = 0
    whisper: str = ""

    def find_text(self, field: str) -> str | None:
        """Return the text of a field, if its name says that it is the transcript or language."""
        words = _split_name(field)
        if words & _LANGUAGE:
            return self.language
        return "\n".join(self.transcripts) if words & _TEXT and self.transcripts else None

    def find_number(self, field: str) -> float | None:
        """Return the number of a field, if its name says that it is the duration in seconds."""
        words = _split_name(field)
        is_duration = words & _DURATION and not words & _OTHER_UNITS
        return self.duration_s if is_duration and self.transcripts else None

    def write_placeholder(self, field: str) -> str:
        """Write what a field has whose value is not known."""
        return f'[local test server: Whisper {self.whisper} has no value for "{field}"]'


def _split_name(field: str) -> set[str]:
    """Split `audio_text` and `audioText`."""
    return {word.lower() for word in _WORD.findall(field)}
