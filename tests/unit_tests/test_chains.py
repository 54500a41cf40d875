"""A question about a long recording: its segments, notes on them, and the notes that are cited."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import operator
import re
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import FakeListChatModel
from pydantic import BaseModel, Field

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._request import token_count
from langchain_qwen_audio.chains import create_recording_qa_chain
from langchain_qwen_audio.errors import APIError, InvalidRequestError
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply

from .job_calls import jobs_of, submissions
from .loading import ASR, LEVEL, QWEN_AUDIO, numbered
from .models import RECOGNITION
from .recordings import decode_all, wav

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langchain_core.documents import Document
    from langchain_core.runnables import Runnable

    from langchain_qwen_audio.local import RawReply, ReceivedRequest


QUESTION = "What is {decided} & by whom?"


class NoteTaker:
    """Replies with notes on segments, shorter notes, and answers; and records the requests.

    Args:
        notes: Makes the note on the segment that begins at a second.
        answers: Makes the answer to a prompt.
        shortened: Makes one note of several.
    """

    def __init__(
        self,
        notes: Callable[[int], str | RawReply] = lambda second: f"at {second} it is decided",
        answers: Callable[[str], str] = lambda prompt: "It is decided [00:01].",
        shortened: Callable[[list[str]], str] = lambda notes: f"{notes[0][:7]} short",
    ) -> None:
        self._notes, self._answers, self._shortened = notes, answers, shortened
        self._lock = threading.Lock()
        self.segments: list[int] = []
        self.prompts: list[str] = []
        self.combined: list[str] = []
        self.shorter: list[list[str]] = []

    def __call__(self, request: ReceivedRequest) -> str | RawReply:
        parts = request.messages[-1]["content"]
        text = next((part["text"] for part in parts if "text" in part), "")
        if audio := [it for part in parts if (it := audio_of(part))]:
            clip = decode_all(base64.b64decode(audio[0].partition(";base64,")[2]))
            second = int(clip.samples[0]) - LEVEL
            with self._lock:
                self.segments.append(second)
                self.prompts.append(text)
            return self._notes(second)
        notes = [line for line in text.splitlines() if re.match(r"\[\d", line)]
        if "Shorten" in text:
            with self._lock:
                self.shorter.append(notes)
            return self._shortened(notes)
        with self._lock:
            self.combined.append(text)
        return self._answers(text)


def audio_of(part: Any) -> str | None:
    """Find the data URI of a part, in the native format or in that of speech recognition."""
    match part:
        case {"audio": str(url)} | {"input_audio": {"data": str(url)}}:
            return url
    return None


@pytest.fixture
def six(tmp_path: Path) -> Path:
    """Six seconds, numbered."""
    path = tmp_path / "six.wav"
    path.write_bytes(wav(numbered(6)))
    return path


def chain_of(
    server: LocalDashScope, fields: dict[str, Any] | None = None, **options: Any
) -> Runnable[dict[str, Any], dict[str, Any]]:
    settings = {"base_url": server.base_url, "api_key": "local", "model": QWEN_AUDIO}
    llm = ChatQwenAudio(**{**settings, **(fields or {})})
    return create_recording_qa_chain(llm, **{"segment_s": 1, **options})


def invoke(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = chain.invoke(inputs)
    return result


def ainvoke(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = asyncio.run(chain.ainvoke(inputs))
    return result


def stream(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    return joined(list(chain.stream(inputs)))


def astream(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    async def collect() -> list[dict[str, Any]]:
        return [chunk async for chunk in chain.astream(inputs)]

    return joined(asyncio.run(collect()))


def batch(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    one, other = chain.batch([inputs, inputs])
    assert one == other
    result: dict[str, Any] = one
    return result


def abatch(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    one, other = asyncio.run(chain.abatch([inputs, inputs]))
    assert one == other
    result: dict[str, Any] = one
    return result


def joined(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Add up chunks; the answer comes in many, all else in one."""
    pieces = [chunk["answer"] for chunk in chunks if "answer" in chunk]
    assert len(pieces) > 2, "it streams"
    keys = [key for chunk in chunks for key in chunk if key != "answer"]
    assert sorted(keys) == ["audio", "citations", "documents", "question"]
    whole = {key: value for chunk in chunks for key, value in chunk.items()}
    return {**whole, "answer": "".join(pieces)}


