"""A microphone of this machine → its samples, as an async iterator.

PortAudio, by way of sounddevice (the extra `microphone`), calls back in a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from langchain_qwen_audio.errors import AudioError, InvalidRequestError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Microphone"]

logger = logging.getLogger(__name__)

_PIECES_PER_S = 10  # the service's pages advise 100 ms
_NOT_INSTALLED = (
    "Microphone needs sounddevice, which is not installed: "
    'pip install "langchain-qwen-audio[microphone]"'
)
_NO_PORTAUDIO = (
    "Microphone needs PortAudio, which sounddevice does not find: apt-get install libportaudio2 on "
    "Debian and Ubuntu, dnf install portaudio on Fedora"
)


class Microphone:
    """A microphone, as a source of samples: 16-bit, little endian, mono, in pieces of 100 ms.

    Use it in `async with`, which opens and closes the device; `async for` yields the samples since
    then, and `stop` ends it. Samples that are not read wait in memory, up to `max_waiting_s`
    seconds; then the iteration ends with an `AudioError`, after those that waited. If the machine
    is too slow for the device, a warning is logged. Needs the extra `microphone`, and PortAudio.

    Attributes:
        sample_rate: Samples per second.

    Example:
        ```python
        from langchain_qwen_audio.microphone import Microphone

        asr = ChatQwenAudio(model="qwen-audio-3.1-asr-flash-streaming")


        async def dictate():
            async with Microphone() as microphone:
                async for sentence in asr.transcribe_live(microphone):
                    print(sentence.text)
                    if sentence.is_final and "stop listening" in sentence.text.lower():
                        microphone.stop()
        ```
    """

    def __init__(
        self,
        sample_rate: int = 16_000,
        device: int | str | None = None,
        *,
        max_waiting_s: float = 60.0,
    ) -> None:
        """Describe a microphone.

        Args:
            sample_rate: Samples per second; some devices have few rates, such as 48000.
            device: Its number, or a part of its name, as `python -m sounddevice` lists them; by
                default that of the system.
            max_waiting_s: Seconds of samples that wait at most. A minute takes 1.9 MB.
        """
        self.sample_rate = sample_rate
        self._device = device
        self._max_pieces = max(1, int(max_waiting_s * _PIECES_PER_S))
        self._samples: _WaitingSamples | None = None
        self._stream: Any = None

    async def __aenter__(self) -> Self:
        """Open it, and begin to record.

        Raises:
            ImportError: sounddevice or PortAudio is not installed.
            AudioError: There is no such device, or it does not have the rate.
        """
        self._samples = _WaitingSamples(self._max_pieces)
        try:
            await asyncio.to_thread(self._open, self._samples)
        except BaseException:
            self._samples.end()  # which the thread may yet have to learn
            if self._stream is not None:
                self._stream.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it; what was recorded before can still be read."""
        self.stop()
        await asyncio.to_thread(self._stream.close)

    def __aiter__(self) -> Self:
        """Yield what is recorded."""
        return self

    async def __anext__(self) -> bytes:
        """Wait for the next samples.

        Raises:
            AudioError: The device has stopped, or samples waited for too long.
        """
        return await self._opened.get()

    def stop(self) -> None:
        """End the iteration, after the samples so far."""
        self._opened.end()

    @property
    def _opened(self) -> _WaitingSamples:
        if self._samples is None:
            raise InvalidRequestError("the microphone is not open: use it in `async with`")
        return self._samples

    def _open(self, samples: _WaitingSamples) -> None:
        sounddevice = _import_sounddevice()
        try:
            self._stream = sounddevice.RawInputStream(
                samplerate=self.sample_rate,
                blocksize=self.sample_rate // _PIECES_PER_S,
                device=self._device,
                channels=1,
                dtype="int16",
                callback=samples.put,
                finished_callback=samples.end_early,
            )
            self._stream.start()
        except (sounddevice.PortAudioError, ValueError) as error:
            raise AudioError(
                f"the microphone cannot be opened ({error}): device is {self._device!r}, and "
                f"sample_rate {self.sample_rate}; `python -m sounddevice` lists the devices"
            ) from error
        if samples.is_over:  # nobody waited for it
            self._stream.close()


class _WaitingSamples:
    """Samples between PortAudio's thread, which puts them, and an event loop."""

    def __init__(self, max_pieces: int) -> None:
        """Take how many pieces may wait."""
        self._max_pieces = max_pieces
        self._pieces: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._has_lost = False
        self.is_over = False
        self._error: AudioError | None = None

    def put(self, samples: Any, _count: int, _time: Any, status: Any) -> None:
        """Add samples; called by PortAudio."""
        self._has_lost |= bool(status.input_overflow)
        if self.is_over:
            return
        if len(self._pieces) == self._max_pieces:
            waited_s = self._max_pieces / _PIECES_PER_S
            self.end(
                AudioError(
                    f"{waited_s:g} s of samples of the microphone waited, and were not read: read "
                    "them faster, or raise max_waiting_s"
                )
            )
            return
        self._pieces.append(bytes(samples))
        self._wake()

    def end_early(self) -> None:
        """Say that the device has stopped by itself; called by PortAudio."""
        self.end(AudioError("the microphone has stopped: it may have been unplugged"))

    def end(self, error: AudioError | None = None) -> None:
        """Say that no more come, or why."""
        if not self.is_over:
            self._error = error
            self.is_over = True
            self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed
            self._loop.call_soon_threadsafe(self._changed.set)

    async def get(self) -> bytes:
        """Take the next samples; wait for them.

        Raises:
            StopAsyncIteration: No more come.
            AudioError: No more come, and that is an error.
        """
        while not self._pieces:
            if self.is_over:
                raise self._error or StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        if self._has_lost:
            self._has_lost = False
            logger.warning("the microphone has lost samples: this machine did not keep up with it")
        return self._pieces.popleft()


def _import_sounddevice() -> Any:
    try:
        import sounddevice
    except ImportError as error:
        raise ImportError(_NOT_INSTALLED) from error
    except OSError as error:  # "PortAudio library not found"
        raise ImportError(_NO_PORTAUDIO) from error
    return sounddevice
