"""A model, an address and a protocol → where requests go, and how; and servers of one's own."""

from __future__ import annotations

import base64
import itertools
import json
from typing import TYPE_CHECKING, Any, Literal

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._models.elsewhere import other_way
from langchain_qwen_audio._models.profiles import PROFILES, RETIRED
from langchain_qwen_audio._models.routes import find_route, region_of
from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._protocols.openai import OpenAIProtocol
from langchain_qwen_audio._protocols.recognition import RecognitionProtocol
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.own_server import (
    JSON,
    NAME,
    SERVED,
    SSE,
    OwnServer,
    events,
    model_at,
    serve,
    whole,
)
from tests.unit_tests.recordings import (
    QUESTION,
    RECORDINGS,
    TWO_WAYS,
    decode_all,
    fresh_tone,
    question_about,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.conftest import CallModel

BEIJING = "https://dashscope.aliyuncs.com"
SINGAPORE = "https://dashscope-intl.aliyuncs.com"
WORKSPACE = "https://ws-1.eu-central-1.maas.aliyuncs.com"
NATIVE, COMPATIBLE = "/api/v1", "/compatible-mode/v1"
HOSTS = [BEIJING, SINGAPORE, WORKSPACE, "http://127.0.0.1:8000", "https://proxy.example.com/qwen"]
MINE = "http://127.0.0.1:8000/v1"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "HTTP_BASE_URL", "REGION", "WORKSPACE"):
        monkeypatch.delenv(f"DASHSCOPE_{name}", raising=False)


# --- where ------------------------------------------------------------------------------------


def route_of(model: str, address: str, *told: Any) -> tuple[str, str, str]:
    route = find_route(model, address, *told)
    if isinstance(route.protocol, OpenAIProtocol):
        return route.address, "openai", route.protocol.audio_encoding
    names = {NativeProtocol: "native", RecognitionProtocol: "recognition"}
    return route.address, names[type(route.protocol)], "data_uri"


def test_a_known_model_has_its_own_path_whichever_is_given() -> None:
    asr, omni = "qwen3-asr-flash", "qwen3.5-omni-flash"
    for host, path in itertools.product(HOSTS, (NATIVE, COMPATIBLE)):
        assert route_of(asr, host + path) == (host + NATIVE, "native", "data_uri")
        assert route_of(omni, host + path) == (host + COMPATIBLE, "openai", "data_uri")


def test_speech_recognition_of_an_unknown_version_has_the_format_of_the_known_ones() -> None:
    known = PROFILES["qwen-audio-3.1-asr-flash"].asr_options
    newer = ("qwen-audio-3.1-asr-flash-2026-09-22", "someone/Qwen-Audio-3.2-ASR-Flash")
    for name in (*newer, "fun-asr-flash"):
        assert route_of(name, BEIJING + NATIVE)[1] == "recognition", name
        # None is refused.
        assert find_route(name, BEIJING + NATIVE).profile.asr_options == known, name


def test_a_known_model_has_the_first_protocol_of_its_profile() -> None:
    protocols = {name: route_of(name, BEIJING + NATIVE)[1] for name in PROFILES}
    assert protocols == {name: profile.protocols[0] for name, profile in PROFILES.items()}


BOTH = ["qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"]
OMNI = ["qwen-omni-turbo", "qwen3.8-omni-flash"]
NATIVE_ONLY = ["qwen-audio-turbo", "qwen3-asr-flash-us"]


def test_a_model_of_both_protocols_is_called_in_the_one_that_is_set() -> None:
    native = (BEIJING + NATIVE, "native", "data_uri")
    compatible = (BEIJING + COMPATIBLE, "openai", "data_uri")
    for name, path in itertools.product([*BOTH, *OMNI], (NATIVE, COMPATIBLE)):
        assert route_of(name, BEIJING + path, "native") == native, name
        assert route_of(name, BEIJING + path, "openai") == compatible, name


