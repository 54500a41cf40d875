"""A model and the options of a loader → the backend that transcribes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._transcription.backend import AudioChoice
from langchain_qwen_audio._transcription.chat_backend import ChatBackend
from langchain_qwen_audio._transcription.hot_words import (
    read_hot_words,
    tell_chat_model,
    tell_jobs,
)
from langchain_qwen_audio._transcription.job_backend import JobBackend
from langchain_qwen_audio._transcription.transcriber import Transcriber
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

if TYPE_CHECKING:
    from langchain_qwen_audio._transcription.backend import Backend
    from langchain_qwen_audio.chat_models import ChatQwenAudio

_OF_RECORDINGS = ("track", "channel", "allow_truncated")
_OF_CHAT_MODELS = ("prompt", "segment_s", "overlap_s")


def make_transcriber(
    llm: ChatQwenAudio | TranscriptionJobs, *, untimed_s: float | None = None, **options: Any
) -> Transcriber:
    """Make what transcribes with a model.

    Args:
        llm: A chat model, or jobs.
        untimed_s: Seconds of the longest segment of a model that tells no times, by default.
        **options: `TranscribeOptions`, and `on_error`.

    Raises:
        ModelError: The model is not available so, or its jobs do not have the parameters.
        TypeError: There is no such option.
        ValueError: A value is out of its range, or does not go with the model.
    """
    choice = AudioChoice(**{it: options.pop(it) for it in _OF_RECORDINGS if it in options})
    words = read_hot_words(options.pop("hot_words", None))
    own = {it: options.pop(it) for it in _OF_CHAT_MODELS if it in options}
    backend: Backend
    if isinstance(llm, TranscriptionJobs):
        _require_none(own)
        backend = JobBackend(llm, tell_jobs(llm, words), choice)
    else:
        if own.get("segment_s") is None and not llm.route().profile.tells_times:
            own["segment_s"] = untimed_s
        llm, context = tell_chat_model(llm, words)
        backend = ChatBackend(llm, hot_words=words, context=context, choice=choice, **own)
    return Transcriber(backend, **options)


def _require_none(own: dict[str, Any]) -> None:
    if given := [name for name, value in own.items() if value]:
        raise ValueError(
            f"{', '.join(given)} came, which transcription jobs do not have: a job takes a "
            "recording whole, and transcribes it; leave them out (hot_words gives it names and "
            "terms), or pass a ChatQwenAudio as llm"
        )
