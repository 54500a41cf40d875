"""What each model takes and gives: the table's facts, the JSON on the wire, the answer, the usage.

Speech has a file of its own, and so have images and addresses.
"""

from __future__ import annotations

import base64
import warnings
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pytest
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import tool

from langchain_qwen_audio import Audio, AudioInfo, ChatQwenAudio, errors
from langchain_qwen_audio._profiles import PROFILES, RETIRED
from langchain_qwen_audio.local import (
    END,
    LocalDashScope,
    RawReply,
    Reply,
    compatible_error_reply,
    compatible_stream_error_reply,
    error_reply,
)

from .conftest import ainvoke, astream, invoke, stream
from .recordings import (
    DATA,
    QUESTION,
    TWO_WAYS,
    ask_about,
    hear,
    kinds,
    noise,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .conftest import Ask

CLIP = wav(tone(0.5))
RAW = base64.b64encode(CLIP).decode()
URI = f"data:audio/wav;base64,{RAW}"
BLOCK = {"type": "audio", "base64": RAW, "mime_type": "audio/wav"}
INPUT_AUDIO = {"type": "input_audio", "input_audio": {"data": URI, "format": "wav"}}
URL = "https://example.com/a.mp3"
SPEECH = {"modalities": ["text", "audio"]}
STREAMED = {"stream": True, "stream_options": {"include_usage": True}}

ASR, CAPTIONER = "qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"
TURBO, OMNI_3 = "qwen-omni-turbo", "qwen3-omni-flash"
OMNI_3_5, OMNI_3_8 = "qwen3.5-omni-flash", "qwen3.8-omni-flash"
PROTOCOLS: list[Literal["native", "openai"]] = ["native", "openai"]

both_protocols = pytest.mark.parametrize("protocol", PROTOCOLS)


def model_at(server: LocalDashScope, name: str, **fields: Any) -> ChatQwenAudio:
    settings = {"base_url": server.base_url, "api_key": "local", "max_retries": 0, **fields}
    return ChatQwenAudio(model=name, **settings)


def user(*blocks: Any) -> HumanMessage:
    return HumanMessage(list(blocks))


def takes_text(name: str) -> bool:
    return "asr" not in name and "captioner" not in name


def is_compatible(name: str) -> bool:
    return "omni" in name and "captioner" not in name


# --- the table --------------------------------------------------------------------------------


class Facts(NamedTuple):
    """What the service's pages say of a model; `yes` lists what is so, and the rest is not."""

    names: Sequence[str]
    tokens: tuple[int | None, int | None]  # of the input, and of the output
    clip: tuple[float, float, int | None]  # its seconds, its tokens a second, how many a message
    regions: int
    status: str
    yes: set[str]


BOTH = ["native", "openai"]
TABLE = [
    Facts(
        ["qwen-audio-turbo-latest"],
        (6_144, 2_048),
        (30, 25, None),
        1,
        "trial",
        {"native", "text", "system", "history", "upload"},
    ),
    Facts(
        ["qwen-audio-turbo"],
        (6_000, 1_500),
        (30, 25, None),
        1,
        "trial",
        {"native", "text", "system", "history", "upload"},
    ),
    Facts(
        [ASR],
        (None, None),
        (300, 25, 1),
        2,
        "live",
        {*BOTH, "system", "transcribes", "upload"},
    ),
    Facts(
        ["qwen3-asr-flash-2025-09-08", "qwen3-asr-flash-2026-02-10"],
        (None, None),
        (300, 25, 1),
        2,
        "ending",
        {*BOTH, "system", "transcribes", "upload"},
    ),
    Facts(
        ["qwen3-asr-flash-us", "qwen3-asr-flash-2025-09-08-us"],
        (None, None),
        (300, 25, 1),
        1,
        "live",
        {"native", "system", "transcribes", "upload"},
    ),
    Facts(
        [CAPTIONER],
        (32_768, 32_768),
        (2_400, 12.5, 1),
        2,
        "ending",
        {*BOTH, "upload"},
    ),
    Facts(
        [
            *("qwen-omni-turbo", "qwen-omni-turbo-latest", "qwen-omni-turbo-2025-01-19"),
            *("qwen-omni-turbo-2025-03-26", "qwen2.5-omni-7b"),
        ],
        (30_720, 2_048),
        (180, 25, 1),
        2,
        "ending",
        {*BOTH, "text", "system", "history", "images", "must_stream", "voice"},
    ),
    Facts(
        [OMNI_3],
        (49_152, 16_384),
        (1_200, 12.5, 1),
        2,
        "live",
        {
            *(*BOTH, "text", "system", "history", "images", "must_stream", "voice"),
            *("native_tools", "thinking", "system_while_speaking"),
        },
    ),
    Facts(
        ["qwen3-omni-flash-2025-09-15", "qwen3-omni-flash-2025-12-01"],
        (49_152, 16_384),
        (1_200, 12.5, 1),
        2,
        "ending",
        {
            *(*BOTH, "text", "system", "history", "images", "must_stream", "voice"),
            *("native_tools", "thinking", "system_while_speaking"),
        },
    ),
    Facts(
        [
            *("qwen3.5-omni-plus", "qwen3.5-omni-plus-2026-03-15"),
            *("qwen3.5-omni-flash", "qwen3.5-omni-flash-2026-03-15"),
        ],
        (None, None),
        (10_800, 7, None),
        2,
        "live",
        {
            *(*BOTH, "text", "system", "history", "images", "must_stream", "voice"),
            *("native_tools", "mixes", "system_while_speaking"),
        },
    ),
    Facts(
        [OMNI_3_8],
        (991_808, 131_072),
        (10_800, 12.5, None),  # not documented: 3.5's length, and more tokens rather than fewer
        6,
        "live",
        {
            *(*BOTH, "text", "system", "history", "images"),
            *("native_tools", "mixes", "thinking"),
        },
    ),
]
ABILITIES = [
    *("text", "system", "history", "images", "mixes", "transcribes", "native_tools"),
    *("thinking", "must_stream", "voice"),
]


def test_the_table_of_these_facts_is_whole() -> None:
    assert sorted(name for facts in TABLE for name in facts.names) == sorted(PROFILES)
    assert not RETIRED.keys() & PROFILES.keys()
    assert set(RETIRED.values()) <= PROFILES.keys()


@pytest.mark.parametrize(
    ("name", "facts"), [(name, facts) for facts in TABLE for name in facts.names]
)
def test_a_model_has_the_facts_of_the_services_pages(name: str, facts: Facts) -> None:
    profile = PROFILES[name]
    assert (profile.max_input_tokens, profile.max_output_tokens) == facts.tokens
    assert (profile.max_clip_s, profile.tokens_per_s, profile.max_clips) == facts.clip
    assert len(profile.regions) == facts.regions
    assert profile.status == facts.status
    assert set(profile.protocols) == facts.yes & set(BOTH)
    assert profile.protocols[0] == ("openai" if is_compatible(name) else "native")
    assert ("upload" in profile.transports) is ("upload" in facts.yes)
    assert {it for it in ABILITIES if getattr(profile, it)} == facts.yes & set(ABILITIES)
    if profile.voice:
        speaks_after_system = "system_while_speaking" in facts.yes
        assert profile.system_while_speaking is speaks_after_system
    assert profile.max_data_uri_bytes == 10_485_760
    if profile.status != "live":
        assert PROFILES[profile.successor].status == "live"


@pytest.mark.parametrize("name", PROFILES)
def test_langchains_profile_follows_from_the_table(name: str) -> None:
    facts = next(facts for facts in TABLE if name in facts.names)
    tokens = zip(("max_input_tokens", "max_output_tokens"), facts.tokens, strict=True)
    assert ChatQwenAudio(model=name, api_key="local").profile == {
        **{key: count for key, count in tokens if count is not None},
        "text_inputs": "text" in facts.yes,
        "audio_inputs": True,
        "image_inputs": "images" in facts.yes,
        "image_url_inputs": "images" in facts.yes,
        "pdf_inputs": False,
        "video_inputs": False,
        "text_outputs": True,
        "audio_outputs": "voice" in facts.yes,
        "image_outputs": False,
        "video_outputs": False,
        "reasoning_output": "thinking" in facts.yes,
        "tool_calling": "text" in facts.yes,
        "structured_output": False,
        "temperature": True,
    }


# --- every model ------------------------------------------------------------------------------

SECONDS = 2
QUESTION_TOKENS = 4  # as the stand-in counts


def usage_of(name: str) -> dict[str, Any]:
    """Say what two seconds of audio and a question are counted as."""
    text = QUESTION_TOKENS if takes_text(name) else 0
    per_s = {**dict.fromkeys([*_named("qwen3-omni-flash"), CAPTIONER], 12.5)}
    per_s |= dict.fromkeys([*_named("qwen3.5-omni"), OMNI_3_8], 7)
    audio = round(SECONDS * per_s.get(name, 25))
    if "asr" in name:  # which natively counts no audio
        return {"input_tokens": 0, "output_tokens": 2, "total_tokens": 2}
    return {
        "input_tokens": text + audio,
        "output_tokens": 2,
        "total_tokens": text + audio + 2,
        "input_token_details": {"audio": audio},
    }


def _named(beginning: str) -> list[str]:
    return [name for name in PROFILES if name.startswith(beginning)]


@pytest.mark.parametrize("name", PROFILES)
def test_every_model_is_asked_as_it_is_to_be_and_answers(ask: Ask, name: str) -> None:
    clip = wav(tone(SECONDS))
    content = ask_about(Audio.from_bytes(clip))[0].content[: 1 + takes_text(name)]
    uri = f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"
    streams = "stream" in ask.__name__
    with LocalDashScope(reply="I hear", check_audio=True) as server:
        answer = ask(model_at(server, name), [HumanMessage(content)])
        (request,) = server.requests
    question = [QUESTION] if takes_text(name) else []
    body: dict[str, Any]
    if is_compatible(name):
        part = {"type": "input_audio", "input_audio": {"data": uri, "format": "wav"}}
        streamed = STREAMED if streams or name != OMNI_3_8 else {}
        body = {"messages": [{"role": "user", "content": [part, *question]}], **streamed}
        assert request.path == "/compatible-mode/v1/chat/completions"
    else:
        parts = [{"audio": uri}, *({"text": it["text"]} for it in question)]
        incremental = {"incremental_output": True} if streams else {}
        body = {
            "input": {"messages": [{"role": "user", "content": parts}]},
            "parameters": {"result_format": "message", **incremental},
        }
        assert request.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert request.json == {"model": name, **body}
    assert request.headers["authorization"] == "Bearer local"
    assert answer.content == "I hear"
    assert answer.usage_metadata == usage_of(name)
    assert answer.response_metadata.pop("request_id")
    assert answer.response_metadata == {
        "model_name": name,
        "model_provider": "dashscope",
        "finish_reason": "stop",
        **({"seconds": SECONDS} if "asr" in name else {}),
    }


@pytest.mark.parametrize("name", PROFILES)
def test_every_model_is_left_to_fetch_a_url(server: LocalDashScope, name: str) -> None:
    clip = {"type": "audio", "url": URL}
    model_at(server, name).invoke([user(clip, QUESTION) if takes_text(name) else user(clip)])
    part = server.requests[0].messages[0]["content"][0]
    compatible = {"type": "input_audio", "input_audio": {"data": URL, "format": "mp3"}}
    assert part == (compatible if is_compatible(name) else {"audio": URL})


# --- usage ------------------------------------------------------------------------------------


def counted(text: int, audio: int | None, output: int, **details: Any) -> dict[str, Any]:
    total = text + (audio or 0)
    heard = {"input_token_details": {"audio": audio}} if audio is not None else {}
    return {
        "input_tokens": total,
        "output_tokens": output,
        "total_tokens": total + output,
        **heard,
        **details,
    }


def compatible_usage(
    inputs: dict[str, int], outputs: dict[str, int], prompt: int, completion: int
) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": inputs,
        "completion_tokens_details": outputs,
    }


