"""What the service says of tokens → LangChain's `UsageMetadata`. Pure."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata

if TYPE_CHECKING:
    from collections.abc import Mapping


def to_usage_metadata(usage: Mapping[str, Any] | None) -> UsageMetadata | None:
    """Count tokens the way LangChain does: audio is part of the input.

    Qwen-Audio reports 33 text and 85 audio tokens apart and no total; the captioner reports 160
    with the 152 of audio inside; qwen3-asr-flash natively reports details alone
    (audio-language-model, qwen3-omni-captioner and qwen-asr-api-reference pages). The compatible
    protocol calls its details by other names.
    """
    if not usage:
        return None
    flat = _counts(usage)
    inputs = _counts(usage.get("input_tokens_details") or usage.get("prompt_tokens_details"))
    outputs = _counts(usage.get("output_tokens_details") or usage.get("completion_tokens_details"))
    if not (flat.keys() - {"duration", "seconds"} or inputs or outputs):
        return None  # billed by the second, or null; nothing is said of tokens
    audio = inputs.get("audio_tokens", flat.get("audio_tokens"))
    cached = inputs.pop("cached_tokens", None)  # a part of the others
    reported = flat.get("input_tokens", flat.get("prompt_tokens"))
    if audio is None and inputs and sum(inputs.values()) == reported:
        audio = 0  # the details are all of the input
    input_tokens = sum(inputs.values()) if reported is None else reported
    output_tokens = flat.get("output_tokens", flat.get("completion_tokens", sum(outputs.values())))
    includes_audio = bool(inputs) or flat.get("total_tokens") == input_tokens + output_tokens
    if audio and not includes_audio:
        input_tokens += audio
    metadata = UsageMetadata(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        total_tokens=input_tokens + output_tokens,
    )
    of_input = {
        "audio": audio,
        "cache_read": cached,
        "image": inputs.get("image_tokens"),
        "video": inputs.get("video_tokens"),
    }
    of_output = {"audio": outputs.get("audio_tokens"), "reasoning": outputs.get("reasoning_tokens")}
    if details := {name: count for name, count in of_input.items() if count is not None}:
        metadata["input_token_details"] = cast("InputTokenDetails", details)
    if details := {name: count for name, count in of_output.items() if count is not None}:
        metadata["output_token_details"] = cast("OutputTokenDetails", details)
    return metadata


def billed_seconds(usage: Mapping[str, Any]) -> float | None:
    """Find the seconds that speech recognition bills; None if no such number came."""
    seconds = finite_or_none(usage.get("seconds", usage.get("duration")))
    return None if seconds is None or seconds < 0 else seconds


def finite_or_none(value: object) -> float | None:
    """Keep a number that can be counted with; None for anything else."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    is_usable = abs(value) <= sys.float_info.max  # not inf, nan, nor an integer beyond all floats
    return value if is_usable else None


def _counts(usage: Any) -> dict[str, int]:
    """Keep what can be counted of what a service says of its counts."""
    if not isinstance(usage, dict):
        return {}
    return {name: n for name, n in usage.items() if isinstance(n, int) and not isinstance(n, bool)}
