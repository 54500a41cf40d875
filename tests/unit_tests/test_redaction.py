"""Words that match are gone, from the sound and from the transcript; all else is as it was."""

from __future__ import annotations

import asyncio
import re
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio, Transcript
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.redaction import Redaction, aredact_audio, redact_audio
from langchain_qwen_audio.transcripts import Sentence, Word

from .recordings import noise, wav

if TYPE_CHECKING:
    from pathlib import Path

    from .recordings import Samples

RATE = 8_000
SOUND = noise(6, RATE)
SOUND[SOUND == 0] = 1  # so that what is silent was made so


def words(*texts: str, start_s: float) -> list[Word]:
    return [
        Word(text=text, start_s=start_s + 0.5 * number, end_s=start_s + 0.5 * number + 0.4)
        for number, text in enumerate(texts)
    ]


HELLO = Sentence(
    text="Hello, I am Ada Byron.",
    start_s=0.5,
    end_s=3.0,
    speaker=0,
    words=words("Hello", "I", "am", "Ada", "Byron", start_s=0.5),
)
BYE = Sentence(text="Bye, Ada!", start_s=4.0, end_s=5.0, words=words("Bye", "Ada", start_s=4.0))
TRANSCRIPT = Transcript(text=f"{HELLO.text} {BYE.text}", sentences=[HELLO, BYE], language="en")


def redact(*args: Any, **options: Any) -> Redaction:
    return redact_audio(*args, **options)


def aredact(*args: Any, **options: Any) -> Redaction:
    return asyncio.run(aredact_audio(*args, **options))


both_ways = pytest.mark.parametrize("redact", [redact, aredact], ids=["sync", "async"])


@pytest.fixture
def audio() -> Audio:
    return Audio.from_bytes(wav(SOUND, RATE), name="call.wav")


def samples_of(audio: Audio, rate: int = RATE) -> Samples:
    samples: Samples = np.frombuffer(b"".join(audio.decode(rate)), np.int16)
    return samples


def assert_gone(redacted: Audio, *ranges: tuple[float, float]) -> None:
    """Require silence in ranges, to the sample, and that no other sample has changed."""
    expected = SOUND.copy()
    for start_s, end_s in ranges:
        expected[round(start_s * RATE) : round(end_s * RATE)] = 0
    assert np.array_equal(samples_of(redacted), expected)


@both_ways
@pytest.mark.parametrize("to_file", [False, True], ids=["in memory", "to a file"])
def test_the_words_of_a_pattern_are_silent_and_replaced(
    redact: Any, audio: Audio, tmp_path: Path, *, to_file: bool
) -> None:
    path = tmp_path / "redacted.wav" if to_file else None
    done = redact(audio, TRANSCRIPT, re.compile("Ada( Byron)?"), margin_s=0.0, path=path)
    # What two words of a row have between them is gone too.
    assert done.ranges == ((2.0, 2.9), (4.5, 4.9))
    assert_gone(done.audio, *done.ranges)
    assert (done.audio.sample_rate, done.audio.channels, done.audio.duration_s) == (RATE, 1, 6.0)
    assert done.transcript.text == "Hello, I am [redacted]. Bye, [redacted]!"
    hello = done.transcript.sentences[0]
    assert (hello.text, hello.speaker) == ("Hello, I am [redacted].", 0)
    assert [it.text for it in hello.words] == ["Hello", "I", "am", "[redacted]"]
    assert (hello.words[-1].start_s, hello.words[-1].end_s) == (2.0, 2.9)
    assert "Ada" not in done.transcript.model_dump_json()
    assert [it.name for it in tmp_path.iterdir()] == (["redacted.wav"] if to_file else [])


@both_ways
def test_a_function_is_called_with_each_word(redact: Any, audio: Audio) -> None:
    seen: list[str] = []

    def is_name(word: str) -> bool:
        seen.append(word)
        return word in {"Ada", "Byron"}

    done = redact(audio, TRANSCRIPT, is_name, replacement="***")
    assert set(seen) >= {"Hello", "I", "am", "Ada", "Byron", "Bye"}
    assert done.transcript.text == "Hello, I am ***. Bye, ***!"


def test_margins_are_removed_too_and_ranges_that_touch_are_one(audio: Audio) -> None:
    done = redact(audio, TRANSCRIPT, re.compile("Hello|am|Bye"), margin_s=0.35)
    assert np.allclose(done.ranges, [(0.15, 2.25), (3.65, 4.75)])
    assert_gone(done.audio, *done.ranges)


def test_a_beep_is_a_tone_and_the_rest_untouched(audio: Audio) -> None:
    done = redact(audio, TRANSCRIPT, re.compile("Byron"), margin_s=0.0, sound="beep")
    samples = samples_of(done.audio)
    first, last = round(2.5 * RATE), round(2.9 * RATE)
    spectrum = np.abs(np.fft.rfft(samples[first:last]))
    assert spectrum.argmax() == 400, "1 kHz in 0.4 s"
    assert np.array_equal(samples[:first], SOUND[:first])
    assert np.array_equal(samples[last:], SOUND[last:])


