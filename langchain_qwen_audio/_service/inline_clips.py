"""A request with clips in base64 → its body as JSON, in which their base64 is only copied.

Base64 has no signs that JSON escapes. To look for some in ten megabytes takes longer than the rest.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._request.parts import InlineAudioPart
from langchain_qwen_audio._service.json_body import JsonBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio._request.parts import RequestMessage, SentPart


class InlineClips:
    """The clips of one request, each with a mark in its place while the body is written."""

    def __init__(self) -> None:
        """Choose marks that nobody can have written into the request."""
        self._mark = secrets.token_hex(16)
        self._texts: list[str] = []

    def mark(self, messages: Sequence[RequestMessage[SentPart]]) -> list[RequestMessage[SentPart]]:
        """Take the base64 of the clips in messages, and leave marks in its place."""
        return [
            message.with_content([self._take(part) for part in message.content])
            if any(isinstance(part, InlineAudioPart) for part in message.content)
            else message
            for message in messages
        ]

    def _take(self, part: SentPart) -> SentPart:
        if not isinstance(part, InlineAudioPart):
            return part
        self._texts.append(part.base64)
        return InlineAudioPart(part.mime_type, f"{self._mark}{len(self._texts) - 1}.")

    def put_into(self, body: dict[str, Any]) -> JsonBody:
        """Write a body as JSON, with the clips where their marks are.

        Raises:
            InvalidRequestError: It cannot be written.
            MessageError: The same, because of a text.
        """
        written = JsonBody(body)
        if self._texts:
            pieces: list[bytes] = re.split(rb"%b(\d+)\." % self._mark.encode(), written.content)
            pieces[1::2] = [self._texts[int(number)].encode() for number in pieces[1::2]]
            written.content = b"".join(pieces)
        return written
