"""Spoken answers: requested on the wire, cut anywhere on the way, at the end a playable WAV."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
)

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._media import wav as wav_files
from langchain_qwen_audio._protocols.openai import OpenAIProtocol
from langchain_qwen_audio._response.messages import Origin, to_chat_result
from langchain_qwen_audio._response.speech import SpeechDecoder
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply, sse_event
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.recordings import noise, wav
from tests.unit_tests.rows import each_row, every_mode, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.unit_tests.conftest import CallModel

TURBO, OMNI_3, OMNI_3_5 = "qwen-omni-turbo", "qwen3-omni-flash", "qwen3.5-omni-flash"
SPEECH: dict[str, Any] = {"modalities": ["text", "audio"]}
PCM = noise(0.1, 24_000).tobytes()
CLIP = {"type": "audio", "url": "https://example.com/a.wav"}
TOOL = {
    "type": "function",
    "function": {"name": "f", "description": "Do.", "parameters": {"type": "object"}},
}


def model_at(server: LocalDashScope, name: str = OMNI_3_5, **fields: Any) -> ChatQwenAudio:
    settings = {"base_url": server.base_url, "api_key": "local", "max_retries": 0, **fields}
    return ChatQwenAudio(model=name, **settings)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def wav_header(size: int | None = None) -> bytes:
    return wav_files.wav_header(size, 24_000)


def played(data: bytes) -> bytes:
    """Play a WAV file as the standard library does, which believes the sizes in its header."""
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:3] == (1, 2, 24_000)
        frames: bytes = file.readframes(file.getnframes())
        assert len(frames) == 2 * file.getnframes()
    return frames


# --- pieces of base64 -------------------------------------------------------------------------


def decoded(pieces: Sequence[str]) -> bytes:
    """Feed pieces of base64; what comes out is base64 too, each piece by itself and all joined."""
    decoder = SpeechDecoder()
    out = [*(decoder.feed(piece) for piece in pieces), decoder.finish()]
    data = b"".join(base64.b64decode(piece, validate=True) for piece in out)
    assert base64.b64decode("".join(out), validate=True) == data
    return data


def cut(whole: Any, places: Sequence[int]) -> list[Any]:
    """Cut a text or bytes at places that are counted modulo its length."""
    ends = sorted({place % (len(whole) + 1) for place in places})
    return [whole[a:b] for a, b in zip([0, *ends], [*ends, len(whole)], strict=True)]


samples = st.binary(max_size=200) | st.binary(max_size=60).map(b"RIFF".__add__)
places = st.lists(st.integers(0, 1_000), max_size=8)
blanks = st.lists(st.sampled_from(["", " ", "\n", "\r\n", "\t"]), min_size=1, max_size=5)


def expected(data: bytes) -> bytes:
    return data if not data or data.startswith(b"RIFF") else wav_header() + data


@settings(max_examples=50)
@given(samples, places)
def test_one_text_of_base64_may_be_cut_anywhere(data: bytes, places: list[int]) -> None:
    assert decoded(cut(b64(data), places)) == expected(data)


@settings(max_examples=50)
@given(samples, places)
def test_each_piece_may_be_padded_for_itself(data: bytes, places: list[int]) -> None:
    assert decoded([b64(piece) for piece in cut(data, places)]) == expected(data)


@settings(max_examples=50)
@given(samples, places, places)
def test_texts_padded_for_themselves_may_be_cut_anywhere(
    data: bytes, places: list[int], again: list[int]
) -> None:
    text = "".join(b64(piece) for piece in cut(data, places))
    assert decoded(cut(text, again)) == expected(data)


@settings(max_examples=50)
@given(samples, places, blanks)
def test_white_space_within_means_nothing(
    data: bytes, places: list[int], blanks: list[str]
) -> None:
    pieces = cut(b64(data), places)
    spaced = [
        blanks[number % len(blanks)].join(cut(piece, places)) for number, piece in enumerate(pieces)
    ]
    assert decoded([*spaced, *blanks]) == expected(data)


@settings(max_examples=50)
@given(samples)
def test_padding_may_be_missing_at_the_end(data: bytes) -> None:
    assert decoded([b64(data).rstrip("=")]) == expected(data)


@settings(max_examples=50)
@given(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=20))
def test_samples_are_passed_on_as_they_come(pieces: list[bytes]) -> None:
    decoder = SpeechDecoder()
    fed = passed = 0
    for piece in pieces:
        out = base64.b64decode(decoder.feed(b64(piece)), validate=True)
        fed, passed = fed + len(piece), passed + len(out)
        assert len(out) % 2 == 0
        assert fed - passed < 6 or fed < 6


BROKEN = ["!!!!", "AAA!", "A", "AAAAA", "=", "AAAA=", "A===", "AA=A", "ÄÄÄÄ", "AA-_", "{}"]


@each_row("text", BROKEN)
@each_row("before", [[], ["AAAA"], ["AA==", "AAAA"]])
def test_broken_base64_is_the_services_failure(text: str, before: list[str]) -> None:
    for pieces in ([*before, text], list("".join([*before, text]))):
        with pytest.raises(errors.APIError, match="not base64"):
            decoded(pieces)


# --- the request ------------------------------------------------------------------------------

VOICES: dict[str, tuple[str, dict[str, Any], str]] = {
    "turbo's own": (TURBO, {}, "Cherry"),
    "turbo, told": (TURBO, {"voice": "Ethan"}, "Ethan"),
    "3-flash's own": (OMNI_3, {}, "Cherry"),
    "3.5's own": (OMNI_3_5, {}, "Tina"),
    "plus's own": ("qwen3.5-omni-plus", {}, "Tina"),
    "3.5, one that only the service knows": (OMNI_3_5, {"voice": "my-clone-1"}, "my-clone-1"),
}


@two_modes
@each_row("name, voice, spoken", VOICES)
def test_speech_is_requested_with_a_voice(
    call_model: CallModel, server: LocalDashScope, name: str, voice: dict[str, Any], spoken: str
) -> None:
    call_model(model_at(server, name, **SPEECH, **voice), "Hi")
    call_model(model_at(server, name), "Hi", **SPEECH, **voice)
    call_model(model_at(server, name, model_kwargs={**SPEECH, **voice}), "Hi")
    call_model(model_at(server, name, voice="Serena"), "Hi", **SPEECH, voice=spoken)
    body = {
        "model": name,
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "modalities": ["text", "audio"],
        "audio": {"voice": spoken, "format": "wav"},
    }
    assert [request.json for request in server.requests] == [body] * 4


@every_mode
def test_the_services_own_parameter_goes_as_it_is(
    call_model: CallModel, server: LocalDashScope
) -> None:
    audio = {"voice": "Ethan", "format": "wav", "newer": 1}
    call_model(model_at(server, OMNI_3, model_kwargs={**SPEECH, "audio": audio}), "Hi")
    assert server.requests[0].parameters["audio"] == audio


SILENT: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a voice alone": ({"voice": "Ethan"}, {}),
    "text": ({"modalities": ["text"], "voice": "Ethan"}, {}),
    "not this time": ({**SPEECH, "voice": "Ethan"}, {"modalities": None}),
    "text this time": (SPEECH, {"modalities": ["text"]}),
}


@two_modes
@each_row("fields, options", SILENT)
def test_no_voice_is_sent_where_no_speech_is_requested(
    call_model: CallModel, server: LocalDashScope, fields: dict[str, Any], options: dict[str, Any]
) -> None:
    assert call_model(model_at(server, **fields), "Hi", **options).content == "ok"
    assert "audio" not in server.requests[0].parameters


SYSTEM = SystemMessage("Be brief")
REFUSED: dict[str, tuple[str, list[BaseMessage], dict[str, Any], str]] = {
    "a voice that turbo has not": (
        TURBO,
        [HumanMessage("Hi")],
        {"voice": "Tina"},
        "has no voice 'Tina'; it has Cherry, Serena, Ethan, Chelsie",
    ),
    "the same in the service's own parameter": (
        TURBO,
        [HumanMessage("Hi")],
        {"audio": {"voice": "Tina", "format": "wav"}},
        "has no voice 'Tina'",
    ),
    "turbo and a system message": (
        TURBO,
        [SYSTEM, HumanMessage("Hi")],
        {},
        r"messages\[0\]: .* no system message with speech output",
    ),
    "3-flash and tools": (OMNI_3, [HumanMessage("Hi")], {"tools": [TOOL]}, "has no tools with"),
    "3.5 and tools": (OMNI_3_5, [HumanMessage("Hi")], {"tools": [TOOL]}, "has no tools with"),
    "turbo and tools of the prompt": (
        TURBO,
        [HumanMessage("Hi")],
        {"tools": [TOOL]},
        "has no tools with",
    ),
    "3-flash and thinking": (
        OMNI_3,
        [HumanMessage("Hi")],
        {"enable_thinking": True},
        "has no thinking mode with speech output",
    ),
    **{
        f"{name} cannot": (name, [HumanMessage([CLIP])], {}, "has no speech output")
        for name in (
            *("qwen-audio-turbo", "qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"),
            "qwen3.8-omni-flash",
        )
    },
}


@two_modes
@each_row("case", REFUSED)
def test_what_does_not_go_with_speech_is_refused_with_the_reason_and_not_sent(
    call_model: CallModel,
    server: LocalDashScope,
    case: tuple[str, list[BaseMessage], dict[str, Any], str],
) -> None:
    name, messages, options, why = case
    with pytest.raises(errors.InvalidRequestError, match=why):
        call_model(model_at(server, name), messages, **{**SPEECH, **options})
    assert server.requests == []


@two_modes
@each_row("name", [OMNI_3, OMNI_3_5])
def test_later_models_take_a_system_message_when_they_speak(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    call_model(model_at(server, name, **SPEECH), [SYSTEM, HumanMessage("Hi")])
    assert server.requests[0].messages[0] == {"role": "system", "content": "Be brief"}


# --- transcribed ----------------------------------------------------------------------------


@every_mode
def test_turbo_speaks_natively(call_model: CallModel, server: LocalDashScope) -> None:
    """https://help.aliyun.com/zh/model-studio/qwen-omni has the samples in the content."""
    server.script(Reply("Hello there", audio=PCM, audio_piece=1_001))
    answer = call_model(model_at(server, TURBO, protocol="native", **SPEECH), "Hi")
    assert server.requests[0].parameters["modalities"] == ["text", "audio"]
    assert answer.text == "Hello there"
    assert Audio.from_message(answer).data == wav_header(len(PCM)) + PCM


