"""An audio value → its bytes → the samples for the model: 16 kHz mono, no longer than it takes.

Everything here blocks; the server calls it in worker threads.
"""

import contextlib
import http.client
import io
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

import pybase64

from langchain_qwen_audio.local._amr_frames import CODECS, FRAMES_PER_S, split_amr_packet
from langchain_qwen_audio.local._models.table import QWEN_AUDIO, Model
from langchain_qwen_audio.local._protocols.checks import INVALID_URL
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter

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
# name other files and addresses, and a stranger's file must not make this server read those.
_FORMATS = "aac,aiff,amr,amrnb,amrwb,asf,au,caf,flac,matroska,mov,mp3,ogg,w64,wav"

# FFmpeg looks for other codecs in the first megabytes of PCM, and reads it in pieces of 1,024
# samples, which takes longer than to decode it; so many bytes of each are enough.
_WAVE_OPTIONS = {"probesize": "16384", "max_size": "16384"}


def count_audio_tokens(length_s: float, model: Model) -> int:
    """Count the tokens of a clip, at least those of a second; rounding is a guess."""
    return round(max(1.0, length_s) * model.tokens_per_s)


def measure_audio(url: str, model: Model, files: Mapping[str, bytes]) -> float:
    """Measure the audio of a request whose reply is scripted, in seconds, as far as it is taken.

    Such a request may hold anything, and nothing is downloaded for it: what cannot be decoded, and
    what is at another address, is 0 s long.

    Args:
        url: A data URI, or any other URL.
        model: The model's facts.
        files: The temporary files of the request, by their URLs.
    """
    import av

    if not (url.startswith("data:") or url in files):
        return 0.0
    length_s = 0.0
    with (
        contextlib.suppress(Refusal, av.FFmpegError, IndexError),
        _open(_read_bytes(url, model, files)) as container,
    ):
        for frame in _frames(container):
            length_s += frame.samples / frame.sample_rate
    return min(length_s, model.max_clip_s)


def read_audio(url: str, model: Model, files: Mapping[str, bytes]) -> "Samples":
    """Read the audio of a request, for a model.

    Args:
        url: A data URI, an address of this machine, or one of `files`.
        model: The model's facts.
        files: The temporary files of the request, by their URLs.

    Raises:
        Refusal: It cannot be read, or the model does not take it.
    """
    return decode_samples(_read_bytes(url, model, files), model)


def read_channels(url: str, model: Model, files: Mapping[str, bytes]) -> "Channels":
    """Read the audio of a job, for a model; see `read_audio`."""
    return _decode(_read_bytes(url, model, files), model, mixed=False)


def _read_bytes(url: str, model: Model, files: Mapping[str, bytes]) -> bytes:
    if url.startswith("data:"):
        return _decode_data_uri(url)
    if url in files:
        return files[url]
    return _download(url, model.max_file_bytes)


def _decode_data_uri(uri: str) -> bytes:
    """Return the bytes of `data:<mime>;base64,<data>`.

    Raises:
        Refusal: The data is not base64.
    """
    try:
        return pybase64.b64decode(uri.partition(";base64,")[2], validate=True)
    except ValueError as error:
        raise invalid_parameter(INVALID_URL) from error


