"""Requests about batches, for `Service`: files, and the batches that are made of them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_qwen_audio._protocols.batches import (
    BATCHES_PATH,
    FILES_PATH,
    BatchStatus,
    read_batch,
    read_batch_id,
    read_file_id,
    write_batch,
)
from langchain_qwen_audio._service.error_codes import check_response
from langchain_qwen_audio._service.events import decode_json
from langchain_qwen_audio._service.jobs import JobRequest, check_not_submitted
from langchain_qwen_audio._service.json_body import JsonBody

if TYPE_CHECKING:
    from collections.abc import Mapping

    from langchain_core.exceptions import ModelError

    from langchain_qwen_audio._service.aiohttp_response import Response
    from langchain_qwen_audio._service.endpoint import Endpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FileUpload(JobRequest):
    """Uploads the requests of a batch; its reply is the id of the file.

    Attributes:
        lines: The file of the lines. It is read piece by piece, and by each attempt from its start.
    """

    lines: BinaryIO = field(repr=False)

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request, as a form."""
        files = {"file": ("batch.jsonl", self.lines, "application/jsonl")}
        return self.written(endpoint, "POST", FILES_PATH, data={"purpose": "batch"}, files=files)

    def read(self, response: Response) -> str:
        """Read the id of the file."""
        check_response(response)
        file_id = read_file_id(decode_json(response.content))
        logger.info("uploaded %s (%d bytes) for a batch", file_id, self.lines.tell())
        return file_id


@dataclass(frozen=True)
class BatchSubmission(JobRequest):
    """Submits a batch; its reply is the id of the batch.

    Attributes:
        file_id: The file of its requests.
        window_h: Hours that the service may take.
        requests: How many requests there are.
    """

    file_id: str
    window_h: int
    requests: int

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        body = write_batch(self.file_id, self.window_h, self.requests)
        return self.written(endpoint, "POST", BATCHES_PATH, json=JsonBody(body))

    def read(self, response: Response) -> str:
        """Read the id of the batch."""
        check_response(response)
        batch_id = read_batch_id(decode_json(response.content))
        logger.info("submitted batch %s to %s", batch_id, self.model)
        return batch_id

    def check_repeatable(self, error: ModelError) -> None:
        """Raise an error after which there may be a batch: a second one would be billed as well."""
        check_not_submitted(error, "batch")


@dataclass(frozen=True)
class BatchQuery(JobRequest):
    """Looks at a batch, or cancels it.

    Attributes:
        batch_id: The batch.
        cancels: Whether it is cancelled.
    """

    batch_id: str
    cancels: bool = False

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        path = f"{BATCHES_PATH}/{self.batch_id}"
        if self.cancels:
            return self.written(endpoint, "POST", f"{path}/cancel")
        return self.written(endpoint, "GET", path)

    def read(self, response: Response) -> BatchStatus:
        """Read what the service says of the batch."""
        check_response(response)
        return read_batch(decode_json(response.content))


@dataclass(frozen=True)
class FileDownload(JobRequest):
    """Downloads a file of results; its reply is what is in it."""

    file_id: str

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        return self.written(endpoint, "GET", f"{FILES_PATH}/{self.file_id}/content")

    def read(self, response: Response) -> bytes:
        """Read the lines; the errors in them are no refusal."""
        if not response.is_success:
            check_response(response)
        return response.content


@dataclass(frozen=True)
class FileDeletion(JobRequest):
    """Deletes a file; there is nothing in the reply."""

    file_id: str

    def write(self, endpoint: Endpoint, _urls: Mapping[str, str]) -> dict[str, Any]:
        """Write the request."""
        return self.written(endpoint, "DELETE", f"{FILES_PATH}/{self.file_id}")

    def read(self, response: Response) -> None:
        """Require that it was not refused."""
        check_response(response)
