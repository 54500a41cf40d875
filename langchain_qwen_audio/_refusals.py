"""What the service says when it refuses → one of our errors, with what to do about it.

One table, read from the top: the service's code decides first, then its message, then the HTTP
status. https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, NamedTuple

from dashscope.v2 import errors as sdk
from dashscope.v2.transport.sse import stream_error

from langchain_qwen_audio import errors
from langchain_qwen_audio._profiles import PROFILES

if TYPE_CHECKING:
    import httpx

    from langchain_qwen_audio._profiles import Profile
    from langchain_qwen_audio.errors import QwenAudioError

_TRIAL = (
    "the free quota is used up, and Qwen-Audio is offered as a trial only: move to a Qwen-Omni "
    "model (qwen3.5-omni-flash) to ask about audio, or to qwen3-asr-flash to transcribe it"
)
_BILLING = "see to the bill of the account; a retry does not help"
_REACHABLE = (
    "the service must be able to fetch the URL, without a login and with a Content-Length; "
    "fetch='client' downloads it here instead"
)
_SLOWER = "send fewer requests at once, e.g. with InMemoryRateLimiter"


class Row(NamedTuple):
    """One kind of refusal.

    Attributes:
        error: The class to raise.
        code: Regular expression for the whole of the service's code; any code if empty.
        message: Regular expression for a part of its message; any message if empty.
        advice: What to do.
        retryable: Whether a retry may help, where that is not what the class says.
    """

    error: type[QwenAudioError]
    code: str = ""
    message: str = ""
    advice: str = ""
    retryable: bool | None = None


TABLE = (
    # Account
    Row(
        errors.AuthenticationError,
        code="InvalidApiKey|invalid_api_key",
        advice="check the key; a key belongs to one region and is refused by the hosts of others "
        "(region=… or base_url=…)",
    ),
    Row(errors.PermissionDeniedError, code=r"AllocationQuota\.FreeTierOnly", advice=_TRIAL),
    Row(
        errors.PermissionDeniedError,
        code=r"Throttling\.AllocationQuota|insufficient_quota",
        message="[Ff]ree allocated quota exceeded",
        advice=_TRIAL,
    ),
    Row(
        errors.PermissionDeniedError,
        code="CommodityNotPurchased|PrepaidBillOverdue|PostpaidBillOverdue|Arrearage",
        advice=_BILLING,
    ),
    Row(
        errors.PermissionDeniedError,
        code="AccessDenied|access_denied",
        message="Policy expired",
        advice="the upload took longer than its policy lasts",
        retryable=True,
    ),
    Row(
        errors.PermissionDeniedError,
        code=r"AccessDenied\.Unpurchased",
        advice="activate Model Studio for the account",
    ),
    Row(
        errors.PermissionDeniedError,
        code=r"(\w+\.)?AccessDenied(\.\w+)*|access_denied|NOT AUTHORIZED",
        advice="ask the owner of the workspace for access to this model (workspace=…)",
    ),
    # Moderation
    Row(
        errors.ContentFilterError,
        code="DataInspectionFailed|data_inspection_failed",
        advice="the service's moderation takes offence at the input or the output; change it",
    ),
    # Rate
    Row(
        errors.RateLimitError,
        code=r"Throttling(\.\w+)*|LimitRequests|limit_requests|limit_burst_rate|insufficient_quota",
        advice=_SLOWER,
    ),
    # Model
    Row(
        errors.NotFoundError,
        code=r"ModelNotFound|model_not_found|Model\.NotExist",
        advice="check the name, and that the model is offered in this region",
    ),
    Row(errors.NotFoundError, message="Model not exist", advice="check the name of the model"),
    Row(
        errors.NotFoundError,
        code="model_not_supported",
        advice="this model is not on the OpenAI-compatible path",
    ),
    Row(
        errors.NotFoundError,
        code="WorkSpaceNotFound|NotFound",
        advice="check the workspace and base_url, which ends in /api/v1 or /compatible-mode/v1",
    ),
    Row(
        errors.InvalidRequestError,
        message="url error, please check url",
        advice="this model lives on another path of the service than the one asked",
    ),
    Row(
        errors.InvalidRequestError,
        message="only support stream mode|does not support http call",
        advice="this model must be called in another way: try streaming=True",
    ),
    # Length
    Row(
        errors.ContextOverflowError,
        message="Range of input length should be|maximum context length|available context size",
        advice="send less text or audio: history keeps earlier recordings",
    ),
    # Audio
    Row(
        errors.AudioError,
        message="[Dd]ownload.*(media|multimodal|file)|media resource|Length of multimodal url",
        advice=_REACHABLE,
        retryable=False,
    ),
    Row(
        errors.AudioError,
        message="max bytes per data-uri|file size is too large|File size is larger",
        advice="upload it (audio_transport='upload'), or shorten it",
    ),
    Row(
        errors.AudioError,
        message="audio is too long|[Aa]udio length must|input audio is longer",
        advice="send it in parts",
    ),
    Row(
        errors.AudioError,
        message="audio is empty|format is illegal|cannot be opened|files format not supported"
        "|media format is not supported",
        advice="send it as WAV or MP3",
    ),
    Row(
        errors.AudioError,
        code=r"InvalidFile(\.\w+)*|InvalidURL(\.\w+)*"
        r"|BadRequest\.(InputDownloadFailed|UnsupportedFileFormat|TooLarge|EmptyInput)",
        advice="the service cannot use the recording; send it as WAV or MP3",
    ),
    Row(
        errors.InvalidRequestError,
        message="provided URL does not appear to be valid",
        advice="audio travels as an http(s) or oss:// URL or as a data URI",
    ),
    Row(
        errors.InvalidRequestError,
        code=r"InternalError\.Algo(\.\w+)*|internal_error",
        message="list index out of range",
        advice="the last message must be a user's",
    ),
    # The rest, by code
    Row(
        errors.InvalidRequestError,
        code=r"InvalidParameter(\.\w+)*|invalid_parameter_error|invalid_request_error"
        r"|BadRequest(\.\w+)*",
    ),
    Row(
        errors.APITimeoutError,
        code=r"RequestTimeOut|GatewayTimeout|InternalError\.Timeout",
        advice="an answer takes too long to come whole: stream it",
    ),
    Row(
        errors.APIError,
        code=r"InternalError(\.\w+)*|internal_error|internal_server_error|SystemError"
        r"|ModelServiceFailed|ModelServingError|ModelUnavailable|ServiceUnavailable",
    ),
)

_BY_STATUS: dict[int, Row] = {
    401: Row(errors.AuthenticationError),
    403: Row(errors.PermissionDeniedError),
    404: Row(
        errors.NotFoundError,
        advice="check base_url, which ends in /api/v1, /compatible-mode/v1 or, on a server of your "
        "own, /v1",
    ),
    408: Row(errors.APITimeoutError),
    409: Row(errors.APIError),
    413: Row(errors.InvalidRequestError, advice="send less at once"),
    429: Row(errors.RateLimitError, advice=_SLOWER),
    504: Row(errors.APITimeoutError),
}


# No refusal goes without one of these, and an answer that has one is read to find out.
_ERROR_KEYS = re.compile(rb'"(code|error)"')


def check(response: httpx.Response) -> None:
    """Raise what a response refuses.

    Raises:
        DashScopeError: The SDK's reading of it, for `decode_refusal`.
    """
    if response.is_redirect:  # which the SDK takes for an answer
        raise sdk.error_from_status(
            response.status_code,
            message=f"it redirects to {response.headers.get('location', 'nowhere')}",
            headers=response.headers,
        )
    if response.is_success and not _ERROR_KEYS.search(response.content):
        return
    sdk.check_response(response)
    with contextlib.suppress(ValueError):
        body = response.json()
        # The compatible mode's own shape, which may come with status 200 too.
        if isinstance(body, dict) and (error := stream_error(body, response.headers)):
            raise error


def classify(code: str | None, status: int | None, message: str) -> Row:
    """Find the row for a refusal."""
    for row in TABLE:
        if (not row.code or re.fullmatch(row.code, code or "")) and re.search(row.message, message):
            return row
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status is not None and 300 <= status < 400:
        return Row(errors.InvalidRequestError, advice="base_url must be where the service is")
    refused = status is not None and 400 <= status < 500
    return Row(errors.InvalidRequestError if refused else errors.APIError)


def decode_refusal(error: sdk.DashScopeError, model: str = "") -> QwenAudioError:
    """Turn an error of the SDK into ours; the caller chains the cause.

    Args:
        error: What the SDK raised.
        model: The model that was asked, for what there is to say of it.
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
    if code and code.isdecimal():  # vLLM's and llama.cpp's codes are statuses
        status = int(code) if status in {None, 200} else status
        code = None
    message = message.strip() or f"the service answered with status {status} and no word"
    row = classify(code, status, message)
    advice = row.advice
    if row.error is errors.NotFoundError and model in PROFILES:
        advice = f"{advice}; {_known(model, PROFILES[model])}"
    ours = row.error(
        f"{message.rstrip('.')}: {advice}" if advice else message,
        code=code,
        status=status,
        request_id=error.request_id,
        body=error.body,
        headers=dict(error.headers),
    )
    if row.retryable is not None:
        ours.is_retryable = row.retryable
    return ours


def _known(model: str, profile: Profile) -> str:
    """Say what the table knows of a model that was not found."""
    offered = f"{model} is offered in {', '.join(profile.regions)}"
    if profile.status == "live":
        return offered
    state = "as a trial" if profile.status == "trial" else "and announced for retirement"
    return f"{offered} {state}; its successor is {profile.successor}"


def _status(status: int | None, message: str) -> int | None:
    """Read the status that a message begins with, where the reply itself had none of its own.

    Within a stream that began well, and in `<400> InternalError.Algo.InvalidParameter: …`, the
    message knows better than the status line, which says 200.
    """
    inner = re.match(r"<(\d{3})>", message)
    return int(inner[1]) if inner and status in {None, 200} else status
