"""What the service refuses by either path before a model hears anything. Pure.

Statuses, codes and messages: https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._models import Models
from langchain_qwen_audio.local._replies import ReceivedRequest
from langchain_qwen_audio.local._uploads import INVALID_URL
from langchain_qwen_audio.local._wire import Refusal

MAX_DATA_URI_BYTES = 10_485_760

INVALID_PARAMETER = "Required parameter(s) missing or invalid, please check the request parameters."


def check_api_key(request: ReceivedRequest, api_keys: Collection[str] | None) -> str:
    """Return the key of `Authorization: Bearer <key>`; `None` allows every key."""
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    api_key = api_key.strip()
    allowed = bool(api_key) if api_keys is None else api_key in api_keys
    if scheme.lower() != "bearer" or not allowed:
        raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
    return api_key


def check_model(model: object, models: Models, path: Collection[str] = ()) -> str:
    """Return the name of a model that is known.

    Args:
        model: What was asked for.
        models: The models that are known.
        path: The names to tell when it is not; all of them by default.
    """
    if not model:
        msg = 'Required parameter "model" missing from request.'
        raise Refusal(400, "BadRequest.EmptyModel", msg)
    if not isinstance(model, str) or model not in models.names:
        served = ", ".join(sorted(path or models.names))
        msg = (
            f"Model can not be found. The model `{model}` does not exist or you do not have "
            f"access to it. (This local stand-in serves: {served}.)"
        )
        raise Refusal(404, "ModelNotFound", msg)
    return model


def check_json(request: ReceivedRequest) -> dict[str, Any]:
    """Return the body, a JSON object."""
    try:
        body = request.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "InvalidParameter", INVALID_PARAMETER)
    return body


def check_messages(given: object) -> Sequence[dict[str, Any]]:
    """Return the messages, at least one."""
    if not given or not isinstance(given, list):
        msg = "Required input parameter missing from request."
        raise Refusal(400, "BadRequest.EmptyInput", msg)
    if not all(isinstance(message, dict) for message in given):
        raise Refusal(400, "InvalidParameter", INVALID_PARAMETER)
    return given


def check_last_message(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a conversation in which nobody asks."""
    if messages[-1].get("role") not in {"user", "tool"}:
        raise Refusal(500, "InternalError.Algo", "list index out of range")


def check_audio_url(audio: object, headers: Mapping[str, str]) -> None:
    """Refuse what is neither a data URI, nor a URL, nor a temporary file that is to be resolved."""
    if not isinstance(audio, str):
        raise Refusal(400, "InvalidParameter", INVALID_URL)
    resolves = headers.get("x-dashscope-ossresourceresolve") == "enable"
    is_data_uri = audio.startswith("data:") and ";base64," in audio[:200]
    is_oss = audio.startswith("oss://") and resolves
    if not (is_data_uri or is_oss or audio.startswith(("http://", "https://"))):
        raise Refusal(400, "InvalidParameter", INVALID_URL)
    if is_data_uri and len(audio) > MAX_DATA_URI_BYTES:
        msg = f"Exceeded limit on max bytes per data-uri item : {MAX_DATA_URI_BYTES}"
        raise Refusal(400, "InvalidParameter", msg)
