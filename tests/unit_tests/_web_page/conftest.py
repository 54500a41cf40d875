"""The page's server and the service that answers behind it, on one port."""

from __future__ import annotations

import contextlib
import functools
import socket
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from playwright.sync_api import expect, sync_playwright

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._web_page.app import create_page
from langchain_qwen_audio._web_page.models import find_page_models
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests._notebook.test_browser import CHROMIUM, FLAGS
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

SAMPLES = Path(__file__).parents[3] / "langchain_qwen_audio" / "samples"
WELCOME = (SAMPLES / "welcome.wav").read_bytes()
SPOKEN_S = 2.4  # of the sample: "Welcome to the recording studio."
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


def mount_page(
    service: LocalDashScope,
    *,
    token: str = TOKEN,
    model: str | None = None,
    base_url: str | None = None,
) -> None:
    """Mount a page that begins with a model, with the service at a base URL or on its own port."""
    where = {"base_url": base_url or service.base_url, "api_key": KEY, "region": "cn-beijing"}
    make_model = functools.partial(ChatQwenAudio, **where)
    models = find_page_models(model, make_model())
    page = create_page(make_model, models, token=token, is_local=True)
    service.mount(page, page.paths)


@contextlib.contextmanager
def served(service: LocalDashScope, **how: Any) -> Iterator[Served]:
    """Serve a page, as `mount_page` takes it."""
    with service:
        mount_page(service, **how)
        yield Served(service, service.base_url.removesuffix("/api/v1"))


@contextlib.contextmanager
def silent_service() -> Iterator[tuple[socket.socket, str]]:
    """Listen where a service would, and say nothing; yield the socket and the base URL."""
    with socket.create_server(("127.0.0.1", 0)) as it:
        it.settimeout(HANG_S)
        yield it, f"http://127.0.0.1:{it.getsockname()[1]}/api/v1"


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed here: apt-get install chromium-headless-shell")
    spoken = tmp_path_factory.mktemp("microphone") / "spoken.wav"
    with wave.open(str(SAMPLES / "welcome.wav")) as sample, wave.open(str(spoken), "wb") as file:
        file.setparams(sample.getparams())
        rate = sample.getframerate()
        file.writeframes(sample.readframes(int(SPOKEN_S * rate)) + bytes(2 * rate))
    microphone = [
        "--use-fake-ui-for-media-stream",  # which allows it
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={spoken}%noloop",
    ]
    expect.set_options(timeout=HANG_S * 1000)
    with sync_playwright() as playwright:
        it = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *microphone])
        yield it
        it.close()


@pytest.fixture
def page() -> Iterator[Served]:
    with served(LocalDashScope(reply="ok", api_keys=[KEY])) as it:
        yield it