@TWO_WAYS
@pytest.mark.parametrize("name", NATIVE_ONLY)
def test_a_model_without_the_compatible_protocol_is_not_called_in_it(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    model = ChatQwenAudio(
        model=name, protocol="openai", base_url=server.base_url, api_key="sk-swordfish"
    )
    with pytest.raises(errors.InvalidRequestError, match="is not available") as caught:
        call_model(model, "?")
    assert "protocol='openai'; it takes 'native'" in caught.value.message
    assert server.requests == []


UNKNOWN: dict[str, tuple[str, str | None, str, str]] = {
    "sounds like Qwen-Audio": ("qwen-audio-max", None, "native", "qwen-audio-turbo-latest"),
    "sounds like nothing": ("mystery", None, "native", "qwen-audio-turbo-latest"),
    "sounds like speech recognition": ("qwen4-asr-flash", None, "native", "qwen3-asr-flash"),
    "sounds like Omni": ("qwen4-omni-max", None, "openai", "qwen3.5-omni-flash"),
    "told to be native": ("qwen4-omni-max", "native", "native", "qwen3.5-omni-flash"),
    "told to be compatible": ("mystery", "openai", "openai", "qwen3.5-omni-flash"),
    "speech recognition, told": ("qwen4-asr-flash", "openai", "openai", "qwen3-asr-flash"),
}


def test_an_unknown_model_is_taken_for_what_its_name_says_and_can_be_told() -> None:
    for case, (name, told, protocol, like) in UNKNOWN.items():
        path = COMPATIBLE if protocol == "openai" else NATIVE
        assert route_of(name, BEIJING + NATIVE, told) == (BEIJING + path, protocol, "data_uri"), (
            case
        )
        known, unknown = (find_route(it, BEIJING + NATIVE, told).profile for it in (like, name))
        assert unknown == (PROFILES[like] if protocol == "native" else known), case


@TWO_WAYS
@pytest.mark.parametrize("protocol", ["native", "openai"])
def test_an_unknown_model_answers_in_the_protocol_told(
    call_model: CallModel, protocol: Literal["native", "openai"]
) -> None:
    with LocalDashScope(reply="ok", models=["mystery"]) as server:
        model = ChatQwenAudio(
            model="mystery", protocol=protocol, base_url=server.base_url, api_key="local"
        )
        assert call_model(model, question_about("https://example.com/a.mp3")).text == "ok"
        assert server.requests[0].kind == {"native": "generation", "openai": "chat"}[protocol]


# By kind: names, how the service serves them, and what this package has instead.
NOT_HERE: dict[str, tuple[list[str], str, str]] = {
    "jobs": (
        [
            *("qwen3-asr-flash-filetrans", "qwen3-asr-flash-filetrans-2025-11-17"),
            *("qwen-audio-3.1-asr-flash-filetrans", "fun-asr", "fun-asr-mtl", "fun-asr-2025-11-07"),
            *("paraformer-v2", "paraformer-8k-v2", "paraformer-mtl-v1"),
        ],
        "/services/audio/asr/transcription",
        "use `TranscriptionJobs(model=…)`",
    ),
    "jobs of models that are to be retired": (
        ["sensevoice-v1"],
        "/services/audio/asr/transcription",
        "TranscriptionJobs(model='qwen-audio-3.1-asr-flash-filetrans')",
    ),
    "live answers": (
        [
            *("qwen3-omni-flash-realtime", "qwen3-omni-flash-realtime-2025-09-15"),
            *("qwen3.5-omni-plus-realtime", "qwen3.8-omni-flash-realtime"),
            *("qwen-audio-3.1-realtime-plus", "qwen-audio-3.0-realtime-flash"),
        ],
        "answers over a WebSocket; use",
        "ChatQwenAudio(model=…).session()",
    ),
    "live answers in another protocol": (
        ["qwen-omni-turbo-realtime", "qwen-omni-turbo-realtime-2025-05-08"],
        "OmniRealtimeConversation",
        "ChatQwenAudio(model='qwen3.5-omni-flash-realtime').session()",
    ),
    "live transcripts": (
        [
            *("qwen3-asr-flash-realtime", "qwen3-asr-flash-realtime-2025-10-27"),
            *("qwen-audio-3.1-asr-flash-streaming", "qwen-audio-3.1-asr-flash-message"),
            *("qwen-audio-3.0-asr-flash-streaming", "fun-asr-realtime"),
            *("fun-asr-realtime-2026-02-28", "fun-asr-flash-8k-realtime"),
            *("paraformer-realtime-v2", "paraformer-realtime-8k-v1"),
        ],
        "transcribes over a WebSocket; use",
        "ChatQwenAudio(model=…).transcribe_live(source)",
    ),
    "live transcripts in another protocol": (
        ["gummy-realtime-v1"],
        "`Recognition`",
        "ChatQwenAudio(model='qwen3-asr-flash-realtime')",
    ),
    "live interpreting": (
        [
            *("qwen3.8-livetranslate-flash-realtime", "qwen3-livetranslate-flash-realtime"),
            "qwen3.5-livetranslate-flash-realtime-2026-05-19",
        ],
        "interprets over a WebSocket",
        "ChatQwenAudio(model='qwen3.8-omni-flash')",
    ),
    "interpreting": (
        [
            *("qwen3-livetranslate-flash", "qwen3-livetranslate-flash-2025-12-01"),
            "qwen3.5-livetranslate-flash",
        ],
        "Chat Completions with `translation_options`",
        "ChatQwenAudio(model='qwen3.8-omni-flash')",
    ),
    "speech": (
        [
            *("qwen-audio-3.1-tts-flash", "qwen3-tts-flash-2025-11-27", "qwen3-tts-flash-realtime"),
            *("qwen-tts", "cosyvoice-v3-plus", "qwen-voice-design"),
        ],
        "writes speech from text",
        "modalities=['text', 'audio']",
    ),
    "translation": (
        ["qwen-mt-uni", "qwen-mt-turbo"],
        "`translation_options`",
        "ChatQwenAudio(model='qwen3.8-omni-flash')",
    ),
}


def test_a_name_that_is_served_in_another_way_is_refused_with_that_way_and_what_to_use(
    subtests: pytest.Subtests,
) -> None:
    for names, service, instead in NOT_HERE.values():
        for name in names:
            with subtests.test(name):
                with pytest.raises(errors.NotFoundError) as caught:
                    find_route(name, BEIJING + NATIVE)
                text = caught.value.message
                assert text.startswith(f"{name} ")
                assert service in text
                assert ("this package has no class for" in text) != ("; use `" in text)
                assert instead in text.partition(";")[2]


@TWO_WAYS
def test_such_a_name_is_not_sent_unless_a_protocol_is_told(
    call_model: CallModel,
) -> None:
    name = "qwen3-livetranslate-flash"
    with LocalDashScope(reply="ok", models=[name]) as server:
        model = ChatQwenAudio(model=name, base_url=server.base_url, api_key="local")
        with pytest.raises(errors.NotFoundError):
            call_model(model, question_about("https://example.com/a.mp3"))
        assert server.requests == []
        told = model.model_copy(update={"protocol": "openai"})
        assert call_model(told, question_about("https://example.com/a.mp3")).text == "ok"


def test_no_name_of_the_table_is_taken_for_one_that_is_served_in_another_way() -> None:
    assert [name for name in (*PROFILES, *RETIRED) if other_way(name) is not None] == []


REGIONS = {
    BEIJING: "cn-beijing",
    SINGAPORE: "ap-southeast-1",
    WORKSPACE: "eu-central-1",
    "https://dashscope-us.aliyuncs.com": "us-east-1",
    "https://proxy.example.com/qwen": None,
    "http://127.0.0.1:8000": None,
}


def test_a_region_is_told_by_the_host() -> None:
    assert {host: region_of(host + NATIVE) for host in REGIONS} == REGIONS


def test_what_a_model_has_in_some_regions_only_it_has_nowhere_else() -> None:
    plus, asr, us = "qwen3.5-omni-plus", "qwen3-asr-flash", "https://dashscope-us.aliyuncs.com"
    assert find_route(plus, BEIJING + NATIVE).profile.native_tools
    assert not find_route(plus, SINGAPORE + NATIVE).profile.native_tools
    assert find_route(plus, "https://proxy.example.com/api/v1").profile.native_tools
    singapore = ChatQwenAudio(model=plus, region="ap-southeast-1", api_key="local")
    profile: Any = singapore.profile
    assert (profile["tool_calling"], profile["tool_choice"]) == (True, False)
    for name in (asr, "qwen3-asr-flash-us", "qwen3-asr-flash-2025-09-08"):
        assert route_of(name, us + NATIVE) == (us + NATIVE, "native", "data_uri")
        with pytest.raises(errors.InvalidRequestError, match="it takes 'native'"):
            find_route(name, us + NATIVE, "openai")


def test_a_retired_name_is_requested_all_the_same_if_the_protocol_is_set() -> None:
    name = next(iter(RETIRED))
    clip = {"type": "audio", "url": "https://example.com/a.mp3"}
    with LocalDashScope(reply="ok", models=[name]) as server:
        model = ChatQwenAudio(
            model=name, protocol="native", base_url=server.base_url, api_key="local"
        )
        assert model.invoke([HumanMessage([clip])]).text == "ok"


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "default": ({}, BEIJING),
    "region": ({"region": "ap-southeast-1"}, SINGAPORE),
    "region without a shared host": (
        {"region": "eu-central-1", "workspace": "ws-1"},
        WORKSPACE,
    ),
    "native base URL": ({"base_url": f"{SINGAPORE}/api/v1"}, SINGAPORE),
    "compatible base URL": ({"base_url": f"{SINGAPORE}/compatible-mode/v1/"}, SINGAPORE),
}


