"""What the URLs say by which audio, images and videos may come."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, urlsplit

from langchain_qwen_audio.errors import MessageError

FETCHED_BY_SERVICE = frozenset({"http", "https", "oss"})
MAX_LABEL_CHARS = 63  # of the name of a host, between two dots
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def url_scheme(value: Any) -> str:
    """Read a URL's scheme, in lower case; "" if it has none. A Windows drive (`C:`) is none."""
    match = _SCHEME.match(value[:40]) if isinstance(value, str) else None
    return match[1].lower() if match else ""


def split_url(url: str) -> SplitResult | None:
    """Split a URL; None if it is none, as `http://[`."""
    try:
        return urlsplit(url)
    except ValueError:
        return None


def address_fault(url: Any) -> str:
    """Say why an http(s) URL leads nowhere, as `http://host:70000/`.

    Returns:
        A reason; "" if nothing is wrong, or if it is no http(s) URL.
    """
    if url_scheme(url) not in {"http", "https"}:
        return ""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:  # "Port out of range 0-65535", "Invalid IPv6 URL"
        return str(error)
    if not parts.hostname:
        return "it names no host"
    labels = parts.hostname.removesuffix(".").split(".")
    if not all(0 < len(label) <= MAX_LABEL_CHARS for label in labels):
        return f"a part of its host's name is empty, or longer than {MAX_LABEL_CHARS} characters"
    return ""


def idna_fault(host: str) -> str:
    """Say why a host that is not named in ASCII cannot be looked up; httpx would not say it.

    Returns:
        A reason; "" if nothing is wrong.
    """
    if host.isascii() and not host.startswith("xn--"):
        return ""
    import idna  # its tables take some milliseconds

    try:
        idna.decode(host) if host.isascii() else idna.encode(host)
    except idna.IDNAError as error:
        return str(error)
    return ""


def check_address(url: Any, where: str) -> None:
    """Require that an http(s) URL may lead somewhere.

    Args:
        url: A URL; of other schemes, and of what is no URL, nothing is required.
        where: What to call it in errors.

    Raises:
        MessageError: It leads nowhere.
    """
    if fault := address_fault(url):
        raise MessageError(
            f"{where}: {url[:200]!r} came, which leads nowhere ({fault}); expected a URL with a "
            "host, and with a port of at most 65535 if it has one"
        )


def url_suffix(url: str) -> str:
    """Read how the path of a URL ends, in lower case without the dot; "" if it says nothing."""
    parts = split_url(url)
    return PurePosixPath(parts.path).suffix.lower().removeprefix(".") if parts else ""
