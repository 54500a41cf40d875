"""A URL → its bytes, fetched here, from the public network only.

Uses the SSRF-safe client of LangChain core, which checks every address that a name resolves to
and every hop of a redirect. That client is internal to LangChain core; this is the only place
that knows it, and tests hold what is expected of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import httpx

from langchain_qwen_audio._certificates import ssl_context
from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._media.url_schemes import address_fault
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 256 * 1024 * 1024
MAX_S = 120.0  # for the whole download
SILENCE_S = 20.0  # between two pieces of it


def fetch(url: str) -> bytes:
    """Download `url`.

    Raises:
        AudioError: It is not reachable, not public, compressed, too large or too slow.
        APIConnectionError: The environment names certificates that are not there.
    """
    # In a loop of its own: only there can the whole be bounded. httpx bounds each read, and so
    # never ends a reply of which a byte comes now and then.
    with DaemonThreads(1, "downloading") as threads:
        return threads.submit(lambda: asyncio.run(afetch(url))).result()


async def afetch(url: str) -> bytes:
    """Download `url`; see `fetch`."""
    with _explained(url):
        if fault := address_fault(url):
            raise _FetchError(f"it leads nowhere ({fault})")
        try:
            async with asyncio.timeout(MAX_S):
                return await _read(url)
        except TimeoutError:
            raise _FetchError(f"it took longer than {MAX_S:g} s") from None


async def _read(url: str) -> bytes:
    from langchain_core._security import ssrf_safe_async_client

    data = bytearray()
    async with (
        ssrf_safe_async_client(
            timeout=SILENCE_S, verify=ssl_context(), headers={"Accept-Encoding": "identity"}
        ) as client,
        client.stream("GET", url) as response,
    ):
        _check_headers(response)
        async for piece in response.aiter_raw():
            data += piece
            if len(data) > MAX_BYTES:
                raise _FetchError(f"it is longer than {MAX_BYTES:,} bytes")
    return bytes(data)


def _check_headers(response: httpx.Response) -> None:
    if response.status_code != httpx.codes.OK:
        raise _FetchError(f"the server answered {response.status_code}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise _FetchError(
            f"the server compressed it ({encoding[:40]}), though it was requested as it is; "
            "download it yourself, and use Audio.from_bytes"
        )
    length = response.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > MAX_BYTES:
        raise _FetchError(f"it is {int(length):,} bytes long, at most {MAX_BYTES:,} are taken")


class _FetchError(Exception):
    """Why a URL cannot be fetched, in words that can follow a colon."""


@contextlib.contextmanager
def _explained(url: str) -> Iterator[None]:
    from langchain_core._security import SSRFBlockedError

    try:
        yield
    except _FetchError as error:
        raise AudioError(f"{url}: it cannot be fetched: {error}") from error
    except SSRFBlockedError as error:
        reason = f"it is not on the public network ({error})"
        raise AudioError(f"{url}: it cannot be fetched: {reason}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise AudioError(f"{url}: it cannot be fetched: {reason}") from error
