"""What the service refuses in every protocol, whichever the model. Pure.

Statuses, codes and messages: https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter

MAX_DATA_URI_BYTES = 10_485_760

INVALID_PARAMETER = "Required parameter(s) missing or invalid, please check the request parameters."
URL_ERROR = "url error, please check url!"
INVALID_URL = "The provided URL does not appear to be valid. Ensure it is correctly formatted."


def check_api_key(request: ReceivedRequest, api_keys: Collection[str] | None) -> str:
    """Return the key of `Authorization: Bearer <key>`; `None` allows every key."""
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    api_key = api_key.strip()
    allowed = bool(api_key) if api_keys is None else api_key in api_keys
    if scheme.lower() != "bearer" or not allowed:
        raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
    return api_key


def check_model_name(name: object, known: Collection[str], served: Collection[str]) -> str:
    """Return the name of a model that is known.

    Args:
        name: What was requested.
        known: All names that the server knows.
        served: The names to list in the error, those of the protocol.
    """
    if not name:
        msg = 'Required parameter "model" missing from request.'
        raise Refusal(400, "BadRequest.EmptyModel", msg)
    if not isinstance(name, str) or name not in known:
        msg = (
            f"Model can not be found. The model `{name}` does not exist or you do not have "
            f"access to it. (This local test server serves: {', '.join(sorted(served))}.)"
        )
        raise Refusal(404, "ModelNotFound", msg)
    return name


def check_json(request: ReceivedRequest) -> dict[str, Any]:
    """Return the body, a JSON object."""
    try:
        body = request.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid_parameter(INVALID_PARAMETER)
    return body


def check_message_list(messages: object) -> Sequence[dict[str, Any]]:
    """Return the messages, at least one."""
    if not messages or not isinstance(messages, list):
        msg = "Required input parameter missing from request."
        raise Refusal(400, "BadRequest.EmptyInput", msg)
    if not all(isinstance(message, dict) for message in messages):
        raise invalid_parameter(INVALID_PARAMETER)
    return messages


def check_last_message(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a conversation that ends with an answer."""
    if messages[-1].get("role") not in {"user", "tool"}:
        raise Refusal(500, "InternalError.Algo", "list index out of range")


def check_audio_url(audio: object, headers: Mapping[str, str]) -> None:
    """Refuse what is neither a data URI, nor a URL, nor a temporary file that is to be resolved."""
    if not isinstance(audio, str):
        raise invalid_parameter(INVALID_URL)
    resolves = headers.get("x-dashscope-ossresourceresolve") == "enable"
    is_data_uri = audio.startswith("data:") and ";base64," in audio[:200]
    is_oss = audio.startswith("oss://") and resolves
    if not (is_data_uri or is_oss or audio.startswith(("http://", "https://"))):
        raise invalid_parameter(INVALID_URL)
    if is_data_uri and len(audio) > MAX_DATA_URI_BYTES:
        msg = f"Exceeded limit on max bytes per data-uri item : {MAX_DATA_URI_BYTES}"
        raise invalid_parameter(msg)
