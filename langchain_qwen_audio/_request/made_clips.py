"""A clip that was made here for a model → the same clip, found again in the message that holds it.

A message has its base64 alone. Of a clip that somebody else made, that is decoded, measured and
converted; one that was made for the model needs none of this.
"""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from typing import TYPE_CHECKING

from langchain_qwen_audio._request.parts import AudioPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio.audio import Audio

# Nobody can write such a part into a message: it is known by the very text, within this context.
_MADE: ContextVar[AudioPart | None] = ContextVar("made_clip", default=None)


@contextlib.contextmanager
def made_clip(audio: Audio, profile: Profile) -> Iterator[None]:
    """Let messages within hold a clip that was made for a model, as `audio.to_block()`.

    Args:
        audio: The clip, which holds its base64 (`hold_base64`).
        profile: What the model takes.
    """
    token = _MADE.set(AudioPart(audio, made_for=profile))
    try:
        yield
    finally:
        _MADE.reset(token)


def find_made_clip(text: str) -> AudioPart | None:
    """Find the clip whose base64 a text is; None if it was not made here."""
    made = _MADE.get()
    return made if made is not None and made.audio.base64 is text else None
