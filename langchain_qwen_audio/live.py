"""Live voice sessions and live transcription: the session, and what it yields, typed."""

from __future__ import annotations

from langchain_qwen_audio._live.events import (
    AudioDelta,
    ErrorReported,
    InputTranscript,
    InputTranscriptDelta,
    LiveEvent,
    LiveSentence,
    ResponseFinished,
    ResponseStarted,
    SpeechStarted,
    SpeechStopped,
    TextDelta,
    ToolFinished,
    ToolStarted,
)
from langchain_qwen_audio._live.session import LiveSession
from langchain_qwen_audio._live.transcribing import LiveTranscription

__all__ = [
    "AudioDelta",
    "ErrorReported",
    "InputTranscript",
    "InputTranscriptDelta",
    "LiveEvent",
    "LiveSentence",
    "LiveSession",
    "LiveTranscription",
    "ResponseFinished",
    "ResponseStarted",
    "SpeechStarted",
    "SpeechStopped",
    "TextDelta",
    "ToolFinished",
    "ToolStarted",
]
