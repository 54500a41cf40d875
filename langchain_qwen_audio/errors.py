"""What can go wrong, each as one class that both LangChain's and the SDK's handlers catch.

Importing this module imports the DashScope SDK; the rest of the package imports it when
something goes wrong, or when the first request is made.
"""

from __future__ import annotations

from typing import Any

from dashscope.v2 import errors as sdk
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


class QwenAudioError(ModelError, sdk.DashScopeError):
    """Base of every error that this package raises.

    Attributes:
        message: What happened, and what to do about it.
        code: The service's own code (`Throttling.RateQuota`), if it gave one.
        status: The HTTP status of the reply, if there was a reply.
        request_id: The service's id of the request, to quote to its support.
        is_retryable: Whether the same request may succeed later.
        text: What had arrived of a stream by then.
    """

    text: str = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        request_id: str | None = None,
        **rest: Any,
    ) -> None:
        sdk.DashScopeError.__init__(
            self, message, code=code, status_code=status, request_id=request_id, **rest
        )

    @property
    def status(self) -> int | None:
        """The HTTP status of the reply, or None when there was no reply."""
        return self.status_code

    def __str__(self) -> str:
        facts = {"code": self.code, "status": self.status, "request_id": self.request_id}
        said = ", ".join(f"{name}={value}" for name, value in facts.items() if value)
        return f"{self.message} ({said})" if said else str(self.message)


class AuthenticationError(QwenAudioError, ModelAuthenticationError, sdk.AuthenticationError):
    """The key is wrong, or belongs to another region."""


class PermissionDeniedError(QwenAudioError, ModelPermissionDeniedError, sdk.PermissionDeniedError):
    """The key is right but may not do this: no access, no money, or no free quota left."""


class InvalidRequestError(QwenAudioError, ModelInvalidRequestError, sdk.BadRequestError):
    """The service cannot take the request as it is."""


class MessageError(InvalidRequestError, ValueError):
    """A message holds something that this model cannot be sent; nothing was sent."""


class AudioError(InvalidRequestError, ValueError):
    """The audio cannot be used: it is not audio, empty, broken, too large or not readable."""


class ContentFilterError(InvalidRequestError, sdk.ContentFilterError):
    """The service's moderation refused the input or the output."""


class ContextOverflowError(InvalidRequestError, _ContextOverflowError):
    """The input is longer than the model's context."""


class NotFoundError(QwenAudioError, ModelNotFoundError, sdk.NotFoundError):
    """There is no such model, or not at this address."""


class RateLimitError(QwenAudioError, ModelRateLimitError, sdk.RateLimitError):
    """Too many requests or tokens in too short a time."""

    is_retryable = True


class APIError(QwenAudioError, ModelAPIError, sdk.InternalServerError):
    """The service failed, or answered with something that is not an answer."""

    is_retryable = True


class APIConnectionError(QwenAudioError, ModelConnectionError, sdk.APIConnectionError):
    """The service cannot be reached, or the connection broke."""

    is_retryable = True


class APITimeoutError(APIConnectionError, ModelTimeoutError, sdk.APITimeoutError):
    """The service did not answer in time."""


class StreamInterruptedError(APIConnectionError):
    """A stream broke off after it had begun; what had arrived by then is in `text`."""


class StreamTimeoutError(StreamInterruptedError, APITimeoutError):
    """A stream fell silent after it had begun; what had arrived by then is in `text`."""
