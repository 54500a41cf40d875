"""The certificates that every connection trusts, read once."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import httpx

from langchain_qwen_audio.errors import APIConnectionError

if TYPE_CHECKING:
    import ssl


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """Read the certificates, which takes some 20 ms.

    Raises:
        APIConnectionError: `SSL_CERT_FILE` or `SSL_CERT_DIR` names none.
    """
    try:
        return httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one too
        named = next((it for it in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(it)), None)
        if named is None:
            raise
        raise APIConnectionError(
            f"the environment variable {named} is {os.environ[named]!r}, and no certificates can "
            f"be read there ({error}); unset it, or name a file of certificates in PEM format",
            is_retryable=False,
        ) from error
