"""What messages hold, against what the model takes: refused here, with the reason.

Pure. What the service would refuse, or ignore without a word, does not leave the machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    FramesPart,
    ImagePart,
    TextPart,
    VideoPart,
)
from langchain_qwen_audio._request.visuals import too_large
from langchain_qwen_audio.errors import MessageError

# https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
MAX_CONTEXT_CHARACTERS = 400

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._request.messages import Messages
    from langchain_qwen_audio._request.parts import Part, RequestMessage


def check_messages(model: str, profile: Profile, messages: Messages, *, speaks: bool) -> None:
    """Require that a model can take encoded messages.

    Args:
        model: Its name.
        profile: What it takes.
        messages: The conversation.
        speaks: Whether speech output is requested.

    Raises:
        MessageError: It cannot.
    """
    for index, message in enumerate(messages):
        for reason in _message_refusals(profile, message, speaks=speaks):
            raise MessageError(f"messages[{index}]: {model} {reason}")
    for reason in (*_count_refusals(profile, messages), *_conversation_refusals(profile, messages)):
        raise MessageError(f"{model} {reason}")


def _message_refusals(
    profile: Profile, message: RequestMessage[Part], *, speaks: bool
) -> Iterator[str]:
    role, content = message.role, message.content
    texts = [part.text for part in content if isinstance(part, TextPart)]
    clips = _count_clips(content)
    is_context = profile.history and not clips
    if role == "user" and not profile.text and any(texts) and not is_context:
        yield _no_text(profile)
    if profile.history and not profile.text:
        yield from _context_refusals(role, texts, clips)
    if role == "system" and not profile.system:
        yield "takes no system message: it captions the audio alone"
    if role == "system" and speaks and not profile.system_while_speaking:
        yield "takes no system message with speech output: put the text into the user's message"
    if role not in {"user", "system"} and not profile.history:
        yield "takes one recording and no conversation: send each recording in a request of its own"
    if profile.max_clips is not None and clips > profile.max_clips:
        yield f"takes {profile.max_clips} recording a message, and {clips} came"
    if len(texts) < len(content):
        yield from _visual_refusals(profile, content)


def _visual_refusals(profile: Profile, content: list[Part]) -> Iterator[str]:
    images, videos = _count(content, ImagePart), _count(content, VideoPart, FramesPart)
    kinds = [bool(count) for count in (images, videos, _count_clips(content))]
    if sum(kinds) > 1 and not profile.mixes:
        medium = "video" if videos else "image"
        yield f"takes text and one other kind of content in a message: send the {medium} by itself"
    files = _count(content, VideoPart)
    if profile.max_videos is not None and files > profile.max_videos:
        yield f"takes {_number(profile.max_videos, 'video')} a message, and {files} came"
    for part in content:
        if isinstance(part, FramesPart) and profile.frames is not None:
            least, most = profile.frames
            if not least <= len(part.urls) <= most:
                yield (
                    f"takes {least} to {most:,} images as a video, and {len(part.urls):,} came: "
                    "take more or fewer frames, or send one image as an image"
                )
        yield from _size_refusals(profile, part)


def _size_refusals(profile: Profile, part: Part) -> Iterator[str]:
    """List what is too large of what travels within the request. Files are read later."""
    match part:
        case ImagePart(url):
            sizes = [("image", url, profile.max_image_data_uri_bytes)]
        case FramesPart(urls):
            sizes = [("image", url, profile.max_image_data_uri_bytes) for url in urls]
        case VideoPart(url):
            sizes = [("video", url, profile.max_data_uri_bytes)]
        case TextPart() | AudioPart() | AudioUrlPart():
            return
        case _:
            assert_never(part)
    for medium, url, limit in sizes:
        if limit is not None and url_scheme(url) == "data" and len(url) > limit:
            yield too_large(medium, len(url), limit)


def _context_refusals(role: str, texts: list[str], clips: int) -> Iterator[str]:
    if role not in {"user", "system", "assistant"}:
        yield f"takes a recording and its context, and a message of the role {role!r} came"
    if role != "user" and clips:
        yield "takes one recording, in the last message"
    for text in texts:
        if len(text) > MAX_CONTEXT_CHARACTERS:
            yield (
                f"takes {MAX_CONTEXT_CHARACTERS} characters of context a message, and "
                f"{len(text):,} came: shorten it, or use vocabulary (asr_options)"
            )


def _no_text(profile: Profile) -> str:
    if profile.system:
        return (
            "takes a recording and no text from users: what helps to transcribe it (names, terms) "
            "goes into a system message"
        )
    return "takes a recording and no text: it captions the audio"


def _count_refusals(profile: Profile, messages: Messages) -> Iterator[str]:
    parts: list[Part] = [
        part for message in messages for part in message.content if not isinstance(part, TextPart)
    ]
    if not parts:
        return
    at_urls, inline = "at URLs", "that are no URLs"
    for what, where, count, limit in (
        ("recordings", inline, _count(parts, AudioPart), profile.max_inline_clips),
        ("recordings", at_urls, _count(parts, AudioUrlPart), profile.max_url_clips),
        ("images", inline, _count_inline(parts, ImagePart), profile.max_inline_images),
        ("images", at_urls, _count_fetched(parts, ImagePart), profile.max_url_images),
        ("videos", inline, _count_inline(parts, VideoPart), profile.max_inline_videos),
        ("videos", at_urls, _count_fetched(parts, VideoPart), profile.max_url_videos),
    ):
        if limit is not None and count > limit:
            yield f"takes {limit:,} {what} {where} in a request, and {count:,} came"


def _conversation_refusals(profile: Profile, messages: Messages) -> Iterator[str]:
    if profile.text:
        return
    users = [message for message in messages if message.role == "user"]
    if profile.history:
        clips = [_count_clips(message.content) for message in messages]
        if sum(clips) != 1 or not clips[-1]:
            yield f"takes one recording, in the last message, and {sum(clips)} came"
    elif len(users) != 1:
        yield f"takes one message with a recording, and {len(users)} user messages came"
    elif not _count_clips(users[0].content):
        yield "takes one recording, and none came"


def _count(content: Iterable[Part], *kinds: type) -> int:
    return sum(isinstance(part, kinds) for part in content)


def _count_clips(content: Iterable[Part]) -> int:
    return _count(content, AudioPart, AudioUrlPart)


def _count_fetched(content: Iterable[Part], kind: type[ImagePart | VideoPart]) -> int:
    """Count what the service fetches."""
    urls = (part.url for part in content if isinstance(part, kind))
    return sum(url_scheme(url) in {"http", "https"} for url in urls)


def _count_inline(content: list[Part], kind: type[ImagePart | VideoPart]) -> int:
    """Count what travels within the request."""
    return _count(content, kind) - _count_fetched(content, kind)


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
