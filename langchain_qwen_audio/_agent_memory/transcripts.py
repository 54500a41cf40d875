"""Stored recordings → their transcripts, each written once."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from langchain_core.exceptions import ModelError

from langchain_qwen_audio._transcription.formats import TranscriptFormat
from langchain_qwen_audio._transcription.sources import Recording
from langchain_qwen_audio.document_loaders import QwenAudioParser

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.documents import Document

    from langchain_qwen_audio._agent_memory.recordings import RecordingStore
    from langchain_qwen_audio.chat_models import ChatQwenAudio

logger = logging.getLogger(__name__)


class StoredTranscripts:
    """Transcribes stored recordings of any length, and stores what is said in them."""

    def __init__(self, recordings: RecordingStore, transcriber: ChatQwenAudio | None) -> None:
        """Take the store, and the model; None is qwen3-asr-flash."""
        self._recordings = recordings
        self._transcriber = transcriber

    def find(self, recording_ids: Sequence[str]) -> dict[str, str]:
        """Find transcripts, or write them; one that cannot be written is left out, and logged."""
        found = {it: self._find(it) for it in recording_ids}
        return {name: text for name, text in found.items() if text is not None}

    async def afind(self, recording_ids: Sequence[str]) -> dict[str, str]:
        """Find transcripts, or write them, without blocking the event loop; see `find`."""
        texts = await asyncio.gather(*map(self._afind, recording_ids))
        found = zip(recording_ids, texts, strict=True)
        return {name: text for name, text in found if text is not None}

    def _find(self, recording_id: str) -> str | None:
        if (known := self._recordings.find_transcript(recording_id)) is not None:
            return known
        try:
            documents = list(self._parser().documents([self._recording(recording_id)]))
        except ModelError as error:
            _warn(recording_id, error)
            return None
        return self._keep(recording_id, documents)

    async def _afind(self, recording_id: str) -> str | None:
        find = self._recordings.find_transcript
        if (known := await asyncio.to_thread(find, recording_id)) is not None:
            return known
        found = self._parser().adocuments([self._recording(recording_id)])
        try:
            documents = [it async for it in found]
        except ModelError as error:
            _warn(recording_id, error)
            return None
        return await asyncio.to_thread(self._keep, recording_id, documents)

    def _parser(self) -> QwenAudioParser:
        return QwenAudioParser(self._transcriber, transcript_format=TranscriptFormat.TEXT)

    def _recording(self, recording_id: str) -> Recording:
        return Recording(recording_id, partial(self._recordings.get, recording_id))

    def _keep(self, recording_id: str, documents: list[Document]) -> str:
        text = "\n\n".join(it.page_content for it in documents)
        self._recordings.put_transcript(recording_id, text)
        return text


def _warn(recording_id: str, error: ModelError) -> None:
    reason = f"{type(error).__name__}: {error}"
    logger.warning("%s: no transcript (%s); its sound is sent instead", recording_id, reason)
