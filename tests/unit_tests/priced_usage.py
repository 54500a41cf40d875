"""Usage and answers of which tests know the price."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

BEIJING, SINGAPORE = "cn-beijing", "ap-southeast-1"
PLUS, ASR_3_1 = "qwen3.5-omni-plus", "qwen-audio-3.1-asr-flash"
M = 1_000_000


def used(inputs: dict[str, int], outputs: dict[str, int]) -> UsageMetadata:
    """Make usage of a number of tokens of each kind."""
    return UsageMetadata(
        input_tokens=sum(inputs.values()),
        output_tokens=sum(outputs.values()),
        total_tokens=sum(inputs.values()) + sum(outputs.values()),
        input_token_details={"audio": 0, **{k: n for k, n in inputs.items() if k != "text"}},  # type: ignore[typeddict-item]
        output_token_details={k: n for k, n in outputs.items() if k != "text"},  # type: ignore[typeddict-item]
    )


TEXT = used({"text": M}, {"text": M})
AUDIO = used({"audio": M}, {"text": M})
MIXED = used({"text": M, "audio": M, "image": M, "video": M}, {"text": M})
SPOKEN = used({"text": M, "audio": M}, {"text": M, "audio": M})


def answer(model: str, region: str | None = BEIJING, **metadata: Any) -> AIMessage:
    known = {"model_name": model, "region": region, **metadata}
    return AIMessage("a", response_metadata={k: v for k, v in known.items() if v is not None})
