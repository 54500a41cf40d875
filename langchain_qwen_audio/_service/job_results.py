"""The URL of a job's result → its bytes: bounded, and requested without the key.

The URL is signed, and of a storage host that must not see the key.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import httpx
from langchain_core.exceptions import ModelError

from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._service.connection_pool import aconnect, connect
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._service.time_limits import extensions_of
from langchain_qwen_audio._service.transport_errors import translated
from langchain_qwen_audio.errors import APIError, NotFoundError

if TYPE_CHECKING:
    from langchain_qwen_audio._service.aiohttp_response import Response
    from langchain_qwen_audio._service.client import Service
    from langchain_qwen_audio._service.jobs import JobLimits

MAX_RESULT_BYTES = 128 * 1024 * 1024  # 12 hours of speech, with its words, are about 25 MB


def download_result(service: Service, url: str, limits: JobLimits) -> bytes:
    """Download a result.

    Raises:
        NotFoundError: It is not there any more.
        APIError: The server answers something else, or more than `MAX_RESULT_BYTES`.
        APIConnectionError: It cannot be reached.
    """
    http = connect(service.endpoint, service.http_client).http
    attempts = Attempts("the result of a job", limits.max_retries, deadline=limits.deadline)
    while True:
        body = bytearray()
        try:
            with (
                translated(service.endpoint.api_key, ""),
                contextlib.closing(http.open(_request(url, limits), auth=None)) as response,
            ):
                _check_status(response)
                for piece in response.iter_bytes():
                    _add(body, piece)
            return bytes(body)
        except ModelError as error:
            time.sleep(attempts.wait_s(error))


async def adownload_result(service: Service, url: str, limits: JobLimits) -> bytes:
    """Download a result; see `download_result`."""
    http = (await aconnect(service.endpoint, service.http_async_client)).http
    attempts = Attempts("the result of a job", limits.max_retries, deadline=limits.deadline)
    while True:
        body = bytearray()
        try:
            with translated(service.endpoint.api_key, ""):
                response = await http.open(_request(url, limits), auth=None)
                async with contextlib.aclosing(response):
                    _check_status(response)
                    async for piece in response.aiter_bytes():
                        _add(body, piece)
            return bytes(body)
        except ModelError as error:
            await asyncio.sleep(attempts.wait_s(error))


def _request(url: str, limits: JobLimits) -> httpx.Request:
    """Write a request that has nothing of a client's own: no key, no headers, no cookies."""
    extensions = extensions_of(limits.timeouts)
    with contextlib.suppress(httpx.InvalidURL):
        if url_scheme(url) in {"http", "https"}:
            return httpx.Request("GET", url, extensions=extensions)
    raise APIError(f"the result of a job is at no URL: {url!r:.200}", is_retryable=False)


def _check_status(response: Response) -> None:
    status = response.status_code
    if status in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND, httpx.codes.GONE}:
        raise NotFoundError(
            f"the result of the job is not there any more (status {status}): it is kept for 24 "
            "hours; submit the recording again",
            status=status,
        )
    if status != httpx.codes.OK:
        raise APIError(
            f"the result of the job cannot be fetched: its server answered {status}",
            status=status,
            is_retryable=status >= 500 or status in {408, 429},
        )


def _add(body: bytearray, piece: bytes) -> None:
    body += piece
    if len(body) > MAX_RESULT_BYTES:
        raise APIError(
            f"the result of the job is longer than {MAX_RESULT_BYTES:,} bytes", is_retryable=False
        )
