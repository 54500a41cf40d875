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
    """The key is wrong, or belongs to another region.

    Example:
        ```python
        from langchain_qwen_audio.errors import AuthenticationError

        try:
            model.invoke(messages)
        except AuthenticationError as error:
            print("check DASHSCOPE_API_KEY and the region:", error)
        ```
    """


class PermissionDeniedError(QwenAudioError, ModelPermissionDeniedError):
    """The key is right but may not do this: no access, no money, or no free quota left.

    Example:
        ```python
        from langchain_qwen_audio.errors import PermissionDeniedError

        try:
            model.invoke(messages)
        except PermissionDeniedError as error:
            print("this key may not use the model:", error.code)
        ```
    """


class InvalidRequestError(QwenAudioError, ModelInvalidRequestError):
    """The service cannot take the request as it is.

    Example:
        ```python
        from langchain_qwen_audio.errors import InvalidRequestError

        try:
            model.invoke(messages)
        except InvalidRequestError as error:
            print("change the request:", error)
        ```
    """


class MessageError(InvalidRequestError, ValueError):
    """A message holds something that this model does not take. Nothing was sent.

    Example:
        ```python
        from langchain_qwen_audio.errors import MessageError

        try:
            model.invoke(messages)
        except MessageError as error:
            print("nothing was sent:", error)
        ```
    """


class AudioError(InvalidRequestError, ValueError):
    """The audio cannot be used: it is not audio, empty, broken, too large or not readable.

    Example:
        ```python
        from langchain_qwen_audio.errors import AudioError

        try:
            block = Audio.from_bytes(b"no recording", name="upload").to_block()
        except AudioError as error:
            print(error)  # upload: 12 bytes came that are not usable audio: it is text, …
        ```
    """


class CheckpointError(QwenAudioError):
    """The directory of a checkpoint cannot be made. Nothing was sent.

    Example:
        ```python
        from langchain_qwen_audio.errors import CheckpointError

        try:
            QwenAudioLoader("welcome.wav", checkpoint="welcome.wav/checkpoint").load()
        except CheckpointError as error:
            print(error)
        ```
    """


class ContentFilterError(InvalidRequestError):
    """The service's moderation refused the input or the output.

    Example:
        ```python
        from langchain_qwen_audio.errors import ContentFilterError

        try:
            model.invoke(messages)
        except ContentFilterError as error:
            print("moderation refused it:", error.request_id)
        ```
    """


class ContextOverflowError(InvalidRequestError, _ContextOverflowError):
    """The input is longer than the model's context.

    Example:
        ```python
        from langchain_qwen_audio.errors import ContextOverflowError

        try:
            model.invoke(messages)
        except ContextOverflowError as error:
            print("too long for one request:", error)
        ```
    """


class NotFoundError(QwenAudioError, ModelNotFoundError):
    """There is no such model, or not at this address; or no such job, or no more.

    Example:
        ```python
        from langchain_qwen_audio.errors import NotFoundError

        try:
            model.invoke(messages)
        except NotFoundError as error:
            print("choose another model, or another region:", error)
        ```
    """


class RateLimitError(QwenAudioError, ModelRateLimitError):
    """Too many requests or tokens in too short a time.

    Example:
        ```python
        from langchain_qwen_audio.errors import RateLimitError

        try:
            model.invoke(messages)
        except RateLimitError as error:
            print("after all retries:", error.headers.get("retry-after"))
        ```
    """

    is_retryable = True


class APIError(QwenAudioError, ModelAPIError):
    """The service failed, or its reply has no answer in it.

    Example:
        ```python
        from langchain_qwen_audio.errors import APIError

        try:
            model.invoke(messages)
        except APIError as error:
            print("for the support of the service:", error.request_id)
        ```
    """

    is_retryable = True


class APIConnectionError(QwenAudioError, ModelConnectionError):
    """The service cannot be reached, or the connection broke.

    Example:
        ```python
        from langchain_qwen_audio.errors import APIConnectionError

        try:
            model.invoke(messages)
        except APIConnectionError as error:
            print("check the network:", error, error.__cause__)
        ```
    """

    is_retryable = True


class APITimeoutError(APIConnectionError, ModelTimeoutError):
    """The service did not reply in time.

    Example:
        ```python
        from langchain_qwen_audio.errors import APITimeoutError

        try:
            model.invoke(messages)
        except APITimeoutError as error:
            print("use a larger timeout, or stream:", error)
        ```
    """


class StreamInterruptedError(APIConnectionError):
    """A stream broke off after it had begun. What had arrived by then is in `text`.

    Example:
        ```python
        from langchain_qwen_audio.errors import StreamInterruptedError

        try:
            for chunk in model.stream(messages):
                print(chunk.text, end="")
        except StreamInterruptedError as error:
            print("it broke off after:", error.text)
        ```
    """


class StreamTimeoutError(StreamInterruptedError, APITimeoutError):
    """A stream fell silent after it had begun. What had arrived by then is in `text`.

    Example:
        ```python
        from langchain_qwen_audio.errors import StreamTimeoutError

        try:
            for chunk in model.stream(messages):
                print(chunk.text, end="")
        except StreamTimeoutError as error:
            print("nothing came for a long time after:", error.text)
        ```
    """