def test_region_workspace_and_base_url_name_the_host_for_both_protocols() -> None:
    for case, (fields, host) in FIELDS.items():
        for name, path in (("qwen-audio-turbo", NATIVE), ("qwen3.5-omni-flash", COMPATIBLE)):
            model = ChatQwenAudio(model=name, api_key="local", **fields)
            assert model.route(name).address == host + path, case


@pytest.mark.parametrize("where", ["base_url", "compatible_base_url"])
def test_one_call_may_go_to_a_model_of_the_other_protocol(
    call_model: CallModel, server: LocalDashScope, where: str
) -> None:
    model = ChatQwenAudio(base_url=getattr(server, where), api_key="local")
    for name in ("qwen-audio-turbo", "qwen3.5-omni-flash", "qwen-audio-turbo"):
        assert call_model(model, "?", model=name).response_metadata["model_name"] == name
    assert [request.kind for request in server.requests] == ["generation", "chat", "generation"]


def test_a_workspace_travels_in_its_header_in_both_protocols(server: LocalDashScope) -> None:
    for name in ("qwen-audio-turbo", "qwen3.5-omni-flash"):
        model = ChatQwenAudio(
            model=name, base_url=server.base_url, api_key="local", workspace="ws-1"
        )
        model.invoke("?")
    sent = [request.headers["x-dashscope-workspace"] for request in server.requests]
    assert sent == ["ws-1", "ws-1"]


