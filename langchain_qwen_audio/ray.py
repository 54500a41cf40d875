"""On a cluster: recordings as a Ray dataset → transcripts of their segments as another.

recordings ─ repartition ─► map_batches: actors, each with a Transcriber ─► rows ─ write_parquet
                                    │ checkpoint: one store for all of them
                                    │ SharedRateLimiter: one actor for all of them
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_core.document_loaders import Blob
from langchain_core.rate_limiters import BaseRateLimiter, InMemoryRateLimiter
from langchain_core.stores import InMemoryBaseStore
from typing_extensions import Unpack

from langchain_qwen_audio._transcription.choose_backend import make_transcriber
from langchain_qwen_audio._transcription.options import TranscribeOptions
from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
from langchain_qwen_audio._transcription.sources import Recording, Source, recording_of
from langchain_qwen_audio._transcription.sources import recordings as find_recordings
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

try:
    import pyarrow as pa
    import ray
    import ray.data
except ImportError as error:
    raise ImportError(
        'langchain_qwen_audio.ray needs Ray: pip install "langchain-qwen-audio[ray]"'
    ) from error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_qwen_audio._transcription.transcriber import Transcriber
    from langchain_qwen_audio.audio import Audio
    from langchain_qwen_audio.chat_models import ChatQwenAudio

__all__ = ["SCHEMA", "SharedRateLimiter", "TranscribeOptions", "transcribe"]

logger = logging.getLogger(__name__)

RayDataset: TypeAlias = Any  # ray.data.Dataset, which has no types of its own

SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "track": pa.int64(),
        "channel": pa.int64(),
        "segment": pa.int64(),
        "start_s": pa.float64(),
        "end_s": pa.float64(),
        "text": pa.string(),
        "model": pa.string(),
        "language": pa.string(),
        "emotion": pa.string(),
        "finish_reason": pa.string(),
        "input_tokens": pa.int64(),
        "output_tokens": pa.int64(),
        "error": pa.string(),
    }
)
"""A segment as a row: the same columns and types in every part, also where all values are null."""

BYTES = "bytes"  # the column in which `ray.data.read_binary_files` puts what it reads
ACTOR_CPUS = 0.25  # an actor waits for the service nearly all of its time


def transcribe(
    recordings: RayDataset | Source | Iterable[Source],
    *,
    llm: ChatQwenAudio,
    requests_per_second: float | None = None,
    num_actors: int = 2,
    num_cpus: float = ACTOR_CPUS,
    batch_size: int = 1,
    column: str = "source",
    **options: Unpack[TranscribeOptions],
) -> RayDataset:
    """Transcribe recordings on a Ray cluster, as `QwenAudioLoader` does on one machine.

    Nothing runs before the dataset is written or iterated. Its rows are segments, in order within a
    recording, in the columns of `SCHEMA`: `source`; `track`, if there are several; `channel`, if
    one or each was chosen; `segment`, from 0; `start_s` and `end_s` in seconds; `text`, null where
    there is an error; `model`; `language` and `emotion`, where the model tells; `finish_reason`
    ("length"), where the text is not whole; `input_tokens` and `output_tokens` of the requests that
    the text is from; and `error`, null where there was none. A recording that cannot be read, or a
    segment that failed after the model's `max_retries`, is a row with its error: one bad file must
    not end a job of days. Wrong keys, missing rights and unknown models do end it.

    A worker that dies is replaced, and the recordings that it was working on are transcribed again:
    each is in the result once, and whole. With a checkpoint only the segments whose transcripts had
    not come are requested (and paid for) again; without one, all segments of these recordings.

    Example:
        ```python
        import ray
        from langchain_qwen_audio import ChatQwenAudio
        from langchain_qwen_audio.ray import transcribe

        transcripts = transcribe(
            ray.data.read_binary_files("s3://calls/2026/", include_paths=True),
            column="path",
            llm=ChatQwenAudio(model="qwen3-asr-flash"),
            checkpoint="/shared/checkpoint",
            requests_per_second=20,
            num_actors=16,
        )
        transcripts.write_parquet("s3://transcripts/2026/")
        ```

    Args:
        recordings: A Ray dataset with a row for each recording: in `column` a path or a public
            URL that every worker can reach, and in the column `bytes`, if there is one, its
            content. Or sources as `QwenAudioLoader` takes them: directories and patterns are
            searched here, paths become absolute, and the bytes of blobs travel.
        llm: The model. It travels to the workers, and its key with it.
        requests_per_second: Requests of all actors together; see `SharedRateLimiter`, which `llm`
            may have as its own `rate_limiter` instead.
        num_actors: How many processes transcribe, at most one for each recording; each holds a
            model.
        num_cpus: What an actor takes of Ray's count of CPUs, which must leave some for reading and
            writing.
        batch_size: Recordings that an actor takes at once. One by one they are spread most evenly;
            of short clips several are in flight at once only if they are taken together.
        column: The column with the paths or URLs.
        **options: See `TranscribeOptions`. `max_concurrency` is of each actor. A checkpoint is a
            directory that all workers share, or a LangChain store of bytes that pickles;
            `QwenAudioLoader` reads it too.

    Returns:
        A `ray.data.Dataset`: `write_parquet(path)`, `iter_rows()`, or further stages.

    Raises:
        AudioError: Sources name nothing; for a row of a dataset the result says so.
        TypeError: The model's rate limiter or connections, or the checkpoint, are of one process;
            or there is no such option.
        ValueError: A value is out of its range.
    """
    for name, value in {"num_actors": num_actors, "batch_size": batch_size}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; expected 1 or more")
    checkpoint = options.get("checkpoint")
    _require_shared(llm, checkpoint)
    if requests_per_second is not None:
        if llm.rate_limiter is not None:
            raise ValueError("the model has a rate_limiter already: leave out requests_per_second")
        limiter = SharedRateLimiter(requests_per_second)
        llm = llm.model_copy(update={"rate_limiter": limiter})
    if isinstance(checkpoint, str | os.PathLike):
        # Workers run in other directories.
        options["checkpoint"] = Path(checkpoint).expanduser().absolute()
    transcriber = make_transcriber(llm, **options, on_error="document")
    if not isinstance(recordings, ray.data.Dataset):
        recordings, column = _dataset(recordings), "source"
        # Ray warns of actors that get nothing.
        num_actors = min(num_actors, max(1, math.ceil(recordings.count() / batch_size)))
    # Ray's unit of work, and of what is repeated when a worker dies, is a block.
    transcripts = recordings.repartition(target_num_rows_per_block=batch_size).map_batches(
        _TranscriberActor,
        fn_constructor_args=(transcriber, column),
        batch_size=batch_size,
        batch_format="pyarrow",
        num_cpus=num_cpus,
        # Ray restarts such actors, and repeats what they were at, as often as it takes. One task
        # at a time: a recording does not wait behind a long one while another actor is idle.
        compute=ray.data.ActorPoolStrategy(size=num_actors, max_tasks_in_flight_per_actor=1),
    )
    # Rows come when a recording is through. At a low rate that may take longer than the half hour
    # after which Ray would take the job for stuck; the model has its own timeout. (Datasets share
    # this setting with those that they were made of.)
    transcripts.context.execution_no_progress_timeout_s = -1
    return transcripts


def _require_shared(llm: ChatQwenAudio, checkpoint: object) -> None:
    """Refuse what cannot travel, and what would come apart into one for each worker."""
    if isinstance(llm, TranscriptionJobs):
        raise TypeError(
            "TranscriptionJobs came, expected a ChatQwenAudio: jobs are done by the service, and "
            "QwenAudioLoader waits for many of them at once"
        )
    if isinstance(llm.rate_limiter, InMemoryRateLimiter):
        raise TypeError(
            "an InMemoryRateLimiter counts in one process: pass requests_per_second=…, which all "
            "actors share"
        )
    if llm.http_client is not None or llm.http_async_client is not None:
        raise TypeError("the model's http_client cannot travel to the workers: leave it out")
    if isinstance(checkpoint, InMemoryBaseStore):
        raise TypeError("an in-memory checkpoint is lost with its worker: pass a directory")


class _TranscriberActor:
    """What an actor runs: a `Transcriber`, over one batch of recordings after the other."""

    def __init__(self, transcriber: Transcriber, column: str) -> None:
        self._transcriber = transcriber
        self._column = column

    def __call__(self, batch: pa.Table) -> Iterator[pa.Table]:
        found = _recordings(batch, self._column)
        with contextlib.closing(self._transcriber.run(found)) as transcripts:
            for transcript in transcripts:
                yield pa.Table.from_pylist([_row(transcript)], schema=SCHEMA)


def _dataset(paths: Source | Iterable[Source]) -> RayDataset:
    """Make a dataset of what `QwenAudioLoader` takes; log what is left out of directories."""
    several = [paths] if isinstance(paths, str | os.PathLike | Blob) else paths
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    for source in several:
        if isinstance(source, Blob):
            rows.append({"source": str(source.source or "blob"), BYTES: source.as_bytes()})
        else:
            found = (recording.source for recording in find_recordings(source, left_out))
            rows += ({"source": _absolute(name), BYTES: None} for name in found)
    for reason in left_out:
        logger.warning("left out: %s", reason)
    schema = pa.schema({"source": pa.string(), BYTES: pa.large_binary()})
    return ray.data.from_arrow(pa.Table.from_pylist(rows, schema=schema))


def _absolute(source: str) -> str:
    is_url = source.lower().startswith(("http://", "https://"))
    return source if is_url else str(Path(source).absolute())


def _recordings(batch: pa.Table, column: str) -> Iterator[Recording]:
    """Find the recordings in rows; a row that names none is an error when it is opened."""
    contents = batch[BYTES] if BYTES in batch.column_names else None
    for number, source in enumerate(batch[column].to_pylist()):
        data = None if contents is None else contents[number].as_py()
        if data is not None:
            yield recording_of(Blob.from_data(data, path=source))
        else:
            yield Recording(source or "", partial(_open, source))


def _open(source: str | None) -> Audio:
    found = [] if source is None else list(find_recordings(source))
    if len(found) != 1:
        raise AudioError(f"{source}: expected one recording in a row, not {len(found)}")
    return found[0].open()


def _row(transcript: SegmentTranscript) -> dict[str, Any]:
    usage: dict[str, Any] = {**(transcript.usage or {})}
    row = {name: usage.get(name, getattr(transcript, name, None)) for name in SCHEMA.names}
    if (error := transcript.error) is not None:
        row |= {"text": None, "error": f"{type(error).__name__}: {error}"}
    return row


# --- one rate for all ---


class SharedRateLimiter(BaseRateLimiter):
    """A rate that holds for all processes of a Ray cluster together.

    Models take it as `rate_limiter`; it travels with them. One small actor gives turns, evenly
    spaced and first come, first served; if it dies, it is restarted, and gives the first turn after
    a pause. What the model repeats by itself (`max_retries`) takes no turn. The rate ends with the
    program that made it.

    Example:
        ```python
        model = ChatQwenAudio(rate_limiter=SharedRateLimiter(20))
        ```
    """

    def __init__(self, requests_per_second: float) -> None:
        """Start the actor; Ray too, if it does not run.

        Args:
            requests_per_second: Requests of all processes together; 0.1 is one in ten seconds.

        Raises:
            ValueError: It is not more than 0.
        """
        if not requests_per_second > 0:
            raise ValueError(f"requests_per_second is {requests_per_second}; expected more than 0")
        actor = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(_Turns)
        self._turns = actor.remote(1 / requests_per_second)

    def acquire(self, *, blocking: bool = True) -> bool:
        """Wait for a turn; or, without blocking, say whether it is there."""
        taken: bool = ray.get(self._turns.take.remote(blocking=blocking))
        return taken

    async def aacquire(self, *, blocking: bool = True) -> bool:
        """Wait for a turn without blocking the event loop; see `acquire`."""
        taken: bool = await self._turns.take.remote(blocking=blocking)
        return taken


@dataclass
class _Turns:
    """What the limiter's actor runs.

    Callers wait here, not in their own process, so that nobody holds a turn of an actor that died.
    """

    interval_s: float

    def __post_init__(self) -> None:
        self._next = time.monotonic() + self.interval_s
        self._queue = asyncio.Lock()

    async def take(self, *, blocking: bool) -> bool:
        if not blocking and (self._queue.locked() or time.monotonic() < self._next):
            return False
        async with self._queue:
            await asyncio.sleep(max(0.0, self._next - time.monotonic()))
            self._next = time.monotonic() + self.interval_s
            return True
