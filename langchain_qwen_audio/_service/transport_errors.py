"""What the transport raises → one of our errors, in which the key is not to be read.

Only what the transport raises is translated: errors of the SDK, of httpx, of aiohttp and of the
socket. Anything else is a fault of this package, and stays a traceback.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
from dashscope.v2.errors import DashScopeError
from pydantic import ValidationError

from langchain_qwen_audio import errors
from langchain_qwen_audio._service.error_codes import to_error

if TYPE_CHECKING:
    from collections.abc import Iterator

# Real keys are at least this long. Shorter ones are placeholders, such as "local" and "no-key",
# which are words that any text may hold.
MIN_SECRET_CHARS = 12
MAX_REASON_CHARS = 300  # parsers repeat all of what they cannot read
MAX_DEPTH = 50  # of a refusal's body; what is nested deeper is left out

_TRANSPORT_ERRORS = (
    DashScopeError,
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    OSError,
)


@contextlib.contextmanager
def translated(api_key: str, model: str) -> Iterator[None]:
    """Turn what the transport raises into one of our errors, in which the key is not to be read."""
    try:
        yield
    except errors.QwenAudioError as error:
        _redact(api_key, error)
        _redact_chain(api_key, error)
        raise
    except _TRANSPORT_ERRORS as error:
        ours = _explained(error, model)
        _redact(api_key, ours)
        cause = _without_key(api_key, error)
        try:
            raise ours from cause
        finally:
            ours.__context__ = cause  # Python has put the error itself there


def _explained(error: BaseException, model: str) -> errors.QwenAudioError:
    reason = error if str(error) else type(error).__name__
    match error:
        case DashScopeError() if _is_broken_connection(error):
            return errors.APIConnectionError(_what_broke(error))
        case DashScopeError():
            return to_error(error, model)
        case httpx.TimeoutException() if not _is_broken_connection(error):
            return errors.APITimeoutError(f"the service fell silent: {reason}")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return errors.InvalidRequestError(f"base_url is not the address of a service: {reason}")
        case _:
            return errors.APIConnectionError(_what_broke(error))


def _what_broke(error: BaseException) -> str:
    """Say what happened to a connection, in the same words for httpx and aiohttp."""
    what = "no connection" if was_never_sent(error) else "the connection broke"
    return f"{what}: {_reason(_root(error))}"


def _root(error: BaseException) -> BaseException:
    """Find the first error of the connection, or the one that names the proxy of it."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, httpx.HTTPError) and isinstance(cause.__cause__, httpx.HTTPError):
            return cause
    within = (it.args[0] for it in causes if it.args)  # httpcore has the socket's as an argument
    return [it for it in (*causes, *within) if isinstance(it, _TRANSPORT_ERRORS)][-1]


def _reason(error: BaseException) -> str:
    """Say why, as the operating system does: asyncio words its errors in another way."""
    match error:
        case ssl.SSLError() | socket.gaierror():
            return str(error)
        case OSError(errno=int(number)) if number > 0:
            return os.strerror(number)
        case _:
            return str(error)[:MAX_REASON_CHARS] or type(error).__name__


def was_never_sent(error: BaseException) -> bool:
    """Tell a request that the service cannot have received: no connection came about.

    httpx-aiohttp, which a user's own client may be built on, reports connections that broke later
    as `httpx.ConnectTimeout` too, so that aiohttp's own error counts where there is one.
    """
    causes = list(_causes(error))
    if any(isinstance(it, aiohttp.ClientError) for it in causes):
        kinds: tuple[type[BaseException], ...] = (
            aiohttp.ClientConnectorError,
            aiohttp.ConnectionTimeoutError,
        )
    else:
        kinds = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
    return any(isinstance(it, kinds) for it in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def redacted(api_key: str, text: str) -> str:
    """Return what the service sent without the key, should it have repeated it."""
    return text if len(api_key) < MIN_SECRET_CHARS else text.replace(api_key, "[key]")


def _redact(api_key: str, error: errors.QwenAudioError) -> None:
    """Take the key out of an error, should the service have repeated it."""
    if len(api_key) < MIN_SECRET_CHARS:
        return
    for name in ("message", "code", "request_id", "body", "headers"):
        setattr(error, name, _without(api_key, getattr(error, name)))
    error.args = (error.message,)


def _without(api_key: str, value: Any, depth: int = MAX_DEPTH) -> Any:
    match value:
        case str():
            return value.replace(api_key, "[key]")
        case dict() | list() if not depth:
            return "…"
        case dict():
            return {
                _without(api_key, name): _without(api_key, item, depth - 1)
                for name, item in value.items()
            }
        case list():
            return [_without(api_key, item, depth - 1) for item in value]
        case _:
            return value


def _redact_chain(api_key: str, error: BaseException) -> None:
    """Take the key out of the errors that led to an error."""
    if len(api_key) < MIN_SECRET_CHARS:
        return
    for name in ("__cause__", "__context__"):
        linked = getattr(error, name)
        if linked is not None:
            is_suppressed = error.__suppress_context__  # which setting the cause changes
            setattr(error, name, _without_key(api_key, linked))
            error.__suppress_context__ = is_suppressed


def _without_key(api_key: str, error: BaseException) -> BaseException:
    """Return an error as it is, or, if the key is to be read in it, a copy without the key."""
    if len(api_key) < MIN_SECRET_CHARS:
        return error
    _redact_chain(api_key, error)
    if isinstance(error, DashScopeError):
        for name in ("message", "code", "request_id", "body", "args"):
            value = getattr(error, name)
            plain = _without(api_key, list(value) if name == "args" else value)
            setattr(error, name, tuple(plain) if name == "args" else plain)
        error.headers = _without(api_key, dict(error.headers))
        return error
    if api_key not in f"{error}{error!r}{_held_by(error)}":
        return error
    return RuntimeError(f"{type(error).__name__}: {error}".replace(api_key, "[key]"))


def _held_by(error: BaseException) -> str:
    """Collect the texts that an error holds and does not show, such as the JSON it is about."""
    inputs = error.errors() if isinstance(error, ValidationError) else []
    return f"{[value for value in vars(error).values() if isinstance(value, str)]}{inputs}"


def _is_broken_connection(error: BaseException) -> bool:
    """Tell a broken connection, which httpx-aiohttp reports as a timeout."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, aiohttp.ClientConnectionError):
            return not isinstance(cause, TimeoutError)
    broken = (httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)
    return any(isinstance(cause, broken) for cause in causes)
