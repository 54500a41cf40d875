"""An audio value → its bytes → what the model hears: 16 kHz mono, no longer than it may be.

Everything here blocks; the server calls it in worker threads.
"""

import contextlib
import http.client
import io
import ipaddress
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, cast
from urllib.parse import urlsplit

import pybase64

from langchain_qwen_audio.local._models import QWEN_AUDIO, Model
from langchain_qwen_audio.local._uploads import INVALID_URL
from langchain_qwen_audio.local._wire import Refusal

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt

    Samples: TypeAlias = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000
DOWNLOAD_TIMEOUT_S = 10

# Codecs fill their last frame, so that a clip of just the allowed length may come out longer.
_PADDING_S = 0.1

# Containers that hold their own data. FFmpeg also knows playlists (hls, concat, dash, sdp) that
# name other files and addresses, and a stranger's file must not make the stand-in read those.
_FORMATS = "aac,aiff,amr,amrnb,amrwb,asf,au,caf,flac,matroska,mov,mp3,ogg,w64,wav"


def count_audio_tokens(samples: "Samples", model: Model) -> int:
    """Count the tokens of what was heard, at least those of a second; rounding is a guess."""
    return round(max(1.0, len(samples) / SAMPLE_RATE) * model.tokens_per_s)


def decode_data_uri(uri: str) -> bytes:
    """Return the bytes of `data:<mime>;base64,<data>`.

    Raises:
        Refusal: The data is not base64.
    """
    try:
        return pybase64.b64decode(uri.partition(";base64,")[2], validate=True)
    except ValueError as error:
        raise Refusal(400, "InvalidParameter", INVALID_URL) from error


def download(url: str, max_bytes: int) -> bytes:
    """Fetch an address of this machine; redirects and proxies are not followed.

    Raises:
        Refusal: Another machine's address, no answer, no `Content-Length`, or too large a file.
    """
    parts = urlsplit(url)
    if not _is_loopback(parts.hostname):
        msg = (
            "Failed to download multimodal content: "
            f"the local stand-in only fetches loopback URLs, not {url}"
        )
        raise Refusal(400, "InvalidParameter", msg)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = connect(str(parts.hostname), parts.port, timeout=DOWNLOAD_TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")
            return _read_file(connection.getresponse(), url, max_bytes)
    except (OSError, ValueError, http.client.HTTPException) as error:
        msg = f"Failed to download multimodal content: {url}: {error}"
        raise Refusal(400, "InvalidParameter", msg) from error


def decode_audio(data: bytes, model: Model = QWEN_AUDIO) -> "Samples":
    """Decode what a model would hear of a file.

    Returns:
        Mono samples of shape `(n,)` in [-1, 1] at 16 kHz, and never more of them than the model
        takes: Qwen-Audio drops the rest without a word.

    Raises:
        Refusal: Too large, empty, not audio, or too long.
    """
    import av
    import numpy as np

    if len(data) > model.max_file_bytes:
        raise Refusal(400, "InvalidParameter", "Multimodal file size is too large")
    if not data:
        raise Refusal(400, "InvalidParameter", "The audio is empty")
    heard: list[Samples] = []
    missing = round(SAMPLE_RATE * (model.max_clip_s + (0 if model.cuts else _PADDING_S)))
    try:
        options = {"format_whitelist": _FORMATS}
        with av.open(io.BytesIO(data), mode="r", options=options) as container:
            for samples in _decode_stream(container):
                if len(samples) > missing and not model.cuts:
                    raise Refusal(400, "InvalidParameter", "The audio is too long")
                heard.append(samples[:missing])
                missing -= len(heard[-1])
                if not missing and model.cuts:
                    break
    except (av.FFmpegError, IndexError) as error:
        msg = "The audio format is illegal and cannot be opened"
        raise Refusal(400, "InvalidParameter", msg) from error
    if not heard:
        raise Refusal(400, "InvalidParameter", "The audio is empty")
    return np.concatenate(heard)


def _decode_stream(container: "av.container.InputContainer") -> "Iterator[Samples]":
    import av
    import numpy as np

    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    for frame in chain(_frames(container), [None]):
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray().reshape(-1).astype(np.float32, copy=False)


def _frames(container: "av.container.InputContainer") -> "Iterator[av.AudioFrame]":
    """Decode packet by packet, leaving out damaged ones, as servers built on FFmpeg do."""
    import av

    stream = container.streams.audio[0]
    # FFmpeg's own AMR decoders take only their own encoder's files; the reference one takes all.
    others = {"amr_nb": "libopencore_amrnb", "amr_wb": "libopencore_amrwb"}
    context = stream.codec_context
    if other := others.get(context.codec.canonical_name):
        context = cast("av.AudioCodecContext", av.CodecContext.create(other, "r"))
        context.sample_rate, context.layout = stream.sample_rate, "mono"
    decoded = damaged = 0
    for packet in container.demux(stream):
        try:
            for frame in context.decode(packet):
                decoded += 1
                yield frame
        except av.InvalidDataError:
            damaged += 1
    if damaged > 1 + decoded // 20:
        raise av.InvalidDataError(0, "too many damaged packets")


def _read_file(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    if response.status != http.client.OK:
        msg = f"Failed to download multimodal content: {url}: HTTP {response.status}"
        raise Refusal(400, "InvalidParameter", msg)
    length = response.getheader("content-length")
    if length is None:
        raise Refusal(500, "InternalError.Algo", "Missing Content-Length of multimodal url")
    if int(length) > max_bytes:
        raise Refusal(400, "InvalidParameter", "Multimodal file size is too large")
    return response.read()


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
