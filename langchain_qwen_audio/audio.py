"""Recordings as one small value: where they come from, what they are, how long they are.

The format is detected from the content, not from the file name or a claimed MIME type.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from typing_extensions import Unpack

from langchain_qwen_audio._media import download
from langchain_qwen_audio._media.array_samples import samples_of
from langchain_qwen_audio._media.base64_text import decode_base64
from langchain_qwen_audio._media.choices import AudioOptions, Choices
from langchain_qwen_audio._media.encoded_audio import TOLERANCE_S, EncodedAudio
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._media.mixing import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE
from langchain_qwen_audio._media.samples import SAMPLE_BYTES, SAMPLE_RATE, byte_count, length_of
from langchain_qwen_audio._media.url_schemes import url_scheme
from langchain_qwen_audio._media.wav import close_wav, encode_wav
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.messages import BaseMessage

__all__ = ["Audio", "AudioOptions"]


class Audio(EncodedAudio):
    """A recording: its bytes or its file, and what they say about themselves.

    Make one with `from_path`, `from_bytes`, `from_file`, `from_array` or `from_url`, and put
    `audio.to_block()` into a message. Everything about it is read from the bytes, when it is first
    needed. All channels are mixed, gaps in the timestamps are silence, and files that were joined
    byte by byte are taken whole; `AudioOptions` choose another sound track, one channel, or what is
    there of a truncated recording.

    Example:
        ```python
        audio = Audio.from_path("welcome.wav")
        print(audio.duration_s, audio.codec, audio.channels)
        Audio.from_path("welcome.wav", track=0, channel=0, allow_truncated=True)
        ```

    Attributes:
        name: What it is called in errors.
    """

    # --- where it comes from ---

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], **options: Unpack[AudioOptions]) -> Audio:
        """Take a file, which is read when it is needed.

        Args:
            path: The file.
            **options: What of it is taken; see `AudioOptions`.

        Raises:
            AudioError: There is no such file, or it is not a regular one.
        """
        if url_scheme(os.fspath(path)) in {"http", "https", "oss", "file", "data"}:
            raise AudioError(
                f"{str(path)[:200]}: a URL came, expected a path; use Audio.from_url for http(s), "
                "or a block {'type': 'audio', 'url': …}"
            )
        file = Path(path).expanduser()
        return cls(LocalFile.find(file), name=file.name, **options)

    @classmethod
    async def afrom_path(
        cls, path: str | os.PathLike[str], **options: Unpack[AudioOptions]
    ) -> Audio:
        """Take a file without blocking the event loop; see `from_path`."""
        return await asyncio.to_thread(cls.from_path, path, **options)

    @classmethod
    def from_url(cls, url: str, **options: Unpack[AudioOptions]) -> Audio:
        """Download a recording from the public web, now and to this machine.

        Args:
            url: Where it is.
            **options: What of it is taken; see `AudioOptions`.

        Raises:
            AudioError: The URL is not on the public network, or cannot be fetched within limits.
        """
        return cls(download.fetch(url), name=url, **options)

    @classmethod
    async def afrom_url(cls, url: str, **options: Unpack[AudioOptions]) -> Audio:
        """Download a recording from the public web, now and to this machine; see `from_url`."""
        return cls(await download.afetch(url), name=url, **options)

    @classmethod
    def from_bytes(
        cls,
        data: bytes | bytearray | memoryview,
        *,
        mime_type: str = "",
        name: str = "audio",
        **options: Unpack[AudioOptions],
    ) -> Audio:
        """Take an encoded recording, the content of a file of whatever format.

        Args:
            data: The bytes.
            mime_type: What somebody says it is; checked against the bytes, and logged if wrong.
            name: What to call it in errors.
            **options: What of it is taken; see `AudioOptions`.

        Raises:
            AudioError: It is text.
        """
        if isinstance(data, str):
            raise AudioError(
                f"{name}: text came, expected bytes; use Audio.from_base64 for base64, and "
                "Audio.from_path for the name of a file"
            )
        return cls(bytes(data), name=name, claimed_mime_type=mime_type, **options)

    @classmethod
    def from_file(
        cls, file: BinaryIO, *, name: str = "audio", **options: Unpack[AudioOptions]
    ) -> Audio:
        """Read an encoded recording from a file-like object, from where it stands to its end.

        Args:
            file: Opened in binary mode.
            name: What to call it in errors.
            **options: What of it is taken; see `AudioOptions`.

        Raises:
            AudioError: It is no such object, or stands at its end.
        """
        if not hasattr(file, "read"):
            raise AudioError(
                f"{name}: {type(file).__name__} came, expected an open file; use Audio.from_path "
                "for the name of a file, and Audio.from_bytes for its content"
            )
        data = file.read()
        if isinstance(data, str):
            raise AudioError(f"{name}: a file of text came, expected one opened in binary mode")
        if not data and _position(file):
            raise AudioError(
                f"{name}: the file stands at its end, so that there is nothing to read; go to its "
                "beginning first: file.seek(0)"
            )
        return cls(bytes(data), name=name, **options)

    @classmethod
    async def afrom_file(
        cls, file: BinaryIO, *, name: str = "audio", **options: Unpack[AudioOptions]
    ) -> Audio:
        """Read an encoded recording without blocking the event loop; see `from_file`."""
        return await asyncio.to_thread(cls.from_file, file, name=name, **options)

    @classmethod
    def from_base64(
        cls,
        text: str,
        *,
        mime_type: str = "",
        name: str = "audio",
        **options: Unpack[AudioOptions],
    ) -> Audio:
        """Take a recording in base64, standard or URL-safe, padded or not.

        Args:
            text: The base64.
            mime_type: What somebody says it is; checked against the bytes, and logged if wrong.
            name: What to call it in errors.
            **options: What of it is taken; see `AudioOptions`.

        Raises:
            AudioError: The text is not base64, empty, or longer than any clip.
        """
        data, is_standard = decode_base64(text, name)
        known = text if is_standard else ""
        return cls(data, name=name, claimed_mime_type=mime_type, base64_text=known, **options)

    @classmethod
    def from_array(cls, samples: Any, sample_rate: int, *, name: str = "array") -> Audio:
        """Take samples: a NumPy array, or anything else with the buffer protocol.

        Args:
            samples: Shape `(frames,)` or `(frames, channels)`, as soundfile reads them; int16,
                int32 (24 bits in it too), uint8, or float32 or float64 between -1 and 1 (what is a
                little beyond is clipped).
            sample_rate: Frames per second.
            name: What to call it in errors.

        Raises:
            AudioError: The samples are of another type or shape, NaN, infinite or never scaled, or
                there are none.
        """
        channels, data = samples_of(samples, name)
        if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
            raise AudioError(f"{name}: a sample rate of {sample_rate} Hz came, expected e.g. 16000")
        frames = len(data) // SAMPLE_BYTES // channels
        wav = encode_wav([data], int(sample_rate), channels)
        return cls(wav, name=name, duration_s=frames / sample_rate)

    @classmethod
    def from_message(cls, message: BaseMessage) -> Audio:
        """Take what an answer says aloud, as a WAV file, or what `load_audio` has loaded.

        Of a stream, add up its chunks first.

        Raises:
            AudioError: There is no audio in it.
        """
        blocks = message.content if isinstance(message.content, list) else []
        for block in blocks:
            if isinstance(block, dict) and _holds_audio(block):
                wav = close_wav(cls.from_base64(block["base64"]).data)
                return cls(wav, name=str(block.get("id") or "audio"))
        raise AudioError(
            f"a message came with no audio in it: {message.text[:60]!r}; a Qwen-Omni model speaks "
            "with modalities=['text', 'audio']"
        )

    # --- what it is ---

    def _asdict(self) -> dict[str, Any]:
        """Return what makes this recording again; LangGraph's checkpoints call it.

        One of a file is kept as the file's name and identity, not as its bytes.
        """
        known = {"source": self._source, "name": self.name, "duration_s": self._duration_s}
        return known | vars(self._choices)

    def __repr__(self) -> str:
        facts = [f"{self.size:,} bytes"]
        if "probe" in self.__dict__:
            facts += [self.mime_type, f"{self.sample_rate} Hz", f"{self.channels} ch"]
        facts += self._chosen()
        if self._duration_s is not None:
            facts.append(f"{self._duration_s:.2f} s")
        return f"<Audio {self.name[-60:]!r}: {', '.join(facts)}>"

    def _chosen(self) -> list[str]:
        """Say what of it is taken, where there is a choice and it is known."""
        track, channel = self._choices.track, self._choices.channel
        words = [] if track is None else [f"track {track}"]
        if "probe" in self.__dict__ and self.probe.tracks > 1:
            words = [f"track {self.probe.track} of {self.probe.tracks}"]
        words += [] if channel is None else [f"channel {channel}"]
        return words

    def _repr_html_(self) -> str:
        """Show it in a notebook: a player, and its waveform."""
        from langchain_qwen_audio._notebook.player import player_html

        return player_html(self)

    def check(self) -> None:
        """Decode it to its end, so that a file that is no recording is an error here, not later.

        The constructors read no more than they must. So check what comes from somebody else, such
        as an upload. Its length is known then.

        Example:
            ```python
            from fastapi import FastAPI, HTTPException, UploadFile

            app = FastAPI()


            @app.post("/answer")
            async def answer(file: UploadFile) -> str:
                try:
                    audio = await Audio.afrom_file(file.file, name=file.filename or "recording")
                    await audio.acheck()
                except AudioError as error:
                    raise HTTPException(400, str(error)) from error
                return (await model.ainvoke([HumanMessage([await audio.ato_block()])])).text
            ```

        Raises:
            AudioError: It is not audio, empty or truncated, cannot be decoded, or takes more memory
                or work than a recording may.
        """
        deque(self.decode(SAMPLE_RATE), maxlen=0)

    async def acheck(self) -> None:
        """Decode it to its end without blocking the event loop; see `check`."""
        await asyncio.to_thread(self.check)

    def split_channels(self) -> list[Audio]:
        """Take each channel as a recording of its own, such as one speaker of a call.

        Example:
            ```python
            agent, caller = Audio.from_path("call.wav").split_channels()
            ```
        """
        return [self.choose(channel=number) for number in range(self.channels)]

    def choose(self, **options: Unpack[AudioOptions]) -> Audio:
        """Take something else of the same recording; see `AudioOptions`."""
        chosen: dict[str, Any] = {**vars(self._choices), **options}
        if Choices(**chosen) == self._choices:
            return self
        claimed, text = self._claimed_mime_type, self._base64
        return Audio(
            self._source, name=self.name, claimed_mime_type=claimed, base64_text=text, **chosen
        )

    def excerpt(self, start_s: float = 0.0, end_s: float | None = None) -> Audio:
        """Cut out a part, as 16 kHz mono WAV.

        What comes after it is not decoded: a recording that is truncated there, or is not usable,
        is no error.

        Args:
            start_s: Where it begins, in seconds.
            end_s: Where it ends, in seconds; the end of the recording by default.

        Raises:
            AudioError: The recording has no such part.
        """
        first_s, last_s = max(0.0, start_s), math.inf if end_s is None else end_s
        if first_s >= last_s or self._ends_before(first_s):
            raise self._no_part(start_s, last_s)
        samples = self._samples(first_s, last_s)
        if not samples:
            raise self._no_part(start_s, last_s)
        wav = encode_wav([samples], SAMPLE_RATE)
        return Audio(
            wav, name=f"{self.name} from {start_s:g} s", duration_s=length_of(len(samples))
        )

    def _samples(self, first_s: float, last_s: float) -> bytearray:
        """Decode a part, and no more than that; one up to the end takes what headers leave out."""
        hint_s = self._hint_s
        is_to_end = hint_s is not None and last_s >= hint_s
        first, last = byte_count(first_s), _byte_count(last_s)
        stop = _byte_count(last_s + TOLERANCE_S) if is_to_end else last
        samples, position = bytearray(), 0
        with contextlib.closing(self.decode(SAMPLE_RATE)) as blocks:
            for block in blocks:
                samples += block[max(0, first - position) :]
                position += len(block)
                if position >= stop:
                    break
        length_s = self._duration_s  # known by now, if the sound has ended
        if position > stop or length_s is None or last_s < length_s:
            del samples[int(max(0, last - first)) :]
        return samples

    def _ends_before(self, start_s: float) -> bool:
        """Tell, without decoding, a recording that is no longer than `start_s`."""
        hint_s = self._hint_s
        if start_s == 0.0 if hint_s is None else start_s < hint_s:
            return False
        length_s = self._undecoded_length(start_s)
        return length_s is not None and length_s <= start_s

    def _no_part(self, start_s: float, last_s: float) -> AudioError:
        """Make the error of an excerpt of nothing, with the length if it is known."""
        length_s = self._expected_s if self._duration_s is None else self._duration_s
        is_to_end = last_s >= (math.inf if length_s is None else length_s)
        until = "the end" if is_to_end else f"{last_s:g} s"
        length = "" if length_s is None else f"; it is {length_s:.1f} s long"
        return AudioError(f"{self.name}: there is nothing from {start_s:g} s to {until}{length}")

    def _taken(self) -> Audio:
        """Return a recording that holds what is taken of this one, and nothing else."""
        return self if self._choices == Choices() else self.excerpt()

    def to_block(self) -> dict[str, Any]:
        """Make a standard LangChain audio block, which other providers take too.

        It holds the recording as it came; if only a part of it is taken, that part as WAV.
        """
        with self.kept_open():
            taken = self._taken()
            return {"type": "audio", "base64": taken.base64, "mime_type": taken.mime_type}

    def to_tool_block(self) -> dict[str, Any]:
        """Make the block by which a tool returns it, next to blocks of text if there are some.

        It is of the type "file", which LangChain core leaves alone in results of tools. A recording
        that is all of a result needs none of this: return the `Audio`.

        Example:
            ```python
            from langchain_core.tools import tool


            @tool
            def record() -> list:
                '''Record with the microphone.'''
                text = {"type": "text", "text": "One recording:"}
                return [text, Audio.from_path("welcome.wav").to_tool_block()]
            ```
        """
        return {**self.to_block(), "type": "file"}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the one block that it is in a message; LangChain takes it from tools so."""
        yield self.to_tool_block()

    async def ato_block(self) -> dict[str, Any]:
        """Make a standard LangChain audio block without blocking the event loop."""
        return await asyncio.to_thread(self.to_block)


# What a tool returns is content of a message where it is a sequence of blocks, and text elsewhere.
Sequence.register(Audio)


def _holds_audio(block: dict[str, Any]) -> bool:
    """Tell blocks of audio in base64; in results of tools they are of the type "file"."""
    kind, mime_type = block.get("type"), str(block.get("mime_type"))
    is_audio = kind == "audio" or (kind == "file" and mime_type.startswith("audio/"))
    return is_audio and bool(block.get("base64"))


def _byte_count(length_s: float) -> float:
    """Count the bytes of a length, which may be infinite."""
    return byte_count(length_s) if length_s < math.inf else math.inf


def _position(file: BinaryIO) -> int:
    """Tell where a file stands; 0 where it does not tell, as pipes do not."""
    try:
        return file.tell()
    except (AttributeError, OSError, ValueError):
        return 0
