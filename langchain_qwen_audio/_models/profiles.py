"""What each model takes and gives, as one table; adding a model is adding a row.

Sources, by family; what they leave open is None here, or in a comment:
https://help.aliyun.com/zh/model-studio/audio-language-model (Qwen-Audio)
https://help.aliyun.com/zh/model-studio/qwen-speech-recognition (ASR)
https://help.aliyun.com/zh/model-studio/qwen3-omni-captioner
https://help.aliyun.com/zh/model-studio/qwen-omni
https://help.aliyun.com/zh/model-studio/qwen3-8-omni-flash
https://help.aliyun.com/zh/model-studio/qwen3-5-omni-plus
https://help.aliyun.com/zh/model-studio/qwen-structured-output (JSON mode)
https://help.aliyun.com/zh/model-studio/rate-limit
https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
As of November 2026.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Status: TypeAlias = Literal["live", "trial", "uncertain"]

ProtocolName: TypeAlias = Literal["native", "openai", "recognition"]

PROVIDER = "dashscope"  # as LangChain calls it
OWN_PROVIDER = "openai-compatible"  # a server of the user's own, whose bills are not DashScope's

MIN_BIT_RATE = (
    32_000  # speech at fewer bits per second is understood less well; longer clips are split
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What one model takes, gives and is.

    Attributes:
        protocols: The wire formats: DashScope's native protocol, the OpenAI-compatible one, or
            both, the preferred one first; or that of speech recognition with times.
        max_input_tokens: Tokens of text and audio that one request may hold; None if not known.
        max_output_tokens: Tokens of the longest answer; None if not known.
        max_clip_s: Seconds of the longest clip that it takes whole.
        max_clip_bytes: Size of a clip that does not travel as a URL.
        max_data_uri_bytes: Size of a clip's or a video's data URI, that is after base64.
        formats: What it is documented to take, as (media type, beginning of FFmpeg's codec name);
            anything else is converted.
        takes_other_formats: Whether those are only examples, so that a clip which converting
            would make larger may go as it came.
        transports: How a clip may travel, besides as a URL that the service fetches: "inline" as
            base64, or by "upload".
        optional_transports: Those that work and are not documented: used where the user says so.
        tokens_per_s: Audio tokens per second of a clip; a shorter clip counts as a second. None if
            not known.
        max_clips: Clips that one message may hold; None is any number.
        max_inline_clips: Clips of a request that do not travel as URLs; None if not known.
        max_url_clips: Clips of a request that travel as URLs; None if not known.
        text: Whether users may write, besides speaking; if not, exactly one clip is taken.
        system: Whether there may be a system message.
        history: Whether there may be more than one question; without text, earlier messages are
            context that helps to transcribe.
        images: Whether images are seen.
        max_inline_images: Images of a request that travel as base64; None if not known.
        max_url_images: Images of a request that travel as URLs; None if not known.
        max_image_data_uri_bytes: Size of an image's data URI; None if not known.
        max_image_tokens: Tokens of the largest image; None if not known.
        max_frame_tokens: Tokens of two frames of a video, at most; None if not known.
        max_video_tokens: Tokens of all frames of a video, at most; None if not known.
        videos: Whether it takes videos, with their sound.
        max_video_s: Seconds of the longest video; None if not known.
        max_videos: Video files that one message may hold; None is any number.
        max_inline_videos: Video files of a request that travel as base64; None if not known.
        max_url_videos: Video files of a request that travel as URLs; None if not known.
        frames: How many images a video may consist of, at least and at most; None if not known.
        mixes: Whether one message may hold several of audio, images and videos.
        transcribes: Whether it writes down speech and nothing else.
        asr_options: The `asr_options` that it has.
        max_language_hints: How many `language_hints` it takes.
        native_tools: Whether the endpoint has function calling for it.
        tool_regions: The only regions where the endpoint has it; empty is no such limit.
        json_mode: Whether `response_format` is allowed, while it does not think; None if not known.
        json_schema: Whether `response_format` enforces a JSON Schema; None if not known.
        search: Whether it can search the web.
        search_strategy: The only strategy of a search that it has; "" is no such limit.
        tools_with_search: Whether it calls tools in a request that searches the web.
        multichannel: Whether it takes recordings of 2 and 4 channels as such.
        thinking: Whether it thinks "on" or "off" by default; None if it cannot.
        efforts: Values of `reasoning_effort`, if it has that; None if not known.
        default_effort: The value that the service takes by default.
        thinking_budget: Whether `thinking_budget` is the parameter that limits its thoughts.
        must_stream: Whether the service refuses to answer it whole.
        voice: The voice that it speaks with by default; "" if it cannot speak.
        voices: All its voices, where they are few; otherwise the service knows them.
        system_while_speaking: Whether there may be a system message when it speaks.
        regions: Where it is offered.
        native_only_regions: Regions that do not have the compatible protocol for it.
        requests_per_minute: The rate limit of an account; None if not known.
        tokens_per_minute: The same in tokens; None if it has none, or if it is not known.
        status: "live", "trial" (free quota only, no way to pay), or "uncertain": its retirement
            was announced for 2026-10-10, and it is not known whether it is still there.
        successor: What is suggested instead.
    """

    protocols: tuple[ProtocolName, ...] = ("native",)
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_clip_s: float = 30.0
    max_clip_bytes: int = 10 * 1024 * 1024
    max_data_uri_bytes: int = 10_485_760
    formats: tuple[tuple[str, str], ...] = (
        ("audio/wav", "pcm_"),
        ("audio/wav", "gsm_ms"),
        ("audio/mpeg", "mp3"),
        ("audio/aac", "aac"),
        ("audio/amr", "amr_nb"),
        ("audio/amr-wb", "amr_wb"),
        ("audio/3gpp", "amr_nb"),
        ("audio/3gpp", "aac"),
    )
    takes_other_formats: bool = True
    transports: tuple[str, ...] = ("inline", "upload")
    optional_transports: tuple[str, ...] = ()
    tokens_per_s: float | None = 25.0
    max_clips: int | None = None
    max_inline_clips: int | None = None
    max_url_clips: int | None = None
    text: bool = True
    system: bool = True
    history: bool = True
    images: bool = False
    max_inline_images: int | None = None
    max_url_images: int | None = None
    max_image_data_uri_bytes: int | None = None
    max_image_tokens: int | None = None
    max_frame_tokens: int | None = None
    max_video_tokens: int | None = None
    videos: bool = False
    max_video_s: float | None = None
    max_videos: int | None = None
    max_inline_videos: int | None = None
    max_url_videos: int | None = None
    frames: tuple[int, int] | None = None
    mixes: bool = False
    transcribes: bool = False
    asr_options: tuple[str, ...] = ()
    max_language_hints: int = 0
    native_tools: bool = False
    tool_regions: tuple[str, ...] = ()
    json_mode: bool | None = None
    json_schema: bool | None = False  # documented for no audio model
    search: bool = False
    search_strategy: str = ""
    tools_with_search: bool = True
    multichannel: bool = False
    thinking: Literal["on", "off"] | None = None
    efforts: tuple[str, ...] | None = ()
    default_effort: str = ""
    thinking_budget: bool = True
    must_stream: bool = False
    voice: str = ""
    voices: tuple[str, ...] = ()
    system_while_speaking: bool = True
    regions: tuple[str, ...] = ("cn-beijing", "ap-southeast-1")
    native_only_regions: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    status: Status = "live"
    successor: str = ""

    def with_transport(self, transport: str) -> Profile:
        """Take another way for clips, if it is one that has to be chosen."""
        is_chosen = transport in self.optional_transports
        return replace(self, transports=(transport,)) if is_chosen else self

    @property
    def tells_times(self) -> bool:
        """Whether its transcripts have the times of sentences and words."""
        return "recognition" in self.protocols

    @property
    def max_input_s(self) -> float:
        """Seconds of audio that one request may hold, if it holds nothing else."""
        tokens, rate = self.max_input_tokens, self.tokens_per_s
        return float("inf") if tokens is None or rate is None else tokens / rate

    @property
    def max_sent_bytes(self) -> int:
        """Size of the largest clip that can be sent from here."""
        inline = (self.max_data_uri_bytes - len("data:audio/mpeg;base64,")) // 4 * 3
        return self.max_clip_bytes if "upload" in self.transports else inline

    @property
    def max_part_s(self) -> float:
        """Seconds of the longest clip that it takes, and that can be sent as good speech."""
        return min(self.max_clip_s, self.max_sent_bytes * 8 / MIN_BIT_RATE)

    def clip_tokens(self, duration_s: float) -> int | None:
        """Count the tokens of a clip of `duration_s` seconds; None if that is not known."""
        rate = self.tokens_per_s
        return None if rate is None else round(max(duration_s, 1.0) * rate)


