"""The models of live sessions: what each takes and sends.

Sources, and what they leave open:
https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/server-events
https://help.aliyun.com/zh/model-studio/fun-audiochat-client-events
https://help.aliyun.com/zh/model-studio/qwen-audio-realtime-server-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
No page says which model closes the socket after `session.finish`; here it is this server.
"""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True)
class LiveModel:
    """The facts of one model of live sessions.

    Attributes:
        kind: "omni" and "qwen-audio" answer, "transcription" only transcribes.
        turn_detection: The kinds of turn detection it has.
        nested_audio: Formats and voice are inside `session.audio`.
        confirms_finish: It answers `session.finish` with `session.finished`.
        tokens_per_s: Audio tokens a second, of input.
        voice: The voice that it has by default, where the page says it.
        languages: The languages of both ways can be set.
    """

    kind: Literal["omni", "qwen-audio", "transcription"]
    turn_detection: frozenset[str] = frozenset({"server_vad"})
    nested_audio: bool = False
    confirms_finish: bool = True
    tokens_per_s: float = 7
    voice: str | None = None
    languages: bool = False


_OMNI_3 = LiveModel("omni", tokens_per_s=12.5)
_OMNI_3_5 = LiveModel("omni", frozenset({"server_vad", "semantic_vad"}))
_OMNI_3_8 = replace(_OMNI_3_5, nested_audio=True, confirms_finish=False)
_QWEN_AUDIO_3_0 = LiveModel(
    "qwen-audio",
    frozenset({"server_vad", "smart_turn"}),
    tokens_per_s=12.5,
    voice="longanqian",
)
_QWEN_AUDIO_3_1 = replace(_QWEN_AUDIO_3_0, voice="longanqian_v3.1", languages=True)
_ASR = LiveModel("transcription", tokens_per_s=0)

LIVE_MODELS: dict[str, LiveModel] = {
    "qwen3-omni-flash-realtime": _OMNI_3,
    "qwen3-omni-flash-realtime-2025-12-01": _OMNI_3,
    "qwen3.5-omni-plus-realtime": _OMNI_3_5,
    "qwen3.5-omni-flash-realtime": _OMNI_3_5,
    "qwen3.8-omni-flash-realtime": _OMNI_3_8,
    "qwen-audio-3.0-realtime-plus": _QWEN_AUDIO_3_0,
    "qwen-audio-3.0-realtime-flash": _QWEN_AUDIO_3_0,
    "qwen-audio-3.1-realtime-plus": _QWEN_AUDIO_3_1,
    "qwen-audio-3.1-realtime-flash": _QWEN_AUDIO_3_1,
    "qwen3-asr-flash-realtime": _ASR,
    "qwen3-asr-flash-realtime-2025-10-27": _ASR,
    "qwen3-asr-flash-realtime-2026-02-10": _ASR,
}
