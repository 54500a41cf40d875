"""A server of live sessions, written for speed: scripted events, from a separate process.

    with LiveService() as service:
        service.url("echo")    # each audio frame is answered with one of 20 ms, at once
        service.url("answer")  # each request for an answer is answered, at once

Its cost is the same for every client.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from typing import Any, Literal

import pybase64
from aiohttp import WSMsgType, web

from benchmarks.server_process import ServerProcess

API = "/api/v1"
SOCKET = "/api-ws/v1/realtime"
Event = dict[str, Any]


class LiveService(ServerProcess):
    """The server, while the context lasts."""

    module = "benchmarks.live_service"

    def url(self, script: Literal["echo", "answer"]) -> str:
        """Make the address of a server with a script."""
        return f"{self._host}/{script}{API}"


# --- the process ------------------------------------------------------------------------------


def _texts(*events: Event) -> list[str]:
    return [json.dumps(event) for event in events]


_ID = "resp_1"
_SPEECH = pybase64.b64encode_as_string(bytes(960))  # 20 ms at 24 kHz
_SPEECH_DELTA = {"type": "response.audio.delta", "response_id": _ID, "delta": _SPEECH}
_TEXT_DELTA = {"type": "response.audio_transcript.delta", "response_id": _ID, "delta": "Yes. "}
_RESPONSE = {"id": _ID, "status": "completed", "usage": None}
_CREATED = {"type": "response.created", "response": {"id": _ID}}
_DONE = {"type": "response.done", "response": _RESPONSE}
_COMMITTED = {"type": "input_audio_buffer.committed", "item_id": "item_1"}
_UPDATED = {"type": "session.updated", "session": {}}

_BEGIN = _texts({"type": "session.created", "session": {"id": "sess_1"}})
_SCRIPTS: dict[str, dict[str, list[str]]] = {
    "echo": {
        "session.update": _texts(_UPDATED, _CREATED),
        "input_audio_buffer.append": _texts(_SPEECH_DELTA),
    },
    "answer": {
        "session.update": _texts(_UPDATED),
        "input_audio_buffer.commit": _texts(_COMMITTED),
        "response.create": _texts(_CREATED, _TEXT_DELTA, _SPEECH_DELTA, _DONE),
    },
}


async def _talk(request: web.Request) -> web.WebSocketResponse:
    script, answers = _SCRIPTS[request.match_info["script"]], itertools.count(2)
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    for text in _BEGIN:
        await socket.send_str(text)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            kind = json.loads(message.data)["type"]
            answer_id = f"resp_{next(answers)}" if kind == "response.create" else _ID
            for text in script.get(kind, ()):
                await socket.send_str(text.replace(_ID, answer_id))
    return socket


async def _serve() -> None:
    app = web.Application()
    app.router.add_get(f"/{{script}}{SOCKET}", _talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
