"""What is traced → the same without base64: in its place is a handle. Pure.

A model cannot send audio to LangSmith as an attachment: LangChain's tracer sends the inputs of a
run before the model is called, and sends no attachments.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pybase64

__all__ = ["without_base64"]

# No text of a language has so long a word, or so many lines of one long word. Both alphabets.
_BASE64 = re.compile(
    r"(?:data:[\w.+-]+/[\w.+-]+(?:;[\w.+=-]+)*;base64,)?"
    r"(?<![A-Za-z0-9+/_-])"  # at the beginning of a word alone, or the time would be squared
    r"((?:[A-Za-z0-9+/_-]{60,}+(?:\r?\n|\\r\\n|\\n)){16,}[A-Za-z0-9+/_-]*={0,2}"
    r"|[A-Za-z0-9+/_-]{1000,}={0,2})"
)
_LINE_BREAK = re.compile(r"\r?\n|\\r\\n|\\n")
_STANDARD = str.maketrans("-_", "+/", "=")


def without_base64(traced: Any) -> Any:
    """Replace base64 of 1,000 characters and more by a handle: size and SHA-256 of the bytes.

    That is audio, images and videos, in whichever format a message has them, and wherever they are
    in the inputs, outputs and errors of a run. The handle of a recording is the SHA-256 of its
    file, so that what was traced can be found again.

    Args:
        traced: JSON, as LangSmith passes it to an `anonymizer`.

    Returns:
        The same with handles. What was passed is not changed.

    Example:
        ```python
        from langchain_qwen_audio.tracing import without_base64
        from langsmith import Client, tracing_context

        client = Client(api_key="lsv2_…", anonymizer=without_base64)
        with tracing_context(client=client):  # and LANGSMITH_TRACING=true
            clip = Audio.from_path("welcome.wav").to_block()
            ChatQwenAudio().invoke([{"role": "user", "content": [clip]}])
        client.close()
        ```
    """
    match traced:
        case str():
            return _BASE64.sub(_handle, traced)
        case dict():
            return {name: without_base64(value) for name, value in traced.items()}
        case list():
            return [without_base64(value) for value in traced]
        case _:
            return traced


def _handle(found: re.Match[str]) -> str:
    data = _decode(found[1])
    return f"[{len(data):,} bytes, sha256:{hashlib.sha256(data).hexdigest()}]"


def _decode(text: str) -> bytes:
    """Decode base64, which may lack its padding; what is none after all counts as it is."""
    digits = _LINE_BREAK.sub("", text).translate(_STANDARD)
    try:
        return pybase64.b64decode(digits + "=" * (-len(digits) % 4))
    except ValueError:
        return text.encode()