every_way = pytest.mark.parametrize(
    "call_model", [invoke, ainvoke, stream, astream, batch, abatch], ids=lambda way: way.__name__
)
two_ways = pytest.mark.parametrize("call_model", [invoke, ainvoke], ids=lambda way: way.__name__)


def starts(documents: list[Document]) -> list[float]:
    return [document.metadata["start_s"] for document in documents]


# --- map and reduce ---------------------------------------------------------------------------


@every_way
def test_the_answer_is_made_of_a_note_on_each_segment(call_model: Any, six: Path) -> None:
    model = NoteTaker(answers=lambda prompt: "Twice: [00:05], [00:01] and [00:05].")
    with LocalDashScope(reply=model) as server:
        result = call_model(chain_of(server), {"audio": six, "question": QUESTION})
    times = 2 if call_model in {batch, abatch} else 1
    assert sorted(model.segments) == sorted([0, 1, 2, 3, 4, 5] * times)
    assert all(QUESTION in prompt and "NOTHING" in prompt for prompt in model.prompts)
    notes = "\n".join(f"[00:{n:02}] at {n} it is decided" for n in range(6))
    assert len(model.combined) == times
    for prompt in model.combined:
        assert f"\n{notes}\n" in prompt
        assert f"Answer from these notes alone: {QUESTION}\n" in prompt
    assert model.shorter == []
    assert (result["audio"], result["question"]) == (six, QUESTION)
    assert result["answer"] == "Twice: [00:05], [00:01] and [00:05]."
    assert starts(result["documents"]) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert starts(result["citations"]) == [5.0, 1.0], "in the answer's order, each once"
    assert all(document in result["documents"] for document in result["citations"])
    assert result["citations"][0].page_content == "at 5 it is decided"
    assert result["citations"][0].metadata["source"] == str(six)


def test_many_questions_keep_to_their_own_recordings(tmp_path: Path) -> None:
    inputs = []
    for number in range(6):
        path = tmp_path / f"{number}.wav"
        path.write_bytes(wav(numbered(2, 100 * number)))
        inputs.append({"audio": path, "question": f"Question {number}?"})

    def answers(prompt: str) -> str:
        notes = re.findall(r"at (\d+)", prompt)
        (question,) = re.findall(r"Question \d", prompt)
        return f"{question} {' '.join(notes)} [00:01]"

    with LocalDashScope(reply=NoteTaker(answers=answers)) as server:
        results = asyncio.run(chain_of(server).abatch(inputs))
    assert [result["answer"] for result in results] == [
        f"Question {n} {100 * n} {100 * n + 1} [00:01]" for n in range(6)
    ]
    assert [result["citations"][0].page_content for result in results] == [
        f"at {100 * n + 1} it is decided" for n in range(6)
    ]


@two_ways
def test_segments_with_nothing_to_note_leave_no_note(call_model: Any, six: Path) -> None:
    notes = ["NOTHING", "NOTHING.", " NOTHING\n", "it is decided", "", "nothing"]
    model = NoteTaker(notes=notes.__getitem__)
    with LocalDashScope(reply=model) as server:
        result = call_model(chain_of(server), {"audio": six, "question": QUESTION})
    assert len(model.segments) == 6
    assert starts(result["documents"]) == [3.0]
    assert re.findall(r"^\[.*", model.combined[0], re.MULTILINE) == ["[00:03] it is decided"]


