"""Files of all kinds under the names of recordings: what is opened, and what is refused at once."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._request.named_files import MAX_FILE_BYTES
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests.recordings import TWO_WAYS, question_about, read, tone, wav

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and devices are POSIX's")
CLIP = read("piped.wav")
INSIDE, OUTSIDE = wav(tone(0.5)), wav(tone(0.7))


# --- special files ----------------------------------------------------------------------------

KERNEL = [
    "/proc/kmsg",  # whose reader waits for the next message, for ever
    "/proc/self/mem",
    "/proc/self/pagemap",
    "/sys/class/net/lo/speed",  # says that it has 4096 bytes, and refuses to be read
]


@TWO_WAYS
def test_files_of_the_kernel_are_refused_at_once(
    server: LocalDashScope, call_model: CallModel, subtests: pytest.Subtests
) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=True)
    match = r": 0 bytes|: it cannot be read"
    for path in filter(os.path.exists, KERNEL):
        with subtests.test(path), pytest.raises(AudioError, match=match):
            call_model(model, question_about(f"file://{path}"))
    assert server.requests == []


@TWO_WAYS
@pytest.mark.parametrize("size", [MAX_FILE_BYTES + 1, 1 << 40])
def test_a_file_that_is_too_large_is_refused_by_its_size(
    server: LocalDashScope, call_model: CallModel, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "sparse.wav"
    path.write_bytes(CLIP)
    os.truncate(path, size)
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=[tmp_path])
    with pytest.raises(AudioError, match=rf"{size:,} bytes long, at most {MAX_FILE_BYTES:,}"):
        call_model(model, question_about(path.as_uri()))
    with pytest.raises(AudioError, match=f"{size:,} bytes"):
        model.get_num_tokens_from_messages(question_about(path.as_uri()))
    assert server.requests == []


def test_a_pipe_that_takes_the_place_of_a_file_waits_for_nobody(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    audio = Audio.from_path(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(AudioError, match=r"clip.wav: it cannot be read .it changed"):
        _ = audio.data


# --- links that come in between ---------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of recordings beside another one, which is laid out the same."""
    for name, data in (("root", INSIDE), ("outside", OUTSIDE)):
        (tmp_path / name / "folder").mkdir(parents=True)
        (tmp_path / name / "folder" / "a.wav").write_bytes(data)
    return tmp_path / "root"


@pytest.mark.parametrize("swapped", ["folder", "folder/a.wav"])
def test_a_link_put_in_the_place_of_what_was_found_is_not_followed(
    root: Path, swapped: str
) -> None:
    file = LocalFile.find(root / "folder" / "a.wav", [root])
    (root / swapped).rename(root / "before")
    (root / swapped).symlink_to(root.parent / "outside" / swapped)
    with pytest.raises(OSError, match=r"changed|symbolic links"):
        file.open()


class Racing:
    """A folder that somebody changes just after the file in it was resolved."""

    def __init__(self, root: Path, swapped: str) -> None:
        self._root, self._swapped = root, swapped

    def resolve(self) -> Path:
        (self._root / self._swapped).rename(self._root / "before")
        (self._root / self._swapped).symlink_to(self._root.parent / "outside" / self._swapped)
        return self._root


@pytest.mark.parametrize("swapped", ["folder", "folder/a.wav"])
def test_a_link_put_there_while_the_file_is_looked_at_leads_nowhere(
    root: Path, swapped: str
) -> None:
    racing: Any = Racing(root, swapped)
    with pytest.raises(AudioError, match=r"it cannot be read|not a regular file"):
        LocalFile.find(root / "folder" / "a.wav", [racing])


def test_a_folder_is_no_recording(root: Path) -> None:
    for name in ("", ".", "folder", "folder/.."):
        with pytest.raises(AudioError, match="not a regular file"):
            LocalFile.find(root / name, [root])


def test_what_lies_elsewhere_is_refused_whether_it_exists_or_not(root: Path) -> None:
    for name in ("../outside/folder/a.wav", "../outside/none.wav", "/etc/none"):
        with pytest.raises(AudioError, match="outside of what `local_files` allows"):
            LocalFile.find(root / name, [root])


# --- how often a file is opened ---------------------------------------------------------------


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """List the files that are opened."""
    paths: list[Path] = []
    real = LocalFile.open

    def note(file: LocalFile) -> BinaryIO:
        paths.append(file.path)
        return real(file)

    monkeypatch.setattr(LocalFile, "open", note)
    return paths


def test_a_clip_that_a_message_names_is_opened_once(
    server: LocalDashScope, tmp_path: Path, opened: list[Path]
) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav(tone(40)))  # longer than the model takes
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", local_files=[tmp_path])
    model.invoke([HumanMessage([{"type": "audio", "url": path.as_uri()}])])
    assert opened == [path]


def test_a_block_takes_one_opening(tmp_path: Path, opened: list[Path]) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    Audio.from_path(path).to_block()
    assert opened == [path]


def test_a_file_is_kept_open_for_one_thread(tmp_path: Path, opened: list[Path]) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    audio = Audio.from_path(path)
    with audio.kept_open(), audio.kept_open(), ThreadPoolExecutor(1) as threads:
        assert audio.data == CLIP
        assert threads.submit(lambda: audio.data).result() == CLIP
        assert audio.data == CLIP
    assert audio.data == CLIP
    assert opened == [path] * 3


def test_a_file_that_changes_while_it_is_kept_open_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    audio = Audio.from_path(path)
    with audio.kept_open():
        path.write_bytes(CLIP + bytes(2))
        with pytest.raises(AudioError, match="it changed since it was looked at"):
            _ = audio.data


def test_a_file_that_another_thread_has_closed_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(CLIP)
    audio = Audio.from_path(path)
    kept = audio.kept_open()
    kept.__enter__()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(kept.__exit__, None, None, None).result()
    assert audio.data == CLIP
