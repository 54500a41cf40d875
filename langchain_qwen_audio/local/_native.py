"""A request in DashScope's own protocol → the question it asks. Pure.

Shapes: https://docs.qwencloud.com/api-reference/chat/dashscope
"""

from collections.abc import Mapping
from typing import Any

from langchain_qwen_audio.local import _checks
from langchain_qwen_audio.local._models import Models
from langchain_qwen_audio.local._question import Question
from langchain_qwen_audio.local._replies import ReceivedRequest
from langchain_qwen_audio.local._rules import check_asr_options, check_rules
from langchain_qwen_audio.local._wire import Refusal

_MODALITIES = frozenset({"text", "image", "video", "audio"})


def read_generation(request: ReceivedRequest, models: Models) -> Question:
    """Read a generation request.

    Raises:
        Refusal: The service would not take it.
    """
    body = _checks.check_json(request)
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise Refusal(400, "InvalidParameter", _checks.INVALID_PARAMETER)
    name = _checks.check_model(body.get("model"), models, models.native)
    if name not in models.native:
        raise Refusal(400, "InvalidParameter", "url error, please check url!")
    given = body.get("input")
    messages = _checks.check_messages(given.get("messages") if isinstance(given, dict) else None)
    for message in messages:
        _check_content(message, request.headers)
    _checks.check_last_message(messages)
    question = Question(
        name=name,
        model=models.native[name],
        messages=messages,
        compatible=False,
        stream=request.headers.get("x-dashscope-sse") == "enable",
        incremental=parameters.get("incremental_output") is True,
    )
    check_rules(question)
    if question.model.family == "asr":
        check_asr_options(parameters.get("asr_options") or {})
    return question


def _check_content(message: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    content = message.get("content")
    if not isinstance(content, list) or not all(map(_is_part, content)):
        msg = "The item of content should be a message of a certain modal"
        raise Refusal(400, "InvalidParameter", msg)
    for part in content:
        if "audio" in part:
            _checks.check_audio_url(part["audio"], headers)


def _is_part(part: object) -> bool:
    return (
        isinstance(part, dict)
        and bool(part)
        and part.keys() <= _MODALITIES
        and isinstance(part.get("text", ""), str)
    )
