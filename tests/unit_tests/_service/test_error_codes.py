"""What the service says when it refuses → one class, whether to retry, and what to do about it."""

from __future__ import annotations

import copy
import itertools
import json
import pickle
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from dashscope.v2 import errors as sdk
from langchain_core import exceptions as core
from pydantic import ValidationError

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._models.profiles import RETIRED
from langchain_qwen_audio.local import (
    LocalDashScope,
    RawReply,
    error_reply,
    sse_event,
    stream_error_reply,
)
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import JSON, SOON, body, event, payload, sse
from tests.unit_tests.rows import each_row, every_mode, two_modes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.conftest import CallModel

# --- the table --------------------------------------------------------------------------------


class Row(NamedTuple):
    """One refusal as the service's pages have it, and what is made of it."""

    status: int
    codes: tuple[str, ...]
    message: str
    error: type[errors.QwenAudioError]
    advice: str = ""
    retryable: bool = False


PARAMETER = ("InvalidParameter", "invalid_parameter_error")
AUDIO, REQUEST = errors.AudioError, errors.InvalidRequestError
DENIED, MISSING = errors.PermissionDeniedError, errors.NotFoundError
RATE, FAILED = errors.RateLimitError, errors.APIError

# https://docs.qwencloud.com/api-reference/preparation/error-messages
TABLE = [
    Row(400, PARAMETER, "The audio is too long", AUDIO, "in parts"),
    Row(
        400,
        PARAMETER,
        "<400> InternalError.Algo.InvalidParameter: The audio is too long",
        AUDIO,
        "in parts",
    ),
    Row(400, PARAMETER, "The audio is empty", AUDIO, "WAV or MP3"),
    Row(400, PARAMETER, "Multimodal file size is too large", AUDIO, "upload"),
    Row(
        400, PARAMETER, "Exceeded limit on max bytes per data-uri item : 10485760", AUDIO, "upload"
    ),
    Row(
        400,
        PARAMETER,
        "The provided URL does not appear to be valid. Ensure it is correctly formatted.",
        REQUEST,
        "data URI",
    ),
    Row(400, PARAMETER, "The audio format is illegal and cannot be opened", AUDIO, "WAV or MP3"),
    Row(400, PARAMETER, "The file format is illegal and cannot be opened", AUDIO, "WAV or MP3"),
    Row(400, PARAMETER, "Input files format not supported", AUDIO, "WAV or MP3"),
    Row(400, PARAMETER, "Failed to download multimodal content", AUDIO, "fetch='client'"),
    Row(
        400,
        ("InvalidParameter", "InvalidParameter.DataInspection"),
        "Unable to download the media resource during the data inspection process",
        AUDIO,
        "fetch='client'",
    ),
    Row(
        400,
        ("InvalidParameter.DataInspection",),
        "Download the media resource timed out during the data inspection process",
        AUDIO,
        "fetch='client'",
    ),
    Row(
        400,
        ("InvalidParameter.DataInspection",),
        "The media format is not supported or incorrect for the data inspection",
        AUDIO,
        "WAV or MP3",
    ),
    Row(
        400,
        PARAMETER,
        "Don't have authorization to access the media resource",
        AUDIO,
        "fetch='client'",
    ),
    Row(400, PARAMETER, "url error, please check url!", REQUEST, "another path"),
    Row(400, PARAMETER, "The item of content should be a message of a certain modal", REQUEST),
    Row(
        400,
        PARAMETER,
        "This model only support stream mode, please enable the stream parameter",
        REQUEST,
        "streaming=True",
    ),
    Row(400, PARAMETER, "current user api does not support http call", REQUEST, "another way"),
    Row(
        400,
        PARAMETER,
        "Range of input length should be [1, 6144]",
        errors.ContextOverflowError,
        "less",
    ),
    Row(400, PARAMETER, "Range of max_tokens should be [1, 2048]", REQUEST),
    Row(400, PARAMETER, "The dedicated task `asr` for model does not support this input", REQUEST),
    Row(
        400,
        ("InvalidFile.DownloadFailed", "InvalidFile.Format", "InvalidFile.Openerror"),
        "no",
        AUDIO,
        "WAV or MP3",
    ),
    Row(
        400,
        ("InvalidFile.AudioLengthError", "InvalidFile.Duration"),
        "Audio length must be between 1s and 300s",
        AUDIO,
        "in parts",
    ),
    Row(400, ("InvalidFile.Size",), "File size is larger than 15MB", AUDIO, "upload"),
    Row(400, ("InvalidURL",), "The input audio is longer than 300s", AUDIO, "in parts"),
    Row(400, ("InvalidURL.ConnectionRefused", "InvalidURL.Timeout"), "no", AUDIO, "recording"),
    Row(
        400,
        (
            "BadRequest.InputDownloadFailed",
            "BadRequest.UnsupportedFileFormat",
            "BadRequest.TooLarge",
            "BadRequest.EmptyInput",
        ),
        "no",
        AUDIO,
    ),
    Row(400, ("BadRequest.EmptyModel", "BadRequest.EmptyParameters"), "no", REQUEST),
    Row(
        400,
        ("DataInspectionFailed", "data_inspection_failed"),
        "Output data may contain inappropriate content.",
        errors.ContentFilterError,
        "moderation",
    ),
    Row(
        500,
        ("InternalError.Algo",),
        "Missing Content-Length of multimodal url",
        AUDIO,
        "Content-Length",
    ),
    Row(500, ("InternalError.Algo",), "list index out of range", REQUEST, "last message"),
    Row(500, ("InternalError.FileUpload", "InternalError.Upload"), "oops", FAILED, retryable=True),
    Row(500, ("InternalError.Timeout",), "oops", errors.APITimeoutError, "stream", retryable=True),
    # Account, model, quota
    Row(
        401,
        ("InvalidApiKey", "invalid_api_key"),
        "Incorrect API key provided.",
        errors.AuthenticationError,
        "one region",
    ),
    Row(401, ("NOT AUTHORIZED",), "Access denied.", DENIED, "workspace"),
    Row(
        400,
        ("Arrearage",),
        "Access denied, please make sure your account is in good standing.",
        DENIED,
        "bill",
    ),
    Row(403, ("AccessDenied", "access_denied"), "Access denied.", DENIED, "access"),
    Row(
        403,
        ("AccessDenied",),
        "Invalid according to Policy: Policy expired.",
        DENIED,
        "policy",
        retryable=True,
    ),
    Row(403, ("AccessDenied.Unpurchased",), "Access to model denied.", DENIED, "activate"),
    Row(
        403,
        ("Model.AccessDenied", "App.AccessDenied", "Workspace.AccessDenied"),
        "no",
        DENIED,
        "access",
    ),
    Row(
        403,
        ("AllocationQuota.FreeTierOnly",),
        "The free tier of the model has been exhausted.",
        DENIED,
        "trial only",
    ),
    Row(
        404,
        ("ModelNotFound", "model_not_found", "Model.NotExist"),
        "Model not exist.",
        MISSING,
        "name",
    ),
    Row(400, ("InvalidParameter",), "Model not exist.", MISSING, "name"),
    Row(
        404,
        ("model_not_supported",),
        "Unsupported model for OpenAI compatibility mode.",
        MISSING,
        "path",
    ),
    Row(404, ("WorkSpaceNotFound", "NotFound"), "no", MISSING, "/api/v1"),
    Row(
        429,
        (
            "Throttling.RateQuota",
            "LimitRequests",
            "limit_requests",
            "Throttling",
            "Throttling.BurstRate",
            "limit_burst_rate",
        ),
        "Requests rate limit exceeded, please try again later.",
        RATE,
        "fewer",
        retryable=True,
    ),
    Row(
        429,
        ("Throttling.AllocationQuota", "insufficient_quota"),
        "Allocated quota exceeded, please increase your quota limit.",
        RATE,
        "fewer",
        retryable=True,
    ),
    Row(
        429,
        ("insufficient_quota",),
        "You exceeded your current quota, please check your plan and billing details.",
        RATE,
        "fewer",
        retryable=True,
    ),
    Row(
        429,
        ("Throttling.AllocationQuota", "insufficient_quota"),
        "Free allocated quota exceeded.",
        DENIED,
        "trial only",
    ),
    Row(
        429,
        ("CommodityNotPurchased", "PrepaidBillOverdue", "PostpaidBillOverdue"),
        "no",
        DENIED,
        "bill",
    ),
    Row(
        500,
        (
            "InternalError",
            "internal_error",
            "SystemError",
            "ModelServiceFailed",
            "ModelServingError",
        ),
        "oops",
        FAILED,
        retryable=True,
    ),
    Row(
        503,
        ("ModelServingError", "ModelUnavailable", "ServiceUnavailable"),
        "oops",
        FAILED,
        retryable=True,
    ),
    Row(
        500,
        ("RequestTimeOut",),
        "Request timed out, please try again later.",
        errors.APITimeoutError,
        "stream",
        retryable=True,
    ),
    Row(504, ("GatewayTimeout",), "oops", errors.APITimeoutError, retryable=True),
    Row(
        400,
        ("CLIENT_ERROR",),
        "request timeout after 23 seconds.",
        errors.APITimeoutError,
        "sound all the time",
        retryable=True,
    ),
    Row(400, ("CLIENT_ERROR",), "Invalid payload data", REQUEST),
]
REFUSALS = [(row, code) for row in TABLE for code in row.codes]
NAMES = [f"{row.status} {code}: {row.message[:60]}" for row, code in REFUSALS]


