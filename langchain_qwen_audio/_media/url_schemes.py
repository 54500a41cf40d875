"""The schemes of URLs by which audio and images may come."""

from __future__ import annotations

import re
from typing import Any

FETCHED_BY_SERVICE = frozenset({"http", "https", "oss"})
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


def url_scheme(value: Any) -> str:
    """Read a URL's scheme, in lower case; "" if it has none. A Windows drive (`C:`) is none."""
    match = _SCHEME.match(value[:40]) if isinstance(value, str) else None
    return match[1].lower() if match else ""
