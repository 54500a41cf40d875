"""Transcripts of recordings whose text is known: error rates, failures and costs."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio, QwenAudioLoader
from langchain_qwen_audio.errors import AuthenticationError, InvalidRequestError
from langchain_qwen_audio.evaluation import (
    TranscriptEvaluation,
    aevaluate_transcripts,
    evaluate_transcripts,
)
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply

from .loading import ASR, numbers_in
from .models import RECOGNITION
from .recordings import wav

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_qwen_audio.local import RawReply, ReceivedRequest

RIGHT = {"one": "One, two, three.", "two": "Four five six.", "three": "Seven."}
ANSWERS: dict[int, str] = {1: "one two three", 2: "four nine six seven", 3: "seven"}


def evaluate(*args: Any, **options: Any) -> TranscriptEvaluation:
    return evaluate_transcripts(*args, **options)


def aevaluate(*args: Any, **options: Any) -> TranscriptEvaluation:
    return asyncio.run(aevaluate_transcripts(*args, **options))


both_ways = pytest.mark.parametrize("evaluate", [evaluate, aevaluate], ids=["sync", "async"])


def reply(request: ReceivedRequest) -> Reply | RawReply:
    """Answer by the level of a recording: 3 is refused, if it is the folder's third one."""
    (number,) = {round(it / 100) for it in numbers_in(request)}
    if number == 4:
        return error_reply(400, "InvalidParameter", "no")
    return Reply(ANSWERS[number])


def save(path: Path, number: int) -> Path:
    """Make a second of a recording that says its number."""
    path.write_bytes(wav(np.full(16_000, 5_000 + 100 * number, np.int16)))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    for number, (name, text) in enumerate(RIGHT.items(), 1):
        save(folder / f"{name}.wav", number)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8-sig")
    return folder


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    settings: dict[str, Any] = {"model": ASR, "region": "cn-beijing", "max_retries": 0}
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **{**settings, **fields})


@both_ways
def test_the_recordings_of_a_folder_and_their_total(evaluate: Any, folder: Path) -> None:
    with LocalDashScope(reply=reply) as server:
        result = evaluate(folder, model_of(server))
    rates = {it.source.rpartition("/")[2]: it.counts.rate for it in result.recordings}
    assert rates == {"one.wav": 0.0, "three.wav": 0.0, "two.wav": pytest.approx(2 / 3)}
    total = result.total
    assert (total.hits, total.substitutions, total.deletions, total.insertions) == (6, 1, 0, 1)
    assert (result.model, result.unit, total.rate) == (ASR, "word", pytest.approx(2 / 7))
    assert result.cost.amount == Decimal("0.00066"), "three seconds are billed"
    two = next(it for it in result.recordings if it.source.endswith("two.wav"))
    assert (two.reference, two.hypothesis) == ("Four five six.", "four nine six seven")


def test_the_table_says_what_was_compared_and_what_it_cost(folder: Path) -> None:
    with LocalDashScope(reply=reply) as server:
        result = evaluate(folder, model_of(server))
    assert str(result) == (
        "  WER  words  substituted  deleted  inserted  recording\n"
        " 0.0%      3            0        0         0  one.wav\n"
        " 0.0%      1            0        0         0  three.wav\n"
        "66.7%      3            1        0         1  two.wav\n"
        "28.6%      7            1        0         1  total\n"
        "compared after: Unicode NFKC, lower case, dashes and slashes as spaces, other punctuation "
        "removed\n"
        "qwen3-asr-flash: WER 28.6%, 2 errors in 7 words of 3 recordings; cost 0.00066 CNY (audio "
        "in 0.00066)"
    )


def test_it_goes_to_json_and_back(folder: Path) -> None:
    with LocalDashScope(reply=reply) as server:
        result = evaluate(folder, model_of(server))
    written = result.model_dump_json()
    assert TranscriptEvaluation.model_validate_json(written) == result
    assert result.model_dump(mode="json")["total"]["rate"] == pytest.approx(2 / 7)


