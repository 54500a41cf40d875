"""The options of everything that transcribes: loader, parser, reader, chain and cluster."""

from __future__ import annotations

import os
from typing import Literal, TypeAlias

from langchain_core.messages import SystemMessage
from typing_extensions import TypedDict

from langchain_qwen_audio._transcription.checkpoints import ByteStore
from langchain_qwen_audio._transcription.formats import TranscriptFormat
from langchain_qwen_audio._transcription.hot_words import HotWords

OnError: TypeAlias = Literal["raise", "document"]
Channel: TypeAlias = int | Literal["each"]


class TranscribeOptions(TypedDict, total=False):
    """How recordings are transcribed.

    With `TranscriptionJobs` as the model there are no `prompt`, `segment_s`, `overlap_s` and
    `skip_silence`: a job takes a recording whole, and transcribes it.

    Example:
        ```python
        parser = QwenAudioParser(hot_words=["Ada"], max_concurrency=8, on_error="document")
        ```
    """

    prompt: str | SystemMessage | None
    """What the model does with each segment ("list every decision"); by default, it transcribes. A
    `SystemMessage` gives qwen3-asr-flash context, such as names."""

    hot_words: HotWords | None
    """Names and terms that may be spoken: a list, or the path of a text file with one a line. A
    model with a vocabulary is sent them as that, each with weight 4 of 5; qwen3-asr-flash and
    qwen3-asr-flash-filetrans as context, and chat models as a system message. A model that takes
    none of these is a ValueError."""

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
    """Segments, or jobs, in flight at once; by default 4. The model's `rate_limiter` is kept to."""

    checkpoint: ByteStore | str | os.PathLike[str] | None
    """A directory, or a LangChain store of bytes, that keeps each transcript, by the recording's
    content (or its URL, if the service fetches it), the segment, the model, the prompt and the hot
    words. A run that was killed continues from there, and requests nothing twice. Of jobs it keeps
    the ids too, as soon as they are submitted: the next run waits for a job that was submitted. One
    that the service has forgotten, after 24 hours, is submitted again."""

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
    """How recordings are transcribed, and what documents are made of them.

    Example:
        ```python
        loader = QwenAudioLoader("welcome.wav", transcript_format="windows", window_s=30)
        ```
    """

    transcript_format: TranscriptFormat
    """One document per segment (the default), per sentence, turn or window, or one with all of a
    recording."""

    window_s: float
    """With `WINDOWS`, seconds of the longest document; by default 60. A longer sentence is one by
    itself. Of a model that tells no times, segments are at most so long."""

    max_gap_s: float
    """With `WINDOWS`, seconds of the longest silence within a document; by default 5."""

    words: bool
    """Whether documents of sentences, speakers and windows have `words` in their metadata, with
    times, where the model tells them; by default not, since vector stores take flat metadata."""

    on_error: OnError
    """What happens when a segment has failed, after the model's `max_retries`: its error is raised
    ("raise", the default), or a document in its place says so, with the error in its metadata
    ("document"). Wrong keys, missing rights and unknown models are always raised."""

    show_progress: bool
    """Whether to draw a progress bar, with tqdm; by default not. It shows the number of recordings,
    so all of them are found before the first one is transcribed."""
