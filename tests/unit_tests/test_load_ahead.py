"""Modules that are loaded ahead: what is wrong with one is told to whoever needs it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from langchain_qwen_audio import _load_ahead
from tests.unit_tests.programs import run_python
from tests.unit_tests.recordings import DATA

if TYPE_CHECKING:
    from collections.abc import Iterator

WITHOUT_SDK = f"""
import sys
sys.modules["dashscope"] = None  # as if it were not installed
from langchain_qwen_audio import Audio, ChatQwenAudio
audio = Audio.from_path({str(DATA / "speech.wav")!r})
print(audio.codec, flush=True)
try:
    ChatQwenAudio(api_key="x").invoke("What is said?")
except ImportError as error:
    print(error.name)
"""


def test_a_recording_is_opened_without_the_sdk_and_a_request_says_what_is_missing() -> None:
    assert run_python(WITHOUT_SDK).split() == ["pcm_s16le", "dashscope"]


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
