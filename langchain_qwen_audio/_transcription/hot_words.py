"""Names and terms that may be spoken → what a model is told of them, in the way that it has.

https://www.alibabacloud.com/help/en/model-studio/custom-hot-words-user-guide
https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from langchain_qwen_audio._models.job_models import job_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

HotWords: TypeAlias = Sequence[str] | str | os.PathLike[str]

WEIGHT = 4  # of 1 to 5; the one that the service recommends
MAX_WORDS = 2_000  # of a vocabulary


def read_hot_words(given: HotWords | None) -> tuple[str, ...]:
    """Read hot words, each once.

    Args:
        given: A list of words and phrases, or the path of a text file with one a line.

    Raises:
        ValueError: The file cannot be read or has none, or the list has something else.
    """
    if given is None:
        return ()
    if isinstance(given, str | os.PathLike):
        return _read_file(Path(given).expanduser())
    if isinstance(given, Mapping):
        raise ValueError(  # noqa: TRY004  # as of all that is no words
            "hot_words is a mapping, expected a list of words: put words with weights into "
            "asr_options={'vocabulary': …}, or into parameters={'vocabulary': …} of jobs"
        )
    words = [*given]
    for word in words:
        if not isinstance(word, str) or not word.strip():
            raise ValueError(f"hot_words has {word!r} in it; expected words, each a text")
    return _each_once(words)


def _read_file(path: Path) -> tuple[str, ...]:
    expected = "expected a text file with a word or a phrase a line, or a list of words"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # it is no UTF-8, or no name of a file
        raise ValueError(
            f"hot_words is {path}, which cannot be read ({error}); {expected}"
        ) from error
    words = _each_once(lines)
    if not words:
        raise ValueError(f"hot_words is {path}, which has no words in it; {expected}")
    return words


def _each_once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(bare for word in words if (bare := word.strip())))


def tell_chat_model(llm: ChatQwenAudio, words: tuple[str, ...]) -> tuple[ChatQwenAudio, str]:
    """Tell a chat model what words to expect.

    Args:
        llm: The model, which is not changed.
        words: The words.

    Returns:
        The model that knows them, if it has a vocabulary; and what to write into a system message,
        if it has none.

    Raises:
        ValueError: The model takes neither, or has a vocabulary already.
    """
    profile = llm.route().profile
    if not words:
        return llm, ""
    if "vocabulary" in profile.asr_options:
        options: Any = llm.asr_options or {}
        told = {**options, "vocabulary": _vocabulary(words, options, "asr_options")}
        return llm.model_copy(update={"asr_options": told}), ""
    if not profile.system:
        raise ValueError(f"hot_words came, and {llm.model} takes audio alone: leave them out")
    text = ", ".join(words)
    return llm, text if profile.transcribes else f"Names and terms that may be spoken: {text}"


def tell_jobs(jobs: TranscriptionJobs, words: tuple[str, ...]) -> dict[str, Any]:
    """Say what each job is told, with the words to expect.

    Args:
        jobs: The client of the jobs.
        words: The words.

    Raises:
        NotFoundError: The model transcribes in no jobs.
        ValueError: Its jobs take no words, or have a vocabulary already.
    """
    given: dict[str, Any] = {**jobs.parameters}
    known = job_model(jobs.model).parameters
    if not words:
        return given
    if "vocabulary" in known:
        return {**given, "vocabulary": _vocabulary(words, given, "parameters")}
    if "corpus" not in known:
        raise ValueError(
            f"hot_words came, and {jobs.model} takes only a vocabulary that is stored at the "
            "service: parameters={'vocabulary_id': …}"
        )
    _require_free(given, "corpus", "parameters")
    return {**given, "corpus": {"text": ", ".join(words)}}


def _vocabulary(words: tuple[str, ...], given: Mapping[str, Any], field: str) -> dict[str, int]:
    _require_free(given, "vocabulary", field)
    if len(words) > MAX_WORDS:
        raise ValueError(f"hot_words has {len(words):,} words; expected {MAX_WORDS:,} at most")
    return dict.fromkeys(words, WEIGHT)


def _require_free(given: Mapping[str, Any], name: str, field: str) -> None:
    if name in given:
        raise ValueError(
            f"hot_words came, and the model's {field} have {name} already: leave out one of them"
        )
