"""A refusal of the service → one of our errors, with what to do about it.

One table, read from the top: the service's code decides first, then its message, then the HTTP
status. https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from dashscope.v2 import errors as sdk
from dashscope.v2.transport.sse import stream_error
from pydantic_core import from_json

from langchain_qwen_audio import errors
from langchain_qwen_audio._models.profiles import PROFILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._service.aiohttp_response import Response
    from langchain_qwen_audio.errors import QwenAudioError

_TRIAL = (
    "the free quota is used up, and Qwen-Audio is offered as a trial only: move to a Qwen-Omni "
    "model (qwen3.5-omni-flash) for questions about audio, or to qwen3-asr-flash for transcripts"
)
_BILLING = "pay the bill of the account; a retry does not help"
_REACHABLE = (
    "the service must be able to fetch the URL, without a login and with a Content-Length; "
    "fetch='client' downloads it here instead"
)
_GATEWAY = (
    "Qwen-Omni under another name, behind a gateway to DashScope, needs both streaming=True and "
    "audio_encoding='data_uri'"
)
_SLOWER = "send fewer requests at once, e.g. with InMemoryRateLimiter"


class KnownError(NamedTuple):
    """One kind of refusal.

    Attributes:
        error: The class to raise.
        code: Regular expression for the whole of the service's code; any code if empty.
        message: Regular expression for a part of its message; any message if empty.
        advice: What to do.
        alias_advice: What to do as well, where the table of models does not know the name.
        retryable: Whether a retry may help, where that is not what the class says.
    """

    error: type[QwenAudioError]
    code: str = ""
    message: str = ""
    advice: str = ""
    alias_advice: str = ""
    retryable: bool | None = None


TABLE = (
    # Account
    KnownError(
        errors.AuthenticationError,
        code="InvalidApiKey|invalid_api_key",
        advice="check the key; a key belongs to one region and is refused by the hosts of others "
        "(region=… or base_url=…)",
    ),
    KnownError(errors.PermissionDeniedError, code=r"AllocationQuota\.FreeTierOnly", advice=_TRIAL),
    KnownError(
        errors.PermissionDeniedError,
        code=r"Throttling\.AllocationQuota|insufficient_quota",
        message="[Ff]ree allocated quota exceeded",
        advice=_TRIAL,
    ),
    KnownError(
        errors.PermissionDeniedError,
        code="CommodityNotPurchased|PrepaidBillOverdue|PostpaidBillOverdue|Arrearage",
        advice=_BILLING,
    ),
    KnownError(
        errors.PermissionDeniedError,
        code="AccessDenied|access_denied",
        message="Policy expired",
        advice="the upload took longer than its policy lasts",
        retryable=True,
    ),
    KnownError(
        errors.PermissionDeniedError,
        code=r"AccessDenied\.Unpurchased",
        advice="activate Model Studio for the account",
    ),
    KnownError(
        errors.PermissionDeniedError,
        code=r"(\w+\.)?AccessDenied(\.\w+)*|access_denied|NOT AUTHORIZED",
        advice="ask the owner of the workspace for access to this model (workspace=…)",
    ),
    # Moderation
    KnownError(
        errors.ContentFilterError,
        code="DataInspectionFailed|data_inspection_failed",
        advice="the service's moderation refuses the input or the output; change it",
    ),
    # Rate
    KnownError(
        errors.RateLimitError,
        code=r"Throttling(\.\w+)*|LimitRequests|limit_requests|limit_burst_rate|insufficient_quota",
        advice=_SLOWER,
    ),
    # Model
    KnownError(
        errors.NotFoundError,
        code=r"ModelNotFound|model_not_found|Model\.NotExist",
        advice="check the name, and that the model is offered in this region",
    ),
    KnownError(
        errors.NotFoundError, message="Model not exist", advice="check the name of the model"
    ),
    KnownError(
        errors.NotFoundError,
        code="model_not_supported",
        advice="this model is not on the OpenAI-compatible path",
    ),
    KnownError(
        errors.NotFoundError,
        code="WorkSpaceNotFound|NotFound",
        advice="check the workspace and base_url, which ends in /api/v1 or /compatible-mode/v1",
    ),
    KnownError(
        errors.InvalidRequestError,
        message="url error, please check url",
        advice="this model is on another path of the service",
    ),
    KnownError(
        errors.InvalidRequestError,
        message="only support stream mode|does not support http call",
        advice="this model must be called in another way: try streaming=True",
        alias_advice=_GATEWAY,
    ),
    # Length
    KnownError(
        errors.ContextOverflowError,
        message="Range of input length should be|maximum context length|available context size",
        advice="send less text or audio: history keeps earlier recordings",
    ),
    # Jobs
    KnownError(
        errors.AudioError,
        code="FILE_DOWNLOAD_FAILED|FILE_403_FORBIDDEN|FILE_404_NOT_FOUND|FILE_SERVER_ERROR"
        "|REQUEST_INVALID_FILE_URL_VALUE|CONTENT_LENGTH_CHECK_FAILED",
        advice="the service must be able to fetch the URL, without a login and with a "
        "Content-Length; `Audio.from_url` downloads it here instead, and it is uploaded",
    ),
    KnownError(
        errors.AudioError,
        code="(FILE_CHECK|FILE_NORMALIZE|FILE_PARSE|MKV_PARSE)_FAILED|DECODE_ERROR"
        "|NO_INPUT_AUDIO_ERROR|NO_VALID_AUDIO_ERROR",
        advice="the service cannot use the recording; send it as WAV or MP3",
    ),
    KnownError(
        errors.APIError,
        code="FILE_TRANS_TASK_EXPIRED",
        advice="the job was not done in time; submit it again",
        retryable=False,
    ),
    # Live transcription
    KnownError(
        errors.APITimeoutError,
        code="CLIENT_ERROR",
        message=r"request timeout after \d+ seconds",
        advice="send sound all the time, and silence where there is none",
    ),
    # Audio
    KnownError(
        errors.AudioError,
        message="[Dd]ownload.*(media|multimodal|file)|media resource|Length of multimodal url",
        advice=_REACHABLE,
        retryable=False,
    ),
    KnownError(
        errors.AudioError,
        message="max bytes per data-uri|file size is too large|File size is larger",
        advice="upload it (audio_transport='upload'), or shorten it",
    ),
    KnownError(
        errors.AudioError, code="AUDIO_DURATION_TOO_LONG|FILE_TOO_LARGE", advice="send it in parts"
    ),
    KnownError(
        errors.InvalidRequestError,
        message="format is empty",
        advice="say the format of the recording: pass format='mp3' (or wav, …)",
    ),
    KnownError(
        errors.AudioError,
        message="audio is too long|[Aa]udio length must|input audio is longer"
        "|AUDIO_DURATION_TOO_LONG",
        advice="send it in parts",
    ),
    KnownError(
        errors.AudioError,
        message="audio is empty|format is illegal|cannot be opened|files format not supported"
        "|media format is not supported",
        advice="send it as WAV or MP3",
    ),
    KnownError(
        errors.AudioError,
        code=r"InvalidFile(\.\w+)*|InvalidURL(\.\w+)*"
        r"|BadRequest\.(InputDownloadFailed|UnsupportedFileFormat|TooLarge|EmptyInput)",
        advice="the service cannot use the recording; send it as WAV or MP3",
    ),
    KnownError(
        errors.InvalidRequestError,
        message="provided URL does not appear to be valid",
        advice="audio travels as an http(s) or oss:// URL or as a data URI",
        alias_advice=_GATEWAY,
    ),
    KnownError(
        errors.InvalidRequestError,
        code=r"InternalError\.Algo(\.\w+)*|internal_error",
        message="list index out of range",
        advice="the last message must be a user's",
    ),
    # The rest, by code
    KnownError(
        errors.InvalidRequestError,
        code=r"InvalidParameter(\.\w+)*|invalid_parameter_error|invalid_request_error"
        r"|BadRequest(\.\w+)*|CLIENT_ERROR",
    ),
    KnownError(
        errors.APITimeoutError,
        code=r"RequestTimeOut|GatewayTimeout|InternalError\.Timeout",
        advice="an answer takes too long to come whole: stream it",
    ),
    KnownError(
        errors.APIError,
        code=r"InternalError(\.\w+)*|internal_error|internal_server_error|SystemError"
        r"|ModelServiceFailed|ModelServingError|ModelUnavailable|ServiceUnavailable",
    ),
)

_BY_STATUS: dict[int, KnownError] = {
    401: KnownError(errors.AuthenticationError),
    403: KnownError(errors.PermissionDeniedError),
    404: KnownError(
        errors.NotFoundError,
        advice="check base_url, which ends in /api/v1, /compatible-mode/v1 or, on a server of your "
        "own, /v1",
    ),
    408: KnownError(errors.APITimeoutError),
    409: KnownError(errors.APIError),
    413: KnownError(errors.InvalidRequestError, advice="send less at once"),
    429: KnownError(errors.RateLimitError, advice=_SLOWER),
    504: KnownError(errors.APITimeoutError),
}


# No refusal goes without one of these, and a reply that has one is read to find out.
_ERROR_KEYS = re.compile(rb'"(code|error)"')


def check_response(response: Response) -> None:
    """Raise what a response refuses, with a status or within a body of status 200.

    Raises:
        DashScopeError: The SDK's reading of it, for `to_error`.
        APIError: It is a refusal that the SDK cannot read.
    """
    if response.is_redirect:  # which the SDK takes for an answer
        raise sdk.error_from_status(
            response.status_code,
            message=f"it redirects to {response.headers.get('location', 'nowhere')}",
            headers=response.headers,
        )
    if response.is_success and not _ERROR_KEYS.search(response.content):
        return
    with _readable(response.text):
        sdk.check_response(cast("httpx.Response", response))
    if isinstance(body := _json_or_none(response.content), dict):
        check_body(body, response.headers)


def check_body(body: dict[str, Any], headers: Mapping[str, str]) -> None:
    """Raise what a reply, or an event of a stream, refuses; see `check_response`."""
    if body.get("code") or body.get("error"):
        with _readable(body):
            error = stream_error(body, headers)
        if error:
            raise error


def _json_or_none(content: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return from_json(content)
    return None


@contextlib.contextmanager
def _readable(body: Any) -> Iterator[None]:
    """Turn what the SDK stumbles over, in a refusal of an unknown form, into one of our errors."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, LookupError, RecursionError) as error:
        raise errors.APIError(f"the service refused, in an unknown form: {body!r:.300}") from error


