"""A stream of samples in parts: nothing is lost, nothing is repeated, wherever blocks end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_qwen_audio._media import splitting
from langchain_qwen_audio._media.splitting import split_at_pauses
from tests.unit_tests.recordings import tone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_qwen_audio._media.splitting import Piece


def parts_of(pieces: Iterable[Piece]) -> list[bytes]:
    """Join the pieces of each part, which are numbered without gaps."""
    parts: list[bytes] = []
    position = 0
    for piece in pieces:
        assert piece.part in {len(parts) - 1, len(parts)}
        assert piece.start == position
        position += len(piece.samples)
        if piece.part == len(parts):
            parts.append(b"")
        parts[piece.part] += piece.samples
    return parts


@settings(max_examples=50, deadline=None)
@given(
    levels=st.lists(st.tuples(st.integers(0, 9_000), st.integers(1, 6_000)), min_size=1),
    limit=st.integers(1, 12_000),
    block=st.integers(1, 9_000),
    rate=st.sampled_from([8_000, 16_000]),
)
def test_any_split_loses_nothing_and_repeats_nothing(
    levels: list[tuple[int, int]], limit: int, block: int, rate: int
) -> None:
    samples = b"".join(
        np.linspace(-level, level, count).astype(np.int16).tobytes() for level, count in levels
    )
    blocks = [samples[i : i + 2 * block] for i in range(0, len(samples), 2 * block)]
    pieces = parts_of(split_at_pauses(blocks, 2 * limit, rate))
    assert b"".join(pieces) == samples
    assert all(0 < len(piece) <= 2 * limit for piece in pieces)
    assert all(len(piece) % 2 == 0 for piece in pieces)
    assert pieces == parts_of(split_at_pauses([samples], 2 * limit, rate)), (
        "blocks may end anywhere"
    )


def speech(*parts: tuple[float, int], rate: int = 16_000) -> bytes:
    """Make sound that is louder and softer as syllables are, of seconds and levels."""
    pieces = []
    for length_s, level in parts:
        times = np.arange(round(length_s * rate)) / rate
        syllables = 0.6 + 0.4 * np.sin(2 * np.pi * 4 * times)
        pieces.append((level * syllables * np.sin(2 * np.pi * 300 * times)).astype(np.int16))
    return np.concatenate(pieces).tobytes()


# What is said, in (seconds, level), and between which seconds the first part of 10 s ends.
PAUSES: dict[str, tuple[list[tuple[float, int]], float, float]] = {
    "the longer of two": ([(6, 9000), (0.6, 0), (2, 9000), (0.3, 0), (9, 9000)], 6.1, 6.5),
    "the last of two that are long": (
        [(5, 9000), (2, 0), (1, 9000), (1.2, 0), (9, 9000)],
        8.1,
        9.1,
    ),
    "the last of two that are alike": (
        [(6, 9000), (0.5, 0), (2, 9000), (0.52, 0), (9, 9000)],
        8.6,
        9.0,
    ),
    "that is not silent": ([(6, 9000), (0.5, 150), (2, 9000), (0.25, 150), (9, 9000)], 6.1, 6.4),
    "of a soft voice": ([(6, 300), (0.5, 5), (2, 300), (0.25, 5), (9, 300)], 6.1, 6.4),
}


@pytest.mark.parametrize(("said", "earliest_s", "latest_s"), PAUSES.values(), ids=PAUSES)
def test_a_part_ends_in_the_longest_pause_near_its_end(
    said: list[tuple[float, int]], earliest_s: float, latest_s: float
) -> None:
    pieces = list(split_at_pauses([speech(*said)], 320_000, 16_000))
    assert earliest_s < len(parts_of(pieces)[0]) / 32_000 < latest_s
    assert not any(piece.in_sound for piece in pieces if piece.part == 0)


def test_a_part_ends_within_sound_only_where_there_is_no_pause() -> None:
    samples = speech((7, 9000), (0.1, 0), (12, 9000))  # as long as a consonant
    pieces = list(split_at_pauses([samples], 320_000, 16_000, overlap=64_000))
    assert next(piece.in_sound for piece in pieces)
    first, second, *_ = parts_of(pieces)
    assert 7.0 <= len(first) / 32_000 <= 7.2, "that is the quietest point"
    assert len(second) <= 320_000 - 64_000, "what it repeats of the first is room for"


NOISE = np.random.default_rng(0).normal(0, 1, 25 * 16_000)
STEADY = {"a hum": tone(25).tobytes()} | {
    f"noise of {level}": (level * NOISE).astype(np.int16).tobytes() for level in (5, 1_000)
}


@pytest.mark.parametrize("samples", STEADY.values(), ids=STEADY)
def test_nothing_is_repeated_where_nobody_speaks(samples: bytes) -> None:
    pieces = list(split_at_pauses([samples], 320_000, 16_000, overlap=64_000))
    assert [len(part) for part in parts_of(pieces)] == [320_000, 320_000, 160_000]
    assert not any(piece.in_sound for piece in pieces)


def noisy(*parts: tuple[float, int]) -> bytes:
    """Make sound with noise that is 9 dB below what is loud."""
    sound = np.frombuffer(speech(*parts), np.int16).astype(float)
    noise = np.random.default_rng(0).normal(0, 1_200, len(sound))
    return (sound + noise).astype(np.int16).tobytes()


UNCLEAR = {
    "a voice that is equally loud": speech((25, 9000)),
    "noise, in which there may be soft speech": noisy((7, 9000), (0.5, 0), (18, 9000)),
}


@pytest.mark.parametrize("samples", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_no_clear_pause_is_repeated(samples: bytes) -> None:
    pieces = list(split_at_pauses([samples], 320_000, 16_000, overlap=64_000))
    ends = [piece.in_sound for piece in pieces[:-1]]
    assert ends
    assert all(ends)


def test_the_quietest_stretch_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, searches = speech((19, 9000), (0.5, 0), (6, 9000)), 0

    def search(*values: Any) -> Any:
        nonlocal searches
        searches += len(values) == 1
        return min(*values)

    monkeypatch.setattr(splitting, "min", search, raising=False)
    list(split_at_pauses([samples], 640_000, 16_000, search_s=10.0))
    assert searches == 1


def test_a_part_ends_in_the_middle_of_the_last_pause() -> None:
    samples = tone(8)
    for pause_s in (3, 5):
        samples[pause_s * 16_000 : pause_s * 16_000 + 8_000] = 0
    parts = parts_of(split_at_pauses([samples.tobytes()], 6 * 32_000, 16_000))
    assert 5.0 < len(parts[0]) / 32_000 < 5.5
