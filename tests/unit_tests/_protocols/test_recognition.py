"""Speech recognition with times: the bytes that go out, and the transcript of a reply."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from langchain_qwen_audio import Audio, Transcript, errors
from langchain_qwen_audio.local import END, RawReply, Reply, error_reply, sse_event
from langchain_qwen_audio.transcripts import Sentence, Word
from tests.unit_tests.calling_modes import invoke
from tests.unit_tests.models import BLOCK, RECOGNITION, URI, model_at, user
from tests.unit_tests.recordings import encode, tone
from tests.unit_tests.rows import each_row, two_modes, two_streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_core.messages import AIMessageChunk

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

T = 1.0  # for what never comes: a busy machine can only make it later
OLD, FUN = "qwen-audio-3.0-asr-flash", "fun-asr-flash-2026-06-15"
RECORDING = {
    "role": "user",
    "content": [{"type": "input_audio", "input_audio": {"data": URI}}],
}


def sentence(number: int, text: str, *, ended: bool = True, **rest: Any) -> dict[str, Any]:
    start = 1000 * number
    end = start + 900 if ended else None
    times = {"begin_time": start, "end_time": end}
    return {"sentence_id": number, "sentence_end": ended, **times, "text": text, **rest}


def event(text: str, one: dict[str, Any], **usage: int) -> dict[str, Any]:
    return {"output": {"text": text, "sentence": one}, "usage": usage, "request_id": "r-1"}


def events(*bodies: dict[str, Any]) -> RawReply:
    steps = [sse_event(body, number) for number, body in enumerate(bodies, 1)]
    return RawReply(200, {"content-type": "text/event-stream;charset=UTF-8"}, steps)


def whole(body: dict[str, Any]) -> RawReply:
    return RawReply(200, {"content-type": "application/json"}, [json.dumps(body).encode()])


@two_modes
def test_context_the_recording_and_options_go_where_they_belong(
    call_model: CallModel, server: LocalDashScope
) -> None:
    options: Any = {"language_hints": ["zh", "en"], "vocabulary": {"Qwen": 5}, "keep_dialect": True}
    model = model_at(server, RECOGNITION, asr_options=options)
    context = [SystemMessage("Names: Qwen"), HumanMessage("Who?"), AIMessage("Ada.")]
    assert call_model(model, [*context, user(BLOCK)]).content == "ok"
    (request,) = server.requests
    assert request.path == "/api/v1/services/aigc/multimodal-generation/generation"
    assert request.json == {
        "model": RECOGNITION,
        "input": {
            "messages": [
                {"role": "user", "content": [{"type": "input_text", "text": "Names: Qwen"}]},
                {"role": "user", "content": [{"type": "input_text", "text": "Who?"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "Ada."}]},
                RECORDING,
            ]
        },
        "parameters": {"format": "wav", **options},
    }
    streams = "stream" in call_model.__name__
    assert request.headers.get("x-dashscope-sse") == ("enable" if streams else None)


WORDS = [
    {"text": "你好", "begin_time": 1000, "end_time": 1400, "punctuation": "、", "speaker_id": 1},
    {"text": "世界", "begin_time": 1400, "end_time": 1900, "punctuation": "。", "fixed": True},
]
SPOKEN = sentence(1, "你好、世界。", channel_id=0, speaker_id=1, words=WORDS)
SHAPES = {
    "one page's": {"text": "你好、世界。", "sentence": SPOKEN},
    "the other's": {"text": "你好、世界。", "output": {"sentence": SPOKEN}},
    "with speakers": {"text": "你好、世界。", "sentences": [SPOKEN]},
    "without text": {"sentence": SPOKEN},
}


@two_modes
@each_row("output", SHAPES)
def test_a_transcript_has_sentences_words_and_times(
    call_model: CallModel, server: LocalDashScope, output: dict[str, Any]
) -> None:
    server.script(whole({"output": output, "usage": {"duration": 2}, "request_id": "r-1"}))
    answer = call_model(model_at(server, OLD), [user(BLOCK)])
    assert answer.content == "你好、世界。"
    assert answer.usage_metadata is None
    assert answer.response_metadata == {
        "model_name": OLD,
        "model_provider": "dashscope",
        "finish_reason": "stop",
        "normalized_finish_reason": "stop",
        "request_id": "r-1",
        "sentences": [SPOKEN],
        "seconds": 2,
    }
    assert Transcript.from_message(answer) == Transcript(
        text="你好、世界。",
        seconds=2,
        sentences=[
            Sentence(
                text="你好、世界。",
                start_s=1.0,
                end_s=1.9,
                speaker=1,
                channel=0,
                words=[
                    Word(text="你好", punctuation="、", start_s=1.0, end_s=1.4, speaker=1),
                    Word(text="世界", punctuation="。", start_s=1.4, end_s=1.9),
                ],
            )
        ],
    )


@two_modes
def test_usage_by_tokens_and_by_seconds(call_model: CallModel, server: LocalDashScope) -> None:
    usage = {"duration": 2, "input_tokens": 30, "output_tokens": 4, "total_tokens": 34}
    server.script(whole({"output": {"text": "Hi."}, "usage": usage}))
    answer = call_model(model_at(server, RECOGNITION), [user(BLOCK)])
    assert answer.usage_metadata == {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34}
    assert answer.response_metadata["seconds"] == 2


REVISED = (
    event("One to", sentence(1, "One to", ended=False)),
    event("One, two. ", sentence(1, "One, two. "), duration=2),
    event("One, two. Tree", sentence(2, "Tree", ended=False)),
    event("One, two. Three.", sentence(2, "Three."), duration=3),
)


@two_streams
def test_a_stream_passes_on_sentences_that_have_ended(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(events(*REVISED))
    chunks = chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])
    assert [chunk.content for chunk in chunks] == ["One, two. ", "Three.", ""]
    last = chunks[-1].response_metadata
    assert last["sentences"] == [sentence(1, "One, two. "), sentence(2, "Three.")]
    assert last["seconds"] == 3
    assert str(Transcript.from_message(chunks[-1])) == (
        "[00:01.0 - 00:01.9] One, two. \n[00:02.0 - 00:02.9] Three."
    )


def test_a_sentence_that_is_revised_after_its_end_keeps_its_first_text(
    chunks_of: Callable[..., list[AIMessageChunk]],
    server: LocalDashScope,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.script(events(REVISED[1], event("Won too. Three.", sentence(2, "Three."))))
    chunks = chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])
    assert [chunk.content for chunk in chunks] == ["One, two. ", "Three.", ""]
    assert "revised after it had ended" in caplog.text


BARE = {"sentence_end": True, "begin_time": None, "end_time": None}
FIRST, SECOND = sentence(1, "Yes. "), sentence(2, "Yes. ")
NO_FLAG = {"sentence_id": 1, "begin_time": 0, "end_time": None, "text": "Ye", "sentence_end": None}
ODD_STREAMS: dict[str, tuple[list[dict[str, Any]], str, int]] = {
    "usage after the text": ([event("Yes. ", FIRST), {"output": {}, "usage": {}}], "Yes. ", 1),
    "sentences without text": (
        [{"output": {"sentence": it}} for it in (FIRST, SECOND)],
        "Yes. Yes. ",
        2,
    ),
    "no ids and no times": (
        [event("a. ", {**BARE, "text": "a. "}), event("a. b.", {**BARE, "text": "b."})],
        "a. b.",
        2,
    ),
    "one id for all": (
        [
            event("a. ", {**sentence(0, "a. "), "sentence_id": 0}),
            event("a. b.", {**sentence(1, "b."), "sentence_id": 0}),
        ],
        "a. b.",
        2,
    ),
    "no flag while it goes on": ([event("Ye", NO_FLAG), event("Yes. ", FIRST)], "Yes. ", 1),
    "text alone while it goes on": (
        [
            event("YE", sentence(1, "YE", ended=False)),
            {"output": {"text": "YE"}},
            event("a", FIRST),
        ],
        "a",
        1,
    ),
    "channels that end apart": (
        [
            event("A", sentence(1, "A", ended=False, channel_id=0)),
            event("Ab. ", sentence(1, "b. ", channel_id=1)),
            event("a. b. ", sentence(1, "a. ", channel_id=0)),
        ],
        "a. b. ",
        2,
    ),
}


@pytest.mark.parametrize("case", ODD_STREAMS.values(), ids=ODD_STREAMS)
def test_an_odd_stream_loses_nothing_and_repeats_nothing(
    chunks_of: Callable[..., list[AIMessageChunk]],
    server: LocalDashScope,
    caplog: pytest.LogCaptureFixture,
    case: tuple[list[dict[str, Any]], str, int],
) -> None:
    bodies, text, count = case
    server.script(events(*bodies))
    chunks = chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])
    assert "".join(chunk.text for chunk in chunks) == text
    assert len(chunks[-1].response_metadata["sentences"]) == count
    assert caplog.text == ""


@two_streams
def test_a_stream_that_breaks_off_within_a_sentence_has_the_text_so_far(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    begun = events(*REVISED[:3])
    for steps in (begun.steps, (*begun.steps, END)):
        server.script(RawReply(200, begun.headers, steps))
        with pytest.raises(errors.StreamInterruptedError) as caught:
            chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])
        assert caught.value.text == "One, two. "


@two_modes
def test_nobody_speaks(call_model: CallModel, server: LocalDashScope) -> None:
    server.script(whole({"output": {"text": "", "sentence": None}, "usage": {"duration": 1}}))
    answer = call_model(model_at(server, OLD), [user(BLOCK)])
    assert (answer.content, answer.response_metadata["finish_reason"]) == ("", "stop")


ODD: dict[str, dict[str, Any]] = {
    "no answer": {"output": {}, "request_id": "r"},
    "a text that is none": {"output": {"text": 5}},
    "sentences that are none": {"output": {"text": "a", "sentences": ["b"]}},
    "a sentence that is none": {"output": {"text": "a", "sentence": "b"}},
    "a sentence whose text is none": {"output": {"text": "a", "sentence": {"text": 5}}},
}


@two_modes
@each_row("body", ODD)
def test_an_odd_reply_is_an_error(
    call_model: CallModel, server: LocalDashScope, body: dict[str, Any]
) -> None:
    server.script(whole(body))
    with pytest.raises(errors.APIError):
        call_model(model_at(server, RECOGNITION), [user(BLOCK)])


@two_streams
def test_an_odd_event_is_an_error(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(events(REVISED[1], event("Won too", {**FIRST, "text": 5})))
    with pytest.raises(errors.APIError, match="another shape"):
        chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])


@two_modes
def test_a_failure_is_retried(call_model: CallModel, server: LocalDashScope) -> None:
    server.script(error_reply(500, "InternalError", "later", headers={"retry-after": "0"}), "ok")
    answer = call_model(model_at(server, RECOGNITION, max_retries=1), [user(BLOCK)])
    assert (answer.content, len(server.requests)) == ("ok", 2)


@two_modes
def test_silence_is_a_timeout(call_model: CallModel, server: LocalDashScope) -> None:
    server.script(RawReply(steps=[math.inf]))
    with pytest.raises(errors.APITimeoutError):
        call_model(model_at(server, RECOGNITION, timeout=0.3), [user(BLOCK)])


@two_streams
def test_silence_after_a_sentence_is_a_timeout_that_has_the_sentence(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    begun = events(REVISED[1])
    server.script(RawReply(200, begun.headers, (*begun.steps, math.inf)))
    with pytest.raises(errors.StreamTimeoutError) as caught:
        chunks_of(model_at(server, RECOGNITION, timeout=T), [user(BLOCK)])
    assert caught.value.text == "One, two. "


def test_a_recording_is_not_uploaded_whoever_says_so(server: LocalDashScope) -> None:
    with pytest.raises(errors.AudioError, match=f"'upload', and {RECOGNITION} takes.* inline"):
        invoke(model_at(server, RECOGNITION, audio_transport="upload"), [user(BLOCK)])
    assert server.requests == []


@two_modes
def test_what_the_service_says_of_a_long_recording(
    call_model: CallModel, server: LocalDashScope
) -> None:
    why = "AUDIO_DURATION_TOO_LONG: audio duration (300001.0ms) over service process (300s)"
    server.script(error_reply(400, "InvalidParameter", why))
    with pytest.raises(errors.AudioError, match=r"AUDIO_DURATION_TOO_LONG.*in parts"):
        call_model(model_at(server, RECOGNITION), [user(BLOCK)])


REFUSED: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "a question": (
        RECOGNITION,
        [user(BLOCK, {"type": "text", "text": "What?"})],
        {},
        "recording and no text",
    ),
    "no recording": (RECOGNITION, [user({"type": "text", "text": "a"})], {}, "and 0 came"),
    "two recordings": (RECOGNITION, [user(BLOCK), user(BLOCK)], {}, "and 2 came"),
    "context after it": (
        RECOGNITION,
        [user(BLOCK), HumanMessage("a")],
        {},
        "in the last message",
    ),
    "much context": (RECOGNITION, [HumanMessage("a" * 401), user(BLOCK)], {}, "400 characters"),
    "an option of others": (OLD, [user(BLOCK)], {"keep_dialect": True}, "has no asr_options"),
    "an option of qwen3-asr-flash": (FUN, [user(BLOCK)], {"language": "zh"}, "has language_hints"),
    "two hints": (FUN, [user(BLOCK)], {"language_hints": ["zh", "en"]}, "takes 1 language_hints"),
    "speakers and hints": (
        RECOGNITION,
        [user(BLOCK)],
        {"speaker_diarization_enabled": True, "language_hints": ["zh"]},
        "ignores language_hints",
    ),
    "a URL of no format": (
        RECOGNITION,
        [user({"type": "audio", "url": "https://example.com/a"})],
        {},
        "format='mp3'",
    ),
}


@each_row("name, messages, options, why", REFUSED)
def test_what_the_model_does_not_take_is_refused(
    server: LocalDashScope, name: str, messages: list[Any], options: dict[str, Any], why: str
) -> None:
    with pytest.raises((errors.MessageError, errors.InvalidRequestError), match=why):
        invoke(model_at(server, name, asr_options=options or None), messages)
    assert server.requests == []


def test_the_format_of_a_url_is_in_its_name_or_told(server: LocalDashScope) -> None:
    model = model_at(server, RECOGNITION)
    model.invoke([user({"type": "audio", "url": "https://example.com/a.MP3?key=1"})])
    model.invoke([user({"type": "audio", "url": "https://example.com/a"})], format="wav")
    assert [it.parameters for it in server.requests] == [{"format": "mp3"}, {"format": "wav"}]


@each_row("container, codec, name", [("mp3", "mp3", "mp3"), ("ogg", "libopus", "opus")])
def test_the_format_of_a_recording_is_that_of_its_content(
    server: LocalDashScope, container: str, codec: str, name: str
) -> None:
    data = encode(tone(1, 48_000), container, codec, 48_000)
    model_at(server, RECOGNITION).invoke([user(Audio.from_bytes(data).to_block())])
    assert server.requests[0].parameters == {"format": name}


@two_streams
def test_a_whole_reply_to_a_stream_of_another_format_is_an_error(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope
) -> None:
    server.script(Reply("ok"), whole({"output": {"text": "a"}}))
    assert chunks_of(model_at(server, RECOGNITION), [user(BLOCK)])[0].content == "ok"
    with pytest.raises(errors.APIError, match="a stream was requested"):
        chunks_of(model_at(server, "qwen3-asr-flash"), [user(BLOCK)])
