"""Files that are hashed in a thread while they are read: the same hash, and nothing left behind."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media import hashing
from langchain_qwen_audio._media.bounded import bounded_probe
from langchain_qwen_audio._media.hashing import hash_ahead
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.loading import loader_of
from tests.unit_tests.programs import needs_proc
from tests.unit_tests.recordings import tone, wav
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.loading import Load

DATA = wav(tone(100))
DIGEST = hashlib.sha256(DATA).hexdigest()

pytestmark = pytest.mark.skipif(not hasattr(os, "pread"), reason="it is hashed when it is needed")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "call.wav"
    path.write_bytes(DATA)
    return path


def test_it_is_hashed_from_its_beginning_and_its_position_is_left_alone(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(7)
        begun = hash_ahead(file)
        assert begun is not None
        assert begun.result(HANG_S).hexdigest() == DIGEST
        assert file.tell() == 7


@pytest.mark.parametrize("options", [{}, {"channel": 0}, {"allow_truncated": True}])
def test_a_digest_is_the_same_whether_it_was_begun_or_not(
    path: Path, options: dict[str, Any]
) -> None:
    begun = Audio.from_path(path, **options)
    begun.begin_digest()
    assert begun.digest == Audio.from_path(path, **options).digest
    in_memory = Audio.from_bytes(DATA, **options)
    in_memory.begin_digest()
    assert in_memory.digest == begun.digest


def test_what_has_no_descriptor_is_hashed_when_it_is_needed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert hash_ahead(io.BytesIO(DATA)) is None
    monkeypatch.delattr("os.pread")  # as on Windows
    audio = Audio.from_path(path)
    audio.begin_digest()
    assert audio.digest == DIGEST


@needs_proc
@pytest.mark.parametrize("fails", [False, True])
def test_no_descriptor_is_left_open(
    path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    def fail(*_: Any) -> bytes:
        raise OSError(5, "Input/output error")

    if fails:
        monkeypatch.setattr(os, "pread", fail)
    before = sorted(Path("/proc/self/fd").iterdir())
    audio = Audio.from_path(path)
    audio.begin_digest()
    if fails:
        with pytest.raises(AudioError, match=r"call\.wav: it cannot be read .Input/output error"):
            _ = audio.digest
    else:
        assert audio.digest == DIGEST
    wait_until(lambda: sorted(Path("/proc/self/fd").iterdir()) == before)


def test_a_file_that_changed_meanwhile_is_an_error(path: Path) -> None:
    audio = Audio.from_path(path)
    audio.begin_digest()
    path.write_bytes(DATA + bytes(2))
    with pytest.raises(AudioError, match="it changed since it was looked at"):
        _ = audio.digest


def test_a_loader_looks_at_a_recording_while_it_is_hashed(
    load: Load, server: LocalDashScope, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_looked_at, hash_file = threading.Event(), hashing._hash
    was_begun: list[bool] = []

    def hash_late(descriptor: int) -> Any:
        assert is_looked_at.wait(HANG_S)
        return hash_file(descriptor)

    def look(*arguments: Any) -> Any:
        was_begun.append(any(it.name == "hashing" for it in threading.enumerate()))
        is_looked_at.set()
        return bounded_probe(*arguments)

    monkeypatch.setattr(hashing, "_hash", hash_late)
    monkeypatch.setattr("langchain_qwen_audio._media.encoded_audio.bounded_probe", look)
    (document,) = load(loader_of(server, path))
    assert document.page_content == "ok"
    assert was_begun[0]
