"""Silence is not sent, and what is said keeps its times in the recording."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.speech_detection import LoudnessDetector
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio._request.encoded_segments import Segment
from langchain_qwen_audio._transcription import segments
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.local import LocalDashScope, ReceivedRequest, Reply
from langchain_qwen_audio.transcripts import Transcript
from tests.unit_tests.loading import RATE, asynchronous, clip_in, loader_of, sync, texts, times
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.recordings import decode_all, tone, wav

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit_tests.loading import Load
    from tests.unit_tests.recordings import Samples

FRAME_S, MARGIN_S = 0.032, 0.2


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def said(*seconds: float) -> Samples:
    """Make silence and a tone, in turns, of so many seconds."""
    return np.concatenate(
        [tone(it) if number % 2 else silence(it) for number, it in enumerate(seconds)]
    )


def length_sent(request: ReceivedRequest) -> str:
    return f"{decode_all(clip_in(request)).seconds:.2f}"


@pytest.fixture(autouse=True)
def by_loudness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take tones for speech, which Silero does not."""
    monkeypatch.setattr(segments, "make_detector", lambda _: LoudnessDetector())


@pytest.fixture
def server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply=length_sent) as server:
        yield server


def write(path: Path, samples: Samples) -> Path:
    path.write_bytes(wav(samples))
    return path


def near(*values: float) -> Any:
    """Expect values, as far as frames and margins of speech leave them open."""
    return pytest.approx(values, abs=2 * (FRAME_S + MARGIN_S))


def test_stretches_of_speech_share_a_request_without_the_silence_between(
    server: LocalDashScope, tmp_path: Path
) -> None:
    path = write(tmp_path / "talk.wav", said(10, 2, 20, 3, 15))
    loader = loader_of(server, path, skip_silence=True)
    (document,) = sync(loader)
    (sent_s,) = map(float, texts([document]))
    assert sent_s >= 5 + 4 * MARGIN_S - 0.01
    assert sent_s <= 5 + 4 * (MARGIN_S + FRAME_S)
    assert times([document])[0] == near(10, 35)
    summary = loader.summary
    assert (summary.recordings, summary.segments) == (1, 1)
    assert summary.audio_s == pytest.approx(sent_s, abs=0.01)
    assert summary.skipped_s == pytest.approx(50 - sent_s, abs=0.01)
    assert "00:44 of silence skipped" in str(summary)


def test_a_segment_is_no_longer_in_the_recording_than_is_allowed(
    server: LocalDashScope, tmp_path: Path
) -> None:
    path = write(tmp_path / "talk.wav", said(*[4, 1] * 12))
    loader = loader_of(server, path, skip_silence=True, segment_s=20)
    documents = sync(loader)
    assert all(end_s - start_s <= 20 for start_s, end_s in times(documents))
    assert all(end_s <= start_s for (_, end_s), (start_s, _) in pairwise(times(documents)))
    assert [it.metadata["segment"] for it in documents] == list(range(len(documents)))
    assert sum(map(float, texts(documents))) <= 12 * (1 + 2 * (MARGIN_S + FRAME_S))
    assert loader.summary.skipped_s + loader.summary.audio_s == pytest.approx(60)


def test_a_recording_without_speech_is_an_empty_transcript_without_a_request(
    load: Load, server: LocalDashScope, tmp_path: Path
) -> None:
    path = write(tmp_path / "quiet.wav", silence(30))
    fields = {"region": "cn-beijing"}
    for transcript_format in ("segments", "sentences", "text", "srt"):
        options: dict[str, Any] = {"segment_s": 10, "transcript_format": transcript_format}
        loader = loader_of(server, path, fields, skip_silence=True, **options)
        assert texts(load(loader)) == [""], transcript_format
        summary = loader.summary
        assert (summary.recordings, summary.segments, summary.failed) == (1, 0, 0)
        assert (summary.audio_s, summary.skipped_s, summary.uncounted) == (0.0, 30.0, 0)
        assert summary.cost.amount == 0
    assert server.requests == []


def test_a_short_recording_of_speech_alone_is_sent_as_it_came(
    server: LocalDashScope, tmp_path: Path
) -> None:
    path = write(tmp_path / "talk.wav", tone(5))
    loader = loader_of(server, path, skip_silence=True)
    assert times(asynchronous(loader)) == [(0.0, 5.0)]
    assert clip_in(server.requests[0]) == path.read_bytes()
    assert loader.summary.skipped_s == 0.0
    assert "silence" not in str(loader.summary)


