"""The one policy of retries: when a failed request is sent again, and after how long."""

from __future__ import annotations

import contextlib
import logging
import math
import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from langchain_qwen_audio.errors import APIConnectionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from langchain_core.exceptions import ModelError

logger = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 8.0
MAX_RETRY_AFTER_S = 60.0  # a longer wait than this is the caller's to decide


class Attempts:
    """When to try again: a small state machine, so that sync and async only loop.

    Args:
        model: The model of the request.
        max_retries: How many more attempts than one there are.
        repair: Takes the text of an error, and says whether it has repaired something, so that one
            more attempt at once makes sense.
        deadline: When the last attempt must have begun, on the monotonic clock.
    """

    def __init__(
        self,
        model: str,
        max_retries: int,
        repair: Callable[[str], bool] = lambda _: False,
        *,
        deadline: float = math.inf,
    ) -> None:
        self._model = model
        self._max = max_retries
        self._left = max_retries
        self._backoff_s = FIRST_BACKOFF_S
        self._repair = repair
        self._deadline = deadline
        self._begun = False
        self.is_repaired = False

    def begin(self) -> None:
        """Note that something was passed on, after which there is no further attempt."""
        self._begun = True

    def end(self) -> None:
        """Note that nothing more comes.

        Raises:
            APIConnectionError: Nothing came at all.
        """
        if not self._begun:
            raise APIConnectionError("the stream ended before its first event")

    def wait_s(self, error: ModelError) -> float:
        """Say how many seconds to wait before the next attempt, and log it.

        Raises:
            ModelError: The error itself, where there is no further attempt.
        """
        if self._begun:
            raise error
        self.is_repaired = self._repair(str(error))
        if self.is_repaired:
            return 0.0
        told_s = _retry_after_s(getattr(error, "headers", {}))
        if not self._left or not error.is_retryable or (told_s or 0.0) > MAX_RETRY_AFTER_S:
            raise error
        self._left -= 1
        wait_s = self._next_backoff_s() if told_s is None else told_s * _jitter(1.0, 1.5)
        if time.monotonic() + wait_s >= self._deadline:
            raise error
        self._log(wait_s, "" if told_s is None else " (the service's Retry-After)", error)
        return wait_s

    def _next_backoff_s(self) -> float:
        backoff_s = self._backoff_s * _jitter(0.75, 1.25)
        self._backoff_s = min(2 * self._backoff_s, MAX_BACKOFF_S)
        return backoff_s

    def _log(self, wait_s: float, source: str, error: ModelError) -> None:
        attempt = 1 + self._max - self._left
        reason = f"{type(error).__name__}: {error}"
        logger.info(
            "%s: attempt %d of %d in %.2f s%s, after %s",
            *(self._model, attempt, self._max + 1, wait_s, source, reason),
        )


def _jitter(at_least: float, at_most: float) -> float:
    """Draw a factor, so that many callers who failed together do not come back together."""
    return random.uniform(at_least, at_most)  # noqa: S311  # not a secret


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Read how long the service says to wait: in milliseconds, in seconds, or until a date."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            return max(0.0, float(headers[name]) * unit_s)
    with contextlib.suppress(KeyError, ValueError, OverflowError):
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    return None
