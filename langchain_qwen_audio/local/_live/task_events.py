"""What happens in a task → the events that say so. Pure.

https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-server-events
https://help.aliyun.com/zh/model-studio/fun-asr-server-events
https://help.aliyun.com/zh/model-studio/paraformer-server-events
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._live.events import Event
from langchain_qwen_audio.local._live.task_audio import Spoken
from langchain_qwen_audio.local._live.task_request import TaskRequest
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import Reply
from langchain_qwen_audio.local._tokens import split_tokens

_TOKENS_PER_S = 12.5


def task_event(task_id: str, kind: str, payload: Mapping[str, Any], **more: str) -> Event:
    """Write an event."""
    header = {"task_id": task_id, "event": kind, **more, "attributes": {}}
    return {"header": header, "payload": dict(payload)}


def failed_event(task_id: str, refusal: Refusal) -> Event:
    """Say why a task failed."""
    more = {"error_code": refusal.code, "error_message": refusal.message}
    return task_event(task_id, "task-failed", {}, **more)


class TaskWriter:
    """The events of one task, after it has started; what they count, they count up."""

    def __init__(self, request: TaskRequest) -> None:
        """Take what the task was told."""
        self._request = request
        self._model = request.model
        self._number = 1
        self._output_tokens = 0

    def started(self) -> Iterator[Event]:
        """Write the first event."""
        yield task_event(self._request.task_id, "task-started", {})

    def heartbeat(self, at_ms: int) -> Iterator[Event]:
        """Say that nobody speaks, and that the connection lives."""
        times = {"begin_time": at_ms, "end_time": None}
        ends = {"heartbeat": True, "sentence_end": False}
        yield self._result({"sentence_id": 0, **times, "text": "", **ends, "words": []}, None)

    def begun(self, begin_ms: int) -> Iterator[Event]:
        """Say that a sentence begins, where the model does."""
        if self._model.is_numbered:
            sentence = self._sentence(begin_ms, None, "", []) | {"sentence_begin": True}
            yield self._result(sentence, None)

    def sentence(self, reply: Reply, spoken: Spoken) -> Iterator[Event]:
        """Write a sentence, while it grows and when it is over."""
        grown = ""
        for fragment in self._partials(reply):
            grown += fragment
            yield self._result(self._sentence(spoken.begin_ms, None, grown, []), None)
        text = reply.whole_text
        self._output_tokens += len(split_tokens(text))
        words = _words_of(reply, spoken)
        over = self._sentence(spoken.begin_ms, spoken.end_ms, text, words) | {"sentence_end": True}
        if self._model.has_emotion:
            over |= {"emo_tag": "neutral", "emo_confidence": 0.9}
        yield self._result(over, reply.usage or self._usage(spoken.at_ms))
        self._number += 1

    def finished(self, at_ms: int) -> Iterator[Event]:
        """Write the last event."""
        usage = self._usage(at_ms) if self._model.reports_at_end else None
        payload = {"output": {}, "usage": usage}
        yield task_event(self._request.task_id, "task-finished", payload)

    def _partials(self, reply: Reply) -> Sequence[str]:
        if not self._request.sends_partials:
            return ()
        return reply.fragments or split_tokens(reply.text)

    def _sentence(
        self, begin_ms: int, end_ms: int | None, text: str, words: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        number = {"sentence_id": self._number} if self._model.is_numbered else {}
        times = {"begin_time": begin_ms, "end_time": end_ms}
        ends = {"heartbeat": False, "sentence_end": False}
        return {**number, **times, "text": text, **ends, "words": list(words)}

    def _result(self, sentence: Mapping[str, Any], usage: Mapping[str, Any] | None) -> Event:
        payload = {"output": {"sentence": sentence}, "usage": usage}
        return task_event(self._request.task_id, "result-generated", payload)

    def _usage(self, at_ms: int) -> dict[str, int]:
        duration = {"duration": math.ceil(at_ms / 1000)}
        if not self._model.counts_tokens:
            return duration
        tokens = {"input_tokens": round(at_ms / 1000 * _TOKENS_PER_S)}
        tokens["output_tokens"] = self._output_tokens
        return {**duration, **tokens, "total_tokens": sum(tokens.values())}


def _words_of(reply: Reply, spoken: Spoken) -> list[dict[str, Any]]:
    """Write the words: those of Whisper, or those of a script, which take the same time each."""
    if reply.sentences is not None:
        return [_moved(word, spoken.pcm_ms) for it in reply.sentences for word in it["words"]]
    words: list[dict[str, Any]] = []
    for token in map(str.strip, split_tokens(reply.whole_text)):
        if token.isalnum() or not words:
            words.append({"text": token, "punctuation": ""})
        else:
            words[-1]["punctuation"] += token
    step = (spoken.end_ms - spoken.begin_ms) / max(1, len(words))
    edges = [spoken.begin_ms + round(number * step) for number in range(len(words) + 1)]
    return [
        {"begin_time": begin_ms, "end_time": end_ms, **word}
        for begin_ms, end_ms, word in zip(edges, edges[1:], words, strict=False)
    ]


def _moved(word: Mapping[str, Any], by_ms: int) -> dict[str, Any]:
    times = {name: word[name] + by_ms for name in ("begin_time", "end_time")}
    return {**word, **times}
