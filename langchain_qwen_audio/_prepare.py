"""Audio in encoded messages → what travels: read or fetched, fitted to the model, inline or not.

An element that leaves here is one that the SDK takes, or a clip that is still to be uploaded:

    {"text": str} {"image": str}               as they came
    {"audio": str}                             a URL, for the service to fetch
    {"audio": {"url": str, "format": …}}       the same, in the compatible protocol
    {"audio": {"data": base64, "format": …}}   inline; natively, the SDK makes a data URI of it
    {"audio": Upload}                          see _uploads.py
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from langchain_qwen_audio._files import LocalFile, audio_error, path_of_file_url
from langchain_qwen_audio._fit import context_overflow, fit, passes_at_once
from langchain_qwen_audio._uploads import Upload
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_qwen_audio._blocks import Element
    from langchain_qwen_audio._encode import WireMessage
    from langchain_qwen_audio._profiles import Profile
    from langchain_qwen_audio._routes import AudioEncoding, AudioTransport, Fetch, LongAudio

# Media subtypes → what the compatible protocol calls them, where that differs.
_FORMATS = {"mpeg": "mp3", "3gpp": "3gp", "mp4": "m4a", "amr-wb": "amr", "x-ms-wma": "wma"}
_SUFFIXES = {*_FORMATS.values(), "aac", "aiff", "flac", "mp4", "ogg", "opus", "wav", "webm"}

CACHE_BYTES = 64 * 1024 * 1024  # of fitted clips, so that a conversation fits its clip once


@dataclass(frozen=True)
class Rules:
    """What may be read, how clips are fitted, and how they travel.

    Attributes:
        model: The model's name, for errors.
        profile: What it hears.
        audio_encoding: How clips are written; None is natively.
        long_audio: What to do with a clip that is longer than the model hears.
        audio_transport: Inline as base64, uploaded, or whichever fits.
        local_files: Whether files that users' messages name are read: all, none, or those below
            these directories.
        fetch: Who downloads http(s) URLs.
    """

    profile: Profile
    model: str = ""
    audio_encoding: AudioEncoding | None = None
    long_audio: LongAudio = "split"
    audio_transport: AudioTransport = "auto"
    local_files: bool | Sequence[str | Path] = True
    fetch: Fetch = "service"


def urls_to_fetch(messages: list[WireMessage], rules: Rules) -> list[str]:
    """List the recordings that are to be downloaded here, not by the service."""
    if rules.fetch == "service":
        return []
    audios = (element.get("audio") for message in messages for element in message["content"])
    return list({audio: None for audio in audios if _has_scheme(audio, "http:", "https:")})


def _has_scheme(audio: object, *schemes: str) -> bool:
    return isinstance(audio, str) and audio[:8].lower().startswith(schemes)


def prepare_messages(
    messages: list[WireMessage], rules: Rules, fetched: Mapping[str, Audio]
) -> list[WireMessage]:
    """Make messages of what travels.

    Args:
        messages: As `encode_messages` makes them.
        rules: How.
        fetched: What `urls_to_fetch` listed, and what was there.

    Raises:
        AudioError: A clip that cannot be read, heard or sent.
        ContextOverflowError: More audio than the model's context holds.
    """
    tokens = 0
    prepared: list[WireMessage] = []
    for message in messages:
        content: list[Element] = []
        for element in message["content"]:
            audio = element.get("audio")
            clip = fetched.get(audio) if isinstance(audio, str) else None
            clip = clip or open_clip(audio, rules)
            if clip is not None:
                parts = _fitted(clip, rules)
                _require_few(len(parts), clip, rules)
                tokens += sum(rules.profile.clip_tokens(part.duration_s) for part in parts)
                content += [{"audio": _travelling(part, rules)} for part in parts]
            elif audio is not None:
                content.append({"audio": _referred(audio, rules)})
            else:
                content.append(element)
        prepared.append({**message, "content": content})
    limit = rules.profile.max_input_tokens
    if limit is not None and tokens > limit:
        raise context_overflow("these messages hold", f"{tokens:,} tokens of audio", rules.profile)
    return prepared


def open_clip(audio: object, rules: Rules) -> Audio | None:
    """Find the recording that an element holds or, if the rules allow, names; None for a URL.

    Raises:
        AudioError: The file may not be read, or cannot be.
    """
    if isinstance(audio, Audio):
        return audio
    if isinstance(audio, str) and _has_scheme(audio, "file:"):
        return _read(audio, rules.local_files)
    return None


def _read(url: str, allowed: bool | Sequence[str | Path]) -> Audio:
    path = path_of_file_url(url)
    if allowed is False:
        raise audio_error(
            f"{url}: local files are not read for this model (local_files=False); "
            "send the recording itself: Audio.from_path(path).to_block()"
        )
    within = None if allowed is True else [Path(root) for root in allowed]
    return Audio(LocalFile.find(path, within), name=path.name)


def _require_few(parts: int, clip: Audio, rules: Rules) -> None:
    limit = rules.profile.max_clips
    if limit is not None and parts > limit:
        raise audio_error(
            f"{clip.name}: it is {clip.duration_s:.1f} s long, and {rules.model} takes "
            f"{limit} recording of at most {rules.profile.max_part_s:g} s a message: ask about one "
            "part at a time, as QwenAudioLoader does, or use long_audio='truncate'"
        )


def _travelling(part: Audio, rules: Rules) -> dict[str, str] | Upload:
    ways = [rules.audio_transport] if rules.audio_transport != "auto" else ["inline", "upload"]
    size = len(f"data:{part.mime_type};base64,") + (part.size + 2) // 3 * 4
    for way in ways:
        if way not in rules.profile.transports:
            continue
        if way == "upload":
            return Upload(part)
        if size <= rules.profile.max_data_uri_bytes:
            return _inline(part, rules)
    raise audio_error(
        f"{part.name}: inline it is {size:,} bytes, and at most "
        f"{rules.profile.max_data_uri_bytes:,} are taken; this model takes clips by "
        f"{' or '.join(rules.profile.transports)} (audio_transport is {rules.audio_transport!r})"
    )


def _inline(part: Audio, rules: Rules) -> dict[str, str]:
    subtype = part.mime_type.removeprefix("audio/")
    if rules.audio_encoding is None:
        # Unlike a URL, inline data is not taken by the SDK for the name of a file.
        return {"data": part.base64, "format": subtype}
    bare = rules.audio_encoding == "input_audio_raw"
    data = part.base64 if bare else f"data:{part.mime_type};base64,{part.base64}"
    return {"data": data, "format": _FORMATS.get(subtype, subtype)}


def _referred(url: str, rules: Rules) -> str | dict[str, str]:
    """Write a recording that is not here, for the service to fetch."""
    if rules.audio_encoding is None:
        return url
    if _has_scheme(url, "oss:"):
        raise audio_error(
            f"{url[:200]}: {rules.model} is asked in the compatible protocol, in which the SDK has "
            "no oss:// URLs resolved; send the recording itself, or an http(s) URL"
        )
    if rules.audio_encoding == "input_audio_raw":
        raise audio_error(
            f"{url[:200]}: {rules.model} is asked at a server that fetches no such URLs; "
            "fetch='client' downloads http(s) URLs here, and audio_encoding='audio_url' is for "
            "servers that fetch them"
        )
    # The format is read from the URL's path, if that tells; from its bytes it cannot be.
    suffix = Path(urlsplit(url).path).suffix.lower().removeprefix(".")
    return {"url": url, "format": suffix} if suffix in _SUFFIXES else {"url": url}


# --- fitted clips, remembered -----------------------------------------------------------------

_fitted_clips: OrderedDict[tuple[str, Profile, LongAudio], list[Audio]] = OrderedDict()
_fitted_lock = threading.Lock()


def _renew_lock_after_fork() -> None:
    # A thread of the parent process may hold it, and does not exist in the child.
    global _fitted_lock  # noqa: PLW0603
    _fitted_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock_after_fork)


def _fitted(clip: Audio, rules: Rules) -> list[Audio]:
    key = (clip.digest, rules.profile, rules.long_audio)
    with _fitted_lock:
        if key in _fitted_clips:
            _fitted_clips.move_to_end(key)
            return _fitted_clips[key]
    if passes_at_once(clip, rules.profile):
        return [clip]  # and nothing of it is held
    parts = fit(clip, rules.profile, rules.long_audio)
    if rules.long_audio == "truncate":
        return parts  # not remembered, so that each time is warned of
    with _fitted_lock:
        _fitted_clips[key] = parts
        held = sum(part.size for parts in _fitted_clips.values() for part in parts)
        while held > CACHE_BYTES:
            _, forgotten = _fitted_clips.popitem(last=False)
            held -= sum(part.size for part in forgotten)
    return parts