def test_nothing_that_matches_leaves_all_as_it_was(audio: Audio) -> None:
    done = redact(audio, TRANSCRIPT, re.compile("Grace"))
    assert done.transcript is TRANSCRIPT
    assert done.ranges == ()
    assert_gone(done.audio)


def test_a_sentence_whose_words_have_no_times_is_removed_whole(audio: Audio) -> None:
    bare = [Word(text=it.text) for it in HELLO.words]
    sentences = [HELLO.model_copy(update={"words": bare}), BYE]
    transcript = TRANSCRIPT.model_copy(update={"sentences": sentences})
    done = redact(audio, transcript, re.compile("Byron"), margin_s=0.0)
    assert done.transcript.text == "[redacted] Bye, Ada!"
    assert done.transcript.sentences[0].words == []
    assert_gone(done.audio, (0.5, 3.0))


@pytest.mark.parametrize("separator", ["", " ", "\n", "\n\n", " - "])
def test_the_text_is_joined_as_it_was(audio: Audio, separator: str) -> None:
    text = f"{HELLO.text}{separator}{BYE.text}"
    transcript = TRANSCRIPT.model_copy(update={"text": text})
    done = redact(audio, transcript, re.compile("Byron"))
    expected = separator if separator != " - " else "\n"
    assert done.transcript.text == f"Hello, I am Ada [redacted].{expected}Bye, Ada!"


# --- nothing is left in silently --------------------------------------------------------------

NO_TIMES = [Sentence(text="I am Ada.")]


@pytest.mark.parametrize(
    ("transcript", "message"),
    [
        (Transcript(text="I am Ada."), "it is not known when it is spoken"),
        (Transcript(text="I am Ada.", sentences=NO_TIMES), "it is not known when it is spoken"),
        (
            Transcript(text="I am Ada. Bye!", sentences=[BYE.model_copy(update={"text": "Bye!"})]),
            "in none of its sentences",
        ),
    ],
)
@pytest.mark.parametrize("matches", [re.compile("Ada"), lambda word: word == "Ada"])
def test_a_match_without_times_is_an_error(
    audio: Audio, transcript: Transcript, message: str, matches: Any
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        redact(audio, transcript, matches)
    assert "Ada" not in str(caught.value)


def test_without_a_match_a_transcript_needs_no_times(audio: Audio) -> None:
    assert redact(audio, Transcript(text="Bye!"), re.compile("Ada")).ranges == ()


def test_the_transcript_of_a_longer_recording_is_an_error_and_leaves_no_file(
    tmp_path: Path,
) -> None:
    short = Audio.from_bytes(wav(SOUND[: 3 * RATE], RATE), name="short.wav")
    path = tmp_path / "redacted.wav"
    path.write_bytes(b"before")
    with pytest.raises(AudioError, match=r"short\.wav: it ends at 3\.0 s, before a word at 4\.4 s"):
        redact(short, TRANSCRIPT, re.compile("Ada"), path=path)
    assert [(it.name, it.read_bytes()) for it in tmp_path.iterdir()] == [
        ("redacted.wav", b"before")
    ]


@pytest.mark.parametrize(
    ("matches", "options", "error", "message"),
    [
        ("Ada", {}, TypeError, r"matches is str; expected re\.compile"),
        (re.compile("Ada"), {"sound": "bleep"}, ValueError, "sound is 'bleep'; expected"),
        (re.compile("Ada"), {"margin_s": -0.1}, ValueError, "margin_s is -0.1; expected"),
    ],
)
def test_arguments_that_cannot_be_used_are_errors(
    audio: Audio, matches: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        redact(audio, TRANSCRIPT, matches, **options)


# --- recordings -------------------------------------------------------------------------------


def test_a_channel_that_was_chosen_is_redacted_by_itself() -> None:
    both = np.stack([SOUND, -SOUND], axis=1)
    agent, caller = Audio.from_bytes(wav(both, RATE, 2)).split_channels()
    for channel, sign in ((agent, 1), (caller, -1)):
        done = redact(channel, TRANSCRIPT, re.compile("Byron"), margin_s=0.0)
        expected = SOUND * sign
        expected[round(2.5 * RATE) : round(2.9 * RATE)] = 0
        assert np.array_equal(samples_of(done.audio), expected)


def test_a_file_may_be_replaced_by_its_redaction(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(wav(SOUND, RATE))
    done = redact(Audio.from_path(path), TRANSCRIPT, re.compile("Byron"), margin_s=0.0, path=path)
    assert_gone(done.audio, (2.5, 2.9))
    assert_gone(Audio.from_path(path), (2.5, 2.9))


def test_a_long_recording_is_written_in_blocks(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(np.tile(SOUND, 200), RATE))  # 19 MB
    tracemalloc.start()
    try:
        redact(Audio.from_path(path), TRANSCRIPT, re.compile("Byron"), path=tmp_path / "out.wav")
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()
    assert (tmp_path / "out.wav").stat().st_size == path.stat().st_size
