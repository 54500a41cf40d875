"""A recording, or a part of it → the blocks of a tool's result: a description, and the sound."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from pydantic import BaseModel, Field

from langchain_qwen_audio._audio_tools.limits import LimitedTool, correctable
from langchain_qwen_audio._media.loudness import LoudnessMeter, dbfs
from langchain_qwen_audio._media.samples import SAMPLE_RATE, length_of
from langchain_qwen_audio.audio import Audio

_MORE_S = 1.0  # beyond what may be, by which headers of honest recordings are off


class PartInput(BaseModel):
    """Which part of a recording the calling model wants."""

    start_s: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Where to begin, in seconds"
    )
    end_s: float | None = Field(default=None, gt=0, description="Where to end, in seconds")


class PartTool(LimitedTool):
    """A tool that loads a recording, or a part of one, into the conversation."""

    _if_too_long: ClassVar[str] = "; name a part of it, with start_s and end_s"

    def _load(
        self, found: Audio, name: str, start_s: float | None, end_s: float | None
    ) -> tuple[dict[str, Any], Audio]:
        """Describe a recording, or a part of it, in a block of text; return it too."""
        if start_s is not None or end_s is not None:
            end = math.inf if end_s is None else end_s
            found = correctable(lambda: self._part(found, start_s or 0.0, end))
        self._require_short(found, name)
        return {"type": "text", "text": correctable(lambda: self._describe(found))}, found

    def _part(self, audio: Audio, begin_s: float, end_s: float) -> Audio:
        """Cut out a part, unless it is too long."""
        limit_s = begin_s + self.max_duration_s
        if end_s > limit_s and (length_s := audio.declared_s):
            self._require_length(min(length_s, end_s) - begin_s, audio.name)
        # A little more than may be, so that what is too long is noticed.
        part = audio.excerpt(begin_s, min(end_s, limit_s + _MORE_S))
        is_cut = end_s > limit_s and part.duration_s > self.max_duration_s
        self._require_length(math.inf if is_cut else part.duration_s, audio.name)
        return part

    def _describe(self, audio: Audio) -> str:
        """Describe a recording in a line: its length, format, loudness and silence."""
        meter = LoudnessMeter(SAMPLE_RATE)
        length_s = 0.0
        for block in meter.watch(audio.decode(SAMPLE_RATE)):
            length_s += length_of(len(block))
            if length_s > self.max_duration_s + _MORE_S:  # and more than its headers say
                self._require_length(math.inf, audio.name)
        return (
            f"{audio.name}: {audio.duration_s:.1f} s, {audio.mime_type}, {audio.sample_rate} Hz, "
            f"{audio.channels} channel(s), level {dbfs(meter.mean):.0f} dBFS, "
            f"peak {dbfs(meter.peak):.0f} dBFS, {meter.silent_percent:.0f} % silence"
        )
