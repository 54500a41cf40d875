"""The bytes of a stream → its events, however they are framed and wherever they end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from langchain_qwen_audio import errors
from langchain_qwen_audio._service.events import EventDecoder
from langchain_qwen_audio.local import RawReply, sse_event, stream_error_reply
from tests.unit_tests.conftest import astream, stream
from tests.unit_tests.faults import (
    LAST,
    SOON,
    Fault,
    Outcome,
    answer,
    assert_outcome,
    broken,
    cut,
    event,
    lasting,
    passing,
    sse,
)
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.unit_tests.conftest import CallModel

INTERRUPTED = errors.StreamInterruptedError
A, B = event("a"), event("b")
AB = broken(INTERRUPTED, "ab")


def crlf(*events: bytes) -> bytes:
    return b"".join(events).replace(b"\n", b"\r\n")


def failing(fragments: list[str], code: str, status: int = 400) -> RawReply:
    reply = stream_error_reply(fragments, code, "it went wrong", status=status)
    return RawReply(200, {**reply.headers, **SOON}, reply.steps)


GARBAGE = {
    "garbage": b"data:garbage\n\n",
    "truncated JSON": b'data:{"output":{"choices":[{\n\n',
    "a number": b"data:1\n\n",
    "a list": b"data:[]\n\n",
    "bytes that are no text": b"data:\xff\xfe\n\n",
}
STREAMS = {
    # errors
    "event:error at once": (failing([], "InvalidParameter"), lasting(errors.InvalidRequestError)),
    "a passing event:error at once": (failing([], "InternalError", 500), passing(errors.APIError)),
    "an unknown event:error at once": (failing([], "Odd", 500), passing(errors.APIError)),
    "event:error after two events": (
        failing(["a", "b"], "InvalidParameter"),
        Outcome("ab", errors.InvalidRequestError, begun=True, says="it went wrong"),
    ),
    "a passing event:error after two events": (
        failing(["a", "b"], "Throttling", 429),
        broken(errors.RateLimitError, "ab", "it went wrong"),
    ),
    "an error of the compatible mode after two events": (
        sse(A, B, sse_event({"error": {"code": "internal_error", "message": "it went wrong"}}, 3)),
        broken(errors.APIError, "ab", "it went wrong"),
    ),
    **{
        f"{name} at once": (sse(said, LAST), passing(errors.APIError))
        for name, said in GARBAGE.items()
    },
    **{
        f"{name} after two events": (sse(A, B, said, LAST), broken(errors.APIError, "ab"))
        for name, said in GARBAGE.items()
    },
    # framing
    "one byte at a time": (sse(*cut(A[:50], pause_s=0.001), A[50:], B, LAST), answer("ab")),
    "a character in two packets": (
        sse(*cut(event("这段音频👩\u200d💻") + LAST, 7)),
        answer("这段音频👩\u200d💻"),
    ),
    "CRLF": (sse(crlf(A, B, LAST)), answer("ab")),
    "CRLF in pieces": (
        sse(*cut(crlf(A)[:50], pause_s=0.001), crlf(A)[50:], crlf(B, LAST)),
        answer("ab"),
    ),
    "no blank line at the end": (sse(A, B, LAST.rstrip(b"\n")), AB),
    "comments and heartbeats": (
        sse(b":hello\n\n", A, b":\n\n:\n\n", B, b"\n\n\n", LAST),
        answer("ab"),
    ),
    "an unknown event": (
        sse(b"event:ping\ndata:{}\n\n", A, b'event:x\ndata:{"y":1}\n\n', B, LAST),
        answer("ab"),
    ),
    "[DONE]": (sse(A, B, LAST, b"data:[DONE]\n\n"), answer("ab")),
    "line separators within a text": (
        sse(event("a\u2028b\u0085c\x0bd") + LAST),
        answer("a\u2028b\u0085c\x0bd"),
    ),
    "a byte order mark": (sse(b"\xef\xbb\xbf" + A, B, LAST), answer("ab")),
    # ends
    "no event": (sse(b""), passing(errors.APIConnectionError)),
    "nothing but [DONE]": (sse(b"data:[DONE]\n\n"), passing(errors.APIConnectionError)),
    "nothing but heartbeats": (sse(b":\n\n" * 9), passing(errors.APIConnectionError)),
    "no final event": (sse(A, B), AB),
    "[DONE] instead of the final event": (sse(A, B, b"data:[DONE]\n\n"), AB),
    "an event cut off": (sse(A, B, LAST[:40]), AB),
    "growing fragments and no final event": (
        sse(event("a"), event("ab"), event("abc")),
        broken(INTERRUPTED, "aababc"),
    ),
    "two final events": (sse(A, B, LAST, LAST), answer("ab")),
    "content after the final event": (sse(A, LAST, B), answer("ab")),
    "a final event first": (sse(LAST, A, B), answer("ab")),
    "two final events that disagree": (sse(A, B, event("", "length"), LAST), answer("ab")),
    "texts that repeat the ones before": (
        sse(event("a"), event("ab"), event("ab", "stop")),
        answer("aabab"),
    ),
    "a whole answer in the final event": (sse(event("ab", "stop")), answer("ab")),
}


@each_row("way", [stream, astream])
@each_row("reply, outcome", STREAMS)
def test_a_stream_has_one_outcome(way: CallModel, reply: RawReply, outcome: Outcome) -> None:
    assert_outcome(Fault(reply, streamed=outcome), way, max_retries=1)


# --- the decoder alone ------------------------------------------------------------------------

BOM = "\ufeff"
TEXTS = {
    "LF": ("data:a\n\ndata:b\n\n", ["a", "b"]),
    "CR": ("data:a\r\rdata:b\r\r", ["a", "b"]),
    "CRLF": ("data:a\r\n\r\ndata:b\r\n\r\n", ["a", "b"]),
    "all ends of lines": ("data:a\r\ndata:b\rdata:c\n\r\ndata:d\n\r", ["a\nb\nc", "d"]),
    "no end of the last line": ("data:a\n\ndata:b", ["a"]),
    "no end of the last event": ("data:a\n\ndata:b\n", ["a"]),
    "characters of two to four bytes": ("data:ä音👩\n\n", ["ä音👩"]),
    "a byte order mark before data": (f"{BOM}data:a\n\n", ["a"]),
    "a byte order mark in data": (f"data:{BOM}a\n\ndata:b{BOM}\n\n", [f"{BOM}a", f"b{BOM}"]),
    "a byte order mark before a later event": (f"data:a\n\n{BOM}data:b\n\n", ["a"]),
    "one space before data": ("data:  a\n\n", [" a"]),
    "a colon in data": ("data:a:b\n\n", ["a:b"]),
    "fields without data, and comments": (":x\nid:1\nevent:y\ndata\ndata:a\n\n", ["\na"]),
    "no data": ("id:1\n\n:x\n\ndata\n\ndata:[DONE]\n\n", []),
}


def decoded(decoder: EventDecoder, pieces: Iterable[bytes]) -> list[str]:
    events = [data for piece in pieces for data in decoder.feed(piece)]
    return events + list(decoder.finish())


@each_row("text, events", TEXTS)
def test_events_are_the_same_wherever_the_bytes_are_cut(text: str, events: list[str]) -> None:
    data = text.encode()
    cuts = [[data[:at], data[at:]] for at in range(len(data) + 1)]
    for pieces in [*cuts, [bytes([byte]) for byte in data]]:
        assert decoded(EventDecoder(), pieces) == events, pieces


@each_row("data", [b"data:a\xff\n\n", b"data:a\xe9\x9f\n\n"])
def test_bytes_that_are_no_utf8_are_replaced(data: bytes) -> None:
    assert decoded(EventDecoder(), [data]) == ["a\ufffd"]


class Counted(str):
    """A text that counts the characters that are looked at, or copied, in it and what it becomes.

    Attributes:
        characters: How many that were.
    """

    __slots__ = ()
    characters: ClassVar[int] = 0

    def __new__(cls, text: str) -> Self:
        Counted.characters += len(text)
        return super().__new__(cls, text)

    def __add__(self, other: str) -> Counted:
        return Counted(str.__add__(self, other))

    def __radd__(self, other: str) -> Counted:
        return Counted(str.__add__(other, self))

    def split(self, *given: Any) -> list[str]:
        Counted.characters += len(self)
        return [Counted(it) for it in str.split(self, *given)]


class CountedPieces:
    """What decodes bytes → the same, with texts that are counted."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

    def decode(self, *given: Any, **options: Any) -> Counted:
        return Counted(self._decoder.decode(*given, **options))


def work_for(pieces: int) -> int:
    """Count the characters that are looked at for one event, which comes in so many pieces."""
    decoder, Counted.characters = EventDecoder(), 0
    decoder._text = CountedPieces(decoder._text)  # type: ignore[assignment]
    assert decoded(decoder, [b"data:", *[b"x" * 50] * pieces, b"\n\n"]) == ["x" * 50 * pieces]
    return Counted.characters


def test_the_work_for_an_event_grows_as_its_length_does() -> None:
    assert work_for(2_000) < 2.1 * work_for(1_000)