@both_ways
def test_what_failed_is_named_and_not_in_the_total(
    evaluate: Any, folder: Path, tmp_path: Path
) -> None:
    broken = folder / "broken.wav"
    broken.write_text("I am no recording.")
    references = {
        save(folder / "four.wav", 4): "Refused.",
        folder / "one.wav": RIGHT["one"],
        broken: "Nothing.",
        tmp_path / "gone.wav": "Nothing.",
    }
    with LocalDashScope(reply=reply) as server:
        result = evaluate(references, model_of(server))
    failed = {it.source.rpartition("/")[2]: it.error for it in result.failed}
    assert list(failed) == ["four.wav", "broken.wav", "gone.wav"]
    assert "InvalidRequestError" in failed["four.wav"]
    assert "not usable audio" in failed["broken.wav"]
    assert "gone.wav" in failed["gone.wav"]
    assert (result.total.hits, result.total.errors) == (3, 0)
    lines = str(result).splitlines()
    assert sum(it.startswith("failed, and not in the total: ") for it in lines) == 3
    assert "of 4 recordings, 3 failed; cost 0.00022 CNY" in lines[-1]


def test_a_transcript_that_is_not_whole_counts_as_failed(folder: Path) -> None:
    cut = Reply("one two", finish_reason="content_filter")
    with LocalDashScope(reply=cut) as server:
        result = evaluate({folder / "one.wav": "One two three."}, model_of(server))
    (failed,) = result.failed
    assert "did not finish" in (failed.error or "")
    assert (failed.hypothesis, result.total.rate) == ("one two", None)


@both_ways
def test_a_wrong_key_is_raised(evaluate: Any, folder: Path) -> None:
    refusing = LocalDashScope(reply="x", api_keys=["another"])
    with refusing as server, pytest.raises(AuthenticationError):
        evaluate(folder, model_of(server))


@both_ways
def test_a_loader_of_the_same_recordings_keeps_its_options(
    evaluate: Any, folder: Path, tmp_path: Path
) -> None:
    with LocalDashScope(reply=reply) as server:
        loader = QwenAudioLoader(folder, llm=model_of(server), checkpoint=tmp_path / "kept")
        first, second = (evaluate(folder, loader) for _ in range(2))
    assert len(server.requests) == 3
    assert first.total == second.total
    assert (first.from_checkpoint, second.from_checkpoint) == (0, 3)
    assert (first.cost.amount, second.cost.amount) == (Decimal("0.00066"), 0)
    assert second.summary.endswith("3 segments from the checkpoint")


def test_a_loader_that_raises_errors_raises_them(folder: Path) -> None:
    references = {save(folder / "four.wav", 4): "Refused."}
    with LocalDashScope(reply=reply) as server:
        loader = QwenAudioLoader(folder / "four.wav", llm=model_of(server))
        with pytest.raises(InvalidRequestError):
            evaluate(references, loader)


