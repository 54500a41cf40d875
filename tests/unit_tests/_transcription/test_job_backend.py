"""Jobs as what transcribes for the loader: one for each recording, and none submitted twice."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pysubs2
import pytest
from langchain_core.document_loaders import Blob
from langchain_core.stores import InMemoryByteStore

from langchain_qwen_audio import ChatQwenAudio, QwenAudioParser, TranscriptionJobs
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.errors import (
    APIConnectionError,
    APITimeoutError,
    AudioError,
    InvalidRequestError,
    NotFoundError,
)
from langchain_qwen_audio.local import JobFailure, LocalDashScope, RawReply, Reply
from langchain_qwen_audio.transcripts import Sentence, Transcript, Word
from tests.unit_tests.job_calls import (
    LISTED,
    ONE,
    SHAPES,
    URL,
    as_json,
    jobs_of,
    kinds,
    submissions,
    task,
)
from tests.unit_tests.loading import asynchronous, sync, texts, threads
from tests.unit_tests.opened_files import opens
from tests.unit_tests.programs import run_forked
from tests.unit_tests.recordings import tone, wav
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.documents import Document

    from langchain_qwen_audio.local import ReceivedRequest
    from tests.unit_tests.loading import Load

SPEAKERS = {"diarization_enabled": True}
SPOKEN: list[dict[str, Any]] = [
    {
        "begin_time": 100,
        "end_time": 900,
        "text": "Hi.",
        "speaker_id": 0,
        "words": [{"begin_time": 100, "end_time": 900, "text": "Hi", "punctuation": "."}],
    },
    {"begin_time": 1_200, "end_time": 2_000, "text": "Oh!", "speaker_id": 1},
    {"begin_time": 2_100, "end_time": 2_500, "text": "Yes.", "speaker_id": 1},
]
REFUSED = as_json({"code": "InvalidParameter", "message": "no"}, 400)


def loader_of(
    server: LocalDashScope, paths: Any, fields: dict[str, Any] | None = None, **options: Any
) -> QwenAudioLoader:
    # The server remembers 1,000 requests: a slow machine must not fill them with looks.
    fields = {"parameters": SPEAKERS, "poll_interval": 0.01, **(fields or {})}
    jobs = jobs_of(server, **fields)
    return QwenAudioLoader(paths, llm=jobs, **options)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    path = tmp_path / "three.wav"
    path.write_bytes(wav(tone(3)))
    return path


def jobs_of_nowhere(**fields: Any) -> TranscriptionJobs:
    return TranscriptionJobs(api_key="x", base_url="http://127.0.0.1:9/api/v1", **fields)


def spoken_by(document: Document) -> tuple[Any, ...]:
    metadata = document.metadata
    return document.page_content, metadata["start_s"], metadata["end_s"], metadata.get("speaker")


# --- documents --------------------------------------------------------------------------------


def test_a_file_is_opened_to_look_at_it_to_prepare_it_and_to_upload_it(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    with opens() as opened:
        load(loader_of(server, three))
    assert opened.count(str(three)) == 3


@SHAPES
def test_a_recording_is_one_job_and_one_segment(
    load: Load, server: LocalDashScope, three: Path, model: str
) -> None:
    loader = loader_of(server, three, {"model": model, "parameters": {}})
    (document,) = load(loader)
    assert document.page_content == "ok"
    assert document.metadata == {
        "source": str(three),
        "segment": 0,
        "start_s": 0.0,
        "end_s": 3.0,
        "model": model,
    }
    (body,) = submissions(server)
    given = body["input"]["file_url" if model == ONE else "file_urls"]
    assert "oss://" in str(given)
    assert body["parameters"] == {}
    summary = loader.summary
    assert (summary.recordings, summary.segments, summary.audio_s) == (1, 1, 3.0)


DOCUMENTS: dict[str, list[tuple[Any, ...]]] = {
    "segments": [("Hi.Oh!Yes.", 0.0, 3.0, None)],
    "sentences": [("Hi.", 0.1, 0.9, 0), ("Oh!", 1.2, 2.0, 1), ("Yes.", 2.1, 2.5, 1)],
    "speakers": [("Hi.", 0.1, 0.9, 0), ("Oh! Yes.", 1.2, 2.5, 1)],
    "windows": [("Speaker 0: Hi.\n\nSpeaker 1: Oh! Yes.", 0.1, 2.5, None)],
    "text": [("Speaker 0: Hi.\n\nSpeaker 1: Oh! Yes.", 0.0, 3.0, None)],
}


@pytest.mark.parametrize("made", DOCUMENTS)
def test_documents_have_the_times_and_the_speakers_of_the_job(
    load: Load, server: LocalDashScope, three: Path, made: str
) -> None:
    server.script(Reply(sentences=SPOKEN))
    documents = load(loader_of(server, three, transcript_format=made))
    assert [spoken_by(it) for it in documents] == DOCUMENTS[made]
    assert all("channel" not in it.metadata for it in documents)


def test_words_have_their_times(load: Load, server: LocalDashScope, three: Path) -> None:
    server.script(Reply(sentences=SPOKEN))
    first, *_ = load(loader_of(server, three, transcript_format="sentences", words=True))
    word = {"text": "Hi", "punctuation": ".", "start_s": 0.1, "end_s": 0.9}
    assert first.metadata["words"] == [word]


def test_files_are_made_of_a_job(load: Load, server: LocalDashScope, three: Path) -> None:
    formats = ("srt", "vtt", "lrc", "json")
    server.script(*[Reply(sentences=SPOKEN)] * len(formats))
    srt, vtt, lrc, written = (
        load(loader_of(server, three, transcript_format=it))[0].page_content for it in formats
    )
    assert next((it.start, it.end) for it in pysubs2.SSAFile.from_string(srt)) == (100, 900)
    assert "<v Speaker 1>Oh!" in vtt
    assert lrc.splitlines()[0] == "[00:00.10]<00:00.10>Hi."
    assert Transcript.model_validate_json(written).sentences[0] == Sentence(
        text="Hi.",
        start_s=0.1,
        end_s=0.9,
        speaker=0,
        words=[Word(text="Hi", punctuation=".", start_s=0.1, end_s=0.9)],
    )


def test_a_recording_in_which_nobody_speaks_is_an_empty_document(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    server.script(JobFailure("SUCCESS_WITH_NO_VALID_FRAGMENT"))
    assert texts(load(loader_of(server, three))) == [""]


def test_each_channel_is_a_job(load: Load, server: LocalDashScope, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(wav(tone(4), channels=2))
    loader = loader_of(server, path, channel="each", transcript_format="sentences")
    assert [it.metadata["channel"] for it in load(loader)] == [0, 1]
    assert len(submissions(server)) == 2
    assert loader.summary.recordings == 1


def test_channels_that_the_job_tells_apart_keep_their_numbers(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    late = {"begin_time": 950, "end_time": 1_100, "text": "Yes?", "channel_id": 1}
    server.script(Reply(sentences=[*SPOKEN[:2], late]))
    fields = {"parameters": {"channel_id": [0, 1]}}
    documents = load(loader_of(server, three, fields, transcript_format="sentences"))
    told = [(it.page_content, it.metadata["channel"]) for it in documents]
    assert told == [("Hi.", 0), ("Yes?", 1), ("Oh!", 0)]


def test_blobs_are_jobs_too(server: LocalDashScope) -> None:
    parser = QwenAudioParser(jobs_of(server))
    blob = Blob.from_data(wav(tone(1)), path="a.wav")
    assert [it.page_content for it in parser.parse(blob)] == ["ok"]


# --- URLs -------------------------------------------------------------------------------------


def test_a_url_goes_to_the_service_as_it_is(load: Load, server: LocalDashScope) -> None:
    server.script(Reply(sentences=SPOKEN))
    loader = loader_of(server, URL)
    (document,) = load(loader)
    assert submissions(server)[0]["input"] == {"file_urls": [URL]}
    assert (document.metadata["source"], document.metadata["end_s"]) == (URL, 2.5)
    assert loader.summary.audio_s == 2.5


@pytest.mark.parametrize(
    "option", [{"channel": 0}, {"track": 0}, {"allow_truncated": True}], ids=str
)
def test_nothing_of_a_url_can_be_chosen_here(
    load: Load, server: LocalDashScope, option: dict[str, Any]
) -> None:
    with pytest.raises(AudioError, match="the service fetches this one: leave them out"):
        load(loader_of(server, URL, **option))
    assert server.requests == []


def test_the_transcript_of_a_url_is_kept(load: Load, server: LocalDashScope) -> None:
    store = InMemoryByteStore()
    server.script(Reply(sentences=SPOKEN))
    first, again = (load(loader_of(server, URL, checkpoint=store)) for _ in range(2))
    assert first == again
    load(loader_of(server, f"{URL}?2", checkpoint=store))
    assert len(submissions(server)) == 2


# --- resumed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (REFUSED, InvalidRequestError),
        (RawReply(503, {"retry-after-ms": "1"}, [b"{}"]), Exception),
        (task("RUNNING"), APITimeoutError),
    ],
    ids=["refused", "unavailable", "too long"],
)
def test_a_job_whose_result_did_not_come_is_waited_for_by_the_next_run(
    load: Load, server: LocalDashScope, three: Path, broken: RawReply, error: type[Exception]
) -> None:
    store = InMemoryByteStore()
    fields = {"max_retries": 0, "poll_interval": 60.0, "total_timeout": 50.0}
    server.script_task(broken)
    with pytest.raises(error):
        load(loader_of(server, three, fields, checkpoint=store))
    loader = loader_of(server, three, checkpoint=store)
    assert texts(load(loader)) == ["ok"]
    assert len(submissions(server)) == 1
    assert loader.summary.from_checkpoint == 0  # it is paid for once, and counted here


PROGRAM = """
import os, signal, sys
from langchain_qwen_audio import QwenAudioLoader, TranscriptionJobs
from langchain_qwen_audio._service.jobs import Polling

