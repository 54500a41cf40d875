"""Chunks of an answer → the events of `stream_events(version="v3")`. Pure.

LangChain core makes such events of any stream, but there each piece of speech takes the place of
the one before.
https://docs.langchain.com/oss/python/langchain/streaming
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langchain_core.messages.tool import tool_call_chunk

from langchain_qwen_audio._response.messages import read_call, whole_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.outputs import ChatGenerationChunk
    from langchain_protocol.protocol import MessagesData


class _Payload(NamedTuple):
    """What of a block comes in pieces: its field, and the delta that carries a piece."""

    field: str
    delta: str | None = None  # None: no event carries a piece, only the whole block
    delta_field: str = ""


_PAYLOADS = {
    "text": _Payload("text", "text-delta", "text"),
    "reasoning": _Payload("reasoning", "reasoning-delta", "reasoning"),
    "tool_call_chunk": _Payload("args", "tool-call-delta", "args"),
    "audio": _Payload("base64", "data-delta", "data"),
    "refusal": _Payload("refusal"),
}
_FINISH = ("finish_reason", "normalized_finish_reason")


@dataclass
class _OpenBlock:
    """A block whose pieces are still coming."""

    index: int
    payload: _Payload
    fields: dict[str, Any]
    pieces: list[str] = field(default_factory=list)

    def add(self, block: dict[str, Any]) -> str:
        """Take what a chunk has of the block, and return its piece."""
        piece = block.pop(self.payload.field, None) or ""
        self.fields |= {name: value for name, value in block.items() if value is not None}
        self.pieces.append(piece)
        return piece

    @property
    def start(self) -> dict[str, Any]:
        """The block before its first piece."""
        hidden = set() if self.fields["type"] == "tool_call_chunk" else {"index"}
        shown = {name: value for name, value in self.fields.items() if name not in hidden}
        return shown if shown["type"] == "audio" else {**shown, self.payload.field: ""}

    @property
    def whole(self) -> dict[str, Any]:
        """The block when all of it is there; what the events have no type for, in a wrapper."""
        block = whole_block({**self.fields, self.payload.field: "".join(self.pieces)})
        match block["type"]:
            case "tool_call_chunk":
                known = {name: block.get(name) for name in ("name", "id", "index")}
                return dict(read_call(tool_call_chunk(args=block["args"], **known)))
            case "refusal":  # LangChain core, up to 1.8.4 at least, would leave it out
                return {"type": "non_standard", "value": block}
            case _:
                return cast("dict[str, Any]", block)


class EventWriter:
    """The state of one stream: a chunk in, events out, and at its end the last events.

    Each block begins with its first piece, and all end with the answer, as a call may have gone on.

    Args:
        message_id: The id of the message.
    """

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._is_started = False
        self._blocks: dict[tuple[str, Any], _OpenBlock] = {}
        self._end: dict[str, Any] = {"event": "message-finish"}

    def write(self, chunk: ChatGenerationChunk) -> Iterator[MessagesData]:
        """Make the events of one chunk."""
        if not self._is_started:
            self._is_started = True
            yield {"event": "message-start", "role": "ai", "id": self._message_id}
        message = chunk.message
        for block in message.content_blocks:
            yield from self._write_block(dict(block))
        if metadata := message.response_metadata:
            known = {name: metadata[name] for name in _FINISH if name in metadata}
            self._end |= {"metadata": dict(metadata), **known}
        if usage := getattr(message, "usage_metadata", None):
            self._end["usage"] = dict(usage)

    def finish(self) -> Iterator[MessagesData]:
        """Make the last events."""
        for block in self._blocks.values():
            event = {"event": "content-block-finish", "index": block.index, "content": block.whole}
            yield cast("MessagesData", event)
        yield cast("MessagesData", self._end)

    def _write_block(self, block: dict[str, Any]) -> Iterator[MessagesData]:
        key = block["type"], block.get("index")
        is_new = key not in self._blocks
        if is_new:
            self._blocks[key] = _OpenBlock(len(self._blocks), _PAYLOADS[block["type"]], {})
        found = self._blocks[key]
        piece = found.add(block)
        if is_new:
            start = {"event": "content-block-start", "index": found.index, "content": found.start}
            yield cast("MessagesData", start)
        if piece and found.payload.delta:
            delta = {"type": found.payload.delta, found.payload.delta_field: piece}
            event = {"event": "content-block-delta", "index": found.index, "delta": delta}
            yield cast("MessagesData", event)
