"""Files and batches, in memory: a batch moves on with each look at it."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from langchain_qwen_audio.local._protocols import batches as protocol
from langchain_qwen_audio.local._protocols.batches import BatchCreation, BatchProgress, Line
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import JobFailure, RawReply

_LOOKS_VALIDATING = 1
"""After so many looks that show it validating, the work at a batch begins."""

AnswerLine: TypeAlias = Callable[[ReceivedRequest], Awaitable[RawReply]]


@dataclass
class _Batch:
    batch_id: str
    creation: BatchCreation
    api_key: str
    lines: list[Line]
    failure: JobFailure | None
    state: str = "validating"
    looks: int = 0
    work: "asyncio.Future[None] | None" = None
    answers: list[bytes] = field(default_factory=list)
    errors: list[bytes] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)

    def enter(self, state: str) -> None:
        self.state = state
        self.times[state] = int(time.time())

    def move_on(self, answer_line: AnswerLine) -> None:
        """Move on with a look at it."""
        self.looks += 1
        if self.state == "validating" and self.looks > _LOOKS_VALIDATING:
            self.enter("failed" if self.failure else "in_progress")
            if self.failure is None:
                self.work = asyncio.ensure_future(self._work(answer_line))
        elif self.state == "in_progress" and self.work and self.work.done():
            self.enter("completed")
        elif self.state == "cancelling":
            self.enter("cancelled")

    def cancel(self) -> None:
        """Cancel it.

        Raises:
            Refusal: It is over.
        """
        if self.state not in {"validating", "in_progress"}:
            raise invalid_parameter(f"A batch that is {self.state} cannot be cancelled.")
        self.enter("cancelling")
        if self.work:
            self.work.cancel()

    async def _work(self, answer_line: AnswerLine) -> None:
        for line in self.lines:
            reply = await answer_line(protocol.write_line_request(line, self.api_key))
            has_succeeded, result = protocol.write_line_result(line, reply)
            (self.answers if has_succeeded else self.errors).append(result)

    def write(self) -> RawReply:
        """Say how far it is."""
        is_counted = self.state != "validating" and self.failure is None
        state = BatchProgress(
            self.state,
            total=len(self.lines) if is_counted else 0,
            completed=len(self.answers),
            failed=len(self.errors),
            output_file_id=self.files.get("output"),
            error_file_id=self.files.get("error"),
            failure=self.failure if self.state == "failed" else None,
        )
        return protocol.write_batch_progress(self.batch_id, self.creation, state, self.times)


class Batches:
    """The files and the batches of one server; only its loop uses them."""

    def __init__(self) -> None:
        """Begin without any."""
        self._files: dict[str, tuple[str, bytes]] = {}
        self._batches: dict[str, _Batch] = {}

    def answer(
        self,
        received: ReceivedRequest,
        api_key: str,
        answer_line: AnswerLine,
        failure: JobFailure | None,
    ) -> RawReply:
        """Answer a request about files or batches.

        Args:
            received: The request.
            api_key: Whose files and batches there are for it.
            answer_line: What answers the requests of a batch.
            failure: How a batch that is submitted fails as a whole.

        Raises:
            Refusal: The service would not take it.
        """
        found = protocol.find_batch_request(received.method, received.path)
        _, name = found or ("", "")
        match received.kind:
            case "file":
                content = protocol.read_upload(received)
                return protocol.write_file(self._keep("file-batch", api_key, content), len(content))
            case "content":
                return protocol.write_content(self._find_file(name, api_key))
            case "deletion":
                self._find_file(name, api_key)
                del self._files[name]
                return protocol.write_deletion(name)
            case "batch":
                return self._create(protocol.read_creation(received), api_key, failure).write()
            case "batch_query":
                batch = self._find(name, api_key)
                batch.move_on(answer_line)
                self._keep_results(batch)
                return batch.write()
            case _:
                batch = self._find(name, api_key)
                batch.cancel()
                return batch.write()

    def forget(self) -> None:
        """Forget every file and every batch."""
        self._files.clear()
        self._batches.clear()

    def _create(self, creation: BatchCreation, api_key: str, failure: JobFailure | None) -> _Batch:
        content = self._find_file(creation.file_id, api_key)
        lines: list[Line] = []
        try:
            lines = protocol.read_lines(content)
        except Refusal as refusal:
            failure = failure or JobFailure(refusal.code, refusal.message)
        batch = _Batch(f"batch_{secrets.token_hex(12)}", creation, api_key, lines, failure)
        batch.enter("validating")
        self._batches[batch.batch_id] = batch
        return batch

    def _keep_results(self, batch: _Batch) -> None:
        if batch.state not in {"completed", "cancelled"} or batch.files:
            return
        for kind, lines in (("output", batch.answers), ("error", batch.errors)):
            if lines:
                prefix = f"file-batch_{kind}"
                batch.files[kind] = self._keep(prefix, batch.api_key, b"".join(lines))

    def _keep(self, prefix: str, api_key: str, content: bytes) -> str:
        file_id = f"{prefix}-{secrets.token_hex(12)}"
        self._files[file_id] = api_key, content
        return file_id

    def _find_file(self, file_id: str, api_key: str) -> bytes:
        owner, content = self._files.get(file_id, ("", b""))
        if owner != api_key:
            raise Refusal(404, "NotFound", f"There is no file {file_id}.")
        return content

    def _find(self, batch_id: str, api_key: str) -> _Batch:
        batch = self._batches.get(batch_id)
        if batch is None or batch.api_key != api_key:
            raise Refusal(404, "NotFound", f"There is no batch {batch_id}.")
        return batch
