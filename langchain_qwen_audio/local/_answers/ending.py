"""A reply and a request → the reply up to where the request says that it ends. Pure.

A stop text is not part of the answer. Only text is cut: what the model thinks does not count.
https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._replies import Reply
from langchain_qwen_audio.local._tokens import split_tokens


def end_reply(reply: Reply, request: ModelRequest) -> Reply:
    """End a reply at a stop text, or at the largest number of tokens."""
    text = reply.whole_text
    stops = (text.find(stop) for stop in request.stop)
    stopped = text[: min((at for at in stops if at >= 0), default=None)]
    tokens = split_tokens(stopped)
    if request.max_tokens is not None and len(tokens) > request.max_tokens:
        cut = "".join(tokens[: request.max_tokens])
        return _shorten(reply, cut, reply.finish_reason or "length")
    return reply if stopped == text else _shorten(reply, stopped, reply.finish_reason or "stop")


def _shorten(reply: Reply, text: str, finish_reason: str) -> Reply:
    """Keep the beginning of a reply; what would come after its text does not come."""
    fragments = tuple(_shorten_fragments(reply.fragments, len(text)))
    return replace(
        reply,
        text="" if reply.fragments else text,
        fragments=fragments,
        finish_reason=finish_reason,
        tool_calls=(),
        audio=b"",
    )


def _shorten_fragments(fragments: Sequence[str], length: int) -> Iterator[str]:
    for fragment in fragments:
        if length <= 0:
            return
        yield fragment[:length]
        length -= len(fragment)
