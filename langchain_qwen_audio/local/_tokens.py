"""How much text, speech and audio cost: estimates, Qwen's tokenizer is not here. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from langchain_qwen_audio.local._models import Family

# A word, one Chinese or Japanese character, or one mark, with the space before it.
_TOKEN = re.compile(r"\s*(?:[\u3040-\u9fff]|[^\W\u3040-\u9fff]+|[^\w\s])|\s+$")

_ASR_TOKENS_PER_S = 25


def split_tokens(text: str) -> list[str]:
    """Cut text into words whose join is the text."""
    return _TOKEN.findall(text)


@dataclass(frozen=True)
class Output:
    """The tokens of an answer.

    Attributes:
        text: Of its text and its tool calls.
        reasoning: Of what it thought before.
        audio: Of its speech.
    """

    text: int
    reasoning: int = 0
    audio: int = 0


def native_usage(
    family: Family, counted: Mapping[str, int], output_tokens: int
) -> Mapping[str, Any]:
    """Tell the usage as a family does natively.

    Args:
        family: Whose usage.
        counted: `input_tokens` of the text alone, and `audio_tokens` where there is audio.
        output_tokens: The tokens of the answer so far.
    """
    if family not in {"asr", "captioner"}:
        return {**counted, "output_tokens": output_tokens}
    details = {"output_tokens_details": {"text_tokens": output_tokens}}
    if family == "asr":
        text = {"text_tokens": counted["input_tokens"]}
        return {"input_tokens_details": text, **details, "seconds": _seconds(counted)}
    input_tokens = sum(counted.values())
    return {
        "input_tokens": input_tokens,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "input_tokens_details": _input_details(counted),
        **details,
    }


def compatible_usage(
    family: Family, counted: Mapping[str, int], output: Output
) -> Mapping[str, Any]:
    """Tell the usage as the compatible path does; `counted` is as in `native_usage`."""
    prompt_tokens = sum(counted.values())
    completion_tokens = output.text + output.reasoning + output.audio
    completion_details = {"text_tokens": output.text}
    if output.reasoning:
        completion_details["reasoning_tokens"] = output.reasoning
    if output.audio:
        completion_details["audio_tokens"] = output.audio
    usage = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "completion_tokens_details": completion_details,
        "prompt_tokens_details": _input_details(counted),
    }
    return {**usage, "seconds": _seconds(counted)} if family == "asr" else usage


def _input_details(counted: Mapping[str, int]) -> dict[str, int]:
    audio = {"audio_tokens": counted["audio_tokens"]} if "audio_tokens" in counted else {}
    return {**audio, "text_tokens": counted["input_tokens"]}


def _seconds(counted: Mapping[str, int]) -> int:
    """Count whole seconds: the page's sample has 42 tokens and 1 second."""
    return counted["audio_tokens"] // _ASR_TOKENS_PER_S
