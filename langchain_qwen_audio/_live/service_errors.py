"""Errors of a live session → ours: error events, close codes, and refused handshakes. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._service.error_codes import to_job_error
from langchain_qwen_audio.errors import (
    APIError,
    InvalidRequestError,
    QwenAudioError,
    StreamInterruptedError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1 and the registry of the IANA.
_CLOSE_CODES: dict[int, tuple[type[QwenAudioError], str]] = {
    1000: (StreamInterruptedError, "the service ended the session"),
    1001: (StreamInterruptedError, "the service is going away"),
    1002: (APIError, "the service found a protocol error"),
    1003: (InvalidRequestError, "the service does not take this kind of data"),
    1007: (InvalidRequestError, "the service could not read what was sent"),
    1008: (InvalidRequestError, "the service refuses what was sent"),
    1009: (InvalidRequestError, "what was sent is too large for the service"),
    1011: (APIError, "the service failed"),
    1012: (StreamInterruptedError, "the service restarts"),
    1013: (StreamInterruptedError, "the service is overloaded; try again later"),
}
_BROKEN = "the connection broke"


def event_error(error: Mapping[str, Any], model: str, body: Mapping[str, Any]) -> QwenAudioError:
    """Make the error of an error event."""
    message = str(error.get("message") or "the service reported an error, and not what it is")
    if param := error.get("param"):
        message = f"{message} ({param})"
    code, kind = str(error.get("code") or ""), error.get("type")
    status = {"invalid_request_error": 400, "server_error": 500}.get(str(kind))
    return to_job_error(code, message, model=model, request_id=None, body=dict(body), status=status)


def is_fatal(error: Mapping[str, Any]) -> bool:
    """Tell an error that ends the session: all but those of a single event of the client."""
    return error.get("type") != "invalid_request_error"


def close_error(code: int | None, reason: str, model: str) -> QwenAudioError:
    """Make the error of a session that ended before its time.

    Args:
        code: The code that the service closed with; None or 1006 where it gave none.
        reason: What it said.
        model: The model of the session.
    """
    kind, what = _CLOSE_CODES.get(code or 1006, (StreamInterruptedError, _BROKEN))
    said = f": {reason}" if reason else ""
    message = f"{what} (close code {code or 1006}){said}"
    known = type(to_job_error("", reason, model=model, request_id=None, body=None))
    return kind(message) if known is APIError else known(message)


def handshake_error(
    status: int, reason: str, headers: Mapping[str, str], model: str
) -> QwenAudioError:
    """Make the error of a session that the service did not open.

    The body of such a reply cannot be read, so that its status decides.
    """
    message = f"the service did not open the session: status {status} {reason}".rstrip()
    error = to_job_error("", message, model=model, request_id=None, body=None, status=status)
    error.headers = dict(headers)
    return error
