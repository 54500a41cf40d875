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
    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._request.clips import ClipOptions
    from langchain_qwen_audio.audio import Audio


_MARKS = 2  # tokens around each image and video


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
        visual: Tokens of images and videos, as many as they can be.
    """

    text: int = 0
    audio: int = 0
    audio_s: float = 0.0
    uncounted: tuple[str, ...] = ()
    visual: int = 0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return self.text + self.audio + self.visual


def count(messages: list[RequestMessage[Part]], options: ClipOptions) -> Counts:
    """Count the tokens of messages: text by Qwen's tokenizer, audio by its length.

    A clip at a URL, whose length is not known here, counts as the longest that the model takes.
    Images and videos are not opened, and count as the most tokens that they can be.
    """
    found = [it for message in messages for it in _count_message(message, options)]
    return Counts(
        sum(it.text for it in found),
        sum(it.audio for it in found),
        sum(it.audio_s for it in found),
        tuple(dict.fromkeys(why for it in found for why in it.uncounted)),
        sum(it.visual for it in found),
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
            most = options.profile.max_image_tokens
            return _count_visual("an image", most)
        case FramesPart(urls):
            return _count_visual("a video", _most_of_frames(len(urls), options.profile))
        case VideoPart():
            return _count_video(options.profile)
        case _:
            assert_never(part)


def _count_visual(what: str, most: int | None) -> Counts:
    if most is None:
        return Counts(uncounted=(f"how many tokens {what} is, is not known",))
    bound = f"{what} counts as the most tokens that it can be"
    return Counts(uncounted=(bound,), visual=most + _MARKS)


def _most_of_frames(count: int, profile: Profile) -> int | None:
    """Say how many tokens so many frames are at most: two of them are one grid."""
    a_grid, most = profile.max_frame_tokens, profile.max_video_tokens
    return None if a_grid is None or most is None else min(math.ceil(count / 2) * a_grid, most)


def _count_video(profile: Profile) -> Counts:
    """Count a video with its sound, the longest that the model takes."""
    seen, length_s = _count_visual("a video", profile.max_video_tokens), profile.max_video_s or 0.0
    return seen._replace(audio=profile.clip_tokens(length_s) or 0, audio_s=length_s)


def _count_clip(clip: Audio | None, options: ClipOptions) -> Counts:
    profile = options.profile
    is_cut = options.long_audio == "truncate"
    counted_s = profile.max_clip_s if is_cut or not clip else math.inf
    length_s = min(clip.length_up_to(counted_s), counted_s) if clip else counted_s
    unknown = () if clip else ("the length of a recording at a URL is not known: the limit counts",)
    return Counts(0, profile.clip_tokens(length_s) or 0, length_s, unknown)
