"""Messages and replies that nobody should write, by the thousand, from a seed."""

from __future__ import annotations

import copy
import datetime as dt
import json
import math
import random
from typing import TYPE_CHECKING, Any

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_qwen_audio.local import sse_event

if TYPE_CHECKING:
    from collections.abc import Callable


def deep(levels: int, inner: Any = 1, *, key: str | None = None) -> Any:
    """Nest a value, in lists or in objects of one key."""
    for _ in range(levels):
        inner = [inner] if key is None else {key: inner}
    return inner


STRINGS: list[str] = [
    *(
        "",
        " ",
        "a",
        "null",
        "stop",
        "length",
        "text",
        "audio",
        "0",
        "-1",
        "\0",
        "\ud800",
        "a\udce9",
    ),
    *("\u2028", "é你\U0001f3a7", "[" * 3_000, "{" * 3_000, '{"a":' * 3_000, '"', "\\", "\\ud800"),
    *(
        "data:",
        "data:,",
        "data:audio/wav;base64,",
        "data:audio/wav;base64,!!!!",
        "file://",
        "file:",
    ),
    *("http://", "http://[", "https://h/a.wav", "oss://a", "oss:", "file:///etc/passwd", "x:y"),
    *("%", "%s", "<tool_call>", '<tool_call>{"name": "f", "arguments": ' + "[" * 3_000),
    *('{"type": "audio", "url": "oss://a"}', '[{"type": "audio", "base64": "AAAA"}]', "[1]", "{}"),
    *('[{"type": ["audio"], "base64": "AAAA"}]', '[{"type": {}, "audio": 1}]', "9" * 5_000),
]
SCALARS: list[Any] = [
    *(None, True, False, 0, 1, -1, 10**30, 1.5, math.nan, math.inf, -math.inf),
    *(b"", b"\xff", bytearray(b"a"), 1j, set(), frozenset({1}), (), (1,)),
    *(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), object()),
]
KEYS = [
    *("type", "text", "audio", "image", "base64", "data", "url", "mime_type", "source_type", "id"),
    *(
        "input_audio",
        "audio_url",
        "image_url",
        "video",
        "video_url",
        "fps",
        "file",
        "file_data",
        "filename",
        "file_id",
        "format",
    ),
    *(
        "value",
        "name",
        "args",
        "arguments",
        "function",
        "tool_use",
        "input",
        "reasoning",
        "thinking",
    ),
    *("annotations", "index", "extras", "summary", "signature", "source", "media_type", "file_uri"),
]
TYPES = [
    *("text", "audio", "input_audio", "audio_url", "image", "image_url", "file", "media", "video"),
    *("non_standard", "text-plain", "reasoning", "thinking", "redacted_thinking", "tool_call"),
    *("tool_use", "tool_call_chunk", "invalid_tool_call", "refusal", "server_tool_call", "x", ""),
]


