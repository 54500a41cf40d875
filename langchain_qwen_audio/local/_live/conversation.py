"""The turns of a live session → the request that the rules for answers take. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.local._live.settings import Settings
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._protocols.tool_prompt import write_messages
from langchain_qwen_audio.local._replies import Reply
from langchain_qwen_audio.local._tokens import InputTokens, split_tokens

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio_input import Samples

_OMNI = Model("omni", max_clip_s=3600, tokens_per_s=7, native_tools=True)
_BYTES_PER_S = 32_000


@dataclass
class LiveConversation:
    """What was said since the last answer; what is older is forgotten, so that memory is bounded.

    Attributes:
        messages: The messages, in the native form.
        recordings: The samples of what was spoken, raw.
        images: The images that were sent since then, in base64.
    """

    messages: list[dict[str, Any]] = field(default_factory=list)
    recordings: list[bytes] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    _is_answered: bool = False

    def add_speech(self, pcm: bytes) -> None:
        """Add what the user said, and the images that came with it."""
        self._begin()
        self.recordings.append(pcm)
        self._add("user", {"audio": "live"}, *({"image": image} for image in self.images))
        self.images = []

    def add_text(self, text: str) -> None:
        """Add what the user wrote."""
        self._begin()
        self._add("user", {"text": text})

    def add_result(self, text: str) -> None:
        """Add what a tool returned."""
        self._add("tool", {"text": text})

    def add_answer(self, reply: Reply) -> None:
        """Add the answer; one that calls tools is not the last word."""
        calls = [
            {"id": "", "name": call["name"], "arguments": str(call["arguments"])}
            for call in reply.tool_calls
        ]
        self._add("assistant", {"text": reply.whole_text}, calls=calls)
        self._is_answered = not calls

    def request(self, settings: Settings) -> ModelRequest:
        """Write the request that the last turn makes."""
        system = [settings.tool_prompt, str(settings.values.get("instructions") or "")]
        return ModelRequest(
            name=settings.name,
            model=_OMNI,
            messages=write_messages(self.messages, "\n\n".join(filter(None, system))),
            stream=True,
            tools=bool(settings.values["tools"]),
            speech=settings.speaks,
        )

    def tokens(self, settings: Settings) -> InputTokens:
        """Count the input since the last answer: an estimate."""
        texts = (part.get("text", "") for it in self.messages for part in it["content"])
        seconds = sum(map(len, self.recordings)) / _BYTES_PER_S
        audio = round(max(1.0, seconds) * settings.model.tokens_per_s) if seconds else 0
        return InputTokens(sum(len(split_tokens(text)) for text in texts), audio)

    def _begin(self) -> None:
        if self._is_answered:
            self.messages, self.recordings, self._is_answered = [], [], False

    def _add(
        self, role: str, *parts: Mapping[str, Any], calls: list[dict[str, str]] | None = None
    ) -> None:
        self.messages.append({"role": role, "content": [*parts], "tool_calls": calls or []})


def to_samples(pcm: bytes) -> "Samples":
    """Make samples of raw ones: 16-bit, little endian, mono."""
    import numpy as np

    return np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)
