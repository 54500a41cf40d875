"""Telephone prompts, joined → words that are wrong at cuts.

    python -m benchmarks.speech [--minutes 10]

Needs the prompts (see `prompts.py`), jiwer, and the extra `local`. No key, no network: the
local test server transcribes with Whisper.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.prompts import MISSING, are_installed, join_prompts, write_prompt
from langchain_qwen_audio import ChatQwenAudio, QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.prompts import PlacedPrompt

SEGMENT_S = 10.0  # as for subtitles
SHORT_PAUSES_S = (0.3, 0.6, 0.4, 0.8)
SILENCE_S = 0.1  # that a prompt itself has at its start and at its end
NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def words_in(text: str) -> list[str]:
    """List the words, with small numbers written out."""
    words = re.findall(r"[a-z']+|\d+", text.lower())
    return [NUMBERS[int(it)] if it.isdecimal() and int(it) < len(NUMBERS) else it for it in words]


def divides(cut_s: float, placed: PlacedPrompt) -> bool:
    """Tell whether a cut is within a prompt."""
    return placed.start_s + SILENCE_S < cut_s < placed.end_s - SILENCE_S


def fits(placed: PlacedPrompt) -> bool:
    """Tell a prompt that no segment has to divide: the first third of a segment is never cut."""
    return placed.prompt.length_s < SEGMENT_S * 2 / 3


def right_words(spoken: list[str], written: list[str]) -> Iterator[bool]:
    """Tell of each word that is spoken whether it is written."""
    import jiwer

    for chunk in jiwer.process_words(" ".join(spoken), " ".join(written)).alignments[0]:
        for _ in range(chunk.ref_start_idx, chunk.ref_end_idx):
            yield chunk.type == "equal"


def measure_cuts(folder: Path, minutes: float, pauses_s: tuple[float, ...]) -> None:
    """Transcribe prompts alone, and joined in short segments; print a line."""
    placed = join_prompts(folder / "joined.wav", minutes * 60, pauses_s)
    paths = [write_prompt(folder / f"{at}.wav", it.prompt) for at, it in enumerate(placed)]
    with LocalDashScope(max_log=1) as server:
        llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=server.base_url, api_key="local")
        alone = QwenAudioLoader(paths, llm=llm, max_concurrency=2).load()
        joined = QwenAudioLoader(
            folder / "joined.wav", llm=llm, segment_s=SEGMENT_S, max_concurrency=2
        ).load()
    spoken = [words_in(it.prompt.text) for it in placed]
    whole = right_words(
        list(itertools.chain(*spoken)), words_in(" ".join(it.page_content for it in joined))
    )
    cuts_s = [it.metadata["start_s"] for it in joined[1:]]
    worse = {True: 0, False: 0}  # by whether a cut divides the prompt
    for words, document, place in zip(spoken, alone, placed, strict=True):
        pairs = zip(right_words(words, words_in(document.page_content)), whole, strict=False)
        wrong = sum(was_right and not is_right for was_right, is_right in pairs)
        worse[any(divides(it, place) for it in cuts_s)] += wrong
    divided = [it for it in placed if any(divides(cut_s, it) for cut_s in cuts_s)]
    print(
        f"{f'{min(pauses_s):g} to {max(pauses_s):g} s':<14}{sum(map(len, spoken)):>7}"
        f"{len(cuts_s):>7}{len(divided):>9}{sum(map(fits, divided)):>9}"
        f"{worse[True]:>9}{worse[False]:>9}"
    )


def main() -> None:
    """Print a line for each kind of pauses."""
    parser = argparse.ArgumentParser(description="Joined telephone prompts through the loader.")
    parser.add_argument("--minutes", type=float, default=10.0)
    minutes = parser.parse_args().minutes
    if not are_installed():
        sys.exit(MISSING)
    print(
        "Prompts that a cut divides, and those of them that would fit into a segment; words that "
        "Whisper\nhas right in the prompt alone and wrong in the whole, in divided prompts and in "
        "others:\n"
        f"{'pauses':<14}{'words':>7}{'cuts':>7}{'divided':>9}{'fitting':>9}{'wrong':>9}{'others':>9}"
    )
    with tempfile.TemporaryDirectory() as name:
        for pauses_s in (SHORT_PAUSES_S, (0.0,)):
            measure_cuts(Path(name), minutes, pauses_s)


if __name__ == "__main__":
    main()
