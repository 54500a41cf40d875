"""Seconds of audio → the models that take so much in one request. Pure."""

from __future__ import annotations

import re

from langchain_qwen_audio._models.profiles import PROFILES, Profile

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def models_for_length(length_s: float) -> list[str]:
    """Find the models that answer about `length_s` seconds of audio in one request.

    Args:
        length_s: Seconds of all recordings of the request.

    Returns:
        Their names, the largest context first; without trials, models that may be retired, and
        dated versions.
    """
    found = [
        name
        for name, profile in PROFILES.items()
        if _answers_any_number(profile)
        and profile.max_input_s >= length_s
        and not _DATE.search(name)
    ]
    return sorted(found, key=lambda name: -PROFILES[name].max_input_s)


def _answers_any_number(profile: Profile) -> bool:
    """Tell a model that may be used, and takes any number of recordings and a question."""
    return profile.status == "live" and profile.text and profile.max_clips is None
