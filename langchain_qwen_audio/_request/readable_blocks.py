"""Messages that LangChain core can read: it looks at them before this package does.

Its functions for that are internal to it; this is the only place that knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.language_models._utils import _normalize_messages
from langchain_core.language_models.chat_models import _format_for_tracing

from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_core.messages import BaseMessage


def check_readable(messages: Iterable[BaseMessage]) -> None:
    """Require blocks that LangChain core does not stumble over.

    Raises:
        MessageError: A message has others; says which message.
    """
    for index, message in enumerate(messages):
        try:
            _format_for_tracing(_normalize_messages([message]))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise MessageError(
                f"messages[{index}]: LangChain cannot read a content block of it: "
                f"{type(error).__name__}: {error}; expected e.g. {{'type': 'audio', 'base64': …, "
                "'mime_type': …}"
            ) from error