@two_modes
@each_row(
    "content",
    [
        [{"text": "Hi", "audio": {"data": b64(PCM)}}],
        [{"text": "Hi"}, {"audio": {"data": b64(PCM)}}],
        [{"audio": {"data": b64(PCM)}}, {"text": "Hi"}],
    ],
)
def test_native_speech_is_found_anywhere_in_the_content(
    call_model: CallModel, server: LocalDashScope, content: list[Any]
) -> None:
    choice = {"message": {"content": content}, "finish_reason": "stop"}
    body = {"output": {"choices": [choice]}, "request_id": "r-1"}
    server.script(RawReply(200, {"content-type": "text/event-stream"}, [sse_event(body, 1)]))
    answer = call_model(model_at(server, TURBO, protocol="native", **SPEECH), "Hi")
    assert answer.text == "Hi"
    assert Audio.from_message(answer).data == wav_header(len(PCM)) + PCM


@two_modes
@each_row("size, piece", [(2, 1), (4, 1), (6, 7), (50, 1), (50, 4_096), (len(PCM), 997)])
def test_every_calling_mode_ends_with_one_wav_file_of_exactly_these_samples(
    call_model: CallModel, server: LocalDashScope, size: int, piece: int
) -> None:
    server.script(Reply("Hello there", audio=PCM[:size], audio_piece=piece))
    answer = call_model(model_at(server, **SPEECH), "Hi")
    speech = Audio.from_message(answer)
    assert played(speech.data) == PCM[:size]
    assert speech.data == wav_header(size) + PCM[:size]
    assert (speech.mime_type, speech.sample_rate, speech.channels) == ("audio/wav", 24_000, 1)
    assert answer.text == "Hello there"


