"""Talk to an agent: `pip install langchain`.

Live transcription gives what the user says, an agent with tools writes the answer, and a model
reads it aloud, sentence by sentence, while the agent writes. A user who speaks interrupts it.
With a real microphone, use headphones, or the answer interrupts itself.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Literal

from connect import SAMPLE, connect
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage
from langchain_core.tools import tool

from langchain_qwen_audio import Audio

SENTENCE = re.compile(r".+?(?:[.!?]\s+|[\u3002\uff01\uff1f]\s*)", re.DOTALL)  # or Chinese marks
# Programs that play a WAV file while it is written to their input.
PLAYERS = (["aplay", "-q", "-"], ["ffplay", "-nodisp", "-autoexit", "-loglevel", "quiet", "-"])
PLAYER = next((command for command in PLAYERS if shutil.which(command[0])), None)


@tool
def studio_hours(day: Literal["weekday", "weekend"]) -> str:
    """Look up when the recording studio is open."""
    return {"weekday": "from 8 to 20 o'clock", "weekend": "from 10 to 14 o'clock"}[day]


model = connect(model="qwen3.5-omni-flash")
asr = model.model_copy(update={"model": "qwen3-asr-flash-realtime"})
# A model calls no tools while it speaks, so the agent writes, and this one reads it aloud.
voice = model.model_copy(update={"modalities": ["text", "audio"], "voice": "Tina"})
agent = create_agent(model, [studio_hours], system_prompt="You are on the phone. Be brief.")
conversation: list[AnyMessage] = []


async def microphone() -> AsyncIterator[bytes]:
    """Stand for your microphone: pieces of 100 ms, and a pause at the end."""
    samples = b"".join(Audio.from_path(SAMPLE).decode(16_000)) + bytes(32_000)
    for start in range(0, len(samples), 3200):
        yield samples[start : start + 3200]
        await asyncio.sleep(0.1)


async def write() -> AsyncGenerator[str]:
    """Yield the sentences of the agent's answer as soon as each is complete."""
    text = ""
    async for chunk, _ in agent.astream({"messages": [*conversation]}, stream_mode="messages"):
        if isinstance(chunk, AIMessageChunk):
            text += chunk.text
            while match := SENTENCE.match(text):
                yield match[0]
                text = text[match.end() :]
    if text:
        yield text


async def speak(text: str) -> AsyncGenerator[bytes]:
    """Yield a WAV file in which a text is read, while it is made."""
    async for chunk in voice.astream(f"Read this aloud, word for word, and add nothing: {text}"):
        for block in chunk.content_blocks:
            if block["type"] == "audio":
                yield Audio.from_base64(block["base64"]).data


async def play(wav: AsyncIterator[bytes]) -> None:
    """Play a file while it comes; stop at once when this is cancelled."""
    if PLAYER is None:
        print(f"  ({sum([len(data) async for data in wav]):,} bytes of speech, and no player here)")
        return
    process = await asyncio.create_subprocess_exec(*PLAYER, stdin=asyncio.subprocess.PIPE)
    assert process.stdin is not None  # noqa: S101
    try:
        async for data in wav:
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()
        await process.wait()
    except asyncio.CancelledError:
        process.kill()
        raise


async def answer(question: str) -> None:
    """Answer; what the user has not been told when they interrupt is not in the conversation."""
    conversation.append(HumanMessage(question))
    spoken = ""
    try:
        async with aclosing(write()) as sentences:
            async for sentence in sentences:
                spoken += sentence
                print(f"agent: {sentence}")
                async with aclosing(speak(sentence)) as wav:
                    await play(wav)
    except asyncio.CancelledError:
        print("agent: (interrupted)")
        raise
    finally:
        conversation.append(AIMessage(spoken or "(interrupted)"))


async def main() -> None:
    """Answer each sentence of the user; a new one interrupts the answer to the last."""
    async with (
        asyncio.TaskGroup() as tasks,
        aclosing(asr.transcribe_live(microphone())) as sentences,
    ):
        answering = tasks.create_task(asyncio.sleep(0))
        async for sentence in sentences:
            if sentence.text and not answering.done():
                answering.cancel()
                await asyncio.wait([answering])
            if sentence.error:
                print(f"not transcribed: {sentence.error}")
            if sentence.is_final and sentence.text:
                print(f"user:  {sentence.text}")
                answering = tasks.create_task(answer(sentence.text))


asyncio.run(main())
