"""Recordings as one small value: where they come from, what they are, how long they are.

The format is detected from the content, not from the file name or a claimed MIME type.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
import hashlib
import logging
import os
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pybase64

from langchain_qwen_audio._media import codec as _codec
from langchain_qwen_audio._media import download as _fetch
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._media.mime_types import media_type, normalize_mime_type
from langchain_qwen_audio._media.samples import SAMPLE_BYTES, SAMPLE_RATE, byte_count, length_of
from langchain_qwen_audio._media.wav import close_wav, encode_wav
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage

logger = logging.getLogger(__name__)

_TOLERANCE_S = 0.25  # headers and sound of honest files differ by less than this,
_TOLERANCE = 0.02  # or by this part of the length
MAX_BASE64_CHARS = 256 * 1024 * 1024  # more than this is not a clip in a message but an accident


def _decode_loose_base64(text: str, name: str) -> bytes:
    """Decode base64 with line breaks, in the URL-safe alphabet, or without its padding."""
    bare = "".join(text.split()).rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return pybase64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise AudioError(
            f"{name}: {text[:40]!r}… came where base64 is expected ({error}); for a local file "
            "use Audio.from_path(path).to_block()"
        ) from error


class Audio:
    """A recording: its bytes or its file, and what they say about themselves.

    Make one with `from_path`, `from_bytes`, `from_file`, `from_array` or `from_url`, and put
    `audio.to_block()` into a message. Everything about it is read from the bytes, when first
    asked for.

    Attributes:
        name: What it is called in errors.
    """

    def __init__(
        self,
        source: bytes | LocalFile,
        *,
        name: str = "audio",
        claimed_mime_type: str = "",
        base64_text: str = "",
        duration_s: float | None = None,
    ) -> None:
        """Take what the constructors have found; use those instead."""
        self._source = source
        self._claimed_mime_type = claimed_mime_type
        self._base64 = base64_text
        self._duration_s = duration_s
        self.name = name

    # --- where it comes from ---

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Audio:
        """Take a file, which is read when it is needed.

        Raises:
            AudioError: There is no such file, or it is not a regular one.
        """
        file = Path(path).expanduser()
        return cls(LocalFile.find(file), name=file.name)

    @classmethod
    async def afrom_path(cls, path: str | os.PathLike[str]) -> Audio:
        """Take a file without blocking the event loop; see `from_path`."""
        return await asyncio.to_thread(cls.from_path, path)

    @classmethod
    def from_url(cls, url: str) -> Audio:
        """Download a recording from the public web, now and to this machine.

        Raises:
            AudioError: The URL is not on the public network, or cannot be fetched within limits.
        """
        try:
            return cls(_fetch.fetch(url), name=url)
        except _fetch.FetchError as error:
            raise AudioError(f"{url}: it cannot be fetched: {error}") from error

    @classmethod
    async def afrom_url(cls, url: str) -> Audio:
        """Download a recording from the public web, now and to this machine; see `from_url`."""
        try:
            return cls(await _fetch.afetch(url), name=url)
        except _fetch.FetchError as error:
            raise AudioError(f"{url}: it cannot be fetched: {error}") from error

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, *, mime_type: str = "", name: str = "audio"
    ) -> Audio:
        """Take an encoded recording, the content of a file of whatever format.

        Args:
            data: The bytes.
            mime_type: What somebody says it is; checked against the bytes, and logged if wrong.
            name: What to call it in errors.
        """
        return cls(bytes(data), name=name, claimed_mime_type=mime_type)

    @classmethod
    def from_file(cls, file: BinaryIO, *, name: str = "audio") -> Audio:
        """Read an encoded recording from a file-like object, from where it stands to its end."""
        data = file.read()
        if not isinstance(data, bytes):
            raise AudioError(f"{name}: a file of text came, expected one opened in binary mode")
        return cls(data, name=name)

    @classmethod
    async def afrom_file(cls, file: BinaryIO, *, name: str = "audio") -> Audio:
        """Read an encoded recording without blocking the event loop; see `from_file`."""
        return await asyncio.to_thread(cls.from_file, file, name=name)

    @classmethod
    def from_base64(cls, text: str, *, mime_type: str = "", name: str = "audio") -> Audio:
        """Take a recording in base64, standard or URL-safe, padded or not.

        Raises:
            AudioError: The text is not base64, empty, or longer than any clip.
        """
        if len(text) > MAX_BASE64_CHARS:
            raise AudioError(
                f"{name}: {len(text):,} characters of base64 came, at most {MAX_BASE64_CHARS:,} "
                "are taken; pass a file:// or https:// URL instead"
            )
        try:
            data = pybase64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            data, text = _decode_loose_base64(text, name), ""
        if not data:
            raise AudioError(f"{name}: the base64 text is empty, expected a recording")
        return cls(data, name=name, claimed_mime_type=mime_type, base64_text=text)

    @classmethod
    def from_array(cls, samples: Any, sample_rate: int, *, name: str = "array") -> Audio:
        """Take samples: a NumPy array, or anything else with the buffer protocol.

        Args:
            samples: Shape `(frames,)` or `(frames, channels)`, as soundfile reads them; int16, or
                float32 or float64 between -1 and 1 (what is beyond is clipped).
            sample_rate: Frames per second.
            name: What to call it in errors.

        Raises:
            AudioError: The samples are of another type or shape, or there are none.
        """
        channels, data = _samples_of(samples, name)
        if not _codec.MIN_SAMPLE_RATE <= sample_rate <= _codec.MAX_SAMPLE_RATE:
            raise AudioError(f"{name}: a sample rate of {sample_rate} Hz came, expected e.g. 16000")
        frames = len(data) // SAMPLE_BYTES // channels
        wav = encode_wav([data], int(sample_rate), channels)
        return cls(wav, name=name, duration_s=frames / sample_rate)

    @classmethod
    def from_message(cls, message: BaseMessage) -> Audio:
        """Take what an answer says aloud, as a WAV file; of a stream, add up its chunks first.

        Raises:
            AudioError: There is no speech in it.
        """
        blocks = message.content if isinstance(message.content, list) else []
        for block in blocks:
            if isinstance(block, dict) and block.get("type") == "audio" and block.get("base64"):
                wav = close_wav(cls.from_base64(block["base64"]).data)
                return cls(wav, name=str(block.get("id") or "speech"))
        raise AudioError(
            f"an answer came with no speech in it: {message.text[:60]!r}; a Qwen-Omni model speaks "
            "when asked with modalities=['text', 'audio']"
        )

    # --- what it is ---

    def _asdict(self) -> dict[str, Any]:
        """Return what makes this recording again; LangGraph's checkpoints call it.

        One of a file is kept as the file's name and identity, not as its bytes.
        """
        return {"source": self._source, "name": self.name, "duration_s": self._duration_s}

    def __repr__(self) -> str:
        facts = [f"{self.size:,} bytes"]
        if "probe" in self.__dict__:
            facts += [self.mime_type, f"{self.sample_rate} Hz", f"{self.channels} ch"]
        if self._duration_s is not None:
            facts.append(f"{self._duration_s:.2f} s")
        return f"<Audio {self.name[-60:]!r}: {', '.join(facts)}>"

    def _repr_html_(self) -> str:
        """Show it in a notebook: a player, and its waveform."""
        from langchain_qwen_audio._notebook.player import player_html

        return player_html(self)

    @property
    def size(self) -> int:
        """Bytes of the encoded recording."""
        return self._source.size if isinstance(self._source, LocalFile) else len(self._source)

    @property
    def data(self) -> bytes:
        """The encoded recording, read from its file if it has one."""
        if isinstance(self._source, bytes):
            return self._source
        with self._explained(), self._source.open() as file:
            return file.read()

    def open(self) -> BinaryIO:
        """Open the encoded recording for reading.

        Raises:
            AudioError: The file is not there any more, or not the one that it was.
        """
        if isinstance(self._source, bytes):
            return BytesIO(self._source)
        with self._explained():
            return self._source.open()

    @property
    def base64(self) -> str:
        """The encoded recording in standard base64."""
        return self._base64 or pybase64.b64encode_as_string(self.data)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal: equal for equal recordings."""
        with self._explained(), self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]

    @cached_property
    def probe(self) -> _codec.Probe:
        """What the headers say.

        Raises:
            AudioError: It is not audio; so do all properties below.
        """
        with self._explained(), self.open() as file:
            return _codec.probe(file)

    @cached_property
    def mime_type(self) -> str:
        """The registered media type of what the bytes are."""
        probe = self.probe
        actual = media_type(probe.container, probe.codec, probe.brand)
        claimed = self._claimed_mime_type
        if claimed and normalize_mime_type(claimed) != actual:
            name, label = _printable(self.name), _printable(claimed)
            logger.warning("%s is labelled %s, but is %s", name, label, actual)
        return actual

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec: `pcm_s16le`, `mp3`, `opus`."""
        return self.probe.codec

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.probe.sample_rate

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.probe.channels

    @property
    def duration_s(self) -> float:
        """Length in seconds: as the headers say where they do, otherwise as it sounds."""
        if self._duration_s is None:
            self._duration_s = self.probe.declared_s
        if self._duration_s is None:
            sizes = (len(block) for block in self.decode(SAMPLE_RATE))
            self._duration_s = length_of(sum(sizes))
        return self._duration_s

    def decode(self, sample_rate: int) -> Iterator[bytes]:
        """Yield the sound as mono, signed 16-bit, native-endian samples, in bounded memory.

        Raises:
            AudioError: It cannot be decoded, there is no sound in it, or less than its headers say.
        """
        size = 0
        with self._explained(), self.open() as file:
            for block in _codec.decode(file, sample_rate=sample_rate):
                size += len(block)
                yield block
            if isinstance(self._source, LocalFile):
                self._source.require_unchanged(file)  # while it was read
        decoded_s = length_of(size, sample_rate)
        declared_s = self.probe.declared_s or 0.0
        if not size:
            raise AudioError(f"{self.name}: there is no sound in it, its length is zero")
        if declared_s - decoded_s > max(_TOLERANCE_S, _TOLERANCE * declared_s):
            raise AudioError(
                f"{self.name}: it is truncated: its header says {declared_s:.2f} s, and only "
                f"{decoded_s:.2f} s are there"
            )

    def excerpt(self, start_s: float = 0.0, end_s: float | None = None) -> Audio:
        """Cut out a part, as 16 kHz mono WAV.

        Args:
            start_s: Where it begins, in seconds.
            end_s: Where it ends, in seconds; the end of the recording by default.

        Raises:
            AudioError: The recording has no such part.
        """
        length_s = self.duration_s
        stop_s = length_s if end_s is None else min(end_s, length_s)
        if not max(0.0, start_s) < stop_s:
            until = "the end" if end_s is None else f"{end_s:g} s"
            raise AudioError(
                f"{self.name}: there is nothing from {start_s:g} s to {until}; it is "
                f"{length_s:.1f} s long"
            )
        first = byte_count(max(0.0, start_s))
        last = None if stop_s == length_s else byte_count(stop_s)
        samples, position = bytearray(), 0
        for block in self.decode(SAMPLE_RATE):
            end = len(block) if last is None else min(len(block), last - position)
            samples += block[max(0, first - position) : end]
            position += len(block)
            if last is not None and position >= last:
                break
        if not samples:
            raise AudioError(f"{self.name}: there is no sound from {start_s:g} s on")
        wav = encode_wav([samples], SAMPLE_RATE)
        return Audio(
            wav, name=f"{self.name} from {start_s:g} s", duration_s=length_of(len(samples))
        )

    def to_block(self) -> dict[str, Any]:
        """Make a standard LangChain audio block, which other providers take too."""
        return {"type": "audio", "base64": self.base64, "mime_type": self.mime_type}

    async def ato_block(self) -> dict[str, Any]:
        """Make a standard LangChain audio block without blocking the event loop."""
        return await asyncio.to_thread(self.to_block)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error  # without the path, which is not for everybody
            raise AudioError(f"{self.name}: it cannot be read ({reason})") from error
        except _codec.CodecError as error:
            raise AudioError(
                f"{self.name}: {self.size:,} bytes came that are not usable audio: {error}"
            ) from error


def _printable(text: str) -> str:
    """Escape what would garble a log."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)


def _samples_of(samples: Any, name: str) -> tuple[int, bytes]:
    """Read the channels and the signed 16-bit samples of an array."""
    try:
        view = memoryview(samples)
    except (TypeError, ValueError, BufferError) as error:
        raise AudioError(
            f"{name}: {type(samples).__name__} came, expected a NumPy array or a buffer"
        ) from error
    kind, shape = view.format.lstrip("@=<"), view.shape or ()
    channels = shape[1] if len(shape) == 2 else 1
    if len(shape) not in {1, 2} or not 1 <= channels <= _codec.MAX_CHANNELS:
        raise AudioError(
            f"{name}: an array of shape {shape} came, expected (frames,) or (frames, channels); "
            "transpose it if channels come first"
        )
    if not view.nbytes:
        raise AudioError(f"{name}: an empty array came, expected samples")
    if kind not in _codec.SAMPLE_FORMATS:
        raise AudioError(
            f"{name}: samples of buffer format {view.format!r} came, expected int16, float32 or "
            "float64; use array.astype"
        )
    return channels, _codec.to_s16(view.tobytes(), kind)