def classify(code: str | None, status: int | None, message: str) -> KnownError:
    """Find what a refusal means."""
    for known in TABLE:
        matches = not known.code or re.fullmatch(known.code, code or "")
        if matches and re.search(known.message, message):
            return known
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and 300 <= status < 400:
        return KnownError(
            errors.InvalidRequestError, advice="base_url must be where the service is"
        )
    refused = status is not None and 400 <= status < 500
    return KnownError(errors.InvalidRequestError if refused else errors.APIError)


def to_error(error: sdk.DashScopeError, model: str = "") -> QwenAudioError:
    """Turn an error of the SDK into ours; the caller chains the cause.

    Args:
        error: What the SDK raised.
        model: The model of the request, for what the table knows of it.
    """
    if isinstance(error, sdk.APITimeoutError):
        return errors.APITimeoutError(error.message)
    if isinstance(error, sdk.APIConnectionError):
        return errors.APIConnectionError(error.message)
    code, message = error.code, str(error.message)[:2000]
    if xml := re.search(r"<Code>(.*?)</Code>.*?<Message>(.*?)</Message>", message, re.DOTALL):
        code, message = xml.groups()  # of the storage service, when uploading
    code = None if code is None else str(code)
    status = _status(error.status_code, message)
    if code and re.fullmatch(r"[1-5]\d\d", code):  # vLLM's and llama.cpp's codes are statuses
        status = int(code) if status in {None, 200} else status
        code = None
    message = message.strip() or f"the service answered with status {status} and no word"
    known = classify(code, status, message)
    advice = known.advice
    if known.error is errors.NotFoundError and model in PROFILES:
        advice = f"{advice}; {_offered(model, PROFILES[model])}"
    if known.alias_advice and model not in PROFILES:
        advice = f"{advice}; {known.alias_advice}"
    ours = known.error(
        f"{message.rstrip('.')}: {advice}" if advice else message,
        code=code,
        status=status,
        request_id=error.request_id,
        body=error.body,
        headers=dict(error.headers),
    )
    if known.retryable is not None:
        ours.is_retryable = known.retryable
    return ours


