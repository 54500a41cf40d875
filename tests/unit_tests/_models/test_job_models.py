"""Which model takes a job in which shape, with which parameters."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from langchain_qwen_audio import errors
from langchain_qwen_audio._models.job_models import (
    JOB_MODELS,
    JobParameters,
    check_job_parameters,
    job_model,
)
from tests.unit_tests.job_calls import LISTED, ONE


def test_one_family_takes_one_url_and_the_others_a_list() -> None:
    for name in JOB_MODELS:
        assert job_model(name).shape == ("file_url" if name == ONE else "file_urls"), name
        assert job_model(f"{name}-2025-11-17") is job_model(name), name


def test_any_other_name_is_an_error_that_names_those_that_exist(subtests: pytest.Subtests) -> None:
    for name in ("", "qwen3-asr-flash", "fun-asr-realtime", f"{ONE}-latest"):
        with subtests.test(name):
            with pytest.raises(errors.NotFoundError) as caught:
                job_model(name)
            assert ", ".join(JOB_MODELS) in caught.value.message


def test_each_parameter_belongs_to_a_model() -> None:
    known = {name for model in JOB_MODELS.values() for name in model.parameters}
    assert known == get_type_hints(JobParameters).keys()


TAKEN: list[tuple[str, dict[str, Any]]] = [
    (ONE, {"language": "zh", "enable_itn": True, "enable_words": True, "corpus": {"text": "Qwen"}}),
    (ONE, {"channel_id": [0, 1]}),
    (LISTED, {"diarization_enabled": True, "speaker_count": 2, "vocabulary": {"Qwen": 5}}),
    ("fun-asr", {"language_hints": ["zh"], "vocabulary_id": "v", "special_word_filter": "{}"}),
    ("paraformer-v2", {"disfluency_removal_enabled": True, "timestamp_alignment_enabled": False}),
]


def test_a_model_takes_its_parameters() -> None:
    for model, parameters in TAKEN:
        check_job_parameters(model, parameters)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    (ONE, {"language_hints": ["zh"]}, "no parameter 'language_hints'; it has language, enable_itn"),
    (LISTED, {"language": "zh"}, "no parameter 'language'; it has language_hints"),
    ("fun-asr", {"vocabulary": {"a": 1}}, "no parameter 'vocabulary'"),
    (LISTED, {"enable_words": True, "a": 1}, "no parameter 'enable_words', 'a'"),
    (ONE, {"language": None}, "language is None: "),
    (ONE, {"enable_words": 1}, "enable_words is 1: "),
    (ONE, {"channel_id": 0}, "channel_id is 0: "),
    (LISTED, {"language_hints": "zh"}, "language_hints is 'zh': "),
    (LISTED, {"language_hints": ["zh", 1]}, "language_hints.1 is 1: "),
    (LISTED, {"speaker_count": 1}, "speaker_count is 1: .*greater than or equal to 2"),
    (LISTED, {"speaker_count": 101}, "speaker_count is 101: .*less than or equal to 100"),
]


def test_what_a_model_does_not_take_is_one_error_that_says_what_it_does(
    subtests: pytest.Subtests,
) -> None:
    for model, parameters, message in REFUSED:
        refused = pytest.raises(errors.InvalidRequestError, match=message)
        with subtests.test(message), refused:
            check_job_parameters(model, parameters)
