"""DashScope's native wire format, both ways. Pure.

https://docs.qwencloud.com/api-reference/chat/dashscope
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, assert_never

from langchain_qwen_audio._protocols.base import (
    ServiceReply,
    WireProtocol,
    only_choice,
    read_content,
    read_message,
    refuse_shape,
    string_or_none,
)
from langchain_qwen_audio._request.parts import (
    AudioUrlPart,
    FramesPart,
    ImagePart,
    InlineAudioPart,
    RequestMessage,
    SentPart,
    TextPart,
    VideoPart,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class NativeProtocol(WireProtocol):
    """`{"model", "input": {"messages"}, "parameters"}` and `{"output": {"choices"}}`."""

    path: ClassVar[str] = "/services/aigc/multimodal-generation/generation"
    stream_headers: ClassVar[dict[str, str]] = {"X-DashScope-SSE": "enable"}
    takes_uploads: ClassVar[bool] = True

    def write(
        self,
        model: str,
        messages: Sequence[RequestMessage[SentPart]],
        parameters: dict[str, Any],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Write the JSON body of a request."""
        # Without it, the events of a stream repeat all text so far.
        increments = {"incremental_output": True} if stream else {}
        return {
            "model": model,
            "input": {"messages": [_write_message(message) for message in messages]},
            "parameters": {"result_format": "message", **increments, **parameters},
        }

    def read(self, body: Any) -> ServiceReply:
        """Read the JSON body of a reply, or of an event of a stream."""
        try:
            output = body.get("output") or {}
            if choice := only_choice(output.get("choices")):
                message, reason = choice.get("message") or {}, choice.get("finish_reason")
                message = _with_speech(message)
                content = read_content(message)
                return read_message(body, message, reason, content, has_answer=bool(message))
            # As older models answer.
            whole = string_or_none(output.get("text"))
            reason = output.get("finish_reason")
            return read_message(body, {}, reason, (whole or "", ""), has_answer=whole is not None)
        except (AttributeError, TypeError, LookupError) as error:
            refuse_shape(body, error)


def _with_speech(message: dict[str, Any]) -> dict[str, Any]:
    """Move speech to where the other format has it: here it is a part of the content.

    https://help.aliyun.com/zh/model-studio/qwen-omni (of qwen-omni-turbo, in streams)
    """
    parts = message.get("content")
    if not isinstance(parts, list) or not any(map(_is_speech, parts)):
        return message
    spoken = [it for it in parts if _is_speech(it)]
    if len(spoken) > 1:
        raise TypeError("several pieces of speech")
    rest = {name: value for name, value in spoken[0].items() if name != "audio"}
    content = [rest if _is_speech(it) else it for it in parts]
    return {**message, "content": content, "audio": spoken[0]["audio"]}


def _is_speech(part: Any) -> bool:
    return isinstance(part, dict) and isinstance(part.get("audio"), dict)


def _write_message(message: RequestMessage[SentPart]) -> dict[str, Any]:
    optional = {
        "name": message.name,
        "tool_call_id": message.tool_call_id,
        "reasoning_content": message.reasoning,
        "tool_calls": message.tool_calls,
    }
    return {
        "role": message.role,
        "content": [_write_part(part) for part in message.content],
        **{name: value for name, value in optional.items() if value},
    }


def _write_part(part: SentPart) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"text": part.text}
        case InlineAudioPart():
            return {"audio": f"data:{part.mime_type};base64,{part.base64}"}
        case AudioUrlPart():
            return {"audio": part.url}
        case ImagePart():
            return {"image": part.url}
        case VideoPart():
            return {"video": part.url, **part.sampling}
        case FramesPart():
            return {"video": list(part.urls), **part.sampling}
        case _:
            assert_never(part)
