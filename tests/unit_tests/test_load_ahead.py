"""Modules that are loaded ahead: what is wrong with one is told to whoever needs it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio import _load_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Name a module of which nothing is noted yet."""
    monkeypatch.setattr(_load_ahead, "_names", [])
    yield "made_for_load_ahead"
    sys.modules.pop("made_for_load_ahead", None)


def test_a_module_is_loaded_once(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = tmp_path / "count"
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text(
        f"with open({str(count)!r}, 'a') as file: file.write('x')\nraise OSError"
    )
    _load_ahead.load_later(name)
    for _ in range(3):
        _load_ahead.load_now()
    assert count.read_text() == "x"


@pytest.mark.parametrize("error", ["ImportError", "OSError", "SyntaxError", "KeyError"])
def test_whoever_needs_a_module_sees_why_it_cannot_be_loaded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text(f"raise {error}('the true reason')")
    _load_ahead.load_later(name)
    _load_ahead.load_now()
    with pytest.raises(Exception, match="the true reason") as caught:
        __import__(name)
    assert type(caught.value).__name__ == error


def test_an_interrupt_is_not_kept_back(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / f"{name}.py").write_text("raise KeyboardInterrupt")
    _load_ahead.load_later(name)
    with pytest.raises(KeyboardInterrupt):
        _load_ahead.load_now()
