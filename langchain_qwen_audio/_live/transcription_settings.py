"""What live transcription is told → the settings that are sent. Pure.

https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._media.samples import SAMPLE_RATE
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio._models.live_models import TaskProfile
    from langchain_qwen_audio._settings import BaseChatQwenAudio

THRESHOLD = 0.0  # what the service's page advises; its default is 0.2
_SILENCE_MS = 400  # the same; its default is 800


def write_session_settings(settings: BaseChatQwenAudio, silence_ms: int | None) -> dict[str, Any]:
    """Write the settings of a session that transcribes.

    Raises:
        InvalidRequestError: A field is set that live transcription does not have.
    """
    options = _check_options(settings, ("language",))
    session: dict[str, Any] = {
        "modalities": ["text"],
        "input_audio_format": "pcm",
        "sample_rate": SAMPLE_RATE,
        "turn_detection": {
            "type": "server_vad",
            "threshold": THRESHOLD,
            "silence_duration_ms": _SILENCE_MS if silence_ms is None else silence_ms,
        },
    }
    if options:
        session["input_audio_transcription"] = options
    return session | settings.model_kwargs


def write_task_parameters(
    settings: BaseChatQwenAudio, profile: TaskProfile, silence_ms: int | None
) -> dict[str, Any]:
    """Write the parameters of a task that transcribes.

    Raises:
        InvalidRequestError: A field is set that the model does not have.
    """
    options = _check_options(settings, profile.asr_options)
    if silence_ms is not None and not profile.takes_silence:
        raise InvalidRequestError(f"{settings.model} does not take silence_ms")
    parameters: dict[str, Any] = {"format": "pcm", "sample_rate": profile.sample_rate}
    if profile.takes_silence:
        parameters["heartbeat"] = True  # or the service hangs up while nobody speaks
    if silence_ms is not None:
        parameters["max_sentence_silence"] = silence_ms
    return {**parameters, **profile.always, **options, **settings.model_kwargs}


def _check_options(settings: BaseChatQwenAudio, known: Sequence[str]) -> dict[str, Any]:
    """Return the `asr_options`, if they are all that is set, and known."""
    given = dict(settings.request_parameters)
    options: dict[str, Any] = dict(given.pop("asr_options", {}))
    if unknown := sorted([*given, *(options.keys() - set(known))]):
        raise InvalidRequestError(
            f"live transcription by {settings.model} does not take {', '.join(unknown)}; of "
            f"asr_options it takes {', '.join(known)}"
        )
    return options