@each_row("way", [invoke, ainvoke])
@each_row("version", ["v0", "v1"])
def test_a_whole_answer_is_a_text_and_a_wav_file(
    server: LocalDashScope, way: CallModel, version: str
) -> None:
    server.script(Reply("Hello there", audio=PCM, request_id="r-1"))
    answer = way(model_at(server, output_version=version, **SPEECH), "Hi")
    assert answer.content == [
        {"type": "text", "text": "Hello there"},
        {
            "type": "audio",
            "base64": b64(wav_header(len(PCM)) + PCM),
            "mime_type": "audio/wav",
            "id": "audio_r-1",
        },
    ]
    assert answer.content_blocks == answer.content
    assert answer.response_metadata["finish_reason"] == "stop"
    assert answer.usage_metadata
    assert answer.usage_metadata["output_token_details"] == {"audio": 1}


@two_streams
@each_row("version", ["v0", "v1"])
def test_a_stream_brings_text_and_samples_as_blocks_that_add_up(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope, version: str
) -> None:
    server.script(Reply("Hello there", audio=PCM, audio_piece=1_000, request_id="r-1"))
    chunks = chunks_of(model_at(server, output_version=version, **SPEECH), "Hi")
    blocks: list[Any] = [block for chunk in chunks for block in chunk.content]
    texts = [block["text"] for block in blocks if block["type"] == "text"]
    sounds = [block for block in blocks if block["type"] == "audio"]
    assert texts == ["Hello", " there"]
    assert len(sounds) > 5
    pieces = [base64.b64decode(block["base64"], validate=True) for block in sounds]
    assert pieces[0].startswith(wav_header())
    assert all(len(piece) % 2 == 0 for piece in pieces)
    assert b"".join(pieces) == wav_header() + PCM
    assert [block.get("mime_type") for block in sounds] == ["audio/wav", *[None] * len(pieces[1:])]

    whole = sum(chunks[1:], chunks[0])
    assert [block["type"] for block in whole.content_blocks] == ["text", "audio"]
    sound: Any = whole.content_blocks[1]
    assert (sound["mime_type"], sound["id"]) == ("audio/wav", "audio_r-1")
    assert played(Audio.from_message(whole).data) == PCM
    assert whole.text == "Hello there"


