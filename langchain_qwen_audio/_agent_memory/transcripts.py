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
    """Transcribes stored recordings of any length, and stores what is said in them.

    A few segments are in flight at once, as `QwenAudioParser` has it. Each transcript is stored as
    it comes, so that an error later loses none.
    """

    def __init__(self, recordings: RecordingStore, transcriber: ChatQwenAudio | None) -> None:
        """Take the store, and the model; None is qwen3-asr-flash.

        Raises:
            ValidationError: There is no key for that.
        """
        self._recordings = recordings
        self._parser = QwenAudioParser(
            transcriber, transcript_format=TranscriptFormat.TEXT, on_error="document"
        )

    def find(self, recording_ids: Sequence[str]) -> dict[str, str]:
        """Find transcripts, or write them; one that cannot be written is left out, and logged."""
        found = self._find_stored(recording_ids)
        missing = [it for it in recording_ids if it not in found]
        if not missing:
            return found
        try:
            for document in self._parser.documents(map(self._recording, missing)):
                found |= self._keep(document)
        except ModelError as error:  # no other recording would succeed
            _warn(missing, found, error)
        return found

    async def afind(self, recording_ids: Sequence[str]) -> dict[str, str]:
        """Find transcripts, or write them, without blocking the event loop; see `find`."""
        found = await asyncio.to_thread(self._find_stored, recording_ids)
        missing = [it for it in recording_ids if it not in found]
        if not missing:
            return found
        try:
            async for document in self._parser.adocuments(map(self._recording, missing)):
                found |= await asyncio.to_thread(self._keep, document)
        except ModelError as error:  # no other recording would succeed
            _warn(missing, found, error)
        return found

    def _find_stored(self, recording_ids: Sequence[str]) -> dict[str, str]:
        stored = {it: self._recordings.find_transcript(it) for it in recording_ids}
        return {name: text for name, text in stored.items() if text is not None}

    def _recording(self, recording_id: str) -> Recording:
        return Recording(recording_id, partial(self._recordings.get, recording_id))

    def _keep(self, document: Document) -> dict[str, str]:
        """Store the transcript of a recording; one that is not whole is logged."""
        recording_id, text = document.metadata["source"], document.page_content
        if document.metadata.get("failed"):
            logger.warning("%s: no transcript; its sound is sent instead: %s", recording_id, text)
            return {}
        self._recordings.put_transcript(recording_id, text)
        return {recording_id: text}


def _warn(missing: Sequence[str], found: dict[str, str], error: ModelError) -> None:
    names = ", ".join(it for it in missing if it not in found)
    reason = f"{type(error).__name__}: {error}"
    logger.warning("%s: no transcript; its sound is sent instead: %s", names, reason)
