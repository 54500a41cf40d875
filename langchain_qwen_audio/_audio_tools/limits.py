"""Limits on the recordings of a tool; what the calling model can correct comes back to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from langchain_core.tools import BaseTool, ToolException
from pydantic import ValidationError

from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

_T = TypeVar("_T")


def _explain_arguments(error: ValidationError) -> str:
    """Tell the calling model what is wrong with its arguments."""
    wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return "; ".join(wrong)


def correctable(step: Callable[[], _T]) -> _T:
    """Do a step whose failure the calling model can correct by naming something else."""
    try:
        return step()
    except AudioError as error:
        raise ToolException(str(error)) from error


class LimitedTool(BaseTool):
    """A tool that takes recordings up to a size and a length.

    A mistake that the calling model can correct comes back to it as a tool message of status
    "error"; anything else raises.
    """

    _if_too_long: ClassVar[str] = ""  # what the calling model can do then

    max_bytes: int = 100 * 1024 * 1024
    """Size of the largest recording."""

    max_duration_s: float = 240.0
    """Length of the longest recording, or part of one, in seconds."""

    handle_tool_error: bool | str | Callable[[ToolException], str] | None = True
    handle_validation_error: bool | str | Callable[[Any], str] | None = _explain_arguments

    def _require_size(self, size: int, name: str) -> None:
        """Require that a recording is not too large."""
        if size > self.max_bytes:
            raise ToolException(
                f"{name}: it is {size:,} bytes large, at most {self.max_bytes:,} are taken"
            )

    def _require_length(self, length_s: float, name: str) -> None:
        """Require that a recording is not too long; infinity is more than may be."""
        if length_s > self.max_duration_s:
            is_known = length_s < math.inf
            length = (
                f"{length_s:.1f} s long" if is_known else f"longer than {self.max_duration_s:g} s"
            )
            raise ToolException(
                f"{name}: it is {length}, at most {self.max_duration_s:g} s are taken at once"
                f"{self._if_too_long}"
            )

    def _require_short(self, audio: Audio, name: str) -> None:
        """Require that a recording is not too long; no more work is done than shows that."""
        self._require_length(correctable(lambda: audio.length_up_to(self.max_duration_s)), name)
