"""The options of everything that transcribes: loader, parser, reader, chain and cluster."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from langchain_core.messages import SystemMessage
from typing_extensions import TypedDict

from langchain_qwen_audio._transcription.checkpoints import ByteStore
from langchain_qwen_audio._transcription.formats import TranscriptFormat

OnError: TypeAlias = Literal["raise", "document"]
Channel: TypeAlias = int | Literal["each"]


class TranscribeOptions(TypedDict, total=False):
    """How recordings are transcribed."""

    prompt: str | SystemMessage | None
    """What the model does with each segment ("list every decision"); by default, it transcribes. A
    `SystemMessage` gives qwen3-asr-flash context, such as names."""

    segment_s: float | None
    """Seconds of the longest segment. By default near the model's limit, and at most four minutes;
    for subtitles ten seconds, unless the model tells the times of words."""

    overlap_s: float
    """Seconds of the end of each segment that the next one repeats, in its transcript too; by
    default 0: a transcript then repeats nothing."""

    skip_silence: bool
    """Whether silence is neither sent nor paid for; by default it is sent. Times stay those of the
    recording. The extra `vad` detects speech with Silero VAD; without it, loudness decides."""

    max_concurrency: int
    """Segments in flight at once; by default 4. The model's `rate_limiter` is kept to."""

    checkpoint: ByteStore | str | os.PathLike[str] | None
    """A directory, or a LangChain store of bytes, that keeps each transcript, by the recording's
    content, the segment, the model and the prompt. A job that was killed continues from there, and
    requests nothing twice."""

    track: int | None
    """Which sound track of films and containers with several, from 0. By default the one that is
    marked as default, and one that can be decoded before one that cannot."""

    channel: Channel | None
    """Which channel of each recording, from 0, or "each": each channel is transcribed by itself,
    one after the other, since calls and meetings often have one speaker on each. By default all are
    mixed, with equal weights."""

    allow_truncated: bool
    """Whether what is there of a truncated recording is transcribed; by default it is an error,
    after the last segment."""


class LoadOptions(TranscribeOptions, total=False):
    """How recordings are transcribed, and what documents are made of them."""

    transcript_format: TranscriptFormat
    """One document per segment (the default), or one with all of a recording."""

    words: bool
    """Whether documents of sentences and speakers have `words` in their metadata, with times, where
    the model tells them; by default not, since vector stores take flat metadata."""

    on_error: OnError
    """What happens when a segment has failed, after the model's `max_retries`: its error is raised
    ("raise", the default), or a document in its place says so, with the error in its metadata
    ("document"). Wrong keys, missing rights and unknown models are always raised."""

    show_progress: bool
    """Whether to draw a progress bar, with tqdm; by default not."""
