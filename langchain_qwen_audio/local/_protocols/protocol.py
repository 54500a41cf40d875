"""What a protocol is to the server: a path, a reader, a writer, and the shape of its errors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import InputTokens

ReadRequest: TypeAlias = Callable[[Mapping[str, Any], Mapping[str, str], str, Model], ModelRequest]
"""The body (a JSON object), the headers (in lower case), the model's name and its facts."""

WriteReply: TypeAlias = Callable[[Reply, ModelRequest, InputTokens], RawReply]


@dataclass(frozen=True)
class ServerProtocol:
    """One wire format, both ways. A new one is a file here and a row in `registry.py`.

    Attributes:
        name: As the table of models calls it.
        kind: The `ReceivedRequest.kind` of its requests.
        base_path: The path of the base URL; unknown paths below it get its errors.
        path: The path of its requests, below `base_path`. Several may share it: then the model
            decides.
        parameters: The names of the parameters that it plays, or that have no effect that a
            reply could show.
        read: Read a request; raises `Refusal`.
        write: Write a reply to it.
        write_error: Write an error.
        refuse_model: Make the error for a model that only other protocols serve.
    """

    name: str
    kind: str
    base_path: str
    path: str
    parameters: frozenset[str]
    read: ReadRequest
    write: WriteReply
    write_error: Callable[[Refusal], RawReply]
    refuse_model: Callable[[str], Refusal]
