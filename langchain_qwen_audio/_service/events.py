"""The response of a stream → the JSON bodies of its events."""

from __future__ import annotations

import codecs
import contextlib
import io
import re
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from langchain_qwen_audio._service.error_codes import check_body
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Iterator

    import httpx

    from langchain_qwen_audio._service.aiohttp_response import Response

_DONE = "[DONE]"
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL
)


def is_event_stream(response: Response) -> bool:
    """Tell a stream of events, which a refusal is not, from a whole reply."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    return response.is_success and kind.strip().lower() == "text/event-stream"


def events_of(response: httpx.Response) -> Generator[Any]:
    """Yield the body of each event.

    Raises:
        APIError: An event is not JSON.
        DashScopeError: An event refuses the request.
    """
    decoder = EventDecoder()
    for piece in response.iter_bytes():
        for data in decoder.feed(piece):
            yield _body_of(data, response)
    for data in decoder.finish():
        yield _body_of(data, response)


async def aevents_of(response: Response) -> AsyncGenerator[Any]:
    """Yield the body of each event; see `events_of`."""
    decoder = EventDecoder()
    async for piece in response.aiter_bytes():
        for data in decoder.feed(piece):
            yield _body_of(data, response)
    for data in decoder.finish():
        yield _body_of(data, response)


class EventDecoder:
    """Bytes of a stream, cut anywhere → the data of its events.

    https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
    """

    def __init__(self) -> None:
        # Drops a byte order mark at the beginning, as the specification says.
        utf8 = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._line: list[str] = []  # pieces of a line that has not ended
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        """Yield the data of the events that end in a piece; those without data are left out."""
        return self._read(self._text.decode(piece))

    def finish(self) -> Iterator[str]:
        """Yield the data of an event whose last line the end of the stream ends."""
        return self._read(self._text.decode(b"", final=True))

    def _read(self, text: str) -> Iterator[str]:
        first, *lines = text.split("\n")
        self._line.append(first)
        for following in lines:
            line, self._line = "".join(self._line), [following]
            name, _, value = line.partition(":")
            if name == "data":
                self._data.append(value.removeprefix(" "))
            elif not line:
                data, self._data = "\n".join(self._data), []
                if data and data != _DONE:
                    yield data


def _body_of(data: str, response: Response) -> Any:
    body = decode_json(data)
    if isinstance(body, dict):
        check_body(body, response.headers)
    return body


def _without_surrogates(data: str | bytes) -> str:
    """Replace escapes that are half a character, as bytes that are none are replaced as well."""
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    return _ESCAPE.sub(lambda found: r"\ufffd" if found["half"] else found[0], text)


def decode_json(data: str | bytes) -> Any:
    """Decode a body.

    Raises:
        APIError: It is not JSON.
    """
    try:
        return from_json(data)
    except ValueError as error:
        if "escape" in str(error):
            with contextlib.suppress(ValueError):
                return from_json(_without_surrogates(data))
        raise APIError(f"the reply cannot be understood: it is not JSON: {data[:300]!r}") from error
