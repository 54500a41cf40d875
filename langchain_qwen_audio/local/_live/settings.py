"""`session.update` → the settings of a live session, or the error of one. Pure.

https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_qwen_audio.local._models.live import LiveModel
from langchain_qwen_audio.local._protocols.tool_prompt import write_tools
from langchain_qwen_audio.local._refusal import Refusal

_SILENCE_MS = (200, 6000)
_PARAMETERS = frozenset(
    {
        "temperature",
        "top_p",
        "top_k",
        "max_tokens",
        "seed",
        "repetition_penalty",
        "presence_penalty",
        "enable_search",
        "search_options",
    }
)
_FLAT = frozenset({"voice", "input_audio_format", "output_audio_format"})
_OMNI = frozenset({"modalities", "instructions", "tools", "tool_choice", "turn_detection"})
_TRANSCRIPTION = frozenset({"modalities", "input_audio_format", "sample_rate", "turn_detection"})


class InvalidSettingError(Exception):
    """A setting that the service does not take."""

    def __init__(self, param: str, message: str) -> None:
        """Take the setting's name and what is wrong with it."""
        super().__init__(message)
        self.param = param
        self.refusal = Refusal(400, "invalid_value", message)


@dataclass
class Settings:
    """The settings of one session.

    Attributes:
        name: The model's name.
        model: The model's facts.
        values: The session as it is written in `session.created`.
    """

    name: str
    model: LiveModel
    values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with the defaults of the model."""
        vad = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 800}
        self.values = {
            "object": "realtime.session",
            "model": self.name,
            "modalities": ["text", "audio"] if self.model.kind == "omni" else ["text"],
            "input_audio_transcription": {"model": "qwen3-asr-flash-realtime"},
            "turn_detection": vad,
            "tools": [],
        }

    @property
    def modalities(self) -> list[str]:
        """What it answers with."""
        return list(self.values["modalities"])

    @property
    def speaks(self) -> bool:
        """Whether it answers with speech."""
        return "audio" in self.values["modalities"]

    @property
    def silence_ms(self) -> int | None:
        """How long a pause ends a turn; None where the client ends turns."""
        detection = self.values["turn_detection"]
        return None if detection is None else int(detection.get("silence_duration_ms", 800))

    @property
    def transcribes(self) -> bool:
        """Whether what the user says is transcribed."""
        return self.values["input_audio_transcription"] is not None

    @property
    def tool_prompt(self) -> str:
        """The tools, as a system text."""
        fields = {"tools": self.values["tools"] or None, "parallel_tool_calls": True}
        return write_tools(fields)

    def update(self, session: object) -> None:
        """Change what is named.

        Raises:
            InvalidSettingError: The service would not take it.
        """
        if not isinstance(session, dict):
            raise InvalidSettingError("session", "Missing required parameter: 'session'.")
        for name in session:
            if name not in self._known:
                raise InvalidSettingError(f"session.{name}", f"Unknown parameter: '{name}'.")
        _check_modalities(session.get("modalities", self.modalities), self.model.kind)
        _check_detection(session.get("turn_detection"), self.model)
        try:
            write_tools({"tools": session.get("tools") or None})
        except Refusal as refusal:
            raise InvalidSettingError("session.tools", refusal.message) from refusal
        self.values |= session

    @property
    def _known(self) -> frozenset[str]:
        both = frozenset({"input_audio_transcription"})
        if self.model.kind == "transcription":
            return both | _TRANSCRIPTION
        return both | _OMNI | _PARAMETERS | ({"audio"} if self.model.nested_audio else _FLAT)


def _check_modalities(modalities: object, kind: str) -> None:
    allowed = (["text"], ["audio", "text"]) if kind == "omni" else (["text"],)
    if not isinstance(modalities, list) or sorted(map(str, modalities)) not in allowed:
        raise InvalidSettingError(
            "session.modalities",
            f"Invalid modalities: {modalities}. Supported combinations are: "
            f"{' and '.join(map(str, allowed))}.",
        )


def _check_detection(detection: object, model: LiveModel) -> None:
    if detection is None:
        return
    if not isinstance(detection, Mapping) or detection.get("type") not in model.turn_detection:
        raise InvalidSettingError(
            "session.turn_detection",
            f"Invalid turn_detection: {detection}. Supported types are: "
            f"{sorted(model.turn_detection)}.",
        )
    silence = detection.get("silence_duration_ms", 800)
    least, most = _SILENCE_MS
    if not isinstance(silence, int) or not least <= silence <= most:
        raise InvalidSettingError(
            "session.turn_detection.silence_duration_ms",
            f"silence_duration_ms must be from {least} to {most}, not {silence}.",
        )