def test_samples_come_before_the_answer_is_complete(server: LocalDashScope) -> None:
    server.script(Reply(audio=PCM, audio_piece=100, pause_s=0.01))
    for chunk in model_at(server, **SPEECH).stream("Hi"):
        if chunk.content:
            break
    assert chunk.content[0]["type"] == "audio"  # type: ignore[index]
    assert chunk.chunk_position is None


ALONE = {
    "speech": (Reply(audio=PCM), ["audio"]),
    "text": (Reply("Hello"), ["text"]),
    "neither": (Reply(), []),
}


@two_modes
@each_row("reply, kinds", ALONE)
def test_either_may_be_missing(
    call_model: CallModel, server: LocalDashScope, reply: Reply, kinds: list[str]
) -> None:
    server.script(reply)
    answer = call_model(model_at(server, **SPEECH), "Hi")
    assert [block["type"] for block in answer.content_blocks] == kinds
    assert answer.text == reply.text
    if not reply.audio:
        with pytest.raises(errors.AudioError, match="no audio in it"):
            Audio.from_message(answer)


def spoken(*pieces: dict[str, Any]) -> RawReply:
    """Stream chunks of speech that are scripted byte by byte."""
    deltas = [{"role": "assistant", "content": ""}, *({"audio": piece} for piece in pieces)]
    chunks: list[dict[str, Any]] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    end = {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}]}
    lines = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in [*chunks, end]]
    return RawReply(200, {"content-type": "text/event-stream"}, [*lines, b"data: [DONE]\n\n"])


PIECES: dict[str, tuple[list[dict[str, Any]], bytes]] = {
    "each padded for itself": (
        [{"data": b64(PCM[:1])}, {"data": b64(PCM[1:6])}, {"data": b64(PCM[6:50])}],
        wav_header(50) + PCM[:50],
    ),
    "with white space": (
        [{"data": base64.encodebytes(PCM[:100]).decode()}],
        wav_header(100) + PCM[:100],
    ),
    "with a header, whole": (
        [{"data": b64(wav(noise(0.1), 24_000))}],
        wav(noise(0.1), 24_000),
    ),
    "with a header, in pieces": (
        [{"data": b64(wav_header(50))[:3]}, {"data": (b64(wav_header(50) + PCM[:50]))[3:]}],
        wav_header(50) + PCM[:50],
    ),
    "with a header of unknown size": (
        [{"data": b64(wav_header() + PCM[:50])}],
        wav_header(50) + PCM[:50],
    ),
    "with its text": (
        [{"transcript": "Hello"}, {"data": b64(PCM[:50])}, {"transcript": " there"}],
        wav_header(50) + PCM[:50],
    ),
    "with empty pieces": (
        [{"data": ""}, {"data": None}, {}, {"data": b64(PCM[:50])}, {"expires_at": 1}],
        wav_header(50) + PCM[:50],
    ),
}


