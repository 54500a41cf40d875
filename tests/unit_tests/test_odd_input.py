"""Odd messages and odd replies, from fixed seeds: an answer, or one of our errors, no other."""

from __future__ import annotations

import warnings

import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.errors import QwenAudioError
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.fuzz import Fuzz

SOON = {"retry-after": "0"}


@pytest.mark.parametrize("seed", range(40))
def test_odd_messages_are_sent_or_refused(seed: int, model: ChatQwenAudio) -> None:
    fuzz = Fuzz(seed)
    for _ in range(10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what was left out is said
            try:
                model.invoke(fuzz.conversation())
            except QwenAudioError as error:
                assert str(error)  # noqa: PT017


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_odd_replies_are_read_or_refused(
    seed: int, streams: bool, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    fuzz = Fuzz(seed)
    once = model.model_copy(update={"max_retries": 0})
    for _ in range(10):
        body = fuzz.events() if streams else fuzz.body()
        content_type = "text/event-stream" if streams else "application/json"
        server.script(RawReply(200, {"content-type": content_type, **SOON}, [body]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                list(once.stream("hi")) if streams else once.invoke("hi")
            except QwenAudioError as error:
                assert str(error)  # noqa: PT017
