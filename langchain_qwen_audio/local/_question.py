"""A generation request that has passed the checks, by whichever path it came. Plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_qwen_audio.local._models import Model
from langchain_qwen_audio.local._tokens import split_tokens


@dataclass(frozen=True)
class Question:
    """What is asked of which model, and how it wants the answer.

    Attributes:
        name: The model's name, as it was asked for.
        model: The model's facts.
        messages: The conversation in the native form; tools, calls and what tools returned are in
            its text, as `_tools` reads them.
        compatible: It came by the OpenAI-compatible path.
        stream: It asks for server-sent events.
        incremental: Natively: each chunk of the stream is to hold only what is new.
        include_usage: On the compatible path: the stream is to end with the usage.
        tools: Tools are offered in the protocol's own form; calls are to be answered in it.
        speech: It asks for speech as well.
        thinking: The model is to think first.
    """

    name: str
    model: Model
    messages: Sequence[Mapping[str, Any]]
    compatible: bool
    stream: bool
    incremental: bool = False
    include_usage: bool = False
    tools: bool = False
    speech: bool = False
    thinking: bool = False

    @property
    def audios(self) -> list[str]:
        """Every audio of the conversation, as sent, in order."""
        return [part["audio"] for part in self._parts() if "audio" in part]

    @property
    def text_tokens(self) -> int:
        """The length of all its text."""
        return sum(len(split_tokens(part.get("text", ""))) for part in self._parts())

    def _parts(self) -> list[dict[str, Any]]:
        return [part for message in self.messages for part in message["content"]]
