"""Text and messages → how many tokens they are, with no request and no download."""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from langchain_qwen_audio._request.clips import read_local_file
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    FramesPart,
    ImagePart,
    Part,
    RequestMessage,
    TextPart,
    VideoPart,
)

if TYPE_CHECKING:
    from langchain_qwen_audio._request.clips import ClipOptions
    from langchain_qwen_audio.audio import Audio


@functools.cache
def _tokenizer() -> Any:
    from dashscope import get_tokenizer

    return get_tokenizer("qwen-turbo")  # a file within the SDK


def token_ids(text: str) -> list[int]:
    """Make the tokens of a text, as Qwen's tokenizer does."""
    tokens: list[int] = _tokenizer().encode(text)
    return tokens


class Counts(NamedTuple):
    """What messages hold.

    Attributes:
        text: Tokens of text.
        audio: Tokens of audio; 0 where the model does not say how many a second has.
        audio_s: Seconds of audio.
        uncounted: What is not in these numbers, or only as a bound.
    """

    text: int = 0
    audio: int = 0
    audio_s: float = 0.0
    uncounted: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.text + self.audio


def count(messages: list[RequestMessage[Part]], options: ClipOptions) -> Counts:
    """Count the tokens of messages: text by Qwen's tokenizer, audio by its length.

    A clip at a URL, whose length is not known here, counts as the longest that the model takes.
    """
    found = [it for message in messages for it in _count_message(message, options)]
    return Counts(
        sum(it.text for it in found),
        sum(it.audio for it in found),
        sum(it.audio_s for it in found),
        tuple(dict.fromkeys(why for it in found for why in it.uncounted)),
    )


def _count_message(message: RequestMessage[Part], options: ClipOptions) -> list[Counts]:
    calls = json.dumps(message.tool_calls, ensure_ascii=False) if message.tool_calls else ""
    texts = [text for text in (message.reasoning, calls) if text]
    written = Counts(text=sum(len(token_ids(text)) for text in texts))
    return [written, *(_count_part(part, options) for part in message.content)]


def _count_part(part: Part, options: ClipOptions) -> Counts:
    match part:
        case TextPart(text):
            return Counts(text=len(token_ids(text)))
        case AudioPart(audio):
            return _count_clip(audio, options)
        case AudioUrlPart(url):
            return _count_clip(read_local_file(url, options), options)
        case ImagePart():
            return Counts(uncounted=("the tokens of images are not counted",))
        case VideoPart() | FramesPart():
            return Counts(uncounted=("the tokens of videos are not counted",))
        case _:
            assert_never(part)


def _count_clip(clip: Audio | None, options: ClipOptions) -> Counts:
    profile = options.profile
    is_cut = options.long_audio == "truncate"
    counted_s = profile.max_clip_s if is_cut or not clip else math.inf
    length_s = min(clip.length_up_to(counted_s), counted_s) if clip else counted_s
    unknown = () if clip else ("the length of a recording at a URL is not known: the limit counts",)
    return Counts(0, profile.clip_tokens(length_s) or 0, length_s, unknown)
