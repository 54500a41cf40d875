"""The recordings in data/audio, sounds made on the spot, and what a server was sent of them."""

from __future__ import annotations

import base64
import functools
import io
import itertools
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from langchain_core.messages import HumanMessage

from .calling_modes import astream, invoke

if TYPE_CHECKING:
    import numpy.typing as npt
    from langchain_core.messages import BaseMessage

    from langchain_qwen_audio import Audio
    from langchain_qwen_audio.local import LocalDashScope

    Samples = npt.NDArray[np.int16]

# For tables: one way that waits and one that streams, one sync and one async.
TWO_WAYS = pytest.mark.parametrize(
    "call_model", [invoke, astream], ids=["invoke", "astream"], indirect=True
)
DATA = Path(__file__).parent / "data" / "audio"
QUESTION = {"type": "text", "text": "What is said?"}
SPEECH_S = 1.149
PIECE_S = 0.25
WAV, MP3, SAME = "audio/wav", "audio/mpeg", ""


@dataclass(frozen=True)
class Recording:
    """A recording, and what is to become of it.

    Attributes:
        seconds: How long it sounds; some codecs have no place for what their encoder padded.
        sent: The media type that it is converted to, or `SAME` if it travels as it came.
    """

    name: str
    mime_type: str
    codec: str
    sample_rate: int
    sent: str
    seconds: float = SPEECH_S
    channels: int = 1

    @property
    def path(self) -> Path:
        return DATA / self.name

    @property
    def data(self) -> bytes:
        return self.path.read_bytes()


RECORDINGS = [
    Recording("speech.wav", WAV, "pcm_s16le", 16_000, SAME),
    Recording("stereo48k.wav", WAV, "pcm_s16le", 48_000, WAV, PIECE_S, channels=2),
    Recording("pcm24.wav", WAV, "pcm_s24le", 16_000, WAV, PIECE_S),
    Recording("float.wav", WAV, "pcm_f32le", 16_000, WAV, PIECE_S),
    Recording("surround.wav", WAV, "pcm_s16le", 16_000, WAV, PIECE_S, channels=6),
    Recording("mulaw.wav", WAV, "pcm_mulaw", 8_000, SAME),
    Recording("gsm.wav", WAV, "gsm_ms", 8_000, SAME),
    Recording("ima.wav", WAV, "adpcm_ima_wav", 16_000, MP3),
    Recording("piped.wav", WAV, "pcm_s16le", 16_000, SAME, PIECE_S),
    Recording("speech.aiff", "audio/aiff", "pcm_s16be", 16_000, WAV, PIECE_S),
    Recording("speech.au", "audio/basic", "pcm_s16be", 16_000, WAV, PIECE_S),
    Recording("speech.w64", "audio/x-w64", "pcm_s16le", 16_000, WAV, PIECE_S),
    Recording("speech.caf", "audio/x-caf", "pcm_s16be", 16_000, WAV, PIECE_S),
    Recording("speech.flac", "audio/flac", "flac", 16_000, MP3),
    Recording("alac.m4a", "audio/mp4", "alac", 16_000, MP3),
    Recording("speech.mp3", MP3, "mp3", 16_000, SAME),
    Recording("bare.mp3", MP3, "mp3", 16_000, SAME, 1.224),
    Recording("speech.aac", "audio/aac", "aac", 48_000, SAME),
    Recording("speech.m4a", "audio/mp4", "aac", 48_000, MP3),
    Recording("faststart.m4a", "audio/mp4", "aac", 48_000, MP3),
    Recording("aac.3gp", "audio/3gpp", "aac", 48_000, SAME),
    Recording("vorbis.ogg", "audio/ogg", "vorbis", 16_000, MP3),
    Recording("opus.ogg", "audio/ogg", "opus", 48_000, MP3),
    Recording("speech.webm", "audio/webm", "opus", 48_000, MP3),
    Recording("live.webm", "audio/webm", "opus", 48_000, MP3),
    Recording("speech.wma", "audio/x-ms-wma", "wmav2", 44_100, MP3),
    Recording("sox.amr", "audio/amr", "amr_nb", 8_000, SAME, 1.76),
    Recording("pyav.amr", "audio/amr", "amr_nb", 8_000, SAME),
    Recording("speech.3gp", "audio/3gpp", "amr_nb", 8_000, SAME),
    Recording("wide.amr", "audio/amr-wb", "amr_wb", 16_000, SAME),
    Recording("video.mp4", "audio/mp4", "aac", 48_000, MP3),
    Recording("video.ts", "video/mp2t", "aac", 48_000, MP3),
    Recording("video.mkv", "audio/webm", "vorbis", 16_000, MP3),
    Recording("video.avi", "video/x-msvideo", "mp3", 16_000, MP3, 1.224),
    Recording("longer_picture.mkv", "audio/webm", "vorbis", 16_000, MP3),
]
_FRESH = itertools.count()
NAMES = [recording.name for recording in RECORDINGS]


def read(name: str) -> bytes:
    return (DATA / name).read_bytes()


