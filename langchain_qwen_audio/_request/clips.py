"""Clips in messages → what travels: read or downloaded, converted, and inline or to be uploaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from cachetools import LRUCache

from langchain_qwen_audio._locks import ForkSafeLock
from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._request.conversion import (
    context_overflow,
    convert,
    needs_no_conversion,
)
from langchain_qwen_audio._request.multichannel import with_all_channels
from langchain_qwen_audio._request.named_files import MAX_FILE_BYTES, LocalFiles, find_named_file
from langchain_qwen_audio._request.parts import (
    AudioPart,
    AudioUrlPart,
    FramesPart,
    ImagePart,
    InlineAudioPart,
    PreparedPart,
    RequestMessage,
    TextPart,
    UploadPart,
    VideoPart,
)
from langchain_qwen_audio._request.visuals import with_files_inline
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._models.routes import AudioTransport, LongAudio
    from langchain_qwen_audio._protocols.base import WireProtocol
    from langchain_qwen_audio._request.parts import Part

CACHE_BYTES = 64 * 1024 * 1024  # of converted clips, so that a conversation converts a clip once


@dataclass(frozen=True)
class ClipOptions:
    """What may be read, how clips are converted, and how they travel.

    Attributes:
        profile: What the model takes.
        protocol: The wire format.
        model: The model's name, for errors.
        long_audio: What to do with a clip that is longer than the model takes.
        audio_transport: Inline as base64, uploaded, or whichever is possible.
        local_files: Whether files that users' messages name are read: all, none, or those below
            these directories.
        keeps_channels: Whether recordings of several channels travel with all of them.
    """

    profile: Profile
    protocol: WireProtocol
    model: str = ""
    long_audio: LongAudio = "split"
    audio_transport: AudioTransport = "auto"
    local_files: LocalFiles = False
    keeps_channels: bool = False


def urls_to_download(messages: Sequence[RequestMessage[Part]]) -> list[str]:
    """List the URLs of clips that are downloaded here, where the service does not do that."""
    parts = (part for message in messages for part in message.content)
    urls = (part.url for part in parts if isinstance(part, AudioUrlPart))
    return list(dict.fromkeys(url for url in urls if url_scheme(url) in {"http", "https"}))


def prepare_clips(
    messages: Sequence[RequestMessage[Part]],
    options: ClipOptions,
    downloaded: Mapping[str, Audio],
) -> list[RequestMessage[PreparedPart]]:
    """Make messages of what travels.

    Args:
        messages: As `map_messages` makes them.
        options: How.
        downloaded: What `urls_to_download` listed, and what was there.

    Raises:
        AudioError: A clip that cannot be read, converted or sent.
        ContextOverflowError: More audio than the model's context holds.
    """
    preparation = _Preparation(options, downloaded)
    return [
        message.with_content(
            [done for part in message.content for done in preparation.prepare(part)]
        )
        for message in messages
    ]


class _Preparation:
    """The clips of one request, and the tokens that they take together."""

    def __init__(self, options: ClipOptions, downloaded: Mapping[str, Audio]) -> None:
        self._options = options
        self._downloaded = downloaded
        self._tokens = 0

    def prepare(self, part: Part) -> list[PreparedPart]:
        """Make what travels of one part: the part itself, or the parts of a clip."""
        match part:
            case TextPart():
                return [part]
            case ImagePart() | VideoPart() | FramesPart():
                return [with_files_inline(part, self._options.profile, self._options.local_files)]
            case AudioPart():
                return self._prepare_clip(part)
            case AudioUrlPart():
                return self._prepare_url(part)
            case _:
                assert_never(part)

    def _prepare_url(self, part: AudioUrlPart) -> list[PreparedPart]:
        url = part.url
        if clip := self._downloaded.get(url) or read_local_file(url, self._options):
            return self._prepare_clip(AudioPart(clip))
        self._options.protocol.check_audio_url(url, self._options.model)
        return [part]

    def _prepare_clip(self, part: AudioPart) -> list[PreparedPart]:
        profile, clip = self._options.profile, part.audio
        with clip.kept_open():
            is_ready = part.made_for == profile
            clips = [clip] if is_ready else _converted(clip, self._options)
            self._tokens += sum(profile.clip_tokens(it.duration_s) or 0 for it in clips)
            self._require_context()
            return [_travelling(it, self._options) for it in clips]

    def _require_context(self) -> None:
        """Require that the model's context holds all the audio."""
        profile = self._options.profile
        limit = profile.max_input_tokens
        if limit is not None and self._tokens > limit:
            tokens = f"{self._tokens:,} tokens of audio"
            length_s = self._tokens / (profile.tokens_per_s or 1.0)
            raise context_overflow("these messages hold", tokens, length_s, profile)


def read_local_file(url: str, options: ClipOptions) -> Audio | None:
    """Read the file that a URL names, if the options allow it; None for a URL of another kind.

    Raises:
        AudioError: The file may not be read, or cannot be.
    """
    if url_scheme(url) != "file":
        return None
    instead = "send the recording itself, Audio.from_path(path).to_block()"
    file = find_named_file(url, options.local_files, instead)
    if file.size > MAX_FILE_BYTES:
        raise AudioError(
            f"{file.path}: it is {file.size:,} bytes long, at most {MAX_FILE_BYTES:,} are read; "
            "QwenAudioLoader takes recordings of any length"
        )
    return Audio(file, name=file.path.name)


def _travelling(clip: Audio, options: ClipOptions) -> InlineAudioPart | UploadPart:
    profile, transport = options.profile, options.audio_transport
    ways = [transport] if transport != "auto" else ["inline", "upload"]
    if transport not in {"auto", *profile.transports}:
        raise AudioError(
            f"{clip.name}: audio_transport is {transport!r}, and {options.model} takes clips by "
            f"{' or '.join(profile.transports)}: leave it out"
        )
    size = len(f"data:{clip.mime_type};base64,") + (clip.size + 2) // 3 * 4
    for way in ways:
        if way not in profile.transports:
            continue
        if way == "upload":
            return UploadPart(clip)
        if size <= profile.max_data_uri_bytes:
            return InlineAudioPart(clip.mime_type, clip.base64)
    raise AudioError(
        f"{clip.name}: inline it is {size:,} bytes, and at most {profile.max_data_uri_bytes:,} are "
        f"taken; this model takes clips by {' or '.join(profile.transports)} (audio_transport is "
        f"{transport!r})"
    )


# --- converted clips, cached ----------------------------------------------------------------------


def _size_of(clips: list[Audio]) -> int:
    return sum(clip.size for clip in clips)


_cache: LRUCache[tuple[str, Profile, LongAudio, bool], list[Audio]]
_cache = LRUCache(CACHE_BYTES, _size_of)
_lock = ForkSafeLock()


def _converted(clip: Audio, options: ClipOptions) -> list[Audio]:
    keeps_channels = options.keeps_channels and clip.channel is None and clip.channels > 1
    key = (clip.digest, options.profile, options.long_audio, keeps_channels)
    with _lock:
        if cached := _cache.get(key):
            return cached
    if needs_no_conversion(clip, options.profile):
        return [clip]  # and nothing of it is held
    if keeps_channels:
        clips = [with_all_channels(clip, options.profile)]
    else:
        clips = convert(clip, options.profile, options.long_audio)
    # Clips that were truncated are not cached, so that each time is warned of.
    if options.long_audio != "truncate" and _size_of(clips) <= CACHE_BYTES:
        with _lock:
            _cache[key] = clips
    return clips
