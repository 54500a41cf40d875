"""A recording and its transcript → both without the words that match, such as names and numbers.

transcript ─ spans that match ─► ranges of time ─► WAV with silence there, and a transcript
"""

from __future__ import annotations

import asyncio
import math
import os
import re
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from langchain_qwen_audio._media.samples import SAMPLE_BYTES
from langchain_qwen_audio._media.wav import WAV_HEADER_BYTES, encode_wav, wav_header
from langchain_qwen_audio._redaction.sound import Sound, cover_ranges, make_second
from langchain_qwen_audio._redaction.spans import (
    Matches,
    find_matches,
    searched_texts,
    texts_that_match,
)
from langchain_qwen_audio._redaction.transcript import find_ranges, rewrite_transcript
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.transcripts import Sentence, Transcript

__all__ = ["Redaction", "aredact_audio", "redact_audio"]

_MAX_SAMPLE_RATE = 48_000
_MAX_WAV_BYTES = 0xFFFF_FFFF - WAV_HEADER_BYTES


class Redaction(NamedTuple):
    """A recording and a transcript of which words were removed.

    Attributes:
        audio: The recording, as WAV: mono, 16 bits, at the rate of the original, or at 48 kHz.
        transcript: The transcript.
        ranges: Where sound was removed: from when until when, in seconds, in order.

    Example:
        ```python
        import re

        audio = Audio.from_path("welcome.wav")
        redaction = redact_audio(audio, transcript, re.compile("Hello"))
        print(redaction.transcript.text, redaction.audio.duration_s, redaction.ranges)
        ```
    """

    audio: Audio
    transcript: Transcript
    ranges: tuple[tuple[float, float], ...]


def redact_audio(
    audio: Audio,
    transcript: Transcript,
    matches: re.Pattern[str] | Callable[[str], bool],
    *,
    sound: Sound = "silence",
    replacement: str = "[redacted]",
    margin_s: float = 0.1,
    path: str | os.PathLike[str] | None = None,
) -> Redaction:
    """Remove the words of a recording that match, from its sound and from its transcript.

    What was transcribed wrongly is not found. A sentence is removed whole if it matches, and not
    each of its words has times and a place in its text. Mixed to mono, unless a channel was chosen.

    Example:
        ```python
        import re
        from langchain_qwen_audio import Audio, ChatQwenAudio, Transcript, redact_audio

        audio = Audio.from_path("welcome.wav")
        model = ChatQwenAudio(model="qwen-audio-3.1-asr-flash")
        answer = model.invoke([{"role": "user", "content": [audio.to_block()]}])
        transcript = Transcript.from_message(answer)
        redacted = redact_audio(audio, transcript, re.compile("microphone"), path="redacted.wav")
        print(redacted.transcript.text, redacted.ranges)
        ```

    Args:
        audio: The recording.
        transcript: Its transcript, with times.
        matches: A pattern, which is searched in each sentence, in all of them joined, and in all of
            each speaker or channel; or a function that is called with each word, without the marks
            around it.
        sound: What is put where words were: "silence", or "beep", a tone of 1 kHz.
        replacement: The text that is put there; words of a row get one.
        margin_s: Seconds that are removed before and after, too.
        path: Where the WAV file is written, block by block; a file that is there is replaced, when
            the new one is whole. By default the recording is kept in memory.

    Raises:
        AudioError: The recording cannot be decoded, does not fit into a WAV file (4 GB), or ends
            before something that is to be removed.
        TypeError: `matches` is neither a pattern nor a function.
        ValueError: It is not known when something that matches is spoken; a function came, and the
            words of a text without spaces are not known; or an argument is out of its range.
    """
    _check(matches, sound, margin_s)
    sentences = transcript.sentences or [Sentence(text=transcript.text)]
    found = find_matches(sentences, matches)
    _require_all_found(transcript, sentences, matches)
    ranges = find_ranges(found, margin_s)
    redacted = rewrite_transcript(transcript, sentences, found, replacement)
    return Redaction(_write(audio, ranges, sound, path), redacted, tuple(ranges))


