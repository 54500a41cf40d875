"""The models that transcribe live in tasks: what each takes and sends.

Sources, and what they leave open:
https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-message-client-events
https://help.aliyun.com/zh/model-studio/fun-asr-client-events
https://help.aliyun.com/zh/model-studio/paraformer-client-events (and the …-server-events of each)
No page says how many tokens a second of audio counts; a third party measured 12.5, and some more
for each task, which are left out here.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class TaskModel:
    """The facts of one model of tasks.

    Attributes:
        parameters: The parameters of `run-task`, besides `format` and `sample_rate`.
        sample_rate: The only one that it takes; None is any.
        is_numbered: Sentences have numbers, and say that they begin.
        sends_partials: Sentences are sent while they grow, without a request for it.
        counts_tokens: Usage has tokens besides seconds.
        reports_at_end: `task-finished` has the usage.
        has_emotion: A sentence that is over has an emotion.
    """

    parameters: frozenset[str]
    sample_rate: int | None = None
    is_numbered: bool = True
    sends_partials: bool = True
    counts_tokens: bool = False
    reports_at_end: bool = False
    has_emotion: bool = False


_PAUSES = frozenset({"max_sentence_silence", "heartbeat"})
_SENTENCES = _PAUSES | {"semantic_punctuation_enabled", "multi_threshold_mode_enabled"}
_FUN_ASR = TaskModel(
    _SENTENCES
    | {"vocabulary_id", "language_hints", "speech_noise_threshold", "special_word_filter"}
)
_AUDIO_3_0 = replace(_FUN_ASR, parameters=_FUN_ASR.parameters | {"vocabulary"}, reports_at_end=True)
_AUDIO_3_1 = replace(
    _AUDIO_3_0,
    parameters=_AUDIO_3_0.parameters | {"keep_dialect", "vad_model"},
    counts_tokens=True,
)
_MESSAGE = replace(
    _AUDIO_3_1,
    parameters=_PAUSES
    | {"vocabulary_id", "vocabulary", "keep_dialect", "vad_model", "speech_noise_threshold"}
    | {"disfluency_removal_enabled", "intermediate_result_enabled"},
    sample_rate=16_000,
    sends_partials=False,
)
_PARAFORMER_1 = TaskModel(
    frozenset({"vocabulary_id", "disfluency_removal_enabled", "language_hints"}),
    sample_rate=16_000,
    is_numbered=False,
)
_PARAFORMER_2 = replace(
    _PARAFORMER_1,
    parameters=_PARAFORMER_1.parameters
    | _SENTENCES
    | {"punctuation_prediction_enabled", "inverse_text_normalization_enabled"},
    sample_rate=None,
)

TASK_MODELS: dict[str, TaskModel] = {
    "qwen-audio-3.1-asr-flash-streaming": _AUDIO_3_1,
    "qwen-audio-3.1-asr-flash-message": _MESSAGE,
    "qwen-audio-3.0-asr-flash-streaming": _AUDIO_3_0,
    "fun-asr-realtime": _FUN_ASR,
    "fun-asr-realtime-2025-11-07": _FUN_ASR,
    "fun-asr-realtime-2026-02-28": _FUN_ASR,
    "fun-asr-flash-8k-realtime": replace(_FUN_ASR, sample_rate=8000),
    "paraformer-realtime-v2": _PARAFORMER_2,
    "paraformer-realtime-8k-v2": replace(_PARAFORMER_2, sample_rate=8000, has_emotion=True),
    "paraformer-realtime-v1": _PARAFORMER_1,
    "paraformer-realtime-8k-v1": replace(_PARAFORMER_1, sample_rate=8000),
}
