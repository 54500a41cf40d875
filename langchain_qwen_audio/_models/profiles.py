"""What each model takes and gives, as one table; adding a model is adding a row.

Sources, by family; what they leave open is None here, or in a comment:
https://help.aliyun.com/zh/model-studio/audio-language-model (Qwen-Audio)
https://help.aliyun.com/zh/model-studio/qwen-speech-recognition (ASR)
https://help.aliyun.com/zh/model-studio/qwen3-omni-captioner
https://help.aliyun.com/zh/model-studio/qwen-omni
https://help.aliyun.com/zh/model-studio/qwen3-8-omni-flash
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile

ProtocolName: TypeAlias = Literal["native", "openai"]

PROVIDER = "dashscope"  # as LangChain calls it

MIN_BIT_RATE = (
    32_000  # speech at fewer bits per second is understood less well; longer clips are split
)


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What one model takes, gives and is.

    Attributes:
        protocols: The wire formats: DashScope's native protocol, the OpenAI-compatible one, or
            both, the preferred one first.
        max_input_tokens: Tokens of text and audio that one request may hold; None if not known.
        max_output_tokens: Tokens of the longest answer; None if not known.
        max_clip_s: Seconds of the longest clip that it takes whole.
        max_clip_bytes: Size of a clip that does not travel as a URL.
        max_data_uri_bytes: Size of a clip's data URI, that is after base64.
        formats: What it is documented to take, as (media type, beginning of FFmpeg's codec name);
            anything else is converted.
        takes_other_formats: Whether those are only examples, so that a clip which converting
            would make larger may go as it came.
        transports: How a clip may travel, besides as a URL that the service fetches: "inline" as
            base64, or by "upload".
        tokens_per_s: Audio tokens per second of a clip; a shorter clip counts as a second.
        max_clips: Clips that one message may hold; None is any number.
        text: Whether users may write, besides speaking; if not, exactly one clip is taken.
        system: Whether there may be a system message.
        history: Whether there may be more than one question.
        images: Whether images are seen.
        mixes: Whether one message may hold audio and images.
        transcribes: Whether it writes down speech and nothing else, told by `asr_options`.
        native_tools: Whether the endpoint has function calling for it.
        json_mode: Whether `response_format` is allowed; None if not known.
        thinking: Whether it thinks "on" or "off" by default; None if it cannot.
        must_stream: Whether the service refuses to answer it whole.
        voice: The voice that it speaks with by default; "" if it cannot speak.
        voices: All its voices, where they are few; otherwise the service knows them.
        system_while_speaking: Whether there may be a system message when it speaks.
        regions: Where it is offered.
        status: "live", "trial" (free quota only, no way to pay), or "ending": announced for
            retirement on 2026-10-10, and not known whether that was carried out.
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
    tokens_per_s: float = 25.0
    max_clips: int | None = None
    text: bool = True
    system: bool = True
    history: bool = True
    images: bool = False
    mixes: bool = False
    transcribes: bool = False
    native_tools: bool = False
    json_mode: bool | None = None
    thinking: Literal["on", "off"] | None = None
    must_stream: bool = False
    voice: str = ""
    voices: tuple[str, ...] = ()
    system_while_speaking: bool = True
    regions: tuple[str, ...] = ("cn-beijing", "ap-southeast-1")
    status: Literal["live", "trial", "ending"] = "live"
    successor: str = ""

    @property
    def max_input_s(self) -> float:
        """Seconds of audio that one request may hold, if it holds nothing else."""
        tokens = self.max_input_tokens
        return float("inf") if tokens is None else tokens / self.tokens_per_s

    @property
    def max_sent_bytes(self) -> int:
        """Size of the largest clip that can be sent from here."""
        inline = (self.max_data_uri_bytes - len("data:audio/mpeg;base64,")) // 4 * 3
        return self.max_clip_bytes if "upload" in self.transports else inline

    @property
    def max_part_s(self) -> float:
        """Seconds of the longest clip that it takes, and that can be sent as good speech."""
        return min(self.max_clip_s, self.max_sent_bytes * 8 / MIN_BIT_RATE)

    def clip_tokens(self, duration_s: float) -> int:
        """Count the tokens of a clip of `duration_s` seconds."""
        return round(max(duration_s, 1.0) * self.tokens_per_s)


QWEN_AUDIO = Profile(
    max_input_tokens=6_144,
    max_output_tokens=2_048,
    json_mode=False,  # not documented for this family, nor are tools
    regions=("cn-beijing",),
    status="trial",
    successor="qwen3.5-omni-flash",
)

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
    json_mode=False,
    regions=("cn-beijing", "ap-southeast-1"),
)
_ASR_ENDING = replace(ASR, status="ending", successor="qwen3-asr-flash")
_ASR_US = replace(ASR, protocols=("native",), regions=("us-east-1",))

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
    status="ending",
    successor="qwen3.8-omni-flash",
)

# Native calls to Omni are not documented, and not known to be refused: they go if the
# user says so. Uploaded clips are not documented for it either.
_OMNI = Profile(
    protocols=("openai", "native"),
    transports=("inline",),
    images=True,
    must_stream=True,
)
OMNI_TURBO = replace(
    _OMNI,
    max_input_tokens=30_720,
    max_output_tokens=2_048,
    max_clip_s=3 * 60.0,
    max_clips=1,
    voice="Cherry",
    voices=("Cherry", "Serena", "Ethan", "Chelsie"),
    system_while_speaking=False,
    status="ending",
    successor="qwen3.5-omni-flash",
)
OMNI_3_FLASH = replace(
    _OMNI,
    max_input_tokens=49_152,
    max_output_tokens=16_384,
    max_clip_s=20 * 60.0,
    tokens_per_s=12.5,
    max_clips=1,
    native_tools=True,
    thinking="off",
    voice="Cherry",
    successor="qwen3.5-omni-flash",
)
_OMNI_3_ENDING = replace(OMNI_3_FLASH, status="ending", successor="qwen3.5-omni-plus")
OMNI_3_5 = replace(  # its context is not documented; third parties' tables disagree
    _OMNI,
    max_clip_s=3 * 3600.0,
    tokens_per_s=7.0,
    mixes=True,
    native_tools=True,
    voice="Tina",
)
OMNI_3_8 = replace(  # neither limits on audio nor its tokens are documented
    _OMNI,
    max_input_tokens=991_808,
    max_output_tokens=131_072,
    max_clip_s=3 * 3600.0,
    tokens_per_s=12.5,
    mixes=True,
    native_tools=True,
    thinking="on",
    must_stream=False,
    regions=(
        *("cn-beijing", "ap-southeast-1", "cn-hongkong"),
        *("ap-northeast-1", "eu-central-1", "us-east-1"),
    ),
)

# A server of the user's own, which takes what its model takes: wave files and MP3 are what every
# such server reads.
OWN_SERVER = Profile(
    protocols=("openai",),
    max_clip_s=3600.0,
    max_clip_bytes=1024**3,
    max_data_uri_bytes=1024**3,
    formats=(("audio/wav", "pcm_s16le"), ("audio/mpeg", "mp3")),
    takes_other_formats=False,
    transports=("inline",),
    images=True,
    mixes=True,
    native_tools=True,
    thinking="off",
    regions=(),
)
# https://github.com/vllm-project/vllm/pull/9248 : more than 30 s of a clip are cut off.
OWN_QWEN2_AUDIO = replace(
    OWN_SERVER, max_input_tokens=8_192, max_clip_s=30.0, images=False, native_tools=False
)

PROFILES: dict[str, Profile] = {
    "qwen-audio-turbo-latest": QWEN_AUDIO,
    "qwen-audio-turbo": replace(QWEN_AUDIO, max_input_tokens=6_000, max_output_tokens=1_500),
    "qwen3-asr-flash": ASR,
    "qwen3-asr-flash-2025-09-08": _ASR_ENDING,
    "qwen3-asr-flash-2026-02-10": _ASR_ENDING,
    "qwen3-asr-flash-us": _ASR_US,
    "qwen3-asr-flash-2025-09-08-us": _ASR_US,
    "qwen3-omni-30b-a3b-captioner": CAPTIONER,
    "qwen-omni-turbo": OMNI_TURBO,
    "qwen-omni-turbo-latest": OMNI_TURBO,
    "qwen-omni-turbo-2025-01-19": OMNI_TURBO,
    "qwen-omni-turbo-2025-03-26": OMNI_TURBO,
    "qwen2.5-omni-7b": OMNI_TURBO,
    "qwen3-omni-flash": OMNI_3_FLASH,
    "qwen3-omni-flash-2025-09-15": _OMNI_3_ENDING,
    "qwen3-omni-flash-2025-12-01": _OMNI_3_ENDING,
    "qwen3.5-omni-plus": OMNI_3_5,
    "qwen3.5-omni-plus-2026-03-15": OMNI_3_5,
    "qwen3.5-omni-flash": OMNI_3_5,
    "qwen3.5-omni-flash-2026-03-15": OMNI_3_5,
    "qwen3.8-omni-flash": OMNI_3_8,
}

# Names that the service no longer knows → what it suggests instead.
# https://help.aliyun.com/zh/model-studio/model-depreciation
RETIRED: dict[str, str] = {
    "qwen-audio-turbo-2024-12-04": "qwen3-omni-flash",
    "qwen-audio-turbo-1204": "qwen3-omni-flash",
    "qwen-audio-turbo-2024-08-07": "qwen3-omni-flash",
    "qwen-audio-turbo-0807": "qwen3-omni-flash",
    "qwen-audio-chat": "qwen3-omni-flash",
    "qwen2-audio-instruct": "qwen3-omni-flash",
    "qwen-audio-asr": "qwen3-asr-flash",
    "qwen-audio-asr-latest": "qwen3-asr-flash",
    "qwen-audio-asr-2024-12-04": "qwen3-asr-flash",
}

# Names, or ends of names, of models that this class does not serve → what serves them.
ELSEWHERE: dict[str, str] = {
    "qwen-audio-3.0-asr-flash": "a message schema of its own, which the SDK does not speak",
    "qwen-audio-3.1-asr-flash": "a message schema of its own, which the SDK does not speak",
    "fun-asr-flash-2026-06-15": "a message schema of its own, which the SDK does not speak",
    "-filetrans": "asynchronous jobs",
    "-realtime": "a WebSocket",
    "-streaming": "a WebSocket",
    "-asr-flash-message": "a WebSocket",
}


def profile_of(
    model: str, protocol: ProtocolName | None = None, *, own_server: bool = False
) -> Profile:
    """Look up a model; one that the table does not know is taken for what its name suggests.

    Whether such a name exists is for the service to say.

    Args:
        model: Its name.
        protocol: The wire format, if the user says which.
        own_server: It runs on a server that is not DashScope; such names may be paths.
    """
    name = model.rpartition("/")[2].lower()
    if own_server:
        return OWN_QWEN2_AUDIO if name.startswith("qwen2-audio") else OWN_SERVER
    if model in PROFILES:
        return PROFILES[model]
    if "omni" in name or (protocol == "openai" and "asr" not in name):
        return OMNI_3_5
    return ASR if "asr" in name else QWEN_AUDIO


def model_profile(profile: Profile) -> ModelProfile:
    """Say what a model can do in LangChain's own terms."""
    known: ModelProfile = {
        "text_inputs": profile.text,
        "audio_inputs": True,
        "image_inputs": profile.images,
        "image_url_inputs": profile.images,
        "pdf_inputs": False,
        "video_inputs": False,
        "text_outputs": True,
        "audio_outputs": bool(profile.voice),
        "image_outputs": False,
        "video_outputs": False,
        "reasoning_output": profile.thinking is not None,
        "tool_calling": profile.text,  # where the endpoint has none, in the prompt
        "structured_output": False,
        "temperature": True,
    }
    if profile.max_input_tokens is not None:
        known["max_input_tokens"] = profile.max_input_tokens
    if profile.max_output_tokens is not None:
        known["max_output_tokens"] = profile.max_output_tokens
    return known