@pytest.fixture(scope="module")
def service() -> Iterator[LocalDashScope]:
    with LocalDashScope(models=RETIRED) as server:
        yield server


@pytest.fixture
def once(service: LocalDashScope) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=service.base_url, api_key="local", max_retries=0)


def raised(way: CallModel, model: Any) -> errors.QwenAudioError:
    with pytest.raises(errors.QwenAudioError) as caught:
        way(model, "?")
    return caught.value


def assert_is(error: errors.QwenAudioError, row: Row, code: str) -> None:
    assert type(error) is row.error
    assert error.is_retryable is row.retryable
    assert error.code == code
    assert error.request_id == "r-1"
    assert error.message.startswith(row.message.rstrip("."))
    advice = error.message.removeprefix(row.message.rstrip("."))
    assert row.advice in advice
    assert bool(advice.strip(":. ")) >= bool(row.advice)
    assert isinstance(error.__cause__, sdk.DashScopeError)


def with_status(row: Row, code: str) -> RawReply:
    return error_reply(row.status, code, row.message, request_id="r-1")


def with_200(row: Row, code: str) -> RawReply:
    return body({"code": code, "message": row.message, "request_id": "r-1"})


def in_stream(row: Row, code: str) -> RawReply:
    said = {"code": code, "message": row.message, "request_id": "r-1"}
    return sse(sse_event(said, 1, "error", row.status))


