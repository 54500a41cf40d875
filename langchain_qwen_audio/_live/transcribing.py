"""A recording or a stream of samples → its sentences, while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._live.address import live_address
from langchain_qwen_audio._live.audio_input import AudioInput
from langchain_qwen_audio._live.client_events import append_audio, finish_session
from langchain_qwen_audio._live.event_queue import EventQueue
from langchain_qwen_audio._media.samples import SAMPLE_RATE
from langchain_qwen_audio._models.live_models import transcription_profile
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from langchain_qwen_audio._live.events import LiveSentence
    from langchain_qwen_audio._live.link import Link
    from langchain_qwen_audio._settings import BaseChatQwenAudio

THRESHOLD = 0.0  # what the service's page advises; its default is 0.2


def write_transcription_session(settings: BaseChatQwenAudio, silence_ms: int) -> dict[str, Any]:
    """Write the settings of a live transcription.

    Raises:
        InvalidRequestError: A field is set that live transcription does not have.
    """
    given = dict(settings.request_parameters)
    options: Mapping[str, Any] = given.pop("asr_options", {})
    if unknown := sorted([*given, *(options.keys() - {"language"})]):
        raise InvalidRequestError(
            f"live transcription does not take {', '.join(unknown)}; of asr_options it takes "
            "language"
        )
    session: dict[str, Any] = {
        "modalities": ["text"],
        "input_audio_format": "pcm",
        "sample_rate": SAMPLE_RATE,
        "turn_detection": {
            "type": "server_vad",
            "threshold": THRESHOLD,
            "silence_duration_ms": silence_ms,
        },
    }
    if options:
        session["input_audio_transcription"] = dict(options)
    return session | settings.model_kwargs


async def transcribe_live(
    settings: BaseChatQwenAudio,
    source: Audio | AsyncIterable[bytes],
    *,
    sample_rate: int,
    silence_ms: int,
) -> AsyncGenerator[LiveSentence]:
    """Send what a source yields, and yield sentences; see `ChatQwenAudio.transcribe_live`."""
    transcription_profile(settings.model)
    session = write_transcription_session(settings, silence_ms)
    address = live_address(settings)
    if not isinstance(source, Audio | AsyncIterable):
        raise AudioError(
            f"{type(source).__name__} came, expected an Audio, or an async iterator of bytes"
        )
    for name in ("transcription", "link"):  # which an event loop would feel
        await asyncio.to_thread(importlib.import_module, f"langchain_qwen_audio._live.{name}")
    from langchain_qwen_audio._live.link import open_link
    from langchain_qwen_audio._live.transcription import TranscriptionReader

    events: EventQueue[LiveSentence] = EventQueue()
    reader = TranscriptionReader(settings.model)
    link = await open_link(settings, address, session, reader, events)
    link.task.start(events.put)
    sending = asyncio.create_task(_send(link, source, sample_rate))
    try:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield await events.get()
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        await link.close()


async def _send(
    link: Link[Any, LiveSentence], source: Audio | AsyncIterable[bytes], sample_rate: int
) -> None:
    """Send a source to its end; what goes wrong is raised where sentences are read."""
    audio = AudioInput()
    try:
        if isinstance(source, Audio):
            async for piece in audio.pieces(source, sample_rate):
                await link.send(append_audio(piece))
        else:
            async for samples in source:
                async for piece in audio.pieces(samples, sample_rate):
                    await link.send(append_audio(piece))
        if held := audio.flush():
            await link.send(append_audio(held))
        link.task.finish(is_confirmed=True)
        await link.send(finish_session())
    except Exception as error:  # noqa: BLE001  # of the source, which is the user's
        link.task.fail(error)
