"""The fields that say where the service is, with which key, and how long to wait for it."""

from __future__ import annotations

import re
from typing import Any

from langchain_core.utils import from_env, secret_from_env
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from langchain_qwen_audio._media.url_schemes import address_fault, idna_fault, split_url
from langchain_qwen_audio._models.routes import (
    SHARED_HOSTS,
    Region,
    is_own_server,
    region_of,
    service_address,
)
from langchain_qwen_audio._service.default_timeouts import (
    DEFAULT_TIMEOUT_S,
    DEFAULT_TOTAL_TIMEOUT_S,
    MAX_TIMEOUT_S,
)

_HEADER = re.compile(r"[!-~]+")  # what the key and the workspace are sent in
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,63}")  # the part of a host's name that a workspace is


def _name_fault(base_url: str) -> str:
    """Say why httpx would not take an address, which aiohttp may take."""
    if _CONTROL.search(base_url):
        return "it holds a line break or another control character"
    parts = split_url(base_url)
    return idna_fault((parts and parts.hostname) or "")


class ServiceSettings(BaseModel):
    """What every class that talks to the service is told."""

    base_url: str | None = Field(
        default_factory=from_env(["DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL"], default=None),
        validate_default=True,
    )
    """Address of the service, up to and including `/api/v1` or `/compatible-mode/v1`, or of an
    OpenAI-compatible server of your own, as `http://127.0.0.1:8000/v1`; wins over `region`."""

    api_key: SecretStr = Field(
        default_factory=secret_from_env("DASHSCOPE_API_KEY", default=""),
        validate_default=True,
        validation_alias=AliasChoices("api_key", "dashscope_api_key"),
    )
    """Key of the service, by default the variable `DASHSCOPE_API_KEY`; it belongs to one region."""

    region: Region = Field(
        default_factory=from_env("DASHSCOPE_REGION", default="cn-beijing"), validate_default=True
    )
    """Region whose shared host, or whose workspace's own host, is used."""

    workspace: str | None = Field(
        default_factory=from_env("DASHSCOPE_WORKSPACE", default=None), validate_default=True
    )
    """Workspace id; requests then go to the workspace's own host."""

    timeout: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    """Seconds to wait for a connection, and for each next sign of life from the service: a whole
    reply, or the next event of a stream."""

    total_timeout: float | None = Field(default=DEFAULT_TOTAL_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S)
    """Seconds that a call may take in all, with its uploads, retries and the waits between; a
    stream with what is done between its chunks. None is no limit."""

    max_retries: int = Field(default=2, ge=0)
    """How often a failed request is repeated, where that can help; 2 means at most 3 requests."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` to use in place of the shared connections."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` to use in place of the shared connections."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # the input holds the key
        defer_build=True,  # nobody makes one of these
    )

    @field_validator("base_url")
    @classmethod
    def _require_address(cls, base_url: str | None) -> str | None:
        if base_url is None:
            return None
        base_url = base_url.strip()
        if fault := address_fault(base_url) or _name_fault(base_url):
            raise ValueError(  # without it, since it may hold a password
                f"base_url is no valid URL ({fault}); expected one such as "
                "https://dashscope.aliyuncs.com/api/v1"
            )
        return base_url

    @field_validator("api_key")
    @classmethod
    def _require_key(cls, key: SecretStr, info: ValidationInfo) -> SecretStr:
        bare = key.get_secret_value().strip()
        if not bare and is_own_server(info.data.get("base_url")):
            return SecretStr("no-key")  # what servers without keys are given
        if not bare:
            raise ValueError(
                "no API key: set the environment variable DASHSCOPE_API_KEY or pass api_key=…; "
                "to try without a key, use the local test server "
                "(langchain_qwen_audio.local.LocalDashScope)"
            )
        if not _HEADER.fullmatch(bare):
            raise ValueError("the API key holds white space, or characters that no key has")
        return SecretStr(bare)

    @field_validator("workspace")
    @classmethod
    def _require_host(cls, workspace: str | None, info: ValidationInfo) -> str | None:
        workspace = workspace and workspace.strip()
        region, base_url = info.data.get("region"), info.data.get("base_url")
        if region and not (workspace or base_url or region in SHARED_HOSTS):
            raise ValueError(f"region {region} has no shared host: pass workspace=… as well")
        if workspace and not _HEADER.fullmatch(workspace):
            raise ValueError("the workspace holds white space, or characters that no id has")
        if workspace and not base_url and not _LABEL.fullmatch(workspace):
            raise ValueError(
                f"workspace={workspace[:80]!r} came, and no host can have this name; expected an "
                "id such as 'ws-1'"
            )
        return workspace

    @property
    def address(self) -> str:
        """The base URL of the service, or of the user's own server."""
        return (self.base_url or service_address(self.region, self.workspace)).rstrip("/")

    @property
    def billing_region(self) -> str | None:
        """The region that bills; None if it is not known, as behind a gateway."""
        stated = self.region if "region" in self.model_fields_set else None
        return region_of(self.address) or stated
