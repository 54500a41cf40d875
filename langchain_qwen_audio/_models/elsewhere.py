"""A model's name → how the service serves it, if that is no way that ChatQwenAudio has. Pure.

https://help.aliyun.com/zh/model-studio/asr-model
https://help.aliyun.com/zh/model-studio/realtime
https://help.aliyun.com/zh/model-studio/newly-released-models
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from langchain_qwen_audio._models.live_models import LIVE, LIVE_TRANSCRIPTS
from langchain_qwen_audio._models.profiles import FILES, SPEECH, UNDERSTANDING


@dataclass(frozen=True)
class OtherWay:
    """How the service serves a kind of model, and what this package has instead.

    Attributes:
        names: What the names of such models match.
        service: What such models are, and how the service serves them.
        instead: What to use of this package.
        has_class: Whether that is a class for these very models.
    """

    names: re.Pattern[str]
    service: str
    instead: str
    has_class: bool = False


# The end of a name, or of the part of it before a date or a region.
_END = r"(-latest|-us|-\d{4}-\d{2}-\d{2}|-\d{4})*$"
_TRANSLATES = f"`ChatQwenAudio(model={UNDERSTANDING!r})` translates speech if the prompt says so"
_SPEAKS = f"`ChatQwenAudio(model={SPEECH!r}, modalities=['text', 'audio'])` speaks its answers"
_JOBS = "transcribes files in jobs (POST /api/v1/services/audio/asr/transcription)"
_SUBMITS = "use `TranscriptionJobs(model=…)`"

# The first that fits counts.
OTHER_WAYS: tuple[OtherWay, ...] = (
    OtherWay(
        re.compile(r"-tts(-|$)|cosyvoice|sambert|-voice-(design|enrollment)"),
        "writes speech from text (`audio.tts` of the DashScope SDK)",
        _SPEAKS,
    ),
    OtherWay(
        re.compile(r"livetranslate.*-realtime"),
        "interprets over a WebSocket (wss://…/api-ws/v1/realtime)",
        _TRANSLATES,
    ),
    OtherWay(
        re.compile(r"^(qwen3(\.\d)?-omni-.*|qwen-audio-\d\.\d)-realtime(-|$)"),
        "answers over a WebSocket",
        "use `async with ChatQwenAudio(model=…).session() as session`",
        has_class=True,
    ),
    OtherWay(
        re.compile(r"omni.*-realtime(-|$)"),
        "answers over a WebSocket (wss://…/api-ws/v1/realtime; `OmniRealtimeConversation` of the "
        "DashScope SDK 1.x, `client.audio.realtime` of 2.x)",
        f"`ChatQwenAudio(model={LIVE!r}).session()` is a live voice session",
    ),
    OtherWay(
        re.compile(
            r"^(qwen3-asr-flash-realtime|qwen-audio-3\.[01]-asr-flash-streaming"
            r"|qwen-audio-3\.1-asr-flash-message|fun-asr-(flash-8k-)?realtime"
            r"|paraformer-realtime(-8k)?-v[12])" + _END
        ),
        "transcribes over a WebSocket",
        "use `ChatQwenAudio(model=…).transcribe_live(source)`",
        has_class=True,
    ),
    OtherWay(
        re.compile(r"-realtime(-|$)|-streaming" + _END),
        "transcribes over a WebSocket (wss://…/api-ws/v1; `Recognition` of the DashScope SDK)",
        f"`ChatQwenAudio(model={LIVE_TRANSCRIPTS!r})` transcribes live",
    ),
    OtherWay(
        re.compile(r"-livetranslate-"),
        "translates through Chat Completions with `translation_options`",
        _TRANSLATES,
    ),
    OtherWay(re.compile(r"-filetrans" + _END), _JOBS, _SUBMITS, has_class=True),
    OtherWay(re.compile(r"^(fun-asr(?!-flash)|paraformer)(-|$)"), _JOBS, _SUBMITS, has_class=True),
    OtherWay(
        re.compile(r"^(sensevoice|gummy)(-|$)"),
        _JOBS,
        f"`TranscriptionJobs(model={FILES!r})` takes its place",
    ),
    OtherWay(
        re.compile(r"^qwen-mt-"),
        "translates, with `translation_options` of the service's own",
        _TRANSLATES,
    ),
)


def other_way(model: str) -> str | None:
    """Say how the service serves a model that ChatQwenAudio does not; None if it may.

    Args:
        model: Its name; a path before it, as gateways have, is not looked at.
    """
    name = model.rpartition("/")[2].lower()
    way = next((it for it in OTHER_WAYS if it.names.search(name)), None)
    if way is None:
        return None
    if way.has_class:
        return f"{way.service}; {way.instead}"
    return f"{way.service}, which this package has no class for; {way.instead}"
