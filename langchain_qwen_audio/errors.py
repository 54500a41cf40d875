"""What can go wrong, each as one class, which LangChain's own error handlers catch too.

Where an error of the DashScope SDK, of httpx or of aiohttp led to it, that one is its `__cause__`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_core.exceptions import (
    ContextOverflowError as _ContextOverflowError,
)
from langchain_core.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelError,
    ModelInvalidRequestError,
    ModelNotFoundError,
    ModelPermissionDeniedError,
    ModelRateLimitError,
    ModelTimeoutError,
)


class QwenAudioError(ModelError):
    """Base of every error that this package raises.

    Example:
        ```python
        from langchain_qwen_audio.errors import QwenAudioError

        try:
            model.invoke(messages)
        except QwenAudioError as error:
            print(error, error.is_retryable, error.request_id)
        ```

    Attributes:
        message: What happened, and what to do about it.
        code: The service's own code (`Throttling.RateQuota`), if it gave one.
        status: The HTTP status of the reply, if there was a reply.
        request_id: The service's id of the request. Quote it to the service's support.
        body: The body of the reply, if there was one.
        headers: The headers of the reply.
        is_retryable: Whether the same request may succeed later.
        text: What had arrived of a stream by then.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        is_retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.body = body
        self.headers = dict(headers or {})
        self.text = ""
        if is_retryable is not None:
            self.is_retryable = is_retryable

    def __str__(self) -> str:
        facts = {"code": self.code, "status": self.status, "request_id": self.request_id}
        known = ", ".join(f"{name}={value}" for name, value in facts.items() if value)
        return f"{self.message} ({known})" if known else self.message


class AuthenticationError(QwenAudioError, ModelAuthenticationError):
    """The key is wrong, or belongs to another region."""


class PermissionDeniedError(QwenAudioError, ModelPermissionDeniedError):
    """The key is right but may not do this: no access, no money, or no free quota left."""


class InvalidRequestError(QwenAudioError, ModelInvalidRequestError):
    """The service cannot take the request as it is."""


class MessageError(InvalidRequestError, ValueError):
    """A message holds something that this model does not take. Nothing was sent."""


class AudioError(InvalidRequestError, ValueError):
    """The audio cannot be used: it is not audio, empty, broken, too large or not readable."""


class CheckpointError(QwenAudioError):
    """The directory of a checkpoint cannot be made. Nothing was sent."""


class ContentFilterError(InvalidRequestError):
    """The service's moderation refused the input or the output."""


class ContextOverflowError(InvalidRequestError, _ContextOverflowError):
    """The input is longer than the model's context."""


class NotFoundError(QwenAudioError, ModelNotFoundError):
    """There is no such model, or not at this address; or no such job, or no more."""


class RateLimitError(QwenAudioError, ModelRateLimitError):
    """Too many requests or tokens in too short a time."""

    is_retryable = True


class APIError(QwenAudioError, ModelAPIError):
    """The service failed, or its reply has no answer in it."""

    is_retryable = True


class APIConnectionError(QwenAudioError, ModelConnectionError):
    """The service cannot be reached, or the connection broke."""

    is_retryable = True


class APITimeoutError(APIConnectionError, ModelTimeoutError):
    """The service did not reply in time."""


class StreamInterruptedError(APIConnectionError):
    """A stream broke off after it had begun. What had arrived by then is in `text`."""


class StreamTimeoutError(StreamInterruptedError, APITimeoutError):
    """A stream fell silent after it had begun. What had arrived by then is in `text`."""