def to_job_error(
    code: str,
    message: str,
    *,
    model: str,
    request_id: str | None,
    body: Any,
    status: int | None = None,
) -> QwenAudioError:
    """Say why a job, or a request of a batch, failed.

    Args:
        code: The service's code; "" if it gave none.
        message: Its message, which says also which job it was.
        model: The model of the job, for what the table knows of it.
        request_id: The service's id of the request that found out.
        body: The whole reply.
        status: The HTTP status that goes with the code, if there is one.
    """
    error = sdk.DashScopeError(
        message, code=code or None, request_id=request_id, body=body, status_code=status
    )
    return to_error(error, model)


def _offered(model: str, profile: Profile) -> str:
    """Say what the table knows of a model that was not found."""
    offered = f"{model} is offered in {', '.join(profile.regions)}"
    if profile.status == "live":
        return offered
    state = "as a trial" if profile.status == "trial" else "until its retirement (2026-10-10)"
    return f"{offered} {state}; its successor is {profile.successor}"


def _status(status: int | None, message: str) -> int | None:
    """Read the status that a message begins with, where the reply itself had none of its own.

    Within a stream that began well, and in `<400> InternalError.Algo.InvalidParameter: …`, the
    message knows better than the status line, which says 200.
    """
    inner = re.match(r"<(\d{3})>", message)
    return int(inner[1]) if inner and status in {None, 200} else status
