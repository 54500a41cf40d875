"""Speech recognition with times: a request → `ModelRequest`, a reply → bytes. Pure.

https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
"""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model
from langchain_qwen_audio.local._protocols import checks
from langchain_qwen_audio.local._protocols.http_replies import (
    event_stream,
    json_reply,
    new_request_id,
)
from langchain_qwen_audio.local._protocols.native import NATIVE, sse_event
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.usage import count_text_tokens, seconds_of
from langchain_qwen_audio.local._refusal import invalid_parameter
from langchain_qwen_audio.local._replies import RawReply, Reply
from langchain_qwen_audio.local._tokens import InputTokens

STREAMED_FROM_S = 60
"""A stream has events from this length on; a shorter recording may be answered with JSON."""

_TEXT_OF_ROLE = {"user": "input_text", "assistant": "text"}


# --- a request ---


def read_recognition(
    body: Mapping[str, Any], headers: Mapping[str, str], name: str, model: Model
) -> ModelRequest:
    """Read a request.

    Raises:
        Refusal: The service would not take it.
    """
    parameters = body.get("parameters") or {}
    if not isinstance(parameters, dict):
        raise invalid_parameter(checks.INVALID_PARAMETER)
    if not parameters.get("format"):
        raise invalid_parameter("format is empty")
    given = body.get("input")
    messages = checks.check_message_list(given.get("messages") if isinstance(given, dict) else None)
    read = [_read_message(message, headers) for message in messages]
    if read[-1]["role"] != "user" or [*read[-1]["content"][0]] != ["audio"]:
        raise invalid_parameter("The last message should be the audio")
    return ModelRequest(
        name=name,
        model=model,
        messages=read,
        stream=headers.get("x-dashscope-sse") == "enable",
        recognition_options={key: parameters[key] for key in parameters if key != "format"},
    )


def _read_message(message: Mapping[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    role, content = message.get("role"), message.get("content")
    if role not in _TEXT_OF_ROLE or not isinstance(content, list) or not content:
        raise invalid_parameter(checks.INVALID_PARAMETER)
    return {"role": role, "content": [_read_part(part, role, headers) for part in content]}


def _read_part(part: object, role: str, headers: Mapping[str, str]) -> dict[str, Any]:
    match part:
        case {"type": kind, "text": str(text)} if kind == _TEXT_OF_ROLE[role]:
            return {"text": text}
        case {"type": "input_audio", "input_audio": {"data": data}} if role == "user":
            checks.check_audio_url(data, headers)
            return {"audio": data}
        case _:
            raise invalid_parameter(checks.INVALID_PARAMETER)


# --- a reply ---


def write_recognition(reply: Reply, request: ModelRequest, tokens: InputTokens) -> RawReply:
    """Write a reply: a JSON body, or for a longer recording, events that revise its sentences.

    A reply with `fragments` is a stream however short the recording: each is a sentence.
    """
    sentences = _sentences_of(reply)
    is_long = seconds_of(tokens) >= STREAMED_FROM_S or bool(reply.fragments)
    request_id = reply.request_id or new_request_id()
    usage = _usage(reply, request, tokens)
    if request.stream and is_long:
        payloads = _events(reply, sentences, usage, request_id)
        events = [sse_event(payload, number) for number, payload in enumerate(payloads, 1)]
        return event_stream(events, request_id, delay_s=reply.delay_s, pause_s=reply.pause_s)
    body = _payload(reply, reply.whole_text, sentences[-1:], usage, request_id)
    if len(sentences) > 1:
        body["output"]["sentences"] = sentences
    return json_reply(200, body, request_id, delay_s=reply.delay_s)


def _sentences_of(reply: Reply) -> Sequence[dict[str, Any]]:
    """Write the sentences; those of a script have no times, except 1 s for each."""
    if reply.sentences is not None:
        timed = [dict(it) for it in reply.sentences]
    else:
        texts = reply.fragments or ((reply.text,) if reply.text else ())
        timed = [
            {
                "begin_time": 1000 * number,
                "end_time": 1000 * number + 1000,
                "text": text,
                "words": [],
            }
            for number, text in enumerate(texts)
        ]
    head = {"sentence_end": True, "channel_id": 0, "speaker_id": None}
    return [{"sentence_id": number, **head, **it} for number, it in enumerate(timed, 1)]


def _events(
    reply: Reply, sentences: Sequence[dict[str, Any]], usage: Mapping[str, Any], request_id: str
) -> list[dict[str, Any]]:
    """Write two events for each sentence: its first half, which is revised, and its end."""
    payloads, before = [], ""
    for sentence in sentences:
        text = sentence["text"]
        guess = text[: len(text) // 2].upper()
        is_open = {**sentence, "sentence_end": False, "end_time": None, "text": guess, "words": []}
        payloads += [
            _payload(reply, before + guess, [is_open], {}, request_id),
            _payload(reply, before + text, [sentence], usage, request_id),
        ]
        before += text
    return payloads or [_payload(reply, "", [], usage, request_id)]


def _payload(
    reply: Reply,
    text: str,
    sentences: Sequence[Mapping[str, Any]],
    usage: Mapping[str, Any],
    request_id: str,
) -> dict[str, Any]:
    output: dict[str, Any] = {"text": text}
    if sentences:
        output["sentence"] = sentences[0]
    named = {} if reply.model is None else {"model": reply.model}
    return {"output": output, "usage": usage, "request_id": request_id, **named}


def _usage(reply: Reply, request: ModelRequest, tokens: InputTokens) -> Mapping[str, Any]:
    if reply.usage is not None:
        return reply.usage
    duration = {"duration": seconds_of(tokens)}
    if not request.model.bills_tokens:
        return duration
    output = count_text_tokens(reply)
    counts = {"input_tokens": tokens.total, "output_tokens": output}
    return {**duration, **counts, "total_tokens": tokens.total + output}


RECOGNITION = ServerProtocol(
    name="recognition",
    kind=NATIVE.kind,
    base_path=NATIVE.base_path,
    path=NATIVE.path,
    parameters=frozenset(
        {"format", "sample_rate", "language_hints", "vocabulary", "vocabulary_id"}
        | {"speaker_diarization_enabled", "keep_dialect", "disfluency_removal_enabled"}
    ),
    read=read_recognition,
    write=write_recognition,
    write_error=NATIVE.write_error,
    refuse_model=NATIVE.refuse_model,
)
