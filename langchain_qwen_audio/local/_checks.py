"""What the service refuses before a model hears anything. Pure.

Statuses, codes and messages: https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_qwen_audio.local._replies import ReceivedRequest
from langchain_qwen_audio.local._uploads import INVALID_URL
from langchain_qwen_audio.local._wire import Refusal, split_tokens

# The two that no retirement list names: https://help.aliyun.com/zh/model-studio/model-depreciation
QWEN_AUDIO = frozenset({"qwen-audio-turbo", "qwen-audio-turbo-latest"})

MAX_DATA_URI_BYTES = 10_485_760

INVALID_PARAMETER = "Required parameter(s) missing or invalid, please check the request parameters."

_MODALITIES = frozenset({"text", "image", "video", "audio"})


@dataclass(frozen=True)
class Question:
    """A generation request that has passed the checks.

    Attributes:
        model: One of the known names.
        audios: Every audio of the conversation, as sent, in order.
        text_tokens: The length of all its text.
        stream: It asks for server-sent events.
        incremental: Each chunk of the stream is to hold only what is new.
    """

    model: str
    audios: tuple[str, ...]
    text_tokens: int
    stream: bool
    incremental: bool


def check_api_key(request: ReceivedRequest, api_keys: Collection[str] | None) -> str:
    """Return the key of `Authorization: Bearer <key>`; `None` allows every key."""
    scheme, _, api_key = request.headers.get("authorization", "").partition(" ")
    api_key = api_key.strip()
    allowed = bool(api_key) if api_keys is None else api_key in api_keys
    if scheme.lower() != "bearer" or not allowed:
        raise Refusal(401, "InvalidApiKey", "Invalid API-key provided.")
    return api_key


def check_model(model: object, models: Collection[str]) -> str:
    """Return a model name that is served here."""
    if not model:
        msg = 'Required parameter "model" missing from request.'
        raise Refusal(400, "BadRequest.EmptyModel", msg)
    if not isinstance(model, str) or model not in models:
        msg = (
            f"Model can not be found. The model `{model}` does not exist or you do not have "
            f"access to it. (This local stand-in serves: {', '.join(sorted(models))}.)"
        )
        raise Refusal(404, "ModelNotFound", msg)
    return model


def check_question(request: ReceivedRequest, models: Collection[str]) -> Question:
    """Check the body of a generation request."""
    body = _check_json(request)
    model = check_model(body.get("model"), models)
    messages = _check_messages(body.get("input"))
    parts = [part for message in messages for part in _check_content(message)]
    audios = [part["audio"] for part in parts if "audio" in part]
    for audio in audios:
        _check_audio_url(audio, request.headers)
    if messages[-1].get("role") not in {"user", "tool"}:
        raise Refusal(500, "InternalError.Algo", "list index out of range")
    return Question(
        model=model,
        audios=tuple(audios),
        text_tokens=sum(len(split_tokens(part.get("text", ""))) for part in parts),
        stream=request.headers.get("x-dashscope-sse") == "enable",
        incremental=request.parameters.get("incremental_output") is True,
    )


def _check_json(request: ReceivedRequest) -> dict[str, Any]:
    try:
        body = request.json
    except ValueError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("parameters") or {}, dict):
        raise Refusal(400, "InvalidParameter", INVALID_PARAMETER)
    return body


def _check_messages(given: object) -> Sequence[dict[str, Any]]:
    messages = given.get("messages") if isinstance(given, dict) else None
    if not messages or not isinstance(messages, list):
        msg = "Required input parameter missing from request."
        raise Refusal(400, "BadRequest.EmptyInput", msg)
    if not all(isinstance(message, dict) for message in messages):
        raise Refusal(400, "InvalidParameter", INVALID_PARAMETER)
    return messages


def _check_content(message: Mapping[str, Any]) -> Sequence[dict[str, Any]]:
    content = message.get("content")
    if not isinstance(content, list) or not all(map(_is_part, content)):
        msg = "The item of content should be a message of a certain modal"
        raise Refusal(400, "InvalidParameter", msg)
    return content


def _is_part(part: object) -> bool:
    return (
        isinstance(part, dict)
        and bool(part)
        and part.keys() <= _MODALITIES
        and isinstance(part.get("text", ""), str)
    )


def _check_audio_url(audio: object, headers: Mapping[str, str]) -> None:
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