# Where a page has a sample, these are its numbers.
USAGE: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "Qwen-Audio": (
        "qwen-audio-turbo",
        {},
        {"audio_tokens": 85, "output_tokens": 10, "input_tokens": 33},
        counted(33, 85, 10),
    ),
    "captioner": (
        CAPTIONER,
        {},
        {
            "input_tokens": 160,
            "output_tokens": 399,
            "total_tokens": 559,
            "input_tokens_details": {"audio_tokens": 152, "text_tokens": 8},
            "output_tokens_details": {"text_tokens": 399},
        },
        counted(8, 152, 399),
    ),
    "captioner, compatible": (
        CAPTIONER,
        {"protocol": "openai"},
        compatible_usage({"audio_tokens": 152, "text_tokens": 8}, {"text_tokens": 387}, 160, 387),
        counted(8, 152, 387),
    ),
    "speech recognition": (
        ASR,
        {},
        {
            "input_tokens_details": {"text_tokens": 0},
            "output_tokens_details": {"text_tokens": 6},
            "seconds": 1,
        },
        counted(0, None, 6),
    ),
    "speech recognition, compatible": (
        ASR,
        {"protocol": "openai"},
        {
            **compatible_usage({"audio_tokens": 42, "text_tokens": 0}, {"text_tokens": 12}, 42, 12),
            "seconds": 1,
        },
        counted(0, 42, 12),
    ),
    "Omni": (
        OMNI_3_5,
        {},
        compatible_usage({"audio_tokens": 70, "text_tokens": 20}, {"text_tokens": 9}, 90, 9),
        counted(20, 70, 9),
    ),
    "Omni, text alone": (
        TURBO,
        {},
        compatible_usage({"text_tokens": 207}, {"text_tokens": 9}, 207, 9),
        counted(207, None, 9),
    ),
    "Omni, spoken": (
        OMNI_3,
        SPEECH,
        compatible_usage({"text_tokens": 207}, {"audio_tokens": 83, "text_tokens": 20}, 207, 103),
        counted(207, None, 103, output_token_details={"audio": 83}),
    ),
    "Omni, thinking": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "text_tokens": 5},
            {"reasoning_tokens": 30, "text_tokens": 4},
            12,
            34,
        ),
        counted(5, 7, 34, output_token_details={"reasoning": 30}),
    ),
    "Omni, with an image": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "image_tokens": 300, "text_tokens": 5}, {"text_tokens": 4}, 312, 4
        ),
        counted(305, 7, 4),
    ),
    "Omni, from the cache": (
        OMNI_3_8,
        {},
        compatible_usage(
            {"audio_tokens": 7, "text_tokens": 5, "cached_tokens": 10}, {"text_tokens": 4}, 12, 4
        ),
        {**counted(5, 7, 4), "input_token_details": {"audio": 7, "cache_read": 10}},
    ),
    "Omni, without details": (
        OMNI_3_5,
        {},
        {"prompt_tokens": 20, "completion_tokens": 3, "total_tokens": 23},
        counted(20, None, 3),
    ),
}


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE)
def test_the_usage_of_each_family_is_langchains(
    ask: Ask,
    server: LocalDashScope,
    case: tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]],
) -> None:
    name, fields, reported, expected = case
    server.script(Reply(fragments=("a", "b"), usage=reported))
    answer = ask(model_at(server, name, **fields), [user(BLOCK)])
    assert answer.usage_metadata == expected
    assert answer.response_metadata.get("seconds") == reported.get("seconds")


