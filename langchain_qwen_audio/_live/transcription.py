"""Live transcription in sessions, both ways: what is sent, and events → sentences. Pure.

https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-server-events
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._live.client_events import append_audio, begin_session, finish_session
from langchain_qwen_audio._live.events import LiveSentence
from langchain_qwen_audio._live.service_errors import event_error

if TYPE_CHECKING:
    from langchain_qwen_audio._live.client_events import Opening, RawEvent


class SessionTranscription:
    """One session. What is read is a state machine: the service's events in, sentences out.

    Attributes:
        sample_rate: Samples per second that it is sent.
        is_finished: Whether the service has said that the session is over.
    """

    def __init__(self, model: str, session: dict[str, Any]) -> None:
        """Take the model, and the settings of the session."""
        self._model = model
        self._session = session
        self.sample_rate: int = session["sample_rate"]
        self._started_s: dict[str, float] = {}
        self._stopped_s: dict[str, float] = {}
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
        """Begin the session."""
        return begin_session(self._session)

    def append(self, pcm: bytes) -> RawEvent:
        """Send samples."""
        return append_audio(pcm)

    def finish(self) -> RawEvent:
        """Say that nothing more comes."""
        return finish_session()

    def read(self, event: RawEvent) -> list[LiveSentence]:
        """Read one event; those of no interest give none.

        Raises:
            QwenAudioError: It reports an error.
            KeyError: It is not as documented; so with what else such an event leads to.
        """
        match event["type"].split("."):
            case ["error"]:
                raise event_error(event["error"], self._model, event)
            case ["session", "finished"]:
                self.is_finished = True
            case ["input_audio_buffer", "speech_started"]:
                self._started_s[event["item_id"]] = event["audio_start_ms"] / 1000
            case ["input_audio_buffer", "speech_stopped"]:
                self._stopped_s[event["item_id"]] = event["audio_end_ms"] / 1000
            case ["conversation", "item", "input_audio_transcription", step]:
                return self._read_sentence(step, event)
        return []

    def _read_sentence(self, step: str, event: RawEvent) -> list[LiveSentence]:
        match step:
            case "text":
                return [self._sentence(event, event["text"] + event.get("stash", ""))]
            case "completed":
                return [self._sentence(event, event["transcript"], is_final=True)]
            case "failed":
                error = event_error(event["error"], self._model, event)
                return [self._sentence(event, "", is_final=True, error=error)]
        return []

    def _sentence(
        self, event: RawEvent, text: str, *, is_final: bool = False, **more: Any
    ) -> LiveSentence:
        item_id = event["item_id"]
        times = (self._started_s, self._stopped_s)
        find = dict.pop if is_final else dict.get
        start_s, end_s = (find(known, item_id, None) for known in times)
        return LiveSentence(
            text=text,
            is_final=is_final,
            start_s=start_s,
            end_s=end_s,
            language=event.get("language"),
            emotion=event.get("emotion"),
            item_id=item_id,
            **more,
        )
