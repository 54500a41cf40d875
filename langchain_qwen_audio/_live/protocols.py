"""What the protocols of the service have in common: how events are read, and how sound is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from langchain_qwen_audio._live.events import LiveSentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio._live.client_events import Opening, RawEvent

E_co = TypeVar("E_co", covariant=True)


class EventReader(Protocol[E_co]):
    """What reads the events of one protocol: a state machine, without I/O."""

    @property
    def text(self) -> str:
        """The text so far of what is being sent."""

    @property
    def is_finished(self) -> bool:
        """Whether the service has said that the session is over."""

    @property
    def awaits_answer(self) -> bool:
        """Whether the service must say something next."""

    def read(self, event: RawEvent, /) -> Sequence[E_co]:
        """Read one event; those of no interest give none.

        Raises:
            QwenAudioError: It reports an error that ends the session, or cannot be read.
        """


class TranscriptionProtocol(EventReader[LiveSentence], Protocol):
    """One transcription in one of the protocols: what is sent, and what is read.

    Attributes:
        sample_rate: Samples per second that it is sent.
        text: Always "": what there is of a sentence is in the sentence that is not final.
        is_finished: Whether the service has said that the transcription is over.
        awaits_answer: Always False: before the end, nothing must come.
    """

    sample_rate: int
    text: str = ""
    is_finished: bool = False
    awaits_answer: bool = False

    def opening(self) -> Opening:
        """Begin."""

    def append(self, pcm: bytes, /) -> RawEvent | bytes:
        """Send samples."""

    def finish(self) -> RawEvent:
        """Say that nothing more comes."""
