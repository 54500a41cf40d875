"""The samples of a task → where sentences begin and end, and where nobody speaks. Pure."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from langchain_qwen_audio.local._live.task_request import TaskRequest
from langchain_qwen_audio.local._live.voice_activity import SAMPLES_PER_MS, VoiceActivity
from langchain_qwen_audio.local._refusal import Refusal

_MAX_QUIET_MS = 60_000  # says the page of Paraformer; the others say "some time"
_HEARTBEAT_MS = 5_000  # no page says how often
_PADDING_MS = 300  # of speech, before it was noticed
_BYTES_PER_MS = 2 * SAMPLES_PER_MS


@dataclass(frozen=True)
class Begun:
    """Somebody begins to speak."""

    begin_ms: int


@dataclass(frozen=True)
class Spoken:
    """A sentence is over: its samples, when it began and ended, and how much there was by then."""

    pcm: bytes = field(repr=False)
    pcm_ms: int
    begin_ms: int
    end_ms: int
    at_ms: int


@dataclass(frozen=True)
class Quiet:
    """Nobody has spoken for a while."""

    at_ms: int


Found: TypeAlias = Begun | Spoken | Quiet


class TaskAudio:
    """A state machine: samples in, what was found in them out."""

    def __init__(self, request: TaskRequest) -> None:
        """Take what the task was told."""
        self._is_8k = request.sample_rate == 8000
        self._silence_ms = request.silence_ms
        self._is_kept_alive = request.parameters.get("heartbeat") is True
        self._activity = VoiceActivity(request.silence_ms)
        self._buffer = bytearray()
        self._buffer_at_ms = 0  # when the first sample of the buffer came
        self._begin_ms = 0
        self._quiet_from_ms = self._heartbeat_at_ms = 0
        self._size = 0

    @property
    def at_ms(self) -> int:
        """How much audio there was so far."""
        return self._size // _BYTES_PER_MS

    def append(self, pcm: bytes) -> Iterator[Found]:
        """Take more samples: 16-bit, little endian, mono.

        Raises:
            Refusal: Half a sample came, or nobody has spoken for too long.
        """
        if not pcm or len(pcm) % 2:
            raise Refusal(400, "CLIENT_ERROR", "Invalid payload data: expected 16-bit PCM.")
        if self._is_8k:
            pcm = _doubled(pcm)
        self._size += len(pcm)
        self._buffer += pcm
        for edge, at_ms in self._activity.feed(pcm):
            if edge == "started":
                self._begin_ms = at_ms
                yield Begun(at_ms)
            else:
                yield self._end(at_ms, at_ms - self._silence_ms)
        if not self._activity.is_speaking:
            self._drop(len(self._buffer) - _PADDING_MS * _BYTES_PER_MS)
            yield from self._wait()

    def stop(self) -> Iterator[Spoken]:
        """End the sentence, if there is one, where the stream ends."""
        for _, at_ms in self._activity.stop():
            yield self._end(at_ms, at_ms)

    def _end(self, at_ms: int, end_ms: int) -> Spoken:
        size = (at_ms - self._buffer_at_ms) * _BYTES_PER_MS
        spoken = Spoken(
            bytes(self._buffer[:size]), self._buffer_at_ms, self._begin_ms, end_ms, at_ms
        )
        self._drop(size)
        self._quiet_from_ms = self._heartbeat_at_ms = at_ms
        return spoken

    def _wait(self) -> Iterator[Quiet]:
        if self._is_kept_alive:
            while self.at_ms - self._heartbeat_at_ms >= _HEARTBEAT_MS:
                self._heartbeat_at_ms += _HEARTBEAT_MS
                yield Quiet(self._heartbeat_at_ms)
        elif self.at_ms - self._quiet_from_ms > _MAX_QUIET_MS:
            msg = f"request timeout after {_MAX_QUIET_MS // 1000} seconds."
            raise Refusal(400, "CLIENT_ERROR", msg)

    def _drop(self, size: int) -> None:
        """Forget the beginning of the buffer."""
        if size > 0:
            self._buffer_at_ms += size // _BYTES_PER_MS
            del self._buffer[:size]


def _doubled(pcm: bytes) -> bytes:
    """Make 16 kHz of 8 kHz: between two samples is what lies between them."""
    samples = array("h", pcm)
    following = samples[1:] + samples[-1:]
    doubled = array("h", bytes(2 * len(pcm)))
    doubled[::2] = samples
    doubled[1::2] = array("h", ((a + b) // 2 for a, b in zip(samples, following, strict=True)))
    return doubled.tobytes()
