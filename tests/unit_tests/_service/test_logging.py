"""What the log says: one line for each retry and each upload, and never the key or the audio."""

from __future__ import annotations

import logging

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope, error_reply
from tests.unit_tests.conftest import ainvoke, invoke
from tests.unit_tests.recordings import fresh_tone, question_about, wav

KEY = "sk-0123456789abcdef"


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_each_retry_and_each_upload_is_one_line(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture, way: object
) -> None:
    caplog.set_level(logging.INFO, "langchain_qwen_audio")
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, audio_transport="upload")
    slow_down = {"retry-after-ms": "1"}
    server.script(*[error_reply(429, "Throttling", KEY, headers=slow_down)] * 2)
    clip = Audio.from_bytes(wav(fresh_tone(0.1)))
    assert way(model, question_about(clip)).text == "ok"  # type: ignore[operator]
    upload, *retries = caplog.messages
    assert upload.startswith("uploaded oss://")
    assert upload.endswith("for qwen-audio-turbo-latest")
    expected = "qwen-audio-turbo-latest: attempt {} of 3 in 0.00 s (the service's Retry-After)"
    assert [line.partition(", after RateLimitError")[0] for line in retries] == [
        expected.format(2),
        expected.format(3),
    ]
    assert KEY not in caplog.text
    assert clip.base64[:40] not in caplog.text
