"""A request to a model, read by its protocol. Plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._tokens import split_tokens


@dataclass(frozen=True)
class ModelRequest:
    """What is requested of which model, and how the answer is to be sent.

    Attributes:
        name: The model's name, as it was requested.
        model: The model's facts.
        messages: The conversation in the native form: parts with one key, which is their modality.
            Tools, tool calls and their results are in its text, in the Hermes form.
        stream: The answer is to be server-sent events.
        incremental: Natively: each chunk of the stream is to hold only what is new.
        include_usage: On the compatible path: the stream is to end with the usage.
        tools: Tools are offered in the protocol's own form; calls are to be answered in it.
        speech: Speech is requested as well as text.
        thinking: The model is to think first.
        json_mode: The answer is to be a JSON object.
        asr_options: The options of speech recognition, as they came.
        recognition_options: Those of speech recognition with times.
        stop: The texts at which the answer stops.
        max_tokens: How many tokens the answer may have; `None`: any number.
        echoed: What the reply repeats of the request.
    """

    name: str
    model: Model
    messages: Sequence[Mapping[str, Any]]
    stream: bool
    incremental: bool = False
    include_usage: bool = False
    tools: bool = False
    speech: bool = False
    thinking: bool = False
    json_mode: bool = False
    asr_options: object = None
    recognition_options: Mapping[str, Any] = field(default_factory=dict)
    stop: tuple[str, ...] = ()
    max_tokens: int | None = None
    echoed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def audios(self) -> list[str]:
        """Every audio of the conversation, as sent, in order."""
        return self.values_of("audio")

    def values_of(self, kind: str) -> list[Any]:
        """List what the parts of one modality hold, as sent, in order."""
        return [part[kind] for part in self._parts() if kind in part]

    @property
    def text_tokens(self) -> int:
        """The length of all its text."""
        return sum(len(split_tokens(part.get("text", ""))) for part in self._parts())

    def _parts(self) -> list[dict[str, Any]]:
        return [part for message in self.messages for part in message["content"]]
