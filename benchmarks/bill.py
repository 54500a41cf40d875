"""What is billed → tokens, bytes and cost, with and without what this package has against them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage

from benchmarks import clips
from benchmarks.prompts import MISSING, are_installed, join_prompts
from benchmarks.speech import LONG_PAUSES_S, MAX_MORE, load
from benchmarks.table import Beside, Row, Skipped, Target
from langchain_qwen_audio import Audio, ChatQwenAudio, Cost
from langchain_qwen_audio.local import LocalDashScope, ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from langchain_core.outputs import LLMResult

TURNS, CLIP_S = 10, 300.0
MODEL, TRANSCRIBER = "qwen3.5-omni-flash", "qwen3-asr-flash"
WORDS = 375  # that are spoken in half of the clip: it is transcribed in two parts
ANSWER = "She welcomes the caller and asks for patience. " * 5
MEGA = 1e6


def measure(minutes: float = 60.0) -> Iterator[Row | Skipped]:
    """Count what pauses cost, and what a clip costs that a conversation is about."""
    yield silence(minutes)
    yield from memory()


def silence(minutes: float) -> Row | Skipped:
    """Load human speech with long pauses, with and without its silence."""
    what = f"audio tokens of {minutes:g} minutes of prompts with pauses, `skip_silence`"
    if not are_installed():
        return Skipped(what, MISSING)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prompts.wav"
        placed = join_prompts(path, minutes * 60, LONG_PAUSES_S)
        whole, spoken = (load(path, skip_silence=it) for it in (False, True))
    everything, sent = (it.usage["input_token_details"]["audio"] for it in (whole, spoken))
    speech_s = sum(it.prompt.length_s for it in placed)
    of_speech = Beside("the speech alone", everything * speech_s / whole.audio_s, Target(MAX_MORE))
    return Row(
        what, sent, "tokens", otherwise=Beside("with the silence", everything), limit=of_speech
    )


class Bill(BaseCallbackHandler):
    """Adds up the tokens and the cost of all answers."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.tokens = 0  # of the model; the transcriber is billed by the second
        self._costs: list[Cost] = []

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Add an answer."""
        message = response.generations[0][0].message  # type: ignore[union-attr]
        assert isinstance(message, AIMessage)  # noqa: S101
        if message.usage_metadata and message.response_metadata["model_name"] == MODEL:
            self.tokens += message.usage_metadata["input_tokens"]
        self._costs.append(Cost.of(message))

    @property
    def amount(self) -> float:
        """Yuan of all answers, transcripts included."""
        amount = sum(self._costs, start=Cost()).amount
        assert amount is not None  # noqa: S101  # both models have prices
        return float(amount)


def memory() -> Iterator[Row]:
    """Talk about one clip, with the whole history each turn, and with the memory of agents."""
    audio = Audio.from_bytes(clips.wav(CLIP_S, 16_000, 1), name="call.wav")
    (plain, plain_bytes), (kept, kept_bytes) = converse(audio, None), converse(audio, 2)
    what = f"{TURNS} turns about {CLIP_S / 60:g} minutes of sound, `AudioMiddleware`"
    name = "the history as it is"
    yield Row(f"{what}: its input tokens", kept.tokens, "tokens", Beside(name, plain.tokens))
    sent = Beside(name, plain_bytes / MEGA)
    yield Row(f"{what}: sent", kept_bytes / MEGA, "MB", sent)
    yield Row(f"{what}: cost", kept.amount, "CNY", Beside(name, plain.amount))


def converse(audio: Audio, keep_turns: int | None) -> tuple[Bill, int]:
    """Hold a conversation about a clip; return its bill, and how many bytes were sent."""
    bill, sent = Bill(), 0

    def reply(request: ReceivedRequest) -> Reply:
        nonlocal sent
        sent += len(request.body)
        return Reply("word " * WORDS if request.json["model"] == TRANSCRIBER else ANSWER)

    with LocalDashScope(reply=reply, max_log=1) as server, tempfile.TemporaryDirectory() as folder:
        options: dict[str, Any] = {
            "base_url": server.base_url,
            "api_key": "local",
            "region": "cn-beijing",
            "callbacks": [bill],
        }
        agent = _agent(options, folder, keep_turns)
        content: list[Any] = [audio.to_block(), {"type": "text", "text": "What is said?"}]
        messages: list[Any] = [{"role": "user", "content": content}]
        for _ in range(TURNS):
            messages = agent.invoke({"messages": messages})["messages"]
            messages.append({"role": "user", "content": "And what follows from that?"})
    return bill, sent


def _agent(options: dict[str, Any], folder: str, keep_turns: int | None) -> Any:
    """Make an agent; None is one without a memory of recordings."""
    from langchain.agents import create_agent

    from langchain_qwen_audio.middleware import AudioMiddleware

    model = ChatQwenAudio(model=MODEL, **options)
    if keep_turns is None:
        return create_agent(model)
    transcriber = ChatQwenAudio(model=TRANSCRIBER, **options)
    memory = AudioMiddleware(folder, transcriber=transcriber, keep_turns=keep_turns)
    return create_agent(model, middleware=[memory])
