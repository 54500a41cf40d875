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
from langchain_qwen_audio._live.service_errors import event_error
from langchain_qwen_audio.transcripts import Sentence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio._live.client_events import RawEvent


class TaskTranscription:
    """One task. What is read is a state machine: the service's events in, sentences out.

    Attributes:
        sample_rate: Samples per second that it is sent.
        is_finished: Whether the service has said that the task is over.
    """

    def __init__(self, model: str, parameters: Mapping[str, Any], counted: dict[str, Any]) -> None:
        """Take the model, its parameters, and where the service's usage is put."""
        self._model = model
        self._parameters = parameters
        self._counted = counted
        self._task_id = str(uuid.uuid4())
        self._ended = 0
        self.sample_rate: int = parameters["sample_rate"]
        self.is_finished = False

    @property
    def awaits_answer(self) -> bool:
        """Whether the service must say something next: never, before the end."""
        return False

    @property
    def text(self) -> str:
        """What of a sentence was sent so far: it is in the sentence that is not final."""
        return ""

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
        """Read one event; those of no interest give none.

        Raises:
            QwenAudioError: The task failed.
            KeyError: It is not as documented; so with what else such an event leads to.
        """
        match kind_of(event):
            case "task-failed":
                header = event["header"]
                error = {"code": header["error_code"], "message": header.get("error_message")}
                raise event_error(error, self._model, event)
            case "task-finished":
                self._count(event.get("payload") or {})
                self.is_finished = True
            case "result-generated":
                self._count(event["payload"])
                return self._read_sentence(event["payload"]["output"]["sentence"])
        return []

    def _count(self, payload: Mapping[str, Any]) -> None:
        """Keep the usage, which is that of the whole task so far."""
        self._counted.update(payload.get("usage") or {})

    def _read_sentence(self, raw: dict[str, Any]) -> list[LiveSentence]:
        if raw.get("heartbeat"):
            return []
        text, is_final = raw["text"], bool(raw["sentence_end"])
        if not text and not is_final:
            return []  # it begins
        number = raw.get("sentence_id") or self._ended + 1
        self._ended += is_final
        known = Sentence.from_service(raw)
        sentence = LiveSentence(
            text=text,
            is_final=is_final,
            start_s=known.start_s,
            end_s=known.end_s if is_final else None,
            emotion=raw.get("emo_tag"),
            item_id=str(number),
            words=tuple(known.words),
        )
        return [sentence]