def test_times_of_sentences_and_words_are_those_of_the_recording(tmp_path: Path) -> None:
    def sentence(number: int, begin_ms: int, end_ms: int, text: str) -> dict[str, Any]:
        word = {"text": text, "begin_time": begin_ms, "end_time": end_ms}
        return word | {"sentence_id": number, "sentence_end": True, "words": [word]}

    heard = [sentence(1, 200, 2_200, "One"), sentence(2, 2_700, 5_600, "two")]
    path = write(tmp_path / "talk.wav", said(10, 2, 20, 3, 15))
    with LocalDashScope(reply=Reply("Onetwo", sentences=heard)) as server:
        loader = loader_of(
            server, path, {"model": RECOGNITION}, skip_silence=True, transcript_format="json"
        )
        (document,) = sync(loader)
    one, two = Transcript.model_validate_json(document.page_content).sentences
    assert (one.start_s, one.end_s) == near(10, 12)
    assert (two.start_s, two.end_s) == near(32, 35)
    assert (two.words[0].start_s, two.words[0].end_s) == (two.start_s, two.end_s)


def test_a_checkpoint_knows_what_was_sent(server: LocalDashScope, tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", said(10, 2, 20, 3, 15))
    options: dict[str, Any] = {"checkpoint": tmp_path / "kept"}
    for skip_silence, requests in ((False, 1), (True, 2), (True, 2), (False, 2)):
        sync(loader_of(server, path, skip_silence=skip_silence, **options))
        assert len(server.requests) == requests


def test_of_a_truncated_recording_what_is_said_is_transcribed_before_the_error(
    server: LocalDashScope, tmp_path: Path
) -> None:
    path = tmp_path / "cut.wav"
    path.write_bytes(wav(said(10, 2, 20, 3, 15))[: 44 + 2 * RATE * 20])
    with pytest.raises(AudioError, match=r"only 20\.00 s are there"):
        sync(loader_of(server, path, skip_silence=True))
    spoken, error = sync(loader_of(server, path, skip_silence=True, on_error="document"))
    assert times([spoken])[0] == near(10, 12)
    assert "only 20.00 s are there" in error.metadata["error"]


def test_each_channel_has_its_own_silence(server: LocalDashScope, tmp_path: Path) -> None:
    both = np.stack([said(1, 2, 7), said(5, 2, 3)], axis=1)
    (tmp_path / "call.wav").write_bytes(wav(both, channels=2))
    documents = asynchronous(loader_of(server, tmp_path, skip_silence=True, channel="each"))
    assert [it.metadata["channel"] for it in documents] == [0, 1]
    assert [times([it])[0] for it in documents] == [near(1, 3), near(5, 7)]


def test_audio_that_is_repeated_keeps_its_times(server: LocalDashScope, tmp_path: Path) -> None:
    path = write(tmp_path / "talk.wav", said(*[1, 2] * 10))
    loader = loader_of(server, path, skip_silence=True, segment_s=12, overlap_s=2)
    documents = asynchronous(loader)
    assert len(documents) > 2
    for (_, end_s), (start_s, _) in pairwise(times(documents)):
        assert start_s < end_s
    sent_s = sum(map(float, texts(documents)))
    assert sent_s == pytest.approx(loader.summary.audio_s + 2 * (len(documents) - 1), abs=0.1)


def test_an_audio_object_is_split_where_it_is_silent() -> None:
    audio = Audio.from_array(said(1, 2, 3, 2, 2), RATE)
    segment, silent = segments.split_speech(audio, PROFILES["qwen3-asr-flash"], 60)
    assert isinstance(segment, Segment)
    assert isinstance(silent, segments.Silence)
    assert [it.sent_s for it in segment.stretches] == [
        0.0,
        pytest.approx(segment.stretches[0].length_s),
    ]
    assert (silent.start_s, silent.end_s) == (segment.end_s, 10.0)


def test_by_default_silence_is_sent(server: LocalDashScope, tmp_path: Path) -> None:
    path = write(tmp_path / "quiet.wav", silence(3))
    assert texts(sync(loader_of(server, path))) == ["3.00"]
