"""The whole way, in every way to call: messages, the body on the wire, the answer."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_qwen_audio import Audio, errors
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio.local import (
    END,
    LocalDashScope,
    RawReply,
    Reply,
    compatible_error_reply,
    compatible_stream_error_reply,
    error_reply,
)
from tests.unit_tests.calling_modes import ainvoke, astream, calls_in, invoke, stream
from tests.unit_tests.faults import SOON
from tests.unit_tests.models import (
    ASR,
    BLOCK,
    CAPTIONER,
    KINDS,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    QWEN_AUDIO,
    RECOGNITION,
    STREAMED,
    SYSTEM,
    TURBO,
    is_compatible,
    model_at,
    takes_text,
    user,
)
from tests.unit_tests.recordings import QUESTION, question_about, tone, wav
from tests.unit_tests.rows import each_row, two_modes

if TYPE_CHECKING:
    from tests.unit_tests.calling_modes import CallModel

call_model = calls_in(invoke, ainvoke, stream, astream)

# --- every kind of model ----------------------------------------------------------------------

SECONDS = 2
QUESTION_TOKENS = 4  # as the local test server counts
# Tokens of audio a second, as the local test server counts for each family.
TOKENS_PER_S = {QWEN_AUDIO: 25, RECOGNITION: 25, CAPTIONER: 12.5, TURBO: 25, OMNI_3: 12.5}
TOKENS_PER_S |= {OMNI_3_5: 7, OMNI_3_8: 7}


def usage_of(name: str) -> dict[str, Any]:
    """Say what two seconds of audio and a question are counted as."""
    if name == ASR:  # whose audio is not counted natively
        return {"input_tokens": 0, "output_tokens": 2, "total_tokens": 2}
    text = QUESTION_TOKENS if takes_text(name) else 0
    audio = round(SECONDS * TOKENS_PER_S[name])
    counts = {
        "input_tokens": text + audio,
        "output_tokens": 2,
        "total_tokens": text + audio + 2,
    }
    return counts if name == RECOGNITION else {**counts, "input_token_details": {"audio": audio}}


def part_of(name: str, url: str, audio_format: str) -> dict[str, Any]:
    """Say how a recording is written."""
    if name == RECOGNITION:
        return {"type": "input_audio", "input_audio": {"data": url}}
    if is_compatible(name):
        return {"type": "input_audio", "input_audio": {"data": url, "format": audio_format}}
    return {"audio": url}


@two_modes
@each_row("name", KINDS)
def test_a_model_of_each_kind_gets_its_body_and_its_answer_is_read(
    call_model: CallModel, name: str
) -> None:
    clip = wav(tone(SECONDS))
    content = question_about(Audio.from_bytes(clip))[0].content[: 1 + takes_text(name)]
    uri = f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"
    streams = "stream" in call_model.__name__
    with LocalDashScope(reply="I hear", check_audio=True) as server:
        answer = call_model(model_at(server, name), [HumanMessage(content)])
        (request,) = server.requests
    question = [QUESTION] if takes_text(name) else []
    part = part_of(name, uri, "wav")
    body: dict[str, Any]
    if is_compatible(name):
        streamed = STREAMED if streams or name != OMNI_3_8 else {}
        body = {"messages": [{"role": "user", "content": [part, *question]}], **streamed}
        assert request.path == "/compatible-mode/v1/chat/completions"
    else:
        parts = [part, *({"text": it["text"]} for it in question)]
        parameters: dict[str, Any] = {"result_format": "message"}
        if streams:
            parameters["incremental_output"] = True
        if name == RECOGNITION:
            parameters = {"format": "wav"}
        message = {"role": "user", "content": parts}
        body = {"input": {"messages": [message]}, "parameters": parameters}
        assert request.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert request.json == {"model": name, **body}
    assert request.headers["authorization"] == "Bearer local"
    assert answer.content == "I hear"
    assert answer.usage_metadata == usage_of(name)
    assert answer.response_metadata.pop("request_id")
    assert ("sentences" in answer.response_metadata) == (name == RECOGNITION)
    answer.response_metadata.pop("sentences", None)
    assert answer.response_metadata == {
        "model_name": name,
        "model_provider": "dashscope",
        "finish_reason": "stop",
        "normalized_finish_reason": "stop",
        **({"seconds": SECONDS} if "asr" in name else {}),
    }


URL = "https://example.com/a.mp3"


@each_row("name", KINDS)
def test_a_url_is_left_to_the_service_to_fetch(server: LocalDashScope, name: str) -> None:
    clip = {"type": "audio", "url": URL}
    model_at(server, name).invoke([user(clip, QUESTION) if takes_text(name) else user(clip)])
    assert server.requests[0].messages[0]["content"][0] == part_of(name, URL, "mp3")


# --- models that only stream ------------------------------------------------------------------


def test_a_model_that_only_streams_is_streamed_in_every_way_to_call(
    server: LocalDashScope,
) -> None:
    reply = Reply(fragments=("I", " he", "", "ar"), request_id="r-1")
    server.script(*[reply] * 4)
    answers = [way(model_at(server, OMNI_3_5), "?") for way in (invoke, ainvoke, stream, astream)]
    bodies = [request.json for request in server.requests]
    assert (
        bodies
        == [{"model": OMNI_3_5, "messages": [{"role": "user", "content": "?"}], **STREAMED}] * 4
    )
    plain = [answer.model_copy(update={"id": None}) for answer in answers]
    assert (
        plain
        == [
            AIMessage(
                "I hear",
                usage_metadata={
                    "input_tokens": 1,
                    "output_tokens": 3,
                    "total_tokens": 4,
                    "input_token_details": {"audio": 0},
                },
                response_metadata={
                    "model_name": OMNI_3_5,
                    "model_provider": "dashscope",
                    "finish_reason": "stop",
                    "normalized_finish_reason": "stop",
                    "request_id": "chatcmpl-r-1",
                },
            )
        ]
        * 4
    )


@each_row("way", [invoke, ainvoke])
def test_a_model_that_may_answer_whole_does(server: LocalDashScope, way: CallModel) -> None:
    assert way(model_at(server, OMNI_3_8), "?").content == "ok"
    assert way(model_at(server, OMNI_3_8, streaming=True), "?").content == "ok"
    assert ["stream" in request.json for request in server.requests] == [False, True]


# --- what fails, on the compatible path -------------------------------------------------------

PASSING = {
    "500": compatible_error_reply(500, "internal_error", "try again", headers=SOON),
    "503": compatible_error_reply(503, "model_unavailable", "try again", headers=SOON),
    "429": compatible_error_reply(429, "limit_requests", "try again", headers=SOON),
}


@two_modes
@each_row("reply", PASSING)
def test_what_may_pass_is_tried_again_as_often_as_told(
    call_model: CallModel, server: LocalDashScope, reply: RawReply
) -> None:
    model = model_at(server, OMNI_3_8, max_retries=2)
    server.script(reply, reply, "at last")
    assert call_model(model, "?").content == "at last"
    server.script(reply, reply, reply, "too late")
    with pytest.raises(errors.QwenAudioError, match="try again"):
        call_model(model, "?")
    assert len(server.requests) == 6
    assert all(request.json == server.requests[0].json for request in server.requests)


LASTING: list[tuple[int, str, type[errors.QwenAudioError]]] = [
    (400, "invalid_parameter_error", errors.InvalidRequestError),
    (401, "invalid_api_key", errors.AuthenticationError),
    (403, "access_denied", errors.PermissionDeniedError),
    (404, "model_not_found", errors.NotFoundError),
    (404, "model_not_supported", errors.NotFoundError),
    (400, "data_inspection_failed", errors.ContentFilterError),
]


@two_modes
@each_row("case", LASTING)
def test_what_lasts_is_raised_at_once(
    call_model: CallModel, server: LocalDashScope, case: tuple[int, str, Any]
) -> None:
    status, code, error = case
    server.script(compatible_error_reply(status, code, "no", request_id="r-1"))
    with pytest.raises(errors.QwenAudioError) as caught:
        call_model(model_at(server, OMNI_3_8, max_retries=2), "?")
    told = caught.value
    assert type(told) is error
    assert (told.code, told.status, told.request_id) == (code, status, "r-1")
    assert len(server.requests) == 1


@each_row("name", [QWEN_AUDIO, OMNI_3_8])
def test_a_conversation_that_ends_without_a_question_is_not_sent_again(
    server: LocalDashScope, name: str
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="the last message must be a user's"):
        model_at(server, name, max_retries=2).invoke([HumanMessage("?"), SYSTEM])
    assert len(server.requests) == 1


@two_modes
def test_a_stream_that_fails_in_the_middle_tells_what_had_come(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(compatible_stream_error_reply(["a", "b"], "internal_error", "broke", status=500))
    with pytest.raises(errors.APIError, match="broke") as caught:
        call_model(model_at(server, OMNI_3_5, max_retries=2), "?")
    assert caught.value.text == "ab"
    assert len(server.requests) == 1


@two_modes
def test_a_stream_that_breaks_off_is_an_error_in_every_way_to_call(
    call_model: CallModel, server: LocalDashScope
) -> None:
    begun = compatible_stream_error_reply(["a", "b"], "x", "y")
    server.script(RawReply(200, begun.headers, [*begun.steps[:-1], END]))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        call_model(model_at(server, OMNI_3_5, max_retries=2), "?")
    assert caught.value.text == "ab"
    assert len(server.requests) == 1


def test_an_unknown_model_is_told_with_its_regions_and_its_successor(
    server: LocalDashScope,
) -> None:
    for name, reply in (
        ("qwen-audio-turbo", error_reply(404, "ModelNotFound", "no such model")),
        (CAPTIONER, error_reply(404, "ModelNotFound", "no such model")),
        (OMNI_3_8, compatible_error_reply(404, "model_not_found", "no such model")),
    ):
        server.script(reply)
        with pytest.raises(errors.NotFoundError) as caught:
            model_at(server, name).invoke([user(BLOCK)])
        text = caught.value.message
        assert all(region in text for region in PROFILES[name].regions)
        assert PROFILES[name].successor in text
