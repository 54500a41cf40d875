"""A request → the checks → a reply → its bytes. Plain ASGI: a few routes need no more.

POST /api/v1/services/aigc/multimodal-generation/generation
POST /compatible-mode/v1/chat/completions
GET  /api/v1/uploads?action=getPolicy&model=...
POST /oss                                    (the upload_host that getPolicy names)
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import parse_qsl

from langchain_qwen_audio.local import _audio, _checks, _persona
from langchain_qwen_audio.local._compatible import read_chat
from langchain_qwen_audio.local._models import Model, Models
from langchain_qwen_audio.local._native import read_generation
from langchain_qwen_audio.local._question import Question
from langchain_qwen_audio.local._replies import (
    END,
    RESET,
    Kind,
    RawReply,
    ReceivedRequest,
    Reply,
    Scripted,
)
from langchain_qwen_audio.local._wire import (
    Refusal,
    encode_reply,
    error_reply,
    oss_error_reply,
    policy_reply,
)
from langchain_qwen_audio.local._wire_compatible import (
    compatible_code,
    compatible_error_reply,
    encode_chat,
)

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio import Samples
    from langchain_qwen_audio.local._listen import Ear
    from langchain_qwen_audio.local._traffic import RequestLog
    from langchain_qwen_audio.local._uploads import Uploads

T = TypeVar("T")
Scope: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[dict[str, Any]]]
Send: TypeAlias = Callable[[dict[str, Any]], Awaitable[None]]

_KINDS: dict[tuple[str, str], Kind] = {
    ("POST", "/api/v1/services/aigc/multimodal-generation/generation"): "generation",
    ("POST", "/compatible-mode/v1/chat/completions"): "chat",
    ("GET", "/api/v1/uploads"): "policy",
    ("POST", "/oss"): "upload",
}


class ClientLeftError(Exception):
    """The client closed the connection; nobody is there to answer."""


@dataclass
class Scripts:
    """Replies that wait for their requests."""

    generation: deque[Scripted] = field(default_factory=deque)
    policy: deque[RawReply] = field(default_factory=deque)
    upload: deque[RawReply] = field(default_factory=deque)


@dataclass
class App:
    """The service, as an ASGI application; `LocalDashScope` explains the fields."""

    log: "RequestLog"
    uploads: "Uploads"
    ear: "Ear"
    scripts: Scripts
    reply: Scripted | None
    api_keys: Collection[str] | None
    models: Models
    check_audio: bool
    workers: Executor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            if early := self._early_reply(scope):
                await _receive_body(receive, early.after_bytes)
                await _play(early, scope["state"]["connection"], receive, send)
                return
            request = await _receive_request(scope, receive)
            self.log.append(request)
            reply = await self._answer(request)
            await _play(reply, scope["state"]["connection"], receive, send)
        except (ClientLeftError, asyncio.CancelledError):
            return  # The client left, or the server stops: uvicorn would report either as a fault.

    def _early_reply(self, scope: Scope) -> RawReply | None:
        """Take the scripted answer to an upload that does not wait for the whole file."""
        uploads = self.scripts.upload
        is_upload = _KINDS.get((scope["method"], scope["path"])) == "upload"
        early = is_upload and uploads and uploads[0].after_bytes is not None
        return uploads.popleft() if early else None

    async def _answer(self, request: ReceivedRequest) -> RawReply:
        try:
            match request.kind:
                case "generation" | "chat":
                    return await self._generate(request)
                case "policy":
                    return self._grant_upload(request)
                case "upload":
                    return self._upload(request)
                case "other":
                    msg = f"The local stand-in has no {request.method} {request.path}"
                    raise Refusal(404, "NotFound", msg)
        except Refusal as refusal:
            if request.path.startswith("/compatible-mode/"):
                code = compatible_code(refusal.code)
                return compatible_error_reply(refusal.status, code, refusal.message)
            return error_reply(refusal.status, refusal.code, refusal.message)

    async def _generate(self, request: ReceivedRequest) -> RawReply:
        api_key = _checks.check_api_key(request, self.api_keys)
        read = read_chat if request.kind == "chat" else read_generation
        question = read(request, self.models)
        files = {
            audio: self.uploads.find(audio, question.name, api_key)
            for audio in question.audios
            if audio.startswith("oss://")
        }
        scripted = self.scripts.generation.popleft() if self.scripts.generation else self.reply
        recordings: list[Samples] | None = None
        if scripted is None or self.check_audio:
            recordings = await self._in_worker(
                lambda: [_hear(url, question.model, files) for url in question.audios]
            )
        reply = await self._resolve(scripted, request, question, recordings or [])
        if isinstance(reply, RawReply):
            return reply
        return _encode(reply, question, _count_input(question, recordings))

    async def _resolve(
        self,
        scripted: Scripted | None,
        request: ReceivedRequest,
        question: Question,
        recordings: "list[Samples]",
    ) -> Reply | RawReply:
        if scripted is None:
            return await self._in_worker(lambda: _persona.answer(question, recordings, self.ear))
        if callable(scripted):
            make = scripted
            scripted = await self._in_worker(lambda: make(request))
        return Reply(scripted) if isinstance(scripted, str) else scripted

    async def _in_worker(self, work: Callable[[], T]) -> T:
        """Run what blocks in a thread, and tell its failure to the client."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self.workers, work)
        except Refusal:
            raise
        except Exception as error:
            msg = f"The local stand-in failed: {error!r}"
            raise Refusal(500, "InternalError", msg) from error

    def _grant_upload(self, request: ReceivedRequest) -> RawReply:
        api_key = _checks.check_api_key(request, self.api_keys)
        if request.query.get("action") != "getPolicy":
            raise Refusal(400, "InvalidParameter", _checks.INVALID_PARAMETER)
        model = _checks.check_model(request.query.get("model"), self.models)
        if self.scripts.policy:
            return self.scripts.policy.popleft()
        upload_host = f"http://{request.headers['host']}/oss"
        return policy_reply(self.uploads.grant(model, api_key, upload_host))

    def _upload(self, request: ReceivedRequest) -> RawReply:
        try:
            if "authorization" in request.headers:
                msg = "OSS takes the policy's signature alone: send no Authorization header."
                raise Refusal(400, "InvalidArgument", msg)
            form = request.form
            if self.scripts.upload:
                return self.scripts.upload.popleft()
            self.uploads.store(form)
        except ValueError as error:
            return oss_error_reply(Refusal(400, "MalformedPOSTRequest", str(error)))
        except Refusal as refusal:
            return oss_error_reply(refusal)
        return RawReply(200, {"content-length": "0"})


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
    body = await _receive_body(receive)
    method, path = scope["method"], scope["path"]
    return ReceivedRequest(
        kind=_KINDS.get((method, path), "other"),
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


def _hear(url: str, model: Model, files: dict[str, bytes]) -> "Samples":
    if url.startswith("data:"):
        data = _audio.decode_data_uri(url)
    elif url in files:
        data = files[url]
    else:
        data = _audio.download(url, model.max_file_bytes)
    return _audio.decode_audio(data, model)


def _count_input(question: Question, recordings: "list[Samples] | None") -> dict[str, int]:
    """Count the input; audio that nobody decoded counts as the least, one second each."""
    if not question.audios:
        return {"input_tokens": question.text_tokens}
    if recordings is None:
        audio_tokens = len(question.audios) * round(question.model.tokens_per_s)
    else:
        counts = (_audio.count_audio_tokens(samples, question.model) for samples in recordings)
        audio_tokens = sum(counts)
    return {"input_tokens": question.text_tokens, "audio_tokens": audio_tokens}


def _encode(reply: Reply, question: Question, counted: dict[str, int]) -> RawReply:
    """Say a reply in the protocol that the question came by."""
    if question.compatible:
        return encode_chat(
            reply,
            counted,
            name=question.name,
            model=question.model,
            stream=question.stream,
            include_usage=question.include_usage,
        )
    return encode_reply(
        reply,
        counted,
        stream=question.stream,
        incremental=question.incremental,
        family=question.model.family,
    )
