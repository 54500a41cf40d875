"""Transcription jobs: a submission → `ModelRequest`, a job → the service's JSON. Pure.

https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api
https://help.aliyun.com/zh/model-studio/manage-asynchronous-tasks
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Model, Models
from langchain_qwen_audio.local._protocols import checks
from langchain_qwen_audio.local._protocols.http_replies import json_reply, new_request_id
from langchain_qwen_audio.local._protocols.native import NATIVE
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import JobFailure, RawReply, Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._audio_input import Channels

SUBMIT_PATH = f"{NATIVE.base_path}/services/audio/asr/transcription"
TASKS_PATH = f"{NATIVE.base_path}/tasks/"


# --- a submission ---


def read_submission(received: ReceivedRequest, models: Models) -> ModelRequest:
    """Read a submission: its recording is the audio of a conversation of one message.

    Raises:
        Refusal: The service would not take it.
    """
    body = checks.check_json(received)
    served = [name for name, facts in models.items() if "jobs" in facts]
    name = checks.check_model_name(body.get("model"), models, served)
    model = models[name].get("jobs")
    if model is None:
        raise NATIVE.refuse_model(name)
    if received.headers.get("x-dashscope-async") != "enable":
        msg = "current user api does not support synchronous calls"
        raise Refusal(403, "AccessDenied", msg)
    parameters = body.get("parameters")
    if not isinstance(parameters, dict):  # which the hosts of workspaces want, even if it is empty
        raise invalid_parameter(checks.INVALID_PARAMETER)
    _check_parameters(parameters)
    url = _read_url(body.get("input"), model, received.headers)
    return ModelRequest(
        name=name,
        model=model,
        messages=[{"role": "user", "content": [{"audio": url}]}],
        stream=False,
        recognition_options=parameters,
    )


def _read_url(given: object, model: Model, headers: Mapping[str, str]) -> str:
    field = model.job_input
    if not isinstance(given, dict) or field not in given:
        raise invalid_parameter(f"input must contain {field}")
    urls = given[field] if field == "file_urls" else [given[field]]
    if not isinstance(urls, list) or len(urls) != 1:
        raise invalid_parameter(f"{field} should hold one URL")
    checks.check_audio_url(urls[0], headers)
    if urls[0].startswith("data:"):
        raise invalid_parameter(checks.INVALID_URL)
    return str(urls[0])


def _check_parameters(parameters: Mapping[str, Any]) -> None:
    for name in ("channel_id", "language_hints"):
        if not isinstance(parameters.get(name, []), list):
            raise invalid_parameter(f"Input should be a valid list: parameters.{name}")


def channels_of(request: ModelRequest) -> list[int]:
    """List the channels that a job transcribes."""
    return request.recognition_options.get("channel_id") or [0]


# --- what the service says of a job ---


def write_submitted(task_id: str, *, delay_s: float = 0) -> RawReply:
    """Answer a submission."""
    return _write({"task_id": task_id, "task_status": "PENDING"}, {}, delay_s=delay_s)


def write_state(task_id: str, state: str) -> RawReply:
    """Answer a query of a job of which nothing came yet, or of none."""
    return _write({"task_id": task_id, "task_status": state}, {})


def write_canceled() -> RawReply:
    """Answer a cancellation."""
    request_id = new_request_id()
    return json_reply(200, {"request_id": request_id}, request_id)


def write_success(
    task_id: str, request: ModelRequest, result_url: str, usage: Mapping[str, Any]
) -> RawReply:
    """Answer a query of a job that has succeeded."""
    head = {"task_id": task_id, "task_status": "SUCCEEDED"}
    if request.model.job_input == "file_url":
        return _write({**head, "result": {"transcription_url": result_url}}, {"usage": usage})
    subtask = {"transcription_url": result_url, "subtask_status": "SUCCEEDED"}
    return _write({**head, **_subtasks(request, subtask)}, {"usage": usage})


def write_failure(task_id: str, request: ModelRequest, failure: JobFailure) -> RawReply:
    """Answer a query of a job that has failed."""
    reason = {"code": failure.code, "message": failure.message}
    if request.model.job_input == "file_url":
        return _write({"task_id": task_id, "task_status": "FAILED", **reason}, {})
    state = "SUCCEEDED" if failure.in_subtask else "FAILED"
    subtask = {"subtask_status": "FAILED", **reason}
    return _write({"task_id": task_id, "task_status": state, **_subtasks(request, subtask)}, {})


def _subtasks(request: ModelRequest, subtask: Mapping[str, Any]) -> dict[str, Any]:
    succeeded = int(subtask["subtask_status"] == "SUCCEEDED")
    return {
        "results": [{"file_url": request.audios[0], **subtask}],
        "task_metrics": {"TOTAL": 1, "SUCCEEDED": succeeded, "FAILED": 1 - succeeded},
    }


def _write(output: Mapping[str, Any], rest: Mapping[str, Any], *, delay_s: float = 0) -> RawReply:
    request_id = new_request_id()
    payload = {"request_id": request_id, "output": output, **rest}
    return json_reply(200, payload, request_id, delay_s=delay_s)


# --- its result ---


def write_usage(
    reply: Reply, request: ModelRequest, recording: "Channels | None"
) -> Mapping[str, Any]:
    """Count the seconds that are billed, of each channel; 1 s if the recording was not decoded."""
    if reply.usage is not None:
        return reply.usage
    seconds = 1 if recording is None else round(recording.seconds + 0.5)
    name = "seconds" if request.model.job_input == "file_url" else "duration"
    return {name: seconds * len(channels_of(request))}


def write_transcription(
    reply: Reply, request: ModelRequest, recording: "Channels | None"
) -> dict[str, Any]:
    """Write what lies at the URL of a result."""
    sentences = _sentences_of(reply)
    named = {} if reply.model is None else {"model": reply.model}
    return {
        "file_url": request.audios[0],
        **_head(request, recording),
        "transcripts": [
            _write_channel(number, sentences, request) for number in channels_of(request)
        ],
        **named,
    }


def _head(request: ModelRequest, recording: "Channels | None") -> dict[str, Any]:
    if recording is None:
        return {}
    rate, container = recording.sample_rate, recording.container
    if request.model.job_input == "file_url":
        return {"audio_info": {"format": container, "sample_rate": rate}}
    properties = {
        "audio_format": container,
        "channels": channels_of(request),
        "original_sampling_rate": rate,
        "original_duration_in_milliseconds": round(recording.seconds * 1000),
    }
    return {"properties": properties}


def _sentences_of(reply: Reply) -> Sequence[Mapping[str, Any]]:
    """Take the sentences; those of a script have no times, except 1 s for each."""
    if reply.sentences is not None:
        return reply.sentences
    texts = reply.fragments or ((reply.text,) if reply.text else ())
    return [
        {"begin_time": 1000 * number, "end_time": 1000 * number + 1000, "text": text}
        for number, text in enumerate(texts)
    ]


def _write_channel(
    number: int, sentences: Sequence[Mapping[str, Any]], request: ModelRequest
) -> dict[str, Any]:
    spoken = [it for it in sentences if it.get("channel_id", 0) == number]
    is_file = request.model.job_input == "file_url"
    first = 0 if is_file else 1
    written = [_write_sentence(it, at, request) for at, it in enumerate(spoken, first)]
    speech = sum(it["end_time"] - it["begin_time"] for it in spoken)
    counted = {} if is_file else {"content_duration_in_milliseconds": speech}
    text = "".join(it["text"] for it in spoken)
    return {"channel_id": number, **counted, "text": text, "sentences": written}


def _write_sentence(
    sentence: Mapping[str, Any], number: int, request: ModelRequest
) -> dict[str, Any]:
    options = request.recognition_options
    named = {name: it for name, it in sentence.items() if name not in {"channel_id", "words"}}
    written = {"sentence_id": number, **named}
    if request.model.job_input == "file_urls" or options.get("enable_words"):
        words = sentence.get("words", [])
        kept = ("begin_time", "end_time", "text", "punctuation")
        written["words"] = [{name: it[name] for name in kept if name in it} for it in words]
    if request.model.finds_speakers and options.get("diarization_enabled"):
        written.setdefault("speaker_id", 0)
    return written
