"""Texts of a stream's events → what is new in each, from a service that may not keep its word.

Increments are asked for. A service that sends snapshots of all text so far instead is found out by
texts each of which begins with the one before and is longer. While that may still be chance ("ha",
"haha"), all but the first are held back; the end decides, since snapshots end with the whole text
and increments with an empty one.
"""

from __future__ import annotations

from typing import Literal

CERTAIN = 8  # so many growing texts are no chance


class Deltas:
    """A state machine: texts in, fragments out."""

    def __init__(self) -> None:
        self._kind: Literal["increments", "snapshots"] | None = None
        self._seen: list[str] = []  # while the kind is not known
        self._shown = ""  # of snapshots

    def take(self, text: str, *, final: bool) -> list[str]:
        """Take the text of an event, and return the fragments that may be shown now."""
        if not text:
            return []
        if self._kind is None:
            return self._decide(text, final=final)
        return [text] if self._kind == "increments" else self._beyond(text)

    def rest(self) -> list[str]:
        """Return what was held back, when no further event comes."""
        held = self._seen[1:] if self._kind is None else []
        self._kind = "increments"
        return held

    def _decide(self, text: str, *, final: bool) -> list[str]:
        before = self._seen[-1] if self._seen else ""
        grows = text.startswith(before) and len(text) > len(before)
        self._seen.append(text)
        count = len(self._seen)
        if count == 1:
            return [text]
        if (grows and count >= CERTAIN) or (final and count > 2 and text.startswith(before)):
            self._kind, self._shown = "snapshots", self._seen[0]
            return self._beyond(text)
        if grows:
            return []
        self._kind = "increments"
        return self._seen[1:]

    def _beyond(self, snapshot: str) -> list[str]:
        if self._shown.startswith(snapshot):  # an old one, come late
            return []
        if not snapshot.startswith(self._shown):
            raise _revised(self._shown, snapshot)
        new, self._shown = snapshot[len(self._shown) :], snapshot
        return [new]


def _revised(shown: str, snapshot: str) -> Exception:
    from langchain_qwen_audio.errors import APIError

    return APIError(
        f"the service changed text that it had already sent: …{shown[-40:]!r} is not in "
        f"…{snapshot[-40:]!r}"
    )