def tone(seconds: float, rate: int = 16_000, hertz: float = 440.0) -> Samples:
    """Make a sound as loud everywhere as anywhere else."""
    phase = np.arange(round(seconds * rate)) * (2 * np.pi * hertz / rate)
    samples: Samples = (9_000 * np.sin(phase)).astype(np.int16)
    return samples


def noise(seconds: float, rate: int = 16_000) -> Samples:
    """Make a sound in which no two samples that are exchanged go unnoticed."""
    generator = np.random.default_rng(0)
    samples: Samples = generator.integers(-9_000, 9_000, round(seconds * rate), dtype=np.int16)
    return samples


def fresh_tone(seconds: float = 0.3) -> Samples:
    """Make a sound that no test has sent before: what has been sent is remembered."""
    return tone(seconds, hertz=200 + next(_FRESH) / 8)


def wav(samples: Samples, rate: int = 16_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples.tobytes())
    return file.getvalue()


def encode(
    samples: Samples, container: str, codec: str, rate: int = 16_000, **options: str
) -> bytes:
    """Encode with FFmpeg."""
    return _encode(samples.tobytes(), container, codec, rate, tuple(options.items()))


@functools.lru_cache(maxsize=32)
def _encode(
    samples: bytes, container: str, codec: str, rate: int, options: tuple[tuple[str, str], ...]
) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=rate, layout="mono", options=dict(options))
        assert isinstance(stream, av.AudioStream)
        line = np.frombuffer(samples, np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(line, "s16", "mono")
        frame.sample_rate = rate
        fifo = av.AudioFifo()
        fifo.write(frame)
        for piece in fifo.read_many(stream.codec_context.frame_size or 1024, partial=True):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return file.getvalue()


def amr(seconds: float) -> bytes:
    """Repeat a frame of a vowel, for which no encoder is needed: PyAV 19 has none."""
    head, line, frames = read("pyav.amr").partition(b"\n")
    return head + line + frames[40 * 13 : 41 * 13] * round(seconds * 50)


@dataclass(frozen=True)
class DecodedAudio:
    """What an encoded recording turns out to be, as another program than ours decodes it."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    samples: Samples

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate


def decode_all(data: bytes) -> DecodedAudio:
    """Decode all of it, as mono at its own rate; a damaged packet is left out."""
    return _read_plain_wav(data) or _decode(data)


def _read_plain_wav(data: bytes) -> DecodedAudio | None:
    """Read a WAV file of 16 bits and one channel, whose head is right, if it is one."""
    if data[:4] != b"RIFF" or data[20:24] != b"\1\0\1\0":
        return None
    with wave.open(io.BytesIO(data)) as file:
        count, rate = file.getnframes(), file.getframerate()
        if file.getsampwidth() != 2 or len(data) != 44 + 2 * count:
            return None
        samples = np.frombuffer(file.readframes(count), np.int16)
    return DecodedAudio("wav", "pcm_s16le", rate, 1, samples)


def _decode(data: bytes) -> DecodedAudio:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        rate = stream.sample_rate
        resampler = av.AudioResampler("s16", "mono", rate)
        pieces = []
        for packet in container.demux(stream):
            try:
                for frame in stream.codec_context.decode(packet):
                    frame.pts = None
                    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            except (av.InvalidDataError, av.PatchWelcomeError):
                if container.format.name == "amr":
                    pieces.append(np.zeros(rate // 50, np.int16))  # a frame without speech
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
        return DecodedAudio(
            container=container.format.name,
            codec=stream.codec_context.codec.canonical_name,
            sample_rate=rate,
            channels=stream.channels,
            samples=np.concatenate(pieces),
        )


def question_about(*audio: Audio | str | dict[str, Any]) -> list[BaseMessage]:
    """Make messages of clips, URLs or ready blocks, and a question."""
    blocks = [
        clip
        if isinstance(clip, dict)
        else {"type": "audio", "url": clip}
        if isinstance(clip, str)
        else clip.to_block()
        for clip in audio
    ]
    return [HumanMessage(content=[*blocks, QUESTION])]


def kinds(server: LocalDashScope) -> list[str]:
    """List the questions that were sent to a server, in order."""
    return [request.kind for request in server.requests]


def audio_urls(server: LocalDashScope) -> list[str]:
    """List the audio of the latest question, as it was on the wire."""
    latest = [request for request in server.requests if request.kind in {"generation", "chat"}][-1]
    parts = (part for message in latest.messages for part in message["content"])
    values = (part.get("audio", part.get("input_audio")) for part in parts)
    return [value["data"] if isinstance(value, dict) else value for value in values if value]


def sent_clips(server: LocalDashScope) -> list[bytes]:
    """List the recordings of the latest question, whichever way they travelled."""
    uploads = [request.form for request in server.requests if request.kind == "upload"]
    files = {f"oss://{form.fields['key']}": form.file or b"" for form in uploads}
    return [
        files[url]
        if url in files
        else base64.b64decode(url.partition(";base64,")[2], validate=True)
        for url in audio_urls(server)
    ]
