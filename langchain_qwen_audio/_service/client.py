"""The one place that talks to the service: call and stream, and their async twins.

Requests go through the transport of the DashScope SDK's own clients. A body is written before the
first attempt, and outside of what catches errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from langchain_core.exceptions import ModelError

from langchain_qwen_audio._protocols.base import ServiceReply, WireProtocol
from langchain_qwen_audio._request.parts import (
    AudioUrlPart,
    PreparedPart,
    RequestMessage,
    SentPart,
    UploadPart,
)
from langchain_qwen_audio._service.connection_pool import aconnect, connect
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio._service.error_codes import check_response
from langchain_qwen_audio._service.events import (
    aevents_of,
    decode_json,
    events_of,
    is_event_stream,
)
from langchain_qwen_audio._service.inline_clips import InlineClips
from langchain_qwen_audio._service.read_timeouts import time_events
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio._service.transport_errors import translated
from langchain_qwen_audio._service.uploads import (
    Upload,
    UploadJob,
    aupload_all,
    clips_to_upload,
    forgetting,
    upload_all,
)
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    import httpx

    from langchain_qwen_audio._service.aiohttp_response import Response

RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}  # without it, oss:// URLs are refused

T_co = TypeVar("T_co", covariant=True)


class WholeRequest(Protocol[T_co]):
    """One request whose reply comes as a whole, and how long and how often to try."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def max_retries(self) -> int:
        """How often a failed attempt is repeated."""

    @property
    def deadline(self) -> float:
        """When all of that must have ended, on the monotonic clock."""

    def uploads(self, endpoint: Endpoint) -> list[UploadJob]:
        """List the distinct clips to upload."""

    def write(self, endpoint: Endpoint, urls: Mapping[str, str], /) -> dict[str, Any]:
        """Write the whole HTTP request, as arguments of the SDK's transport."""

    def read(self, response: Response) -> T_co:
        """Read the reply."""

    def check_repeatable(self, error: ModelError) -> None:
        """Raise the error of an attempt, where another attempt could do harm."""


@dataclass(frozen=True)
class ServiceRequest:
    """One request: a conversation, and how long and how often to try.

    Attributes:
        model: The model's name.
        protocol: The wire format.
        messages: The conversation; its clips are converted.
        parameters: The service's own parameters.
        timeout: Seconds to wait for each sign of life.
        max_retries: How often a failed attempt is repeated.
        deadline: When all of that must have ended, on the monotonic clock.
    """

    model: str
    protocol: WireProtocol
    messages: list[RequestMessage[PreparedPart]] = field(repr=False)
    parameters: dict[str, Any]
    timeout: float
    max_retries: int
    deadline: float = math.inf

    @property
    def timeouts(self) -> CallTimeout:
        """The timeouts, as httpx takes them."""
        return CallTimeout(self.timeout, self.deadline)

    def uploads(self, endpoint: Endpoint) -> list[UploadJob]:
        """List the distinct clips to upload."""
        clips = {clip.digest: clip for clip in clips_to_upload(self.messages)}
        return [
            UploadJob(Upload(digest, self.model, endpoint), clip, self.max_retries, self.timeouts)
            for digest, clip in clips.items()
        ]

    def write(
        self, endpoint: Endpoint, urls: Mapping[str, str], *, stream: bool = False
    ) -> dict[str, Any]:
        """Write the whole HTTP request, as arguments of the SDK's transport.

        Args:
            endpoint: Where it goes, and with which key.
            urls: The URLs of uploaded clips, by their digests.
            stream: Whether the reply is to be a stream.

        Raises:
            MessageError: It cannot be written.
        """
        clips = InlineClips()
        messages = [_with_urls(message, urls) for message in self.messages]
        body = self.protocol.write(self.model, clips.mark(messages), self.parameters, stream=stream)
        return {
            "method": "POST",
            "path": self.protocol.path,
            "json": clips.put_into(body),
            "headers": (self.protocol.stream_headers if stream else {})
            | (RESOLVE if _has_upload(messages) else {}),
            "base_url": endpoint.base_url,
            "timeout": self.timeouts,
            "api_key": endpoint.api_key,
            "workspace": endpoint.workspace or None,
            "sdk_module": "aigc",
        }

    def read(self, response: Response) -> ServiceReply:
        """Read a whole reply."""
        return _read_whole(response, self.protocol)

    def check_repeatable(self, error: ModelError) -> None:
        """Let every attempt be repeated: an answer that was lost is answered once more."""


def _with_urls(
    message: RequestMessage[PreparedPart], urls: Mapping[str, str]
) -> RequestMessage[SentPart]:
    content: list[SentPart] = [
        AudioUrlPart(urls[part.audio.digest]) if isinstance(part, UploadPart) else part
        for part in message.content
    ]
    return message.with_content(content)


def _has_upload(messages: list[RequestMessage[SentPart]]) -> bool:
    parts = (part for message in messages for part in message.content)
    return any(isinstance(part, AudioUrlPart) and part.url.startswith("oss:") for part in parts)


