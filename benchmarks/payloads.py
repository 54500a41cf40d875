"""Recordings in requests → time and bytes on the wire, beside the SDK alone."""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING, Any

import pybase64

from benchmarks import clips
from benchmarks.calls import beside, timed
from benchmarks.peers import KEY, MODEL, OURS, SDK, Sdk
from benchmarks.service import NATIVE, OPENAI, Service
from benchmarks.table import Beside, Row, Target
from langchain_qwen_audio import Audio, ChatQwenAudio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TURNS = 10
TEXT = {"text": "What is said?"}
GO_ON = [{"role": role, "content": "Go on."} for role in ("assistant", "user")]


def measure() -> Iterator[Row]:
    """Send a clip of 8 MB, and one of 16 s in each turn of a conversation."""
    with Service() as service:
        yield _send_large(service)
        yield from _send_often(service)


def _send_large(service: Service) -> Row:
    """Send 8 MB inline to an own server: DashScope's take no more than 10 MB after base64."""
    text = pybase64.b64encode_as_string(clips.wav(seconds=250, sample_rate=16_000, channels=1))
    url = f"{service.url()}{OPENAI}/own"
    sdk, model = Sdk(url, "openai"), ChatQwenAudio(model="own", base_url=url, api_key=KEY)
    ours = [{"type": "audio", "base64": text, "mime_type": "audio/wav"}, {"type": "text", **TEXT}]
    asks: dict[str, Callable[[], object]] = {
        SDK: partial(sdk.invoke, _user(*_for_sdk(text), TEXT), model="own"),
        OURS: partial(model.invoke, _user(*ours)),
    }
    turns = timed(asks, 8, 3)
    taken = statistics.median(turns[OURS])
    return Row("an 8 MB clip, inline", taken, "ms", limit=beside(turns, SDK, target=1.1))


def _send_often(service: Service) -> Iterator[Row]:
    """Count bytes of one turn about a recording, and of ten, inline and uploaded."""
    wav = clips.wav(seconds=16, sample_rate=48_000, channels=2)
    url = service.url() + NATIVE
    audio = Audio.from_bytes(wav).to_block()
    model = ChatQwenAudio(model=MODEL, base_url=url, api_key=KEY)
    uploading = ChatQwenAudio(model=MODEL, base_url=url, api_key=KEY, audio_transport="upload")
    of_sdk = _user(*_for_sdk(pybase64.b64encode_as_string(wav)))

    def sent(ask: Callable[[Any], object], first: list[Any], turns: int) -> float:
        service.seen()
        for turn in range(turns):
            ask(first + GO_ON * turn)
        return service.seen().body_bytes / len(wav)

    sdk = Sdk(url)
    what = "bytes sent of a 16 s, 48 kHz stereo WAV"
    for name, ask, turns, target in (
        (f"{what}, one turn", model.invoke, 1, 0.25),
        (f"{what}, {TURNS} turns", model.invoke, TURNS, 2.5),
        (f"{what}, {TURNS} turns, uploaded", uploading.invoke, TURNS, 0.25),
    ):
        otherwise = Beside("SDK", sent(sdk.invoke, of_sdk, turns))
        ours = sent(ask, _user(audio), turns)
        yield Row(name, ours, "× the file", otherwise=otherwise, target=Target(target))


def _user(*content: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(content)}]


def _for_sdk(base64: str) -> list[dict[str, Any]]:
    return [{"audio": {"data": base64, "format": "wav"}}]
