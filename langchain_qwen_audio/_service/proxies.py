"""The environment's proxies → the way that a request takes: straight, or through a proxy.

`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` are read here, not by httpx, to which one
value that it cannot use is an error even for hosts that need no proxy.
"""

from __future__ import annotations

import contextlib
import os
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.request import getproxies

import httpx

from langchain_qwen_audio.errors import APIConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")
_PORTS = {"http": 80, "https": 443}
MAX_PORT = 65_535


class EnvironmentProxy(NamedTuple):
    """A proxy, and the variable that names it."""

    variable: str
    url: str

    def __str__(self) -> str:
        """Name it without its password."""
        return f"{self.variable}={self.url.rpartition('@')[2]}"


class UnusableProxy(httpx.BaseTransport):
    """What stands where a proxy cannot be used: each request that needs it is an error."""

    def __init__(self, message: str) -> None:
        """Say what the error is to say."""
        self._message = message

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raise the error."""
        raise self.error(request.url.host)

    def error(self, host: str) -> APIConnectionError:
        """Make the error of a request to a host."""
        return APIConnectionError(f"{host}: {self._message}", is_retryable=False)


class Proxies:
    """The proxies of the environment, as it is now."""

    def __init__(self) -> None:
        found = getproxies()
        self._excluded = [it for entry in found.get("no", "").split(",") if (it := entry.strip())]
        self.by_scheme = {
            scheme: EnvironmentProxy(_variable(scheme), _with_scheme(found[scheme]))
            for scheme in ("http", "https", "all")
            if found.get(scheme)
        }

    def find(self, url: httpx.URL) -> EnvironmentProxy | None:
        """Find the proxy for a URL; None where there is none, and for this machine itself."""
        proxy = self.by_scheme.get(url.scheme) or self.by_scheme.get("all")
        if proxy is None or _is_loopback(url.host):
            return None
        port = url.port or _PORTS.get(url.scheme)
        return None if any(_names(it, url.host, port) for it in self._excluded) else proxy

    def connect(
        self, make: Callable[[httpx.Proxy | None], _T]
    ) -> dict[EnvironmentProxy | None, _T | UnusableProxy]:
        """Make a transport for each way out.

        Args:
            make: Makes one, given a proxy or None.
        """
        ways: dict[EnvironmentProxy | None, _T | UnusableProxy] = {None: make(None)}
        for proxy in self.by_scheme.values():
            try:
                ways[proxy] = make(_parse(proxy.url))
            except (ValueError, httpx.InvalidURL) as error:
                ways[proxy] = UnusableProxy(f"{proxy}: this proxy cannot be used ({error})")
            except ImportError:
                ways[proxy] = UnusableProxy(
                    f"{proxy}: a SOCKS proxy needs the package socksio: pip install 'httpx[socks]'"
                )
        return ways


class RoutedTransport(httpx.BaseTransport):
    """Sends each request straight, or through the proxy of the environment that is for it."""

    def __init__(self, make: Callable[[httpx.Proxy | None], httpx.BaseTransport]) -> None:
        """Take what makes a transport, given a proxy or None."""
        self._proxies = Proxies()
        self._ways = self._proxies.connect(make)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        proxy = self._proxies.find(request.url)
        with naming_proxy(proxy):
            return self._ways[proxy].handle_request(request)

    def close(self) -> None:
        """Close all connections."""
        for way in self._ways.values():
            way.close()


@contextlib.contextmanager
def naming_proxy(proxy: EnvironmentProxy | None) -> Iterator[None]:
    """Name the proxy in the error of a connection that it was to make."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        if proxy is None:
            raise
        raise type(error)(f"{error} (through the proxy {proxy})") from error


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")
    return next((name for name in names if os.environ.get(name)), "the system's proxy")


def _with_scheme(url: str) -> str:
    if "://" not in url:
        return f"http://{url}"
    return f"socks5{url[5:]}" if url.lower().startswith("socks://") else url  # as desktops write it


def _parse(url: str) -> httpx.Proxy:
    proxy = httpx.Proxy(url)
    if not proxy.url.host or (proxy.url.port or 0) > MAX_PORT:
        raise ValueError("it has no host, or a port that there cannot be")
    return proxy


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _names(entry: str, host: str, port: int | None) -> bool:
    """Tell whether an entry of NO_PROXY names a host: a name or its end, an address, or a range."""
    if entry == "*":
        return True
    named_port = ""
    if "]:" in entry or entry.count(":") == 1:
        entry, _, named_port = entry.rpartition(":")
    if named_port not in {"", str(port)}:
        return False
    bare = entry.replace("[", "").replace("]", "")
    with contextlib.suppress(ValueError):
        return ip_address(host) in ip_network(bare, strict=False)
    return f".{host}".endswith(f".{bare.lstrip('*.').lower()}")