@each_row("row, code", REFUSALS)
def test_a_refusal_with_a_status_is_one_class_with_advice(
    service: LocalDashScope, once: ChatQwenAudio, row: Row, code: str
) -> None:
    service.script(with_status(row, code))
    error = raised(invoke, once)
    assert_is(error, row, code)
    assert error.status == row.status


@each_row("row, code", REFUSALS)
def test_a_refusal_in_a_stream_is_the_same_class(
    service: LocalDashScope, once: ChatQwenAudio, row: Row, code: str
) -> None:
    service.script(in_stream(row, code))
    assert_is(raised(stream, once), row, code)


async def test_every_refusal_is_the_same_to_async_callers(
    service: LocalDashScope, once: ChatQwenAudio
) -> None:
    forms = itertools.cycle([with_status, with_200, in_stream])
    for (row, code), make in zip(REFUSALS, forms, strict=False):
        service.script(make(row, code))
        result = anext(once.astream("?")) if make is in_stream else once.ainvoke("?")
        with pytest.raises(errors.QwenAudioError) as caught:
            await result
        assert_is(caught.value, row, code)


@each_row("way", [ainvoke, stream])
def test_a_refusal_of_the_compatible_mode_is_read(
    service: LocalDashScope, once: ChatQwenAudio, way: CallModel
) -> None:
    said = {"message": "The audio is empty", "type": "x", "code": "invalid_parameter_error"}
    service.script(body({"error": {**said, "param": None}, "request_id": "r-1"}, 400))
    row = Row(400, PARAMETER, "The audio is empty", AUDIO, "WAV or MP3")
    assert_is(raised(way, once), row, "invalid_parameter_error")


