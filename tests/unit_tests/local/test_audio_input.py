"""What a model takes of an audio input: its bytes, its length, its tokens."""

import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import av
import numpy as np
import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._audio_input import decode_samples
from langchain_qwen_audio.local._models.table import Model, serve_models
from langchain_qwen_audio.local._refusal import Refusal

from ._client import (
    ASR,
    CAPTIONER,
    MODEL,
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    assert_chat_refused,
    assert_chunks,
    assert_refused,
    chat,
    clip,
    data_uri,
    generate,
    make_wav,
    user,
    wav,
)

ILLEGAL = "The audio format is illegal and cannot be opened"


def silence(seconds: float, rate: int = 1_000) -> bytes:
    return make_wav(bytes(2 * round(seconds * rate)), rate)


def facts(name: str) -> Model:
    """Return the facts of a model, which are the same in every protocol."""
    return next(iter(serve_models()[name].values()))


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


def tokens_of(server: LocalDashScope, url: str) -> int:
    tokens: int = generate(server, user({"audio": url})).json()["usage"]["audio_tokens"]
    return tokens


def test_audio_costs_25_tokens_a_second_up_to_30_s(server: LocalDashScope) -> None:
    expected = {0.1: 25, 1: 25, 3.4: 85, 29.96: 749, 30: 750, 31: 750, 75: 750}
    found = {seconds: tokens_of(server, data_uri(silence(seconds))) for seconds in expected}
    assert found == expected


def test_audio_of_a_scripted_reply_counts_by_its_length(server: LocalDashScope) -> None:
    expected = {0.1: 25, 3.4: 85, 31: 750}
    server.script(*["ok"] * len(expected))
    found = {seconds: tokens_of(server, data_uri(silence(seconds))) for seconds in expected}
    assert found == expected


def test_audio_of_a_scripted_reply_that_cannot_be_measured_counts_as_the_least(
    server: LocalDashScope,
) -> None:
    server.script("ok", "ok")
    for url in ("data:audio/wav;base64,AAAA", "https://h/a.wav"):
        assert tokens_of(server, url) == 25


def test_every_audio_counts(server: LocalDashScope) -> None:
    short, long = (data_uri(wav(seconds, amplitude=0)) for seconds in (0.2, 2))
    usage = generate(server, user({"audio": short}, {"audio": long}, {"audio": short})).json()[
        "usage"
    ]
    assert usage["audio_tokens"] == 25 + 50 + 25


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_any_rate_becomes_16_khz(rate: int) -> None:
    samples = decode_samples(wav(2, rate=rate))
    assert samples.shape == pytest.approx((32_000,), abs=20)
    assert samples.dtype == np.float32
    assert 0.25 < np.abs(samples).max() < 0.35


@pytest.mark.parametrize(
    ("container", "codec"),
    [("mp3", "libmp3lame"), ("ogg", "libopus"), ("flac", "flac"), ("mp4", "aac"), ("adts", "aac")],
)
def test_common_formats_are_decoded(container: str, codec: str) -> None:
    rate = 48_000 if codec == "libopus" else 44_100
    samples = decode_samples(encode(container, codec, rate))
    assert samples.ndim == 1
    assert 1.9 < len(samples) / 16_000 < 2.2


def test_a_format_that_is_not_listed_stays_shut() -> None:
    file = encode("nut", "aac")
    with av.open(io.BytesIO(file)) as container:
        assert container.streams.audio
    with pytest.raises(Refusal, match="illegal"):
        decode_samples(file)


def test_scripted_requests_are_not_decoded(server: LocalDashScope) -> None:
    server.script("ok")
    response = generate(server, user({"audio": data_uri(b"not audio" * 99)}))
    assert response.json()["usage"]["audio_tokens"] == 25


def test_scripted_requests_can_be_checked() -> None:
    with LocalDashScope(reply="ok", check_audio=True) as server:
        samples = generate(server, user({"audio": data_uri(wav(2))}))
        assert samples.json()["usage"] == {
            "input_tokens": 0,
            "audio_tokens": 50,
            "output_tokens": 1,
        }
        refused = generate(server, user({"audio": data_uri(b"not audio" * 99)}))
        assert refused.json()["message"] == "The audio format is illegal and cannot be opened"


# --- clips that are too long ---


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        (OMNI_TURBO, 180),
        (ASR, 300),
        pytest.param(OMNI_3, 1200, marks=pytest.mark.slow),
        pytest.param(CAPTIONER, 2400, marks=pytest.mark.slow),
    ],
)
def test_a_longer_clip_is_refused(name: str, seconds: int) -> None:
    samples = decode_samples(silence(seconds), facts(name))
    assert len(samples) == pytest.approx(seconds * 16_000, abs=50)
    with pytest.raises(Refusal, match="The audio is too long"):
        decode_samples(silence(seconds + 1), facts(name))


