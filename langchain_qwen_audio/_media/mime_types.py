"""What people and FFmpeg call kinds of audio → the registered media type."""

from __future__ import annotations

from pathlib import PurePath

# Names of files that should hold sound, with or without pictures, end in one of these.
SUFFIXES = frozenset(
    {
        ".3g2",
        ".3gp",
        ".aac",
        ".ac3",
        ".aif",
        ".aifc",
        ".aiff",
        ".amr",
        ".ape",
        ".asf",
        ".au",
        ".avi",
    }
    | {".awb", ".caf", ".dsf", ".eac3", ".flac", ".flv", ".gsm", ".m2ts", ".m4a", ".m4b"}
    | {".m4v", ".mka", ".mkv", ".mov", ".mp2", ".mp3", ".mp4", ".mpeg", ".mpg", ".mpga", ".mts"}
    | {".nist", ".oga", ".ogg", ".ogv", ".opus", ".qta", ".ra", ".rm", ".silk", ".slk", ".snd"}
    | {".sph", ".spx", ".ts", ".tta", ".voc", ".w64", ".wav", ".weba", ".webm", ".wma", ".wmv"}
    | {".wv"}
)
_OTHERS_TOO = {".ts", ".snd"}  # names of other files too: programs, games

# What FFmpeg calls a container → its registered media type.
_MIME_TYPES = {
    "aac": "audio/aac",
    "ac3": "audio/ac3",
    "aiff": "audio/aiff",
    "amr": "audio/amr",
    "amrnb": "audio/amr",
    "amrwb": "audio/amr-wb",
    "asf": "audio/x-ms-wma",
    "au": "audio/basic",
    "avi": "video/x-msvideo",
    "caf": "audio/x-caf",
    "flac": "audio/flac",
    "flv": "video/x-flv",
    "matroska,webm": "audio/webm",
    "mov,mp4,m4a,3gp,3g2,mj2": "audio/mp4",
    "mp3": "audio/mpeg",
    "mpegts": "video/mp2t",
    "ogg": "audio/ogg",
    "w64": "audio/x-w64",
    "wav": "audio/wav",
}

# What people call those types → the registered one.
_MIME_ALIASES = {
    "application/ogg": "audio/ogg",
    "audio/3gp": "audio/3gpp",
    "audio/aacp": "audio/aac",
    "audio/m4a": "audio/mp4",
    "audio/mp3": "audio/mpeg",
    "audio/mpeg3": "audio/mpeg",
    "audio/opus": "audio/ogg",
    "audio/vnd.wave": "audio/wav",
    "audio/wave": "audio/wav",
    "audio/x-aac": "audio/aac",
    "audio/x-aiff": "audio/aiff",
    "audio/x-flac": "audio/flac",
    "audio/x-m4a": "audio/mp4",
    "audio/x-mp3": "audio/mpeg",
    "audio/x-mpeg": "audio/mpeg",
    "audio/x-pn-wav": "audio/wav",
    "audio/x-wav": "audio/wav",
    "audio/x-matroska": "audio/webm",
    "video/3gpp": "audio/3gpp",
    "video/mp4": "audio/mp4",
    "video/quicktime": "audio/mp4",
    "video/x-matroska": "audio/webm",
    "video/webm": "audio/webm",
}


def normalize_mime_type(mime_type: str) -> str:
    """Reduce a media type to its registered name: `audio/x-wav;codecs=1` → `audio/wav`."""
    bare = mime_type.partition(";")[0].strip().lower()
    return _MIME_ALIASES.get(bare, bare)


def media_type(container: str, codec: str, brand: str = "") -> str:
    """Name the media type of a file.

    Args:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        brand: The MP4 family's own name of the file's kind, or "".
    """
    if brand.startswith("3g"):
        return "audio/3gpp"
    if container == "amr" and codec == "amr_wb":
        return "audio/amr-wb"
    return _MIME_TYPES.get(container, f"audio/x-{container}")


def is_named_as_sound(name: str) -> bool:
    """Tell from its name that a file should hold sound, with or without pictures."""
    return PurePath(name).suffix.lower() in SUFFIXES - _OTHERS_TOO
