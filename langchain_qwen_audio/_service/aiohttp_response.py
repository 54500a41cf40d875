"""A response of aiohttp → what is used here of an `httpx.Response`."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx

from langchain_qwen_audio._service.aiohttp_errors import RaisingHttpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from langchain_qwen_audio._service.time_limits import Timer


class AiohttpResponse:
    """A response whose body is read within the limits of a timer.

    Attributes:
        status_code: The HTTP status.
        headers: The headers; their names are in lower case.
        timer: What bounds the reading.
    """

    def __init__(self, response: aiohttp.ClientResponse, timer: Timer) -> None:
        self._response = response
        self.status_code = response.status
        self.headers = {name.lower(): value for name, value in response.headers.items()}
        self.timer = timer
        self.content = b""

    @property
    def is_success(self) -> bool:
        """Whether the status says so."""
        return 200 <= self.status_code < 300

    @property
    def is_redirect(self) -> bool:
        """Whether the status is one of redirects."""
        return 300 <= self.status_code < 400

    @property
    def is_error(self) -> bool:
        """Whether the status is that of a refusal or a failure."""
        return 400 <= self.status_code < 600

    @property
    def text(self) -> str:
        """The body that was read: UTF-8, whatever charset a header names."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Decode the body that was read."""
        return json.loads(self.content)

    async def read(self) -> None:
        """Read the whole body; the caller bounds how long that takes."""
        self.content = await self._response.read()

    async def aread(self) -> None:
        """Read the whole body.

        Raises:
            httpx.HTTPError: It breaks off, or takes too long.
        """
        with RaisingHttpx(self.timer):
            async with asyncio.timeout(self.timer.wait_s):
                await self.read()

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes.

        Raises:
            httpx.HTTPError: It breaks off, or takes too long.
        """
        body = self._response.content
        while True:
            with RaisingHttpx(self.timer):
                piece = body.read_nowait()
                if not piece:
                    async with asyncio.timeout(self.timer.wait_s):
                        piece = await body.readany()
            if not piece:
                return
            self.timer.check()
            yield piece

    async def aclose(self) -> None:
        """Give the connection back, or close it if there is more to read."""
        self._response.release()


Response: TypeAlias = httpx.Response | AiohttpResponse