@pytest.mark.parametrize("name", [OMNI_35, OMNI_38])
def test_the_latest_take_three_hours(name: str) -> None:
    assert facts(name).max_clip_s == 3 * 3600
    assert facts(name).max_file_bytes == 2 * 1024**3


def test_qwen_audio_alone_cuts_a_longer_clip() -> None:
    assert len(decode_samples(silence(40), facts(MODEL))) == 30 * 16_000
    cutting = {name for name in serve_models() if facts(name).cuts}
    assert cutting == {"qwen-audio-turbo", "qwen-audio-turbo-latest"}


def test_a_clip_that_is_too_long_is_refused_on_both_paths(server: LocalDashScope) -> None:
    long = data_uri(silence(301))
    message = "The audio is too long"
    refused = generate(server, user({"audio": long}), model=ASR)
    assert_refused(refused, 400, "InvalidParameter", message)
    chat_refused = chat(server, user(clip(long)), model=ASR)
    assert_chat_refused(chat_refused, 400, "invalid_parameter_error", message)


FAMILIES = [
    (OMNI_TURBO, 0.2, 25),
    (OMNI_TURBO, 60, 1500),
    (OMNI_3, 0.2, 12),
    (OMNI_3, 60, 750),
    (OMNI_35, 0.2, 7),
    (OMNI_35, 60, 420),
    (OMNI_38, 60, 420),
    (CAPTIONER, 60, 750),
    (ASR, 60, 1500),
]


def test_audio_tokens_of_each_family(server: LocalDashScope) -> None:
    for name, seconds, tokens in FAMILIES:
        message = user(clip(data_uri(silence(seconds))))
        options = {"stream": True, "stream_options": {"include_usage": True}}
        *_, last = assert_chunks(chat(server, message, model=name, **options))
        details = {"audio_tokens": tokens, "text_tokens": 0}
        assert last["usage"]["prompt_tokens_details"] == details, name
        assert last["usage"]["prompt_tokens"] == tokens, name


# --- what is refused, and what is fetched ---


UNHEARD = [
    (b"", "The audio is empty"),
    (wav(0), "The audio is empty"),
    (b"This is a letter, not a recording. " * 30, ILLEGAL),
    (bytes(range(256)) * 20, ILLEGAL),
    (b"\x89PNG\r\n\x1a\n" + bytes(100), ILLEGAL),
    (b"ffconcat version 1.0\nfile /etc/passwd\n", ILLEGAL),
    (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", ILLEGAL),
]


def test_a_file_must_be_audio(server: LocalDashScope) -> None:
    for data, message in UNHEARD:
        refused = generate(server, user({"audio": data_uri(data)}))
        assert_refused(refused, 400, "InvalidParameter", message)


@contextmanager
def file_server(data: bytes, status: int = 200, *, length: bool = True) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("location", "/elsewhere")
            if length:
                self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as files:
        thread = threading.Thread(target=files.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{files.server_port}/a.wav?b=c"
        files.shutdown()
        thread.join()


def test_a_loopback_url_is_fetched(server: LocalDashScope) -> None:
    with file_server(wav(2, amplitude=0)) as url:
        assert generate(server, user({"audio": url})).json()["usage"]["audio_tokens"] == 50


def test_a_url_needs_a_content_length(server: LocalDashScope) -> None:
    with file_server(wav(), length=False) as url:
        refused = generate(server, user({"audio": url}))
    message = "Missing Content-Length of multimodal url"
    assert_refused(refused, 500, "InternalError.Algo", message)


def test_a_file_has_10_mib(server: LocalDashScope) -> None:
    with file_server(wav(2, amplitude=0).ljust(10 * 1024 * 1024, b"\0")) as url:
        assert generate(server, user({"audio": url})).status_code == 200
    with file_server(bytes(10 * 1024 * 1024 + 1)) as url:
        refused = generate(server, user({"audio": url}))
    assert_refused(refused, 400, "InvalidParameter", "Multimodal file size is too large")


def test_a_file_must_be_there_itself(server: LocalDashScope) -> None:
    for status in (302, 403, 404):
        with file_server(b"", status) as url:
            refused = generate(server, user({"audio": url}))
        message = f"Failed to download multimodal content: {url}: HTTP {status}"
        assert_refused(refused, 400, "InvalidParameter", message)


def test_a_dead_address_is_refused(server: LocalDashScope) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/a.wav"
    body = generate(server, user({"audio": url})).json()
    assert body["code"] == "InvalidParameter"
    assert body["message"].startswith(f"Failed to download multimodal content: {url}: ")


def test_no_other_machine_is_contacted(server: LocalDashScope) -> None:
    urls = ["https://example.com/a.wav", "http://169.254.169.254/", "http://127.0.0.1.example.com/"]
    for url in urls:
        message = (
            "Failed to download multimodal content: "
            f"the local test server only fetches loopback URLs, not {url}"
        )
        refused = generate(server, user({"audio": url}))
        assert_refused(refused, 400, "InvalidParameter", message)
