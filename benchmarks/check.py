"""Counts that do not wobble, against those on record → a guard. See README.md.

python -m benchmarks.check [--record]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import tempfile
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pybase64

from benchmarks import clips
from benchmarks.counting import PACKAGE, count_callbacks, count_functions, count_opens
from benchmarks.live_service import LiveService
from benchmarks.service import NATIVE, OPENAI, Service
from langchain_qwen_audio import Audio, ChatQwenAudio, QwenAudioLoader
from langchain_qwen_audio.live import AudioDelta

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

RECORD = Path(__file__).with_name("counts.json")
TOLERANCE = 1.05  # of versions of what is below, not of changes here
MODEL = "qwen-audio-turbo-latest"

Counts = dict[str, float]


def regressions(counts: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """Say which counts are higher than on record, or not on record."""
    return [
        f"{name}: {count:,g}, and {recorded.get(name, 0):,g} on record"
        for name, count in counts.items()
        if count > recorded.get(name, -1) * TOLERANCE
    ]


def count_everything() -> Counts:
    """Count what each thing that this package does takes."""
    with Service() as service:
        return {
            **_count_calls(service),
            **_count_callbacks(service),
            **_count_opens(service),
            **_count_conversation(service, "auto"),
            **_count_conversation(service, "upload"),
            **_count_history(service),
            **_count_copies(service),
            **_count_leaks(service),
            **_count_live_frames(),
            **_count_imports(),
        }


def _model(service: Service, **options: Any) -> ChatQwenAudio:
    return ChatQwenAudio(model=MODEL, base_url=service.url() + NATIVE, api_key="key", **options)


def _count_calls(service: Service) -> Counts:
    """Count requests, bytes and work of a short call and a short stream."""
    model = _model(service)
    ways: dict[str, Callable[[], object]] = {
        "invoke": lambda: model.invoke("What is said?"),
        "ainvoke": lambda: asyncio.run(model.ainvoke("What is said?")),
        "stream of 50": lambda: len([*model.stream("What is said?")]),
    }
    counts: Counts = {}
    for name, way in ways.items():
        way()
        service.seen()
        work = count_functions(way)
        seen = service.seen()
        counts[f"{name}: requests"] = seen.requests
        counts[f"{name}: bytes sent"] = seen.body_bytes
        counts[f"{name}: calls of our functions"] = sum(work.values())
    return counts


def _count_callbacks(service: Service) -> Counts:
    """Count what the event loop and threads do for a call, when there is a connection."""

    async def count() -> tuple[int, int]:
        model = _model(service)
        await model.ainvoke("What is said?")
        return await count_callbacks(lambda: model.ainvoke("What is said?"))

    callbacks, threads = asyncio.run(count())
    return {"ainvoke: callbacks of the event loop": callbacks, "ainvoke: jobs of threads": threads}


def _count_opens(service: Service) -> Counts:
    """Count how often a clip's file is opened, in a message and by the loader."""
    model = _model(service)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        path.write_bytes(clips.wav(5, 16_000, 1))
        ways = {
            "invoke": lambda: model.invoke([("user", [Audio.from_path(path).to_block()])]),
            "loader": QwenAudioLoader(path, llm=model).load,
        }
        return {f"{name}: opens of a clip": count_opens(path, ways[name]) for name in ways}


def _count_conversation(service: Service, transport: str) -> Counts:
    """Count what ten turns about a 16 s recording send, and how often the codec is at work."""
    model = _model(service, audio_transport=transport)
    recording = clips.wav(seconds=16, sample_rate=48_000, channels=2, seed=len(transport))
    block = Audio.from_bytes(recording).to_block()

    def ten_turns() -> None:
        messages: list[Any] = [{"role": "user", "content": [block]}]
        for _ in range(10):
            messages += [model.invoke(messages), ("user", "Go on.")]

    service.seen()
    work = count_functions(ten_turns)
    seen = service.seen()
    about = f"ten turns, {transport}"
    return {
        f"{about}: requests": seen.requests,
        f"{about}: bytes sent per byte of the file": round(seen.body_bytes / len(recording), 3),
        f"{about}: decoded": work["bounded.bounded_decode"],
        f"{about}: encoded": work["wav.encode_wav"] + work["mp3.encode_mp3"],
        f"{about}: jobs of workers": work["worker_pool.run"],
    }


