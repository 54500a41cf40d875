"""Samples → MP3: in a worker where there can be one, and no more of them in memory than a few."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio._media import bounded
from langchain_qwen_audio._media.mp3 import encode_mp3
from langchain_qwen_audio._media.worker_pool import POOL
from tests.unit_tests.recordings import tone

if TYPE_CHECKING:
    from collections.abc import Iterable

RATE, BITS_PER_S = 16_000, 40_000.0
SAMPLES = tone(3).tobytes()
BLOCKS = [SAMPLES[at : at + 10_000] for at in range(0, len(SAMPLES), 10_000)]
MP3 = encode_mp3(BLOCKS, RATE, BITS_PER_S)
ALREADY_HELD = bytes(1_000_000)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("it should not come to that")


def test_a_worker_encodes_as_this_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "encode_mp3", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3


def peak_of_encoding(blocks: Iterable[bytes]) -> int:
    """Count the bytes that this process holds at the most, beyond what it held before."""
    tracemalloc.start()
    try:
        bounded.bounded_encode(blocks, RATE, BITS_PER_S)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_samples_are_held_once_and_not_at_all_if_they_are_held_already() -> None:
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3  # what is loaded once, is
    size, block = 1_000_000, 10_000
    assert peak_of_encoding(bytes(block) for _ in range(size // block)) < 1.3 * size
    assert peak_of_encoding([ALREADY_HELD]) < 0.3 * len(ALREADY_HELD)


def test_what_is_long_is_encoded_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_HELD_BYTES", 20_000)
    monkeypatch.setattr(POOL, "run", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3


def test_where_there_are_no_workers_this_process_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(POOL, "is_available", lambda: False)
    monkeypatch.setattr(POOL, "run", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3
