"""What the URLs say by which audio, images and videos may come."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import SplitResult, urlsplit

FETCHED_BY_SERVICE = frozenset({"http", "https", "oss"})
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


def url_suffix(url: str) -> str:
    """Read how the path of a URL ends, in lower case without the dot; "" if it says nothing."""
    parts = split_url(url)
    return PurePosixPath(parts.path).suffix.lower().removeprefix(".") if parts else ""
