"""A request body or a live event → JSON: written once, before the first attempt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic_core import to_json

from langchain_qwen_audio.errors import InvalidRequestError, MessageError


class JsonBody(dict[str, Any]):
    """A body, and the bytes that it is sent as."""

    def __init__(self, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.content = encode_json(body)


def encode_json(body: dict[str, Any]) -> bytes:
    """Write what is sent as JSON.

    Raises:
        MessageError: A text in it is not Unicode.
        InvalidRequestError: Something in it is no JSON.
    """
    try:
        return to_json(body)
    except (ValueError, RecursionError) as error:
        if where := next(_not_unicode(body), ""):
            raise MessageError(
                f"{where.removeprefix('.')}: the text holds half a character (a lone surrogate), "
                "which cannot be sent as UTF-8: read it with errors='replace', or leave that out"
            ) from error
        raise InvalidRequestError(f"the request cannot be written as JSON: {error}") from error


def _not_unicode(value: Any, where: str = "", depth: int = 50) -> Iterator[str]:
    """Find where in a body texts are that are not Unicode."""
    if isinstance(value, str):
        if not value.isascii() and value != value.encode(errors="replace").decode():
            yield where
    elif isinstance(value, dict) and depth:
        for name, item in value.items():
            yield from _not_unicode(name, f"{where} (a key)", depth)
            yield from _not_unicode(item, f"{where}.{name}", depth - 1)
    elif isinstance(value, list) and depth:
        for index, item in enumerate(value):
            yield from _not_unicode(item, f"{where}[{index}]", depth - 1)


def with_content(options: dict[str, Any]) -> dict[str, Any]:
    """Give httpx the bytes of a `JsonBody` instead of the body."""
    body = options.get("json")
    if not isinstance(body, JsonBody):
        return options
    headers = {"Content-Type": "application/json", **(options.get("headers") or {})}
    return {**options, "json": None, "content": body.content, "headers": headers}
