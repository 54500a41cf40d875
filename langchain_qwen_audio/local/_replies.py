"""What may be answered to a request. Plain data: no I/O, no wire format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

from langchain_qwen_audio.local._received_request import ReceivedRequest

_SPEECH_BYTES_PER_S = 2 * 24_000


class Break(Enum):
    """A way to break the connection, as a step of a `RawReply`."""

    RESET = "reset"
    END = "end"


RESET: Final = Break.RESET
"""Reset the connection (TCP RST): the client's next read fails."""

END: Final = Break.END
"""Close the connection (TCP FIN) without finishing the response."""


@dataclass(frozen=True)
class Reply:
    """What the model answers; the server writes it in the protocol of the request.

    Attributes:
        text: The whole answer. A stream splits it into words.
        fragments: The answer as a stream splits it, instead of `text`. An empty fragment becomes a
            chunk with `content: []`, which the service does send in mid-stream.
        usage: Sent as it is, wherever usage is sent, instead of the counted usage.
        finish_reason: The last chunk's; earlier ones say `"null"`, or `null` on the compatible
            path. By default "stop", or "tool_calls" where there are some.
        delay_s: Seconds before the first byte.
        pause_s: Seconds between the chunks of a stream.
        request_id: A new one is made when this is `None`.
        annotations: The message's `annotations`, as the speech recognition models return them.
        sentences: The sentences of speech recognition with times, as the service writes them; what
            they leave out is added. By default each fragment, or the whole text, is one.
        reasoning: Its reasoning, before its text, as `reasoning_content`; on the compatible path
            alone.
        tool_calls: Its tool calls, after its text: each a mapping with `name`, `arguments` (JSON
            text, or what becomes JSON) and, if it matters, `id`.
        audio: Its speech, after its text: raw PCM, 16-bit little endian, mono, 24 kHz; on the
            compatible path alone. It is sent as one base64 text, split anywhere.
        audio_piece: How many characters of that text each chunk of a stream holds.
        model: The reply's `model`; by default that of the request, and none natively.
        input_transcript: Of a live session: what the user has said; by default no transcript is
            sent before this reply.

    Example:
        ```python
        from langchain_qwen_audio.local import LocalDashScope, Reply

        with LocalDashScope() as server:
            server.script(Reply(fragments=("in ", "two chunks"), finish_reason="length"))
            local_model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
            print([chunk.text for chunk in local_model.stream("?")])
        ```
    """

    text: str = ""
    fragments: tuple[str, ...] = ()
    usage: Mapping[str, Any] | None = None
    finish_reason: str | None = None
    delay_s: float = 0
    pause_s: float = 0
    request_id: str | None = None
    annotations: Sequence[Mapping[str, Any]] | None = None
    sentences: Sequence[Mapping[str, Any]] | None = None
    reasoning: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = ()
    audio: bytes = b""
    audio_piece: int = 4096
    model: str | None = None
    input_transcript: str | None = None

    def __post_init__(self) -> None:
        """Refuse two texts, and pieces of speech that hold nothing."""
        if self.text and self.fragments:
            msg = "Give a Reply either text or fragments: the fragments joined are the text."
            raise ValueError(msg)
        if self.audio_piece < 1:
            msg = f"audio_piece must be 1 or more, not {self.audio_piece}."
            raise ValueError(msg)

    @property
    def whole_text(self) -> str:
        """The text, or its fragments joined."""
        return "".join(self.fragments) or self.text

    @property
    def speech_s(self) -> float:
        """The duration of its speech, in seconds."""
        return len(self.audio) / _SPEECH_BYTES_PER_S

    @property
    def ending(self) -> str:
        """The last chunk's `finish_reason`."""
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")


@dataclass(frozen=True)
class RawReply:
    """Exactly what goes on the wire, so that every fault of a service or a proxy is data.

    The status line and the headers go out with the first bytes: `b""` sends them alone, and a
    reply that breaks before any bytes sends nothing at all. Only a `server` header is added, and
    `transfer-encoding: chunked` when no `content-length` is given.

    Attributes:
        status: HTTP status.
        headers: Response headers.
        steps: Bytes of the body to write, seconds to wait (`math.inf`: until the client leaves),
            or `RESET` or `END` to break the connection there.
        after_bytes: Of an upload alone: how much of the file's request is waited for, instead of
            all of it; such a request is not logged.

    Example:
        ```python
        from langchain_qwen_audio.local import LocalDashScope, RawReply

        with LocalDashScope() as server:
            server.script(RawReply(status=502, steps=(b"<html>Bad gateway</html>",)), "ok")
            local_model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
            local_model.with_fallbacks([local_model]).invoke("?")
        ```
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[bytes | float | Break] = ()
    after_bytes: int | None = None


@dataclass(frozen=True)
class JobFailure:
    """Why a transcription job fails, or a task of live transcription.

    Attributes:
        code: The service's code, such as `FILE_DOWNLOAD_FAILED`.
        message: What it says.
        in_subtask: Of a model with `file_urls`: the job itself is SUCCEEDED, and only its file
            failed.

    Example:
        ```python
        from langchain_qwen_audio.errors import AudioError
        from langchain_qwen_audio.local import JobFailure, LocalDashScope

        with LocalDashScope() as server:
            server.script(JobFailure("FILE_TOO_LARGE", "The file is too large"))
            jobs = TranscriptionJobs(base_url=server.base_url, api_key="local", poll_interval=0.01)
            try:
                jobs.transcribe("https://example.com/meeting.mp3")
            except AudioError as error:
                print(error)
        ```
    """

    code: str
    message: str = ""
    in_subtask: bool = False


@dataclass(frozen=True)
class CloseCode:
    """A way to end a live session, as a step of a `LiveReply`: the code and reason of the close.

    Example:
        ```python
        from langchain_qwen_audio.local import CloseCode, LiveReply, LocalDashScope

        server = LocalDashScope(replies=[LiveReply([CloseCode(1013, "busy")])])
        ```
    """

    code: int
    reason: str = ""


@dataclass(frozen=True)
class LiveReply:
    """Exactly what a live session sends in place of a response, so that every fault is data.

    Attributes:
        steps: Events, which are sent as JSON; texts, which are sent as they are; seconds to wait
            (`math.inf`: until the client leaves); a `CloseCode`; or `RESET` or `END` to break the
            connection there.

    Example:
        ```python
        from langchain_qwen_audio.local import RESET, LiveReply, LocalDashScope

        created = {"type": "response.created", "response": {"id": "resp_1"}}
        server = LocalDashScope(replies=[LiveReply([created, RESET])])
        ```
    """

    steps: Sequence[Mapping[str, Any] | str | float | CloseCode | Break] = ()


AnyReply: TypeAlias = str | Reply | RawReply | JobFailure | LiveReply
Scripted: TypeAlias = AnyReply | Callable[[ReceivedRequest], AnyReply]
"""A reply, its text alone, or a function that makes it; the function runs in a worker thread."""
