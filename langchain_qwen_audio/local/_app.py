"""A request → the checks → a reply → its bytes. Plain ASGI: a few routes need no more.

POST the paths of `_protocols.registry`       (requests to models)
GET  /api/v1/uploads?action=getPolicy&model=...
GET  /compatible-mode/v1/models
POST /oss                                     (the upload_host that getPolicy names)
POST /api/v1/services/audio/asr/transcription (jobs; also GET /api/v1/tasks/ID, POST .../ID/cancel)
GET  /results/...                             (the transcription_url that a job names)
POST /compatible-mode/v1/files                (also GET .../ID/content, DELETE .../ID)
POST /compatible-mode/v1/batches              (also GET .../ID, POST .../ID/cancel)
WebSocket /api-ws/v1/realtime?model=...       (live sessions)
WebSocket /api-ws/v1/inference                (live transcription in tasks)
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from langchain_qwen_audio.local._answers.answer import answer_request
from langchain_qwen_audio.local._answers.ending import end_reply
from langchain_qwen_audio.local._answers.job import answer_job
from langchain_qwen_audio.local._audio_input import (
    SAMPLE_RATE,
    count_audio_tokens,
    measure_audio,
    read_audio,
)
from langchain_qwen_audio.local._jobs import failure_of, is_result
from langchain_qwen_audio.local._live.endpoint import (
    LIVE_PATHS,
    LiveAnswers,
    LiveRecord,
    LiveSocket,
    check_live,
    refuse_live,
    serve_live,
)
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.limits import check_limits
from langchain_qwen_audio.local._models.table import Models
from langchain_qwen_audio.local._protocols import jobs
from langchain_qwen_audio.local._protocols.batches import (
    BATCH_KINDS,
    FILE_KINDS,
    find_batch_request,
    in_batch,
)
from langchain_qwen_audio.local._protocols.checks import (
    INVALID_PARAMETER,
    check_api_key,
    check_model_name,
)
from langchain_qwen_audio.local._protocols.jobs import TASKS_PATH, read_submission, write_submitted
from langchain_qwen_audio.local._protocols.model_list import MODELS_PATH, write_models
from langchain_qwen_audio.local._protocols.registry import (
    protocols_at,
    read_request,
    refuse_path,
    write_error,
)
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import (
    END,
    RESET,
    JobFailure,
    LiveReply,
    RawReply,
    Reply,
    Scripted,
)
from langchain_qwen_audio.local._tokens import InputTokens
from langchain_qwen_audio.local._uploads import write_oss_error, write_policy

if TYPE_CHECKING:
    from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
    from langchain_qwen_audio.local._audio_input import Samples
    from langchain_qwen_audio.local._batches import Batches
    from langchain_qwen_audio.local._jobs import Jobs, Outcome
    from langchain_qwen_audio.local._traffic import RequestLog
    from langchain_qwen_audio.local._uploads import Uploads

_NO_WEBSOCKETS = (
    "The local test server cannot serve live sessions: wsproto is not installed. Run: "
    'pip install "langchain-qwen-audio[local]"'
)
_TWO_LENGTHS = (
    "Content-Length and Transfer-Encoding came, expected one of them: where the body ends would be "
    "a guess"
)

T = TypeVar("T")
Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]


class ClientLeftError(Exception):
    """The client closed the connection; an answer would reach nobody."""


@dataclass
class Scripts:
    """Replies that wait for their requests."""

    models: deque[Scripted] = field(default_factory=deque)
    policy: deque[RawReply] = field(default_factory=deque)
    upload: deque[RawReply] = field(default_factory=deque)
    task: deque[RawReply] = field(default_factory=deque)
    result: deque[RawReply] = field(default_factory=deque)
    file: deque[RawReply] = field(default_factory=deque)
    batch: deque[RawReply] = field(default_factory=deque)


@dataclass
class App:
    """The service, as an ASGI application; `LocalDashScope` explains the fields."""

    log: "RequestLog"
    uploads: "Uploads"
    jobs: "Jobs"
    batches: "Batches"
    transcriber: "WhisperTranscriber"
    scripts: Scripts
    reply: Scripted | None
    api_keys: Collection[str] | None
    models: Models
    parameters: Collection[str]
    check_audio: bool
    workers: Executor
    live_sessions: deque[LiveRecord]
    max_live_events: int
    mounted: dict[str, Callable[[Scope, Receive, Send], Awaitable[None]]] = field(
        default_factory=dict
    )

    def missing(self) -> str:
        """Say what is not installed for the replies that no script gives; "" if nothing is."""
        scripted = self.scripts.models or self.reply is not None
        return "" if scripted and not self.check_audio else self.transcriber.missing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one live session."""
        try:
            if mounted := self.mounted.get(scope["path"]):
                await mounted(scope, receive, send)
                return
            if scope["type"] == "websocket":
                await self._serve_live(scope, receive, send)
                return
            if refused := _refuse_two_lengths(scope):
                await _play(refused, scope["state"]["connection"], receive, send)
                return
            if early := self._early_reply(scope):
                await _receive_body(receive, early.after_bytes)
                await _play(early, scope["state"]["connection"], receive, send)
                return
            request = await _receive_request(scope, receive)
            self.log.append(request)
            reply = await self._answer(request)
            await _play(reply, scope["state"]["connection"], receive, send)
        except (ClientLeftError, asyncio.CancelledError):
            return  # The client left, or the server stops: uvicorn would log either as an error.

    async def _serve_live(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _read_head(scope, "GET", b"")
        self.log.append(request)
        try:
            make_session = check_live(request, self.api_keys)
        except Refusal as refusal:
            await refuse_live(write_error(request.path, refusal), receive, send)
            return
        scripts = self.scripts.models
        if scripts and isinstance(scripts[0], RawReply):
            await refuse_live(scripts.popleft(), receive, send)  # type: ignore[arg-type]
            return
        record = LiveRecord(request, self.max_live_events)
        self.live_sessions.append(record)
        answers = LiveAnswers(
            *(request, scripts, self.reply, self.transcriber), self._run_script, self._in_worker
        )
        socket = LiveSocket(send, scope["state"]["connection"], record)
        await serve_live(make_session(answers, socket), record, receive, send)

    def _early_reply(self, scope: Scope) -> RawReply | None:
        """Take the scripted answer to an upload that does not wait for the whole file."""
        uploads = self.scripts.upload
        is_upload = _find_kind(scope["method"], scope["path"]) == "upload"
        early = is_upload and uploads and uploads[0].after_bytes is not None
        return uploads.popleft() if early else None

    async def _answer(self, request: ReceivedRequest) -> RawReply:
        try:
            match request.kind:
                case "policy":
                    return self._grant_upload(request)
                case "upload":
                    return self._upload(request)
                case "job":
                    return await self._submit_job(request)
                case "task" | "cancel":
                    return self._answer_task_request(request)
                case "result":
                    return self._send_result(request)
                case "models":
                    check_api_key(request, self.api_keys)
                    return write_models(self.models)
                case kind if kind in FILE_KINDS | BATCH_KINDS:
                    return self._answer_batch_request(request)
                case "live" | "other":
                    raise _refuse_plain(request)
                case _:
                    return await self._answer_model_request(request)
        except Refusal as refusal:
            return write_error(request.path, refusal)

    async def _answer_model_request(
        self, received: ReceivedRequest, *, is_line: bool = False
    ) -> RawReply:
        api_key = check_api_key(received, self.api_keys)
        protocol, request = read_request(received, self.models, self.parameters)
        check_limits(request)
        if is_line:
            request = in_batch(request)
        files = {
            audio: self.uploads.find(audio, request.name, api_key)
            for audio in request.audios
            if audio.startswith("oss://")
        }
        scripted = self.scripts.models.popleft() if self.scripts.models else self.reply
        recordings: list[Samples] | None = None
        if scripted is None or self.check_audio:
            if missing := self.transcriber.missing():
                raise Refusal(400, "NotInstalled", missing)
            recordings = await self._in_worker(
                lambda: [read_audio(url, request.model, files) for url in request.audios]
            )
        if scripted is None:
            reply: Reply | RawReply | JobFailure | LiveReply = await self._in_worker(
                lambda: answer_request(request, recordings or [], self.transcriber)
            )
        else:
            reply = await self._run_script(scripted, received)
        if isinstance(reply, RawReply):
            return reply
        if isinstance(reply, JobFailure | LiveReply):
            msg = f"A {type(reply).__name__} was scripted, and a request to a model came."
            raise Refusal(500, "InternalError", msg)
        if recordings is None:
            seconds = await self._in_worker(
                lambda: [measure_audio(url, request.model, files) for url in request.audios]
            )
        else:
            seconds = [len(samples) / SAMPLE_RATE for samples in recordings]
        reply = end_reply(reply, request)
        return protocol.write(reply, request, _count_input(request, seconds))

    def _answer_batch_request(self, received: ReceivedRequest) -> RawReply:
        api_key = check_api_key(received, self.api_keys)
        scripted = self.scripts.file if received.kind in FILE_KINDS else self.scripts.batch
        if scripted:
            return scripted.popleft()
        failure = None
        if received.kind == "batch" and self.scripts.models:
            following = self.scripts.models[0]
            failure = following if isinstance(following, JobFailure) else None
        if failure is not None:
            self.scripts.models.popleft()
        return self.batches.answer(received, api_key, self._answer_line, failure)

    async def _answer_line(self, received: ReceivedRequest) -> RawReply:
        """Answer one request of a batch."""
        try:
            return await self._answer_model_request(received, is_line=True)
        except Refusal as refusal:
            return write_error(received.path, refusal)

    async def _submit_job(self, received: ReceivedRequest) -> RawReply:
        """Take a job, whose work begins at once."""
        api_key = check_api_key(received, self.api_keys)
        request = read_submission(received, self.models)
        scripted = self.scripts.models.popleft() if self.scripts.models else self.reply
        reply = None if scripted is None else await self._run_script(scripted, received)
        if isinstance(reply, RawReply):
            return reply
        if isinstance(reply, LiveReply):
            raise Refusal(500, "InternalError", "A LiveReply was scripted, and a job came.")
        if (reply is None or self.check_audio) and (missing := self.transcriber.missing()):
            raise Refusal(400, "NotInstalled", missing)
        work = asyncio.ensure_future(self._work_at_job(request, reply, api_key))
        delay_s = reply.delay_s if isinstance(reply, Reply) else 0
        return write_submitted(self.jobs.submit(request, api_key, work), delay_s=delay_s)

    async def _work_at_job(
        self, request: ModelRequest, reply: Reply | JobFailure | None, api_key: str
    ) -> "Outcome":
        """Make what comes of a job: what the script says, or what Whisper does."""
        if isinstance(reply, JobFailure):
            return reply
        if reply is not None and not self.check_audio:
            return reply, None
        try:
            (url,) = request.audios
            is_file = url.startswith("oss://")
            files = {url: self.uploads.find(url, request.name, api_key)} if is_file else {}
            return await self._in_worker(
                lambda: answer_job(request, files, self.transcriber, reply)
            )
        except Refusal as refusal:
            return failure_of(refusal)

    def _answer_task_request(self, request: ReceivedRequest) -> RawReply:
        api_key = check_api_key(request, self.api_keys)
        if self.scripts.task:
            return self.scripts.task.popleft()
        task_id = request.path.removeprefix(TASKS_PATH).removesuffix("/cancel")
        if request.kind == "cancel":
            return self.jobs.cancel(task_id, api_key)
        return self.jobs.look(task_id, api_key, request.headers["host"])

    def _send_result(self, request: ReceivedRequest) -> RawReply:
        try:
            if "authorization" in request.headers:
                msg = "OSS takes the signature of the URL alone: send no Authorization header."
                raise Refusal(400, "InvalidArgument", msg)
            if self.scripts.result:
                return self.scripts.result.popleft()
            return self.jobs.result(request.path, request.query)
        except Refusal as refusal:
            return write_oss_error(refusal)

    async def _run_script(
        self, scripted: Scripted, received: ReceivedRequest
    ) -> Reply | RawReply | JobFailure | LiveReply:
        if callable(scripted):
            make = scripted
            scripted = await self._in_worker(lambda: make(received))
        return Reply(scripted) if isinstance(scripted, str) else scripted

    async def _in_worker(self, work: Callable[[], T]) -> T:
        """Run what blocks in a thread, and report its failure to the client."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.workers, work)
        except Refusal:
            raise
        except Exception as error:
            msg = f"The local test server failed: {error!r}"
            raise Refusal(500, "InternalError", msg) from error

    def _grant_upload(self, request: ReceivedRequest) -> RawReply:
        api_key = check_api_key(request, self.api_keys)
        if request.query.get("action") != "getPolicy":
            raise invalid_parameter(INVALID_PARAMETER)
        model = check_model_name(request.query.get("model"), self.models, self.models)
        if self.scripts.policy:
            return self.scripts.policy.popleft()
        upload_host = f"http://{request.headers['host']}/oss"
        return write_policy(self.uploads.grant(model, api_key, upload_host))

    def _upload(self, request: ReceivedRequest) -> RawReply:
        try:
            if "authorization" in request.headers:
                msg = "OSS takes the policy's signature alone: send no Authorization header."
                raise Refusal(400, "InvalidArgument", msg)
            if self.scripts.upload:
                return self.scripts.upload.popleft()
            self.uploads.store(request.form)
        except ModuleNotFoundError as error:
            msg = (
                f"The local test server cannot take uploads: {error.name} is not installed. "
                'Run: pip install "langchain-qwen-audio[local]"'
            )
            return write_oss_error(Refusal(500, "InternalError", msg))
        except ValueError as error:
            return write_oss_error(Refusal(400, "MalformedPOSTRequest", str(error)))
        except Refusal as refusal:
            return write_oss_error(refusal)
        return RawReply(200, {"content-length": "0"})


def _refuse_plain(request: ReceivedRequest) -> Refusal:
    """Refuse a request that nothing here answers, which a WebSocket is without wsproto."""
    if request.kind == "live":
        return Refusal(400, "NotInstalled", _NO_WEBSOCKETS)
    return refuse_path(request)


def _refuse_two_lengths(scope: Scope) -> RawReply | None:
    """Refuse a request whose length is said twice, which a proxy may read in the other way.

    Nothing more is read of the connection: what would be the next request is not certain either.
    """
    if not {b"content-length", b"transfer-encoding"} <= dict(scope["headers"]).keys():
        return None
    reply = write_error(scope["path"], Refusal(400, "BadRequest", _TWO_LENGTHS))
    return replace(reply, headers={**reply.headers, "connection": "close"})


def _find_kind(method: str, path: str) -> str:
    match method, path:
        case "GET", "/api/v1/uploads":
            return "policy"
        case "POST", "/oss":
            return "upload"
        case "GET", path if path == MODELS_PATH:
            return "models"
        case "POST", jobs.SUBMIT_PATH:
            return "job"
        case "GET", path if path in LIVE_PATHS:
            return "live"
    if path.startswith(TASKS_PATH) and path != TASKS_PATH:
        is_cancel = path.endswith("/cancel")
        return {("GET", False): "task", ("POST", True): "cancel"}.get((method, is_cancel), "other")
    if method == "GET" and is_result(path):
        return "result"
    if found := find_batch_request(method, path):
        return found[0]
    at_path = protocols_at(path) if method == "POST" else []
    return at_path[0].kind if at_path else "other"


async def _receive_body(receive: Receive, enough: int | None = None) -> bytes:
    """Receive all of a body, or as much as is enough."""
    body = bytearray()
    more_body = True
    while more_body and (enough is None or len(body) < enough):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeftError
        body += message["body"]
        more_body = message["more_body"]
    return bytes(body)


async def _receive_request(scope: Scope, receive: Receive) -> ReceivedRequest:
    return _read_head(scope, scope["method"], await _receive_body(receive))


def _read_head(scope: Scope, method: str, body: bytes) -> ReceivedRequest:
    path = scope["path"]
    return ReceivedRequest(
        kind=_find_kind(method, path),
        method=method,
        path=path,
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        headers={name.decode(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
    )


async def _play(reply: RawReply, connection: Any, receive: Receive, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    head = {"type": "http.response.start", "status": reply.status, "headers": headers}
    started = False
    for step in reply.steps:
        if step is RESET:
            connection.reset()
            return
        if step is END:
            connection.end()
            return
        if isinstance(step, bytes):
            if not started:
                await send(head)
                started = True
            await send({"type": "http.response.body", "body": step, "more_body": True})
        else:
            await _pause(step, receive)
    if not started:
        await send(head)
    await send({"type": "http.response.body", "body": b""})


async def _pause(seconds: float, receive: Receive) -> None:
    """Wait, or less if the client leaves: after the body, nothing else can be received."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(receive(), seconds)


def _count_input(request: ModelRequest, seconds: list[float]) -> InputTokens:
    """Count the input, with recordings by their lengths."""
    if not request.audios:
        return InputTokens(request.text_tokens)
    audio = sum(count_audio_tokens(length_s, request.model) for length_s in seconds)
    return InputTokens(request.text_tokens, audio)
