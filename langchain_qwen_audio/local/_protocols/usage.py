"""The tokens of a request and of its answer → the usage, as each protocol writes it. Pure."""

from collections.abc import Mapping
from typing import Any

from langchain_qwen_audio.local._models.table import Family
from langchain_qwen_audio.local._protocols.tool_calls import (
    count_tool_call_tokens,
    write_tool_calls,
)
from langchain_qwen_audio.local._replies import Reply
from langchain_qwen_audio.local._tokens import InputTokens, OutputTokens, split_tokens

_ASR_TOKENS_PER_S = 25


def count_text_tokens(reply: Reply) -> int:
    """Count the tokens of a reply's text and tool calls."""
    texts = reply.fragments or (reply.text,)
    calls = write_tool_calls(reply.tool_calls)
    return sum(len(split_tokens(text)) for text in texts) + sum(map(count_tool_call_tokens, calls))


def write_native_usage(
    family: Family, input_tokens: InputTokens, output_tokens: int
) -> Mapping[str, Any]:
    """Write the usage of a family of models, natively; only the captioner's counts all input."""
    if family not in {"asr", "captioner"}:
        audio = {} if input_tokens.audio is None else {"audio_tokens": input_tokens.audio}
        return {"input_tokens": input_tokens.text, **audio, "output_tokens": output_tokens}
    details = {"output_tokens_details": {"text_tokens": output_tokens}}
    if family == "asr":
        text = {"text_tokens": input_tokens.text}
        return {"input_tokens_details": text, **details, "seconds": seconds_of(input_tokens)}
    return {
        "input_tokens": input_tokens.total,
        "output_tokens": output_tokens,
        "total_tokens": input_tokens.total + output_tokens,
        "input_tokens_details": _input_details(input_tokens),
        **details,
    }


def write_openai_usage(
    family: Family, input_tokens: InputTokens, output: OutputTokens
) -> Mapping[str, Any]:
    """Write the usage on the compatible path."""
    completion_tokens = output.text + output.reasoning + output.audio
    completion_details = {"text_tokens": output.text}
    if output.reasoning:
        completion_details["reasoning_tokens"] = output.reasoning
    if output.audio:
        completion_details["audio_tokens"] = output.audio
    usage = {
        "prompt_tokens": input_tokens.total,
        "completion_tokens": completion_tokens,
        "total_tokens": input_tokens.total + completion_tokens,
        "completion_tokens_details": completion_details,
        "prompt_tokens_details": _input_details(input_tokens),
    }
    return {**usage, "seconds": seconds_of(input_tokens)} if family == "asr" else usage


def _input_details(tokens: InputTokens) -> dict[str, int]:
    audio = {} if tokens.audio is None else {"audio_tokens": tokens.audio}
    return {**audio, "text_tokens": tokens.text}


def seconds_of(tokens: InputTokens) -> int:
    """Count whole seconds: the page's sample has 42 tokens and 1 second."""
    return (tokens.audio or 0) // _ASR_TOKENS_PER_S