def test_channels_are_put_together_by_time(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    path.write_bytes(wav(np.full((16_000, 2), 5_000, np.int16), channels=2))

    def say(text: str, begin: int) -> dict[str, Any]:
        return {"text": text, "begin_time": begin, "end_time": begin + 100, "words": []}

    first = Reply("one three", sentences=[say("one", 0), say("three", 600)])
    second = Reply("two four", sentences=[say("two", 300), say("four", 800)])
    with LocalDashScope(replies=[first, second], reply="no more") as server:
        loader = QwenAudioLoader(
            path,
            llm=model_of(server, model=RECOGNITION),
            channel="each",
            max_concurrency=1,
        )
        result = evaluate({path: "One two three four."}, loader)
    assert result.recordings[0].hypothesis == "one two three four"
    assert result.total.errors == 0


# --- units and texts --------------------------------------------------------------------------


def test_characters_are_counted_in_chinese(tmp_path: Path) -> None:
    path = save(tmp_path / "a.wav", 1)
    with LocalDashScope(reply="今天天汽好") as server:
        result = evaluate({path: "今天天气很好。"}, model_of(server))
        words = evaluate({path: "今天天气很好。"}, model_of(server), unit="word")
    assert result.unit == "character"
    assert result.total.rate == pytest.approx(2 / 6)
    assert "CER 33.3%, 2 errors in 6 characters" in result.summary
    assert (words.unit, words.total.rate) == ("word", 1.0)


def test_scripts_of_both_kinds_need_a_decision(folder: Path) -> None:
    references = {folder / "one.wav": "One.", folder / "two.wav": "你好。"}
    with LocalDashScope(reply=reply) as server:
        with pytest.raises(ValueError, match=r"two\.wav is in a script without spaces .*one\.wav"):
            evaluate(references, model_of(server))
        assert server.requests == []
        assert evaluate(references, model_of(server), unit="character").unit == "character"


def test_another_normalization_is_applied_and_named(folder: Path) -> None:
    def exactly(text: str) -> str:
        return text

    with LocalDashScope(reply=reply) as server:
        result = evaluate({folder / "one.wav": RIGHT["one"]}, model_of(server), normalize=exactly)
    assert result.total.substitutions == 3
    assert result.normalization.endswith("exactly")


def test_files_that_belong_to_nothing_are_named(folder: Path) -> None:
    save(folder / "alone.wav", 1)
    (folder / "README.txt").write_text("notes")
    with LocalDashScope(reply=reply) as server:
        result = evaluate(folder, model_of(server))
    assert len(result.recordings) == 3
    assert [it.removeprefix(f"{folder}/") for it in result.left_out] == [
        "alone.wav: there is no alone.txt beside it",
        "README.txt: there is no recording beside it",
    ]
    assert "left out: " in str(result)


BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "a number": (7, TypeError, "int came; expected a mapping"),
    "no mapping": ({}, ValueError, "no references came"),
    "an empty folder": ("empty", ValueError, "no references came"),
    "a file": ("calls/one.wav", ValueError, "expected a folder"),
    "a text that is none": ({"calls/one.wav": 3}, TypeError, "int came, expected its text"),
    "a folder as a recording": ({"calls": "One."}, ValueError, "there is no reference for it"),
    "a text that is not UTF-8": ("latin", ValueError, "expected text in UTF-8"),
}


@pytest.mark.parametrize(("references", "error", "message"), BAD.values(), ids=BAD)
def test_references_that_cannot_be_used_are_an_error_before_any_request(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    references: Any,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(folder.parent)
    for name in ("empty", "latin"):
        (folder.parent / name).mkdir()
    save(folder.parent / "latin" / "a.wav", 1)
    (folder.parent / "latin" / "a.txt").write_bytes("é".encode("latin-1"))
    with LocalDashScope(reply=reply) as server, pytest.raises(error, match=message):
        evaluate(references, model_of(server))
    assert server.requests == []


def test_a_loader_of_other_recordings_is_an_error_before_any_request(folder: Path) -> None:
    with LocalDashScope(reply=reply) as server:
        loader = QwenAudioLoader(folder / "one.wav", llm=model_of(server))
        with pytest.raises(ValueError, match=r"the loader has no such recording: .*three\.wav"):
            evaluate(folder, loader)
        with pytest.raises(ValueError, match=r"one\.wav: there is no reference for it"):
            evaluate({folder / "two.wav": "x"}, loader)
        twice = QwenAudioLoader([folder / "one.wav"] * 2, llm=model_of(server))
        with pytest.raises(ValueError, match="or it comes twice"):
            evaluate({folder / "one.wav": "x"}, twice)
    assert server.requests == []


def test_only_models_loaders_and_units_are_taken(folder: Path) -> None:
    with pytest.raises(
        TypeError, match="Audio came; expected ChatQwenAudio, TranscriptionJobs or Q"
    ):
        evaluate(folder, Audio.from_path(folder / "one.wav"))
    model = ChatQwenAudio(model=ASR, api_key="local")
    with pytest.raises(ValueError, match="unit is 'letter'; expected 'word' or 'character'"):
        evaluate(folder, model, unit="letter")
