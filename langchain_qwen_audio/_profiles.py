"""What each model hears and holds, as one table; adding a model is adding a row.

The facts are from https://help.aliyun.com/zh/model-studio/audio-language-model .
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile


@dataclass(frozen=True)
class Profile:
    """The limits of one model.

    Attributes:
        max_input_tokens: Tokens of text and audio that one request may hold.
        max_output_tokens: Tokens of the longest answer.
        max_clip_s: Seconds of a clip that are heard; the service drops the rest without a word.
        max_clip_bytes: Size of a clip, by whichever way it travels.
        max_data_uri_bytes: Size of a clip's data URI, that is after base64.
        hears: What is documented to be heard, as (media type, beginning of FFmpeg's codec name);
            anything else is converted.
        transports: How a clip may travel, besides as a URL that the service fetches: "inline" as a
            data URI, or by "upload".
        native_tools: Whether the model's endpoint has function calling.
        tokens_per_s: Audio tokens per second of a clip.
        min_clip_tokens: Audio tokens of the shortest clip.
    """

    max_input_tokens: int
    max_output_tokens: int
    max_clip_s: float = 30.0
    max_clip_bytes: int = 10 * 1024 * 1024
    max_data_uri_bytes: int = 10_485_760
    hears: tuple[tuple[str, str], ...] = (
        ("audio/wav", "pcm_"),
        ("audio/wav", "gsm_ms"),
        ("audio/mpeg", "mp3"),
        ("audio/aac", "aac"),
        ("audio/amr", "amr_nb"),
        ("audio/amr-wb", "amr_wb"),
        ("audio/3gpp", "amr_nb"),
        ("audio/3gpp", "aac"),
    )
    transports: tuple[str, ...] = ("inline", "upload")
    native_tools: bool = False
    tokens_per_s: float = 25.0
    min_clip_tokens: int = 25

    @property
    def max_input_s(self) -> float:
        """Seconds of audio that one request may hold, if it holds nothing else."""
        return self.max_input_tokens / self.tokens_per_s

    def clip_tokens(self, duration_s: float) -> int:
        """Count the tokens of a clip of `duration_s` seconds."""
        return max(self.min_clip_tokens, round(duration_s * self.tokens_per_s))


QWEN_AUDIO = Profile(max_input_tokens=6_144, max_output_tokens=2_048)

PROFILES: dict[str, Profile] = {
    "qwen-audio-turbo-latest": QWEN_AUDIO,
    "qwen-audio-turbo": Profile(max_input_tokens=6_000, max_output_tokens=1_500),
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


def profile_of(model: str) -> Profile:
    """Look up a model; one that the table does not know is taken for Qwen-Audio.

    Whether such a name exists is for the service to say.
    """
    return PROFILES.get(model, QWEN_AUDIO)


def model_profile(model: str) -> ModelProfile:
    """Say what a model can do in LangChain's own terms."""
    profile = profile_of(model)
    return {
        "max_input_tokens": profile.max_input_tokens,
        "max_output_tokens": profile.max_output_tokens,
        "text_inputs": True,
        "audio_inputs": True,
        "image_inputs": False,
        "image_url_inputs": False,
        "pdf_inputs": False,
        "video_inputs": False,
        "text_outputs": True,
        "audio_outputs": False,
        "image_outputs": False,
        "video_outputs": False,
        "reasoning_output": False,
        "tool_calling": True,  # where the endpoint has none, in the prompt
        "structured_output": False,
        "temperature": True,
    }
