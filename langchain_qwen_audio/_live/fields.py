"""Fields of an event → values of the type that they should have, or an error. Pure.

The service writes null where a text is empty. Anything else of another type is not guessed at: the
error says what came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from langchain_qwen_audio._response.usage import finite_or_none
from langchain_qwen_audio.errors import APIError

Fields: TypeAlias = Mapping[str, Any]


def required_text(fields: Fields, name: str) -> str:
    """Read a text that must be there; null is an empty one."""
    value = fields.get(name)
    if isinstance(value, str):
        return value
    if value is None and name in fields:
        return ""
    raise unreadable(fields, name, "a text")


def optional_text(fields: Fields, name: str) -> str | None:
    """Read a text that may be left out."""
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise unreadable(fields, name, "a text")


def required_id(fields: Fields, name: str) -> str:
    """Read an id, or a name, which is never empty."""
    if value := optional_text(fields, name):
        return value
    raise unreadable(fields, name, "a text that is not empty")


def optional_integer(fields: Fields, name: str) -> int | None:
    """Read a whole number that may be left out."""
    value = fields.get(name)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    raise unreadable(fields, name, "a whole number")


def required_seconds(fields: Fields, name: str) -> float:
    """Read a time in milliseconds."""
    milliseconds = finite_or_none(fields.get(name))
    if milliseconds is None:
        raise unreadable(fields, name, "milliseconds")
    return milliseconds / 1000


def required_flag(fields: Fields, name: str) -> bool:
    """Read what is true or false."""
    value = fields.get(name)
    if isinstance(value, bool):
        return value
    raise unreadable(fields, name, "true or false")


def required_object(fields: Fields, name: str) -> dict[str, Any]:
    """Read an object that must be there."""
    value = fields.get(name)
    if isinstance(value, dict):
        return value
    raise unreadable(fields, name, "an object")


def optional_object(fields: Fields, name: str) -> dict[str, Any]:
    """Read an object that may be left out; then it is empty."""
    return {} if fields.get(name) is None else required_object(fields, name)


def optional_objects(fields: Fields, name: str) -> list[dict[str, Any]]:
    """Read a list of objects that may be left out; then it is empty."""
    value = fields.get(name)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(it, dict) for it in value):
        return value
    raise unreadable(fields, name, "a list of objects")


def unreadable(fields: Fields, name: str, expected: str) -> APIError:
    """Make the error of a field that is not what it should be."""
    came = f"{fields[name]!r:.100}" if name in fields else "missing"
    return APIError(
        f"an event came that cannot be read: {name} is {came}, expected {expected}, in "
        f"{dict(fields)!r:.300}"
    )
