"""Audio models for LangChain and LlamaIndex: Qwen-Audio, Qwen-Omni, Qwen speech recognition."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_qwen_audio._notebook.conversation import show_messages
    from langchain_qwen_audio.audio import Audio
    from langchain_qwen_audio.chains import create_recording_qa_chain
    from langchain_qwen_audio.chat_batches import ChatBatches
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.costs import Cost
    from langchain_qwen_audio.document_loaders import (
        QwenAudioLoader,
        QwenAudioParser,
        TranscriptFormat,
    )
    from langchain_qwen_audio.evaluation import aevaluate_transcripts, evaluate_transcripts
    from langchain_qwen_audio.rate_limits import rate_limiter_for
    from langchain_qwen_audio.redaction import aredact_audio, redact_audio
    from langchain_qwen_audio.tools import (
        AskAudio,
        ListAudio,
        LoadAudio,
        QwenAudioToolkit,
        TranscribeAudio,
    )
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs
    from langchain_qwen_audio.transcripts import Transcript

__version__ = "0.1.0"

__all__ = [
    "AskAudio",
    "Audio",
    "ChatBatches",
    "ChatQwenAudio",
    "Cost",
    "ListAudio",
    "LoadAudio",
    "QwenAudioLoader",
    "QwenAudioParser",
    "QwenAudioToolkit",
    "TranscribeAudio",
    "Transcript",
    "TranscriptFormat",
    "TranscriptionJobs",
    "aevaluate_transcripts",
    "aredact_audio",
    "create_recording_qa_chain",
    "evaluate_transcripts",
    "rate_limiter_for",
    "redact_audio",
    "show_messages",
]

_HOME = {
    **dict.fromkeys(
        ("AskAudio", "ListAudio", "LoadAudio", "QwenAudioToolkit", "TranscribeAudio"),
        "langchain_qwen_audio.tools",
    ),
    **dict.fromkeys(
        ("QwenAudioLoader", "QwenAudioParser", "TranscriptFormat"),
        "langchain_qwen_audio.document_loaders",
    ),
    **dict.fromkeys(
        ("aevaluate_transcripts", "evaluate_transcripts"), "langchain_qwen_audio.evaluation"
    ),
    **dict.fromkeys(("aredact_audio", "redact_audio"), "langchain_qwen_audio.redaction"),
    "Audio": "langchain_qwen_audio.audio",
    "Transcript": "langchain_qwen_audio.transcripts",
    "TranscriptionJobs": "langchain_qwen_audio.transcription_jobs",
    "show_messages": "langchain_qwen_audio._notebook.conversation",
    "create_recording_qa_chain": "langchain_qwen_audio.chains",
    "ChatBatches": "langchain_qwen_audio.chat_batches",
    "ChatQwenAudio": "langchain_qwen_audio.chat_models",
    "Cost": "langchain_qwen_audio.costs",
    "rate_limiter_for": "langchain_qwen_audio.rate_limits",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
