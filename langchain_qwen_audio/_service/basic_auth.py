"""A URL with a user and a password → the URL without them, and the header that says them. Pure.

The header takes the place of the one with the key, as gateways want it, and as httpx does it.
aiohttp refuses a URL and a header that both say who sends the request, and httpx logs URLs.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


def with_basic_auth(url: str, headers: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Move the user and the password of a URL to the headers; most URLs have none."""
    userinfo, _, host = urlsplit(url).netloc.rpartition("@") if "@" in url else ("", "", "")
    user, _, password = userinfo.partition(":")
    if not user and not password:
        return url, dict(headers)
    credentials = base64.b64encode(
        unquote_to_bytes(user) + b":" + unquote_to_bytes(password)
    ).decode()
    others = {name: it for name, it in headers.items() if name.lower() != "authorization"}
    bare = url.replace(f"{userinfo}@{host}", host, 1)
    return bare, {**others, "Authorization": f"Basic {credentials}"}
