"""Why an answer ended: the service's word for it → LangChain's. Pure.

LangChain's words are those of `langchain_core.language_models._finish_reason`, from 1.8.4 on. Its
`finish_state` is for services that suspend an answer, which this one does not.
https://docs.langchain.com/oss/python/langchain/models
"""

from __future__ import annotations

# What DashScope documents, and what vLLM, SGLang and llama.cpp add.
_NORMALIZED = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "content_filter": "content_filter",
    "error": "error",
}
FILTERED = "content_filter"


def normalize_finish_reason(
    reason: str | None, *, has_calls: bool = False, has_refusal: bool = False
) -> str | None:
    """Say in LangChain's words why an answer ended; None if the service did not say.

    Args:
        reason: The service's word.
        has_calls: Whether the answer calls tools; those that were read from its text end in "stop".
        has_refusal: Whether the model refused.
    """
    if reason is None:
        return None
    normalized = _NORMALIZED.get(reason, "other")
    if has_refusal:
        return "refusal"
    return "tool_call" if has_calls and normalized == "stop" else normalized
