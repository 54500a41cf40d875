"""The whole way of a batch, sync and async: written, submitted, waited for, read.

Imported with the first request, as `_pipeline.py` is.
"""

from __future__ import annotations

import asyncio
import contextlib
import reprlib
import time
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_core.messages import AIMessage

from langchain_qwen_audio._models.batch_models import (
    MAX_LINE_BYTES,
    check_batch_model,
    check_batch_size,
    check_line_size,
)
from langchain_qwen_audio._pipeline import write_body
from langchain_qwen_audio._protocols.batches import is_id, read_result_lines, write_line
from langchain_qwen_audio._request.parameters import requests_speech
from langchain_qwen_audio._response.messages import Origin, to_chat_result
from langchain_qwen_audio._service.batches import (
    BatchQuery,
    BatchSubmission,
    FileDeletion,
    FileDownload,
    FileUpload,
)
from langchain_qwen_audio._service.client import Service, read_whole
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio._service.error_codes import to_job_error
from langchain_qwen_audio._service.jobs import JobLimits, Polling, naming
from langchain_qwen_audio._service.transport_errors import translated
from langchain_qwen_audio.errors import (
    APIError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.messages import BaseMessage

    from langchain_qwen_audio._protocols.batches import BatchStatus, LineResult
    from langchain_qwen_audio._settings import BaseChatQwenAudio

# Of a line; the rest is for its texts.
_MAX_DATA_URI_BYTES = MAX_LINE_BYTES - 100_000


class BatchCall:
    """One call of a `ChatBatches`: its model, and when it must have ended.

    Args:
        llm: The model.
        interval_s: Seconds between two looks at a batch.
        total_s: Seconds that the call may take in all; None is no limit.

    Raises:
        InvalidRequestError: `total_s` is no time to wait.
    """

    def __init__(self, llm: BaseChatQwenAudio, interval_s: float, total_s: float | None) -> None:
        self._llm = llm
        self._interval_s = interval_s
        self._limits = JobLimits.within(llm.timeout, llm.max_retries, total_s)
        self._route = llm.route()
        endpoint = Endpoint(
            base_url=self._route.address,
            api_key=llm.api_key.get_secret_value(),
            workspace=llm.workspace or "",
        )
        self._service = Service(endpoint, llm.http_client, llm.http_async_client)

    def submit(self, inputs: Sequence[list[BaseMessage]], window_h: int) -> str:
        """Submit a batch, and return its id."""
        with TemporaryFile() as file:
            file_id = self._service.call(self._upload(inputs, file))
        with _naming_file(file_id):
            return self._service.call(self._submission(file_id, window_h, len(inputs)))

    async def asubmit(self, inputs: Sequence[list[BaseMessage]], window_h: int) -> str:
        """Submit a batch, and return its id; recordings are read in a thread."""
        with TemporaryFile() as file:
            file_id = await self._service.acall(await asyncio.to_thread(self._upload, inputs, file))
        with _naming_file(file_id):
            return await self._service.acall(self._submission(file_id, window_h, len(inputs)))

    def status(self, batch_id: str, *, cancels: bool = False) -> BatchStatus:
        """Look how far a batch is, or cancel it."""
        return self._service.call(self._query(batch_id, cancels=cancels))

    async def astatus(self, batch_id: str, *, cancels: bool = False) -> BatchStatus:
        """Look how far a batch is, or cancel it."""
        return await self._service.acall(self._query(batch_id, cancels=cancels))

    def results(self, batch_id: str) -> list[AIMessage | QwenAudioError]:
        """Wait for a batch, and read its results."""
        query, polling = self._query(batch_id), self._polling(batch_id)
        with naming(f"batch {batch_id}"):
            while not (status := self._service.call(query)).is_over:
                time.sleep(polling.wait_s(status.state))
            downloads = self._downloads(batch_id, status)
            files = [self._service.call(download) for download in downloads]
            return self._read(batch_id, status, files)

    async def aresults(self, batch_id: str) -> list[AIMessage | QwenAudioError]:
        """Wait for a batch, and read its results, in a thread: they may be long."""
        query, polling = self._query(batch_id), self._polling(batch_id)
        with naming(f"batch {batch_id}"):
            while not (status := await self._service.acall(query)).is_over:  # noqa: ASYNC110
                await asyncio.sleep(polling.wait_s(status.state))
            downloads = self._downloads(batch_id, status)
            files = [await self._service.acall(download) for download in downloads]
            return await asyncio.to_thread(self._read, batch_id, status, files)

    def delete_files(self, batch_id: str) -> None:
        """Delete the files of a batch that is over."""
        for deletion in self._deletions(batch_id, self.status(batch_id)):
            with contextlib.suppress(NotFoundError):  # it was deleted before
                self._service.call(deletion)

    async def adelete_files(self, batch_id: str) -> None:
        """Delete the files of a batch that is over."""
        for deletion in self._deletions(batch_id, await self.astatus(batch_id)):
            with contextlib.suppress(NotFoundError):
                await self._service.acall(deletion)

    def _upload(self, inputs: Sequence[list[BaseMessage]], file: BinaryIO) -> FileUpload:
        """Write all requests as lines of a file, since together they may be 500 MB."""
        check_batch_model(self._llm.model, self._llm.billing_region)
        _check_settings(self._llm)
        check_batch_size(len(inputs), 0)
        for number, messages in enumerate(inputs):
            with naming(f"inputs[{number}]"):
                body = write_body(self._llm, messages, _MAX_DATA_URI_BYTES)
                line = write_line(number, body.content)
                check_line_size(len(line))
            file.write(line)
            check_batch_size(len(inputs), file.tell())
        file.flush()  # its length is that on the disk
        return FileUpload(self._llm.model, self._limits, file)

    def _submission(self, file_id: str, window_h: int, requests: int) -> BatchSubmission:
        return BatchSubmission(self._llm.model, self._limits, file_id, window_h, requests)

    def _query(self, batch_id: str, *, cancels: bool = False) -> BatchQuery:
        if not is_id(batch_id):
            raise InvalidRequestError(
                f"{reprlib.repr(batch_id)} is no id of a batch, expected what submit gave"
            )
        return BatchQuery(self._llm.model, self._limits, batch_id, cancels)

    def _polling(self, batch_id: str) -> Polling:
        waiting = f"results({batch_id!r})"
        return Polling(f"batch {batch_id}", waiting, self._interval_s, self._limits.deadline)

    def _downloads(self, batch_id: str, status: BatchStatus) -> list[FileDownload]:
        """List the files of results.

        Raises:
            QwenAudioError: The batch has failed as a whole.
        """
        if status.state == "failed":
            reason = status.message or status.code or "no reason was given"
            message = f"batch {batch_id} failed as a whole: {reason}"
            model, body = self._llm.model, status.body
            raise to_job_error(status.code, message, model=model, request_id=None, body=body)
        files = [status.output_file_id, status.error_file_id]
        return [FileDownload(self._llm.model, self._limits, it) for it in files if it]

    def _deletions(self, batch_id: str, status: BatchStatus) -> list[FileDeletion]:
        if not status.is_over:
            raise InvalidRequestError(
                f"batch {batch_id} is {status.state}, and needs its files: delete them when it is "
                "over, or cancel it first"
            )
        files = [status.input_file_id, status.output_file_id, status.error_file_id]
        return [FileDeletion(self._llm.model, self._limits, it) for it in files if it]

    def _read(
        self, batch_id: str, status: BatchStatus, files: list[bytes]
    ) -> list[AIMessage | QwenAudioError]:
        """Put results in the order of the inputs; each input has one."""
        results: dict[int, LineResult] = {}
        for content in files:
            results |= read_result_lines(content)
        count = max(status.submitted, *(number + 1 for number in results), 0)
        return [
            self._read_one(results.get(number), f"input {number} of batch {batch_id}", status)
            for number in range(count)
        ]

    def _read_one(
        self, result: LineResult | None, name: str, status: BatchStatus
    ) -> AIMessage | QwenAudioError:
        try:
            with translated(self._service.endpoint.api_key, self._llm.model), naming(name):
                return self._answer(result, name, status)
        except QwenAudioError as error:
            return error.with_traceback(None)

    def _answer(self, result: LineResult | None, name: str, status: BatchStatus) -> AIMessage:
        """Read an answer.

        Raises:
            QwenAudioError: There is none.
        """
        if result is None:
            raise APIError(f"{name} has no result: the batch is {status.state}", body=status.body)
        model = self._llm.model
        facts: dict[str, Any] = {"request_id": result.request_id, "body": result.line}
        if result.failure is not None:
            code, explanation = result.failure
            reason = f"{name} failed: {explanation or code or 'no reason was given'}"
            raise to_job_error(code, reason, model=model, status=result.status, **facts)
        if not isinstance(result.reply, dict):
            raise APIError(f"{name} has a result without a reply: {result.line!r:.300}", **facts)
        reply = read_whole(result.reply, self._route.protocol)
        origin = Origin(model, self._route.provider, self._llm.billing_region)
        message = to_chat_result(reply, origin).generations[0].message
        assert isinstance(message, AIMessage)  # noqa: S101
        message.response_metadata["batch_id"] = status.batch_id
        return message


def _naming_file(file_id: str) -> contextlib.AbstractContextManager[None]:
    """Say which file stays at the service if no batch is made of it."""
    return naming(f"the batch of file {file_id}")


def _check_settings(llm: BaseChatQwenAudio) -> None:
    """Require what batches are documented for.

    Raises:
        InvalidRequestError: The model is set up for something else.
    """
    if llm.protocol not in {None, "openai"}:
        raise InvalidRequestError(
            f"protocol={llm.protocol!r} came, and batches have the OpenAI-compatible protocol "
            "alone: leave it out"
        )
    parameters = llm.parameters_of_call({})
    if requests_speech(parameters):
        raise InvalidRequestError(
            "modalities requests speech, which the service does not have in batches: leave it out"
        )
    if found := [name for name in ("tools", "enable_search") if parameters.get(name)]:
        raise InvalidRequestError(
            f"{found[0]} is set, which is documented for no batch: leave it out, or use invoke"
        )
