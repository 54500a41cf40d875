"""JSON bodies and events, as every protocol sends them. Pure."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_qwen_audio.local._replies import RawReply


def new_request_id() -> str:
    """Make an id of the form the service uses."""
    return str(uuid.uuid4())


def write_json(payload: Mapping[str, Any]) -> str:
    """Write JSON as the service does, without blanks."""
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def encode_text(text: str) -> bytes:
    """Encode what is sent; half of a surrogate pair, which a request may name, becomes "?"."""
    return text.encode(errors="replace")


def json_reply(
    status: int,
    payload: Mapping[str, Any],
    request_id: str,
    *,
    delay_s: float = 0,
    headers: Mapping[str, str] | None = None,
) -> RawReply:
    """Answer with one JSON body."""
    body = encode_text(write_json(payload))
    own = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-request-id": request_id,
    }
    return RawReply(status, {**own, **(headers or {})}, (delay_s, body) if delay_s else (body,))


def event_stream(
    events: Sequence[bytes], request_id: str, *, delay_s: float = 0, pause_s: float = 0
) -> RawReply:
    """Answer with events: a wait before the first one, and one between each two."""
    return RawReply(
        headers={"content-type": "text/event-stream;charset=UTF-8", "x-request-id": request_id},
        steps=tuple(_pace(events, delay_s, pause_s)),
    )


def _pace(events: Sequence[bytes], delay_s: float, pause_s: float) -> Iterator[bytes | float]:
    for number, event in enumerate(events):
        if wait_s := pause_s if number else delay_s:
            yield wait_s
        yield event