async def aredact_audio(
    audio: Audio,
    transcript: Transcript,
    matches: re.Pattern[str] | Callable[[str], bool],
    *,
    sound: Sound = "silence",
    replacement: str = "[redacted]",
    margin_s: float = 0.1,
    path: str | os.PathLike[str] | None = None,
) -> Redaction:
    """Remove words without blocking the event loop; see `redact_audio`.

    Example:
        ```python
        import asyncio
        import re

        audio = Audio.from_path("welcome.wav")
        redaction = asyncio.run(aredact_audio(audio, transcript, re.compile("Hello")))
        print(redaction.ranges)
        ```
    """
    redact = partial(redact_audio, sound=sound, replacement=replacement, margin_s=margin_s)
    return await asyncio.to_thread(redact, audio, transcript, matches, path=path)


def _check(matches: Matches, sound: Sound, margin_s: float) -> None:
    if not (isinstance(matches, re.Pattern) or callable(matches)):
        raise TypeError(
            f"matches is {type(matches).__name__}; expected re.compile(…), or a function of a word"
        )
    if sound not in {"silence", "beep"}:
        raise ValueError(f"sound is {sound!r}; expected 'silence' or 'beep'")
    if not 0 <= margin_s < math.inf:
        raise ValueError(f"margin_s is {margin_s}; expected seconds, from 0")


def _require_all_found(
    transcript: Transcript, sentences: Sequence[Sentence], matches: Matches
) -> None:
    """Require that sentences have all that matches in the text, so that its sound is removed."""
    in_sentences = texts_that_match(searched_texts(sentences), matches)
    if texts_that_match([transcript.text], matches) - in_sentences:
        raise ValueError(
            "something matches in the text of the transcript, and in none of its sentences, so "
            "that it is not known when it is spoken; expected sentences of the whole text"
        )


def _write(
    audio: Audio,
    ranges: list[tuple[float, float]],
    sound: Sound,
    path: str | os.PathLike[str] | None,
) -> Audio:
    """Write the recording without the sound of ranges."""
    rate = min(audio.sample_rate, _MAX_SAMPLE_RATE)
    blocks = _covered(audio, rate, ranges, make_second(sound, rate))
    with closing(blocks):
        if path is None:
            return Audio.from_bytes(encode_wav(blocks, rate), name=f"{audio.name}, redacted")
        target = Path(path).expanduser()
        _write_file(target, blocks, rate)
        return Audio.from_path(target)


def _covered(
    audio: Audio, rate: int, ranges: list[tuple[float, float]], second: bytes
) -> Generator[bytes]:
    in_bytes = [
        (math.floor(first * rate) * SAMPLE_BYTES, math.ceil(last * rate) * SAMPLE_BYTES)
        for first, last in ranges
    ]
    size = 0
    with closing(audio.decode(rate)) as blocks:
        for block in cover_ranges(blocks, in_bytes, second):
            size += len(block)
            if size > _MAX_WAV_BYTES:
                raise AudioError(f"{audio.name}: it is too long for one WAV file; split it first")
            yield block
    if in_bytes and in_bytes[-1][0] >= size:
        raise AudioError(
            f"{audio.name}: it ends at {size / SAMPLE_BYTES / rate:.1f} s, before a word at "
            f"{ranges[-1][0]:.1f} s that is to be removed; expected the recording of this "
            "transcript"
        )


def _write_file(target: Path, blocks: Generator[bytes], rate: int) -> None:
    """Write a WAV file, whole or not at all."""
    begun = target.with_name(f".{target.name}.part")
    try:
        with begun.open("wb") as file:
            file.write(wav_header(None, rate))
            size = sum(map(file.write, blocks))
            file.seek(0)
            file.write(wav_header(size, rate))
        begun.replace(target)
    finally:
        begun.unlink(missing_ok=True)
