"""A recording or a stream of samples → its sentences, while it is sent."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from langchain_qwen_audio._live.address import TASK_PATH, LiveAddress, live_address
from langchain_qwen_audio._live.audio_input import AudioInput
from langchain_qwen_audio._live.event_queue import EventQueue
from langchain_qwen_audio._live.events import LiveSentence
from langchain_qwen_audio._media.samples import SAMPLE_RATE
from langchain_qwen_audio._models.live_models import TaskProfile, transcription_profile
from langchain_qwen_audio._response.usage import billed_seconds, to_usage_metadata
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError, InvalidRequestError
from langchain_qwen_audio.microphone import Microphone

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from langchain_core.messages.ai import UsageMetadata

    from langchain_qwen_audio._live.client_events import Opening, RawEvent
    from langchain_qwen_audio._live.link import Link
    from langchain_qwen_audio._settings import BaseChatQwenAudio
    from langchain_qwen_audio.costs import Cost

THRESHOLD = 0.0  # what the service's page advises; its default is 0.2
_SILENCE_MS = 400  # the same; its default is 800


class TranscriptionProtocol(Protocol):
    """One transcription in one of the service's protocols: what is sent, and what is read."""

    sample_rate: int

    @property
    def text(self) -> str:
        """As of any `EventReader`; so are the next two."""

    @property
    def is_finished(self) -> bool:
        """Whether it is over."""

    @property
    def awaits_answer(self) -> bool:
        """Whether the service must say something next."""

    def read(self, event: RawEvent, /) -> Sequence[LiveSentence]:
        """Read one event."""

    def opening(self) -> Opening:
        """Begin."""

    def append(self, pcm: bytes, /) -> RawEvent | bytes:
        """Send samples."""

    def finish(self) -> RawEvent:
        """Say that nothing more comes."""


class LiveTranscription(AsyncIterator[LiveSentence]):
    """The sentences of a source, while it is sent: what `ChatQwenAudio.transcribe_live` returns.

    `async for` begins it. Close it if you leave it before its end (`contextlib.aclosing`).

    Attributes:
        model: The model.
        region: The region that bills, if it is known.
        uncounted: As of the summary of a loader; here it is 0.
        gaps: The same; here there are none.

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

    uncounted: int = 0
    gaps: tuple[str, ...] = ()

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
        self._counted: dict[str, Any] = {}
        make: Callable[[], TranscriptionProtocol]
        if isinstance(profile, TaskProfile):
            parameters = write_task_parameters(settings, profile, silence_ms)
            make = partial(_task, settings.model, parameters, self._counted)
            address = live_address(settings, path=TASK_PATH)
        else:
            make = partial(_session, settings.model, write_session_settings(settings, silence_ms))
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
        """The tokens used so far; None of models that are billed by the second."""
        return to_usage_metadata(self._counted)

    @property
    def billed_s(self) -> float | None:
        """The seconds billed so far; None if the service has not said them."""
        return billed_seconds(self._counted)

    @property
    def cost(self) -> Cost:
        """What it cost so far, by the service's price list; `Cost.of` takes your own prices."""
        from langchain_qwen_audio.costs import Cost

        return Cost.of(self)


def write_session_settings(settings: BaseChatQwenAudio, silence_ms: int | None) -> dict[str, Any]:
    """Write the settings of a session that transcribes.

    Raises:
        InvalidRequestError: A field is set that live transcription does not have.
    """
    options = _check_options(settings, ("language",))
    session: dict[str, Any] = {
        "modalities": ["text"],
        "input_audio_format": "pcm",
        "sample_rate": SAMPLE_RATE,
        "turn_detection": {
            "type": "server_vad",
            "threshold": THRESHOLD,
            "silence_duration_ms": _SILENCE_MS if silence_ms is None else silence_ms,
        },
    }
    if options:
        session["input_audio_transcription"] = options
    return session | settings.model_kwargs


def write_task_parameters(
    settings: BaseChatQwenAudio, profile: TaskProfile, silence_ms: int | None
) -> dict[str, Any]:
    """Write the parameters of a task that transcribes.

    Raises:
        InvalidRequestError: A field is set that the model does not have.
    """
    options = _check_options(settings, profile.asr_options)
    if silence_ms is not None and not profile.takes_silence:
        raise InvalidRequestError(f"{settings.model} does not take silence_ms")
    parameters: dict[str, Any] = {"format": "pcm", "sample_rate": profile.sample_rate}
    if profile.takes_silence:
        parameters["heartbeat"] = True  # or the service hangs up while nobody speaks
    if silence_ms is not None:
        parameters["max_sentence_silence"] = silence_ms
    return {**parameters, **profile.always, **options, **settings.model_kwargs}


def _check_options(settings: BaseChatQwenAudio, known: Sequence[str]) -> dict[str, Any]:
    """Return the `asr_options`, if they are all that is set, and known."""
    given = dict(settings.request_parameters)
    options: dict[str, Any] = dict(given.pop("asr_options", {}))
    if unknown := sorted([*given, *(options.keys() - set(known))]):
        raise InvalidRequestError(
            f"live transcription by {settings.model} does not take {', '.join(unknown)}; of "
            f"asr_options it takes {', '.join(known)}"
        )
    return options


def _task(model: str, parameters: dict[str, Any], counted: dict[str, Any]) -> TranscriptionProtocol:
    from langchain_qwen_audio._live.tasks import TaskTranscription

    return TaskTranscription(model, parameters, counted)


def _session(model: str, session: dict[str, Any]) -> TranscriptionProtocol:
    from langchain_qwen_audio._live.transcription import SessionTranscription

    return SessionTranscription(model, session)


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
        await asyncio.wait([sending])
        await link.close()


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
    except Exception as error:  # noqa: BLE001  # of the source, which is the user's
        link.task.fail(error)