# --- code first, then status ------------------------------------------------------------------

DISAGREEING = [
    (500, "InvalidApiKey", errors.AuthenticationError),
    (400, "Throttling.RateQuota", RATE),
    (200, "ModelNotFound", MISSING),
    (404, "InternalError", FAILED),
    (401, "AccessDenied", DENIED),
    (429, "DataInspectionFailed", errors.ContentFilterError),
]
BY_STATUS = [
    (400, REQUEST),
    (401, errors.AuthenticationError),
    (402, REQUEST),
    (403, DENIED),
    (404, MISSING),
    (408, errors.APITimeoutError),
    (409, FAILED),
    (413, REQUEST),
    (418, REQUEST),
    (422, REQUEST),
    (429, RATE),
    (500, FAILED),
    (502, FAILED),
    (503, FAILED),
    (504, errors.APITimeoutError),
    (599, FAILED),
]


@two_modes
@each_row("case", DISAGREEING)
def test_the_code_decides_before_the_status(
    call_model: CallModel, service: LocalDashScope, once: ChatQwenAudio, case: tuple[int, str, Any]
) -> None:
    status, code, error = case
    service.script(error_reply(status, code, "no"))
    assert type(raised(call_model, once)) is error


@each_row("status, error", BY_STATUS)
def test_the_status_decides_where_the_code_is_unknown(
    service: LocalDashScope, once: ChatQwenAudio, status: int, error: Any
) -> None:
    for code, way in (("SomethingNew", astream), (None, invoke)):
        service.script(body({"code": code, "message": "it went wrong"}, status))
        told = raised(way, once)
        assert type(told) is error
        assert told.message.startswith("it went wrong")
        assert (told.status, told.code) == (status, code)


@each_row("status, error", [(400, REQUEST), (429, RATE), (500, FAILED)])
@each_row("way", [ainvoke, stream])
def test_the_status_in_a_message_decides_where_the_reply_has_none(
    service: LocalDashScope, once: ChatQwenAudio, way: CallModel, status: int, error: Any
) -> None:
    said = {"code": "SomethingNew", "message": f"<{status}> Some.Thing: it went wrong"}
    service.script(sse(f"data:{json.dumps(said)}\n\n".encode()) if way is stream else body(said))
    told = raised(way, once)
    assert type(told) is error
    assert told.status == status


@every_mode
def test_a_request_id_comes_from_the_header_where_the_body_has_none(
    call_model: CallModel, service: LocalDashScope, once: ChatQwenAudio
) -> None:
    service.script(body({"code": "Arrearage", "message": "no"}, 400, {"x-request-id": "r-2"}))
    assert raised(call_model, once).request_id == "r-2"


# --- models -----------------------------------------------------------------------------------

TRIAL_OVER = [
    error_reply(403, "AllocationQuota.FreeTierOnly", "The free tier has been exhausted."),
    error_reply(429, "Throttling.AllocationQuota", "Free allocated quota exceeded."),
    error_reply(429, "insufficient_quota", "Free allocated quota exceeded."),
]


