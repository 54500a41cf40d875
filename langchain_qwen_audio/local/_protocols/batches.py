"""Batches: a file of requests and a submission in, a batch and lines of results out. Pure.

https://help.aliyun.com/zh/model-studio/batch-interfaces-compatible-with-openai
https://help.aliyun.com/zh/model-studio/batch-inference
https://help.aliyun.com/zh/model-studio/openai-file-interface
The form of `errors`, and the texts of errors, are this server's own; the form is OpenAI's.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_qwen_audio.local._json import read_json
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._protocols.checks import INVALID_PARAMETER, check_json
from langchain_qwen_audio.local._protocols.http_replies import (
    encode_text,
    json_reply,
    new_request_id,
    write_json,
)
from langchain_qwen_audio.local._protocols.openai import OPENAI
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import JobFailure, RawReply

MODELS = frozenset({"qwen3.5-omni-plus", "qwen3.5-omni-flash", "qwen-omni-turbo"})
ENDPOINT = "/v1/chat/completions"
FILE_KINDS = frozenset({"file", "content", "deletion"})
BATCH_KINDS = frozenset({"batch", "batch_query", "batch_cancel"})

_FILES = f"{OPENAI.base_path}/files"
_BATCHES = f"{OPENAI.base_path}/batches"
_KINDS = {
    ("POST", _FILES): "file",
    ("GET", f"{_FILES}/(?P<id>[^/]+)/content"): "content",
    ("DELETE", f"{_FILES}/(?P<id>[^/]+)"): "deletion",
    ("POST", _BATCHES): "batch",
    ("GET", f"{_BATCHES}/(?P<id>[^/]+)"): "batch_query",
    ("POST", f"{_BATCHES}/(?P<id>[^/]+)/cancel"): "batch_cancel",
}
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_MAX_LINES = 50_000
_MAX_LINE_BYTES = 6 * 1024 * 1024
_MAX_FILE_BYTES = 500 * 1024 * 1024
_MAX_CUSTOM_ID = 256


def find_batch_request(method: str, path: str) -> tuple[str, str] | None:
    """Tell the kind of a request about files or batches, and which id is in its path."""
    for (of_kind, pattern), kind in _KINDS.items():
        if method == of_kind and (found := re.fullmatch(pattern, path)):
            return kind, found.groupdict().get("id", "")
    return None


# --- a file of requests ---


@dataclass(frozen=True)
class Line:
    """One request of a batch."""

    custom_id: str
    body: Mapping[str, Any]


def read_upload(received: ReceivedRequest) -> bytes:
    """Read the upload of a file.

    Raises:
        Refusal: The service would not take it.
    """
    try:
        form = received.form
    except ModuleNotFoundError as error:
        msg = (
            f"The local test server cannot take files: {error.name} is not installed. "
            'Run: pip install "langchain-qwen-audio[local]"'
        )
        raise Refusal(500, "InternalError", msg) from error
    except ValueError as error:
        raise invalid_parameter(str(error)) from error
    if form.fields.get("purpose") != "batch" or form.file is None:
        raise invalid_parameter("purpose should be 'batch', and there should be a file.")
    if not (form.file_name or "").endswith(".jsonl"):
        raise invalid_parameter("A file for a batch should be a .jsonl file.")
    if len(form.file) > _MAX_FILE_BYTES:
        raise invalid_parameter("The file is larger than 500 MB.")
    return form.file


def read_lines(content: bytes) -> list[Line]:
    """Read the requests of a file.

    Raises:
        Refusal: The batch fails as a whole.
    """
    written = content.splitlines()
    if not 0 < len(written) <= _MAX_LINES:
        raise invalid_parameter(f"The file should have 1 to {_MAX_LINES} lines.")
    lines = [_read_line(line, number) for number, line in enumerate(written, 1)]
    if len({line.custom_id for line in lines}) < len(lines):
        raise invalid_parameter("custom_id should be unique within the file.")
    models = [line.body.get("model") for line in lines]
    for name in models:
        if name != models[0]:
            raise invalid_parameter(
                f"The model '{name}' for this request does not match the rest of the batch. Each "
                "batch must contain requests for a single model."
            )
    if models[0] not in MODELS:
        raise invalid_parameter(f"The model '{models[0]}' is not supported in batches.")
    return lines


def _read_line(written: bytes, number: int) -> Line:
    if len(written) > _MAX_LINE_BYTES:
        raise invalid_parameter(f"Line {number} is larger than 6 MB.")
    try:
        line = read_json(written)
    except ValueError:
        line = None
    match line:
        case {"custom_id": str(custom_id), "method": "POST", "url": str(url), "body": dict(body)}:
            if url == ENDPOINT and len(custom_id) <= _MAX_CUSTOM_ID:
                return Line(custom_id, body)
    raise invalid_parameter(f"Line {number} is no request for {ENDPOINT}.")


def in_batch(request: ModelRequest) -> ModelRequest:
    """Take a request that is a line of a batch: its answer comes whole.

    Raises:
        Refusal: It requests speech.
    """
    if request.speech:
        raise invalid_parameter(f"{request.name} does not support audio output in batches.")
    return replace(request, stream=False)


def write_line_request(line: Line, api_key: str) -> ReceivedRequest:
    """Write the request that a line stands for, as if it had been sent by itself."""
    return ReceivedRequest(
        kind=OPENAI.kind,
        method="POST",
        path=OPENAI.base_path + OPENAI.path,
        query={},
        headers={"authorization": f"Bearer {api_key}", "content-type": "application/json"},
        body=encode_text(write_json(line.body)),
    )


# --- a submission, and what is said of it ---


@dataclass(frozen=True)
class BatchCreation:
    """A submission.

    Attributes:
        file_id: The file of its requests.
        window: How long it may take, as it came.
        metadata: What it was told besides, as it came.
    """

    file_id: str
    window: str
    metadata: Mapping[str, Any]


def read_creation(received: ReceivedRequest) -> BatchCreation:
    """Read a submission.

    Raises:
        Refusal: The service would not take it.
    """
    body = check_json(received)
    file_id, window = body.get("input_file_id"), body.get("completion_window")
    if not isinstance(file_id, str) or body.get("endpoint") != ENDPOINT:
        raise invalid_parameter(INVALID_PARAMETER)
    found = _WINDOW.fullmatch(window) if isinstance(window, str) else None
    hours = int(found[1]) * (24 if found[2] == "d" else 1) if found else 0
    if not 24 <= hours <= 336:
        raise invalid_parameter("completion_window should be 24h to 336h.")
    metadata = body.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise invalid_parameter(INVALID_PARAMETER)
    return BatchCreation(file_id, str(window), metadata)


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is.

    Attributes:
        name: The service's name of the state.
        total: How many requests are counted.
        completed: How many have an answer.
        failed: How many have failed.
        output_file_id: The file of answers.
        error_file_id: The file of errors.
        failure: Why it failed as a whole.
    """

    name: str
    total: int = 0
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    failure: JobFailure | None = None


