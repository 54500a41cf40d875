"""The page's server and the service that answers behind it, on one port."""

from __future__ import annotations

import contextlib
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._web_page.app import create_page
from langchain_qwen_audio._web_page.models import find_page_models
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES = Path(__file__).parents[3] / "langchain_qwen_audio" / "samples"
WELCOME = (SAMPLES / "welcome.wav").read_bytes()
TOKEN = "t0ken_-A"
KEY = "sk-secret-of-the-server"


@dataclass(frozen=True)
class Served:
    """A page, and the service behind it."""

    service: LocalDashScope
    address: str

    def request(
        self, path: str, method: str = "GET", *, headers: Any = (), **more: Any
    ) -> httpx.Response:
        """Request something as the page does."""
        all_headers = {"x-page-token": TOKEN, **dict(headers)}
        url = self.address + path
        return httpx.request(method, url, headers=all_headers, timeout=HANG_S, **more)

    def post(self, path: str, recording: bytes = WELCOME, **fields: str) -> httpx.Response:
        """Send a form with a recording."""
        return self.request(path, "POST", files={"recording": ("a.wav", recording)}, data=fields)


@contextlib.contextmanager
def served(service: LocalDashScope) -> Iterator[Served]:
    with service:
        where = {"base_url": service.base_url, "api_key": KEY, "region": "cn-beijing"}
        make_model = functools.partial(ChatQwenAudio, **where)
        models = find_page_models(None, make_model())
        service.mount(create_page(make_model, models, token=TOKEN, is_local=True))
        yield Served(service, service.base_url.removesuffix("/api/v1"))


@pytest.fixture
def page() -> Iterator[Served]:
    with served(LocalDashScope(reply="ok", api_keys=[KEY])) as it:
        yield it
