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
        language: The language of the speech, as "zh" or "en".
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
        annotations, seconds = metadata.get("annotations"), metadata.get("seconds")
        kinds = annotations if isinstance(annotations, list) else []
        dicts = (info for info in kinds if isinstance(info, dict))
        found = next((info for info in dicts if info.get("type") == "audio_info"), {})
        return cls(
            language=_string_or_none(found.get("language")),
            emotion=_string_or_none(found.get("emotion")),
            seconds=seconds if isinstance(seconds, int | float) else None,
        )


def _string_or_none(value: object) -> str | None:
    return value if isinstance(value, str) else None
