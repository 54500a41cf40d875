"""A model and the user's settings → which address is asked, in which protocol and encoding.

Pure. https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, TypeAlias

from langchain_qwen_audio._profiles import (
    ELSEWHERE,
    PROFILES,
    RETIRED,
    Profile,
    Protocol,
    profile_of,
)

LongAudio: TypeAlias = Literal["split", "truncate", "error"]
AudioTransport: TypeAlias = Literal["auto", "inline", "upload"]
Fetch: TypeAlias = Literal["service", "client"]
AudioEncoding: TypeAlias = Literal["data_uri", "input_audio_raw", "audio_url"]
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

# Where each protocol lives on a host of the service, and on whatever stands in for one.
_PATHS: dict[Protocol, str] = {"native": "/api/v1", "openai": "/compatible-mode/v1"}
_SERVICE = re.compile("(/api/v1|/compatible-mode/v1)$")


@dataclass(frozen=True)
class Route:
    """How one model is asked.

    Attributes:
        address: The protocol's base URL.
        protocol: DashScope's native protocol, or the OpenAI-compatible one.
        audio_encoding: How clips are written in the compatible protocol.
        profile: What the model takes, asked so.
    """

    address: str
    protocol: Protocol
    audio_encoding: AudioEncoding
    profile: Profile


def service_address(region: str, workspace: str | None) -> str:
    """Name the service's own host for a region, or for a workspace of it."""
    if workspace:
        host = _WORKSPACE_HOST.format(workspace=workspace, region=region)
    else:
        host = SHARED_HOSTS[region]
    return host + _PATHS["native"]


def is_own_server(base_url: str | None) -> bool:
    """Tell a server of the user's own, by an address that is not laid out as the service's is."""
    return base_url is not None and not _SERVICE.search(base_url.rstrip("/"))


def is_own_model(model: str, base_url: str | None, protocol: Protocol | None) -> bool:
    """Tell a model of the user's own server; the service's may be asked through a gateway."""
    return is_own_server(base_url) and (
        protocol == "openai" or (protocol is None and model not in PROFILES)
    )


@lru_cache(maxsize=256)
def find_route(
    model: str,
    address: str,
    protocol: Protocol | None = None,
    audio_encoding: AudioEncoding | None = None,
) -> Route:
    """Find out how a model is asked.

    Args:
        model: Its name.
        address: Where the service is, in either protocol's form, or a server of the user's own.
        protocol: The protocol to use, where that is not for the table to say.
        audio_encoding: The same for how clips are written.

    Raises:
        NotFoundError: The model is retired, or not to be asked in any of these ways.
        InvalidRequestError: The model cannot be asked in this protocol.
    """
    own = is_own_model(model, address, protocol)
    if not own and protocol is None:
        _require_alive(model)
    profile = profile_of(model, protocol, own_server=own)
    chosen = protocol or profile.protocols[0]
    if model in PROFILES and chosen not in profile.protocols:
        from langchain_qwen_audio.errors import InvalidRequestError

        raise InvalidRequestError(
            f"{model} cannot be asked with protocol={chosen!r}; it takes "
            f"{' or '.join(map(repr, profile.protocols))}"
        )
    if not own:
        address = _SERVICE.sub(_PATHS[chosen], address)
    if chosen == "openai":  # whose uploads the SDK does not have resolved
        profile = replace(profile, transports=("inline",))
    encoding = audio_encoding or ("input_audio_raw" if own else "data_uri")
    return Route(address, chosen, encoding, profile)


def _require_alive(model: str) -> None:
    from langchain_qwen_audio.errors import NotFoundError

    if model in RETIRED:
        raise NotFoundError(f"{model} is retired; its successor is {RETIRED[model]}")
    for name, way in ELSEWHERE.items():
        if model == name or (name.startswith("-") and model.endswith(name)):
            raise NotFoundError(
                f"{model} is asked through {way}, which this package does not do; "
                "qwen3-asr-flash transcribes, and qwen3.5-omni-flash answers questions"
            )
