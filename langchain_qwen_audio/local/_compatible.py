"""A request by the OpenAI-compatible path → the question it asks. Pure.

Shapes: https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions and, for what
Omni takes, https://help.aliyun.com/zh/model-studio/qwen-omni
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local import _checks, _hermes
from langchain_qwen_audio.local._models import Model, Models
from langchain_qwen_audio.local._question import Question
from langchain_qwen_audio.local._replies import ReceivedRequest
from langchain_qwen_audio.local._rules import check_asr_options, check_rules
from langchain_qwen_audio.local._uploads import INVALID_URL
from langchain_qwen_audio.local._wire import Refusal

_ROLES = ("system", "assistant", "user", "tool")
_FORMATS = frozenset(
    {"3gp", "3gpp", "aac", "aiff", "amr", "avi", "flac", "flv", "m4a", "mkv", "mp3", "mp4"}
    | {"ogg", "opus", "wav", "webm", "wma", "wmv"}
)


def read_chat(request: ReceivedRequest, models: Models) -> Question:
    """Read a chat completion request.

    Raises:
        Refusal: The service would not take it.
    """
    body = _checks.check_json(request)
    name = _checks.check_model(body.get("model"), models, models.compatible)
    if name not in models.compatible:
        msg = f"Unsupported model `{name}` for OpenAI compatibility mode."
        raise Refusal(404, "ModelNotSupported", msg)
    model = models.compatible[name]
    given = _checks.check_messages(body.get("messages"))
    messages = [
        _read_message(message, index, request.headers) for index, message in enumerate(given)
    ]
    _check_tool_messages(messages)
    _checks.check_last_message(messages)
    question = Question(
        name=name,
        model=model,
        messages=messages,
        compatible=True,
        stream=body.get("stream") is True,
        include_usage=_wants_usage(body),
        tools=body.get("tools") is not None,
        speech=_wants_speech(body, model),
        thinking=_is_to_think(body, model),
    )
    offer = _hermes.read_tools(body)
    check_rules(question)
    if model.family == "asr":
        check_asr_options(body.get("asr_options") or {})
    return dataclasses.replace(question, messages=_hermes.write(messages, offer))


# --- messages ---


def _read_message(
    message: Mapping[str, Any], index: int, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Put a message in the native form, with its tool calls beside its content."""
    role = message.get("role")
    if role not in _ROLES:
        raise _refusal(f"{role} is not one of {list(_ROLES)} - 'messages.{index}.role'")
    calls = message.get("tool_calls") or []
    content = message.get("content")
    if content is None and calls:
        content = []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        raise _refusal(f"Input should be a valid string or list: messages.{index}.content")
    if role == "assistant" and message.get("audio") is not None:
        raise _refusal("An assistant message should be text.")
    parts = [_read_part(part, headers) for part in content]
    if role != "user" and any("text" not in part for part in parts):
        raise _refusal(f"A message of the role {role} should be text.")
    return {
        "role": role,
        "content": [part for part in parts if part != {"text": ""}],
        "tool_calls": _hermes.read_calls(calls),
        "tool_call_id": message.get("tool_call_id"),
    }


def _read_part(part: object, headers: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": str(text)}:
            return {"text": text}
        case {"type": "input_audio", "input_audio": {"data": data, **more}}:
            _checks.check_audio_url(data, headers)
            if more.get("format", "wav") not in _FORMATS:
                raise _refusal(f"Unsupported format: {more['format']}: input_audio.format")
            return {"audio": data}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"image": _checked_url(url)}
        case {"type": "video_url", "video_url": {"url": str(url)}}:
            return {"video": _checked_url(url)}
        case {"type": "video", "video": list(frames)}:
            return {"video": frames}
        case {"type": "text" | "input_audio" | "image_url" | "video_url" | "video" as kind}:
            raise _refusal(f"Input should be a valid dictionary: content.{kind}")
        case {"type": kind}:
            # The service's own words, which leave out what it does take:
            # https://github.com/modelstudioai/cli/issues/54
            supported = "'text','image_url','video_url' and 'video'"
            raise _refusal(f"Invalid value: {kind}. Supported values are: {supported}.")
    raise Refusal(400, "InvalidParameter", _checks.INVALID_PARAMETER)


def _checked_url(url: str) -> str:
    if not url.startswith(("data:", "http://", "https://", "oss://")):
        raise _refusal(INVALID_URL)
    return url


def _check_tool_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse results that no call asked for.

    The words: https://github.com/philschmid/mcp-openai-gemini-llama-example/pull/5
    """
    asked: set[str] = set()
    for message in messages:
        if message["role"] != "tool":
            asked = {call["id"] for call in message["tool_calls"]}
        elif message["tool_call_id"] not in asked:
            raise _refusal(
                'messages with role "tool" must be a response to a preceeding message with '
                '"tool_calls".'
            )


# --- parameters ---


def _wants_usage(body: Mapping[str, Any]) -> bool:
    options = body.get("stream_options")
    if options is None:
        return False
    if body.get("stream") is not True:
        raise _refusal("The 'stream_options' parameter is only allowed when 'stream' is true.")
    return isinstance(options, dict) and options.get("include_usage") is True


def _wants_speech(body: Mapping[str, Any], model: Model) -> bool:
    modalities = body.get("modalities") or ["text"]
    if modalities not in (["text"], ["text", "audio"], ["audio", "text"]):
        raise _refusal("Input should be ['text'] or ['text','audio']: parameters.modalities")
    speech = "audio" in modalities
    audio = body.get("audio") or {}
    if not isinstance(audio, dict):
        raise _refusal("Input should be a valid dictionary: parameters.audio")
    if speech and model.voices and audio.get("voice", model.voices[0]) not in model.voices:
        *voices, last = (f"'{voice}'" for voice in model.voices)
        raise _refusal(f"Input should be {', '.join(voices)} or {last}: parameters.audio.voice")
    if speech and audio.get("format", "wav") != "wav":
        raise _refusal("Input should be 'wav': parameters.audio.format")
    return speech


def _is_to_think(body: Mapping[str, Any], model: Model) -> bool:
    if model.thinking == "never" or body.get("reasoning_effort") == "none":
        return False
    wanted = body.get("enable_thinking")
    return model.thinking == "on" if wanted is None else wanted is True


def _refusal(message: str) -> Refusal:
    return Refusal(400, "InvalidParameter", message)