def test_the_usage_of_a_stream_comes_once(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    name, _, reported, expected = USAGE["Omni"]
    server.script(Reply(fragments=("a", "b"), usage=reported))
    chunks = chunks_of(model_at(server, name), "?")
    assert [chunk.usage_metadata for chunk in chunks] == [None, None, expected]


# --- speech recognition -----------------------------------------------------------------------

OPTIONS: dict[str, Any] = {"language": "zh", "enable_itn": True}
CONTEXT = SystemMessage("Names: 阿里云, Qwen")


@both_protocols
def test_recognition_gets_one_clip_its_context_and_its_options_where_they_belong(
    ask: Ask, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    model = model_at(server, ASR, protocol=protocol, asr_options=OPTIONS)
    assert ask(model, [CONTEXT, user(BLOCK)]).content == "ok"
    streams = "stream" in ask.__name__
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
    ask: Ask, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    model = model_at(server, ASR, protocol=protocol, asr_options=OPTIONS)
    ask(model, [user(BLOCK)], asr_options={"language": "en"})
    assert server.requests[0].parameters["asr_options"] == {"language": "en"}
    ask(model, [user(BLOCK)], asr_options=None)
    assert "asr_options" not in server.requests[1].parameters


ANNOTATIONS = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]


@both_protocols
def test_annotations_come_as_they_are_and_typed_with_the_seconds(
    ask: Ask, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    reported = USAGE[
        "speech recognition" if protocol == "native" else "speech recognition, compatible"
    ]
    server.script(Reply("欢迎使用阿里云", annotations=ANNOTATIONS, usage=reported[2]))
    answer = ask(model_at(server, ASR, protocol=protocol), [user(BLOCK)])
    assert answer.content == "欢迎使用阿里云"
    assert answer.response_metadata["annotations"] == ANNOTATIONS
    assert answer.response_metadata["seconds"] == 1
    assert AudioInfo.from_message(answer) == AudioInfo("zh", "neutral", 1)
    assert answer.usage_metadata == reported[3]


ANNOTATED: dict[str, tuple[dict[str, Any], AudioInfo]] = {
    "nothing": ({}, AudioInfo()),
    "another kind": ({"annotations": [{"type": "url"}, "x"]}, AudioInfo()),
    "after another kind": (
        {"annotations": [{"type": "url"}, *ANNOTATIONS]},
        AudioInfo("zh", "neutral"),
    ),
    "a language": ({"annotations": [{"type": "audio_info", "language": "en"}]}, AudioInfo("en")),
    "seconds": ({"seconds": 2.5}, AudioInfo(seconds=2.5)),
}


@pytest.mark.parametrize(("metadata", "info"), ANNOTATED.values(), ids=ANNOTATED)
def test_what_is_not_annotated_is_not_known(metadata: dict[str, Any], info: AudioInfo) -> None:
    assert AudioInfo.from_message(AIMessage("x", response_metadata=metadata)) == info


def test_annotations_of_a_stream_are_not_added_up(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply(fragments=("a", "b"), annotations=ANNOTATIONS))
    chunks = chunks_of(model_at(server, ASR), [user(BLOCK)])
    assert [chunk.content for chunk in chunks] == ["a", "b", ""]
    told = [chunk.response_metadata.get("annotations") for chunk in chunks]
    assert told == [None, None, ANNOTATIONS]


NO_TEXT = {
    "no other": [BLOCK],
    "empty, after": [BLOCK, {"type": "text", "text": ""}],
    "empty, before": [{"type": "text", "text": ""}, BLOCK],
}


@both_protocols
@pytest.mark.parametrize("name", [ASR, CAPTIONER])
@pytest.mark.parametrize("blocks", NO_TEXT.values(), ids=NO_TEXT)
def test_no_text_part_is_sent_to_a_model_that_takes_a_recording_alone(
    server: LocalDashScope,
    protocol: Literal["native", "openai"],
    name: str,
    blocks: list[dict[str, Any]],
) -> None:
    model_at(server, name, protocol=protocol).invoke([user(*blocks)])
    part = {"audio": URI} if protocol == "native" else INPUT_AUDIO
    assert server.requests[0].messages == [{"role": "user", "content": [part]}]


def test_a_clip_of_300_s_is_transcribed_and_one_of_301_s_is_refused(
    server: LocalDashScope,
) -> None:
    for protocol in PROTOCOLS:
        model = model_at(server, ASR, protocol=protocol)
        model.invoke([user(Audio.from_array(tone(300, 8_000), 8_000).to_block())])
        server.clear()
        for way in (invoke, astream):
            with pytest.raises(errors.AudioError, match=r"301\.0 s long.* at most 300 s") as caught:
                way(model, [user(Audio.from_array(tone(301, 8_000), 8_000).to_block())])
            assert "QwenAudioLoader" in caught.value.message
        assert server.requests == []


def test_the_beginning_of_a_longer_clip_is_transcribed_where_that_is_wished(
    server: LocalDashScope,
) -> None:
    model = model_at(server, ASR, long_audio="truncate", protocol="openai")
    with pytest.warns(UserWarning, match="300 s"):
        model.invoke([user(Audio.from_array(tone(301, 8_000), 8_000).to_block())])
    uri = server.requests[0].messages[0]["content"][0]["input_audio"]["data"]
    assert hear(base64.b64decode(uri.partition(",")[2])).seconds == 300


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
    assert hear(base64.b64decode(audio["data"].partition(",")[2])).seconds == pytest.approx(
        280, abs=0.1
    )


# --- what a model cannot take -----------------------------------------------------------------


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def now() -> str:
    """Tell the time."""
    return ""


ADD: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}
SCHEMA = {"title": "Call", "description": "A call.", "type": "object", "properties": {}}
JSON_OBJECT = {"response_format": {"type": "json_object"}}
SYSTEM = SystemMessage("Be brief")


class Refused(NamedTuple):
    """What is asked, and why it is not sent."""

    name: str
    messages: list[BaseMessage]
    why: str
    fields: dict[str, Any] = {}  # noqa: RUF012


def alone(name: str) -> dict[str, Refused]:
    """List what a model refuses that takes a recording and nothing else."""
    one = "takes one recording and no conversation"
    return {
        f"{name}: text": Refused(name, [user(BLOCK, QUESTION)], "takes a recording and no text"),
        f"{name}: text alone": Refused(name, [HumanMessage("?")], "takes a recording and no text"),
        f"{name}: nothing": Refused(name, [user()], "takes one recording, and none came"),
        f"{name}: two clips": Refused(name, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
        f"{name}: two messages": Refused(name, [user(BLOCK), user(BLOCK)], "2 user messages came"),
        f"{name}: history": Refused(name, [user(BLOCK), AIMessage("a"), user(BLOCK)], one),
        f"{name}: tool results": Refused(
            name, [user(BLOCK), ToolMessage("3", tool_call_id="1"), user(BLOCK)], one
        ),
        f"{name}: tools": Refused(name, [user(BLOCK)], "calls no tools", {"tools": [ADD]}),
        f"{name}: JSON": Refused(name, [user(BLOCK)], "has no response_format", JSON_OBJECT),
        f"{name}: thinking": Refused(
            name, [user(BLOCK)], "cannot think", {"enable_thinking": True}
        ),
        f"{name}: speech": Refused(name, [user(BLOCK)], "cannot speak", SPEECH),
    }


REFUSED: dict[str, Refused] = {
    **alone(ASR),
    **alone(CAPTIONER),
    f"{CAPTIONER}: system message": Refused(
        CAPTIONER, [SYSTEM, user(BLOCK)], "takes no system message: it captions"
    ),
    f"{CAPTIONER}: asr_options": Refused(
        CAPTIONER, [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Omni: asr_options": Refused(
        OMNI_3_5, [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Qwen-Audio: asr_options": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "takes no asr_options", {"asr_options": OPTIONS}
    ),
    "Qwen-Audio: JSON": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "with_structured_output", JSON_OBJECT
    ),
    "Qwen-Audio: thinking": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "qwen3.8-omni-flash can", {"enable_thinking": True}
    ),
    "Qwen-Audio: speech": Refused(
        "qwen-audio-turbo", [user(BLOCK)], "qwen3.5-omni-plus can", SPEECH
    ),
    "turbo: two clips": Refused(TURBO, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
    "3-flash: two clips": Refused(OMNI_3, [user(BLOCK, BLOCK)], "1 recording a message, and 2"),
    "turbo: thinking": Refused(TURBO, [user(BLOCK)], "cannot think", {"enable_thinking": True}),
    "3.5: thinking": Refused(OMNI_3_5, [user(BLOCK)], "cannot think", {"enable_thinking": True}),
    "turbo: a long clip": Refused(
        TURBO,
        [user(Audio.from_array(tone(181, 8_000), 8_000).to_block())],
        "181.0 s long.* at most 180 s",
    ),
    "Omni: uploads": Refused(
        OMNI_3_5, [user(BLOCK)], "takes clips by inline", {"audio_transport": "upload"}
    ),
    "Omni: an uploaded file": Refused(
        OMNI_3_5, [user({"type": "audio", "url": "oss://bucket/a.wav"})], "oss://bucket/a.wav"
    ),
    "Omni: a document": Refused(
        OMNI_3_5,
        [user({"type": "file", "base64": "JVBERi0=", "mime_type": "application/pdf"})],
        "block of type 'file'",
    ),
}


@TWO_WAYS
@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_what_a_model_cannot_take_is_refused_with_the_reason_and_not_sent(
    ask: Ask, server: LocalDashScope, case: Refused
) -> None:
    options = {key: value for key, value in case.fields.items() if key in {"tools", *JSON_OBJECT}}
    fields = {key: value for key, value in case.fields.items() if key not in options}
    with pytest.raises(errors.InvalidRequestError, match=case.why):
        ask(model_at(server, case.name, **fields), case.messages, **options)
    assert server.requests == []


@TWO_WAYS
@pytest.mark.parametrize("case", [it for it in REFUSED.values() if it.name in {ASR, CAPTIONER}])
def test_it_is_refused_in_the_compatible_protocol_too(
    ask: Ask, server: LocalDashScope, case: Refused
) -> None:
    options = {key: value for key, value in case.fields.items() if key in {"tools", *JSON_OBJECT}}
    fields = {key: value for key, value in case.fields.items() if key not in options}
    with pytest.raises(errors.InvalidRequestError, match=case.why):
        ask(model_at(server, case.name, protocol="openai", **fields), case.messages, **options)
    assert server.requests == []


@pytest.mark.parametrize("name", [ASR, CAPTIONER])
@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_no_structured_output_of_a_model_that_takes_no_instructions(
    server: LocalDashScope, name: str, method: Any
) -> None:
    chain = model_at(server, name).with_structured_output(SCHEMA, method=method)
    with pytest.raises(errors.InvalidRequestError, match="calls no tools and writes no JSON"):
        chain.invoke([user(BLOCK)])
    assert server.requests == []


@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8, "qwen-audio-turbo"])
def test_several_clips_are_taken_where_they_may_be(server: LocalDashScope, name: str) -> None:
    model_at(server, name).invoke([user(BLOCK, BLOCK, QUESTION)])
    first, second, _ = server.requests[0].messages[0]["content"]
    assert first == second == (INPUT_AUDIO if is_compatible(name) else {"audio": URI})


# --- clips on the compatible path -------------------------------------------------------------

# What it is → what Omni is sent of it, and what speech recognition is, whose page lists more.
FORMATS: dict[str, tuple[str, str]] = {
    "speech.wav": ("wav", "wav"),
    "mulaw.wav": ("wav", "wav"),
    "speech.aiff": ("wav", "wav"),
    "speech.mp3": ("mp3", "mp3"),
    "speech.m4a": ("mp3", "m4a"),
    "opus.ogg": ("mp3", "ogg"),
    "vorbis.ogg": ("mp3", "ogg"),
    "speech.flac": ("mp3", "flac"),
    "speech.aac": ("aac", "aac"),
    "sox.amr": ("amr", "amr"),
    "wide.amr": ("amr", "amr"),
    "speech.3gp": ("3gp", "3gp"),
    "aac.3gp": ("3gp", "3gp"),
    "speech.webm": ("mp3", "webm"),
    "speech.wma": ("mp3", "wma"),
}
TYPES = {"mp3": "mpeg", "3gp": "3gpp", "m4a": "mp4", "wma": "x-ms-wma"}


@pytest.mark.parametrize(("recording", "formats"), FORMATS.items())
def test_every_kind_of_recording_has_its_format_by_the_services_name(
    server: LocalDashScope, recording: str, formats: tuple[str, str]
) -> None:
    data = (DATA / recording).read_bytes()
    for name, form in zip((OMNI_3_5, ASR), formats, strict=True):
        model = model_at(server, name, protocol="openai")
        model.invoke([user(Audio.from_bytes(data).to_block())])
        audio = server.requests[-1].messages[0]["content"][0]["input_audio"]
        assert audio.keys() == {"data", "format"}
        assert audio["format"] == form
        head, _, text = audio["data"].partition(";base64,")
        wide = "-wb" if recording == "wide.amr" else ""
        assert head == f"data:audio/{TYPES.get(form, form)}{wide}"
        sent = base64.b64decode(text, validate=True)
        assert sent == data or form in {"wav", "mp3"}
        assert hear(sent).seconds == pytest.approx(hear(data).seconds, abs=0.05)


URLS: dict[str, str | None] = {
    "https://example.com/a.mp3": "mp3",
    "https://example.com/a.WAV?x=1.flac#t=2": "wav",
    "https://example.com/a%20b.m4a": "m4a",
    "https://example.com/a.opus": "opus",
    "https://example.com/a.mpeg": None,
    "https://example.com/a.txt": None,
    "https://example.com/listen": None,
}


@pytest.mark.parametrize(("url", "form"), URLS.items())
def test_the_format_of_a_url_is_told_where_its_path_tells_it(
    server: LocalDashScope, url: str, form: str | None
) -> None:
    model_at(server, OMNI_3_5).invoke(ask_about(url))
    (part, _) = server.requests[0].messages[0]["content"]
    assert part["input_audio"] == {"data": url, **({"format": form} if form else {})}


@pytest.mark.slow
def test_a_clip_of_ten_minutes_goes_as_one_mp3_that_fits(server: LocalDashScope) -> None:
    clip = Audio.from_array(tone(600), 16_000)
    assert clip.size > 10_485_760
    model_at(server, OMNI_3).invoke(ask_about(clip))
    (part, question) = server.requests[0].messages[0]["content"]
    assert question == QUESTION
    assert part["input_audio"]["format"] == "mp3"
    assert len(part["input_audio"]["data"]) <= 10_485_760
    heard = hear(base64.b64decode(part["input_audio"]["data"].partition(",")[2]))
    assert heard.seconds == pytest.approx(600, abs=0.1)


@pytest.mark.slow
def test_a_clip_too_long_for_one_data_uri_goes_in_parts_and_nothing_is_lost(
    server: LocalDashScope,
) -> None:
    clip = Audio.from_array(tone(2_100, 8_000), 8_000)
    model_at(server, OMNI_3_5).invoke(ask_about(clip))
    *parts, question = server.requests[0].messages[0]["content"]
    assert question == QUESTION
    assert len(parts) == 2
    data = [part["input_audio"]["data"] for part in parts]
    assert max(map(len, data)) <= 10_485_760
    heard = [hear(base64.b64decode(it.partition(",")[2])).seconds for it in data]
    assert sum(heard) == pytest.approx(2_100, abs=0.2)


def test_a_clip_is_not_converted_where_it_fits(server: LocalDashScope) -> None:
    data = wav(noise(180))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_at(server, TURBO).invoke(ask_about(Audio.from_bytes(data)))
    (part, _) = server.requests[0].messages[0]["content"]
    assert base64.b64decode(part["input_audio"]["data"].partition(",")[2]) == data


def test_no_more_audio_is_sent_than_a_request_holds(server: LocalDashScope) -> None:
    clip = user(Audio.from_array(tone(170, 8_000), 8_000).to_block())
    history: list[Any] = [clip, AIMessage("a")] * 7  # each 4,250 tokens
    model = model_at(server, TURBO)
    model.invoke([*history, HumanMessage("?")])
    server.clear()
    with pytest.raises(errors.ContextOverflowError, match="30,720"):
        model.invoke([*history, clip])
    assert server.requests == []


def test_texts_are_strings_but_for_several_of_a_user(server: LocalDashScope) -> None:
    one, two = ({"type": "text", "text": text} for text in ("a", "b"))
    messages = [
        SystemMessage([one, two]),
        user(one),
        AIMessage([one, two]),
        user(one, two),
    ]
    model_at(server, OMNI_3_8).invoke(messages)
    assert server.requests[0].messages == [
        {"role": "system", "content": "ab"},
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "ab"},
        {"role": "user", "content": [one, two]},
    ]


