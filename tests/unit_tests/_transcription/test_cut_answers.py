"""Answers that the model did not finish: shorter parts are requested, and none passes for whole."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import cli
from langchain_qwen_audio.document_loaders import TranscriptFormat
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from tests.unit_tests.loading import (
    ASR,
    Load,
    asynchronous,
    loader_of,
    numbered,
    numbers_in,
    sync,
    texts,
    threads,
    times,
)
from tests.unit_tests.recordings import wav
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from langchain_qwen_audio.local import ReceivedRequest

USAGE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


def cut_beyond(seconds: int, reason: str = "length") -> Callable[[ReceivedRequest], Reply]:
    """Transcribe numbered recordings, but no more than so many seconds of each."""

    def reply(request: ReceivedRequest) -> Reply:
        numbers = numbers_in(request)
        text = " ".join(map(str, numbers[:seconds]))
        finish_reason = "stop" if len(numbers) <= seconds else reason
        return Reply(text, finish_reason=finish_reason, usage=USAGE)

    return reply


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@pytest.fixture
def thirty(tmp_path: Path) -> Path:
    """Thirty seconds, numbered: long enough to be split where an answer is cut."""
    path = tmp_path / "thirty.wav"
    path.write_bytes(wav(numbered(30)))
    return path


def words(text: str) -> list[int]:
    return [int(word) for word in text.split()]


def test_shorter_parts_of_a_cut_segment_are_requested(
    load: Load, server: LocalDashScope, thirty: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(*[cut_beyond(10)] * 20)
    loader = loader_of(server, thirty, segment_s=20)
    with caplog.at_level(logging.WARNING):
        documents = load(loader)
    lengths = [len(numbers_in(request)) for request in server.requests]
    found = [number for text in texts(documents) for number in words(text)]
    assert list(dict.fromkeys(found)) == list(range(30))  # a cut may be within one of them
    assert all("finish_reason" not in document.metadata for document in documents)
    assert [it.metadata["segment"] for it in documents] == list(range(len(documents)))
    ends = times(documents)
    assert [start for start, _ in ends[1:]] == [end for _, end in ends[:-1]]
    assert any(length > 10 for length in lengths)
    assert loader.summary
    assert loader.summary.usage["output_tokens"] == 5 * len(lengths)
    assert "(0 failed, 0 from the checkpoint)" in str(loader.summary)
    assert "the answer was cut off (finish_reason=length): shorter parts" in caplog.text


def test_what_stays_cut_says_so_and_is_not_stored(
    server: LocalDashScope, ten: Path, tmp_path: Path
) -> None:
    place = tmp_path / "checkpoint"
    server.script(cut_beyond(3))
    loader = loader_of(server, ten, checkpoint=place)
    (document,) = sync(loader)
    assert document.page_content == (
        "0 1 2\n[the model did not finish 00:00 to 00:10: finish_reason=length]"
    )
    assert document.metadata["finish_reason"] == "length"
    assert "(0 failed, 1 incomplete, 0 from" in str(loader.summary)
    assert list(place.iterdir()) == []
    server.script(cut_beyond(10))
    again = loader_of(server, ten, checkpoint=place)
    assert words(texts(sync(again))[0]) == list(range(10))
    assert len(list(place.iterdir())) == 1
    assert texts(sync(again)) == ["0 1 2 3 4 5 6 7 8 9"]
    assert len(server.requests) == 2


def test_the_transcript_of_all_parts_is_stored(
    server: LocalDashScope, thirty: Path, tmp_path: Path
) -> None:
    server.script(*[cut_beyond(25)] * 20)
    first, second = (
        asynchronous(loader_of(server, thirty, segment_s=30, checkpoint=tmp_path / "checkpoint"))
        for _ in range(2)
    )
    assert texts(first) == texts(second)
    assert words(texts(first)[0]) == list(range(30))
    assert len(server.requests) == 3


@pytest.mark.parametrize("cut", [1, 2], ids=["the first part", "the second part"])
def test_a_segment_of_which_a_part_stays_cut_is_not_stored(
    server: LocalDashScope, thirty: Path, tmp_path: Path, cut: int
) -> None:
    place = tmp_path / "checkpoint"
    replies = [cut_beyond(1), cut_beyond(30), cut_beyond(30)]
    replies[cut] = cut_beyond(1, "content_filter")  # it is not requested again in shorter parts
    server.script(*replies)
    loader = loader_of(server, thirty, segment_s=30, checkpoint=place)
    (document,) = sync(loader)
    assert document.metadata["finish_reason"] == "content_filter"
    assert "[the model did not finish 00:00 to 00:30" in document.page_content
    assert "(0 failed, 1 incomplete" in str(loader.summary)
    assert list(place.iterdir()) == []


def test_a_loader_that_was_closed_requests_no_parts(server: LocalDashScope, thirty: Path) -> None:
    closed = threading.Event()

    def cut_once_closed(request: ReceivedRequest) -> Reply:
        assert closed.wait(HANG_S)
        return cut_beyond(1)(request)

    server.script("first", cut_once_closed, *["too late"] * 9)
    loader = loader_of(server, thirty, segment_s=15, max_concurrency=1)
    documents = loader.lazy_load()
    next(documents)
    wait_until(lambda: len(server.requests) == 2)
    documents.close()  # type: ignore[attr-defined]  # it is a generator
    closed.set()
    wait_until(lambda: not threads())
    assert len(server.requests) == 2


def test_a_part_that_fails_fails_the_segment(
    load: Load, server: LocalDashScope, thirty: Path, tmp_path: Path
) -> None:
    broken = error_reply(400, "InvalidParameter", "no")
    server.script(cut_beyond(1), cut_beyond(30), broken, cut_beyond(30))
    place = tmp_path / "checkpoint"
    loader = loader_of(server, thirty, segment_s=30, checkpoint=place, on_error="document")
    (document,) = load(loader)
    assert "could not be transcribed: InvalidRequestError" in document.page_content
    assert list(place.iterdir()) == []


def test_a_filtered_answer_is_marked_and_not_requested_again(
    server: LocalDashScope, thirty: Path
) -> None:
    server.script(cut_beyond(1, "content_filter"))
    (document,) = asynchronous(loader_of(server, thirty, segment_s=30))
    assert document.metadata["finish_reason"] == "content_filter"
    assert "[the model did not finish 00:00 to 00:30" in document.page_content
    assert len(server.requests) == 1


def test_a_whole_document_counts_what_is_incomplete(server: LocalDashScope, ten: Path) -> None:
    server.script(cut_beyond(1), *[cut_beyond(5)] * 3)
    options: dict[str, Any] = {"transcript_format": TranscriptFormat.SRT, "segment_s": 5}
    (document,) = sync(loader_of(server, ten, max_concurrency=1, **options))
    assert document.metadata["incomplete"] == 1
    assert "[the model did not finish" in document.page_content


def test_the_command_says_so_and_its_exit_code_too(
    server: LocalDashScope,
    ten: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.script(cut_beyond(1))
    monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
    arguments = ["--model", ASR, "--out", str(tmp_path / "out")]
    assert cli.main(["transcribe", str(ten), *arguments]) == 1
    assert "[the model did not finish 00:00 to 00:10" in capsys.readouterr().err
    assert "[the model did not finish" in (tmp_path / "out" / "ten.txt").read_text()


def test_models_of_the_other_protocol_say_so_too(ten: Path) -> None:
    with LocalDashScope(reply=Reply("0 1", finish_reason="length")) as server:
        (document,) = sync(loader_of(server, ten, {"model": "qwen3.5-omni-flash"}))
    assert document.metadata["finish_reason"] == "length"
