"""Clips → `oss://` URLs: upload once, and keep the URL while it lives.

Text is never uploaded: `clips_to_upload` takes `UploadPart`s alone, whatever a text says.

An upload is a policy, requested from the service with the model's own key, and a form posted to the
storage host that the policy names. The file lives for 48 hours, and is bound to the model and the
account of the policy.
https://help.aliyun.com/zh/model-studio/get-temporary-file-url
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import threading
import time
import uuid
from concurrent.futures import FIRST_EXCEPTION, wait
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
from cachetools import TLRUCache, TTLCache
from langchain_core.exceptions import ModelError
from pydantic import BaseModel, ValidationError

from langchain_qwen_audio._daemon_threads import DaemonThreads
from langchain_qwen_audio._locks import ForkSafeLock
from langchain_qwen_audio._request.parts import PreparedPart, RequestMessage, UploadPart
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio._service.error_codes import check_response
from langchain_qwen_audio._service.read_timeouts import TimedClient
from langchain_qwen_audio._service.retries import Attempts
from langchain_qwen_audio._service.single_flight import SingleFlight
from langchain_qwen_audio._service.time_limits import CallTimeout
from langchain_qwen_audio._service.transport_errors import translated
from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Hashable, Iterable

    from langchain_qwen_audio._service.aiohttp_client import AsyncHttp
    from langchain_qwen_audio._service.aiohttp_response import Response
    from langchain_qwen_audio.audio import Audio

    Http: TypeAlias = TimedClient | AsyncHttp

logger = logging.getLogger(__name__)

LIFE_S = 40 * 3600.0  # well within the service's 48 hours
POLICY_MARGIN_S = 30.0  # a policy is not begun with so shortly before its end
MAX_CACHED = 10_000
AT_ONCE = 8
# How the service may say that a file it was given is not there (any more).
_GONE = re.compile(
    r"download|access the media resource|does not exist|no such|expired", re.IGNORECASE
)


class UploadPolicy(BaseModel):
    """Leave to upload, as the service gives it."""

    policy: str
    signature: str
    upload_dir: str
    upload_host: str
    oss_access_key_id: str
    x_oss_object_acl: str
    x_oss_forbid_overwrite: str
    expire_in_seconds: float = 0.0


class _PolicyReply(BaseModel):
    data: UploadPolicy


@dataclass(frozen=True)
class Upload:
    """What the URL of an uploaded clip is bound to. The clip itself is not kept."""

    digest: str
    model: str
    endpoint: Endpoint


@dataclass(frozen=True)
class UploadJob:
    """How one clip is uploaded."""

    upload: Upload
    clip: Audio = field(repr=False)
    max_retries: int
    timeout: CallTimeout

    @property
    def attempts(self) -> Attempts:
        """What decides about retries."""
        return Attempts(self.upload.model, self.max_retries, deadline=self.timeout.deadline)

    def translated(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the transport raises into one of our errors."""
        return translated(self.upload.endpoint.api_key, self.upload.model)

    def steps(self, http: Http) -> Generator[httpx.Request, Response]:
        """Yield the requests of the upload, take their responses, and keep the URL.

        It does no I/O itself, so that sync and async share it.
        """
        account = (self.upload.model, self.upload.endpoint)
        policy = _policies.get(account)
        is_cached = policy is not None
        if policy is None:
            policy = yield from self._request_policy(http)
        url, request = self._post(http, policy)
        response = yield request
        if response.is_error:
            _policies.remove(account, policy)
        if response.status_code == httpx.codes.FORBIDDEN and is_cached:
            policy = yield from self._request_policy(http)  # the cached one is no longer good
            url, request = self._post(http, policy)
            response = yield request
        check_response(response)
        logger.info("uploaded %s (%d bytes) for %s", url, self.clip.size, self.upload.model)
        _urls.put(self.upload, url)

    def _request_policy(self, http: Http) -> Generator[httpx.Request, Response, UploadPolicy]:
        endpoint, model = self.upload.endpoint, self.upload.model
        response = yield http.build_request(
            "GET",
            endpoint.upload_url,
            params={"action": "getPolicy", "model": model},
            headers=endpoint.headers,
            timeout=self.timeout,
        )
        check_response(response)
        policy = _read_policy(response)
        _policies.put((model, endpoint), policy)
        return policy

    def _post(self, http: Http, policy: UploadPolicy) -> tuple[str, httpx.Request]:
        """Make the URL that the file will have, and the request that uploads it."""
        clip = self.clip
        name = f"{uuid.uuid4().hex}.{clip.mime_type.partition('/')[2]}"
        key = f"{policy.upload_dir}/{name}"
        fields = {
            "OSSAccessKeyId": policy.oss_access_key_id,
            "Signature": policy.signature,
            "policy": policy.policy,
            "key": key,
            "x-oss-object-acl": policy.x_oss_object_acl,
            "x-oss-forbid-overwrite": policy.x_oss_forbid_overwrite,
            "success_action_status": "200",
            "x-oss-content-type": clip.mime_type,
        }
        files = {"file": (name, clip.data, clip.mime_type)}
        request = http.build_request(
            "POST", policy.upload_host, data=fields, files=files, timeout=self.timeout
        )
        request.read()
        return f"oss://{key}", request


