"""Recordings and their transcripts, by id: in a directory, a LangChain or a LangGraph store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pybase64
from langchain_core.stores import BaseStore
from langgraph.store.base import BaseStore as LangGraphStore

from langchain_qwen_audio._transcription.checkpoints import ByteStore, DirectoryStore
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AnyStore: TypeAlias = str | os.PathLike[str] | ByteStore | LangGraphStore

_NAMESPACE = ("langchain_qwen_audio", "recordings")
_ID = re.compile(r"audio-[0-9a-f]{16}")


def recording_id_of(audio: Audio) -> str:
    """Name a recording by its content, so that the same one is stored once."""
    return f"audio-{audio.digest[:16]}"


def is_recording_id(value: object) -> bool:
    """Tell whether a value may be the id of a stored recording."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


class RecordingStore:
    """Keeps recordings as they came, and transcripts of them."""

    def __init__(self, store: AnyStore) -> None:
        """Take a store as it is, and a path for a directory of files.

        Raises:
            TypeError: It is neither.
        """
        self._store: ByteStore
        if isinstance(store, str | os.PathLike):
            self._store = DirectoryStore(Path(store))
        elif isinstance(store, LangGraphStore):
            self._store = _BytesInLangGraph(store)
        elif isinstance(store, BaseStore):
            self._store = store
        else:
            raise TypeError(
                f"store is a {type(store).__name__}; expected a directory, a LangChain store of "
                "bytes, or a LangGraph store"
            )

    def put(self, audio: Audio) -> str:
        """Store a recording, and return its id; where a part of it was chosen, that part."""
        taken = audio._taken()  # noqa: SLF001
        recording_id = recording_id_of(taken)
        self._store.mset([(recording_id, taken.data)])
        return recording_id

    def get(self, recording_id: str) -> Audio:
        """Find a recording.

        Raises:
            AudioError: There is none with this id, or its bytes are not those that were stored.
        """
        data = self._store.mget([recording_id])[0] if is_recording_id(recording_id) else None
        if data is None:
            raise AudioError(
                f"{recording_id[:60]!r}: there is no such recording in the store of the "
                "AudioMiddleware; it was deleted, or the conversation began with another store: "
                "put it back, or remove its message from the conversation (RemoveMessage)"
            )
        audio = Audio.from_bytes(data, name=recording_id)
        if recording_id_of(audio) != recording_id:
            raise AudioError(
                f"{recording_id}: the store of the AudioMiddleware holds {len(data):,} other bytes "
                "by this id; something else has written there: put the recording back, or remove "
                "its message from the conversation (RemoveMessage)"
            )
        return audio

    def put_transcript(self, recording_id: str, text: str) -> None:
        """Store what is said in a recording."""
        self._store.mset([(_transcript_key(recording_id), text.encode())])

    def find_transcript(self, recording_id: str) -> str | None:
        """Find what is said in a recording; None if it was not transcribed."""
        stored = self._store.mget([_transcript_key(recording_id)])[0]
        return None if stored is None else stored.decode()


def _transcript_key(recording_id: str) -> str:
    return f"{recording_id}.txt"


class _BytesInLangGraph(BaseStore[str, bytes]):
    """Bytes in a LangGraph store, whose values are JSON."""

    def __init__(self, store: LangGraphStore) -> None:
        self._store = store

    def mget(self, keys: Sequence[str]) -> list[bytes | None]:
        items = [self._store.get(_NAMESPACE, key) for key in keys]
        return [pybase64.b64decode(item.value["base64"]) if item else None for item in items]

    def mset(self, key_value_pairs: Sequence[tuple[str, bytes]]) -> None:
        for key, value in key_value_pairs:
            text = pybase64.b64encode_as_string(value)
            self._store.put(_NAMESPACE, key, {"base64": text}, index=False)

    def mdelete(self, keys: Sequence[str]) -> None:
        for key in keys:
            self._store.delete(_NAMESPACE, key)

    def yield_keys(self, *, prefix: str | None = None) -> Iterator[str]:
        for item in self._store.search(_NAMESPACE, limit=1_000_000):
            if item.key.startswith(prefix or ""):
                yield item.key
