"""Live transcription, over a real WebSocket."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._live.counted_usage import CountedUsage
from langchain_qwen_audio._live.transcription import SessionTranscription
from langchain_qwen_audio.errors import (
    APIError,
    AudioError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
    StreamInterruptedError,
)
from langchain_qwen_audio.local import RESET, LiveReply, LocalDashScope, Reply
from tests.unit_tests.rows import each_row
from tests.unit_tests.test_docs import SAMPLE

from .conversations import collect, live_model, received, silence, tone, two_sentences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MODEL = "qwen3-asr-flash-realtime"
FAILED = "conversation.item.input_audio_transcription.failed"
ERROR = {"code": "InternalError", "message": "too noisy"}


def asr(server: LocalDashScope, **settings: Any) -> ChatQwenAudio:
    return live_model(server, model=MODEL, **settings)


async def test_sentences_grow_and_end_with_times() -> None:
    with LocalDashScope() as server:
        server.script(Reply(fragments=("Hello", " there")), "Bye")
        model = asr(server, asr_options={"language": "en"})
        sentences = await collect(model, two_sentences())
    facts = [(it.text, it.is_final, it.start_s, it.end_s) for it in sentences]
    assert facts == [
        ("Hello", False, 0.0, 0.9),
        ("Hello there", False, 0.0, 0.9),
        ("Hello there", True, 0.0, 0.9),
        ("Bye", False, 1.1, 2.0),
        ("Bye", True, 1.1, 2.0),
    ]
    assert len({it.item_id for it in sentences}) == 2
    assert {(it.language, it.emotion) for it in sentences} == {("en", "neutral")}
    (record,) = server.live_sessions
    settings, *_, last = received(record)
    assert settings == {
        "type": "session.update",
        "session": {
            "modalities": ["text"],
            "input_audio_format": "pcm",
            "sample_rate": 16_000,
            "input_audio_transcription": {"language": "en"},
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.0,
                "silence_duration_ms": 400,
            },
        },
    }
    assert last == {"type": "session.finish"}


def test_times_of_a_sentence_are_held_until_it_is_over() -> None:
    place, usage = {"item_id": "i1"}, CountedUsage()
    reader = SessionTranscription("m", {"sample_rate": 16_000}, usage)
    reader.read({"type": "input_audio_buffer.speech_started", "audio_start_ms": 100, **place})
    reader.read({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 900, **place})
    kind = "conversation.item.input_audio_transcription"
    (partial,) = reader.read({"type": f"{kind}.text", "text": "Hel", **place})
    (final,) = reader.read({"type": f"{kind}.completed", "transcript": "Hello", **place})
    assert [(it.start_s, it.end_s) for it in (partial, final)] == [(0.1, 0.9)] * 2
    assert (reader._started_s, reader._stopped_s) == ({}, {})


async def test_a_recording_is_transcribed_to_its_end() -> None:
    with LocalDashScope() as server:
        sentences = await collect(asr(server), Audio.from_path(SAMPLE), silence_ms=2000)
    (final,) = [it for it in sentences if it.is_final]
    assert final.text.startswith("Welcome to the recording studio")


async def test_a_sentence_that_was_not_transcribed_says_why() -> None:
    with LocalDashScope() as server:
        event = {"type": FAILED, "item_id": "i", "error": ERROR}
        server.script(LiveReply([event]), "Bye")
        failed, *_, last = await collect(asr(server), two_sentences())
    assert isinstance(failed.error, APIError)
    assert (failed.text, failed.is_final, last.text) == ("", True, "Bye")


@each_row(
    "step, error, match",
    [
        (RESET, StreamInterruptedError, "the connection broke"),
        ({"type": "error", "error": ERROR}, APIError, "too noisy"),
        ({"type": FAILED}, APIError, "cannot be read"),
    ],
)
async def test_a_broken_transcription_is_an_error(
    step: Any, error: type[QwenAudioError], match: str
) -> None:
    with LocalDashScope() as server:
        server.script(LiveReply([step]))
        with pytest.raises(error, match=match):
            await collect(asr(server), two_sentences())


async def test_what_the_source_raises_is_raised() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield tone(0.1)
        raise OSError("no microphone")

    with LocalDashScope(reply="ok") as server, pytest.raises(OSError, match="no microphone"):
        await collect(asr(server), broken())


async def test_leaving_early_hangs_up() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield tone(0.5) + silence(0.6)

    with LocalDashScope(reply="ok") as server:
        async with contextlib.aclosing(asr(server).transcribe_live(endless())) as sentences:
            async for _ in sentences:
                break
    assert server.open_connections == 0


@each_row(
    "settings, source, error, match",
    [
        ({}, "welcome.wav", AudioError, "str came, expected an Audio"),
        ({"model": "qwen3-asr-flash"}, b"", NotFoundError, "no live transcription here"),
        (
            {"temperature": 0.1, "asr_options": {"enable_itn": True}},
            b"",
            InvalidRequestError,
            "does not take enable_itn, temperature",
        ),
    ],
)
async def test_what_it_does_not_take_is_refused_before_a_connection(
    settings: dict[str, Any], source: Any, error: type[Exception], match: str
) -> None:
    with LocalDashScope(reply="ok") as server:
        with pytest.raises(error, match=match):
            await collect(live_model(server, **{"model": MODEL, **settings}), source)
        assert server.requests == []