OWN_ROUTES: dict[str, tuple[tuple[Any, ...], tuple[str, str, str]]] = {
    "by its address": (("Qwen/Qwen2-Audio-7B-Instruct",), (MINE, "openai", "input_audio_raw")),
    "with an encoding": (
        ("my-model", None, "audio_url"),
        (MINE, "openai", "audio_url"),
    ),
    "a retired name, whose weights are open": (
        ("qwen2-audio-instruct",),
        (MINE, "openai", "input_audio_raw"),
    ),
    "a name that is served in another way": (
        ("my-asr-realtime",),
        (MINE, "openai", "input_audio_raw"),
    ),
    "a name of the service, told": (
        ("qwen3-omni-flash", "openai"),
        (MINE, "openai", "input_audio_raw"),
    ),
    "a name of the service, behind a gateway": (
        ("qwen3-omni-flash",),
        (MINE, "openai", "data_uri"),
    ),
    "a gateway to the native protocol": (
        ("qwen-audio-turbo",),
        (MINE, "native", "data_uri"),
    ),
}


def test_an_address_unlike_the_services_is_a_server_of_ones_own() -> None:
    for case, ((name, *told), route) in OWN_ROUTES.items():
        assert route_of(name, MINE, *told) == route, case


# --- servers of one's own ---------------------------------------------------------------------

CLIP = wav(tone(0.5))
RAW = base64.b64encode(CLIP).decode()
URI = f"data:audio/wav;base64,{RAW}"
URL = "https://example.com/a.flac"
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "Do.", "parameters": {"type": "object"}},
}
IMAGE = {"type": "image", "url": "https://example.com/a.png"}
VIDEO = {"type": "video", "url": "https://example.com/a.mp4"}


@pytest.fixture
def own() -> Iterator[OwnServer]:
    with serve(OwnServer()) as server:
        yield server


def raw(data: str, form: str) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, "format": form}}