@two_modes
@each_row("reply", TRIAL_OVER)
def test_a_used_up_trial_names_what_to_move_to(
    call_model: CallModel, service: LocalDashScope, model: ChatQwenAudio, reply: RawReply
) -> None:
    service.clear()
    service.script(reply)
    told = raised(call_model, model.model_copy(update={"base_url": service.base_url}))
    for part in ("trial only", "qwen3.5-omni-flash", "qwen3-asr-flash"):
        assert part in told.message
    assert len(service.requests) == 1


@each_row("name, successor", RETIRED.items())
@each_row("way", [invoke, astream])
def test_a_retired_model_says_so_and_names_its_successor(
    server: LocalDashScope, way: CallModel, name: str, successor: str
) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local", model=name)
    told = raised(way, model)
    assert type(told) is MISSING
    assert told.message == f"{name} is retired; its successor is {successor}"
    assert server.requests == []


@every_mode
def test_a_model_nobody_knows_is_not_called_retired(
    call_model: CallModel, server: LocalDashScope
) -> None:
    told = raised(
        call_model, ChatQwenAudio(base_url=server.base_url, api_key="local", model="qwen-new")
    )
    assert type(told) is MISSING
    assert "retired" not in told.message
    assert "region" in told.message


# --- the tree ---------------------------------------------------------------------------------

TREE: dict[type[errors.QwenAudioError], tuple[type[Any], bool]] = {
    errors.QwenAudioError: (core.ModelError, False),
    errors.AuthenticationError: (core.ModelAuthenticationError, False),
    DENIED: (core.ModelPermissionDeniedError, False),
    REQUEST: (core.ModelInvalidRequestError, False),
    errors.MessageError: (core.ModelInvalidRequestError, False),
    AUDIO: (core.ModelInvalidRequestError, False),
    errors.ContentFilterError: (core.ModelInvalidRequestError, False),
    errors.ContextOverflowError: (core.ContextOverflowError, False),
    MISSING: (core.ModelNotFoundError, False),
    RATE: (core.ModelRateLimitError, True),
    FAILED: (core.ModelAPIError, True),
    errors.APIConnectionError: (core.ModelConnectionError, True),
    errors.APITimeoutError: (core.ModelTimeoutError, True),
    errors.StreamInterruptedError: (core.ModelConnectionError, True),
    errors.StreamTimeoutError: (core.ModelTimeoutError, True),
    errors.CheckpointError: (core.ModelError, False),
}
CLASSES = [
    cls
    for cls in vars(errors).values()
    if isinstance(cls, type) and issubclass(cls, errors.QwenAudioError)
]


def a(cls: type[errors.QwenAudioError]) -> errors.QwenAudioError:
    facts: dict[str, Any] = {"code": "C", "status": 418, "request_id": "r-1"}
    return cls("it went wrong", **facts, body={"a": [1]}, headers={"x": "y"})


def test_the_table_has_every_class() -> None:
    assert set(TREE) == set(CLASSES)


@each_row("cls", CLASSES)
def test_a_class_inherits_from_langchain_alone(cls: type[errors.QwenAudioError]) -> None:
    of_core, retryable = TREE[cls]
    assert issubclass(cls, of_core)
    assert not issubclass(cls, sdk.DashScopeError)
    assert a(cls).is_retryable is retryable
    assert cls.__doc__


def test_a_stalled_stream_is_an_interruption_and_a_timeout() -> None:
    assert issubclass(errors.StreamTimeoutError, errors.StreamInterruptedError)
    assert issubclass(errors.StreamTimeoutError, errors.APITimeoutError)
    assert issubclass(errors.APITimeoutError, errors.APIConnectionError)


