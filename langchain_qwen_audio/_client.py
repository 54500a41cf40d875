"""The one place that talks to the service: call and stream, and their async twins.

All requests go through `multimodal.chat` of the DashScope SDK's own clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from langchain_core.exceptions import ModelError

from langchain_qwen_audio._compatible import audio_url_messages, compatible
from langchain_qwen_audio._connections import Endpoint, async_client, sync_client
from langchain_qwen_audio._uploads import Job, Upload, aupload_all, forgetting, upload_all

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Mapping

    from langchain_qwen_audio._failures import Attempts
    from langchain_qwen_audio._routes import AudioEncoding

MAX_CONNECT_S = 10.0


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
        self, endpoint: Endpoint, urls: Mapping[Job, str], *, stream: bool
    ) -> dict[str, Any]:
        """Make the arguments of the SDK's `multimodal.chat.create`."""

        def filled(element: dict[str, Any]) -> dict[str, Any]:
            audio = element.get("audio")
            if isinstance(audio, Upload):
                return {"audio": urls[self._job(audio, endpoint)]}
            return element

        messages = [
            {**message, "content": [filled(element) for element in message["content"]]}
            for message in self.messages
        ]
        # Increments are what a stream is for, and a whole reply has none.
        parameters = {k: v for k, v in self.parameters.items() if k != "incremental_output"}
        if self.audio_encoding is not None:
            messages = compatible(messages)
        if self.audio_encoding == "audio_url":
            # The SDK passes on whatever it does not know, and that is how messages go that it
            # cannot write.
            parameters["messages"] = audio_url_messages(messages)
            messages = [{"role": "user", "content": ""}]
        return {
            "model": self.model,
            "messages": messages,
            "parameters": parameters,
            "stream": stream,
            "timeout": self._timeout,
            "api_key": endpoint.api_key,
            "workspace": endpoint.workspace or None,
        }


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
                    arguments = request.arguments(self.endpoint, urls, stream=False)
                    return _answered(_plain(client.multimodal.chat.create(**arguments)))
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
                    arguments = request.arguments(self.endpoint, urls, stream=False)
                    return _answered(_plain(await client.multimodal.chat.create(**arguments)))
            except ModelError as error:
                await asyncio.sleep(attempts.after(error))
                urls = await aupload_all(client.transport.http_client, jobs)  # if any are gone

    def stream(self, request: Request) -> Generator[dict[str, Any]]:
        """Ask, and yield the events of the reply as they arrive.

        Failures are retried up to the first event, never after it.
        """
        client = sync_client(self.endpoint, self.http_client)
        jobs, attempts = self._begin(request)
        urls = upload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(self.endpoint, urls, stream=True)
                    reply = client.multimodal.chat.create(**arguments)
                    with contextlib.closing(iter(reply)) as events:
                        for event in events:
                            attempts.begin()
                            yield _plain(event)
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
        jobs, attempts = self._begin(request)
        urls = await aupload_all(client.transport.http_client, jobs)
        while True:
            try:
                with attempts.one():
                    arguments = request.arguments(self.endpoint, urls, stream=True)
                    reply = await client.multimodal.chat.create(**arguments)
                    async with contextlib.aclosing(aiter(reply)) as events:
                        async for event in events:
                            attempts.begin()
                            yield _plain(event)
                    attempts.end()
                return
            except ModelError as error:
                await asyncio.sleep(attempts.after(error))
                urls = await aupload_all(client.transport.http_client, jobs)  # if any are gone

    def _begin(self, request: Request) -> tuple[set[Job], Attempts]:
        from langchain_qwen_audio._failures import Attempts

        jobs = request.uploads(self.endpoint)
        return jobs, Attempts(self.endpoint, request.model, request.max_retries, forgetting(jobs))


def _plain(reply: Any) -> dict[str, Any]:
    """Make a plain mapping of what the SDK read, holding only what the service said."""
    plain: dict[str, Any] = reply.model_dump(exclude_unset=True, exclude={"headers"})
    return plain


def _answered(reply: dict[str, Any]) -> dict[str, Any]:
    """Require an answer, while there may still be another attempt at one."""
    from langchain_qwen_audio.errors import APIError

    if not reply.get("choices"):
        raise APIError(
            f"the reply has no answer in it, only {', '.join(sorted(reply)) or 'nothing'}",
            request_id=reply.get("request_id"),
        )
    return reply