child = os.fork()
if child == 0:
    Polling.wait_s = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    path, base_url, checkpoint = sys.argv[1:]
    jobs = TranscriptionJobs(base_url=base_url, api_key="sk-0123456789abcdef")
    QwenAudioLoader(path, llm=jobs, checkpoint=checkpoint).load()
assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_run_that_was_killed_between_submission_and_result_submits_no_second_job(
    server: LocalDashScope, three: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    assert run_forked(PROGRAM, str(three), server.base_url, str(kept)) == ""
    assert kinds(server)[-1] == "task"
    for load in (sync, asynchronous):
        jobs = jobs_of(server)
        assert texts(load(QwenAudioLoader(three, llm=jobs, checkpoint=kept))) == ["ok"]
    assert len(submissions(server)) == 1


def test_copies_of_a_recording_share_one_job(
    load: Load, server: LocalDashScope, three: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.wav"
    copy.write_bytes(three.read_bytes())
    loader = loader_of(server, [three, copy], checkpoint=InMemoryByteStore())
    documents = load(loader)
    assert [it.metadata["source"] for it in documents] == [str(three), str(copy)]
    assert [it.page_content for it in documents] == ["ok", "ok"]
    assert len(submissions(server)) == 1
    assert loader.summary.from_checkpoint == 1


def test_two_loaders_at_once_with_one_checkpoint_submit_one_job(
    server: LocalDashScope, three: Path, tmp_path: Path
) -> None:
    loaders = [loader_of(server, three, checkpoint=tmp_path / "kept") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        documents = list(pool.map(sync, loaders))
    assert documents[0] == documents[1]
    assert len(submissions(server)) == 1


def test_a_job_that_has_expired_is_submitted_again_with_a_line_in_the_log(
    load: Load, server: LocalDashScope, three: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = InMemoryByteStore()
    server.script_task(REFUSED)
    with pytest.raises(InvalidRequestError):
        load(loader_of(server, three, checkpoint=store))
    server.forget_jobs()
    with caplog.at_level(logging.INFO, "langchain_qwen_audio"):
        assert texts(load(loader_of(server, three, checkpoint=store))) == ["ok"]
    assert len(submissions(server)) == 2
    (line,) = [it for it in caplog.messages if "submitted again" in it]
    assert line.startswith(str(three))
    assert "has expired" in line
    load(loader_of(server, three, checkpoint=store))
    assert len(submissions(server)) == 2


def test_a_result_that_is_gone_is_one_of_an_expired_job(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    store = InMemoryByteStore()
    server.script_result(as_json({}, 404))
    with pytest.raises(NotFoundError, match="not there any more"):
        load(loader_of(server, three, checkpoint=store))
    server.script_result(as_json({}, 404))
    assert texts(load(loader_of(server, three, checkpoint=store))) == ["ok"]
    assert len(submissions(server)) == 2


@pytest.mark.parametrize(
    "ended",
    [
        task("FAILED", code="ODD", message="no"),
        task("CANCELED"),
        task("SUCCEEDED", results=[{"subtask_status": "FAILED", "code": "ODD"}]),
    ],
    ids=["failed", "cancelled", "its file failed"],
)
def test_a_job_that_failed_is_submitted_again_by_the_next_run(
    load: Load, server: LocalDashScope, three: Path, ended: RawReply
) -> None:
    store = InMemoryByteStore()
    server.script_task(ended)
    (failed,) = load(loader_of(server, three, checkpoint=store, on_error="document"))
    assert "job " in failed.metadata["error"]
    assert texts(load(loader_of(server, three, checkpoint=store))) == ["ok"]
    assert len(submissions(server)) == 2


def test_a_value_that_is_no_id_is_not_waited_for(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    class Odd(InMemoryByteStore):
        def mget(self, keys: Any) -> list[bytes | None]:
            return [b"../\xff" for _ in keys]

    assert texts(load(loader_of(server, three, checkpoint=Odd()))) == ["ok"]


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({"parameters": {}}, {}),
        ({"model": "qwen-audio-3.0-asr-flash-filetrans"}, {}),
        ({}, {"hot_words": ["Qwen"]}),
    ],
    ids=["parameters", "model", "hot words"],
)
def test_a_transcript_is_that_of_its_model_parameters_and_hot_words(
    load: Load, server: LocalDashScope, three: Path, fields: dict[str, Any], options: dict[str, Any]
) -> None:
    store = InMemoryByteStore()
    load(loader_of(server, three, checkpoint=store))
    load(loader_of(server, three, fields, checkpoint=store, **options))
    assert len(submissions(server)) == 2


# --- many, failures, costs --------------------------------------------------------------------


def test_so_many_jobs_are_in_flight_at_once(load: Load, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.wav").write_bytes(wav(tone(1, hertz=200.0 + number)))
    three = threading.Barrier(3)
    lock = threading.Lock()
    busy = [0]

    def reply(_: ReceivedRequest) -> str:
        with lock:
            busy.append(busy[-1] + 1)
        three.wait(HANG_S)  # no job is done before there are three
        with lock:
            busy.append(busy[-1] - 1)
        return "ok"

    with LocalDashScope(reply=reply) as server:
        fields = {"poll_interval": 0.05}
        assert texts(load(loader_of(server, tmp_path, fields, max_concurrency=3))) == ["ok"] * 6
    assert max(busy) == 3


def test_what_cannot_be_read_is_not_submitted_and_the_rest_is(
    load: Load, server: LocalDashScope, three: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF, and no sound at all")
    loader = loader_of(server, [broken, three], on_error="document")
    first, second = load(loader)
    assert "AudioError" in first.metadata["error"]
    assert second.page_content == "ok"
    assert len(submissions(server)) == 1
    assert (loader.summary.recordings, loader.summary.failed) == (2, 1)


def test_a_lost_reply_to_a_submission_is_not_repeated(
    load: Load, server: LocalDashScope, three: Path
) -> None:
    server.script(RawReply(200, {}, [b"{"]))
    with pytest.raises(Exception, match="not known whether the job was submitted"):
        load(loader_of(server, three, checkpoint=InMemoryByteStore()))
    assert len(submissions(server)) == 1


def test_who_stops_waits_for_no_job(server: LocalDashScope, three: Path, tmp_path: Path) -> None:
    (tmp_path / "zzz.wav").write_bytes(wav(tone(1)))
    server.script_task(task("FAILED", code="ODD"), *[task("RUNNING")] * 50)
    fields = {"poll_interval": 3_000.0}
    loader = loader_of(server, tmp_path, fields, max_concurrency=1, on_error="document")
    documents = loader.lazy_load()
    assert "ODD" in next(documents).metadata["error"]
    wait_until(lambda: kinds(server).count("task") == 2)  # the second job is waited for
    assert isinstance(documents, Generator)
    documents.close()
    wait_until(lambda: threads() == [])


@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        (ONE, {"seconds": 100}, "0.022 CNY"),
        ("fun-asr", {"duration": 100}, "0.022 CNY"),
        (LISTED, {"input_tokens": 1_000_000, "output_tokens": 1_000_000}, "3.5 CNY"),
        (LISTED, {"duration": 100}, "unknown (an answer does not say how many tokens it used)"),
        (ONE, {}, "unknown (the answer does not say how many seconds are billed)"),
    ],
)
def test_the_cost_is_that_of_seconds_or_of_tokens_as_the_model_is_billed(
    load: Load, server: LocalDashScope, three: Path, *, model: str, usage: Any, cost: str
) -> None:
    server.script(Reply("Hi.", usage=usage))
    loader = loader_of(server, three, {"model": model, "region": "cn-beijing", "parameters": {}})
    load(loader)
    assert str(loader.summary.cost).startswith(cost)


def test_the_progress_bar_is_of_seconds(
    load: Load, server: LocalDashScope, three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(loader_of(server, [three, URL], show_progress=True))
    assert "4.00/4.00" in capsys.readouterr().err  # the URL's length is where its speech ends


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "option", [{"prompt": "Who?"}, {"segment_s": 30}, {"overlap_s": 1}, {"skip_silence": True}]
)
def test_options_of_chat_models_are_refused(option: dict[str, Any]) -> None:
    jobs = jobs_of_nowhere()
    with pytest.raises(ValueError, match=f"{next(iter(option))} came, which transcription jobs"):
        QwenAudioLoader("a.wav", llm=jobs, **option)


def test_options_that_say_nothing_are_taken() -> None:
    QwenAudioLoader("a.wav", llm=jobs_of_nowhere(), prompt=None, segment_s=None, overlap_s=0.0)


def test_parameters_that_the_model_does_not_have_are_refused_at_once() -> None:
    jobs = jobs_of_nowhere(model=ONE, parameters=SPEAKERS)
    with pytest.raises(InvalidRequestError, match="has no parameter 'diarization_enabled'"):
        QwenAudioLoader("a.wav", llm=jobs)
    with pytest.raises(NotFoundError, match="transcribes no files in jobs"):
        QwenAudioLoader("a.wav", llm=jobs_of_nowhere(model="qwen3-asr-flash"))


def test_the_parameters_of_a_client_are_those_of_each_job(server: LocalDashScope) -> None:
    jobs = jobs_of(server, parameters={"diarization_enabled": True, "language_hints": ["en"]})
    jobs.submit(URL, language_hints=["de"])
    expected = {"diarization_enabled": True, "language_hints": ["de"]}
    assert submissions(server)[0]["parameters"] == expected


@pytest.mark.parametrize(
    "parameters", [{"colour": "red"}, {"speaker_count": 1}, {"language_hints": "en"}], ids=str
)
def test_parameters_of_a_client_are_checked(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"parameters.{next(iter(parameters))}"):
        jobs_of_nowhere(parameters=parameters)


def test_a_chat_model_with_the_name_of_a_job_model_says_what_to_use(three: Path) -> None:
    with pytest.raises(NotFoundError, match="TranscriptionJobs"):
        QwenAudioLoader(three, llm=ChatQwenAudio(model=LISTED, api_key="x"))


def test_an_unreachable_service_is_an_error(load: Load, three: Path) -> None:
    jobs = jobs_of_nowhere(max_retries=0)
    with pytest.raises(APIConnectionError):
        load(QwenAudioLoader(three, llm=jobs))