@each_row("cls", CLASSES)
def test_an_error_tells_what_it_knows(cls: type[errors.QwenAudioError]) -> None:
    error = a(cls)
    assert str(error) == "it went wrong (code=C, status=418, request_id=r-1)"
    assert (error.code, error.status) == ("C", 418)
    assert (error.request_id, error.message, error.text) == ("r-1", "it went wrong", "")
    assert str(cls("it went wrong")) == "it went wrong"
    assert cls("it went wrong").status is None


@each_row("cls", CLASSES)
@each_row("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_an_error_survives_a_pickle(cls: type[errors.QwenAudioError], protocol: int) -> None:
    error = a(cls)
    error.text, error.is_retryable = "so far", not error.is_retryable
    for twin in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error)):  # noqa: S301
        assert type(twin) is cls
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
        assert (twin.text, twin.is_retryable) == ("so far", error.is_retryable)
        assert (twin.status, twin.args) == (418, error.args)


RAISED: dict[str, tuple[RawReply, tuple[type[BaseException], ...]]] = {
    "rate": (
        error_reply(429, "Throttling", "no"),
        (RATE, core.ModelRateLimitError, core.LangChainException),
    ),
    "key": (
        error_reply(401, "InvalidApiKey", "no"),
        (errors.AuthenticationError, core.ModelAuthenticationError),
    ),
    "moderation": (
        error_reply(400, "DataInspectionFailed", "no"),
        (REQUEST, core.ModelInvalidRequestError),
    ),
    "length": (
        error_reply(400, "InvalidParameter", "Range of input length should be [1, 6144]"),
        (errors.ContextOverflowError, core.ContextOverflowError),
    ),
    "audio": (error_reply(400, "InvalidParameter", "The audio is empty"), (AUDIO, ValueError)),
    "server": (
        error_reply(500, "InternalError", "no"),
        (FAILED, core.ModelAPIError),
    ),
}


@two_modes
@each_row("reply, classes", RAISED)
def test_handlers_of_langchain_catch_what_a_call_raises(
    call_model: CallModel,
    service: LocalDashScope,
    once: ChatQwenAudio,
    reply: RawReply,
    classes: Any,
) -> None:
    service.script(reply)
    error = raised(call_model, once)
    for cls in classes:
        with pytest.raises(cls):
            raise error


@every_mode
def test_an_error_of_a_call_survives_a_pickle_and_chains_its_cause(
    call_model: CallModel, service: LocalDashScope, once: ChatQwenAudio
) -> None:
    headers = {"retry-after": "7"}
    service.script(error_reply(429, "Throttling", "no", headers=headers, request_id="r-1"))
    error = raised(call_model, once)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert (type(twin), str(twin), vars(twin)) == (type(error), str(error), vars(error))
    assert twin.headers["retry-after"] == "7"
    assert twin.body == {"code": "Throttling", "message": "no", "request_id": "r-1"}
    assert isinstance(error.__cause__, sdk.RateLimitError)


def test_an_interrupted_stream_survives_a_pickle_with_its_text(
    service: LocalDashScope, once: ChatQwenAudio
) -> None:
    service.script(stream_error_reply(["so ", "far"], "InternalError", "broke", status=500))
    error = raised(stream, once)
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert twin.text == error.text == "so far"


# --- LangChain's own handling -----------------------------------------------------------------

RETRIED = [core.ModelRateLimitError, RATE, core.ModelError]


@each_row("cls", RETRIED)
@each_row("way", [invoke, ainvoke])
def test_with_retry_knows_the_classes(
    service: LocalDashScope, once: ChatQwenAudio, way: CallModel, cls: Any
) -> None:
    service.clear()
    service.script(*[error_reply(429, "Throttling", "no")] * 2, "ok")
    retrying = once.with_retry(
        retry_if_exception_type=(cls,), wait_exponential_jitter=False, stop_after_attempt=3
    )
    assert way(retrying, "?").content == "ok"
    assert len(service.requests) == 3