ON_THE_WIRE: dict[str | None, dict[str, Any]] = {
    None: raw(RAW, "wav"),
    "input_audio_raw": raw(RAW, "wav"),
    "data_uri": raw(URI, "wav"),
    "audio_url": {"type": "audio_url", "audio_url": {"url": URI}},
}


@pytest.mark.parametrize(("encoding", "part"), ON_THE_WIRE.items(), ids=map(str, ON_THE_WIRE))
def test_a_conversation_is_written_in_the_encoding_told_and_with_no_key(
    call_model: CallModel, own: OwnServer, encoding: Any, part: dict[str, Any]
) -> None:
    messages = [
        SystemMessage("Be brief"),
        *question_about(Audio.from_bytes(CLIP)),
        AIMessage("A tone"),
        HumanMessage("How high?"),
    ]
    answer = call_model(model_at(own, audio_encoding=encoding, temperature=0), messages)
    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    (request,) = own.requests
    assert request.json == {
        "model": NAME,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [part, QUESTION]},
            {"role": "assistant", "content": "A tone"},
            {"role": "user", "content": "How high?"},
        ],
        "temperature": 0,
        **(streamed if "stream" in call_model.__name__ else {}),
    }
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"].startswith("Bearer ")  # of anything
    assert answer.text == "ok"
    assert answer.response_metadata["model_name"] == SERVED
    assert answer.usage_metadata == {"input_tokens": 20, "output_tokens": 2, "total_tokens": 22}


def test_a_key_travels_where_there_is_one(call_model: CallModel, own: OwnServer) -> None:
    call_model(model_at(own, api_key="sk-mine"), "?")
    assert own.requests[0].headers["authorization"] == "Bearer sk-mine"


@TWO_WAYS
@pytest.mark.parametrize("encoding", ["input_audio_raw", "audio_url"])
def test_tools_images_and_videos_go_along_in_every_encoding(
    call_model: CallModel, own: OwnServer, encoding: Any
) -> None:
    model = model_at(own, "my-omni", audio_encoding=encoding).bind_tools([TOOL], tool_choice="f")
    call_model(model, [HumanMessage([Audio.from_bytes(CLIP).to_block(), IMAGE, VIDEO, QUESTION])])
    body = own.requests[0].json
    assert body["messages"] == [
        {
            "role": "user",
            "content": [
                ON_THE_WIRE[encoding],
                {"type": "image_url", "image_url": {"url": IMAGE["url"]}},
                {"type": "video_url", "video_url": {"url": VIDEO["url"]}},
                QUESTION,
            ],
        }
    ]
    assert body["tools"] == [TOOL]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}


def test_only_wav_and_mp3_are_sent(own: OwnServer, subtests: pytest.Subtests) -> None:
    model = model_at(own, "my-omni")
    for recording in {it.codec: it for it in RECORDINGS}.values():
        model.invoke([HumanMessage([Audio.from_path(recording.path).to_block()])])
        (part,) = own.requests[-1].json["messages"][0]["content"]
        decoded = decode_all(base64.b64decode(part["input_audio"]["data"], validate=True))
        with subtests.test(recording.name):
            assert part["input_audio"]["format"] in {"wav", "mp3"}
            assert (decoded.container, decoded.codec) in {("wav", "pcm_s16le"), ("mp3", "mp3")}
            assert part["input_audio"]["format"] == decoded.container
            assert decoded.seconds == pytest.approx(recording.seconds, abs=0.05)


@TWO_WAYS
@pytest.mark.parametrize("encoding", [None, "input_audio_raw"])
def test_a_url_is_refused_where_audio_travels_bare(
    call_model: CallModel, own: OwnServer, encoding: Any
) -> None:
    for url in (URL, "oss://bucket/a.wav"):
        with pytest.raises(errors.AudioError, match=r"does not fetch URLs|does not resolve oss"):
            call_model(model_at(own, audio_encoding=encoding), question_about(url))
    assert own.requests == []


@TWO_WAYS
def test_a_url_is_left_to_a_server_that_fetches(call_model: CallModel, own: OwnServer) -> None:
    call_model(model_at(own, audio_encoding="audio_url"), question_about(URL))
    assert own.requests[0].json["messages"] == [
        {"role": "user", "content": [{"type": "audio_url", "audio_url": {"url": URL}}, QUESTION]}
    ]