class Fuzz:
    """One source of chance."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311

    def value(self, depth: int = 3) -> Any:
        kinds: list[Callable[[], Any]] = [
            lambda: self.random.choice(STRINGS),
            lambda: self.random.choice(SCALARS),
            lambda: self.random.choice(TYPES),
        ]
        if depth:
            kinds += [
                lambda: [self.value(depth - 1) for _ in range(self.random.randrange(3))],
                lambda: self.mapping(depth - 1),
                lambda: deep(
                    self.random.choice([150, 700, 3_000]), key=self.random.choice([None, "a"])
                ),
            ]
        return self.random.choices(kinds, weights=[6, 3, 3, 2, 3, 0.3][: len(kinds)])[0]()

    def mapping(self, depth: int = 2) -> dict[Any, Any]:
        count = self.random.randrange(4)
        return {self.random.choice(KEYS): self.value(depth) for _ in range(count)}

    # --- messages ---

    def block(self) -> Any:
        if self.random.random() < 0.1:
            return self.value(2)
        kind: Any = self.random.choice(TYPES)
        if self.random.random() < 0.1:
            kind = self.value(1)
        block = self.mapping()
        if self.random.random() < 0.9:
            block["type"] = kind
        if isinstance(kind, str) and self.random.random() < 0.5:
            block[kind] = self.value(2)
        return block

    def content(self) -> Any:
        if self.random.random() < 0.2:
            return self.random.choice(STRINGS)
        return [self.block() for _ in range(self.random.randrange(4))]

    def message(self) -> BaseMessage:
        kind = self.random.choice(
            [HumanMessage, HumanMessage, SystemMessage, AIMessage, AIMessage, ToolMessage,
             ChatMessage, FunctionMessage]
        )  # fmt: skip
        fields: dict[str, Any] = {"content": self.content()}
        if self.random.random() < 0.2:
            fields["name"] = self.random.choice(STRINGS)
        if self.random.random() < 0.2:
            fields["additional_kwargs"] = self.mapping()
        if kind is ToolMessage:
            fields["tool_call_id"] = self.random.choice(STRINGS)
        if kind is ChatMessage:
            fields["role"] = self.random.choice(["user", "critic", "tool", "system", "\ud800"])
        if kind is FunctionMessage:
            fields["name"] = self.random.choice(STRINGS)
        if kind is AIMessage:
            fields |= self._of_an_answer()
        message: BaseMessage = kind(**fields)
        return message

    def _of_an_answer(self) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if self.random.random() < 0.5:
            name, call_id = self.random.choice(STRINGS), self.random.choice(STRINGS)
            args = {self.random.choice(KEYS): self.value() for _ in range(2)}
            fields["tool_calls"] = [{"name": name, "args": args, "id": call_id}]
        if self.random.random() < 0.2:
            text = self.random.choice([*STRINGS, None])
            fields["invalid_tool_calls"] = [{"name": None, "args": text, "id": None, "error": None}]
        if self.random.random() < 0.3:
            provider = self.random.choice(["dashscope", "openai", "anthropic", "google_genai"])
            fields["response_metadata"] = {"model_provider": provider}
        return fields

    def conversation(self) -> list[BaseMessage]:
        messages: list[BaseMessage] = []
        while len(messages) < 1 + self.random.randrange(3):
            try:
                messages.append(self.message())
            except (ValueError, TypeError, RecursionError, AttributeError):
                continue  # LangChain makes no message of this
        return messages

    # --- replies ---

    def json_value(self, depth: int = 3) -> Any:
        value = self.value(depth)
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            return self.random.choice(["x", None, 5, [], {}, deep(150), deep(700)])
        return value

    def mutate(self, reply: Any) -> Any:
        """Put something else into one or two places of a reply."""
        reply = copy.deepcopy(reply)
        for _ in range(self.random.choice([1, 1, 2])):
            place = reply
            while True:
                inner = list(place) if isinstance(place, dict) else list(range(len(place)))
                if not inner:
                    break
                key = self.random.choice(inner)
                if isinstance(place[key], dict | list) and self.random.random() < 0.6:
                    place = place[key]
                    continue
                place[key] = self.json_value()
                break
        return reply

    def body(self) -> bytes:
        kind = self.random.random()
        if kind < 0.05:
            return self.random.randbytes(self.random.randrange(40))
        if kind < 0.1:
            return _nested(self.random.choice([150, 700, 100_000]))
        is_any = kind < 0.2
        value = self.json_value() if is_any else self.mutate(self.random.choice(REPLIES))
        data = json.dumps(value, ensure_ascii=self.random.random() < 0.5)
        body = data.encode("utf-8", "surrogatepass")
        return body[: self.random.randrange(len(body) + 1)] if kind < 0.25 else body

    def headers(self) -> list[tuple[bytes, bytes]]:
        found = [(b"content-type", self.random.choice(CONTENT_TYPES))]
        found += [self.random.choice(ODD_HEADERS)] * (self.random.random() < 0.3)
        return found

    def events(self) -> bytes:
        lines = []
        for _ in range(self.random.randrange(5)):
            kind = self.random.random()
            if kind < 0.6:
                lines.append(b"data:" + self.body() + b"\n\n")
            elif kind < 0.8:
                lines.append(sse_event(self.random.choice(EVENTS), 1))
            else:
                lines.append(
                    self.random.choice([b":\n\n", b"data:[DONE]\n\n", b"id:\xff\n", b"\r"])
                )
        if self.random.random() < 0.5:
            lines.append(sse_event(EVENTS[-1], 1))
        return b"".join(lines)


def _nested(levels: int) -> bytes:
    return b'{"code": "InvalidParameter", "message": ' + b"[" * levels + b"]" * levels + b"}"


CONTENT_TYPES = [
    *(b"application/json", b"text/event-stream", b"Text/Event-Stream; Charset=UTF-8", b""),
    *(b"text/event-stream;charset=hex", b"application/json;charset=hex", b"text/html;charset=idna"),
    *(b"text/event-stream;charset=gbk", b"application/json;charset=utf-16", b"\xff", b";;;=\0"),
    *(
        b"text/event-stream;charset=rot13",
        b"application/json;charset=undefined",
        b"application/xml",
    ),
]
ODD_HEADERS = [
    *((b"retry-after", value) for value in (b"nan", b"inf", b"-1", b"1e999", b"9" * 400, b"\xff")),
    *(
        (b"retry-after", b"Wed, 21 Oct 2015 07:28:00 " + zone)
        for zone in (b"+9999", b"+99999999", b"-9999999999", b"GMT", b"XYZ", b"")
    ),
    *(
        (b"retry-after", value)
        for value in (b"Wed, 99 Foo 99999 99:99:99 GMT", b"0 Jan 0 0:0:0", b",")
    ),
    *((b"retry-after-ms", value) for value in (b"nan", b"inf", b"1_0", b"")),
    *((b"content-encoding", value) for value in (b"gzip", b"gzip, gzip", b"x", b"br", b"zstd")),
    *((b"x-request-id", value) for value in (b"\xff", b"a" * 10_000)),
    *((b"location", value) for value in (b"http://[", b"\xff", b"file:///etc/passwd")),
]
_MESSAGE = {"role": "assistant", "content": [{"text": "ab"}]}
_USAGE = {
    "input_tokens": 1,
    "output_tokens": 1,
    "audio_tokens": 1,
    "seconds": 1,
    "input_tokens_details": {"audio_tokens": 1, "text_tokens": 1},
    "output_tokens_details": {"text_tokens": 1},
}
_CALL = {
    "id": "1",
    "index": 0,
    "type": "function",
    "function": {"name": "f", "arguments": '{"a": 1}'},
}
_INFO = {"type": "audio_info", "language": "zh", "emotion": "neutral"}
_NATIVE = {
    "output": {
        "choices": [{"finish_reason": "stop", "message": {**_MESSAGE, "annotations": [_INFO]}}]
    },
    "usage": _USAGE,
    "request_id": "r",
}
_OPENAI = {
    "id": "r",
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "ab",
                "refusal": "",
                "reasoning_content": "c",
                "tool_calls": [_CALL],
                "audio": {"id": "a", "data": "AAAA", "transcript": "ab"},
            },
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "prompt_tokens_details": {"audio_tokens": 1},
    },
}
_ERROR = {"code": "InvalidParameter", "message": "no", "request_id": "r"}
_OPENAI_ERROR = {"error": {"message": "no", "type": "t", "code": "c", "param": None}}
_OLD = {"output": {"text": "ab", "finish_reason": "stop"}, "usage": _USAGE, "request_id": "r"}
_SENTENCE = {
    "sentence_id": 1,
    "sentence_end": True,
    "begin_time": 0,
    "end_time": 900,
    "text": "ab",
    "channel_id": 0,
    "speaker_id": 0,
    "words": [{"text": "ab", "begin_time": 0, "end_time": 900, "punctuation": "."}],
}
_RECOGNISED = {
    "output": {"text": "ab", "sentence": _SENTENCE},
    "usage": {"duration": 1},
    "request_id": "r",
}
REPLIES = [_NATIVE, _NATIVE, _OPENAI, _OPENAI, _ERROR, _OPENAI_ERROR, _OLD, _RECOGNISED]
_DELTA = {"index": 0, "finish_reason": None, "delta": {"content": "a", "tool_calls": [_CALL]}}
_DOING = {
    "output": {"choices": [{"finish_reason": "null", "message": _MESSAGE}]},
    "request_id": "r",
}
EVENTS: list[dict[str, Any]] = [
    _DOING,
    {"id": "r", "choices": [_DELTA]},
    {"id": "r", "choices": [], "usage": {}},
    _RECOGNISED,
    _NATIVE,
]