# What the service suggests for each purpose: https://help.aliyun.com/zh/model-studio/asr-model .
# For transcripts it is qwen-audio-3.1-asr-flash there. Here it is qwen3-asr-flash, which also tells
# emotions, is in the US too, and takes uploads.
UNDERSTANDING, SPEECH, TRANSCRIPTS = "qwen3.8-omni-flash", "qwen3.5-omni-flash", "qwen3-asr-flash"
FILES = "qwen-audio-3.1-asr-flash-filetrans"  # in jobs

QWEN_AUDIO = Profile(
    max_input_tokens=6_144,
    max_output_tokens=2_048,
    json_mode=False,  # not documented for this family, nor are tools
    regions=("cn-beijing",),
    requests_per_minute=60,
    status="trial",
    successor=UNDERSTANDING,
)

# The list of formats of October 2026 has no m4a and mp4 any more; nothing says they are refused.
ASR = Profile(
    protocols=("native", "openai"),
    max_clip_s=300.0,
    formats=(
        *Profile.formats,
        ("audio/aiff", "pcm_"),
        ("audio/flac", "flac"),
        ("audio/mp4", "aac"),
        ("audio/ogg", "opus"),
        ("audio/ogg", "vorbis"),
        ("audio/webm", "opus"),
        ("audio/webm", "vorbis"),
        ("audio/x-ms-wma", "wma"),
    ),
    max_clips=1,
    text=False,
    history=False,
    transcribes=True,
    asr_options=("language", "enable_itn", "enable_lid"),
    json_mode=False,
    regions=("cn-beijing", "ap-southeast-1", "us-east-1"),
    native_only_regions=("us-east-1",),
    requests_per_minute=100,
)
_ASR_UNCERTAIN = replace(ASR, status="uncertain", successor=TRANSCRIPTS)
# The pages call the models of the US by either name: with "-us", and without.
_ASR_US = replace(
    ASR, protocols=("native",), regions=("us-east-1",), native_only_regions=(), successor=""
)

