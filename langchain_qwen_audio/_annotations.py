"""What qwen3-asr-flash says of a recording besides its words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage


@dataclass(frozen=True)
class AudioInfo:
    """How a recording was spoken, as an answer of qwen3-asr-flash tells.

    https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference

    Attributes:
        language: The language heard, as "zh" or "en".
        emotion: One of surprised, neutral, happy, sad, disgusted, angry, fearful.
        seconds: The length of the recording that is billed.
    """

    language: str | None = None
    emotion: str | None = None
    seconds: float | None = None

    @classmethod
    def from_message(cls, message: BaseMessage) -> AudioInfo:
        """Read it from an answer; what the service did not say is None."""
        metadata = message.response_metadata
        kinds = (info for info in metadata.get("annotations", []) if isinstance(info, dict))
        said = next((info for info in kinds if info.get("type") == "audio_info"), {})
        return cls(said.get("language"), said.get("emotion"), metadata.get("seconds"))