@dataclass(frozen=True)
class Service:
    """The service at one endpoint; cheap to make, since all connections are shared.

    Args:
        endpoint: Where requests go, and with which key.
        http_client: The user's own httpx client, in place of the shared pool.
        http_async_client: The same for async calls.
    """

    endpoint: Endpoint
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None

    def call(self, request: WholeRequest[T_co]) -> T_co:
        """Send a request, and return the whole reply."""
        transport, http = connect(self.endpoint, self.http_client)
        jobs, attempts = self._begin(request)
        written = None
        while True:
            if written is None or attempts.is_repaired:
                urls = upload_all(http, jobs)
                written = request.write(self.endpoint, urls)
            try:
                with self._translated(request):
                    return request.read(transport.request(**written))
            except ModelError as error:
                request.check_repeatable(error)
                time.sleep(attempts.wait_s(error))

    async def acall(self, request: WholeRequest[T_co]) -> T_co:
        """Send a request, and return the whole reply."""
        transport, http = await aconnect(self.endpoint, self.http_async_client)
        jobs, attempts = self._begin(request)
        written = None
        while True:
            if written is None or attempts.is_repaired:
                urls = await aupload_all(http, jobs)
                written = request.write(self.endpoint, urls)
            try:
                with self._translated(request):
                    return request.read(await transport.request(**written))
            except ModelError as error:
                request.check_repeatable(error)
                await asyncio.sleep(attempts.wait_s(error))

    def stream(self, request: ServiceRequest) -> Generator[ServiceReply]:
        """Send a request, and yield the events of the reply as they arrive.

        Failures are retried up to the first event, never after it.
        """
        transport, http = connect(self.endpoint, self.http_client)
        jobs, attempts = self._begin(request)
        written = None
        while True:
            if written is None or attempts.is_repaired:
                urls = upload_all(http, jobs)
                written = request.write(self.endpoint, urls, stream=True)
            try:
                with (
                    self._translated(request),
                    contextlib.closing(transport.open_stream(**written)) as response,
                ):
                    if not is_event_stream(response):
                        response.read()
                        whole = _read_unstreamed(response, request.protocol)
                        attempts.begin()
                        yield whole
                        return
                    timer, read = time_events(response), request.protocol.stream_reader()
                    for body in events_of(response):
                        reply = read(body)
                        attempts.begin()
                        yield reply
                        if reply["has_answer"]:
                            timer.restart()
                    attempts.end()
                return
            except ModelError as error:
                time.sleep(attempts.wait_s(error))

    async def astream(self, request: ServiceRequest) -> AsyncGenerator[ServiceReply]:
        """Send a request, and yield the events of the reply as they arrive; see `stream`."""
        transport, http = await aconnect(self.endpoint, self.http_async_client)
        jobs, attempts = self._begin(request)
        written = None
        while True:
            if written is None or attempts.is_repaired:
                urls = await aupload_all(http, jobs)
                written = request.write(self.endpoint, urls, stream=True)
            try:
                with self._translated(request):
                    response = await transport.open_stream(**written)
                    async with contextlib.aclosing(response):
                        if not is_event_stream(response):
                            await response.aread()
                            whole = _read_unstreamed(response, request.protocol)
                            attempts.begin()
                            yield whole
                            return
                        timer, read = time_events(response), request.protocol.stream_reader()
                        async with contextlib.aclosing(aevents_of(response)) as bodies:
                            async for body in bodies:
                                reply = read(body)
                                attempts.begin()
                                yield reply
                                if reply["has_answer"]:
                                    timer.restart()
                    attempts.end()
                return
            except ModelError as error:
                await asyncio.sleep(attempts.wait_s(error))

    def _begin(self, request: WholeRequest[Any]) -> tuple[list[UploadJob], Attempts]:
        jobs = request.uploads(self.endpoint)
        repair = forgetting(job.upload for job in jobs)
        attempts = Attempts(request.model, request.max_retries, repair, deadline=request.deadline)
        return jobs, attempts

    def _translated(self, request: WholeRequest[Any]) -> contextlib.AbstractContextManager[None]:
        return translated(self.endpoint.api_key, request.model)


def _read_whole(response: Response, protocol: WireProtocol) -> ServiceReply:
    """Read a whole reply, and require an answer, while there may still be another attempt at one.

    Raises:
        DashScopeError: It is a refusal.
        APIError: It has no answer in it, or not the whole of one.
    """
    check_response(response)
    return read_whole(decode_json(response.content), protocol)


def read_whole(body: Any, protocol: WireProtocol) -> ServiceReply:
    """Read the JSON of a whole reply; see `_read_whole`."""
    reply = protocol.read(body)
    if not reply["has_answer"]:
        raise APIError(
            f"the reply has no answer in it, only {', '.join(sorted(body)) or 'nothing'}",
            request_id=reply["request_id"],
        )
    if reply["finish_reason"] is None:
        raise APIError(
            "the reply has no finish_reason: the answer in it is not whole",
            request_id=reply["request_id"],
        )
    return reply


def _read_unstreamed(response: Response, protocol: WireProtocol) -> ServiceReply:
    """Read what came in place of a stream: a refusal, or where the format has that, a whole reply.

    Raises:
        DashScopeError: It is a refusal.
        APIError: It is something else, or not the whole of an answer.
    """
    check_response(response)
    kind = response.headers.get("content-type")
    if protocol.may_not_stream and str(kind).lower().startswith("application/json"):
        return _read_whole(response, protocol)
    raise APIError(f"a stream was requested, and a body of type {kind!r} came")
