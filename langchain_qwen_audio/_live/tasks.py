"""The task protocol of live transcription, both ways: what is sent, and events → sentences. Pure.

https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-server-events
https://help.aliyun.com/zh/model-studio/paraformer-server-events (no numbers of sentences; emotion)
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._live.client_events import Opening, kind_of
from langchain_qwen_audio._live.events import LiveSentence
from langchain_qwen_audio._live.fields import (
    optional_integer,
    optional_object,
    optional_objects,
    optional_text,
    required_flag,
    required_object,
    required_text,
)
from langchain_qwen_audio._live.protocols import TranscriptionProtocol
from langchain_qwen_audio._live.service_errors import event_error
from langchain_qwen_audio.transcripts import Sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio._live.client_events import RawEvent
    from langchain_qwen_audio._live.counted_usage import CountedUsage


class TaskTranscription(TranscriptionProtocol):
    """One task."""

    def __init__(self, model: str, parameters: Mapping[str, Any], usage: CountedUsage) -> None:
        """Take the model, its parameters, and where the service's usage is put."""
        self._model = model
        self._parameters = parameters
        self._usage = usage
        self._task_id = str(uuid.uuid4())
        self._ended = 0
        self.sample_rate = parameters["sample_rate"]

    def opening(self) -> Opening:
        """Begin the task."""
        payload = {
            "task_group": "audio",
            "task": "asr",
            "function": "recognition",
            "model": self._model,
            "parameters": {**self._parameters},
            "input": {},
        }
        return Opening(self._message("run-task", payload), "task-started")

    def append(self, pcm: bytes) -> bytes:
        """Send samples, which travel as they are."""
        return pcm

    def finish(self) -> RawEvent:
        """Say that nothing more comes."""
        return self._message("finish-task", {"input": {}})

    def _message(self, action: str, payload: dict[str, Any]) -> RawEvent:
        header = {"action": action, "task_id": self._task_id, "streaming": "duplex"}
        return {"header": header, "payload": payload}

    def read(self, event: RawEvent) -> list[LiveSentence]:
        """Read one event."""
        match kind_of(event):
            case "task-failed":
                header = required_object(event, "header")
                error = {
                    "code": required_text(header, "error_code"),
                    "message": optional_text(header, "error_message"),
                }
                raise event_error(error, self._model, event)
            case "task-finished":
                self._count(optional_object(event, "payload"))
                self.is_finished = True
            case "result-generated":
                payload = required_object(event, "payload")
                raw = required_object(required_object(payload, "output"), "sentence")
                sentences = self._read_sentence(raw)
                self._count(payload)
                return sentences
        return []

    def _count(self, payload: Mapping[str, Any]) -> None:
        self._usage.add_usage(optional_object(payload, "usage"))

    def _read_sentence(self, raw: dict[str, Any]) -> list[LiveSentence]:
        if raw.get("heartbeat") is True:
            return []
        text, is_final = required_text(raw, "text"), required_flag(raw, "sentence_end")
        if not text and not is_final:
            return []  # it begins
        _check_words(raw)
        known = Sentence.from_service(raw)
        sentence = LiveSentence(
            text=text,
            is_final=is_final,
            start_s=known.start_s,
            end_s=known.end_s if is_final else None,
            emotion=optional_text(raw, "emo_tag"),
            item_id=str(optional_integer(raw, "sentence_id") or self._ended + 1),
            words=tuple(known.words),
        )
        if is_final:
            self._ended += 1
            self._usage.add_sentence()
        return [sentence]


def _check_words(raw: dict[str, Any]) -> None:
    """Refuse words that are no texts, which `Sentence` would leave out in silence."""
    for word in optional_objects(raw, "words"):
        for name in ("text", "punctuation"):
            optional_text(word, name)