# Tokens in are 7,168 for 3.1, and how many a second takes is not documented; 5 minutes fit. Of its
# formats, WAV, MP3 and Opus are named; M4A is known from a third party.
_RECOGNITION = Profile(
    protocols=("recognition",),
    max_clip_s=300.0,
    formats=(
        ("audio/wav", "pcm_s16le"),
        ("audio/mpeg", "mp3"),
        ("audio/ogg", "opus"),
        ("audio/mp4", "aac"),
    ),
    takes_other_formats=False,
    transports=("inline",),  # uploads are not documented
    tokens_per_s=None,
    max_clips=1,
    text=False,
    transcribes=True,
    json_mode=False,
    requests_per_minute=600,
)
RECOGNITION_3_0 = replace(
    _RECOGNITION,
    asr_options=("language_hints", "vocabulary", "vocabulary_id"),
    max_language_hints=4,
)
RECOGNITION_3_1 = replace(
    RECOGNITION_3_0,
    max_output_tokens=1_024,
    max_clip_bytes=2 * 1024**3,
    asr_options=(
        *RECOGNITION_3_0.asr_options,
        *("speaker_diarization_enabled", "keep_dialect", "disfluency_removal_enabled"),
    ),
)
# A name that the table does not know, as a dated one, may have all of that.
_RECOGNITION_GUESS = replace(RECOGNITION_3_1, max_output_tokens=None)
# One page says 10 MB, another 2 GB.
_FUN_RECOGNITION = replace(
    _RECOGNITION, asr_options=("language_hints", "vocabulary_id"), max_language_hints=1
)

CAPTIONER = Profile(
    protocols=("native", "openai"),
    max_input_tokens=32_768,
    max_output_tokens=32_768,
    max_clip_s=40 * 60.0,
    tokens_per_s=12.5,
    max_clips=1,
    text=False,
    system=False,
    history=False,
    json_mode=False,
    requests_per_minute=60,
    tokens_per_minute=100_000,
    status="uncertain",
    successor=UNDERSTANDING,
)

