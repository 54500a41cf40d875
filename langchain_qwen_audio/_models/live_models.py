"""A model's name → what its live sessions take. Pure.

https://help.aliyun.com/zh/model-studio/realtime
https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from langchain_qwen_audio.errors import NotFoundError

LIVE = "qwen3.5-omni-flash-realtime"
LIVE_TRANSCRIPTS = "qwen3-asr-flash-realtime"


@dataclass(frozen=True)
class LiveProfile:
    """What the live sessions of a model take.

    Attributes:
        turn_detection: The kinds of turn detection that it has.
        nested_audio: Formats and voice are written inside `session.audio`.
        workspace_only: It is on the hosts of workspaces alone.
        confirms_finish: `session.finish` is answered with `session.finished`.
    """

    turn_detection: tuple[str, ...] = ("server_vad",)
    nested_audio: bool = False
    workspace_only: bool = False
    confirms_finish: bool = True


_OMNI_3 = LiveProfile()
_OMNI_3_5 = LiveProfile(("server_vad", "semantic_vad"))
_OMNI_3_8 = replace(_OMNI_3_5, nested_audio=True, workspace_only=True, confirms_finish=False)

VOICE_MODELS: dict[str, LiveProfile] = {
    "qwen3.5-omni-plus-realtime": _OMNI_3_5,
    "qwen3.5-omni-flash-realtime": _OMNI_3_5,
    "qwen3.8-omni-flash-realtime": _OMNI_3_8,
    "qwen3-omni-flash-realtime": _OMNI_3,
}
TRANSCRIPTION_MODELS: dict[str, LiveProfile] = {LIVE_TRANSCRIPTS: LiveProfile()}
_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def voice_profile(model: str) -> LiveProfile:
    """Say what live voice sessions of a model take.

    Raises:
        NotFoundError: It has none.
    """
    return _find(model, VOICE_MODELS, "has no live voice session here")


def transcription_profile(model: str) -> LiveProfile:
    """Say what live transcription by a model takes.

    Raises:
        NotFoundError: It has none.
    """
    return _find(model, TRANSCRIPTION_MODELS, "has no live transcription here")


def _find(model: str, profiles: dict[str, LiveProfile], what: str) -> LiveProfile:
    """Find a model, or the one that it is a dated snapshot of."""
    name = _DATE.sub("", model)
    if name not in profiles:
        raise NotFoundError(f"{model} {what}; models that have one: {', '.join(profiles)}")
    return profiles[name]