def _read_policy(response: Response) -> UploadPolicy:
    try:
        return _PolicyReply.model_validate_json(response.content).data
    except ValidationError as error:
        raise APIError(
            f"the service gave no upload policy: {response.text[:300]!r}",
            status=response.status_code,
        ) from error


def clips_to_upload(
    messages: Iterable[RequestMessage[PreparedPart]],
) -> list[Audio]:
    """List the clips that are uploaded: those of `UploadPart`s, and never a text."""
    parts = (part for message in messages for part in message.content)
    return [part.audio for part in parts if isinstance(part, UploadPart)]


def upload_all(http: TimedClient, jobs: Collection[UploadJob]) -> dict[str, str]:
    """Upload the clips that have no URL yet, several at once; return URLs by clips' digests.

    When one fails, those that are under way end by themselves, and no other is begun.
    """
    if not jobs:
        return {}
    ended = threading.Event()
    with DaemonThreads(AT_ONCE, "uploading") as threads:
        uploading = [threads.submit(partial(_upload, http, job, ended)) for job in jobs]
        try:
            done, _ = wait(uploading, return_when=FIRST_EXCEPTION)
        finally:
            ended.set()  # also after Ctrl-C
        for upload in done:
            upload.result()  # the error, if it failed
    return {job.upload.digest: it.result() for job, it in zip(jobs, uploading, strict=True)}


def _upload(http: TimedClient, job: UploadJob, ended: threading.Event) -> str:
    if ended.is_set():
        return ""  # for which nobody waits
    try:
        with job.translated():
            return _flights.run(job.upload, job.timeout, partial(_send, http, job))
    except BaseException:
        ended.set()
        raise


def _send(http: TimedClient, job: UploadJob) -> str:
    attempts = job.attempts
    while not (url := _urls.get(job.upload)):
        try:
            with job.translated():
                steps = job.steps(http)
                request = next(steps, None)
                while request is not None:
                    request = _next(steps, http.send(request))
        except ModelError as error:
            time.sleep(attempts.wait_s(error))
    return str(url)


async def aupload_all(http: AsyncHttp, jobs: Collection[UploadJob]) -> dict[str, str]:
    """Upload the clips that have no URL yet; see `upload_all`. When one fails, all end."""
    if not jobs:
        return {}
    gate = asyncio.Semaphore(AT_ONCE)
    uploading = [asyncio.create_task(_aupload(http, job, gate)) for job in jobs]
    try:
        urls = await asyncio.gather(*uploading)
    finally:
        for upload in uploading:
            upload.cancel()
        await asyncio.gather(*uploading, return_exceptions=True)
    return {job.upload.digest: url for job, url in zip(jobs, urls, strict=True)}


async def _aupload(http: AsyncHttp, job: UploadJob, gate: asyncio.Semaphore) -> str:
    with job.translated():
        return await _flights.arun(job.upload, job.timeout, partial(_asend, http, job, gate))


async def _asend(http: AsyncHttp, job: UploadJob, gate: asyncio.Semaphore) -> str:
    attempts = job.attempts
    async with gate:
        while not (url := _urls.get(job.upload)):
            try:
                with job.translated():
                    steps = job.steps(http)
                    # In threads, since the clip is read there, which may be large.
                    request = await asyncio.to_thread(next, steps, None)
                    while request is not None:
                        response = await http.send(request)
                        request = await asyncio.to_thread(_next, steps, response)
            except ModelError as error:
                await asyncio.sleep(attempts.wait_s(error))
    return str(url)


def _next(steps: Generator[httpx.Request, Response], response: Response) -> httpx.Request | None:
    try:
        return steps.send(response)
    except StopIteration:
        return None


# --- what is kept ---------------------------------------------------------------------------------


class _Kept:
    """A cache that threads share."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache
        self._lock = ForkSafeLock()

    def get(self, key: Hashable) -> Any:
        with self._lock:
            return self._cache.get(key)

    def put(self, key: Hashable, value: Any) -> None:
        with self._lock:
            self._cache[key] = value

    def remove(self, key: Hashable, value: Any) -> None:
        with self._lock:
            # Somebody else may have put a newer value there by now.
            if self._cache.get(key) == value:
                del self._cache[key]


def _end_of(_key: Hashable, policy: UploadPolicy, now: float) -> float:
    return now + policy.expire_in_seconds - POLICY_MARGIN_S


_urls = _Kept(TTLCache(MAX_CACHED, LIFE_S))
_policies = _Kept(TLRUCache(MAX_CACHED, _end_of))
_flights = SingleFlight()


def forgetting(uploads: Iterable[Upload]) -> Callable[[str], bool]:
    """Make what forgets, once, the kept URLs that the service says are gone.

    Returns:
        A function that takes the text of an error, and says whether it forgot anything, so that
        another attempt uploads again.
    """
    kept = {upload: url for upload in uploads if (url := _urls.get(upload))}

    def forget(error: str) -> bool:
        if not kept or not _GONE.search(error):
            return False
        while kept:
            _urls.remove(*kept.popitem())
        return True

    return forget
