"""Jobs without a script: Whisper's sentences, channel by channel, and recordings of no use."""

from __future__ import annotations

import numpy as np
import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.local._client import WELCOME, WELCOME_WAV, WHISPER, get, make_wav, wav, words
from tests.unit_tests.local._job_client import LISTED, ONE, address, finish, submit, web


def test_whisper_transcribes_each_channel_and_the_result_says_so(
    unscripted: LocalDashScope,
) -> None:
    speech = np.frombuffer(WELCOME_WAV[44:], "<i2")
    stereo = np.stack([speech, np.zeros_like(speech)], axis=1)
    with web({"stereo": make_wav(stereo.tobytes(), channels=2)}) as base:
        options = {"channel_id": [0, 1], "diarization_enabled": True}
        submitted = submit(unscripted, url=f"{base}/stereo", parameters=options)
        _, body = finish(unscripted, submitted)
    result = get(address(body)).json()
    left, right = result["transcripts"]
    assert words(left["text"]) == WELCOME
    assert (right["channel_id"], right["text"], right["sentences"]) == (1, "", [])
    (sentence,) = left["sentences"]
    assert sentence["speaker_id"] == 0
    assert sentence["words"][0].keys() == {"begin_time", "end_time", "text", "punctuation"}
    assert result["properties"]["channels"] == [0, 1]
    assert result["model"] == f"local-test-server/whisper-{WHISPER}"
    assert body["usage"] == {"duration": 16}


@pytest.mark.parametrize("model", [ONE, LISTED])
def test_a_recording_that_is_of_no_use_fails_the_job(
    unscripted: LocalDashScope, model: str
) -> None:
    rows: list[tuple[bytes | None, str]] = [
        (b"<html>", "DECODE_ERROR"),
        (b"", "NO_VALID_AUDIO_ERROR"),
        (wav(0.5, amplitude=0), "SUCCESS_WITH_NO_VALID_FRAGMENT"),
        (None, "FILE_DOWNLOAD_FAILED"),
    ]
    for data, code in rows:
        with web({} if data is None else {"it": data}) as base:
            _, body = finish(unscripted, submit(unscripted, model, f"{base}/it"))
        output = body["output"]
        failed = output if model == ONE else output["results"][0]
        assert failed["code"] == code, data
