"""Which models take so much audio: those with the context, the text, and a future."""

import pytest

from langchain_qwen_audio._models.long_contexts import models_for_length

LARGEST, LARGE = "qwen3.8-omni-flash", ["qwen3.5-omni-plus", "qwen3.5-omni-flash"]


@pytest.mark.parametrize(
    ("length_s", "names"),
    [
        (450.0, [LARGEST, *LARGE]),
        (196_608 / 7, [LARGEST, *LARGE]),
        (196_608 / 7 + 1, [LARGEST]),
        (991_808 / 7 + 1, []),
    ],
)
def test_models_are_named_whose_context_is_large_enough(length_s: float, names: list[str]) -> None:
    assert models_for_length(length_s) == names
