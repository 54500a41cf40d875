"""Numbered recordings, and loaders of them: what the tests of transcription share."""

from __future__ import annotations

import asyncio
import base64
import threading
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._transcription.transcriber import THREAD_NAME
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope

from .recordings import decode_all, wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_qwen_audio.local import ReceivedRequest

    from .recordings import Samples

RATE = 16_000


ASR, QWEN_AUDIO = "qwen3-asr-flash", "qwen-audio-turbo-latest"


LEVEL = 5_000  # of the first second of a numbered recording


class Load(Protocol):
    """Load all documents, in one of two ways."""

    def __call__(self, loader: QwenAudioLoader, /) -> list[Document]: ...


def sync(loader: QwenAudioLoader) -> list[Document]:
    return list(loader.lazy_load())


def asynchronous(loader: QwenAudioLoader) -> list[Document]:
    async def collect() -> list[Document]:
        return [document async for document in loader.alazy_load()]

    return asyncio.run(collect())


def numbered(seconds: int, first: int = 0) -> Samples:
    """Make a recording whose seconds differ, each in what it is, and not in how loud it seems."""
    levels = np.arange(first, first + seconds, dtype=np.int16) + LEVEL
    samples: Samples = np.repeat(levels, RATE)
    return samples


def clip_in(request: ReceivedRequest) -> bytes:
    parts = request.messages[-1]["content"]
    values = (part.get("audio") or part.get("input_audio", {}).get("data") for part in parts)
    (url,) = filter(None, values)
    return base64.b64decode(url.partition(";base64,")[2], validate=True)


def numbers_in(request: ReceivedRequest) -> list[int]:
    """Tell which seconds of a numbered recording a request is about."""
    numbers = decode_all(clip_in(request)).samples - LEVEL
    changes = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    return list(dict.fromkeys(numbers[changes].tolist()))


def count_seconds(request: ReceivedRequest) -> str:
    """Transcribe a numbered recording."""
    return " ".join(map(str, numbers_in(request)))


def llm_of(server: LocalDashScope, model: str = ASR, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(model=model, base_url=server.base_url, api_key="local", **fields)


def loader_of(
    server: LocalDashScope, paths: Any, fields: dict[str, Any] | None = None, **options: Any
) -> QwenAudioLoader:
    return QwenAudioLoader(paths, llm=llm_of(server, **(fields or {})), **options)


def texts(documents: list[Document]) -> list[str]:
    return [document.page_content for document in documents]


def sources(documents: list[Document]) -> list[str]:
    return [document.metadata["source"] for document in documents]


def times(documents: list[Document]) -> list[tuple[float, float]]:
    return [(it.metadata["start_s"], it.metadata["end_s"]) for it in documents]


def threads() -> list[str]:
    """Name the threads that transcribe."""
    return [it.name for it in threading.enumerate() if it.name == THREAD_NAME]


# --- fixtures: conftest.py hands them on ---------------------------------------------------------


@pytest.fixture(params=[sync, asynchronous], ids=["sync", "async"])
def load(request: pytest.FixtureRequest) -> Load:
    way: Load = request.param
    return way


@pytest.fixture
def counting() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=count_seconds) as server:
        yield server


@pytest.fixture
def ten(tmp_path: Path) -> Path:
    """Ten seconds, numbered."""
    path = tmp_path / "ten.wav"
    path.write_bytes(wav(numbered(10)))
    return path


@pytest.fixture
def minute(tmp_path: Path) -> Path:
    path = tmp_path / "minute.wav"
    path.write_bytes(wav(numbered(60)))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Make a folder of recordings that are numbered as they are found: 1 to 5."""
    folder = tmp_path / "archive"
    names = ["a.wav", "b.WAV", "deep/down/c.wav", "deep/録音 ünï[1].wav", "z.wav"]
    for number, name in enumerate(names, 1):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(wav(numbered(1, number)))
    (folder / "notes.txt").write_text("not a recording")
    (folder / "empty").mkdir()
    return folder
