"""Seconds → text for people. Pure."""

from __future__ import annotations


def format_time(seconds: float) -> str:
    """Write a point in time: `mm:ss`, or `h:mm:ss` from an hour on."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"


def format_length(seconds: float) -> str:
    """Write a length: `4.2 s` below a minute, otherwise as `format_time`."""
    if seconds < 60:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    return format_time(seconds)
