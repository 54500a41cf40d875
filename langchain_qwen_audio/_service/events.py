"""The response of a stream → the JSON bodies of its events."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any

from httpx_sse import EventSource
from pydantic_core import from_json

from langchain_qwen_audio._service.error_codes import check_body
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    import httpx

_DONE = "[DONE]"
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL
)


def is_event_stream(response: httpx.Response) -> bool:
    """Tell a stream of events, which a refusal is not, from a whole reply."""
    kind = response.headers.get("content-type", "").partition(";")[0]
    return response.is_success and kind.strip().lower() == "text/event-stream"


def events_of(response: httpx.Response) -> Generator[Any]:
    """Yield the body of each event.

    Raises:
        APIError: An event is not JSON.
        DashScopeError: An event refuses the request.
    """
    for event in _events(response).iter_sse():
        if event.data and event.data != _DONE:
            yield _body_of(event.data, response)


async def aevents_of(response: httpx.Response) -> AsyncGenerator[Any]:
    """Yield the body of each event; see `events_of`."""
    async for event in _events(response).aiter_sse():
        if event.data and event.data != _DONE:
            yield _body_of(event.data, response)


def _events(response: httpx.Response) -> EventSource:
    response.headers["content-type"] = "text/event-stream"  # which it reads in lower case alone
    return EventSource(response)


def _body_of(data: str, response: httpx.Response) -> Any:
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
