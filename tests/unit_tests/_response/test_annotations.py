"""Annotations of a transcript → the language and the emotion, typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_core.messages import AIMessage

from langchain_qwen_audio import Transcript
from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.models import ASR, BLOCK, model_at, user
from tests.unit_tests.rows import each_row, two_modes, two_protocols, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from tests.unit_tests.calling_modes import CallModel

ANNOTATIONS = [{"type": "audio_info", "language": "zh", "emotion": "neutral"}]
REPORTED: dict[str, dict[str, Any]] = {
    "native": {"output_tokens_details": {"text_tokens": 6}, "seconds": 1},
    "openai": {"prompt_tokens": 42, "completion_tokens": 12, "total_tokens": 54, "seconds": 1},
}


@two_modes
@two_protocols
def test_annotations_come_as_they_are_and_typed_with_the_seconds(
    call_model: CallModel, server: LocalDashScope, protocol: Literal["native", "openai"]
) -> None:
    server.script(Reply("欢迎使用阿里云", annotations=ANNOTATIONS, usage=REPORTED[protocol]))
    answer = call_model(model_at(server, ASR, protocol=protocol), [user(BLOCK)])
    assert answer.content == "欢迎使用阿里云"
    assert answer.response_metadata["annotations"] == ANNOTATIONS
    assert answer.response_metadata["seconds"] == 1
    assert Transcript.from_message(answer) == Transcript(
        text="欢迎使用阿里云", language="zh", emotion="neutral", seconds=1
    )


ANNOTATED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing": ({}, {}),
    "another kind": ({"annotations": [{"type": "url"}, "x"]}, {}),
    "after another kind": (
        {"annotations": [{"type": "url"}, *ANNOTATIONS]},
        {"language": "zh", "emotion": "neutral"},
    ),
    "a language": ({"annotations": [{"type": "audio_info", "language": "en"}]}, {"language": "en"}),
    "seconds": ({"seconds": 2.5}, {"seconds": 2.5}),
}


@each_row("metadata, info", ANNOTATED)
def test_what_is_not_annotated_is_not_known(metadata: dict[str, Any], info: dict[str, Any]) -> None:
    message = AIMessage("x", response_metadata=metadata)
    assert Transcript.from_message(message) == Transcript(text="x", **info)


@two_streams
def test_annotations_of_a_stream_are_not_added_up(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply(fragments=("a", "b"), annotations=ANNOTATIONS))
    chunks = chunks_of(model_at(server, ASR), [user(BLOCK)])
    assert [chunk.content for chunk in chunks] == ["a", "b", ""]
    told = [chunk.response_metadata.get("annotations") for chunk in chunks]
    assert told == [None, None, ANNOTATIONS]