def write_batch_progress(
    batch_id: str, creation: BatchCreation, state: BatchProgress, times: Mapping[str, int]
) -> RawReply:
    """Say of a batch how far it is.

    Args:
        batch_id: Its id.
        creation: How it was submitted.
        state: How far it is.
        times: When it came into each state, in seconds.
    """
    failure = state.failure and {"code": state.failure.code, "message": state.failure.message}
    states = ("in_progress", "finalizing", "completed", "failed", "expired")
    payload = {
        "id": batch_id,
        "object": "batch",
        "endpoint": ENDPOINT,
        "errors": {"object": "list", "data": [failure]} if failure else None,
        "input_file_id": creation.file_id,
        "completion_window": creation.window,
        "status": state.name,
        "output_file_id": state.output_file_id,
        "error_file_id": state.error_file_id,
        "created_at": times["validating"],
        "expires_at": None,
        **{f"{it}_at": times.get(it) for it in (*states, "cancelling", "cancelled")},
        "request_counts": {
            "total": state.total,
            "completed": state.completed,
            "failed": state.failed,
        },
        "metadata": creation.metadata,
    }
    return json_reply(200, payload, new_request_id())


def write_file(file_id: str, size: int) -> RawReply:
    """Answer the upload of a file."""
    payload = {
        "id": file_id,
        "bytes": size,
        "created_at": int(time.time()),
        "filename": "batch.jsonl",
        "object": "file",
        "purpose": "batch",
        "status": "processed",
        "status_details": None,
    }
    return json_reply(200, payload, new_request_id())


def write_content(content: bytes) -> RawReply:
    """Answer the download of a file."""
    headers = {"content-type": "application/octet-stream", "content-length": str(len(content))}
    return RawReply(200, headers, (content,))


def write_deletion(file_id: str) -> RawReply:
    """Answer the deletion of a file."""
    payload = {"object": "file", "deleted": True, "id": file_id}
    return json_reply(200, payload, new_request_id())


# --- lines of results ---


def write_line_result(line: Line, reply: RawReply) -> tuple[bool, bytes]:
    """Write what came of a line.

    Returns:
        Whether it succeeded, and its line in the file of answers or in that of errors.
    """
    body = _body_of(reply.steps)
    has_succeeded = reply.status == 200 and body is not None
    refused = (body or {}).get("error") or {}
    error = {"code": refused.get("code", "internal_error"), "message": refused.get("message", "")}
    request_id = new_request_id()
    response = {"status_code": reply.status, "request_id": request_id}
    result = {
        "id": request_id,
        "custom_id": line.custom_id,
        "response": {**response, "body": body} if has_succeeded else response,
        "error": None if has_succeeded else error,
    }
    return has_succeeded, encode_text(f"{write_json(result)}\n")


def _body_of(steps: Sequence[object]) -> dict[str, Any] | None:
    """Read the JSON of a reply; None if it breaks off, or is none."""
    try:
        body = json.loads(b"".join(step for step in steps if isinstance(step, bytes)))
    except ValueError:
        return None
    return body if isinstance(body, dict) else None
