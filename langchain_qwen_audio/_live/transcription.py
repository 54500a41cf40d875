"""Live transcription in sessions, both ways: what is sent, and events → sentences. Pure.

https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-server-events
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._live.client_events import append_audio, begin_session, finish_session
from langchain_qwen_audio._live.events import LiveSentence
from langchain_qwen_audio._live.fields import (
    optional_text,
    required_id,
    required_object,
    required_seconds,
    required_text,
)
from langchain_qwen_audio._live.protocols import TranscriptionProtocol
from langchain_qwen_audio._live.service_errors import event_error

if TYPE_CHECKING:
    from langchain_qwen_audio._live.client_events import Opening, RawEvent
    from langchain_qwen_audio._live.counted_usage import CountedUsage


class SessionTranscription(TranscriptionProtocol):
    """One session."""

    def __init__(self, model: str, session: dict[str, Any], usage: CountedUsage) -> None:
        """Take the model, the settings of the session, and where sentences are counted."""
        self._model = model
        self._session = session
        self._usage = usage
        self.sample_rate = session["sample_rate"]
        self._started_s: dict[str, float] = {}
        self._stopped_s: dict[str, float] = {}

    def opening(self) -> Opening:
        """Begin the session."""
        return begin_session(self._session)

    def append(self, pcm: bytes) -> RawEvent:
        """Send samples."""
        return append_audio(pcm)

    def finish(self) -> RawEvent:
        """Say that nothing more comes."""
        return finish_session()

    def read(self, event: RawEvent) -> list[LiveSentence]:
        """Read one event."""
        match required_text(event, "type").split("."):
            case ["error"]:
                raise event_error(required_object(event, "error"), self._model, event)
            case ["session", "finished"]:
                self.is_finished = True
            case ["input_audio_buffer", "speech_started"]:
                self._started_s[required_id(event, "item_id")] = required_seconds(
                    event, "audio_start_ms"
                )
            case ["input_audio_buffer", "speech_stopped"]:
                self._stopped_s[required_id(event, "item_id")] = required_seconds(
                    event, "audio_end_ms"
                )
            case ["conversation", "item", "input_audio_transcription", step]:
                return self._read_sentence(step, event)
        return []

    def _read_sentence(self, step: str, event: RawEvent) -> list[LiveSentence]:
        match step:
            case "text":
                draft = optional_text(event, "stash") or ""
                return [self._sentence(event, required_text(event, "text") + draft)]
            case "completed":
                return [self._last(event, required_text(event, "transcript"))]
            case "failed":
                error = event_error(required_object(event, "error"), self._model, event)
                return [self._last(event, "", error=error)]
        return []

    def _last(self, event: RawEvent, text: str, **more: Any) -> LiveSentence:
        sentence = self._sentence(event, text, is_final=True, **more)
        self._usage.add_sentence()  # no event says what it costs
        return sentence

    def _sentence(
        self, event: RawEvent, text: str, *, is_final: bool = False, **more: Any
    ) -> LiveSentence:
        item_id = required_id(event, "item_id")
        times = (self._started_s, self._stopped_s)
        find = dict.pop if is_final else dict.get
        start_s, end_s = (find(known, item_id, None) for known in times)
        return LiveSentence(
            text=text,
            is_final=is_final,
            start_s=start_s,
            end_s=end_s,
            language=optional_text(event, "language"),
            emotion=optional_text(event, "emotion"),
            item_id=item_id,
            **more,
        )
