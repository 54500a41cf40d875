"""Odd messages and odd replies, from fixed seeds: an answer, or one of our errors, no other."""

from __future__ import annotations

import functools
import warnings
from operator import add
from typing import TYPE_CHECKING

from langchain_core.messages import AIMessage

from langchain_qwen_audio import ChatQwenAudio, Cost, Transcript
from langchain_qwen_audio.errors import QwenAudioError
from langchain_qwen_audio.local import LocalDashScope, RawReply
from tests.unit_tests.fuzz import Fuzz
from tests.unit_tests.models import BLOCK, OMNI_3_8, QWEN_AUDIO, RECOGNITION, model_at, user
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import AIMessageChunk

SOON = {"retry-after": "0"}


@each_row("seed", range(25))
def test_odd_messages_are_sent_or_refused(seed: int, model: ChatQwenAudio) -> None:
    fuzz = Fuzz(seed)
    for _ in range(10):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what was left out is said
            try:
                model.invoke(fuzz.conversation())
            except QwenAudioError as error:
                assert str(error)  # noqa: PT017


@each_row("streams", [False, True])
@each_row("name", [QWEN_AUDIO, RECOGNITION, OMNI_3_8])
@each_row("seed", range(5))
def test_odd_replies_are_read_or_refused(
    seed: int, name: str, streams: bool, server: LocalDashScope
) -> None:
    fuzz, model = Fuzz(seed), model_at(server, name)
    question = [user(BLOCK)] if name == RECOGNITION else "hi"
    for _ in range(10):
        body = fuzz.events() if streams else fuzz.body()
        content_type = "text/event-stream" if streams else "application/json"
        server.script(RawReply(200, {"content-type": content_type, **SOON}, [body]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                answer = message_of(model.stream(question) if streams else model.invoke(question))
            except QwenAudioError as error:
                assert str(error)  # noqa: PT017
                continue
        assert str(Cost.of(answer, region="cn-beijing"))
        assert str(Transcript.from_message(answer)) or not answer.text


def message_of(answer: AIMessage | Iterator[AIMessageChunk]) -> AIMessage:
    """An answer, or the sum of its chunks."""
    return answer if isinstance(answer, AIMessage) else functools.reduce(add, answer)