def _download(url: str, max_bytes: int) -> bytes:
    """Fetch an address of this machine; redirects and proxies are not followed.

    Raises:
        Refusal: Another machine's address, no answer, no `Content-Length`, or too large a file.
    """
    parts = urlsplit(url)
    if not _is_loopback(parts.hostname):
        msg = (
            "Failed to download multimodal content: "
            f"the local test server only fetches loopback URLs, not {url}"
        )
        raise invalid_parameter(msg)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = connect(str(parts.hostname), parts.port, timeout=DOWNLOAD_TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", parts._replace(scheme="", netloc="").geturl() or "/")
            return _read_file(connection.getresponse(), url, max_bytes)
    except (OSError, ValueError, http.client.HTTPException) as error:
        msg = f"Failed to download multimodal content: {url}: {error}"
        raise invalid_parameter(msg) from error


@dataclass(frozen=True)
class Channels:
    """A decoded recording, channel by channel.

    Attributes:
        samples: In [-1, 1], of shape `(channels, n)`, at 16 kHz.
        container: FFmpeg's name of the file's format.
        sample_rate: Samples per second of the file.
    """

    samples: "Samples"
    container: str
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return float(self.samples.shape[1] / SAMPLE_RATE)


def decode_samples(data: bytes, model: Model = QWEN_AUDIO) -> "Samples":
    """Decode what a model takes of a file.

    Returns:
        Mono samples of shape `(n,)` in [-1, 1] at 16 kHz, and never more of them than the model
        takes: Qwen-Audio drops the rest without an error.

    Raises:
        Refusal: Too large, empty, not audio, or too long.
    """
    mono: Samples = _decode(data, model, mixed=True).samples[0]
    return mono


def _decode(data: bytes, model: Model, *, mixed: bool) -> Channels:
    import av
    import numpy as np

    if len(data) > model.max_file_bytes:
        raise invalid_parameter("Multimodal file size is too large")
    if not data:
        raise invalid_parameter("The audio is empty")
    pieces: list[Samples] = []
    missing = round(SAMPLE_RATE * (model.max_clip_s + (0 if model.cuts else _PADDING_S)))
    try:
        with _open(data) as container:
            name, rate = container.format.name, container.streams.audio[0].sample_rate
            for samples in _decode_stream(container, mixed=mixed):
                if samples.shape[1] > missing and not model.cuts:
                    raise _too_long(model)
                pieces.append(samples[:, :missing])
                missing -= pieces[-1].shape[1]
                if not missing and model.cuts:
                    break
    except (av.FFmpegError, IndexError) as error:
        msg = "The audio format is illegal and cannot be opened"
        raise invalid_parameter(msg) from error
    if not pieces:
        raise invalid_parameter("The audio is empty")
    return Channels(np.concatenate(pieces, axis=1), name, rate)


def _open(data: bytes) -> "av.container.InputContainer":
    import av
    from av.container import InputContainer

    # PyAV 19 reads metadata that is not UTF-8 by itself; those before have to be told.
    is_old = hasattr(InputContainer, "metadata_errors")
    lenient: Any = {"metadata_errors": "replace"} if is_old else {}
    options = {"format_whitelist": _FORMATS} | (_WAVE_OPTIONS if _is_plain_wave(data) else {})
    container: InputContainer = av.open(io.BytesIO(data), mode="r", options=options, **lenient)
    return container


def _is_plain_wave(data: bytes) -> bool:
    """Tell a WAV file of samples as they are, whole numbers or floats."""
    return data[:4] == b"RIFF" and data[8:16] == b"WAVEfmt " and data[20:22] in {b"\1\0", b"\3\0"}


def _too_long(model: Model) -> Refusal:
    if model.family not in {"recognition", "jobs"}:
        return invalid_parameter("The audio is too long")
    seconds = model.max_clip_s
    msg = (
        f"AUDIO_DURATION_TOO_LONG: audio duration (over {seconds * 1000:.1f}ms) over service "
        f"process ({seconds:.0f}s)"
    )
    return invalid_parameter(msg)


def _decode_stream(container: "av.container.InputContainer", *, mixed: bool) -> "Iterator[Samples]":
    """Yield samples of shape `(channels, n)`; mixed, of one channel."""
    import av
    import numpy as np

    layout = "mono" if mixed else None
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=SAMPLE_RATE)
    for frame in chain(_frames(container), [None]):
        for resampled in resampler.resample(frame):
            yield resampled.to_ndarray().astype(np.float32, copy=False)


def _frames(container: "av.container.InputContainer") -> "Iterator[av.AudioFrame]":
    """Decode packet by packet, leaving out damaged ones, as servers built on FFmpeg do."""
    import av

    stream = container.streams.audio[0]
    context = stream.codec_context
    if context.codec.canonical_name in CODECS:
        context.layout = "mono"  # whatever the container says
    decoded = damaged = 0
    for packet in _packets(container, stream):
        try:
            for frame in [_pause(context)] if packet is None else context.decode(packet):
                decoded += 1
                yield frame
        except av.InvalidDataError:
            damaged += 1
    if damaged > 1 + decoded // 20:
        raise av.InvalidDataError(0, "too many damaged packets")


def _packets(
    container: "av.container.InputContainer", stream: "av.AudioStream"
) -> "Iterator[av.Packet[Any] | None]":
    """Yield packets; of AMR, one for each frame, and None for a pause."""
    import av

    codec = stream.codec_context.codec.canonical_name
    for packet in container.demux(stream):
        if packet.size and codec in CODECS:
            for frame in split_amr_packet(bytes(packet), codec):
                yield None if frame is None else av.Packet(frame)
        else:
            yield packet


def _pause(context: "av.AudioCodecContext") -> "av.AudioFrame":
    import av

    samples = context.sample_rate // FRAMES_PER_S
    frame = av.AudioFrame(context.format.name, "mono", samples)
    frame.sample_rate = context.sample_rate
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    return frame


def _read_file(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes:
    if response.status != http.client.OK:
        msg = f"Failed to download multimodal content: {url}: HTTP {response.status}"
        raise invalid_parameter(msg)
    length = response.getheader("content-length")
    if length is None:
        raise Refusal(500, "InternalError.Algo", "Missing Content-Length of multimodal url")
    if int(length) > max_bytes:
        raise invalid_parameter("Multimodal file size is too large")
    return response.read()


def _is_loopback(host: str | None) -> bool:
    if host is None:
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
