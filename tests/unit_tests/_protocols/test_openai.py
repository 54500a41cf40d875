"""Clips, texts and tool results as the OpenAI-compatible protocol writes them."""

from __future__ import annotations

import base64
import warnings
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_qwen_audio import Audio, errors
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.models import (
    ASR,
    BLOCK,
    INPUT_AUDIO,
    OMNI_3,
    OMNI_3_5,
    OMNI_3_8,
    TURBO,
    model_at,
    user,
)
from tests.unit_tests.recordings import DATA, QUESTION, decode_all, noise, question_about, tone, wav
from tests.unit_tests.rows import each_row

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


@each_row("recording, formats", FORMATS.items())
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
        assert decode_all(sent).seconds == pytest.approx(decode_all(data).seconds, abs=0.05)


URLS: dict[str, str | None] = {
    "https://example.com/a.mp3": "mp3",
    "https://example.com/a.WAV?x=1.flac#t=2": "wav",
    "https://example.com/a%20b.m4a": "m4a",
    "https://example.com/a.opus": "opus",
    "https://example.com/a.mpeg": None,
    "https://example.com/a.txt": None,
    "https://example.com/listen": None,
}


@each_row("url, form", URLS.items())
def test_the_format_of_a_url_is_told_where_its_path_tells_it(
    server: LocalDashScope, url: str, form: str | None
) -> None:
    model_at(server, OMNI_3_5).invoke(question_about(url))
    (part, _) = server.requests[0].messages[0]["content"]
    assert part["input_audio"] == {"data": url, **({"format": form} if form else {})}


@pytest.mark.slow
def test_a_clip_of_ten_minutes_goes_as_one_mp3_that_fits(server: LocalDashScope) -> None:
    clip = Audio.from_array(tone(600), 16_000)
    assert clip.size > 10_485_760
    model_at(server, OMNI_3).invoke(question_about(clip))
    (part, question) = server.requests[0].messages[0]["content"]
    assert question == QUESTION
    assert part["input_audio"]["format"] == "mp3"
    assert len(part["input_audio"]["data"]) <= 10_485_760
    decoded = decode_all(base64.b64decode(part["input_audio"]["data"].partition(",")[2]))
    assert decoded.seconds == pytest.approx(600, abs=0.1)


@pytest.mark.slow
def test_a_clip_too_long_for_one_data_uri_goes_in_parts_and_nothing_is_lost(
    server: LocalDashScope,
) -> None:
    clip = Audio.from_array(tone(2_100, 8_000), 8_000)
    model_at(server, OMNI_3_5).invoke(question_about(clip))
    *parts, question = server.requests[0].messages[0]["content"]
    assert question == QUESTION
    assert len(parts) == 2
    data = [part["input_audio"]["data"] for part in parts]
    assert max(map(len, data)) <= 10_485_760
    decoded = [decode_all(base64.b64decode(it.partition(",")[2])).seconds for it in data]
    assert sum(decoded) == pytest.approx(2_100, abs=0.2)


def test_a_clip_is_not_converted_where_it_fits(server: LocalDashScope) -> None:
    data = wav(noise(180))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model_at(server, TURBO).invoke(question_about(Audio.from_bytes(data)))
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