@two_modes
@each_row("pieces, data", PIECES)
def test_speech_is_put_together_however_it_comes(
    call_model: CallModel, server: LocalDashScope, pieces: list[dict[str, Any]], data: bytes
) -> None:
    server.script(spoken(*pieces))
    answer = call_model(model_at(server, **SPEECH), "Hi")
    assert Audio.from_message(answer).data == data
    assert answer.text == "".join(piece.get("transcript", "") for piece in pieces)


@two_modes
@each_row("texts", [["AAAA", "!!!!"], ["AAAA", "A"], ["no, speech"]])
def test_speech_that_is_no_base64_is_an_error_and_not_requested_again(
    call_model: CallModel, server: LocalDashScope, texts: list[str]
) -> None:
    server.script(spoken(*({"data": text} for text in texts)))
    with pytest.raises(errors.APIError, match="not base64"):
        call_model(model_at(server, max_retries=2, **SPEECH), "Hi")
    assert len(server.requests) == 1


@each_row("text", [{"content": "Hello"}, {"content": None}])
def test_a_reply_that_comes_whole_may_have_speech_too(text: dict[str, Any]) -> None:
    audio = {"id": "audio_1", "data": b64(PCM), "transcript": "Hello"}
    choice = {"finish_reason": "stop", "message": {"role": "assistant", **text, "audio": audio}}
    reply = OpenAIProtocol().read({"choices": [choice]})
    message = to_chat_result(reply, Origin(OMNI_3_5)).generations[0].message
    assert message.content == [
        {"type": "text", "text": "Hello"},
        {
            "type": "audio",
            "base64": b64(wav_header(len(PCM)) + PCM),
            "mime_type": "audio/wav",
            "id": "audio_1",
        },
    ]


# --- and then ---------------------------------------------------------------------------------


@two_modes
@each_row("version", ["v0", "v1"])
@each_row("name", [OMNI_3_5, TURBO, "qwen3.8-omni-flash"])
def test_a_spoken_answer_goes_back_as_its_text(
    call_model: CallModel, server: LocalDashScope, name: str, version: str
) -> None:
    server.script(Reply("Hello there", audio=PCM))
    answer = call_model(model_at(server, output_version=version, **SPEECH), "Hi")
    call_model(model_at(server, name), [HumanMessage("Hi"), answer, HumanMessage("Again")])
    assert server.requests[1].messages == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello there"},
        {"role": "user", "content": "Again"},
    ]


@two_modes
def test_speech_without_a_text_cannot_go_back(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply(audio=PCM))
    answer = call_model(model_at(server, **SPEECH), "Hi")
    with pytest.raises(errors.MessageError, match=r"messages\[1\]: .* audio and no text"):
        call_model(model_at(server), [HumanMessage("Hi"), answer, HumanMessage("Again")])
    assert len(server.requests) == 1


def test_a_question_about_a_spoken_answer_can_be_sent() -> None:
    with LocalDashScope(check_audio=True) as server:
        server.script(Reply("Hello", audio=noise(2.0, 24_000).tobytes()), "heard")
        for way in (invoke, stream, astream):
            server.script(Reply("Hello", audio=noise(2.0, 24_000).tobytes()), "heard")
            speech = Audio.from_message(way(model_at(server, **SPEECH), "Hi"))
            listener = model_at(server, "qwen3-asr-flash")
            answer = listener.invoke([HumanMessage([speech.to_block()])])
            assert answer.response_metadata["seconds"] == 2


@each_row(
    "content", ["Hello", [], [{"type": "text", "text": "Hello"}], [{"type": "audio", "url": "x"}]]
)
def test_an_answer_without_speech_says_how_to_get_some(content: Any) -> None:
    with pytest.raises(errors.AudioError, match=r"modalities=\['text', 'audio'\]"):
        Audio.from_message(AIMessage(content))
