"""A recording on its way to a chat model: how often its file is opened."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.loading import asynchronous, loader_of, sync
from tests.unit_tests.opened_files import opens
from tests.unit_tests.recordings import encode, fresh_tone, tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit_tests.loading import Load


def stereo() -> bytes:
    return wav(np.column_stack([fresh_tone(5), fresh_tone(5)]), channels=2)


KINDS: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "sent as it came": ("a.wav", lambda: wav(fresh_tone(5)), {}),
    "converted": ("a.flac", lambda: encode(fresh_tone(5), "flac", "flac"), {}),
    "split": ("a.wav", lambda: wav(tone(20)), {"segment_s": 8}),
    "split, of MP3": ("a.mp3", lambda: encode(tone(20), "mp3", "libmp3lame"), {"segment_s": 8}),
    "each channel": ("a.wav", stereo, {"channel": "each"}),
    "without silence": ("a.wav", lambda: wav(fresh_tone(5)), {"skip_silence": True}),
}


WAYS = itertools.cycle([sync, asynchronous])


@pytest.mark.parametrize(
    ("load", "name", "make", "options"),
    [(load, *kind) for load, kind in zip(WAYS, KINDS.values(), strict=False)],
    ids=KINDS,
)
def test_a_file_is_opened_once(
    load: Load, tmp_path: Path, name: str, make: Callable[[], bytes], options: dict[str, Any]
) -> None:
    path = tmp_path / name
    path.write_bytes(make())
    with LocalDashScope(reply="ok") as server:
        for checkpoint in (tmp_path / "checkpoint",) * 2:  # the second run finds all there
            with opens() as opened:
                load(loader_of(server, path, checkpoint=checkpoint, **options))
            assert opened.count(str(path)) == 1
