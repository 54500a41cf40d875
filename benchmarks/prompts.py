"""Telephone prompts, spoken by a person, with their official texts → joined recordings.

They are those of Debian's packages asterisk-core-sounds-en-wav and asterisk-core-sounds-en, and are
no part of this repository:

    apt-get install --no-install-recommends asterisk-core-sounds-en-wav asterisk-core-sounds-en
"""

from __future__ import annotations

import gzip
import itertools
import wave
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOUNDS = Path("/usr/share/asterisk/sounds/en_US_f_Allison")
TEXTS = Path("/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz")
RATE = 8_000
LONGEST_S, FEWEST_WORDS = 25.0, 3
MISSING = "asterisk-core-sounds-en-wav and asterisk-core-sounds-en, of Debian, are not installed"


class Prompt(NamedTuple):
    """What is said, and how it sounds: mono, signed 16-bit samples at 8,000 hertz."""

    text: str
    samples: bytes

    @property
    def length_s(self) -> float:
        """Seconds."""
        return len(self.samples) / 2 / RATE


class PlacedPrompt(NamedTuple):
    """A prompt in a joined recording: where it starts and ends, in seconds."""

    prompt: Prompt
    start_s: float
    end_s: float


def are_installed() -> bool:
    """Tell whether the prompts are here."""
    return SOUNDS.is_dir() and TEXTS.is_file()


def read_prompts() -> Iterator[Prompt]:
    """Read the prompts of some words, in the order of their list."""
    with gzip.open(TEXTS, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, _, text = line.partition(": ")
            path = SOUNDS / f"{name}.wav"
            if len(text.split()) < FEWEST_WORDS or "[" in text or not path.is_file():
                continue
            with wave.open(str(path)) as reader:
                prompt = Prompt(text.strip(), reader.readframes(reader.getnframes()))
            if prompt.length_s <= LONGEST_S:
                yield prompt


def write_prompt(path: Path, prompt: Prompt) -> Path:
    """Write a WAV file of one prompt; return its path."""
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        writer.writeframes(prompt.samples)
    return path


def join_prompts(path: Path, length_s: float, pauses_s: Sequence[float]) -> list[PlacedPrompt]:
    """Write a WAV file of prompts with pauses, over and over; return where they are in it."""
    prompts, pauses = list(read_prompts()), itertools.cycle(pauses_s)
    placed: list[PlacedPrompt] = []
    at_s = 0.0
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        for prompt in itertools.cycle(prompts):
            if at_s + prompt.length_s > length_s:
                return placed
            pause = bytes(2 * round(next(pauses) * RATE))
            placed.append(PlacedPrompt(prompt, at_s, at_s + prompt.length_s))
            writer.writeframes(prompt.samples + pause)
            at_s += prompt.length_s + len(pause) / 2 / RATE
    raise AssertionError("there is no end to a cycle")
