"""The adapters of docs/voice-frameworks.md, with the frameworks, where they are installed.

pip install livekit-agents livekit-plugins-langchain pipecat-ai
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LiveReply, LocalDashScope, Reply
from tests.unit_tests._live.conversations import silence, tone
from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs" / "voice-frameworks.md"
SPEECH = tone(0.5, 24_000)
VOICE, ASR, LIVE = "qwen3.5-omni-flash", "qwen3-asr-flash-realtime", "qwen3.5-omni-flash-realtime"
# A sentence that the service does not transcribe.
FAILED = {
    "type": "conversation.item.input_audio_transcription.failed",
    "item_id": "i",
    "error": {"code": "x", "message": "too noisy"},
}

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def adapters(heading: str) -> dict[str, Any]:
    """Run the code of a section of the page."""
    section = PAGE.read_text().partition(f"\n## {heading}")[2].partition("\n## ")[0]
    names: dict[str, Any] = {"__name__": "page"}
    for block in section.split("```py\n")[1:]:
        exec(compile(block.partition("```")[0], PAGE.name, "exec"), names)  # noqa: S102
    return names


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        yield server


async def test_livekit_transcribes_live(server: LocalDashScope) -> None:
    pytest.importorskip("livekit.agents")
    from livekit import rtc

    page = adapters("LiveKit")
    server.script(LiveReply([FAILED]), "Are you open?")
    errors: list[Any] = []
    transcriber = page["QwenSTT"](ChatQwenAudio(model=ASR))
    transcriber.on("error", errors.append)
    stream = transcriber.stream()
    samples = (tone(0.3, 48_000) + bytes(96_000)) * 2
    for start in range(0, len(samples), 960):
        piece = samples[start : start + 960]
        stream.push_frame(rtc.AudioFrame(piece, 48_000, 1, len(piece) // 2))
    stream.end_input()
    events = [event async for event in stream]
    kinds = [event.type.value for event in events]
    assert kinds[0] == "start_of_speech"
    assert kinds[-2:] == ["final_transcript", "end_of_speech"]
    final = [it.alternatives[0].text for it in events if it.type.value == "final_transcript"]
    assert final == ["", "Are you open?"]
    assert [str(it.error) for it in errors] == ["too noisy (code=x)"]
    await stream.aclose()


async def test_livekit_speaks(server: LocalDashScope) -> None:
    pytest.importorskip("livekit.agents")
    page = adapters("LiveKit")
    server.script(Reply("We are open.", audio=SPEECH))
    speaker = page["QwenTTS"](ChatQwenAudio(model=VOICE, modalities=["text", "audio"]))
    async with speaker.synthesize("We are open.") as stream:
        frames = [it.frame async for it in stream]
    assert sum(frame.duration for frame in frames) == pytest.approx(0.5, abs=0.05)
    assert {frame.sample_rate for frame in frames} == {24_000}


async def test_a_livekit_session_answers(server: LocalDashScope) -> None:
    pytest.importorskip("livekit.agents")
    from livekit import rtc
    from livekit.agents import Agent
    from livekit.agents.voice import io

    class Microphone(io.AudioInput):
        pieces = iter([tone(0.3), *[silence(0.02)] * 10_000])

        async def __anext__(self) -> rtc.AudioFrame:
            await asyncio.sleep(0.02)
            piece = next(self.pieces)
            return rtc.AudioFrame(piece, 16_000, 1, len(piece) // 2)

    class Loudspeaker(io.AudioOutput):
        def __init__(self) -> None:
            super().__init__(label="", capabilities=io.AudioOutputCapabilities(pause=False))
            self.duration_s, self.is_over = 0.0, asyncio.Event()

        async def capture_frame(self, frame: rtc.AudioFrame) -> None:
            await super().capture_frame(frame)
            self.duration_s += frame.duration

        def flush(self) -> None:
            super().flush()
            self.on_playback_finished(playback_position=self.duration_s, interrupted=False)
            self.is_over.set()

        def clear_buffer(self) -> None:
            """Nothing waits to be played."""

    session = adapters("LiveKit")["make_session"]()
    server.script("When are you open?")
    server.script(Reply(tool_calls=[{"name": "open_hours", "arguments": {"day": "Monday"}}]))
    server.script("From 8 to 20.", Reply("From 8 to 20.", audio=SPEECH))
    loudspeaker = Loudspeaker()
    session.input.audio, session.output.audio = Microphone(label=""), loudspeaker
    await session.start(agent=Agent(instructions="Be brief."))
    async with asyncio.timeout(HANG_S):
        await loudspeaker.is_over.wait()
    await session.aclose()
    assert loudspeaker.duration_s == pytest.approx(0.5, abs=0.05)
    said = [it.text_content for it in session.history.items if it.type == "message"]
    assert said == ["When are you open?", "From 8 to 20."]


async def test_pipecat_has_a_live_session(server: LocalDashScope) -> None:
    pytest.importorskip("pipecat")
    from pipecat.frames import frames
    from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

    class Caller(FrameProcessor):
        async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            await self.push_frame(frame, direction)
            if isinstance(frame, frames.StartFrame):
                for pcm in (tone(0.3), silence(1.0)):
                    await self.push_frame(frames.InputAudioRawFrame(pcm, 16_000, 1))

    class Collector(FrameProcessor):
        found: ClassVar[list[frames.Frame]] = []

        async def process_frame(self, frame: frames.Frame, direction: FrameDirection) -> None:
            await super().process_frame(frame, direction)
            self.found.append(frame)
            await self.push_frame(frame, direction)
            if isinstance(frame, frames.LLMFullResponseEndFrame):
                await self.push_frame(frames.EndWorkerFrame(), FrameDirection.UPSTREAM)

    class Transport:
        input, output = Caller, Collector

    server.script(Reply("We are.", audio=SPEECH, input_transcript="Are you open?"))
    async with asyncio.timeout(HANG_S):
        await adapters("Pipecat: a live session")["talk"](Transport())
    found = Collector.found
    kinds = [type(frame).__name__ for frame in found]
    assert kinds.index("InterruptionFrame") < kinds.index("LLMFullResponseStartFrame")
    assert "".join(it.text for it in found if isinstance(it, frames.TTSTextFrame)) == "We are."
    assert b"".join(it.audio for it in found if isinstance(it, frames.TTSAudioRawFrame)) == SPEECH
    heard = [it.text for it in found if isinstance(it, frames.TranscriptionFrame)]
    assert heard == ["Are you open?"]


async def test_pipecat_transcribes_live(server: LocalDashScope) -> None:
    pytest.importorskip("pipecat")
    from pipecat.frames import frames
    from pipecat.tests.utils import run_test

    page = adapters("Pipecat: an agent")
    server.script(LiveReply([FAILED]), "Are you open?")
    audio = [frames.InputAudioRawFrame(it, 16_000, 1) for it in (tone(0.3), silence(1.0)) * 2]
    stt = page["QwenSTT"](ChatQwenAudio(model=ASR), audio_passthrough=False)
    down, up = await run_test(stt, frames_to_send=audio, start_timeout=60)
    final = [it.text for it in down if isinstance(it, frames.TranscriptionFrame)]
    assert final == ["Are you open?"]
    assert [it.error for it in up if isinstance(it, frames.ErrorFrame)] == ["too noisy (code=x)"]


async def test_pipecat_runs_an_agent(server: LocalDashScope) -> None:
    pytest.importorskip("pipecat")
    from pipecat.frames import frames
    from pipecat.processors.aggregators.llm_context import LLMContext
    from pipecat.tests.utils import run_test

    agent = adapters("Pipecat: an agent")["make_agent"]("1")
    server.script(Reply(tool_calls=[{"name": "open_hours", "arguments": {"day": "Monday"}}]))
    server.script("From 8 to 20.")
    context = LLMContext([{"role": "user", "content": "When are you open?"}])
    down, _ = await run_test(
        agent, frames_to_send=[frames.LLMContextFrame(context)], start_timeout=60
    )
    texts = [it.text for it in down if isinstance(it, frames.TextFrame)]
    assert "".join(texts) == "From 8 to 20."
