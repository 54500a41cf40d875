"""The one place that talks to the service: call and stream, and their async twins.

All requests go through the DashScope SDK's own clients: their protocol adapter writes the bodies,
their transport sends them, their streams read events. `multimodal.chat.create`, made of the same
parts, would look for local files to upload in whatever it is given, in a thread if need be.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import httpx
from langchain_core.exceptions import ModelError

from langchain_qwen_audio._bodies import read_body
from langchain_qwen_audio._compatible import audio_url_messages, compatible
from langchain_qwen_audio._connections import Endpoint, async_client, sync_client
from langchain_qwen_audio._uploads import Job, Upload, aupload_all, forgetting, upload_all
from langchain_qwen_audio._watch import is_stream, time_events

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from dashscope import AsyncClient, Client

    from langchain_qwen_audio._failures import Attempts
    from langchain_qwen_audio._routes import AudioEncoding

    Events: TypeAlias = Generator[dict[str, Any]]

MAX_CONNECT_S = 10.0
_RESOLVE = {"X-DashScope-OssResourceResolve": "enable"}  # without it, oss:// URLs are refused


@dataclass(frozen=True)
class Request:
    """One request: a conversation in the SDK's terms, and how long and often to try.

    Elements `{"audio": Upload}` of the messages become `oss://` URLs on the way.
    """

    model: str
    messages: list[dict[str, Any]] = field(repr=False)
    parameters: dict[str, Any]
    timeout: float
    max_retries: int
    audio_encoding: AudioEncoding | None = None  # of the compatible protocol

    def uploads(self, endpoint: Endpoint) -> set[Job]:
        """List the distinct clips to upload."""
        audios = (element.get("audio") for m in self.messages for element in m["content"])
        return {self._job(audio, endpoint) for audio in audios if isinstance(audio, Upload)}

    def _job(self, upload: Upload, endpoint: Endpoint) -> Job:
        clip = upload.audio
        return Job(clip, clip.digest, self.model, endpoint, self.max_retries, self._timeout)

    @property
    def _timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self.timeout, connect=min(self.timeout, MAX_CONNECT_S))

    def arguments(
        self,
        client: Client | AsyncClient,
        endpoint: Endpoint,
        urls: Mapping[Job, str],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Make the arguments of the SDK's transport: the whole HTTP request."""

        def filled(element: dict[str, Any]) -> dict[str, Any]:
            audio = element.get("audio")
            if isinstance(audio, Upload):
                return {"audio": urls[self._job(audio, endpoint)]}
            return element

        messages = [
            {**message, "content": [filled(element) for element in message["content"]]}
            for message in self.messages
        ]
        uploaded = any(_is_uploaded(element) for m in messages for element in m["content"])
        # Increments are what a stream is for, and a whole reply has none.
        parameters = {k: v for k, v in self.parameters.items() if k != "incremental_output"}
        if self.audio_encoding is not None:
            messages = compatible(messages)
        if self.audio_encoding == "audio_url":
            # The SDK passes on whatever it does not know, and that is how messages go that it
            # cannot write.
            parameters["messages"] = audio_url_messages(messages)
            messages = []
        request = client.protocol.build_chat_request(
            model=self.model,
            messages=[_in_parts(message) for message in messages],
            stream=stream,
            extra_parameters=parameters,
            path=client.protocol.MULTIMODAL_PATH,
        )
        return {
            "method": "POST",
            "path": request.path,
            "json": request.body,
            "headers": request.headers | (_RESOLVE if uploaded else {}),
            "base_url": endpoint.base_url,
            "timeout": self._timeout,
            "api_key": endpoint.api_key,
            "workspace": endpoint.workspace or None,
            "sdk_module": "aigc",
        }


def _is_uploaded(element: dict[str, Any]) -> bool:
    audio = element.get("audio")
    return isinstance(audio, str) and audio.startswith("oss:")


def _in_parts(message: dict[str, Any]) -> dict[str, Any]:
    """Write a message as the SDK's protocol adapters take it."""
    content = message["content"]
    return message if isinstance(content, str) else {**message, "content": [*map(_part, content)]}


def _part(element: dict[str, Any]) -> dict[str, Any]:
    match element:
        case {"text": text}:
            return {"type": "text", "text": text}
        case {"image": url}:
            return {"type": "image", "url": url}
    audio = element["audio"]
    return {"type": "audio", "url": audio} if isinstance(audio, str) else {"type": "audio", **audio}


