"""A recording → what a job is given: a URL that the service fetches, or a clip to upload."""

from __future__ import annotations

import reprlib

from langchain_qwen_audio._media.url_schemes import check_address, url_scheme
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError, InvalidRequestError

# https://help.aliyun.com/zh/model-studio/get-temporary-file-url
MAX_UPLOAD_BYTES = 1024**3

# Media types of the formats that the service lists for jobs: aac, amr, avi, flac, flv, m4a, mkv,
# mov, mp3, mp4, mpeg, ogg, opus, wav, webm, wma, wmv.
# https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api
_TAKEN = frozenset(
    {
        *("audio/aac", "audio/amr", "audio/amr-wb", "audio/flac", "audio/mp4", "audio/mpeg"),
        *("audio/ogg", "audio/wav", "audio/webm", "audio/x-mpeg", "audio/x-ms-wma"),
        *("video/x-flv", "video/x-msvideo"),
    }
)


def prepare_recording(recording: str | Audio) -> str | Audio:
    """Take a URL as it is, and of a clip what is uploaded.

    A clip goes up as it came where any decoder takes all of it and the service lists its format.
    Otherwise it goes as 16 kHz WAV, mixed to mono, so that nothing of it is left out. Reads and
    decodes; call it in a thread where a loop runs.

    Raises:
        AudioError: The clip cannot be read, is truncated, or is too large to be uploaded.
        InvalidRequestError: It is neither, or a URL that leads nowhere.
    """
    if isinstance(recording, Audio):
        with recording.kept_open():
            return _uploadable(recording)
    if url_scheme(recording) not in {"http", "https"}:
        raise InvalidRequestError(
            f"the recording is {reprlib.repr(recording)}, expected an http(s) URL or an Audio; a "
            "file is Audio.from_path(…)"
        )
    check_address(recording, "the recording")
    return recording


def _is_taken(clip: Audio) -> bool:
    """Tell a clip that may go up as it came; some of that shows only when it is looked through."""
    if clip.mime_type not in _TAKEN or not clip.is_plain:
        return False
    clip.require_whole()
    return clip.is_plain


def _uploadable(clip: Audio) -> Audio:
    taken = clip if _is_taken(clip) else clip.excerpt()
    if taken.size > MAX_UPLOAD_BYTES:
        raise AudioError(
            f"{clip.name}: {taken.size:,} bytes are too large to be uploaded, at most "
            f"{MAX_UPLOAD_BYTES:,} are taken; pass the http(s) URL of the recording instead"
        )
    _ = taken.digest  # read here, and not where the upload begins
    return taken