def test_qwen2_audio_is_sent_no_more_than_it_takes_of_a_clip(own: OwnServer) -> None:
    clip = Audio.from_array(fresh_tone(61.0), 16_000)
    model_at(own).invoke(question_about(clip))
    parts = own.requests[0].json["messages"][0]["content"][:-1]
    lengths = [decode_all(base64.b64decode(it["input_audio"]["data"])).seconds for it in parts]
    assert len(lengths) == 3
    assert max(lengths) <= 30
    assert sum(lengths) == pytest.approx(61.0, abs=0.01)


def test_another_model_is_sent_a_long_clip_whole(own: OwnServer) -> None:
    model_at(own, "my-omni").invoke(question_about(Audio.from_array(fresh_tone(61.0), 16_000)))
    (part, _) = own.requests[0].json["messages"][0]["content"]
    assert decode_all(base64.b64decode(part["input_audio"]["data"])).seconds == 61.0


UNABLE: dict[str, tuple[str, dict[str, Any], list[Any], str]] = {
    "Qwen2-Audio sees no images": (NAME, {}, [IMAGE], "block of type 'image'"),
    "Qwen2-Audio takes no videos": (NAME, {}, [VIDEO], "block of type 'video'"),
    "no server of one's own speaks": (
        "my-omni",
        {"modalities": ["text", "audio"]},
        [QUESTION],
        "has no speech output",
    ),
    "asr_options are the service's": (
        "my-omni",
        {"asr_options": {"language": "en"}},
        [QUESTION],
        "takes no asr_options",
    ),
}


@TWO_WAYS
def test_what_such_a_model_cannot_take_is_refused_here(
    call_model: CallModel, own: OwnServer, subtests: pytest.Subtests
) -> None:
    for case, (name, fields, content, why) in UNABLE.items():
        with subtests.test(case), pytest.raises(errors.InvalidRequestError, match=why):
            call_model(model_at(own, name, **fields), [HumanMessage(content)])
    assert own.requests == []


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_thoughts_are_found_by_either_name(call_model: CallModel, own: OwnServer, key: str) -> None:
    streamed = events({key: "Let"}, {key: " me"}, {"content": "Hi"})
    own.replies.append(
        streamed if "stream" in call_model.__name__ else whole("Hi", **{key: "Let me"})
    )
    answer = call_model(model_at(own), "?")
    assert answer.content_blocks == [
        {"type": "reasoning", "reasoning": "Let me"},
        {"type": "text", "text": "Hi"},
    ]


def test_a_stream_may_tell_no_usage(own: OwnServer) -> None:
    _, kind, body = events({"content": "Hi"})
    lines = [line for line in body.split(b"\n\n") if b'"usage"' not in line]
    own.replies.extend([(200, kind, b"\n\n".join(lines))] * 2)
    for way in (stream, astream):
        answer = way(model_at(own), "?")
        assert (answer.text, answer.usage_metadata) == ("Hi", None)


def llama_cpp(status: int, message: str, kind: str, **more: Any) -> tuple[int, dict[str, Any]]:
    return status, {"error": {"code": status, "message": message, "type": kind, **more}}


def vllm(status: int, message: str, kind: str) -> tuple[int, dict[str, Any]]:
    return status, {
        "object": "error", "message": message, "type": kind, "param": None, "code": status
    }  # fmt: skip


