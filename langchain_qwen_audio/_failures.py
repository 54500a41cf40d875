"""Whatever fails below → one of our errors, and whether to try again.

Imported with the first request: it imports the SDK.
"""

from __future__ import annotations

import contextlib
import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import httpx_sse
from dashscope.v2.errors import DashScopeError

from langchain_qwen_audio import errors
from langchain_qwen_audio._refusals import decode_refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from langchain_core.exceptions import ModelError

    from langchain_qwen_audio._connections import Endpoint

FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 8.0
MAX_RETRY_AFTER_S = 60.0  # a longer wait than this is the caller's to decide


@contextlib.contextmanager
def translated(api_key: str, model: str) -> Iterator[None]:
    """Turn whatever fails inside into one of our errors, in which the key is not to be read."""
    try:
        yield
    except errors.QwenAudioError as error:
        _blot_out(api_key, error)
        raise
    except _EXPECTED as error:
        ours = _explained(error, model)
        _blot_out(api_key, ours)
        raise ours from _without_key(api_key, error)


_EXPECTED = (
    DashScopeError,
    httpx.HTTPError,
    httpx.InvalidURL,
    aiohttp.ClientError,
    # What the SDK's reading of a reply that is none may end in.
    *(ValueError, TypeError, AttributeError, LookupError, RecursionError),
    # What httpx says of a client that its user has closed.
    RuntimeError,
)


def _explained(error: BaseException, model: str) -> errors.QwenAudioError:
    said = error if str(error) else type(error).__name__
    match error:
        case DashScopeError() if _broke_off(error):
            return errors.APIConnectionError(f"the connection broke: {error.message}")
        case DashScopeError():
            return decode_refusal(error, model)
        case httpx_sse.SSEError():
            return errors.APIError(f"a stream was asked for, and something else came: {said}")
        case httpx.TimeoutException() if not _broke_off(error):
            return errors.APITimeoutError(f"the service fell silent: {said}")
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return errors.InvalidRequestError(f"base_url is no address to ask: {said}")
        case httpx.HTTPError() | aiohttp.ClientError():
            return errors.APIConnectionError(f"the connection broke: {said}")
        case UnicodeEncodeError():
            return errors.MessageError(f"a text cannot be sent as UTF-8: {said}")
        case RuntimeError() if not isinstance(error, RecursionError):
            return errors.APIConnectionError(f"no request can be made: {said}")
        case _:
            return errors.APIError(f"the reply cannot be understood: {said}")


def _blot_out(api_key: str, error: DashScopeError) -> None:
    """Take the key out of an error, should the service have repeated it."""

    def without(said: Any) -> Any:
        if isinstance(said, str):
            return said.replace(api_key, "[key]")
        if isinstance(said, dict):
            return {without(name): without(value) for name, value in said.items()}
        return [without(value) for value in said] if isinstance(said, list) else said

    for name in ("message", "code", "request_id", "body"):
        setattr(error, name, without(getattr(error, name)))
    error.headers = without(dict(error.headers))
    error.args = (error.message,)


def _without_key(api_key: str, error: BaseException) -> BaseException:
    """Return an error as it is, or, if the key is to be read in it, a copy that only tells what."""
    if isinstance(error, DashScopeError):
        _blot_out(api_key, error)
        return error
    if api_key not in f"{error}{error!r}":
        return error
    return RuntimeError(f"{type(error).__name__}: {error}".replace(api_key, "[key]"))


def _broke_off(error: BaseException) -> bool:
    """Tell a broken connection, which the aiohttp transport reports as a timeout."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, aiohttp.ClientConnectionError):
            return not isinstance(cause, TimeoutError)
        cause = cause.__cause__
    return False


class Attempts:
    """When to try again: a small state machine, so that sync and async only loop.

    Args:
        endpoint: Whose key must not be in errors.
        model: The model that is asked.
        max_retries: How many more attempts than one there are.
        mend: Told of a failure, says whether it has mended something, so that one more attempt at
            once makes sense.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        model: str,
        max_retries: int,
        mend: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._endpoint = endpoint
        self._model = model
        self._left = max_retries
        self._backoff_s = FIRST_BACKOFF_S
        self._mend = mend
        self._begun = False

    def one(self) -> contextlib.AbstractContextManager[None]:
        """Turn whatever fails inside into one of our errors."""
        return translated(self._endpoint.api_key, self._model)

    def begin(self) -> None:
        """Note that something was passed on, after which there is no further attempt."""
        self._begun = True

    def end(self) -> None:
        """Note that nothing more comes.

        Raises:
            APIConnectionError: Nothing came at all.
        """
        if not self._begun:
            raise errors.APIConnectionError("the stream ended before its first event")

    def after(self, error: ModelError) -> float:
        """Say how many seconds to wait before the next attempt.

        Raises:
            ModelError: The error itself, where there is no further attempt.
        """
        if self._begun:
            raise error
        if self._mend(str(error)):
            return 0.0
        asked_s = _retry_after_s(getattr(error, "headers", {}))
        if not self._left or not error.is_retryable or (asked_s or 0.0) > MAX_RETRY_AFTER_S:
            raise error
        self._left -= 1
        delay_s = self._backoff_s * random.uniform(0.75, 1.25)  # noqa: S311  # not a secret
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
        return delay_s if asked_s is None else asked_s


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long the service asks to wait: in milliseconds, in seconds, or until a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            return max(0.0, float(headers[name]) * unit_s)
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    return None
