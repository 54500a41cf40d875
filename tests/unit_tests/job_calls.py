"""Transcription jobs in tests: a client of a local test server, called sync or async; replies."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from langchain_qwen_audio import ChatBatches, TranscriptionJobs
from langchain_qwen_audio.local import RawReply

if TYPE_CHECKING:
    from langchain_qwen_audio.local import LocalDashScope

KEY = "sk-0123456789abcdef"
URL = "https://example.com/meeting.mp3"
ONE, LISTED = "qwen3-asr-flash-filetrans", "qwen-audio-3.1-asr-flash-filetrans"
SHAPES = pytest.mark.parametrize("model", [ONE, LISTED], ids=["file_url", "file_urls"])
JSON = {"content-type": "application/json", "retry-after-ms": "1"}


class CallJobs(Protocol):
    """Call a method of a client of jobs or batches, or its async twin."""

    def __call__(
        self, jobs: TranscriptionJobs | ChatBatches, method: str, /, *args: Any, **options: Any
    ) -> Any:
        """Return what the method returns."""


def call_sync(
    jobs: TranscriptionJobs | ChatBatches, method: str, /, *args: Any, **options: Any
) -> Any:
    return getattr(jobs, method)(*args, **options)


def call_async(
    jobs: TranscriptionJobs | ChatBatches, method: str, /, *args: Any, **options: Any
) -> Any:
    twin = getattr(jobs, f"a{method}")
    return asyncio.run(twin(*args, **options))


SYNC_AND_ASYNC = pytest.mark.parametrize("call", [call_sync, call_async], ids=["sync", "async"])


def jobs_of(server: LocalDashScope, **fields: Any) -> TranscriptionJobs:
    fields = {"base_url": server.base_url, "api_key": KEY, "poll_interval": 0.001, **fields}
    return TranscriptionJobs(**fields)


def as_json(body: Any, status: int = 200) -> RawReply:
    """Reply with JSON, or with `bytes` that are said to be JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawReply(status, JSON, [data])


def task(state: Any, /, usage: Any = None, **output: Any) -> RawReply:
    """Say of a job how far it is."""
    body = {"request_id": "r-1", "output": {"task_id": "t-1", "task_status": state, **output}}
    return as_json(body | ({} if usage is None else {"usage": usage}))


def kinds(server: LocalDashScope) -> list[str]:
    """List what was requested: each kind once, where it follows itself."""
    found = [request.kind for request in server.requests]
    return [it for at, it in enumerate(found) if not at or found[at - 1] != it]


def submissions(server: LocalDashScope) -> list[Any]:
    return [request.json for request in server.requests if request.kind == "job"]
