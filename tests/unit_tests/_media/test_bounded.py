"""Samples → MP3: in a worker where there can be one, and no more of them in memory than a few."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_qwen_audio._media import bounded
from langchain_qwen_audio._media.mp3 import encode_mp3
from langchain_qwen_audio._media.worker_pool import POOL
from tests.unit_tests.recordings import tone

RATE, BITS_PER_S = 16_000, 40_000.0
SAMPLES = tone(3).tobytes()
BLOCKS = [SAMPLES[at : at + 10_000] for at in range(0, len(SAMPLES), 10_000)]
MP3 = encode_mp3(BLOCKS, RATE, BITS_PER_S)


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("it should not come to that")


def test_a_worker_encodes_as_this_process_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "encode_mp3", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3


def test_what_is_long_is_encoded_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MAX_HELD_BYTES", 20_000)
    monkeypatch.setattr(POOL, "run", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3


def test_where_there_are_no_workers_this_process_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(POOL, "is_available", lambda: False)
    monkeypatch.setattr(POOL, "run", refuse)
    assert bounded.bounded_encode(BLOCKS, RATE, BITS_PER_S) == MP3
