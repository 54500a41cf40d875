"""A recording or a stream of samples → its sentences, while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._live.address import TASK_PATH, LiveAddress, live_address
from langchain_qwen_audio._live.audio_input import AudioInput
from langchain_qwen_audio._live.cancellation import is_being_cancelled
from langchain_qwen_audio._live.counted_usage import CountedUsage
from langchain_qwen_audio._live.event_queue import EventQueue
from langchain_qwen_audio._live.events import LiveSentence
from langchain_qwen_audio._live.transcription_settings import (
    write_session_settings,
    write_task_parameters,
)
from langchain_qwen_audio._models.live_models import TaskProfile, transcription_profile
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.microphone import Microphone

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from langchain_core.messages.ai import UsageMetadata

    from langchain_qwen_audio._live.link import Link
    from langchain_qwen_audio._live.protocols import TranscriptionProtocol
    from langchain_qwen_audio._settings import BaseChatQwenAudio
    from langchain_qwen_audio.costs import Cost


class LiveTranscription(AsyncIterator[LiveSentence]):
    """The sentences of a source, while it is sent: what `ChatQwenAudio.transcribe_live` returns.

    `async for` begins it. Close it if you leave it before its end (`contextlib.aclosing`).

    Attributes:
        model: The model.
        region: The region that bills, if it is known.

    Example:
        ```python
        asr = ChatQwenAudio(model="qwen-audio-3.1-asr-flash-streaming")


        async def caption():
            transcription = asr.transcribe_live(Audio.from_path("welcome.wav"))
            async for sentence in transcription:
                print(sentence.text)
            print(transcription.usage, transcription.cost)
        ```
    """

    def __init__(
        self,
        settings: BaseChatQwenAudio,
        source: Audio | AsyncIterable[bytes],
        *,
        sample_rate: int,
        silence_ms: int | None,
    ) -> None:
        """Take what `ChatQwenAudio.transcribe_live` was told; nothing is sent yet."""
        profile = transcription_profile(settings.model)
        self.model, self.region = settings.model, settings.billing_region
        self._counted = CountedUsage()
        make: Callable[[], TranscriptionProtocol]
        if isinstance(profile, TaskProfile):
            parameters = write_task_parameters(settings, profile, silence_ms)
            make = partial(_task, settings.model, parameters, self._counted)
            address = live_address(settings, path=TASK_PATH)
        else:
            session = write_session_settings(settings, silence_ms)
            make = partial(_session, settings.model, session, self._counted)
            address = live_address(settings)
        if not isinstance(source, Audio | AsyncIterable):
            raise AudioError(
                f"{type(source).__name__} came, expected an Audio, or an async iterator of bytes"
            )
        if isinstance(source, Microphone):
            sample_rate = source.sample_rate
        self._sentences = _transcribe(settings, address, make, source, sample_rate)

    async def __anext__(self) -> LiveSentence:
        """Wait for the next sentence, or for more of one."""
        return await anext(self._sentences)

    async def aclose(self) -> None:
        """Hang up, if it is under way."""
        await self._sentences.aclose()

    @property
    def usage(self) -> UsageMetadata | None:
        """The tokens that the service has counted; None of models that are billed by the second."""
        return self._counted.tokens

    @property
    def billed_s(self) -> float | None:
        """The seconds billed so far; None if the service has not said them, or not of all."""
        return self._counted.seconds

    @property
    def uncounted(self) -> int:
        """How many sentences came whose usage the service has not said."""
        return self._counted.uncounted

    @property
    def gaps(self) -> tuple[str, ...]:
        """What is billed, and is not in `usage`; then `cost` is not known either."""
        return self._counted.gaps

    @property
    def cost(self) -> Cost:
        """What it cost so far, by the service's price list; `Cost.of` takes your own prices."""
        from langchain_qwen_audio.costs import Cost

        return Cost.of(self)


def _task(model: str, parameters: dict[str, Any], usage: CountedUsage) -> TranscriptionProtocol:
    from langchain_qwen_audio._live.tasks import TaskTranscription

    return TaskTranscription(model, parameters, usage)


def _session(model: str, session: dict[str, Any], usage: CountedUsage) -> TranscriptionProtocol:
    from langchain_qwen_audio._live.transcription import SessionTranscription

    return SessionTranscription(model, session, usage)


async def _transcribe(
    settings: BaseChatQwenAudio,
    address: LiveAddress,
    make: Callable[[], TranscriptionProtocol],
    source: Audio | AsyncIterable[bytes],
    sample_rate: int,
) -> AsyncGenerator[LiveSentence]:
    """Send what a source yields, and yield sentences."""
    # What is imported in threads is what an event loop would feel.
    protocol = await asyncio.to_thread(make)
    await asyncio.to_thread(importlib.import_module, "langchain_qwen_audio._live.link")
    from langchain_qwen_audio._live.link import open_link

    events: EventQueue[LiveSentence] = EventQueue()
    link = await open_link(settings, address, protocol.opening(), protocol, events)
    link.task.start(events.put)
    sending = asyncio.create_task(_send(link, source, sample_rate))
    try:
        with contextlib.suppress(StopAsyncIteration):
            while True:
                yield await events.get()
    finally:
        sending.cancel()
        try:  # first, so that a source that does not end when it is cancelled holds nothing up
            await link.close()
        finally:
            await asyncio.wait([sending])


async def _send(
    link: Link[TranscriptionProtocol, LiveSentence],
    source: Audio | AsyncIterable[bytes],
    sample_rate: int,
) -> None:
    """Send a source to its end; what goes wrong is raised where sentences are read."""
    protocol = link.reader
    audio = AudioInput(protocol.sample_rate)
    try:
        if isinstance(source, Audio):
            async for piece in audio.pieces(source, sample_rate):
                await link.send(protocol.append(piece))
        else:
            async for samples in source:
                async for piece in audio.pieces(samples, sample_rate):
                    await link.send(protocol.append(piece))
        if held := audio.flush():
            await link.send(protocol.append(held))
        link.task.finish(is_confirmed=True)
        await link.send(protocol.finish())
    except asyncio.CancelledError as error:
        if is_being_cancelled():
            raise
        told = AudioError("the source of the sound ended with asyncio.CancelledError")
        told.__cause__ = error
        link.task.fail(told)
    except Exception as error:  # noqa: BLE001  # of the source, which is the user's
        link.task.fail(error)
