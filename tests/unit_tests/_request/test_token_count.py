"""Tokens counted beforehand: text by Qwen's tokenizer, audio by its length, with no network."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dashscope import get_tokenizer
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.errors import AudioError, MessageError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.recordings import (
    DATA,
    QUESTION,
    RECORDINGS,
    question_about,
    tone,
)

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

pytestmark = pytest.mark.disable_socket

TEXTS = ["", "Hello, world!", "你好,世界。", "émigré 🎧 \n\n\t x", "<|im_start|>", "word " * 500]


tokenizer = functools.cache(lambda: get_tokenizer("qwen-turbo"))


def encoded(text: str) -> list[int]:
    return list(tokenizer().encode(text))


def question_tokens() -> int:
    return len(encoded(QUESTION["text"]))


@pytest.fixture
def model() -> ChatQwenAudio:
    return ChatQwenAudio(api_key="local", local_files=True)


def test_text_is_counted_by_qwens_tokenizer(model: ChatQwenAudio) -> None:
    for text in TEXTS:
        expected = encoded(text)
        assert model.get_token_ids(text) == expected
        assert model.get_num_tokens(text) == len(expected)
        assert model.get_num_tokens_from_messages([HumanMessage(text)]) == len(expected)


def test_known_counts_stay(model: ChatQwenAudio) -> None:
    assert model.get_token_ids("Hello, world!") == [9707, 11, 1879, 0]
    assert model.get_num_tokens("你好") == 1


def test_audio_counts_25_a_second_and_25_at_least(model: ChatQwenAudio) -> None:
    for seconds, tokens in ((0.1, 25), (1.0, 25), (3.4, 85), (30.0, 750), (61.0, 1_525)):
        messages = question_about(Audio.from_array(tone(seconds, 8_000), 8_000))
        counted = model.get_num_tokens_from_messages(messages)
        assert counted == tokens + question_tokens(), seconds


def test_a_file_counts_as_long_as_it_sounds(
    model: ChatQwenAudio, subtests: pytest.Subtests
) -> None:
    for it in RECORDINGS:
        counted = model.get_num_tokens_from_messages(question_about(it.path.as_uri()))
        with subtests.test(it.name):
            tokens = max(25, it.seconds * 25)
            assert counted - question_tokens() == pytest.approx(tokens, abs=1.5)


@pytest.mark.parametrize("fetch", ["service", "client"])
def test_a_url_counts_as_the_longest_clip_that_is_taken(fetch: Any) -> None:
    model = ChatQwenAudio(api_key="local", fetch=fetch)
    for url in ("https://example.com/a.wav", "http://x/a.mp3", "oss://x/a.wav"):
        counted = model.get_num_tokens_from_messages(question_about(url, url))
        assert counted == 1_500 + question_tokens(), url


def test_truncation_is_counted_as_what_is_sent() -> None:
    messages = question_about(Audio.from_array(tone(61, 8_000), 8_000))
    model = ChatQwenAudio(api_key="local", long_audio="truncate")
    assert model.get_num_tokens_from_messages(messages) == 750 + question_tokens()


def look_up(word: str) -> str:
    """Look up a word."""
    return word


def test_tools_are_counted(model: ChatQwenAudio) -> None:
    messages: list[BaseMessage] = [HumanMessage("?")]
    schema = encoded(json.dumps(convert_to_openai_tool(look_up)))
    bare = model.get_num_tokens_from_messages(messages)
    assert bare == 1
    assert model.get_num_tokens_from_messages(messages, tools=[look_up]) == bare + len(schema)
    assert model.get_num_tokens_from_messages(messages, tools=[]) == bare


def test_all_of_a_conversation_is_counted(model: ChatQwenAudio) -> None:
    call = {"name": "look_up", "args": {"word": "dog"}, "id": "call-1"}
    clip = Audio.from_path(DATA / "speech.wav").to_block()
    messages: list[BaseMessage] = [
        SystemMessage("Be brief."),
        *question_about(clip),
        AIMessage("Wait.", tool_calls=[call], additional_kwargs={"reasoning_content": "Hm, hm."}),
        ToolMessage("a pet", tool_call_id="call-1"),
    ]
    counts = [model.get_num_tokens_from_messages([message]) for message in messages]
    assert counts[0] == len(encoded("Be brief."))
    assert counts[1] == round(1.149 * 25) + question_tokens()
    assert counts[2] > len(encoded("Wait.")) + len(encoded("Hm, hm."))
    assert counts[3] == len(encoded("a pet"))
    assert model.get_num_tokens_from_messages(messages) == sum(counts)


@pytest.mark.enable_socket
def test_the_count_of_audio_is_the_services() -> None:
    clips = [Audio.from_array(tone(seconds), 16_000) for seconds in (0.4, 2.0, 7.7)]
    with LocalDashScope(reply="ok", check_audio=True) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        messages = question_about(*clips)
        usage = model.invoke(messages).usage_metadata
        assert usage
        of_audio = usage["input_token_details"]["audio"]
    assert model.get_num_tokens_from_messages(messages) == of_audio + question_tokens()


def test_forbidden_and_broken_files_are_refused(tmp_path: Path) -> None:
    url = (DATA / "speech.wav").as_uri()
    with pytest.raises(AudioError, match="local_files"):
        ChatQwenAudio(api_key="x").get_num_tokens_from_messages(question_about(url))
    text = tmp_path / "text.wav"
    text.write_text("no sound")
    model = ChatQwenAudio(api_key="x", local_files=True)
    with pytest.raises(AudioError, match="not usable audio"):
        model.get_num_tokens_from_messages(question_about(text.as_uri()))
    with pytest.raises(MessageError):
        model.get_num_tokens_from_messages([])