def test_with_no_notes_at_all_the_model_still_answers(six: Path) -> None:
    model = NoteTaker(notes=lambda second: "NOTHING", answers=lambda prompt: "Not said.")
    with LocalDashScope(reply=model) as server:
        result = chain_of(server).invoke({"audio": six, "question": QUESTION})
    assert (result["answer"], result["documents"], result["citations"]) == ("Not said.", [], [])


@two_ways
def test_a_segment_that_could_not_be_transcribed_is_in_the_notes(
    call_model: Any, six: Path
) -> None:
    refused = error_reply(400, "InvalidParameter", "no")
    model = NoteTaker(notes=lambda second: refused if second == 2 else f"note {second}")
    with LocalDashScope(reply=model) as server:
        inputs = {"audio": six, "question": QUESTION}
        with pytest.raises(InvalidRequestError):
            call_model(chain_of(server), inputs)
        assert model.combined == []
        result = call_model(chain_of(server, on_error="document"), inputs)
    assert starts(result["documents"]) == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert (
        "[00:02] [00:02 to 00:03 could not be transcribed: InvalidRequestError" in model.combined[0]
    )


def test_a_model_that_cannot_combine_is_an_error_after_its_retries(six: Path) -> None:
    def reply(request: ReceivedRequest) -> str | RawReply:
        is_part = any("audio" in part for part in request.messages[-1]["content"])
        return "note" if is_part else error_reply(500, "InternalError", "oops")

    with LocalDashScope(reply=reply) as server, pytest.raises(APIError, match="oops"):
        chain_of(server, {"max_retries": 0}).invoke({"audio": six, "question": QUESTION})


# --- citations --------------------------------------------------------------------------------


CITED: dict[str, list[float]] = {
    "None.": [],
    "[00:00]": [0.0],
    "[00:01][00:02], see [00:01]": [1.0, 2.0],
    "At 00:01, at [1], at [00:11], at [99:99], [later].": [],
}


def test_citations_are_the_notes_whose_times_the_answer_names(six: Path) -> None:
    def repeat_question(prompt: str) -> str:
        return prompt.partition("alone: ")[2].partition("\n")[0]

    with LocalDashScope(reply=NoteTaker(answers=repeat_question)) as server:
        results = chain_of(server).batch([{"audio": six, "question": it} for it in CITED])
    assert {it["answer"]: starts(it["citations"]) for it in results} == CITED


class Decision(BaseModel):
    """A decision, and where it is made."""

    what: str
    times: list[str]


DECISION: dict[str, Any] = {"what": "to go, see [00:03]", "times": ["[00:01]"]}


