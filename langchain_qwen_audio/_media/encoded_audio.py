"""The bytes or the file of a recording → what it is, how long it is, and its samples.

Everything is read from the bytes, when it is first needed.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import logging
import math
import warnings
from collections import deque
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO, Self

import pybase64
from typing_extensions import Unpack

from langchain_qwen_audio._media.bounded import (
    bounded_count,
    bounded_decode,
    bounded_length,
    bounded_probe,
)
from langchain_qwen_audio._media.choices import AudioOptions, Choices
from langchain_qwen_audio._media.decoding import Probe, Report
from langchain_qwen_audio._media.file_parts import FilePart, whole_file
from langchain_qwen_audio._media.hashing import hash_ahead
from langchain_qwen_audio._media.joined import split_joined
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._media.mime_types import media_type, normalize_mime_type
from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count, length_of
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._media.work_limits import WorkAccount
from langchain_qwen_audio.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from concurrent.futures import Future
    from hashlib import _Hash

logger = logging.getLogger(__name__)

TOLERANCE_S = 0.25  # lengths that differ by less are the same


class EncodedAudio:
    """The bytes or the file of a recording, and what of it is taken.

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
        **options: Unpack[AudioOptions],
    ) -> None:
        """Take what the constructors have found; use those instead."""
        self._choices = Choices(**options)
        self._report = Report()
        self._account = WorkAccount()
        self._source = source
        self._claimed_mime_type = claimed_mime_type
        self._base64 = base64_text
        self._duration_s = duration_s
        self._hash: Future[_Hash] | None = None
        self.name = name

    @property
    def size(self) -> int:
        """Bytes of the encoded recording."""
        return self._source.size if isinstance(self._source, LocalFile) else len(self._source)

    @property
    def data(self) -> bytes:
        """The encoded recording, read from its file if it has one."""
        if isinstance(self._source, bytes):
            return self._source
        with self._reading() as file:
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

    @contextlib.contextmanager
    def kept_open(self) -> Iterator[None]:
        """Open its file once for all that this thread does with it meanwhile.

        Raises:
            AudioError: The file is not there any more, or not the one that it was.
        """
        if isinstance(self._source, bytes):
            yield
            return
        with contextlib.ExitStack() as stack:
            with self._explained():
                stack.enter_context(self._source.kept_open())
            yield

    def loaded(self) -> Self:
        """Return the same recording, held in memory: its file is not opened again.

        Raises:
            AudioError: The file is not there any more, or not the one that it was.
        """
        loaded = copy.copy(self)
        loaded._source = self.data  # noqa: SLF001  # it is of this class
        return loaded

    @contextlib.contextmanager
    def _reading(self) -> Iterator[BinaryIO]:
        with self._explained():
            if isinstance(self._source, bytes):
                yield BytesIO(self._source)
                return
            with self._source.reading() as file:
                yield file

    @property
    def base64(self) -> str:
        """The encoded recording in standard base64."""
        return self._base64 or pybase64.b64encode_as_string(self.data)

    def hold_base64(self) -> None:
        """Encode it in base64 now, and hold the text, so that it is encoded once."""
        self._base64 = self.base64

    def begin_digest(self) -> None:
        """Begin to hash its file in a thread, so that `digest` is there when it is needed.

        Raises:
            AudioError: The file is not there any more, or not the one that it was.
        """
        with self._reading() as file:
            self._hash = hash_ahead(file)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes and of what is taken of them: equal for equal recordings."""
        begun, self._hash = self._hash, None
        with self._reading() as file:  # which has not changed meanwhile
            digest = hashlib.file_digest(file, "sha256") if begun is None else begun.result()  # type: ignore[arg-type]
        if self._choices != Choices():
            digest.update(repr(self._choices).encode())
        return digest.hexdigest()

    @cached_property
    def probe(self) -> Probe:
        """What the headers say.

        Raises:
            AudioError: It is not audio; so do all properties below.
        """
        with self._reading() as file:
            return bounded_probe(file, self._account, self._choices.track)

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
    def channel(self) -> int | None:
        """The channel that is taken, from 0; None if all are."""
        return self._choices.channel

    @property
    def track(self) -> int:
        """The sound track that is taken, from 0."""
        return self.probe.track

    @cached_property
    def declared_s(self) -> float | None:
        """Seconds, as the headers say; None where they do not, or say less than is there."""
        probe = self.probe
        if probe.declared_s is None or self._is_joined:
            return None
        with self._reading() as file:
            return bounded_length(
                file, self._account, probe.declared_s, probe.container, self._choices.track
            )

    @property
    def duration_s(self) -> float:
        """Length in seconds: as the headers say where they do, otherwise as it sounds.

        It is decoded for that only where its packets do not tell how long they sound.
        """
        return self.length_up_to(math.inf)

    def length_up_to(self, limit_s: float) -> float:
        """Find the length, with no more work than a recording of `limit_s` seconds takes.

        Args:
            limit_s: Seconds, from which on the length does not matter.

        Returns:
            Seconds; `math.inf` if there are more than `limit_s`, and the headers do not say how
            many.

        Raises:
            AudioError: It is not audio, empty, or truncated.

        Example:
            ```python
            if recording.length_up_to(300) > 300:
                print("too long")
            ```
        """
        length_s = self._undecoded_length(limit_s)
        return self._decoded_length(limit_s) if length_s is None else length_s

    def require_whole(self) -> None:
        """Require that all the sound is there; packets are counted, or decoded where that is vain.

        Raises:
            AudioError: It is truncated, or is not audio.
        """
        if self._counted_length(math.inf) is None:
            deque(self.decode(SAMPLE_RATE), maxlen=0)

    def _undecoded_length(self, limit_s: float) -> float | None:
        """Find the length as `length_up_to` does, or return None where only decoding tells."""
        if self._duration_s is None:
            self._duration_s = self._expected_s
        if self._duration_s is None:
            length_s = self._counted_length(limit_s)
            if not length_s:
                return None
            if length_s > limit_s:
                return math.inf
            self._duration_s = length_s
        return self._duration_s

    def _counted_length(self, limit_s: float) -> float | None:
        with self._reading() as file:
            return bounded_count(
                file,
                self._account,
                self._parts,
                container=self.probe.container,
                choices=self._choices,
                limit_s=limit_s,
            )

    def _decoded_length(self, limit_s: float) -> float:
        size, limit = 0, byte_count(limit_s) if limit_s < math.inf else math.inf
        for block in self.decode(SAMPLE_RATE):
            size += len(block)
            if size > limit:
                return math.inf
        assert self._duration_s is not None  # noqa: S101
        return self._duration_s

    @property
    def _hint_s(self) -> float | None:
        """Seconds, as the headers say before anything is compared with them."""
        return self.probe.declared_s if self._duration_s is None else self._duration_s

    @property
    def _expected_s(self) -> float | None:
        """Seconds, as the headers say, unless less may be there."""
        return None if self._choices.allow_truncated else self.declared_s

    @cached_property
    def _parts(self) -> list[FilePart]:
        """The files that were joined into this one; most are one."""
        container = self.probe.container
        with self._reading() as file:
            return split_joined(file, container)

    @cached_property
    def _is_joined(self) -> bool:
        with self._reading() as file:
            return self._parts != [whole_file(file)]

    @property
    def is_plain(self) -> bool:
        """Whether any decoder takes all of it, and for the same, as far as is known.

        Otherwise it was joined, has gaps, several tracks or many channels, or only a part of it is
        taken. What of this shows in the sound alone is known after `decode`.
        """
        return (
            self._choices == Choices()
            and self.probe.tracks == 1
            and self.probe.channels <= 2
            and not self._is_joined
            and self._report == Report()
        )

    def decode(self, sample_rate: int) -> Generator[bytes]:
        """Yield the sound as mono, signed 16-bit, native-endian samples, in bounded memory.

        Gaps in its timestamps are silence. All channels weigh the same.

        Raises:
            AudioError: It cannot be decoded, there is no sound in it, or less than its headers say.
        """
        size, report = 0, Report()
        with self._reading() as file:
            blocks = bounded_decode(
                file,
                self._account,
                self._parts,
                container=self.probe.container,
                sample_rate=sample_rate,
                choices=self._choices,
                report=report,
            )
            with contextlib.closing(blocks):
                for block in blocks:
                    size += len(block)
                    yield block
            if isinstance(self._source, LocalFile):
                self._source.require_unchanged(file)  # while it was read
        if not size:
            raise AudioError(f"{self.name}: there is no sound in it, its length is zero")
        self._note(report, length_of(size, sample_rate))

    def _note(self, report: Report, length_s: float) -> None:
        """Keep what decoding found out, and warn of it once."""
        is_new, self._report = report != self._report, report
        known_s = self._expected_s if self._duration_s is None else self._duration_s
        is_right = known_s is not None and abs(length_s - known_s) <= TOLERANCE_S
        self._duration_s = known_s if is_right else length_s
        for text in report.warnings() if is_new else ():
            warnings.warn(f"{self.name}: {text}", UserWarning, stacklevel=3)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error  # without the path, which is not for everybody
            raise AudioError(f"{self.name}: it cannot be read ({reason})") from error
        except CodecError as error:
            if error.is_choice:
                raise AudioError(f"{self.name}: {error}") from error
            raise AudioError(
                f"{self.name}: {self.size:,} bytes came that are not usable audio: {error}"
            ) from error


def _printable(text: str) -> str:
    """Escape what would garble a log."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in text)
