"""What a model takes and gives, in LangChain's own terms. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from langchain_qwen_audio._models.profiles import PROFILES, Profile, Status

if TYPE_CHECKING:
    from langchain_core.language_models import ModelProfile


def model_profile(model: str, profile: Profile) -> ModelProfile:
    """Say what a model can do in LangChain's own terms; what is not known is left out."""
    known: ModelProfile = {
        "name": _display_name(model),
        "text_inputs": profile.text,
        "audio_inputs": True,
        "image_inputs": profile.images,
        "image_url_inputs": profile.images,
        "pdf_inputs": False,
        "video_inputs": profile.videos,
        "text_outputs": True,
        "audio_outputs": bool(profile.voice),
        "image_outputs": False,
        "video_outputs": False,
        "reasoning_output": profile.thinking is not None,
        "tool_calling": profile.text,  # where the endpoint has none, in the prompt
        "tool_choice": profile.native_tools,  # in the prompt it cannot be enforced
        "tool_call_streaming": profile.text,
        "structured_output": bool(profile.json_schema),
        "temperature": True,
    }
    if profile.max_input_tokens is not None:
        known["max_input_tokens"] = profile.max_input_tokens
    if profile.max_output_tokens is not None:
        known["max_output_tokens"] = profile.max_output_tokens
    if profile.efforts:
        known["reasoning_effort_levels"] = list(profile.efforts)
        known["reasoning_effort_default"] = profile.default_effort
    if model in PROFILES and profile.status in LANGCHAIN_STATUS:
        known["status"] = LANGCHAIN_STATUS[profile.status]
    return known


LANGCHAIN_STATUS: dict[Status, str] = {"live": "active", "uncertain": "deprecated"}


def _display_name(model: str) -> str:
    """Write a model's name as the service's pages do: qwen3-asr-flash is Qwen3-ASR-Flash."""
    words = model.rpartition("/")[2].split("-")
    short = re.compile(r"asr|us|a?\d+b")
    return "-".join(it.upper() if short.fullmatch(it) else it[:1].upper() + it[1:] for it in words)