def test_audio_that_a_tool_returned_goes_into_a_users_message(server: LocalDashScope) -> None:
    calls: list[Any] = [{"type": "tool_call", "id": "1", "name": "now", "args": {}}]
    messages = [
        HumanMessage("Listen"),
        AIMessage("", tool_calls=calls),
        ToolMessage([BLOCK], tool_call_id="1"),
    ]
    model_at(server, OMNI_3_8).invoke(messages)
    assert server.requests[0].messages[2:] == [
        {"role": "tool", "content": "[audio: see the next message]", "tool_call_id": "1"},
        {"role": "user", "content": [INPUT_AUDIO]},
    ]


# --- models that only stream ------------------------------------------------------------------

MUST_STREAM = [TURBO, OMNI_3, "qwen3.5-omni-plus", OMNI_3_5]


@pytest.mark.parametrize("name", MUST_STREAM)
def test_a_model_that_only_streams_is_streamed_whichever_way_it_is_asked(
    server: LocalDashScope, name: str
) -> None:
    reply = Reply(fragments=("I", " he", "", "ar"), request_id="r-1")
    server.script(*[reply] * 4)
    answers = [way(model_at(server, name), "?") for way in (invoke, ainvoke, stream, astream)]
    bodies = [request.json for request in server.requests]
    assert (
        bodies == [{"model": name, "messages": [{"role": "user", "content": "?"}], **STREAMED}] * 4
    )
    plain = [answer.model_copy(update={"id": None}) for answer in answers]
    assert (
        plain
        == [
            AIMessage(
                "I hear",
                usage_metadata={"input_tokens": 1, "output_tokens": 3, "total_tokens": 4},
                response_metadata={
                    "model_name": name,
                    "model_provider": "dashscope",
                    "finish_reason": "stop",
                    "request_id": "chatcmpl-r-1",
                },
            )
        ]
        * 4
    )


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_a_model_that_may_answer_whole_does(server: LocalDashScope, way: Ask) -> None:
    assert way(model_at(server, OMNI_3_8), "?").content == "ok"
    assert way(model_at(server, OMNI_3_8, streaming=True), "?").content == "ok"
    assert ["stream" in request.json for request in server.requests] == [False, True]


