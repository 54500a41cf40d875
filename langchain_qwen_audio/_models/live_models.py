"""A model's name → what its live sessions take. Pure.

https://help.aliyun.com/zh/model-studio/realtime
https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/fun-audiochat-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-message-client-events
https://help.aliyun.com/zh/model-studio/fun-asr-client-events
https://help.aliyun.com/zh/model-studio/paraformer-client-events
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from langchain_qwen_audio.errors import NotFoundError

LIVE = "qwen3.5-omni-flash-realtime"
LIVE_TRANSCRIPTS = "qwen3-asr-flash-realtime"
_SEARCH = frozenset({"enable_search", "search_options"})
_SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "max_tokens", "seed"),
        *("repetition_penalty", "presence_penalty"),
    }
)


@dataclass(frozen=True)
class LiveProfile:
    """What the live sessions of a model take.

    Attributes:
        turn_detection: The kinds of turn detection that it has.
        parameters: The parameters that it has.
        nested_audio: Formats and voice are written inside `session.audio`.
        names_transcriber: The model that transcribes the user is named.
        takes_images: It sees images.
        workspace_only: It is on the hosts of workspaces alone.
        finish: What becomes of `session.finish`: it is answered with `session.finished`, it is
            not answered, or there is no such event.
    """

    turn_detection: tuple[str, ...] = ("server_vad",)
    parameters: frozenset[str] = _SAMPLING | _SEARCH
    nested_audio: bool = False
    names_transcriber: bool = True
    takes_images: bool = True
    workspace_only: bool = False
    finish: Literal["confirmed", "unconfirmed", "none"] = "confirmed"


_OMNI_3 = LiveProfile()
_OMNI_3_5 = LiveProfile(("server_vad", "semantic_vad"))
_OMNI_3_8 = replace(_OMNI_3_5, nested_audio=True, workspace_only=True, finish="unconfirmed")
_QWEN_AUDIO = LiveProfile(
    ("server_vad", "smart_turn"),
    parameters=_SEARCH,
    names_transcriber=False,
    takes_images=False,
    workspace_only=True,
    finish="none",
)

VOICE_MODELS: dict[str, LiveProfile] = {
    "qwen3.5-omni-plus-realtime": _OMNI_3_5,
    "qwen3.5-omni-flash-realtime": _OMNI_3_5,
    "qwen3.8-omni-flash-realtime": _OMNI_3_8,
    "qwen3-omni-flash-realtime": _OMNI_3,
    "qwen-audio-3.1-realtime-plus": _QWEN_AUDIO,
    "qwen-audio-3.1-realtime-flash": _QWEN_AUDIO,  # named by a page, and in no list of prices
    "qwen-audio-3.0-realtime-plus": _QWEN_AUDIO,
    "qwen-audio-3.0-realtime-flash": _QWEN_AUDIO,
}


@dataclass(frozen=True)
class TaskProfile:
    """What the tasks of a model that transcribes live take.

    Attributes:
        asr_options: The names of the `asr_options` that it has.
        sample_rate: Samples per second that it is sent.
        takes_silence: It is told how long a pause ends a sentence, and takes a `heartbeat`.
        always: Parameters that it is always sent.
    """

    asr_options: tuple[str, ...]
    sample_rate: int = 16_000
    takes_silence: bool = True
    always: Mapping[str, Any] = field(default_factory=dict)


_STREAMING = TaskProfile(("language_hints", "vocabulary", "vocabulary_id"))
_FUN_ASR = TaskProfile(("language_hints", "vocabulary_id"))
_PARAFORMER = TaskProfile(("language_hints", "vocabulary_id", "disfluency_removal_enabled"))
_PARAFORMER_1 = replace(_PARAFORMER, takes_silence=False)

TRANSCRIPTION_MODELS: dict[str, LiveProfile | TaskProfile] = {
    LIVE_TRANSCRIPTS: LiveProfile(),
    "qwen-audio-3.1-asr-flash-streaming": TaskProfile((*_STREAMING.asr_options, "keep_dialect")),
    "qwen-audio-3.1-asr-flash-message": TaskProfile(
        ("vocabulary", "vocabulary_id", "keep_dialect", "disfluency_removal_enabled"),
        always={"intermediate_result_enabled": True},
    ),
    "qwen-audio-3.0-asr-flash-streaming": _STREAMING,
    "fun-asr-realtime": _FUN_ASR,
    "fun-asr-flash-8k-realtime": replace(_FUN_ASR, sample_rate=8000),
    "paraformer-realtime-v2": _PARAFORMER,
    "paraformer-realtime-8k-v2": replace(_PARAFORMER, sample_rate=8000),
    "paraformer-realtime-v1": _PARAFORMER_1,
    "paraformer-realtime-8k-v1": replace(_PARAFORMER_1, sample_rate=8000),
}
P = TypeVar("P")
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def voice_profile(model: str) -> LiveProfile:
    """Say what live voice sessions of a model take.

    Raises:
        NotFoundError: It has none.
    """
    return _find(model, VOICE_MODELS, "has no live voice session here")


def transcription_profile(model: str) -> LiveProfile | TaskProfile:
    """Say what live transcription by a model takes.

    Raises:
        NotFoundError: It has none.
    """
    return _find(model, TRANSCRIPTION_MODELS, "has no live transcription here")


def _find(model: str, profiles: Mapping[str, P], what: str) -> P:
    """Find a model, or the one that it is a dated snapshot of."""
    name = _DATE.sub("", model)
    if name not in profiles:
        raise NotFoundError(f"{model} {what}; models that have one: {', '.join(profiles)}")
    return profiles[name]
