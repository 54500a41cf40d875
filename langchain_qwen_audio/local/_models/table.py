"""What each model takes and gives: a new model is a new row, a new kind of model a new `Model`.

Sources, and what they leave open:
https://help.aliyun.com/zh/model-studio/audio-language-model
https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference
https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api (jobs)
https://help.aliyun.com/zh/model-studio/qwen3-omni-captioner
https://help.aliyun.com/zh/model-studio/qwen-omni (Omni by the compatible path, and qwen-omni-turbo
natively too, in streams; every user message holds text and one other thing, but for 3.5 and later)
As of November 2026.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Family: TypeAlias = Literal["qwen-audio", "asr", "recognition", "captioner", "omni", "jobs"]

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Model:
    """The facts of one model.

    Attributes:
        family: Which reply and usage it has.
        max_clip_s: The longest clip, in seconds.
        tokens_per_s: Audio tokens per second of a clip; a shorter one counts as a second.
        max_file_bytes: The largest file.
        cuts: It drops the rest of a longer clip without an error, instead of refusing the clip.
        takes: What a user message may hold.
        max_clips: How many clips a user message may hold; `None`: any number.
        max_inline_clips: How many clips in base64 a request may hold; `None`: any number.
        max_url_clips: How many clips at URLs a request may hold; `None`: any number.
        max_inline_images: How many images in base64 a request may hold; `None`: any number.
        max_url_images: How many images at URLs a request may hold; `None`: any number.
        max_image_data_uri_bytes: The largest image in base64; `None`: not documented.
        max_videos: How many video files a user message may hold; `None`: any number.
        max_inline_videos: How many videos in base64 a request may hold; `None`: any number.
        max_url_videos: How many videos at URLs a request may hold; `None`: any number.
        frames: How many images a video may be, at least and at most; `None`: any number.
        mixes: A user message may hold several of audio, image and video.
        one_turn: It takes one user message and no conversation.
        must_stream: It answers with streams alone.
        speaks: It can answer with speech.
        voices: The voices it has; empty: too many to list here, and any name is taken.
        speech_tokens_per_s: Audio tokens per second of its speech.
        speaks_after_system: It takes a system message also where speech is requested.
        thinking: Whether it thinks by default; "never": it cannot.
        native_tools: It has function calling.
        json_mode: It has `response_format` with `json_object`, while it does not think.
        max_language_hints: How many `language_hints` it takes.
        bills_tokens: Speech recognition that counts tokens, besides seconds.
        job_input: What its jobs call their input; `file_urls` is a list.
        finds_speakers: Its jobs have `diarization_enabled`.
    """

    family: Family
    max_clip_s: float
    tokens_per_s: float
    max_file_bytes: int = 10 * _MIB
    cuts: bool = False
    takes: frozenset[str] = frozenset({"text", "audio", "image", "video"})
    max_clips: int | None = None
    max_inline_clips: int | None = None
    max_url_clips: int | None = None
    max_inline_images: int | None = 250
    max_url_images: int | None = 2048
    max_image_data_uri_bytes: int | None = 10 * _MIB
    max_videos: int | None = None
    max_inline_videos: int | None = None
    max_url_videos: int | None = None
    frames: tuple[int, int] | None = None
    mixes: bool = True
    one_turn: bool = False
    must_stream: bool = False
    speaks: bool = False
    voices: tuple[str, ...] = ()
    speech_tokens_per_s: float = 12.5
    speaks_after_system: bool = True
    thinking: Literal["never", "off", "on"] = "never"
    native_tools: bool = False
    json_mode: bool = False
    max_language_hints: int = 0
    bills_tokens: bool = False
    job_input: Literal["", "file_url", "file_urls"] = ""
    finds_speakers: bool = False


Models: TypeAlias = Mapping[str, Mapping[str, Model]]
"""By a model's name: its facts in each protocol that serves it, by the protocol's name."""

QWEN_AUDIO = Model("qwen-audio", 30, 25, takes=frozenset({"text", "audio"}), cuts=True)

_AUDIO_ALONE = frozenset({"audio"})
_ASR = Model("asr", 5 * 60, 25, takes=_AUDIO_ALONE, max_clips=1, one_turn=True)
_RECOGNITION = Model(
    "recognition",
    5 * 60,
    25,  # a guess: none is documented
    takes=frozenset({"text", "audio"}),
    max_clips=1,
    max_language_hints=4,
)
_RECOGNITION_3_1 = replace(_RECOGNITION, max_file_bytes=2048 * _MIB, bills_tokens=True)
_FUN_RECOGNITION = replace(_RECOGNITION, max_language_hints=1)
_FILE_JOBS = Model(
    "jobs",
    12 * 3600,
    25,  # a guess: none is documented
    max_file_bytes=2048 * _MIB,
    takes=_AUDIO_ALONE,
    max_clips=1,
    job_input="file_url",
)
_FILES_JOBS = replace(_FILE_JOBS, job_input="file_urls", finds_speakers=True)
_CAPTIONER = Model(
    "captioner", 40 * 60, 12.5, 1024 * _MIB, takes=_AUDIO_ALONE, max_clips=1, one_turn=True
)
_OMNI_TURBO = Model(
    "omni",
    max_clip_s=3 * 60,
    tokens_per_s=25,
    max_clips=1,
    max_videos=1,
    frames=(4, 80),
    mixes=False,
    must_stream=True,
    speaks=True,
    voices=("Cherry", "Serena", "Ethan", "Chelsie"),
    speech_tokens_per_s=25,
    speaks_after_system=False,
)
_OMNI_3 = Model(
    "omni",
    max_clip_s=20 * 60,
    tokens_per_s=12.5,
    max_file_bytes=100 * _MIB,
    max_clips=1,
    max_videos=1,
    frames=(2, 128),
    mixes=False,
    must_stream=True,
    speaks=True,
    thinking="off",
    native_tools=True,
)
_OMNI_3_SNAPSHOT = replace(_OMNI_3, native_tools=False)
_OMNI_3_5 = Model(
    "omni",
    max_clip_s=3 * 3600,
    tokens_per_s=7,
    max_file_bytes=2048 * _MIB,
    max_inline_clips=250,
    max_url_clips=2048,
    max_inline_videos=250,
    max_url_videos=512,
    frames=(2, 2048),
    must_stream=True,
    speaks=True,
    native_tools=True,
)
_OMNI_3_5_PLUS = replace(_OMNI_3_5, json_mode=True)
_OMNI_3_5_SNAPSHOT = replace(_OMNI_3_5, native_tools=False)
_OMNI_3_8 = Model(
    "omni",
    max_clip_s=3 * 3600,
    tokens_per_s=7,
    max_file_bytes=2048 * _MIB,
    max_inline_clips=250,
    max_url_clips=2048,
    max_image_data_uri_bytes=None,
    max_videos=64,
    frames=(2, 2048),
    thinking="on",
    native_tools=True,
    json_mode=True,
)
_ANY_OMNI = Model(
    "omni",
    max_clip_s=3 * 3600,
    tokens_per_s=7,
    max_file_bytes=2048 * _MIB,
    max_image_data_uri_bytes=None,
    speaks=True,
    thinking="off",
    native_tools=True,
    json_mode=True,
)

# By name: its facts in each protocol that serves it. The names of Qwen-Audio are the two that no
# retirement list has: https://help.aliyun.com/zh/model-studio/model-depreciation
_KNOWN: dict[str, dict[str, Model]] = {
    "qwen-audio-turbo": {"native": QWEN_AUDIO},
    "qwen-audio-turbo-latest": {"native": QWEN_AUDIO},
    "qwen3-asr-flash": {"native": _ASR, "openai": _ASR},
    "qwen3-asr-flash-2025-09-08": {"native": _ASR, "openai": _ASR},
    "qwen3-asr-flash-2026-02-10": {"native": _ASR, "openai": _ASR},
    "qwen3-asr-flash-us": {"native": _ASR},
    "qwen3-asr-flash-2025-09-08-us": {"native": _ASR},
    "qwen-audio-3.0-asr-flash": {"recognition": _RECOGNITION},
    "qwen-audio-3.1-asr-flash": {"recognition": _RECOGNITION_3_1},
    "fun-asr-flash-2026-06-15": {"recognition": _FUN_RECOGNITION},
    "qwen3-asr-flash-filetrans": {"jobs": _FILE_JOBS},
    "qwen3-asr-flash-filetrans-2025-11-17": {"jobs": _FILE_JOBS},
    "qwen-audio-3.0-asr-flash-filetrans": {"jobs": _FILES_JOBS},
    "qwen-audio-3.1-asr-flash-filetrans": {"jobs": _FILES_JOBS},
    "fun-asr": {"jobs": _FILES_JOBS},
    "fun-asr-mtl": {"jobs": _FILES_JOBS},
    "paraformer-v2": {"jobs": _FILES_JOBS},
    "paraformer-8k-v2": {"jobs": _FILES_JOBS},
    "paraformer-mtl-v1": {"jobs": _FILES_JOBS},
    "qwen3-omni-30b-a3b-captioner": {"native": _CAPTIONER, "openai": _CAPTIONER},
    "qwen-omni-turbo": {"native": _OMNI_TURBO, "openai": _OMNI_TURBO},
    "qwen-omni-turbo-latest": {"native": _OMNI_TURBO, "openai": _OMNI_TURBO},
    "qwen-omni-turbo-2025-01-19": {"native": _OMNI_TURBO, "openai": _OMNI_TURBO},
    "qwen-omni-turbo-2025-03-26": {"native": _OMNI_TURBO, "openai": _OMNI_TURBO},
    "qwen2.5-omni-7b": {"native": _OMNI_TURBO, "openai": _OMNI_TURBO},
    "qwen3-omni-flash": {"openai": _OMNI_3},
    "qwen3-omni-flash-2025-12-01": {"openai": _OMNI_3_SNAPSHOT},
    "qwen3.5-omni-plus": {"openai": _OMNI_3_5_PLUS},
    "qwen3.5-omni-plus-2026-03-15": {"openai": _OMNI_3_5_SNAPSHOT},
    "qwen3.5-omni-flash": {"openai": _OMNI_3_5},
    "qwen3.5-omni-flash-2026-03-15": {"openai": _OMNI_3_5_SNAPSHOT},
    "qwen3.8-omni-flash": {"openai": _OMNI_3_8, "responses": _OMNI_3_8},
}
# A name of the user's own: natively as Qwen-Audio, else an Omni that may do everything.
_UNKNOWN = {"native": QWEN_AUDIO, "openai": _ANY_OMNI, "responses": _ANY_OMNI}


def serve_models(others: Collection[str] = ()) -> Models:
    """Return the models to serve: those known, with their facts, and others by their names."""
    return dict.fromkeys(others, _UNKNOWN) | _KNOWN