def _count_history(service: Service) -> Counts:
    """Count the work that each turn of a long conversation adds."""
    model = _model(service)

    def work(turns: int) -> int:
        messages = [("user", "And now?"), ("assistant", "Welcome.")] * turns
        return sum(count_functions(lambda: model.invoke([*messages, ("user", "?")])).values())

    work(1)
    added = work(200) - work(100)
    return {"200 turns: calls of our functions, each turn": added / 100}


def _count_copies(service: Service) -> Counts:
    """Count copies of an 8 MB clip, in memory and at once, the SDK's own among them."""
    text = pybase64.b64encode_as_string(clips.wav(250, 16_000, 1))
    url = f"{service.url()}{OPENAI}/own"
    model = ChatQwenAudio(model="own", base_url=url, api_key="key")
    audio = {"type": "audio", "base64": text, "mime_type": "audio/wav"}
    message = {"role": "user", "content": [audio, {"type": "text", "text": "What is said?"}]}
    model.invoke([message])
    counts: Counts = {}
    asks: dict[str, Callable[[], object]] = {
        "invoke": lambda: model.invoke([message]),
        "stream": lambda: [*model.stream([message])],
    }
    for name, ask in asks.items():
        gc.collect()
        tracemalloc.start()
        ask()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        counts[f"{name} with 8 MB: copies at once"] = round(peak / len(text))
    return counts


def _count_leaks(service: Service) -> Counts:
    """Count blocks of memory that a call leaves behind."""
    model = _model(service)
    ours = tracemalloc.Filter(inclusive=True, filename_pattern=f"{PACKAGE}/*")

    def blocks(calls: int) -> int:
        for _ in range(calls):
            model.invoke("What is said?")
            list(model.stream("What is said?"))
        gc.collect()
        found = tracemalloc.take_snapshot().filter_traces([ours]).statistics("filename")
        return sum(statistic.count for statistic in found)

    tracemalloc.start()
    before = blocks(20)
    left = blocks(100) - before
    tracemalloc.stop()
    return {"a hundred calls: blocks left behind, in tens": max(0, left) // 10}


def _count_live_frames() -> Counts:
    """Count the work that each audio frame of a live session adds, out and back."""

    async def talk(url: str, frames: int) -> None:
        model = ChatQwenAudio(model="qwen3.5-omni-flash-realtime", base_url=url, api_key="key")
        async with model.session(turn_detection=None) as session:
            for _ in range(frames):
                await session.send_audio(bytes(640))
                while not isinstance(await anext(session), AudioDelta):
                    pass

    def work(frames: int) -> int:
        talking = talk(service.url("echo"), frames)
        return sum(count_functions(lambda: asyncio.run(talking)).values())

    with LiveService() as service:
        work(1)
        added = work(200) - work(100)
    return {"live: calls of our functions, each frame": added / 100}


def _count_imports() -> Counts:
    """Count the modules that importing ChatQwenAudio loads besides langchain_core's."""
    program = (
        "from langchain_core.language_models.chat_models import BaseChatModel; import sys; "
        "before = set(sys.modules); from langchain_qwen_audio import ChatQwenAudio; "
        "print(*set(sys.modules) - before)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    own = [name for name in loaded if name.startswith("langchain_qwen_audio")]
    return {"import: modules of ours": len(own), "import: others": len(loaded) - len(own)}


def main() -> None:
    """Count, and compare or record."""
    parser = argparse.ArgumentParser(description="Compare counts with those on record.")
    parser.add_argument("--record", action="store_true", help="take what is counted for good")
    arguments = parser.parse_args()
    counts = count_everything()
    if arguments.record:
        RECORD.write_text(json.dumps(counts, indent=2) + "\n")
        return
    recorded = json.loads(RECORD.read_text())
    found = regressions(counts, recorded)
    for line in found:
        print(line)
    lower = [name for name in counts if name in recorded and counts[name] < recorded[name] * 0.95]
    for name in lower:
        print(f"{name}: {counts[name]:,g}, better than {recorded[name]:,g}: --record it")
    print(f"{len(counts)} counts, {len(found)} higher than on record")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
