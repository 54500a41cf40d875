"""A recording of several channels → a WAV file that keeps them, for the model that takes them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count
from langchain_qwen_audio._media.wav import WAV_HEADER_BYTES, encode_wav
from langchain_qwen_audio._request.conversion import target_sample_rate
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from langchain_qwen_audio._models.profiles import Profile

_TAKEN = {
    2: "stereo",
    4: "first-order ambisonics",
}  # https://help.aliyun.com/zh/model-studio/qwen-omni


def with_all_channels(audio: Audio, profile: Profile) -> Audio:
    """Make a WAV file at 16 kHz (telephone sound stays at 8 kHz) with each channel as it is.

    Args:
        audio: A recording of more than one channel.
        profile: What the model takes.

    Raises:
        AudioError: It has other channels than 2 or 4, is truncated, or is longer than one request
            takes.
    """
    if audio.channels not in _TAKEN:
        kinds = " and ".join(f"{number} ({name})" for number, name in _TAKEN.items())
        raise AudioError(
            f"{audio.name}: it has {audio.channels} channels, and the model takes {kinds}; leave "
            "out use_multichannel, and they are mixed to one"
        )
    sample_rate = target_sample_rate(audio)
    _require_size(audio, profile, sample_rate)
    is_wav = (audio.mime_type, audio.codec) == ("audio/wav", "pcm_s16le")
    if is_wav and audio.sample_rate in {8000, SAMPLE_RATE} and audio.is_plain:
        audio.require_whole()
        return audio
    samples = _interleaved(audio, sample_rate)
    return Audio.from_bytes(encode_wav([samples], sample_rate, audio.channels), name=audio.name)


def _require_size(audio: Audio, profile: Profile, sample_rate: int) -> None:
    size = WAV_HEADER_BYTES + byte_count(audio.duration_s, sample_rate) * audio.channels
    most = profile.max_sent_bytes
    if audio.duration_s > profile.max_clip_s or size > most:
        raise AudioError(
            f"{audio.name}: it is {audio.duration_s:.1f} s long and {size:,} bytes as WAV of "
            f"{audio.channels} channels; at most {profile.max_clip_s:g} s and {most:,} bytes are "
            "taken: send an excerpt of each channel (split_channels), use "
            "audio_transport='upload', or leave out use_multichannel"
        )


def _interleaved(audio: Audio, sample_rate: int) -> memoryview:
    """Decode one channel after the other, each to its place."""
    samples = array("h")
    for number, channel in enumerate(audio.split_channels()):
        decoded = array("h", b"".join(channel.decode(sample_rate)))
        samples = samples or array("h", bytes(len(decoded) * decoded.itemsize * audio.channels))
        samples[number :: audio.channels] = decoded
    return memoryview(samples).cast("B")