def summed(chain: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = functools.reduce(operator.add, chain.stream(inputs))
    return result


@pytest.mark.parametrize(
    ("call_model", "schema", "expected"),
    [
        (invoke, Decision, Decision(**DECISION)),
        (summed, Decision, Decision(**DECISION)),
        (ainvoke, Decision.model_json_schema(), DECISION),
    ],
    ids=["class", "class, stream", "JSON schema, async"],
)
def test_the_answer_may_be_data_and_cite_in_it(
    call_model: Any, six: Path, schema: Any, expected: Any
) -> None:
    call = json.dumps({"name": "Decision", "arguments": DECISION})
    taker = NoteTaker(answers=lambda _: f"<tool_call>{call}</tool_call>")
    with LocalDashScope(reply=taker) as server:
        chain = chain_of(server, response_format=schema)
        result = call_model(chain, {"audio": str(six), "question": QUESTION})
    assert result["structured_response"] == expected
    assert "answer" not in result
    assert starts(result["citations"]) == [3.0, 1.0]


def test_an_answer_without_the_data_is_an_error(six: Path) -> None:
    with LocalDashScope(reply=NoteTaker(answers=lambda _: "I cannot.")) as server:
        chain = chain_of(server, response_format=Decision)
        with pytest.raises(OutputParserException):
            chain.invoke({"audio": str(six), "question": QUESTION})


def test_beyond_an_hour_citations_name_the_hour(server: LocalDashScope, six: Path) -> None:
    sentences = [said(number * 60_000, f"Sentence {number}.", None) for number in (1, 59, 61)]
    server.script(Reply("", sentences=sentences))
    answers = Prompted(responses=["[59:00], [1:01:00], [01:00]"])
    chain = create_recording_qa_chain(jobs_of(server), combine_llm=answers)
    result = chain.invoke({"audio": six, "question": QUESTION})
    assert (
        "\n[01:00] Sentence 1.\n[59:00] Sentence 59.\n[1:01:00] Sentence 61.\n"
        in answers.prompts[0]
    )
    assert starts(result["citations"]) == [59 * 60.0, 61 * 60.0, 60.0]


def test_of_several_recordings_no_note_of_the_cited_time_is_lost(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.wav").write_bytes(wav(numbered(2, 100 * number)))
    with LocalDashScope(reply=NoteTaker()) as server:
        result = chain_of(server).invoke({"audio": tmp_path, "question": QUESTION})
    assert len(result["documents"]) == 4
    assert [document.page_content for document in result["citations"]] == [
        "at 1 it is decided",
        "at 101 it is decided",
    ]


# --- too many notes ---------------------------------------------------------------------------


@two_ways
def test_too_many_notes_are_shortened_and_none_is_dropped(call_model: Any, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(12)))
    model = NoteTaker(
        notes=lambda second: f"at {second} " + "many words " * 20,
        shortened=lambda notes: "\n".join(f"{note[:7]} in short" for note in notes),
        answers=lambda prompt: "See [00:00] and [00:11].",
    )
    with LocalDashScope(reply=model) as server:
        inputs = {"audio": tmp_path, "question": QUESTION}
        result = call_model(chain_of(server, max_notes_tokens=150), inputs)
    groups = [re.findall(r"at (\d+)", " ".join(notes)) for notes in model.shorter]
    seen = sorted(int(number) for group in groups for number in group)
    assert seen == list(range(12)), "each note is in one group"
    assert all(
        [int(number) for number in group] == list(range(int(group[0]), int(group[-1]) + 1))
        for group in groups
    ), "neighbours are together, in order"
    (prompt,) = model.combined
    shown = re.findall(r"^\[00:(\d\d)\] in short$", prompt, re.MULTILINE)
    assert [int(second) for second in shown] == list(range(12))
    assert starts(result["citations"]) == [0.0, 11.0]
    assert "many words" in result["documents"][0].page_content, "documents are the notes as taken"


@two_ways
def test_notes_are_shortened_as_often_as_it_takes(call_model: Any, tmp_path: Path) -> None:
    (tmp_path / "long.wav").write_bytes(wav(numbered(16)))
    model = NoteTaker(
        notes=lambda second: "many words " * 30,
        shortened=lambda notes: (
            " ".join(re.findall(r"\[\d\d:\d\d\]", " ".join(notes))) + " words" * 20
        ),
    )
    with LocalDashScope(reply=model) as server:
        inputs = {"audio": tmp_path / "long.wav", "question": QUESTION}
        call_model(chain_of(server, max_notes_tokens=140), inputs)
    rounds = len(model.shorter)
    assert rounds > 8, "sixteen notes in pairs, and then again"
    times = [f"[00:{n:02}]" for n in range(16)]
    assert re.findall(r"\[\d\d:\d\d\]", model.combined[0].partition("\nAnswer")[0]) == times


@two_ways
def test_a_model_that_does_not_shorten_is_an_error_and_not_a_circle(
    call_model: Any, six: Path
) -> None:
    model = NoteTaker(
        notes=lambda second: "many words " * 20, shortened=lambda notes: "\n".join(notes) + "!"
    )
    with LocalDashScope(reply=model) as server:
        chain = chain_of(server, max_notes_tokens=50)
        with pytest.raises(ValueError, match="the model does not shorten them"):
            call_model(chain, {"audio": six, "question": QUESTION})
    assert len(model.shorter) == 3


def test_one_long_note_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "short.wav").write_bytes(wav(numbered(1)))
    model = NoteTaker(notes=lambda second: "many words " * 50)
    with LocalDashScope(reply=model) as server:
        inputs = {"audio": tmp_path, "question": QUESTION}
        chain_of(server, max_notes_tokens=10).invoke(inputs)
    assert model.shorter == []
    assert "many words " * 49 in model.combined[0]


