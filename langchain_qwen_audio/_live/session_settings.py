"""What a live voice session is told when it begins → the settings that it is sent. Pure.

https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/fun-audiochat-client-events
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from langchain_qwen_audio._live.events import SPEECH_RATE
from langchain_qwen_audio._media.samples import SAMPLE_RATE
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from langchain_qwen_audio._models.live_models import LiveProfile
    from langchain_qwen_audio._settings import BaseChatQwenAudio

TurnDetection: TypeAlias = (
    Literal["server_vad", "semantic_vad", "smart_turn"] | Mapping[str, Any] | None
)

SILENCE_MS = 800  # the service's default: so long a pause ends a turn
_TRANSCRIPTION = {"model": "qwen3-asr-flash-realtime"}  # the only one, says the page


@dataclass(frozen=True)
class SessionOptions:
    """What a live voice session is told when it begins.

    Attributes:
        instructions: The system message.
        tools: The tools, as OpenAI's schemas.
        voice: The voice; None leaves it to the service.
        modalities: What it answers with.
        turn_detection: How the end of a turn is found; None leaves that to `commit`.
        parameters: The service's other parameters.
    """

    instructions: str | None
    tools: Sequence[dict[str, Any]]
    voice: str | None
    modalities: Sequence[str]
    turn_detection: TurnDetection
    parameters: Mapping[str, Any]

    @property
    def detection(self) -> dict[str, Any] | None:
        """The turn detection, as the service takes it."""
        if isinstance(self.turn_detection, str):
            return {"type": self.turn_detection}
        return None if self.turn_detection is None else dict(self.turn_detection)

    @property
    def silence_ms(self) -> int | None:
        """How long a pause ends a turn; None where `commit` does."""
        detection = self.detection
        return None if detection is None else detection.get("silence_duration_ms", SILENCE_MS)


def write_session(options: SessionOptions, profile: LiveProfile) -> dict[str, Any]:
    """Write the settings of a session.

    Raises:
        InvalidRequestError: The model does not have that turn detection, or searches with tools.
    """
    detection = options.detection
    kind = None if detection is None else detection.get("type")
    if detection is not None and kind not in profile.turn_detection:
        raise InvalidRequestError(
            f"turn_detection is {kind!r}; this model has {', '.join(profile.turn_detection)}, and "
            "None, which leaves the end of a turn to commit()"
        )
    if options.tools and options.parameters.get("enable_search"):
        raise InvalidRequestError("enable_search came with tools: a live session takes one of them")
    session: dict[str, Any] = {
        "modalities": list(options.modalities),
        **_audio(options.voice, profile),
        "turn_detection": detection,
    }
    if profile.names_transcriber:
        session["input_audio_transcription"] = _TRANSCRIPTION
    if options.instructions:
        session["instructions"] = options.instructions
    if options.tools:
        session["tools"] = list(options.tools)
    return session | dict(options.parameters)


def _audio(voice: str | None, profile: LiveProfile) -> dict[str, Any]:
    """Write the formats of both ways, and the voice."""
    spoken_by = {"voice": voice} if voice else {}
    if not profile.nested_audio:
        return {**spoken_by, "input_audio_format": "pcm", "output_audio_format": "pcm"}
    formats = [{"type": "pcm", "sample_rate": rate} for rate in (SAMPLE_RATE, SPEECH_RATE)]
    return {
        "audio": {"input": {"format": formats[0]}, "output": {"format": formats[1], **spoken_by}}
    }


def session_parameters(settings: BaseChatQwenAudio, profile: LiveProfile) -> dict[str, Any]:
    """Collect the parameters of a live session; `model_kwargs` are passed on as they are.

    Raises:
        InvalidRequestError: A field is set that a live session does not have.
    """
    given = settings.request_parameters
    if unknown := sorted(given.keys() - profile.parameters):
        raise InvalidRequestError(
            f"a live session of {settings.model} does not take {', '.join(unknown)}; it takes "
            f"{', '.join(sorted(profile.parameters))}, and the arguments of session()"
        )
    return {**given, **settings.model_kwargs}
