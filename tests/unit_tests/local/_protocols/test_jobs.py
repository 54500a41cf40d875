"""What the service takes as a job, and what it refuses."""

from __future__ import annotations

from typing import Any

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.local._client import assert_refused, post
from tests.unit_tests.local._job_client import LISTED, PATH, URL, given, submit

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the other shape": ({"input": {"file_url": URL}}, "input must contain file_urls"),
    "two files": ({"input": {"file_urls": [URL, URL]}}, "file_urls should hold one URL"),
    "no list": ({"input": {"file_urls": URL}}, "file_urls should hold one URL"),
    "no input": ({"input": None}, "input must contain file_urls"),
    "no parameters": ({"parameters": None}, "Required parameter"),
    "a data URI": ({"input": {"file_urls": ["data:;base64,AAAA"]}}, "The provided URL"),
    "oss without its header": ({"input": {"file_urls": ["oss://a/b"]}}, "The provided URL"),
    "hints that are no list": ({"parameters": {"language_hints": "zh"}}, "valid list"),
    "a model without jobs": ({"model": "qwen-audio-turbo"}, "url error"),
}


def test_what_the_service_does_not_take_is_refused(server: LocalDashScope) -> None:
    for what, (changed, message) in REFUSED.items():
        refused = submit(server, **changed)
        assert refused.status_code == 400, what
        assert refused.json()["code"] == "InvalidParameter", what
        assert message in refused.json()["message"], what


def test_a_job_is_asynchronous(server: LocalDashScope) -> None:
    body = {"model": LISTED, "input": given(LISTED, URL), "parameters": {}}
    refused = post(server.base_url + PATH, json=body, headers={"authorization": "Bearer local"})
    message = "current user api does not support synchronous calls"
    assert_refused(refused, 403, "AccessDenied", message)