async def test_notes_are_counted_off_the_event_loop(
    six: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first count loads a tokenizer of some megabytes.
    loaders: list[int] = []
    load_tokenizer = token_count._tokenizer

    def note_thread() -> Any:
        loaders.append(threading.get_ident())
        return load_tokenizer()

    monkeypatch.setattr(token_count, "_tokenizer", note_thread)
    with LocalDashScope(reply=NoteTaker()) as server:
        await chain_of(server).ainvoke({"audio": six, "question": QUESTION})
    assert loaders
    assert threading.get_ident() not in loaders


# --- two models -------------------------------------------------------------------------------


only_transcribes = pytest.mark.parametrize("name", [ASR, RECOGNITION])


@only_transcribes
def test_a_model_that_only_transcribes_needs_another_that_answers(
    server: LocalDashScope, name: str
) -> None:
    with pytest.raises(ValueError, match=rf"{name} only transcribes: pass combine_llm="):
        chain_of(server, {"model": name})


@only_transcribes
@two_ways
def test_a_model_that_only_transcribes_notes_the_words_and_another_model_answers(
    call_model: Any, six: Path, name: str
) -> None:
    model = NoteTaker(notes=lambda second: f"the words at {second}")
    answers = FakeListChatModel(responses=["They say so [00:02]."])
    with LocalDashScope(reply=model) as server:
        chain = chain_of(server, {"model": name}, combine_llm=answers)
        result = call_model(chain, {"audio": six, "question": QUESTION})
    assert set(model.prompts) == {""}, "it is sent no text"
    assert model.combined == []
    assert result["answer"] == "They say so [00:02]."
    assert [document.page_content for document in result["citations"]] == ["the words at 2"]


def said(begin: int, text: str, speaker: int | None) -> dict[str, Any]:
    times = {"begin_time": begin, "end_time": begin + 1_000}
    return {**times, "text": text, "speaker_id": speaker, "words": []}


class Prompted(FakeListChatModel):
    """Answers, and records what it was sent."""

    prompts: list[str] = Field(default_factory=list)

    def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
        self.prompts.append(messages[-1].text)
        return super()._call(messages, *args, **kwargs)


@two_ways
def test_notes_of_a_model_that_tells_speakers_are_sentences_with_them(
    call_model: Any, six: Path
) -> None:
    first = [said(500, "Shall we?", 0), said(2_000, "Yes.", 1)]
    second = [said(1_000, "On Monday.", None)]
    replies = [Reply("", sentences=it) for it in (first, second)]
    answers = Prompted(responses=["Speaker 1 agrees [00:02], on Monday [00:04]."])
    with LocalDashScope(replies=replies, reply="no more") as server:
        fields = {"model": RECOGNITION}
        options: dict[str, Any] = {"segment_s": 3, "max_concurrency": 1}
        chain = chain_of(server, fields, combine_llm=answers, **options)
        result = call_model(chain, {"audio": six, "question": QUESTION})
    (prompt,) = answers.prompts
    assert "\n[00:00] Speaker 0: Shall we?\n[00:02] Speaker 1: Yes.\n[00:04] On Monday.\n" in prompt
    assert "name the speaker where the note does" in prompt
    cited = [(it.page_content, it.metadata.get("speaker")) for it in result["citations"]]
    assert cited == [("Yes.", 1), ("On Monday.", None)]


@two_ways
def test_jobs_note_sentences_with_their_speakers(
    call_model: Any, server: LocalDashScope, six: Path
) -> None:
    server.script(Reply("", sentences=[said(500, "Shall we?", 0), said(2_000, "Yes.", 1)]))
    answers = Prompted(responses=["Speaker 1 agrees [00:02]."])
    jobs = jobs_of(server, parameters={"diarization_enabled": True})
    with pytest.raises(ValueError, match=rf"{jobs.model} only transcribes: pass combine_llm="):
        create_recording_qa_chain(jobs)
    chain = create_recording_qa_chain(jobs, combine_llm=answers)
    result = call_model(chain, {"audio": six, "question": QUESTION})
    assert "\n[00:00] Speaker 0: Shall we?\n[00:02] Speaker 1: Yes.\n" in answers.prompts[0]
    assert [it.page_content for it in result["citations"]] == ["Yes."]
    assert len(submissions(server)) == 1


def test_notes_on_channels_name_them(tmp_path: Path) -> None:
    both = np.stack([numbered(1), numbered(1, 100)], axis=1)
    (tmp_path / "call.wav").write_bytes(wav(both, 16_000, 2))
    model = NoteTaker()
    with LocalDashScope(reply=model) as server:
        chain = chain_of(server, channel="each")
        chain.invoke({"audio": tmp_path / "call.wav", "question": QUESTION})
    notes = re.findall(r"^\[00:00\] .*", model.combined[0], re.MULTILINE)
    assert notes == [
        "[00:00] Channel 0: at 0 it is decided",
        "[00:00] Channel 1: at 100 it is decided",
    ]


@pytest.mark.parametrize("name", ["prompt", "transcript_format"])
def test_what_the_chain_sets_is_no_option(six: Path, name: str) -> None:
    options: dict[str, Any] = {name: "text"}
    with LocalDashScope(reply=NoteTaker()) as server, pytest.raises(TypeError, match=name):
        chain_of(server, **options).invoke({"audio": six, "question": QUESTION})


def test_what_combines_also_shortens(six: Path) -> None:
    model = NoteTaker(notes=lambda second: "many words " * 20)
    combined = NoteTaker()
    with LocalDashScope(reply=model) as server, LocalDashScope(reply=combined) as other:
        writer = ChatQwenAudio(base_url=other.base_url, api_key="local")
        chain = chain_of(server, {"model": ASR}, combine_llm=writer, max_notes_tokens=100)
        chain.invoke({"audio": six, "question": QUESTION})
    assert len(model.segments) == 6
    assert len(combined.shorter) == 3
    assert len(combined.combined) == 1


# --- as LangChain's own -----------------------------------------------------------------------


class Watching(BaseCallbackHandler):
    """Counts the calls of models, and those that belong to no run."""

    def __init__(self) -> None:
        self.calls = self.orphans = 0

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        self.calls += 1
        self.orphans += kwargs["parent_run_id"] is None


@two_ways
def test_callbacks_of_the_chain_see_every_call_within_its_run(call_model: Any, six: Path) -> None:
    handler = Watching()
    with LocalDashScope(reply=NoteTaker()) as server:
        chain = chain_of(server).with_config(callbacks=[handler])
        call_model(chain, {"audio": six, "question": QUESTION})
    assert (handler.calls, handler.orphans) == (7, 0)


def test_the_loaders_options_are_taken(six: Path, tmp_path: Path) -> None:
    model = NoteTaker()
    with LocalDashScope(reply=model) as server:
        chain = chain_of(server, checkpoint=tmp_path / "checkpoint", max_concurrency=1)
        for question in (QUESTION, QUESTION, "Another?"):
            chain.invoke({"audio": [six], "question": question})
    assert len(model.segments) == 12, "each question is noted once"
    assert len(model.combined) == 3