OVERFLOW = errors.ContextOverflowError
REFUSALS: dict[str, tuple[tuple[int, dict[str, Any]], type[errors.QwenAudioError]]] = {
    "llama.cpp: context": (
        llama_cpp(
            400,
            "the request exceeds the available context size, try increasing it",
            "exceed_context_size_error",
            n_prompt_tokens=9_000,
            n_ctx=8_192,
        ),
        OVERFLOW,
    ),
    "llama.cpp: request": (
        llama_cpp(400, "Failed to load image or audio file", "invalid_request_error"),
        errors.InvalidRequestError,
    ),
    "llama.cpp: key": (
        llama_cpp(401, "Invalid API Key", "authentication_error"),
        errors.AuthenticationError,
    ),
    "llama.cpp: path": (
        llama_cpp(404, "File Not Found", "not_found_error"),
        errors.NotFoundError,
    ),
    "llama.cpp: no ears": (
        llama_cpp(500, "audio input is not supported - hint: provide the mmproj", "server_error"),
        errors.APIError,
    ),
    "llama.cpp: loading": (
        llama_cpp(503, "Loading model", "unavailable_error"),
        errors.APIError,
    ),
    "vLLM: context": (
        vllm(
            400,
            "This model's maximum context length is 8192 tokens. However, you requested 9000",
            "BadRequestError",
        ),
        OVERFLOW,
    ),
    "vLLM: request": (
        vllm(400, "At most 1 audio(s) may be provided in one request.", "BadRequestError"),
        errors.InvalidRequestError,
    ),
    "vLLM: model": (
        vllm(404, "The model `x` does not exist.", "NotFoundError"),
        errors.NotFoundError,
    ),
    "vLLM, today: context": (
        (
            400,
            {
                "error": {
                    "message": "This model's maximum context length is 8192 tokens.",
                    "type": "BadRequestError",
                    "param": None,
                    "code": 400,
                }
            },
        ),
        OVERFLOW,
    ),
    "vLLM: key": ((401, {"error": "Unauthorized"}), errors.AuthenticationError),
    "FastAPI: path": ((404, {"detail": "Not Found"}), errors.NotFoundError),
}


def test_refusals_in_other_servers_words_become_our_errors(
    call_model: CallModel, own: OwnServer, subtests: pytest.Subtests
) -> None:
    model = model_at(own)
    for name, ((status, text), error) in REFUSALS.items():
        own.requests.clear()
        own.replies.append((status, JSON, json.dumps(text).encode()))
        with subtests.test(name):
            with pytest.raises(errors.QwenAudioError) as caught:
                call_model(model, "?")
            told = caught.value
            assert type(told) is error
            assert (told.status, told.code) == (status, None)
            body = text["error"] if isinstance(text.get("error"), dict) else text
            assert (body.get("message") or "").rstrip(".") in told.message
            assert len(own.requests) == 1


@pytest.mark.parametrize("way", [stream, astream])
def test_a_refusal_within_a_stream_becomes_the_same_error(own: OwnServer, way: CallModel) -> None:
    for name in ("llama.cpp: context", "vLLM: context", "llama.cpp: no ears"):
        (status, text), error = REFUSALS[name]
        own.replies.append((200, SSE, f"data: {json.dumps(text)}\n\ndata: [DONE]\n\n".encode()))
        with pytest.raises(errors.QwenAudioError) as caught:
            way(model_at(own), "?")
        assert type(caught.value) is error, name
        assert caught.value.status == status, name


@pytest.mark.parametrize("way", [invoke, ainvoke, stream])
def test_a_request_to_a_server_that_loads_is_sent_again(own: OwnServer, way: CallModel) -> None:
    status, text = REFUSALS["llama.cpp: loading"][0]
    own.replies.append((status, JSON, json.dumps(text).encode()))
    assert way(model_at(own, max_retries=1), "?").text == "ok"
    assert len(own.requests) == 2


@pytest.mark.parametrize("way", [invoke, astream])
def test_what_is_written_for_want_of_a_key_is_not_blotted_out_of_errors(
    own: OwnServer, way: CallModel
) -> None:
    message = "Input should be 'auto', 'none' or 'required': no key, no-cache, EMPTY or null"
    status, text = vllm(400, message, "BadRequestError")
    own.replies.append((status, JSON, json.dumps(text).encode()))
    with pytest.raises(errors.InvalidRequestError) as caught:
        way(model_at(own), "?")
    assert caught.value.message == message


PROFILES_AT: dict[str, tuple[str, dict[str, Any]]] = {
    "Qwen2-Audio": (
        NAME,
        {"image_inputs": False, "audio_outputs": False, "max_input_tokens": 8_192},
    ),
    "any other": (
        "my-omni",
        {"image_inputs": True, "audio_outputs": False, "structured_output": True},
    ),
    "a name of the service, behind a gateway": (
        "qwen3-omni-flash",
        {"audio_outputs": True, "max_input_tokens": 49_152, "structured_output": False},
    ),
}


def test_the_profile_is_that_of_the_route() -> None:
    for case, (name, text) in PROFILES_AT.items():
        model = ChatQwenAudio(model=name, base_url=MINE, api_key="local")
        profile: Any = model.profile
        assert {key: profile[key] for key in text} == text, case
        assert model.route(name).profile.max_input_tokens == profile.get("max_input_tokens"), case
