"""`session.update` → the settings of a live session, or the error of one. Pure.

https://help.aliyun.com/zh/model-studio/client-events
https://help.aliyun.com/zh/model-studio/fun-audiochat-client-events
https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_qwen_audio.local._models.live import LiveModel
from langchain_qwen_audio.local._protocols.tool_prompt import write_tools
from langchain_qwen_audio.local._refusal import Refusal

_SILENCE_MS = (200, 6000)
_HISTORY_TURNS = range(1, 51)
_TRANSCRIBER = {"omni": "qwen3-asr-flash-realtime", "qwen-audio": "fun-asr"}
_SEARCH = frozenset({"enable_search", "search_options"})
_SAMPLING = frozenset(
    {
        *("temperature", "top_p", "top_k", "max_tokens", "seed"),
        *("repetition_penalty", "presence_penalty"),
    }
)
_FLAT = frozenset({"voice", "input_audio_format", "output_audio_format"})
_BOTH = frozenset({"modalities", "instructions", "tools", "turn_detection"}) | _SEARCH
_OMNI = _BOTH | _SAMPLING | {"tool_choice", "input_audio_transcription"}
_QWEN_AUDIO = _BOTH | _FLAT | {"enable_speech_emotion", "max_history_turns"}
_TRANSCRIPTION = frozenset(
    {
        *("modalities", "input_audio_format", "sample_rate", "turn_detection"),
        "input_audio_transcription",
    }
)
_BEFORE_SOUND = ("turn_detection", "input_audio_format")


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
        is_idle: No sound was sent so far.
    """

    name: str
    model: LiveModel
    values: dict[str, Any] = field(default_factory=dict)
    is_idle: bool = True
    _is_updated: bool = False

    def __post_init__(self) -> None:
        """Begin with the defaults of the model."""
        vad = {"type": "server_vad", "threshold": 0.5, "silence_duration_ms": 800}
        transcriber = _TRANSCRIBER.get(self.model.kind, "qwen3-asr-flash-realtime")
        self.values = {
            "object": "realtime.session",
            "model": self.name,
            "modalities": ["text"] if self.model.kind == "transcription" else ["text", "audio"],
            "input_audio_transcription": {"model": transcriber},
            "turn_detection": vad,
            "tools": [],
        }
        if self.model.voice:
            self.values["voice"] = self.model.voice

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
    def is_smart(self) -> bool:
        """Whether the end of a turn is found by its meaning."""
        return (self.values["turn_detection"] or {}).get("type") == "smart_turn"

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
        if self.model.kind == "qwen-audio":
            session = self._checked(session)
        if (self.values | session).get("enable_search") and (self.values | session)["tools"]:
            raise InvalidSettingError("session.tools", "tools and enable_search exclude each other")
        self.values |= session
        self._is_updated = True

    @property
    def _known(self) -> frozenset[str]:
        match self.model.kind:
            case "transcription":
                return _TRANSCRIPTION
            case "qwen-audio" if self.model.languages:
                return _QWEN_AUDIO | {"input_audio_transcription", "output_audio"}
            case "qwen-audio":
                return _QWEN_AUDIO
        return _OMNI | ({"audio"} if self.model.nested_audio else _FLAT)

    def _checked(self, session: dict[str, Any]) -> dict[str, Any]:
        """Check what Qwen-Audio alone has; leave out the voice, if it comes too late."""
        if not self.is_idle and (late := [name for name in _BEFORE_SOUND if name in session]):
            msg = f"{late[0]} can only be modified before the first audio is sent."
            raise InvalidSettingError(f"session.{late[0]}", msg)
        for name, is_valid in _QWEN_AUDIO_VALUES.items():
            if name in session and not is_valid(session[name]):
                raise InvalidSettingError(f"session.{name}", f"Invalid {name}: {session[name]!r}.")
        left_out = {"voice"} if self._is_updated else set()
        return {name: session[name] for name in session.keys() - left_out}


_QWEN_AUDIO_VALUES: dict[str, Callable[[Any], bool]] = {
    "voice": lambda value: isinstance(value, str) and bool(value),
    "enable_speech_emotion": lambda value: isinstance(value, bool),
    "input_audio_format": lambda value: value == "pcm",
    "output_audio_format": lambda value: value == "pcm",
    "max_history_turns": lambda value: value in _HISTORY_TURNS,
    "input_audio_transcription": lambda value: set(value) <= {"language"},
    "output_audio": lambda value: set(value) <= {"language"},
}


def _check_modalities(modalities: object, kind: str) -> None:
    allowed = (["text"],) if kind == "transcription" else (["text"], ["audio", "text"])
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