# Native calls to Omni are documented for qwen-omni-turbo, in streams; for the others they are
# not, and not known to be refused: they go if the user says so. The same for uploaded clips, which
# a third party's tool sends.
_OMNI = Profile(
    protocols=("openai", "native"),
    transports=("inline",),
    optional_transports=("upload",),
    images=True,
    max_inline_images=250,
    max_url_images=2_048,
    max_image_data_uri_bytes=10_485_760,
    max_image_tokens=1_280,  # without vl_high_resolution_images
    videos=True,
    must_stream=True,
    requests_per_minute=60,
    tokens_per_minute=100_000,
)
OMNI_TURBO = replace(
    _OMNI,
    max_input_tokens=30_720,
    max_output_tokens=2_048,
    max_clip_s=3 * 60.0,
    max_clips=1,
    max_video_s=40.0,
    max_videos=1,
    frames=(4, 80),
    voice="Cherry",
    voices=("Cherry", "Serena", "Ethan", "Chelsie"),
    system_while_speaking=False,
    status="uncertain",
    successor=SPEECH,
)
OMNI_3_FLASH = replace(
    _OMNI,
    max_input_tokens=49_152,
    max_output_tokens=16_384,
    max_clip_s=20 * 60.0,
    max_clip_bytes=100 * 1024**2,
    tokens_per_s=12.5,
    max_clips=1,
    max_frame_tokens=768,
    max_video_tokens=16_384,
    max_video_s=150.0,
    max_videos=1,
    frames=(2, 128),
    native_tools=True,
    thinking="off",
    voice="Cherry",
    successor=SPEECH,
)
# The alias is said to equal it, and its own card says that it has no tools: they are described in
# the prompt, which works either way. The same for the snapshots of Qwen3.5-Omni.
_OMNI_3_SNAPSHOT = replace(OMNI_3_FLASH, native_tools=False, status="uncertain")
_OMNI_LARGE = replace(  # from 3.5 on
    _OMNI,
    max_clip_s=3 * 3600.0,
    max_clip_bytes=2 * 1024**3,
    tokens_per_s=7.0,
    max_inline_clips=250,
    max_url_clips=2_048,
    max_frame_tokens=640,
    max_video_tokens=180_224,
    frames=(2, 2_048),
    mixes=True,
    native_tools=True,
    search=True,
)
OMNI_3_5 = replace(  # a context of 262,144 tokens
    _OMNI_LARGE,
    max_input_tokens=196_608,
    max_output_tokens=65_536,
    max_video_s=3600.0,
    max_inline_videos=250,
    max_url_videos=512,
    tool_regions=("cn-beijing",),
    tools_with_search=False,
    voice="Tina",
)
_OMNI_3_5_PLUS = replace(OMNI_3_5, json_mode=True)  # its card says no, the page on JSON yes
_OMNI_3_5_SNAPSHOT = replace(OMNI_3_5, native_tools=False, tool_regions=())
OMNI_3_8 = replace(
    _OMNI_LARGE,
    max_input_tokens=991_808,
    max_output_tokens=131_072,
    max_image_data_uri_bytes=None,  # 10 MB is documented for the others alone
    max_video_s=2 * 3600.0,
    max_videos=64,
    json_mode=True,
    search_strategy="agent",
    multichannel=True,
    thinking="on",
    efforts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
    default_effort="xhigh",
    must_stream=False,
    regions=(
        *("cn-beijing", "ap-southeast-1", "cn-hongkong"),
        *("ap-northeast-1", "eu-central-1", "us-east-1"),
    ),
    requests_per_minute=30_000,
    tokens_per_minute=None,  # dynamic, or 2,000,000, by region
)

# A server of the user's own, which takes what its model takes: wave files and MP3 are what every
# such server reads. JSON Schemas are enforced by llama.cpp, vLLM, SGLang and what LiteLLM passes
# them on to; `transformers serve` ignores them.
# https://docs.vllm.ai/en/latest/features/structured_outputs/
# https://docs.sglang.io/advanced_features/structured_outputs.html
# https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md
OWN_SERVER = Profile(
    protocols=("openai",),
    max_clip_s=3600.0,
    max_clip_bytes=1024**3,
    max_data_uri_bytes=1024**3,
    formats=(("audio/wav", "pcm_s16le"), ("audio/mpeg", "mp3")),
    takes_other_formats=False,
    transports=("inline",),
    images=True,
    videos=True,
    mixes=True,
    native_tools=True,
    thinking="off",
    efforts=None,
    json_schema=True,
    thinking_budget=False,  # each server has a name of its own for it
    regions=(),
)
# A gateway to DashScope, under another name of the model: what DashScope takes is written to it.
GATEWAY = replace(OWN_SERVER, json_schema=None, thinking_budget=True)
# https://github.com/vllm-project/vllm/pull/9248 : more than 30 s of a clip are cut off.
OWN_QWEN2_AUDIO = replace(
    OWN_SERVER,
    max_input_tokens=8_192,
    max_clip_s=30.0,
    images=False,
    videos=False,
    native_tools=False,
)