@each_row("way", [invoke, ainvoke])
def test_with_retry_leaves_other_classes_alone(
    service: LocalDashScope, once: ChatQwenAudio, way: CallModel
) -> None:
    service.clear()
    service.script(error_reply(401, "InvalidApiKey", "no"))
    retrying = once.with_retry(retry_if_exception_type=(core.ModelRateLimitError,))
    with pytest.raises(errors.AuthenticationError):
        way(retrying, "?")
    assert len(service.requests) == 1


@two_modes
@each_row("cls", [core.ModelPermissionDeniedError, DENIED])
def test_with_fallbacks_knows_the_classes(
    call_model: CallModel,
    service: LocalDashScope,
    once: ChatQwenAudio,
    model: ChatQwenAudio,
    cls: Any,
) -> None:
    safe = once.with_fallbacks([model], exceptions_to_handle=(cls,))
    service.script(TRIAL_OVER[0])
    assert call_model(safe, "?").content == "ok"
    service.script(error_reply(401, "InvalidApiKey", "no"))
    with pytest.raises(errors.AuthenticationError):
        call_model(safe, "?")


# --- the key ----------------------------------------------------------------------------------

KEY = "sk-swordfish-0123456789"
NO_ANSWER = {"output": {"choices": []}, "request_id": KEY}
ECHOES: dict[str, RawReply] = {
    "in a body without an answer": body(NO_ANSWER),
    "in a header of a body without an answer": body({"output": {}}, 200, {"x-echo": KEY, **SOON}),
    "in a stream": sse(event("a"), f'data:{{"code":"X","message":"{KEY}"}}\n\n'.encode()),
    "in garbage within a stream": sse(event("a"), f"data:{KEY}\n\n".encode()),
    "in garbage": body(f"{{{KEY}".encode()),
    "in an odd reply": body({"output": {"choices": KEY}}),
    "in an odd usage": body(payload("a", "stop", usage=KEY)),
    "in an odd event": sse(f'data:{{"output":{{"choices":"{KEY}"}}}}\n\n'.encode()),
    "in a code": body({"code": KEY, "message": "no"}, 400),
    "in a request id": body({"code": "X", "message": "no", "request_id": KEY}, 400),
    "in a content type": RawReply(200, {"content-type": KEY, **SOON}, [b"{}"]),
    "in a redirect": RawReply(302, {"location": f"http://127.0.0.1/{KEY}", **SOON}, [b""]),
    "in JSON of JSON": RawReply(
        400, JSON, [json.dumps({"code": "X", "message": json.dumps({"a": KEY})}).encode()]
    ),
}


@two_modes
@each_row("reply", ECHOES)
def test_the_key_is_in_no_error_even_if_the_reply_echoes_it(
    call_model: CallModel, service: LocalDashScope, reply: RawReply
) -> None:
    service.script(reply)
    error = raised(call_model, ChatQwenAudio(base_url=service.base_url, api_key=KEY, max_retries=0))
    assert KEY not in str(error) + repr(error) + repr(error.args) + repr(vars(error))
    assert KEY not in "".join(traceback.format_exception(error))


@two_modes
@each_row("key", ["local", "no-key"])
def test_the_words_that_local_servers_take_for_a_key_stay_in_errors(
    call_model: CallModel, service: LocalDashScope, key: str
) -> None:
    message = "the local server has no-key"
    service.script(error_reply(400, "InvalidParameter", message))
    error = raised(call_model, ChatQwenAudio(base_url=service.base_url, api_key=key, max_retries=0))
    assert message in str(error)


@two_modes
@each_row("key", ["sk-sword\nfish", "sk-sword\x00fish", "sk-sword\r\nx: fish"])
def test_a_key_that_cannot_be_sent_is_in_no_error(
    call_model: CallModel, service: LocalDashScope, key: str
) -> None:
    with pytest.raises((errors.QwenAudioError, ValidationError)) as caught:
        call_model(ChatQwenAudio(base_url=service.base_url, api_key=key, max_retries=0), "?")
    assert "sword" not in "".join(traceback.format_exception(caught.value))
