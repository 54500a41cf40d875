"""The table of models that transcribe files in jobs: how they take a job, and parameters. Pure.

https://www.alibabacloud.com/help/en/model-studio/qwen-audio-asr-filetrans-http-api
https://help.aliyun.com/en/model-studio/fun-asr-recorded-speech-recognition-http-api
https://help.aliyun.com/zh/model-studio/asr-model
As of November 2026.
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from langchain_qwen_audio.errors import InvalidRequestError, NotFoundError

JobShape: TypeAlias = Literal["file_url", "file_urls"]

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class JobParameters(TypedDict, total=False):
    """What a job may be told besides its recording; each model has some of these.

    Example:
        ```python
        jobs = TranscriptionJobs(parameters={"diarization_enabled": True, "speaker_count": 2})
        ```
    """

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")  # type: ignore[misc]

    language: str
    """qwen3-asr-flash-filetrans: the language spoken ("zh", "en", …), if it is known."""
    enable_itn: bool
    """qwen3-asr-flash-filetrans: whether numbers are written as digits; Chinese and English."""
    enable_words: bool
    """qwen3-asr-flash-filetrans: whether words have times too, in zh, en, ja, ko, de, fr, es, it,
    pt and ru; sentences are then cut by punctuation. The others always have words."""
    corpus: dict[str, str]
    """qwen3-asr-flash-filetrans: `{"text": …}`, any text with names and terms to expect."""
    channel_id: list[int]
    """The channels to transcribe, from 0; `[0]` by default. Each is billed."""
    language_hints: list[str]
    """The languages that may be spoken; fun-asr takes the first alone."""
    diarization_enabled: bool
    """Whether each sentence says who speaks. The service wants mono, and advises 2 h at most."""
    speaker_count: Annotated[int, Field(ge=2, le=100)]
    """How many speak, from 2 to 100: a hint for `diarization_enabled`."""
    vocabulary_id: str
    """The id of a vocabulary that is stored at the service."""
    vocabulary: dict[str, int]
    """qwen-audio-3.x: words to expect, with their weights."""
    special_word_filter: str | dict[str, Any]
    """Words to leave out or to replace, as the service's JSON."""
    disfluency_removal_enabled: bool
    """paraformer: whether "um" and repeated words are left out."""
    timestamp_alignment_enabled: bool
    """paraformer: whether times are aligned more exactly."""


@dataclass(frozen=True)
class JobModel:
    """How one model takes a job.

    Attributes:
        shape: The name of its input: one `file_url`, or `file_urls`, a list of one.
        parameters: The names of its parameters.
    """

    shape: JobShape
    parameters: tuple[str, ...]


_LISTED = (
    *("language_hints", "diarization_enabled", "speaker_count", "vocabulary_id", "channel_id"),
    "special_word_filter",
)
_QWEN_AUDIO = JobModel("file_urls", (*_LISTED, "vocabulary"))
_FUN_ASR = JobModel("file_urls", _LISTED)
_PARAFORMER = JobModel(
    "file_urls", (*_LISTED, "disfluency_removal_enabled", "timestamp_alignment_enabled")
)

# A dated name, as qwen3-asr-flash-filetrans-2025-11-17, is taken as the name without its date.
JOB_MODELS: dict[str, JobModel] = {
    "qwen-audio-3.1-asr-flash-filetrans": _QWEN_AUDIO,
    "qwen-audio-3.0-asr-flash-filetrans": _QWEN_AUDIO,
    "qwen3-asr-flash-filetrans": JobModel(
        "file_url", ("language", "enable_itn", "enable_words", "corpus", "channel_id")
    ),
    "fun-asr": _FUN_ASR,
    "fun-asr-mtl": _FUN_ASR,
    "paraformer-v2": _PARAFORMER,
    "paraformer-8k-v2": _PARAFORMER,
    "paraformer-mtl-v1": _PARAFORMER,
}
_PARAMETERS = TypeAdapter(JobParameters)


def is_job_model(model: str) -> bool:
    """Tell whether a model transcribes in jobs, by its name, dated or not."""
    return _DATE.sub("", model) in JOB_MODELS


def job_model(model: str) -> JobModel:
    """Look up a model.

    Args:
        model: Its name, dated or not.

    Raises:
        NotFoundError: It does not transcribe in jobs.
    """
    found = JOB_MODELS.get(_DATE.sub("", model))
    if found is None:
        raise NotFoundError(
            f"{reprlib.repr(model)} transcribes no files in jobs, as far as is known; these models "
            f"do: {', '.join(JOB_MODELS)}"
        )
    return found


def check_job_parameters(model: str, parameters: Mapping[str, Any]) -> None:
    """Require parameters that a model has, with values of their types.

    Raises:
        InvalidRequestError: It does not have them; the message names those that it has.
        NotFoundError: It does not transcribe in jobs.
    """
    known = job_model(model).parameters
    if unknown := [name for name in parameters if name not in known]:
        raise InvalidRequestError(
            f"{model} has no parameter {', '.join(map(repr, unknown))}; it has {', '.join(known)}"
        )
    try:
        _PARAMETERS.validate_python(dict(parameters))
    except ValidationError as error:
        wrong = error.errors(include_url=False)[0]
        name = ".".join(map(str, wrong["loc"]))
        raise InvalidRequestError(
            f"the parameter {name} is {reprlib.repr(wrong['input'])}: {wrong['msg']}"
        ) from error
