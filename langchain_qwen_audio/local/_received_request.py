"""One HTTP request, as it arrived."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from langchain_qwen_audio.local._form import Form, parse_form
from langchain_qwen_audio.local._json import read_json


@dataclass(frozen=True)
class ReceivedRequest:
    """One request whose body has fully arrived.

    Attributes:
        kind: Which part of the service it reached: "generation" is the native path of the models,
            "chat" and "responses" are the OpenAI-compatible ones, and "models" lists them; "policy"
            and "upload" are those of temporary files; "job" submits a transcription job, "task"
            looks at one, "cancel" cancels it, "result" is the download of its result; "file",
            "content" and "deletion" upload, download and delete the files of batches; "batch",
            "batch_query" and "batch_cancel" submit a batch, look at it and cancel it; "live"
            opens a live session; "other" is none of them.
        method: HTTP method, in capitals.
        path: Without the query.
        query: The last value of every query parameter.
        headers: Names in lower case.
        body: As it arrived.

    Example:
        ```python
        from langchain_qwen_audio.local import LocalDashScope

        with LocalDashScope() as server:
            server.script("ok")
            local_model = ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0)
            local_model.invoke("What is said?")
            print(server.requests[0].kind, server.requests[0].messages)
        ```
    """

    kind: str
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body as JSON.

        Raises:
            ValueError: It is not JSON.
        """
        return read_json(self.body)

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The conversation, as it was sent: in `input` natively, else at the top of the body."""
        if self.kind == "responses":
            given: Any = self.json["input"]
            return [{"role": "user", "content": given}] if isinstance(given, str) else given
        messages: list[dict[str, Any]] = self.json.get("input", self.json)["messages"]
        return messages

    @property
    def parameters(self) -> dict[str, Any]:
        """All else: `parameters` natively, else the other fields of the body."""
        body: dict[str, Any] = self.json
        if "input" in body and self.kind != "responses":
            return body.get("parameters") or {}
        return {name: body[name] for name in body if name not in {"model", "messages", "input"}}

    @cached_property
    def form(self) -> Form:
        """The fields and the file of an upload.

        Raises:
            ModuleNotFoundError: python-multipart is not installed; the extra `local` has it.
            ValueError: The body is not multipart/form-data.
        """
        return parse_form(self.headers.get("content-type", ""), self.body)