PROFILES: dict[str, Profile] = {
    "qwen-audio-turbo-latest": QWEN_AUDIO,
    "qwen-audio-turbo": replace(
        QWEN_AUDIO,
        max_input_tokens=6_000,
        max_output_tokens=1_500,
        requests_per_minute=120,
        tokens_per_minute=100_000,
    ),
    "qwen3-asr-flash": ASR,
    "qwen3-asr-flash-2025-09-08": _ASR_UNCERTAIN,
    "qwen3-asr-flash-2026-02-10": _ASR_UNCERTAIN,
    "qwen3-asr-flash-us": _ASR_US,
    "qwen3-asr-flash-2025-09-08-us": _ASR_US,
    "qwen-audio-3.0-asr-flash": RECOGNITION_3_0,
    "qwen-audio-3.1-asr-flash": RECOGNITION_3_1,
    "fun-asr-flash-2026-06-15": _FUN_RECOGNITION,
    "qwen3-omni-30b-a3b-captioner": CAPTIONER,
    "qwen-omni-turbo": OMNI_TURBO,
    "qwen-omni-turbo-latest": OMNI_TURBO,
    "qwen-omni-turbo-2025-01-19": OMNI_TURBO,
    "qwen-omni-turbo-2025-03-26": OMNI_TURBO,
    "qwen2.5-omni-7b": OMNI_TURBO,
    "qwen3-omni-flash": OMNI_3_FLASH,
    "qwen3-omni-flash-2025-12-01": _OMNI_3_SNAPSHOT,
    "qwen3.5-omni-plus": _OMNI_3_5_PLUS,
    "qwen3.5-omni-plus-2026-03-15": _OMNI_3_5_SNAPSHOT,
    "qwen3.5-omni-flash": OMNI_3_5,
    "qwen3.5-omni-flash-2026-03-15": _OMNI_3_5_SNAPSHOT,
    "qwen3.8-omni-flash": OMNI_3_8,
}

_RECOGNITION_NAME = re.compile(r"qwen-audio-3\.\d+-asr-flash|fun-asr-flash")

# Names that the service no longer knows → what is suggested instead.
# https://help.aliyun.com/zh/model-studio/model-depreciation ; that the first one is gone is known
# from a reseller alone (https://docs.apiyi.com/en/live/2026-10/bailian-models-offline).
RETIRED: dict[str, str] = {
    "qwen3-omni-flash-2025-09-15": SPEECH,
    "qwen-audio-turbo-2024-12-04": UNDERSTANDING,
    "qwen-audio-turbo-1204": UNDERSTANDING,
    "qwen-audio-turbo-2024-08-07": UNDERSTANDING,
    "qwen-audio-turbo-0807": UNDERSTANDING,
    "qwen-audio-chat": UNDERSTANDING,
    "qwen2-audio-instruct": UNDERSTANDING,
    "qwen-audio-asr": TRANSCRIPTS,
    "qwen-audio-asr-latest": TRANSCRIPTS,
    "qwen-audio-asr-2024-12-04": TRANSCRIPTS,
}


def profile_of(
    model: str,
    protocol: ProtocolName | None = None,
    *,
    own_server: bool = False,
    gateway: bool = False,
) -> Profile:
    """Look up a model; one that the table does not know is taken for what its name suggests.

    Whether such a name exists is for the service to say.

    Args:
        model: Its name.
        protocol: The wire format, if the user says which.
        own_server: It runs on a server that is not DashScope; such names may be paths.
        gateway: That server passes requests on to DashScope.
    """
    name = model.rpartition("/")[2].lower()
    if own_server and name.startswith("qwen2-audio"):
        return OWN_QWEN2_AUDIO
    if own_server:
        return GATEWAY if gateway else OWN_SERVER
    if model in PROFILES:
        return PROFILES[model]
    if protocol == "recognition" or (protocol is None and _RECOGNITION_NAME.match(name)):
        return _RECOGNITION_GUESS
    if "omni" in name or (protocol == "openai" and "asr" not in name):
        return OMNI_3_5
    return ASR if "asr" in name else QWEN_AUDIO