SOON = {"retry-after-ms": "1"}
PASSING = {
    "500": compatible_error_reply(500, "internal_error", "try again", headers=SOON),
    "503": compatible_error_reply(503, "model_unavailable", "try again", headers=SOON),
    "429": compatible_error_reply(429, "limit_requests", "try again", headers=SOON),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_what_may_pass_is_tried_again_as_often_as_told(
    ask: Ask, server: LocalDashScope, name: str, reply: RawReply
) -> None:
    model = model_at(server, name, max_retries=2)
    server.script(reply, reply, "at last")
    assert ask(model, "?").content == "at last"
    server.script(reply, reply, reply, "too late")
    with pytest.raises(errors.QwenAudioError, match="try again"):
        ask(model, "?")
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


@pytest.mark.parametrize("case", LASTING, ids=[code for _, code, _ in LASTING])
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_what_lasts_is_raised_at_once(
    ask: Ask, server: LocalDashScope, name: str, case: tuple[int, str, Any]
) -> None:
    status, code, error = case
    server.script(compatible_error_reply(status, code, "no", request_id="r-1"))
    with pytest.raises(errors.QwenAudioError) as caught:
        ask(model_at(server, name, max_retries=2), "?")
    told = caught.value
    assert type(told) is error
    assert (told.code, told.status, told.request_id) == (code, status, "r-1")
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", ["qwen-audio-turbo", OMNI_3_5, OMNI_3_8])
def test_a_conversation_that_ends_without_a_question_is_not_sent_again(
    server: LocalDashScope, name: str
) -> None:
    with pytest.raises(errors.InvalidRequestError, match="the last message must be a user's"):
        model_at(server, name, max_retries=2).invoke([HumanMessage("?"), SYSTEM])
    assert len(server.requests) == 1


def test_a_stream_that_fails_in_the_middle_tells_what_had_come(
    ask: Ask, server: LocalDashScope
) -> None:
    server.script(compatible_stream_error_reply(["a", "b"], "internal_error", "broke", status=500))
    with pytest.raises(errors.APIError, match="broke") as caught:
        ask(model_at(server, OMNI_3_5, max_retries=2), "?")
    assert caught.value.text == "ab"
    assert len(server.requests) == 1


def test_a_stream_that_breaks_off_is_an_error_however_it_was_asked_for(
    ask: Ask, server: LocalDashScope
) -> None:
    begun = compatible_stream_error_reply(["a", "b"], "x", "y")
    server.script(RawReply(200, begun.headers, [*begun.steps[:-1], END]))
    with pytest.raises(errors.StreamInterruptedError) as caught:
        ask(model_at(server, OMNI_3_5, max_retries=2), "?")
    assert caught.value.text == "ab"
    assert len(server.requests) == 1


def test_the_service_is_told_of_when_it_knows_no_such_model_here(server: LocalDashScope) -> None:
    for name, reply in (
        ("qwen-audio-turbo", error_reply(404, "ModelNotFound", "no such model")),
        (CAPTIONER, error_reply(404, "ModelNotFound", "no such model")),
        (OMNI_3_8, compatible_error_reply(404, "model_not_found", "no such model")),
    ):
        server.script(reply)
        with pytest.raises(errors.NotFoundError) as caught:
            model_at(server, name).invoke([user(BLOCK)])
        said = caught.value.message
        assert all(region in said for region in PROFILES[name].regions)
        assert PROFILES[name].successor in said


# --- tools of the endpoint --------------------------------------------------------------------

WITH_TOOLS = [OMNI_3, OMNI_3_5, OMNI_3_8]


@pytest.mark.parametrize("name", WITH_TOOLS)
def test_tools_are_offered_as_the_endpoint_takes_them(
    ask: Ask, server: LocalDashScope, name: str
) -> None:
    model = model_at(server, name).bind_tools([add], parallel_tool_calls=False)
    ask(model, [SYSTEM, user(BLOCK, QUESTION)])
    streamed = STREAMED if name != OMNI_3_8 or "stream" in ask.__name__ else {}
    assert server.requests[0].json == {
        "model": name,
        "messages": [
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": [INPUT_AUDIO, QUESTION]},
        ],
        "tools": [ADD],
        "parallel_tool_calls": False,
        **streamed,
    }


def chosen(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


CHOICES: dict[str, tuple[list[Any], Any, Any]] = {
    "not said": ([add], None, None),
    "auto": ([add], "auto", "auto"),
    "none": ([add], "none", "none"),
    "any of one": ([add], "any", chosen("add")),
    "any of two": ([add, now], "any", "required"),
    "required": ([add, now], "required", "required"),
    "true": ([add, now], True, "required"),
    "false": ([add, now], False, None),
    "a name": ([add, now], "now", chosen("now")),
    "OpenAI's form": ([add, now], chosen("now"), chosen("now")),
}


@pytest.mark.parametrize(("tools", "choice", "sent"), CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_a_choice_of_tools_is_written_as_the_endpoint_takes_it(
    server: LocalDashScope, name: str, tools: list[Any], choice: Any, sent: Any
) -> None:
    model_at(server, name).bind_tools(tools, tool_choice=choice).invoke("?")
    assert server.requests[0].parameters.get("tool_choice") == sent
    assert len(server.requests[0].parameters["tools"]) == len(tools)


def test_a_choice_that_is_not_there_is_refused(server: LocalDashScope) -> None:
    with pytest.raises(ValueError, match="tool_choice is 'subtract'"):
        model_at(server, OMNI_3_5).bind_tools([add], tool_choice="subtract")


CALLS: list[dict[str, Any]] = [
    {"id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'},
    {"id": "c2", "name": "now", "arguments": "{}"},
]
FOUND: list[Any] = [
    {"type": "tool_call", "id": "c1", "name": "add", "args": {"a": 1, "b": 2}},
    {"type": "tool_call", "id": "c2", "name": "now", "args": {}},
]


@pytest.mark.parametrize("text", ["", "I add"])
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_calls_are_found_whole_and_in_pieces(
    ask: Ask, server: LocalDashScope, name: str, text: str
) -> None:
    server.script(Reply(text, tool_calls=CALLS))
    answer = ask(model_at(server, name).bind_tools([add, now]), "?")
    assert answer.tool_calls == FOUND
    assert answer.invalid_tool_calls == []
    assert answer.content == text
    assert answer.response_metadata["finish_reason"] == "tool_calls"


def test_the_pieces_of_a_call_come_as_they_are_written(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply(tool_calls=CALLS[:1]))
    chunks = chunks_of(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    assert [(it["name"], it["id"], it["index"]) for it in pieces[:2]] == [
        ("add", "c1", pieces[0]["index"]),
        (None, None, pieces[0]["index"]),
    ]
    assert len(pieces) > 5
    assert "".join(piece["args"] or "" for piece in pieces) == CALLS[0]["arguments"]


def test_a_call_that_is_no_json_is_an_invalid_one(ask: Ask, server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[{"id": "c1", "name": "add", "arguments": "one and two"}]))
    answer = ask(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    assert answer.tool_calls == []
    assert [(it["name"], it["args"]) for it in answer.invalid_tool_calls] == [
        ("add", "one and two")
    ]


def test_tags_in_an_answer_of_such_a_model_are_text(ask: Ask, server: LocalDashScope) -> None:
    text = '<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'
    server.script(text)
    answer = ask(model_at(server, OMNI_3_5).bind_tools([add]), "?")
    assert (answer.content, answer.tool_calls) == (text, [])


def as_called(*calls: tuple[str, str, str]) -> list[dict[str, Any]]:
    return [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in calls
    ]


INVALID: Any = {
    "type": "invalid_tool_call", "id": "c1", "name": "add", "args": "{a", "error": "no JSON"
}  # fmt: skip
HISTORIES: dict[str, tuple[list[BaseMessage], list[dict[str, Any]]]] = {
    "calls and results": (
        [
            AIMessage("I add", tool_calls=FOUND),
            ToolMessage("3", tool_call_id="c1"),
            ToolMessage([{"type": "text", "text": "12"}], tool_call_id="c2", name="now"),
        ],
        [
            {
                "role": "assistant",
                "content": "I add",
                "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}'), ("c2", "now", "{}")),
            },
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            {"role": "tool", "content": "12", "tool_call_id": "c2", "name": "now"},
        ],
    ),
    "a call as a block": (
        [
            AIMessage([{"type": "text", "text": "I add"}, *FOUND[:1]], tool_calls=FOUND[:1]),
            ToolMessage("3", tool_call_id="c1"),
        ],
        [
            {
                "role": "assistant",
                "content": "I add",
                "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}')),
            },
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
        ],
    ),
    "a call in other letters": (
        [
            AIMessage("", tool_calls=[{**FOUND[0], "args": {"a": "é", "b": None}}]),
            ToolMessage("no such number", tool_call_id="c1", status="error"),
        ],
        [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": as_called(("c1", "add", '{"a": "é", "b": null}')),
            },
            {"role": "tool", "content": "no such number", "tool_call_id": "c1"},
        ],
    ),
    "an invalid call": (
        [
            AIMessage("", invalid_tool_calls=[INVALID]),
            ToolMessage("no JSON", tool_call_id="c1"),
        ],
        [
            {"role": "assistant", "content": "", "tool_calls": as_called(("c1", "add", "{a"))},
            {"role": "tool", "content": "no JSON", "tool_call_id": "c1"},
        ],
    ),
}


@TWO_WAYS
@pytest.mark.parametrize(("said", "sent"), HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_calls_and_results_go_back_as_the_endpoint_takes_them(
    ask: Ask, server: LocalDashScope, name: str, said: list[Any], sent: list[Any]
) -> None:
    ask(model_at(server, name).bind_tools([add, now]), [HumanMessage("Go"), *said])
    assert server.requests[0].messages == [{"role": "user", "content": "Go"}, *sent]


def test_an_answer_with_calls_goes_back_as_it_came(ask: Ask, server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_8).bind_tools([add, now])
    server.script(Reply("I add", tool_calls=CALLS, reasoning="Hm"))
    answer = ask(model, "Go")
    results = [ToolMessage(id_, tool_call_id=id_) for id_ in ("c1", "c2")]
    ask(model, [HumanMessage("Go"), answer, *results])
    assert server.requests[1].messages[1] == {
        "role": "assistant",
        "content": "I add",
        "reasoning_content": "Hm",
        "tool_calls": as_called(("c1", "add", '{"a": 1, "b": 2}'), ("c2", "now", "{}")),
    }


TOLD: dict[str, tuple[str, str, bool]] = {
    "Omni, by itself": (OMNI_3_5, "auto", True),
    "Omni, told so": (OMNI_3_5, "native", True),
    "Omni, told to use the prompt": (OMNI_3_5, "prompt", False),
    "turbo, which has none": (TURBO, "auto", False),
    "turbo, told so": (TURBO, "native", True),
    "Qwen-Audio, which has none": ("qwen-audio-turbo", "auto", False),
    "Qwen-Audio, told so": ("qwen-audio-turbo", "native", True),
}


@pytest.mark.parametrize(("name", "calling", "native"), TOLD.values(), ids=TOLD)
def test_tools_are_in_the_prompt_where_the_endpoint_has_none_unless_told(
    name: str, calling: Any, *, native: bool
) -> None:
    refused = compatible_error_reply(400, "invalid_parameter_error", "no tools")
    with LocalDashScope(reply=refused) as server:
        model = model_at(server, name, tool_calling=calling).bind_tools([add], tool_choice="add")
        with pytest.raises(errors.InvalidRequestError):
            model.invoke("?")
        (request,) = server.requests
    parameters = request.parameters
    assert (parameters.get("tools") == [ADD]) is native
    assert (parameters.get("tool_choice") == chosen("add")) is native
    assert ("<tools>" in str(request.messages[0]["content"])) is not native


@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
@pytest.mark.parametrize("name", [OMNI_3_5, OMNI_3_8])
def test_structured_output_comes_by_a_call_or_by_the_prompt(
    server: LocalDashScope, name: str, method: Any
) -> None:
    by_call = method == "function_calling"
    call = {"id": "c1", "name": "Call", "arguments": '{"who": "Zoë"}'}
    server.script(Reply(tool_calls=[call]) if by_call else '{"who": "Zoë"}')
    schema = {**SCHEMA, "properties": {"who": {"type": "string"}}}
    chain = model_at(server, name).with_structured_output(schema, method=method)
    assert chain.invoke("Who calls? Answer in JSON.") == {"who": "Zoë"}
    parameters = server.requests[0].parameters
    assert parameters.get("tool_choice") == (chosen("Call") if by_call else None)
    assert "response_format" not in parameters


# --- thinking ---------------------------------------------------------------------------------

THOUGHTS = "Let me think"


@pytest.mark.parametrize("name", [OMNI_3, OMNI_3_8])
@pytest.mark.parametrize("thinks", [True, False, None])
def test_a_model_is_told_whether_to_think(
    ask: Ask, server: LocalDashScope, name: str, thinks: bool | None
) -> None:
    ask(model_at(server, name, enable_thinking=thinks), "?")
    assert server.requests[0].parameters.get("enable_thinking") is thinks
    ask(model_at(server, name), "?", enable_thinking=thinks)
    assert server.requests[1].parameters.get("enable_thinking") is thinks


@pytest.mark.parametrize("name", [OMNI_3, OMNI_3_8])
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_thoughts_are_reasoning_blocks_whole_and_streamed(
    ask: Ask, server: LocalDashScope, name: str, version: str
) -> None:
    usage = USAGE["Omni, thinking"]
    server.script(Reply("Four", reasoning=THOUGHTS, usage=usage[2]))
    answer = ask(model_at(server, name, enable_thinking=True, output_version=version), "2 + 2?")
    blocks = [{k: v for k, v in it.items() if k != "index"} for it in answer.content_blocks]
    assert blocks == [
        {"type": "reasoning", "reasoning": THOUGHTS},
        {"type": "text", "text": "Four"},
    ]
    assert answer.text == "Four"
    assert answer.usage_metadata == usage[3]
    if version == "v0":
        assert answer.content == "Four"
        assert answer.additional_kwargs == {"reasoning_content": THOUGHTS}


def test_thoughts_stream_before_the_answer(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply("Four it is", reasoning=THOUGHTS))
    chunks = chunks_of(model_at(server, OMNI_3_8), "?")
    thoughts = [chunk.additional_kwargs.get("reasoning_content") for chunk in chunks]
    assert thoughts == ["Let", " me", " think", None, None, None, None]
    assert [chunk.content for chunk in chunks] == ["", "", "", "Four", " it", " is", ""]


def test_thoughts_alone_are_an_answer(ask: Ask, server: LocalDashScope) -> None:
    server.script(Reply("", reasoning=THOUGHTS, finish_reason="length"))
    answer = ask(model_at(server, OMNI_3_8), "?")
    assert answer.content == ""
    assert answer.additional_kwargs["reasoning_content"] == THOUGHTS
    assert answer.response_metadata["finish_reason"] == "length"


THOUGHT_OF = {
    "ours": AIMessage("Four", additional_kwargs={"reasoning_content": THOUGHTS}),
    "LangChain's": AIMessage(
        [{"type": "reasoning", "reasoning": THOUGHTS}, {"type": "text", "text": "Four"}]
    ),
    "another provider's": AIMessage(
        [{"type": "thinking", "thinking": THOUGHTS}, {"type": "text", "text": "Four"}]
    ),
}


@pytest.mark.parametrize("answer", THOUGHT_OF.values(), ids=THOUGHT_OF)
def test_thoughts_go_back_beside_the_text(server: LocalDashScope, answer: AIMessage) -> None:
    model_at(server, OMNI_3_8).invoke([HumanMessage("2 + 2?"), answer, HumanMessage("Sure?")])
    assert server.requests[0].messages[1] == {
        "role": "assistant",
        "content": "Four",
        "reasoning_content": THOUGHTS,
    }


# --- content as blocks ------------------------------------------------------------------------

PROMPTED = 'I add\n<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>'
BLOCKS: dict[str, tuple[str, Reply, list[str]]] = {
    "text and a call": (OMNI_3_5, Reply("I add", tool_calls=CALLS[:1]), ["text", "tool_call"]),
    "thoughts and a call": (
        OMNI_3_8,
        Reply(reasoning=THOUGHTS, tool_calls=CALLS[:1]),
        ["reasoning", "tool_call"],
    ),
    "thoughts, text and calls": (
        OMNI_3_8,
        Reply("I add", reasoning=THOUGHTS, tool_calls=CALLS),
        ["reasoning", "text", "tool_call", "tool_call"],
    ),
    "text and a call of a prompt": (
        "qwen-audio-turbo",
        Reply(PROMPTED),
        ["text", "tool_call"],
    ),
}


@pytest.mark.parametrize("case", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("version", ["v0", "v1"])
def test_each_thought_text_and_call_is_a_block_of_its_own(
    ask: Ask, server: LocalDashScope, case: tuple[str, Reply, list[str]], version: str
) -> None:
    name, reply, found = case
    server.script(reply)
    answer = ask(model_at(server, name, output_version=version).bind_tools([add, now]), "?")
    assert [block["type"] for block in answer.content_blocks] == found
    by_kind: dict[str, Any] = {block["type"]: block for block in answer.content_blocks}
    assert by_kind["tool_call"]["name"] in {"add", "now"}
    assert by_kind.get("reasoning", {}).get("reasoning", THOUGHTS) == THOUGHTS
    assert answer.text.startswith("I add" if "text" in found else "")
    assert by_kind.get("text", {}).get("text", "") == answer.text


# --- a choice that must be made, and thoughts -------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "choice", "sent"),
    [
        ({}, "any", False),
        ({}, "add", False),
        ({}, "auto", None),
        ({}, None, None),
        ({"enable_thinking": False}, "any", False),
        ({"enable_thinking": True}, "auto", True),
    ],
)
def test_a_model_that_must_call_does_not_think(
    ask: Ask, server: LocalDashScope, fields: dict[str, Any], choice: str | None, sent: bool | None
) -> None:
    """https://github.com/cloudwego/eino/issues/994 has what the service says otherwise."""
    server.script("Done.")
    model = ChatQwenAudio(model=OMNI_3_8, base_url=server.base_url, api_key="local", **fields)
    ask(model.bind_tools([ADD], tool_choice=choice), "Add 1 and 2.")
    assert server.requests[-1].json.get("enable_thinking") is sent


def test_thinking_and_a_forced_call_are_refused_together(ask: Ask, server: LocalDashScope) -> None:
    model = ChatQwenAudio(
        model=OMNI_3_8, base_url=server.base_url, api_key="local", enable_thinking=True
    )
    with pytest.raises(errors.InvalidRequestError, match="while it thinks"):
        ask(model.bind_tools([ADD], tool_choice="any"), "Add 1 and 2.")
    assert server.requests == []
