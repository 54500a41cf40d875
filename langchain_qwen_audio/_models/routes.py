"""A model and the user's settings → which address is used, in which wire format.

Pure. https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from langchain_qwen_audio._models.elsewhere import other_way
from langchain_qwen_audio._models.profiles import (
    OWN_PROVIDER,
    PROFILES,
    PROVIDER,
    RETIRED,
    Profile,
    ProtocolName,
    profile_of,
)
from langchain_qwen_audio._protocols.base import WireProtocol
from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._protocols.openai import AudioEncoding, OpenAIProtocol
from langchain_qwen_audio._protocols.recognition import RecognitionProtocol
from langchain_qwen_audio.errors import InvalidRequestError, NotFoundError

LongAudio: TypeAlias = Literal["split", "truncate", "error"]
AudioTransport: TypeAlias = Literal["auto", "inline", "upload"]
Fetch: TypeAlias = Literal["service", "client"]
Region: TypeAlias = Literal[
    "cn-beijing",
    "ap-southeast-1",
    "cn-hongkong",
    "us-east-1",
    "eu-central-1",
    "ap-northeast-1",
]

# The hosts that accounts share; the other regions have a host per workspace only.
SHARED_HOSTS = {
    "cn-beijing": "https://dashscope.aliyuncs.com",
    "ap-southeast-1": "https://dashscope-intl.aliyuncs.com",
    "cn-hongkong": "https://cn-hongkong.dashscope.aliyuncs.com",
    "us-east-1": "https://dashscope-us.aliyuncs.com",
}
_WORKSPACE_HOST = "https://{workspace}.{region}.maas.aliyuncs.com"
_WORKSPACE_NAME = re.compile(r"[^.]+\.(?P<region>[a-z0-9-]+)\.maas\.aliyuncs\.com")

# Where each protocol lives on a host of the service, and on whatever stands in for one.
_PATHS: dict[ProtocolName, str] = {
    "native": "/api/v1",
    "openai": "/compatible-mode/v1",
    "recognition": "/api/v1",
}
_WIRE: dict[ProtocolName, Callable[[AudioEncoding], WireProtocol]] = {
    "native": lambda _: NativeProtocol(),
    "openai": OpenAIProtocol,
    "recognition": lambda _: RecognitionProtocol(),
}
_SERVICE = re.compile("(/api/v1|/compatible-mode/v1)$")


@dataclass(frozen=True)
class Route:
    """How one model is used.

    Attributes:
        address: The protocol's base URL.
        protocol: The wire format.
        profile: What the model takes when it is used so.
        provider: Who answers, and bills, as LangChain names it.
    """

    address: str
    protocol: WireProtocol
    profile: Profile
    provider: str = PROVIDER


def service_address(region: str, workspace: str | None) -> str:
    """Name the service's own host for a region, or for a workspace of it."""
    if workspace:
        host = _WORKSPACE_HOST.format(workspace=workspace, region=region)
    else:
        host = SHARED_HOSTS[region]
    return host + _PATHS["native"]


def is_shared_host(address: str) -> bool:
    """Tell an address on a host that accounts share, from those of workspaces and all others."""
    return address.startswith(tuple(SHARED_HOSTS.values()))


def native_address(address: str) -> str:
    """Name the native base URL of the host that an address of the service is on."""
    return _SERVICE.sub(_PATHS["native"], address)


def is_own_server(base_url: str | None) -> bool:
    """Tell a server of the user's own, by an address that is not laid out as the service's is."""
    return base_url is not None and not _SERVICE.search(base_url.rstrip("/"))


def is_own_model(model: str, base_url: str | None, protocol: ProtocolName | None) -> bool:
    """Tell a model of the user's own server; the service's may be behind a gateway."""
    return is_own_server(base_url) and (
        protocol == "openai" or (protocol is None and model not in PROFILES)
    )


@lru_cache(maxsize=256)
def find_route(
    model: str,
    address: str,
    protocol: ProtocolName | None = None,
    audio_encoding: AudioEncoding | None = None,
) -> Route:
    """Find out how a model is used.

    Args:
        model: Its name.
        address: Where the service is, in either protocol's form, or a server of the user's own.
        protocol: The protocol to use, where that is not for the table to say.
        audio_encoding: The same for how clips are written.

    Raises:
        NotFoundError: The model is retired, or not available through this class.
        InvalidRequestError: The model does not have this protocol.
    """
    own = is_own_model(model, address, protocol)
    if not own and protocol is None:
        _require_alive(model)
    profile = profile_at(model, address, protocol, audio_encoding)
    chosen = protocol or profile.protocols[0]
    if model in PROFILES and chosen not in profile.protocols:
        raise InvalidRequestError(
            f"{model} is not available with protocol={chosen!r}; it takes "
            f"{' or '.join(map(repr, profile.protocols))}"
        )
    if not own:
        address = _SERVICE.sub(_PATHS[chosen], address)
    encoding = audio_encoding or ("input_audio_raw" if own else "data_uri")
    wire = _WIRE[chosen](encoding)
    if not wire.takes_uploads:
        profile = replace(profile, transports=("inline",))
    return Route(address, wire, profile, provider_of(model, address, protocol))


def profile_at(
    model: str,
    address: str,
    protocol: ProtocolName | None = None,
    audio_encoding: AudioEncoding | None = None,
) -> Profile:
    """Say what a model takes at an address; see `find_route`."""
    if is_own_model(model, address, protocol):
        is_gateway = audio_encoding == "data_uri"  # which DashScope alone takes
        return profile_of(model, protocol, own_server=True, gateway=is_gateway)
    return profile_in(profile_of(model, protocol), region_of(address))


@lru_cache(maxsize=256)
def provider_of(model: str, address: str, protocol: ProtocolName | None = None) -> str:
    """Say who answers, and bills: DashScope, also behind a gateway, or a server of one's own."""
    return OWN_PROVIDER if is_own_model(model, address, protocol) else PROVIDER


@lru_cache(maxsize=64)  # for each answer
def region_of(address: str) -> str | None:
    """Tell the region of an address of the service; None if it is another host, as a gateway."""
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:  # it is no address, which is an error when a request is sent
        return None
    if workspace := _WORKSPACE_NAME.fullmatch(host):
        return workspace["region"]
    shared = {urlsplit(url).hostname: region for region, url in SHARED_HOSTS.items()}
    return shared.get(host)


def profile_in(profile: Profile, region: str | None) -> Profile:
    """Narrow what a model takes to what it takes in a region; an unknown region changes nothing."""
    if region in profile.native_only_regions:
        profile = replace(profile, protocols=("native",))
    if region and profile.tool_regions and region not in profile.tool_regions:
        profile = replace(profile, native_tools=False)
    return profile


def _require_alive(model: str) -> None:
    if model in RETIRED:
        raise NotFoundError(f"{model} is retired; its successor is {RETIRED[model]}")
    if model not in PROFILES and (way := other_way(model)):
        raise NotFoundError(f"{model} {way}")