@dataclass(frozen=True)
class Service:
    """The service as one endpoint shows it; cheap to make, all connections are shared.

    Args:
        endpoint: Where requests go, and as whom.
        http_client: The user's own httpx client, in place of the shared pool.
        http_async_client: The same for async calls.
    """

    endpoint: Endpoint
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None

    def call(self, request: Request) -> dict[str, Any]:
        """Ask, and return the whole reply."""
        client = sync_client(self.endpoint, self.http_client)
        jobs, attempts = self._begin(request)
        urls = upload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(client, self.endpoint, urls, stream=False)
                    response = client.transport.request(**arguments)
                    return _read(response)
            except ModelError as error:
                time.sleep(attempts.after(error))
                urls = upload_all(client.transport.http_client, jobs)  # if any are gone

    async def acall(self, request: Request) -> dict[str, Any]:
        """Ask, and return the whole reply."""
        client = await async_client(self.endpoint, self.http_async_client)
        jobs, attempts = self._begin(request)
        urls = await aupload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(client, self.endpoint, urls, stream=False)
                    response = await client.transport.request(**arguments)
                    return _read(response)
            except ModelError as error:
                await asyncio.sleep(attempts.after(error))
                urls = await aupload_all(client.transport.http_client, jobs)  # if any are gone

    def stream(self, request: Request) -> Generator[dict[str, Any]]:
        """Ask, and yield the events of the reply as they arrive.

        Failures are retried up to the first event, never after it.
        """
        from dashscope.v2.transport.sse import Stream

        from langchain_qwen_audio._refusals import check

        client = sync_client(self.endpoint, self.http_client)
        jobs, attempts = self._begin(request)
        urls = upload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(client, self.endpoint, urls, stream=True)
                    response = client.transport.open_stream(**arguments)
                    if not is_stream(response):
                        response.read()
                        check(response)
                    timer = time_events(response)
                    reply = Stream(response, read_body)
                    with contextlib.closing(cast("Events", iter(reply))) as events:
                        for event in events:
                            attempts.begin()
                            yield event
                            if event["choices"]:
                                timer.restart()
                    attempts.end()
                return
            except ModelError as error:
                time.sleep(attempts.after(error))
                urls = upload_all(client.transport.http_client, jobs)  # if any are gone

    async def astream(self, request: Request) -> AsyncGenerator[dict[str, Any]]:
        """Ask, and yield the events of the reply as they arrive.

        Failures are retried up to the first event, never after it.
        """
        client = await async_client(self.endpoint, self.http_async_client)
        from dashscope.v2.transport.sse import AsyncStream

        from langchain_qwen_audio._refusals import check

        jobs, attempts = self._begin(request)
        urls = await aupload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(client, self.endpoint, urls, stream=True)
                    response = await client.transport.open_stream(**arguments)
                    if not is_stream(response):
                        await response.aread()
                        check(response)
                    timer = time_events(response)
                    reply = AsyncStream(response, read_body)
                    async with contextlib.aclosing(aiter(reply)) as events:
                        async for event in events:
                            attempts.begin()
                            yield event
                            if event["choices"]:
                                timer.restart()
                    attempts.end()
                return
            except ModelError as error:
                await asyncio.sleep(attempts.after(error))
                urls = await aupload_all(client.transport.http_client, jobs)  # if any are gone

    def _begin(self, request: Request) -> tuple[set[Job], Attempts]:
        from langchain_qwen_audio._failures import Attempts

        jobs = request.uploads(self.endpoint)
        return jobs, Attempts(self.endpoint, request.model, request.max_retries, forgetting(jobs))


def _read(response: httpx.Response) -> dict[str, Any]:
    """Read a whole reply, and require an answer, while there may still be another attempt at one.

    Raises:
        DashScopeError: It is a refusal.
        APIError: It has no answer in it.
    """
    from langchain_qwen_audio._refusals import check
    from langchain_qwen_audio.errors import APIError

    check(response)
    body = response.json()
    reply = read_body(body)
    if not any(choice["message"] for choice in reply["choices"][:1]):
        raise APIError(
            f"the reply has no answer in it, only {', '.join(sorted(body)) or 'nothing'}",
            request_id=reply["request_id"],
        )
    return reply
