"""What the model hears of a file."""

import io

import av
import numpy as np
import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._audio import decode_audio
from langchain_qwen_audio.local._wire import Refusal

from ._client import ask, data_uri, user, wav


def encode(container: str, codec: str, rate: int = 44_100) -> bytes:
    """Encode two seconds of a stereo tone with FFmpeg."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        tone = np.sin(np.arange(2 * rate) * 0.06).astype(np.float32) / 3
        samples = np.stack([tone, tone])
        for start in range(0, 2 * rate, 1024):
            frame = av.AudioFrame.from_ndarray(samples[:, start : start + 1024], "fltp", "stereo")
            frame.sample_rate = rate
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "tokens"),
    [(0.1, 25), (1, 25), (3.4, 85), (29.96, 749), (30, 750), (31, 750), (75, 750)],
)
def test_audio_costs_25_tokens_a_second_up_to_30_s(
    server: LocalDashScope, seconds: float, tokens: int
) -> None:
    silence = wav(seconds, amplitude=0)
    usage = ask(server, user({"audio": data_uri(silence)})).json()["usage"]
    assert usage["audio_tokens"] == tokens


def test_every_audio_counts(server: LocalDashScope) -> None:
    short, long = (data_uri(wav(seconds, amplitude=0)) for seconds in (0.2, 2))
    usage = ask(server, user({"audio": short}, {"audio": long}, {"audio": short})).json()["usage"]
    assert usage["audio_tokens"] == 25 + 50 + 25


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz(rate: int) -> None:
    samples = decode_audio(wav(2, rate=rate))
    assert samples.shape == pytest.approx((32_000,), abs=20)
    assert samples.dtype == np.float32
    assert 0.25 < np.abs(samples).max() < 0.35


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("mp4", "aac"), ("adts", "aac")],
)
def test_common_formats_are_heard(container: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else 44_100
    samples = decode_audio(encode(container, codec, rate))
    assert samples.ndim == 1
    assert 1.9 < len(samples) / 16_000 < 2.2


def test_a_format_that_is_not_listed_stays_shut() -> None:
    file = encode("nut", "aac")
    with av.open(io.BytesIO(file)) as container:
        assert container.streams.audio
    with pytest.raises(Refusal, match="illegal"):
        decode_audio(file)


def test_scripted_requests_are_not_decoded(server: LocalDashScope) -> None:
    server.script("ok")
    response = ask(server, user({"audio": data_uri(b"not audio" * 99)}))
    assert response.json()["usage"]["audio_tokens"] == 25


def test_scripted_requests_can_be_checked() -> None:
    with LocalDashScope(reply="ok", check_audio=True) as server:
        heard = ask(server, user({"audio": data_uri(wav(2))}))
        assert heard.json()["usage"] == {"input_tokens": 0, "audio_tokens": 50, "output_tokens": 1}
        refused = ask(server, user({"audio": data_uri(b"not audio" * 99)}))
        assert refused.json()["message"] == "The audio format is illegal and cannot be opened"
