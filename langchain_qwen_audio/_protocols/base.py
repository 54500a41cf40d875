"""What a wire format is: a path, how a body is written, and how a reply is read.

A new wire format is one more file in this folder, and its name in `_models/profiles.py`.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeAlias, TypedDict

from langchain_qwen_audio.errors import APIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_qwen_audio._request.parts import RequestMessage, SentPart


logger = logging.getLogger(__name__)


class ReplyToolCall(TypedDict):
    """A tool call, or in a stream a piece of one."""

    id: str | None
    index: int | None
    name: str | None
    arguments: str | None


class Speech(TypedDict):
    """Speech, or in a stream a piece of it: base64 text that may be cut anywhere."""

    id: str | None
    data: str


class ServiceReply(TypedDict):
    """A whole reply, or an event of a stream, whichever protocol it came by.

    Attributes:
        request_id: The service's id of the request.
        model: The model that answered, if the reply says.
        usage: What was used, as the service writes it.
        has_answer: Whether it holds something of an answer; an event may hold usage alone.
        finish_reason: Why the answer ended; None while it goes on; "" where it goes on although an
            earlier event of the stream said that it had ended.
        text: Text, or in a stream the next piece of it.
        refusal: Why the model refuses to answer, or the next piece of that.
        reasoning: What the model thought, or the next piece of it.
        tool_calls: Its tool calls, or the next pieces of them.
        speech: What it says aloud, or the next piece of it.
        annotations: What qwen3-asr-flash says of the audio.
        sentences: The sentences of a transcript that have ended so far, as the service has them.
        search_results: What a search of the web has found, if the reply says.
    """

    request_id: str | None
    model: str | None
    usage: dict[str, Any] | None
    has_answer: bool
    finish_reason: str | None
    text: str
    refusal: str
    reasoning: str
    tool_calls: list[ReplyToolCall]
    speech: Speech | None
    annotations: list[Any] | None
    sentences: list[dict[str, Any]] | None
    search_results: list[Any] | None


ReadReply: TypeAlias = Callable[[Any], ServiceReply]
"""A JSON body → what it says."""


class WireProtocol(ABC):
    """One wire format, both ways."""

    path: ClassVar[str]
    """Where requests go, below the base URL."""

    stream_headers: ClassVar[dict[str, str]]
    """The headers that request a stream."""

    takes_uploads: ClassVar[bool]
    """Whether the service resolves the `oss://` URLs of uploads in this format."""

    may_not_stream: ClassVar[bool] = False
    """Whether a whole reply may come where a stream was requested."""

    @abstractmethod
    def write(
        self,
        model: str,
        messages: Sequence[RequestMessage[SentPart]],
        parameters: dict[str, Any],
        *,
        stream: bool,
    ) -> dict[str, Any]:
        """Write the JSON body of a request.

        Raises:
            MessageError: A message that this format has no form for.
        """

    @abstractmethod
    def read(self, body: Any) -> ServiceReply:
        """Read the JSON body of a reply, or of an event of a stream.

        Raises:
            APIError: It has another shape than replies have.
        """

    def stream_reader(self) -> ReadReply:
        """Make what reads the events of one stream, in their order."""
        return self.read

    def check_audio_url(self, url: str, model: str) -> None:  # noqa: B027  # most take any URL
        """Require that the server fetches this URL.

        Raises:
            AudioError: It does not.
        """


def only_choice(choices: Any) -> Any:
    """Take the one answer of a reply; an empty one if there is none.

    Raises:
        TypeError: There are several, which would be mixed.
    """
    if not choices:
        return {}
    choice = choices[0]
    if len(choices) > 1 or choice.get("index"):
        raise TypeError("several answers")
    return choice


def read_content(message: Any) -> tuple[str, str]:
    """Join the texts of a content, which is a string or a list of parts.

    Returns:
        The text, and the refusal.

    Raises:
        TypeError: There is something else in it, and no text.
    """
    content, refusal = message.get("content"), message.get("refusal") or ""
    if not isinstance(content, list):
        return string_or_none(content) or "", string_or_none(refusal) or ""
    texts: list[str] = []
    unknown: list[str] = []
    for part in content:
        if part is None or isinstance(part, str):
            texts.append(part or "")
        elif not isinstance(part, dict):
            unknown.append(type(part).__name__)
        elif isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
        else:
            unknown += [str(name) for name, value in part.items() if value and name != "type"]
    text = "".join(texts)
    if unknown and not text and not refusal:
        raise TypeError(f"it has no text, only {', '.join(unknown)}")
    if unknown:
        logger.warning("the answer has more than text, which is left out: %s", unknown)
    return text, refusal


def read_message(
    body: dict[str, Any],
    message: Any,
    finish_reason: Any,
    content: tuple[str, str],
    *,
    has_answer: bool,
) -> ServiceReply:
    """Read what the formats have in common. Reading is the check, and a stream feels each call."""
    request_id = body.get("request_id") or body.get("id")
    model, usage = body.get("model"), body.get("usage")
    # vLLM calls it "reasoning".
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    for value in (request_id, model, finish_reason, reasoning):
        if value is not None and not isinstance(value, str):
            raise TypeError
    if usage is not None and not isinstance(usage, dict):
        raise TypeError
    calls, annotations = message.get("tool_calls"), message.get("annotations") or None
    if annotations is not None and not isinstance(annotations, list):
        raise TypeError
    search_info = body.get("search_info") or (body.get("output") or {}).get("search_info")
    return {
        "request_id": request_id,
        "model": model,
        "usage": usage,
        "has_answer": has_answer,
        # While an answer is being written, the native format says the string "null".
        "finish_reason": None if finish_reason in {None, "", "null"} else finish_reason,
        "text": content[0],
        "refusal": content[1],
        "reasoning": reasoning or "",
        "tool_calls": [_read_call(call) for call in calls] if calls else [],
        "speech": _read_speech(message["audio"]) if message.get("audio") else None,
        "annotations": annotations,
        "sentences": None,
        "search_results": _read_search(search_info) if search_info else None,
    }


def _read_search(search_info: Any) -> list[Any] | None:
    """Read the sources of an answer.

    The pages say that chat completions name none; third parties saw them in native replies.
    https://docs.qwencloud.com/developer-guides/text-generation/web-search
    """
    results = search_info.get("search_results")
    if not isinstance(results, list | None):
        raise TypeError("search results that are none")
    return results or None


def _read_call(call: Any) -> ReplyToolCall:
    function = call.get("function") or {}
    index = call.get("index")
    if not isinstance(index, int | None):
        raise TypeError
    return {
        "id": string_or_none(call.get("id")),
        "index": index,
        "name": string_or_none(function.get("name")),
        "arguments": string_or_none(function.get("arguments")),
    }


def _read_speech(audio: Any) -> Speech | None:
    data = string_or_none(audio.get("data"))
    return {"id": string_or_none(audio.get("id")), "data": data} if data else None


def string_or_none(value: Any) -> str | None:
    """Require a string, or nothing."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError


def refuse_shape(body: Any, error: Exception) -> NoReturn:
    """Say that a reply has another shape than replies have."""
    why = f" ({error})" if str(error) else ""
    raise APIError(
        f"the reply cannot be understood: it has another shape than replies have{why}: "
        f"{body!r:.300}"
    ) from error
