"""Clips → `oss://` URLs: upload once, remember the URL while it lives.

An upload is a policy, asked of the instance's own host with its own key, and a form posted to the
storage host that the policy names. The file lives for 48 hours, and is bound to the model and the
account that the policy was made for.
https://help.aliyun.com/zh/model-studio/get-temporary-file-url
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
from langchain_core.exceptions import ModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Hashable, Iterable

    from langchain_qwen_audio._connections import Endpoint
    from langchain_qwen_audio.audio import Audio

LIFE_S = 40 * 3600.0  # well within the service's 48 hours
POLICY_MARGIN_S = 30.0  # a policy is not begun with so shortly before its end
# How the service may say that a file it was given is not there (any more).
_GONE = re.compile(
    r"download|access the media resource|does not exist|no such|expired", re.IGNORECASE
)
MAX_REMEMBERED = 10_000
AT_ONCE = 8


@dataclass(frozen=True)
class Upload:
    """A clip that travels as a file of its own."""

    audio: Audio


@dataclass(frozen=True)
class Job:
    """One clip to upload, and what its URL is bound to."""

    clip: Audio = field(compare=False)
    digest: str
    model: str
    endpoint: Endpoint
    max_retries: int = field(compare=False)
    timeout: httpx.Timeout = field(compare=False)

    def steps(
        self, http: httpx.Client | httpx.AsyncClient
    ) -> Generator[httpx.Request, httpx.Response]:
        """Yield the requests of the upload, take their responses, and remember the URL.

        It does no I/O itself, so that sync and async share it.
        """
        from langchain_qwen_audio._refusals import check

        policy_of = (self.model, self.endpoint)
        policy = _policies.get(policy_of)
        asked = policy is None
        if policy is None:
            policy = yield from self._ask_policy(http)
        url, request = self._post(http, policy)
        response = yield request
        if response.is_error:
            _policies.forget(policy_of, policy)
        if response.status_code == httpx.codes.FORBIDDEN and not asked:
            policy = yield from self._ask_policy(http)  # the one from before is no longer good
            url, request = self._post(http, policy)
            response = yield request
        check(response)
        _urls.put(self, url, LIFE_S)

    def _ask_policy(
        self, http: httpx.Client | httpx.AsyncClient
    ) -> Generator[httpx.Request, httpx.Response, dict[str, Any]]:
        from langchain_qwen_audio._refusals import check

        response = yield http.build_request(
            "GET",
            f"{self.endpoint.base_url}/uploads",
            params={"action": "getPolicy", "model": self.model},
            headers=self.endpoint.headers,
            timeout=self.timeout,
        )
        check(response)
        policy: dict[str, Any] = response.json()["data"]
        life_s = float(policy.get("expire_in_seconds", 0.0)) - POLICY_MARGIN_S
        _policies.put((self.model, self.endpoint), policy, life_s)
        return policy

    def _post(
        self, http: httpx.Client | httpx.AsyncClient, policy: dict[str, Any]
    ) -> tuple[str, httpx.Request]:
        """Make the URL that the file will have, and the request that uploads it."""
        clip = self.clip
        name = f"{uuid.uuid4().hex}.{clip.mime_type.partition('/')[2]}"
        key = f"{policy['upload_dir']}/{name}"
        fields = {
            "OSSAccessKeyId": policy["oss_access_key_id"],
            "Signature": policy["signature"],
            "policy": policy["policy"],
            "key": key,
            "x-oss-object-acl": policy["x_oss_object_acl"],
            "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
            "success_action_status": "200",
            "x-oss-content-type": clip.mime_type,
        }
        files = {"file": (name, clip.data, clip.mime_type)}
        request = http.build_request(
            "POST", policy["upload_host"], data=fields, files=files, timeout=self.timeout
        )
        request.read()
        return f"oss://{key}", request


def upload_all(http: httpx.Client, jobs: Collection[Job]) -> dict[Job, str]:
    """Upload the clips that have no URL yet, several at once; return all URLs."""
    if not jobs:
        return {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(jobs, pool.map(lambda job: _upload(http, job), jobs), strict=True))


def _upload(http: httpx.Client, job: Job) -> str:
    from langchain_qwen_audio._failures import Attempts

    attempts = Attempts(job.endpoint, job.model, job.max_retries)
    with _lock(job, threading.Lock):
        while not (url := _urls.get(job)):
            try:
                with attempts.one():
                    steps = job.steps(http)
                    request = next(steps, None)
                    while request is not None:
                        request = _next(steps, http.send(request))
            except ModelError as error:
                time.sleep(attempts.after(error))
    return str(url)


async def aupload_all(http: httpx.AsyncClient, jobs: Collection[Job]) -> dict[Job, str]:
    """Upload the clips that have no URL yet, several at once; return all URLs."""
    gate = asyncio.Semaphore(AT_ONCE)
    urls = await asyncio.gather(*(_aupload(http, job, gate) for job in jobs))
    return dict(zip(jobs, urls, strict=True))


async def _aupload(http: httpx.AsyncClient, job: Job, gate: asyncio.Semaphore) -> str:
    from langchain_qwen_audio._failures import Attempts

    attempts = Attempts(job.endpoint, job.model, job.max_retries)
    async with _lock((job, asyncio.get_running_loop()), asyncio.Lock), gate:
        while not (url := _urls.get(job)):
            try:
                with attempts.one():
                    steps = job.steps(http)
                    request = next(steps, None)
                    while request is not None:
                        request = _next(steps, await http.send(request))
            except ModelError as error:
                await asyncio.sleep(attempts.after(error))
    return str(url)


def _next(
    steps: Generator[httpx.Request, httpx.Response], response: httpx.Response
) -> httpx.Request | None:
    try:
        return steps.send(response)
    except StopIteration:
        return None


# --- what is remembered -----------------------------------------------------------------------


class _Remembered:
    """Values that are good for a while, the oldest out first; safe to use from threads."""

    def __init__(self) -> None:
        self._values: dict[Hashable, tuple[Any, float]] = {}
        self._lock = threading.Lock()

    def renew_lock(self) -> None:
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> Any:
        with self._lock:
            value, until = self._values.get(key, (None, 0.0))
        return value if time.monotonic() < until else None

    def put(self, key: Hashable, value: Any, life_s: float) -> None:
        with self._lock:
            self._values[key] = (value, time.monotonic() + life_s)
            while len(self._values) > MAX_REMEMBERED:
                del self._values[next(iter(self._values))]

    def forget(self, key: Hashable, value: Any) -> None:
        with self._lock:
            # Somebody else may have put a newer value there by now.
            if self._values.get(key, (None,))[0] == value:
                del self._values[key]


_urls = _Remembered()
_policies = _Remembered()
_locks: weakref.WeakValueDictionary[Hashable, Any] = weakref.WeakValueDictionary()
_locks_lock = threading.Lock()


def _renew_locks_after_fork() -> None:
    # A thread of the parent process may hold one, and does not exist in the child.
    global _locks_lock  # noqa: PLW0603
    _locks_lock = threading.Lock()
    _locks.clear()
    _urls.renew_lock()
    _policies.renew_lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks_after_fork)


def forgetting(jobs: Iterable[Job]) -> Callable[[str], bool]:
    """Make what forgets, once, the URLs from before that the service says are gone.

    Returns:
        A function that takes what the service said, and says whether it forgot anything, so that
        another attempt uploads again.
    """
    remembered = {job: url for job in jobs if (url := _urls.get(job))}

    def forget(said: str) -> bool:
        if not remembered or not _GONE.search(said):
            return False
        while remembered:
            _urls.forget(*remembered.popitem())
        return True

    return forget


def _lock(key: Hashable, make: type[Any]) -> Any:
    """Find the lock that whoever uploads the same thing at this moment holds."""
    with _locks_lock:
        lock = _locks.get(key)
        if lock is None:
            lock = _locks[key] = make()
        return lock
