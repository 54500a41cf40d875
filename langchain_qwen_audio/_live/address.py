"""A model's settings → the WebSocket that its live sessions go to. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from langchain_qwen_audio._models.routes import is_shared_host, native_address
from langchain_qwen_audio._service.basic_auth import with_basic_auth
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from langchain_qwen_audio._settings import BaseChatQwenAudio

TASK_PATH = "/api-ws/v1/inference"


@dataclass(frozen=True)
class LiveAddress:
    """Where the live sessions of a model go, and with which key.

    Attributes:
        url: The WebSocket.
        model: The model's name.
        api_key: The key.
        headers: The headers that say so.
    """

    url: str
    model: str
    api_key: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)


def live_address(
    settings: BaseChatQwenAudio, *, path: str | None = None, workspace_only: bool = False
) -> LiveAddress:
    """Say where the sessions of a model go.

    Args:
        settings: The model.
        path: The path, where it is not that of sessions, which has the model's name in it.
        workspace_only: The model is on the hosts of workspaces alone.

    Raises:
        InvalidRequestError: There are none, or not with the user's own HTTP client.
    """
    if settings.http_async_client is not None:
        raise InvalidRequestError(
            "http_async_client came, and a live session cannot use it: its WebSocket has a "
            "connection of its own, with the proxies and certificates of the environment"
        )
    if workspace_only and is_shared_host(settings.address):
        raise InvalidRequestError(
            f"{settings.model} is on the hosts of workspaces alone, not on {settings.address}: "
            "pass workspace=…"
        )
    endpoint = Endpoint(
        base_url=settings.address,
        api_key=settings.api_key.get_secret_value(),
        workspace=settings.workspace or "",
    )
    url = _url(settings.address, path or _session_path(settings.model))
    url, headers = with_basic_auth(url, endpoint.headers)
    return LiveAddress(url, settings.model, endpoint.api_key, headers)


def _session_path(model: str) -> str:
    return f"/api-ws/v1/realtime?{urlencode({'model': model})}"


def _url(address: str, path: str) -> str:
    """Name a WebSocket at an address of the service.

    Raises:
        InvalidRequestError: It is not the address of a service.
    """
    native = native_address(address)
    parts = urlsplit(native)
    scheme = {"http": "ws", "https": "wss"}.get(parts.scheme)
    if scheme is None or not native.endswith("/api/v1"):
        bare, _ = with_basic_auth(address, {})
        raise InvalidRequestError(
            f"base_url is {bare!r}; a live session needs an address of DashScope, which ends in "
            "/api/v1 or /compatible-mode/v1"
        )
    prefix = parts.path.removesuffix("/api/v1")
    return f"{scheme}://{parts.netloc}{prefix}{path}"
