"""A stream of samples in parts: nothing is lost, nothing is repeated, wherever blocks end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_qwen_audio._media.splitting import split_at_pauses
from tests.unit_tests.recordings import tone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_qwen_audio._media.splitting import Piece


def parts_of(pieces: Iterable[Piece]) -> list[bytes]:
    """Join the pieces of each part, which are numbered without gaps."""
    parts: list[bytes] = []
    for piece in pieces:
        assert piece.part in {len(parts) - 1, len(parts)}
        assert piece.start == sum(map(len, parts))
        if piece.part == len(parts):
            parts.append(b"")
        parts[piece.part] += piece.samples
    return parts


@settings(deadline=None)
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


def test_a_part_ends_in_the_middle_of_the_last_pause() -> None:
    samples = tone(8)
    for pause_s in (3, 5):
        samples[pause_s * 16_000 : pause_s * 16_000 + 8_000] = 0
    parts = parts_of(split_at_pauses([samples.tobytes()], 6 * 32_000, 16_000))
    assert 5.0 < len(parts[0]) / 32_000 < 5.5
