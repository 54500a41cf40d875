"""The parameters of a request: those that the server does not play are refused by name. Pure.

Each protocol lists its own: `ServerProtocol.parameters`. Those of sampling have no effect: nothing
is sampled here.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from langchain_qwen_audio.local._refusal import invalid_parameter

SAMPLING = frozenset(
    {"temperature", "top_p", "top_k", "seed", "repetition_penalty", "presence_penalty"}
    | {"frequency_penalty"}
)


def check_played(names: Iterable[str], played: Collection[str]) -> None:
    """Refuse parameters that the server would have to ignore; the text is its own."""
    unknown = sorted(set(names) - set(played))
    if unknown:
        raise invalid_parameter(
            f"This local test server does not play {', '.join(unknown)}. LocalDashScope("
            f"parameters={unknown}) takes {'it' if len(unknown) == 1 else 'them'} without effect."
        )


def check_one_answer(fields: Mapping[str, Any]) -> None:
    """Refuse several answers to one request."""
    if fields.get("n") not in {None, 1}:
        raise invalid_parameter("This local test server does not play n: it writes one answer.")


def read_stop(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the texts at which an answer stops."""
    stop = fields.get("stop")
    texts = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(texts, list) or not all(isinstance(it, str) and it for it in texts):
        raise invalid_parameter("Input should be a valid string or list: parameters.stop")
    return tuple(texts)


def read_max_tokens(fields: Mapping[str, Any], *names: str, at_least: int = 1) -> int | None:
    """Read how many tokens an answer may have; the largest number of a model is not checked."""
    given = [(name, fields[name]) for name in names if fields.get(name) is not None]
    for name, value in given:
        if isinstance(value, bool) or not isinstance(value, int) or value < at_least:
            raise invalid_parameter(f"Range of {name} should be [{at_least}, …]")
    return min((value for _, value in given), default=None)
