"""What live sessions and live transcription yield, typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, ToolCall, ToolMessage

    from langchain_qwen_audio.errors import QwenAudioError
    from langchain_qwen_audio.transcripts import Word

SPEECH_RATE = 24_000


@dataclass(frozen=True)
class SpeechStarted:
    """The user begins to speak. An answer that is being spoken is interrupted by it.

    Attributes:
        at_s: When, in seconds of the audio that was sent.

    Example:
        ```python
        match event:  # of `async for event in session`
            case SpeechStarted(at_s):
                print(f"the user speaks from {at_s} s on: stop the player")
        ```
    """

    at_s: float


@dataclass(frozen=True)
class SpeechStopped:
    """The user has stopped speaking; an answer follows.

    Attributes:
        at_s: When, in seconds of the audio that was sent.
        is_turn: False where no answer follows, since what was said has no meaning, such as "hm"
            ("smart_turn" alone).

    Example:
        ```python
        match event:  # of `async for event in session`
            case SpeechStopped(at_s):
                print(f"the user spoke until {at_s} s")
        ```
    """

    at_s: float
    is_turn: bool = True


@dataclass(frozen=True)
class InputTranscriptDelta:
    """More of what the user says.

    Attributes:
        text: The new words that will not change any more.
        item_id: Which turn of the user it is.
        draft: The words after them, so far; the next event replaces them.

    Example:
        ```python
        match event:  # of `async for event in session`
            case InputTranscriptDelta(text):
                print(text, end="")
        ```
    """

    text: str
    item_id: str
    draft: str = ""


@dataclass(frozen=True)
class InputTranscript:
    """What the user has said, when the turn is over.

    Attributes:
        text: All of it.
        item_id: Which turn of the user it is.

    Example:
        ```python
        match event:  # of `async for event in session`
            case InputTranscript(text):
                print("user:", text)
        ```
    """

    text: str
    item_id: str


@dataclass(frozen=True)
class ResponseStarted:
    """The model begins to answer.

    Attributes:
        response_id: Which answer it is.

    Example:
        ```python
        match event:  # of `async for event in session`
            case ResponseStarted(response_id):
                print("answer", response_id)
        ```
    """

    response_id: str


@dataclass(frozen=True)
class TextDelta:
    """More of the answer's text: what the model writes, or the words that it speaks.

    Attributes:
        text: The new words.
        response_id: Which answer it is.

    Example:
        ```python
        match event:  # of `async for event in session`
            case TextDelta(text):
                print(text, end="")
        ```
    """

    text: str
    response_id: str


@dataclass(frozen=True)
class AudioDelta:
    """More of the answer's speech.

    Attributes:
        pcm: Samples: 16-bit, little endian, mono.
        response_id: Which answer it is.
        sample_rate: Samples per second.

    Example:
        ```python
        match event:  # of `async for event in session`
            case AudioDelta(pcm):
                speech += pcm  # to your player
        ```
    """

    pcm: bytes = field(repr=False)
    response_id: str
    sample_rate: int = SPEECH_RATE


@dataclass(frozen=True)
class ToolStarted:
    """The model calls a tool, which now runs.

    Attributes:
        call: The call.

    Example:
        ```python
        match event:  # of `async for event in session`
            case ToolStarted(call):
                print("tool:", call["name"], call["args"])
        ```
    """

    call: ToolCall


@dataclass(frozen=True)
class ToolFinished:
    """A tool has returned, and the model was sent the result.

    Attributes:
        message: The result; its `status` is "error" where the tool failed.

    Example:
        ```python
        match event:  # of `async for event in session`
            case ToolFinished(message):
                print("result:", message.text, message.status)
        ```
    """

    message: ToolMessage


@dataclass(frozen=True)
class ResponseFinished:
    """An answer is over.

    Attributes:
        message: The answer: its text, its tool calls, its `usage_metadata`.
        status: "completed", "cancelled" (it was interrupted), or what else the service says.

    Example:
        ```python
        match event:  # of `async for event in session`
            case ResponseFinished(message, status):
                print(status, message.text, message.usage_metadata)
        ```
    """

    message: AIMessage
    status: str


@dataclass(frozen=True)
class ErrorReported:
    """The service reports an error, and the session goes on.

    Attributes:
        error: The error, of the class that the same error of a request has.

    Example:
        ```python
        match event:  # of `async for event in session`
            case ErrorReported(error):
                print("the session goes on:", error)
        ```
    """

    error: QwenAudioError


@dataclass(frozen=True)
class LiveSentence:
    """A sentence of live transcription, so far or as a whole.

    Attributes:
        text: What was said so far; while it is not final, its end may still change.
        is_final: Whether the sentence is over.
        start_s: When it began, in seconds of the audio that was sent; None if that is not known.
        end_s: When it ended; of `qwen3-asr-flash-realtime`, with the pause that ended it. None
            while it is not known.
        language: The language, as the service names it, where a model says it.
        emotion: The emotion, the same.
        item_id: Which sentence it is: all that is yielded of a sentence has the same.
        error: Why it was not transcribed, if it was not; its text is empty then.
        words: Its words with their times, where a model says them.

    Example:
        ```python
        asr = ChatQwenAudio(model="qwen3-asr-flash-realtime")


        async def caption():
            async for sentence in asr.transcribe_live(Audio.from_path("welcome.wav")):
                if sentence.is_final:
                    print(sentence.start_s, sentence.text)
        ```
    """

    text: str
    is_final: bool
    start_s: float | None = None
    end_s: float | None = None
    language: str | None = None
    emotion: str | None = None
    item_id: str = ""
    error: QwenAudioError | None = None
    words: tuple[Word, ...] = ()


LiveEvent: TypeAlias = (
    SpeechStarted
    | SpeechStopped
    | InputTranscriptDelta
    | InputTranscript
    | ResponseStarted
    | TextDelta
    | AudioDelta
    | ToolStarted
    | ToolFinished
    | ResponseFinished
    | ErrorReported
)
