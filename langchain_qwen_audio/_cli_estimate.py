"""What transcribing would cost: recordings are measured here, and nothing is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._cli_inputs import CommandError
from langchain_qwen_audio._media.durations import format_time
from langchain_qwen_audio._plurals import counted
from langchain_qwen_audio._request.token_count import Counts
from langchain_qwen_audio.chat_models import ChatQwenAudio
from langchain_qwen_audio.costs import estimate

if TYPE_CHECKING:
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs


def write_estimate(
    found: list[Recording], model: ChatQwenAudio | TranscriptionJobs, options: dict[str, Any]
) -> str:
    """Say how long recordings are, and what the input of their transcription costs.

    Args:
        found: The recordings.
        model: The model, or the client of its jobs.
        options: What of the recordings is taken, as `AudioOptions`.

    Raises:
        CommandError: One is at a URL.
    """
    lengths = [_length_s(it, options) for it in found]
    audio_s, tokens, audio = sum(lengths), 0, ""
    if isinstance(model, ChatQwenAudio):
        profile = model.route().profile
        tokens = sum(profile.clip_tokens(it) or 0 for it in lengths)
        audio = "" if profile.transcribes else f", {tokens} tokens of audio"
    cost = estimate(Counts(0, tokens, audio_s), model.model, model.billing_region)
    return f"{counted(len(found), 'recording')}, {format_time(audio_s)}{audio}; cost {cost}"


def _length_s(recording: Recording, options: dict[str, Any]) -> float:
    if recording.source.lower().startswith(("http://", "https://")):
        raise CommandError(
            f"{recording.source}: --estimate makes no request, so URLs are not measured; download "
            "it first"
        )
    return recording.open().choose(**options).duration_s
