"""Speech recognition: one clip, its context and its options, in both protocols."""

from __future__ import annotations

import base64
import itertools
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.messages import SystemMessage

from langchain_qwen_audio import Audio, errors
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.calling_modes import astream, invoke
from tests.unit_tests.models import (
    ASR,
    BLOCK,
    CAPTIONER,
    INPUT_AUDIO,
    PROTOCOLS,
    STREAMED,
    URI,
    both_protocols,
    model_at,
    user,
)
from tests.unit_tests.recordings import TWO_WAYS, decode_all, kinds, noise, tone

if TYPE_CHECKING:
    from tests.unit_tests.calling_modes import CallModel

OPTIONS: dict[str, Any] = {"language": "zh", "enable_itn": True}
CONTEXT = SystemMessage("Names: 阿里云, Qwen")


@both_protocols
def test_recognition_gets_one_clip_its_context_and_its_options_where_they_belong(
    call_model: CallModel, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    model = model_at(server, ASR, protocol=protocol, asr_options=OPTIONS)
    assert call_model(model, [CONTEXT, user(BLOCK)]).content == "ok"
    streams = "stream" in call_model.__name__
    bodies: dict[str, dict[str, Any]] = {
        "native": {
            "input": {
                "messages": [
                    {"role": "system", "content": [{"text": CONTEXT.content}]},
                    {"role": "user", "content": [{"audio": URI}]},
                ]
            },
            "parameters": {
                "result_format": "message",
                "asr_options": OPTIONS,
                **({"incremental_output": True} if streams else {}),
            },
        },
        "openai": {
            "messages": [
                {"role": "system", "content": CONTEXT.content},
                {"role": "user", "content": [INPUT_AUDIO]},
            ],
            "asr_options": OPTIONS,
            **(STREAMED if streams else {}),
        },
    }
    assert server.requests[0].json == {"model": ASR, **bodies[protocol]}


def test_recognition_is_native_unless_told(server: LocalDashScope) -> None:
    model_at(server, ASR).invoke([user(BLOCK)])
    model_at(server, ASR, protocol="openai").invoke([user(BLOCK)])
    assert kinds(server) == ["generation", "chat"]


@both_protocols
@TWO_WAYS
def test_one_call_may_have_options_of_its_own(
    call_model: CallModel, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    model = model_at(server, ASR, protocol=protocol, asr_options=OPTIONS)
    call_model(model, [user(BLOCK)], asr_options={"language": "en"})
    assert server.requests[0].parameters["asr_options"] == {"language": "en"}
    call_model(model, [user(BLOCK)], asr_options=None)
    assert "asr_options" not in server.requests[1].parameters


NO_TEXT = {
    "no other": [BLOCK],
    "empty, after": [BLOCK, {"type": "text", "text": ""}],
    "empty, before": [{"type": "text", "text": ""}, BLOCK],
}


@both_protocols
def test_no_text_part_is_sent_to_a_model_that_takes_a_recording_alone(
    server: LocalDashScope, protocol: Literal["native", "openai"], subtests: pytest.Subtests
) -> None:
    part = {"audio": URI} if protocol == "native" else INPUT_AUDIO
    for name, (kind, blocks) in itertools.product((ASR, CAPTIONER), NO_TEXT.items()):
        model_at(server, name, protocol=protocol).invoke([user(*blocks)])
        with subtests.test(kind, model=name):
            assert server.requests[-1].messages == [{"role": "user", "content": [part]}]


def test_a_clip_of_300_s_is_transcribed_and_one_of_301_s_is_refused(
    server: LocalDashScope,
) -> None:
    longest, longer = (
        user(Audio.from_array(tone(seconds, 8_000), 8_000).to_block()) for seconds in (300, 301)
    )
    for protocol in PROTOCOLS:
        model = model_at(server, ASR, protocol=protocol)
        model.invoke([longest])
        server.clear()
        for way in (invoke, astream):
            with pytest.raises(errors.AudioError, match=r"301\.0 s long.* at most 300 s") as caught:
                way(model, [longer])
            assert "QwenAudioLoader" in caught.value.message
        assert server.requests == []


def test_the_beginning_of_a_longer_clip_is_transcribed_where_that_is_wished(
    server: LocalDashScope,
) -> None:
    model = model_at(server, ASR, long_audio="truncate", protocol="openai")
    with pytest.warns(UserWarning, match="300 s"):
        model.invoke([user(Audio.from_array(tone(301, 8_000), 8_000).to_block())])
    uri = server.requests[0].messages[0]["content"][0]["input_audio"]["data"]
    assert decode_all(base64.b64decode(uri.partition(",")[2])).seconds == 300


@pytest.mark.slow
def test_a_clip_too_large_for_a_data_uri_is_uploaded_where_the_protocol_has_uploads(
    server: LocalDashScope,
) -> None:
    clip = Audio.from_array(noise(280), 16_000).to_block()
    model_at(server, ASR).invoke([user(clip)])
    assert kinds(server) == ["policy", "upload", "generation"]
    assert server.requests[-1].headers["x-dashscope-ossresourceresolve"] == "enable"
    server.clear()
    model_at(server, ASR, protocol="openai").invoke([user(clip)])
    (request,) = server.requests
    audio = request.messages[0]["content"][0]["input_audio"]
    assert audio["format"] == "mp3"
    assert len(audio["data"]) <= 10_485_760
    assert decode_all(base64.b64decode(audio["data"].partition(",")[2])).seconds == pytest.approx(
        280, abs=0.1
    )
