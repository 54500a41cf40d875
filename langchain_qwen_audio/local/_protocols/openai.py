"""The OpenAI-compatible path: a chat completion request → `ModelRequest`, a reply → bytes. Pure.

Requests: https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions and, for what
Omni takes, https://help.aliyun.com/zh/model-studio/qwen-omni , which has the chunks too; those of
speech recognition: https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference ; errors:
https://docs.qwencloud.com/api-reference/preparation/error-messages
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pybase64

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._protocols import checks, tool_prompt
from langchain_qwen_audio.local._protocols.http_replies import (
    encode_text,
    event_stream,
    json_reply,
    new_request_id,
    write_json,
)
from langchain_qwen_audio.local._protocols.parameters import (
    SAMPLING,
    check_one_answer,
    read_max_tokens,
    read_stop,
)
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.tool_calls import split_tool_calls, write_tool_calls
from langchain_qwen_audio.local._protocols.usage import count_text_tokens, write_openai_usage
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import InputTokens, OutputTokens, split_tokens

_ROLES = ("system", "assistant", "user", "tool")
_FORMATS = frozenset(
    {"3gp", "3gpp", "aac", "aiff", "amr", "avi", "flac", "flv", "m4a", "mkv", "mp3", "mp4"}
    | {"ogg", "opus", "wav", "webm", "wma", "wmv"}
)
_SPEECH_LIFE_S = 3600
_CHUNK = "chat.completion.chunk"
_DONE = b"data: [DONE]\n\n"

# Native code → this path's, where it is not the same in another spelling.
_CODES = {
    "InvalidParameter": "invalid_parameter_error",
    "InternalError.Algo": "internal_error",
    "BadRequest.EmptyInput": "invalid_parameter_error",
    "BadRequest.EmptyModel": "invalid_parameter_error",
}


# --- a request: messages ---


def read_openai(
    fields: Mapping[str, Any], headers: Mapping[str, str], name: str, model: Model
) -> ModelRequest:
    """Read a chat completion request.

    Raises:
        Refusal: The service would not take it.
    """
    given = checks.check_message_list(fields.get("messages"))
    messages = [_read_message(message, index, headers) for index, message in enumerate(given)]
    _check_tool_messages(messages)
    checks.check_last_message(messages)
    check_one_answer(fields)
    return ModelRequest(
        name=name,
        model=model,
        messages=tool_prompt.write_messages(messages, tool_prompt.write_tools(fields)),
        stream=fields.get("stream") is True,
        include_usage=_wants_usage(fields),
        tools=fields.get("tools") is not None,
        speech=_wants_speech(fields, model),
        thinking=_wants_thinking(fields, model),
        json_mode=_wants_json(fields, model, messages),
        asr_options=fields.get("asr_options"),
        stop=read_stop(fields),
        max_tokens=read_max_tokens(fields, "max_tokens", "max_completion_tokens"),
    )


def _read_message(
    message: Mapping[str, Any], index: int, headers: Mapping[str, str]
) -> dict[str, Any]:
    """Write a message in the native form, with its tool calls beside its content."""
    role = message.get("role")
    if role not in _ROLES:
        raise invalid_parameter(f"{role} is not one of {list(_ROLES)} - 'messages.{index}.role'")
    calls = message.get("tool_calls") or []
    content = message.get("content")
    if content is None and calls:
        content = []
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if not isinstance(content, list):
        msg = f"Input should be a valid string or list: messages.{index}.content"
        raise invalid_parameter(msg)
    if role == "assistant" and message.get("audio") is not None:
        raise invalid_parameter("An assistant message should be text.")
    parts = [_read_part(part, headers) for part in content]
    if role != "user" and any("text" not in part for part in parts):
        raise invalid_parameter(f"A message of the role {role} should be text.")
    return {
        "role": role,
        "content": [part for part in parts if part != {"text": ""}],
        "tool_calls": tool_prompt.read_calls(calls),
        "tool_call_id": message.get("tool_call_id"),
    }


def _read_part(part: object, headers: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case {"type": "text", "text": str(text)}:
            return {"text": text}
        case {"type": "input_audio", "input_audio": {"data": data, **more}}:
            checks.check_audio_url(data, headers)
            if more.get("format", "wav") not in _FORMATS:
                msg = f"Unsupported format: {more['format']}: input_audio.format"
                raise invalid_parameter(msg)
            return {"audio": data}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"image": _check_url(url)}
        case {"type": "video_url", "video_url": {"url": str(url)}}:
            return {"video": _check_url(url)}
        case {"type": "video", "video": list(frames)}:
            return {"video": [_check_url(frame) for frame in frames]}
        case {"type": "text" | "input_audio" | "image_url" | "video_url" | "video" as kind}:
            raise invalid_parameter(f"Input should be a valid dictionary: content.{kind}")
        case {"type": kind}:
            # The service's own words, which leave out what it does take:
            # https://github.com/modelstudioai/cli/issues/54
            supported = "'text','image_url','video_url' and 'video'"
            raise invalid_parameter(f"Invalid value: {kind}. Supported values are: {supported}.")
    raise invalid_parameter(checks.INVALID_PARAMETER)


def _check_url(url: object) -> str:
    if not isinstance(url, str) or not url.startswith(("data:", "http://", "https://", "oss://")):
        raise invalid_parameter(checks.INVALID_URL)
    return url


def _check_tool_messages(messages: Sequence[Mapping[str, Any]]) -> None:
    """Refuse results of calls that the message before does not have.

    The text: https://github.com/philschmid/mcp-openai-gemini-llama-example/pull/5
    """
    call_ids: set[str] = set()
    for message in messages:
        if message["role"] != "tool":
            call_ids = {call["id"] for call in message["tool_calls"]}
        elif message["tool_call_id"] not in call_ids:
            raise invalid_parameter(
                'messages with role "tool" must be a response to a preceeding message with '
                '"tool_calls".'
            )


# --- a request: parameters ---


def _wants_usage(fields: Mapping[str, Any]) -> bool:
    options = fields.get("stream_options")
    if options is None:
        return False
    if fields.get("stream") is not True:
        msg = "The 'stream_options' parameter is only allowed when 'stream' is true."
        raise invalid_parameter(msg)
    return isinstance(options, dict) and options.get("include_usage") is True


def _wants_speech(fields: Mapping[str, Any], model: Model) -> bool:
    modalities = fields.get("modalities") or ["text"]
    if modalities not in (["text"], ["text", "audio"], ["audio", "text"]):
        msg = "Input should be ['text'] or ['text','audio']: parameters.modalities"
        raise invalid_parameter(msg)
    speech = "audio" in modalities
    audio = fields.get("audio") or {}
    if not isinstance(audio, dict):
        raise invalid_parameter("Input should be a valid dictionary: parameters.audio")
    if speech and model.voices and audio.get("voice", model.voices[0]) not in model.voices:
        *voices, last = (f"'{voice}'" for voice in model.voices)
        msg = f"Input should be {', '.join(voices)} or {last}: parameters.audio.voice"
        raise invalid_parameter(msg)
    if speech and audio.get("format", "wav") != "wav":
        raise invalid_parameter("Input should be 'wav': parameters.audio.format")
    return speech


def _wants_thinking(fields: Mapping[str, Any], model: Model) -> bool:
    effort = fields.get("reasoning_effort")
    if effort is not None and fields.get("thinking_budget") is not None:
        raise invalid_parameter("reasoning_effort and thinking_budget cannot be set together.")
    if model.thinking == "never" or effort == "none":
        return False
    wanted = fields.get("enable_thinking")
    return model.thinking == "on" if wanted is None else wanted is True


def _wants_json(
    fields: Mapping[str, Any], model: Model, messages: Sequence[Mapping[str, Any]]
) -> bool:
    """Tell whether a JSON object is requested.

    https://help.aliyun.com/zh/model-studio/qwen-structured-output ; the first two texts are this
    server's own.
    """
    kind = (fields.get("response_format") or {"type": "text"}).get("type")
    if kind == "text":
        return False
    if kind != "json_object" or not model.json_mode:
        raise invalid_parameter(f"response_format of type '{kind}' is not supported by the model.")
    if _wants_thinking(fields, model):
        raise invalid_parameter("response_format is not supported in thinking mode.")
    texts = (part.get("text", "") for message in messages for part in message["content"])
    if not any("json" in text.lower() for text in texts):
        raise invalid_parameter(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of "
            "type 'json_object'."
        )
    return True


# --- a reply ---


@dataclass(frozen=True)
class _Envelope:
    """What every piece of one answer repeats."""

    request_id: str
    model: str
    created: int

    def wrap(self, kind: str, choices: Sequence[Any], usage: object) -> dict[str, Any]:
        return {
            "choices": choices,
            "object": kind,
            "usage": usage,
            "created": self.created,
            "system_fingerprint": None,
            "model": self.model,
            "id": f"chatcmpl-{self.request_id}",
        }

    def write_audio(self, data: str) -> dict[str, Any]:
        expires_at = self.created + _SPEECH_LIFE_S
        return {"data": data, "expires_at": expires_at, "id": f"audio_{self.request_id}"}


def write_openai(reply: Reply, request: ModelRequest, tokens: InputTokens) -> RawReply:
    """Write a reply to a request, whole or as a stream."""
    request_id = reply.request_id or new_request_id()
    envelope = _Envelope(request_id, reply.model or request.name, int(time.time()))
    calls = write_tool_calls(reply.tool_calls)
    usage = _usage(reply, request.model, tokens)
    if not request.stream:
        choice = {
            "message": _write_message(reply, calls, envelope),
            "finish_reason": reply.ending,
            "index": 0,
            "logprobs": None,
        }
        whole = envelope.wrap("chat.completion", [choice], usage)
        return json_reply(200, whole, request_id, delay_s=reply.delay_s)
    chunks = [envelope.wrap(_CHUNK, [it], None) for it in _split_reply(reply, calls, envelope)]
    if request.include_usage:
        chunks.append(envelope.wrap(_CHUNK, [], usage))
    events = [*map(_event, chunks), _DONE]
    return event_stream(events, request_id, delay_s=reply.delay_s, pause_s=reply.pause_s)


def _usage(reply: Reply, model: Model, tokens: InputTokens) -> Mapping[str, Any]:
    if reply.usage is not None:
        return reply.usage
    output = OutputTokens(
        text=count_text_tokens(reply),
        reasoning=len(split_tokens(reply.reasoning)),
        audio=round(reply.speech_s * model.speech_tokens_per_s),
    )
    return write_openai_usage(model.family, tokens, output)


def _write_message(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.whole_text}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if calls:
        message["tool_calls"] = calls
    if reply.annotations is not None:
        message["annotations"] = reply.annotations
    if reply.audio:
        message["audio"] = envelope.write_audio(pybase64.b64encode_as_string(reply.audio))
    return message


def _split_reply(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> Iterator[dict[str, Any]]:
    """Split a reply into the choices of its chunks."""
    more: dict[str, Any] = {}
    if reply.annotations is not None:
        more = {"annotations": reply.annotations}
    yield _choice({"content": "", "role": "assistant", **more})
    if reply.annotations is not None:
        more["role"] = None  # speech recognition repeats it, the others leave it out
    for delta in _deltas(reply, calls, envelope):
        yield _choice({**delta, **more})
    yield _choice({"content": "", **more}, reply.ending)


def _deltas(
    reply: Reply, calls: Sequence[Mapping[str, Any]], envelope: _Envelope
) -> Iterator[dict[str, Any]]:
    for piece in split_tokens(reply.reasoning):
        yield {"content": None, "reasoning_content": piece}
    reasoned = {"reasoning_content": None} if reply.reasoning else {}
    for fragment in reply.fragments or split_tokens(reply.text):
        yield {"content": fragment, **reasoned}
    for call in split_tool_calls(calls):
        yield {"content": None, **reasoned, "tool_calls": [call]}
    # One base64 text: its pieces are no base64 of their own.
    speech = pybase64.b64encode_as_string(reply.audio)
    for start in range(0, len(speech), reply.audio_piece):
        yield {"audio": envelope.write_audio(speech[start : start + reply.audio_piece])}


def _choice(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    return {"delta": delta, "finish_reason": finish_reason, "index": 0, "logprobs": None}


def _event(payload: Mapping[str, Any]) -> bytes:
    """Frame one event: with a blank after the colon, unlike the native ones."""
    return encode_text(f"data: {write_json(payload)}\n\n")


# --- errors ---


def compatible_error_reply(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> RawReply:
    """Answer with the compatible path's error body; the code goes out as it is given.

    Example:
        `compatible_error_reply(429, "limit_requests", "You exceeded your current quota.")`

    Example:
        ```python
        from langchain_qwen_audio.errors import AuthenticationError
        from langchain_qwen_audio.local import LocalDashScope, compatible_error_reply

        with LocalDashScope() as server:
            server.script(compatible_error_reply(401, "invalid_api_key", "Wrong key."))
            local_model = ChatQwenAudio(
                model="qwen3.5-omni-flash", base_url=server.base_url, api_key="local", max_retries=0
            )
            try:
                local_model.invoke("?")
            except AuthenticationError as error:
                print(error)
        ```
    """
    request_id = request_id or new_request_id()
    body = _error_body(status, code, message, request_id)
    return json_reply(status, body, request_id, headers=headers)


def compatible_stream_error_reply(
    fragments: Sequence[str],
    code: str,
    message: str,
    *,
    status: int = 400,
    model: str = "qwen3-omni-flash",
) -> RawReply:
    """Stream some fragments, then fail with an error inside the 200 response, without `[DONE]`.

    That it comes in an event of its own and in the shape of an error body is inferred.

    Example:
        ```python
        from langchain_qwen_audio.errors import APIError
        from langchain_qwen_audio.local import LocalDashScope, compatible_stream_error_reply

        with LocalDashScope() as server:
            server.script(compatible_stream_error_reply(["It "], "internal_error", "It failed."))
            local_model = ChatQwenAudio(
                model="qwen3.5-omni-flash", base_url=server.base_url, api_key="local", max_retries=0
            )
            try:
                list(local_model.stream("?"))
            except APIError as error:
                print(error)
        ```
    """
    request_id = new_request_id()
    envelope = _Envelope(request_id, model, int(time.time()))
    *choices, _ = _split_reply(Reply(fragments=tuple(fragments)), [], envelope)
    begun = [_event(envelope.wrap(_CHUNK, [choice], None)) for choice in choices]
    failure = _event(_error_body(status, code, message, request_id))
    return event_stream([*begun, failure], request_id)


def _error_body(status: int, code: str, message: str, request_id: str) -> dict[str, Any]:
    of_the_request = 400 <= status < 500 and status != 429
    kind = "invalid_request_error" if of_the_request else code
    return {
        "error": {"message": message, "type": kind, "code": code, "param": None},
        "request_id": request_id,
        "id": f"chatcmpl-{request_id}",
    }


def _write_error(refusal: Refusal) -> RawReply:
    """Write an error with this path's code: in lower case, with underscores."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", refusal.code).replace(".", "_")
    code = _CODES.get(refusal.code, words.lower())
    return compatible_error_reply(refusal.status, code, refusal.message)


def _refuse_model(name: str) -> Refusal:
    msg = f"Unsupported model `{name}` for OpenAI compatibility mode."
    return Refusal(404, "ModelNotSupported", msg)


OPENAI = ServerProtocol(
    name="openai",
    kind="chat",
    base_path="/compatible-mode/v1",
    path="/chat/completions",
    parameters=SAMPLING
    | {"stream", "stream_options", "n", "stop", "max_tokens", "max_completion_tokens"}
    | {"modalities", "audio", "tools", "tool_choice", "parallel_tool_calls", "response_format"}
    | {"enable_thinking", "reasoning_effort", "thinking_budget", "asr_options"}
    | {"enable_search", "search_options", "use_multichannel"},
    read=read_openai,
    write=write_openai,
    write_error=_write_error,
    refuse_model=_refuse_model,
)
