"""Middleware for LangChain's `create_agent`: recordings in the memory of an agent.

before_model: audio ─► store; in the messages, what names it ─► transcripts, where it is old
wrap_model_call: what names it ─► audio
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage, convert_to_messages
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.tools import StructuredTool, ToolException
from pydantic import ValidationError

from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError

try:
    from langchain.agents.middleware import AgentMiddleware
    from langgraph.types import Command
except ImportError as error:
    raise ImportError(
        "langchain_qwen_audio.middleware needs LangChain's agents: "
        'pip install "langchain-qwen-audio[agents]"'
    ) from error

from langchain_qwen_audio._agent_memory.blocks import (
    audio_in,
    is_answer_in_words,
    older_than,
    recordings_in,
    seconds_in,
    stored_block,
    stored_blocks,
    with_blocks,
    with_sound,
    with_transcripts,
    without_sound,
)
from langchain_qwen_audio._agent_memory.recordings import AnyStore, RecordingStore
from langchain_qwen_audio._agent_memory.tool_results import returning_blocks
from langchain_qwen_audio._agent_memory.transcripts import StoredTranscripts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from langchain.agents.middleware import AgentState, ModelRequest, ModelResponse
    from langchain.agents.middleware.types import ToolCallRequest
    from langchain_core.messages import MessageLikeRepresentation
    from langgraph.runtime import Runtime

    from langchain_qwen_audio.chat_models import ChatQwenAudio

__all__ = ["AudioMiddleware"]

MOST_TOKENS_PER_S = 25.0  # of all models whose number is known


class AudioMiddleware(AgentMiddleware[Any, Any, Any]):
    """Keep recordings of a conversation in a store, and give them to the model where it needs them.

    In the messages of the agent, and so in its checkpoints, the bytes of a recording are replaced
    by its id. On the way to the model the sound is put back, as a standard audio block that other
    providers' models take too. What is older than `keep_turns` turns is replaced by its transcript;
    the tool `load_recording` loads the sound again.

    Put it before other middleware that reads messages, such as `SummarizationMiddleware`.

    What goes out: recordings of the last `keep_turns` turns with each request, and an older one
    once more, to `transcriber`. `PIIMiddleware` redacts text, and not sound, and only in the last
    message of the user: with it, pass `keep_turns=0`.

    The first checkpoint of a run holds the input as it came. To keep bytes out of that one too,
    store recordings yourself: `to_blocks`.

    Example:
        ```python
        from langchain.agents import create_agent
        from langchain_qwen_audio import Audio, ChatQwenAudio
        from langchain_qwen_audio.middleware import AudioMiddleware

        memory = AudioMiddleware("recordings/")
        agent = create_agent(ChatQwenAudio(model="qwen3.5-omni-flash"), middleware=[memory])
        question = {"type": "text", "text": "What does the speaker want?"}
        content = [*memory.to_blocks(Audio.from_path("welcome.wav")), question]
        answer = agent.invoke({"messages": [{"role": "user", "content": content}]})
        print(answer["messages"][-1].text)
        ```
    """

    def __init__(
        self,
        store: AnyStore,
        *,
        transcriber: ChatQwenAudio | None = None,
        keep_turns: int = 2,
        load_tool: bool = True,
    ) -> None:
        """Say where recordings are kept.

        Args:
            store: A directory, a LangChain store of bytes, or a LangGraph store. Whoever knows the
                id of a recording in it can have it loaded, so give each user their own.
            transcriber: The model that writes the transcripts; by default qwen3-asr-flash.
            keep_turns: In so many of the last turns, recordings are sent as sound. 0 sends
                transcripts only, for a model without audio input.
            load_tool: Whether the model may load a recording again, by the tool `load_recording`;
                not where `keep_turns` is 0. A model that speaks takes no tools.

        Raises:
            TypeError: `store` is none of these.
            ValueError: `keep_turns` is negative, or no transcriber came, and there is no key for
                the default one.
        """
        super().__init__()
        if keep_turns < 0:
            raise ValueError(f"keep_turns is {keep_turns}; expected 0 or more")
        self.keep_turns = keep_turns
        self.tools = [self._loading_tool()] if load_tool and keep_turns else []
        self._recordings = RecordingStore(store)
        try:
            self._transcripts = StoredTranscripts(self._recordings, transcriber)
        except ValidationError as error:  # now, and not when a recording is old
            raise ValueError(
                "old recordings are transcribed by qwen3-asr-flash, for which there is no API key: "
                "set DASHSCOPE_API_KEY, or pass transcriber=ChatQwenAudio(model='qwen3-asr-flash', "
                "api_key=…)"
            ) from error

    # --- for the application ---

    def to_blocks(self, audio: Audio) -> list[dict[str, Any]]:
        """Store a recording, and make the content blocks that stand for it in a message.

        Raises:
            AudioError: It is not usable.
        """
        duration_s, mime_type = audio.duration_s, audio.mime_type
        return stored_blocks(self._recordings.put(audio), duration_s, mime_type)

    async def ato_blocks(self, audio: Audio) -> list[dict[str, Any]]:
        """Store a recording without blocking the event loop; see `to_blocks`."""
        return await asyncio.to_thread(self.to_blocks, audio)

    def get_recording(self, recording_id: str) -> Audio:
        """Find a recording, to play it for example.

        Args:
            recording_id: The `file_id` of its block.

        Raises:
            AudioError: There is none with this id.
        """
        return self._recordings.get(recording_id)

    async def aget_recording(self, recording_id: str) -> Audio:
        """Find a recording without blocking the event loop; see `get_recording`."""
        return await asyncio.to_thread(self.get_recording, recording_id)

    def token_counter(
        self, llm: ChatQwenAudio | None = None
    ) -> Callable[[Iterable[MessageLikeRepresentation]], int]:
        """Make what counts the tokens of messages, for `trim_messages` and summaries.

        Text is counted approximately, as LangChain does; recordings by their length.

        Args:
            llm: The model whose tokens are counted. By default a second counts as 25 tokens, the
                most that any model has; so it does where the model's number is not known.

        Example:
            ```python
            SummarizationMiddleware(
                llm, trigger=("tokens", 50_000), token_counter=memory.token_counter(llm)
            )
            ```
        """
        known = None if llm is None else llm.route().profile.tokens_per_s
        rate = MOST_TOKENS_PER_S if known is None else known
        return partial(_count_tokens, tokens_per_s=rate)

    # --- for the agent ---

    def before_model(
        self,
        state: AgentState[Any],
        runtime: Runtime[Any],  # noqa: ARG002
    ) -> dict[str, Any] | None:
        """Store recordings, and transcribe old ones."""
        stored = self._store_all(state["messages"])
        transcripts = self._transcripts.find(self._old(stored))
        return _changed(state["messages"], self._shortened(stored, transcripts))

    async def abefore_model(
        self,
        state: AgentState[Any],
        runtime: Runtime[Any],  # noqa: ARG002
    ) -> dict[str, Any] | None:
        """Store recordings, and transcribe old ones, without blocking the event loop."""
        stored = await asyncio.to_thread(self._store_all, state["messages"])
        transcripts = await self._transcripts.afind(self._old(stored))
        return _changed(state["messages"], self._shortened(stored, transcripts))

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Put the sound of recordings into the request."""
        return handler(request.override(messages=self._with_sound(request.messages)))

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Put the sound of recordings into the request, without blocking the event loop."""
        messages = await asyncio.to_thread(self._with_sound, request.messages)
        return await handler(request.override(messages=messages))

    def wrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]],
    ) -> ToolMessage | Command[Any]:
        """Store the recordings that a tool returns, also in a list or as its artifact."""
        result: ToolMessage | Command[Any] = self._store_result(handler(_with_blocks(request)))
        return result

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage | Command[Any]:
        """Store the recordings that a tool returns, without blocking the event loop."""
        answered = await handler(_with_blocks(request))
        result: ToolMessage | Command[Any] = await asyncio.to_thread(self._store_result, answered)
        return result

    # --- steps ---

    def _store_all(self, messages: Sequence[BaseMessage]) -> list[BaseMessage]:
        """Store all recordings of messages; what the model says aloud stays for its caller."""
        is_spoken = bool(messages) and isinstance(messages[-1], AIMessage)
        before = messages[:-1] if is_spoken else messages
        return [*map(self._store, before), *messages[len(before) :]]

    def _store(self, message: BaseMessage) -> BaseMessage:
        write = self._without_name if isinstance(message, AIMessage) else self.to_blocks

        def stored(block: Any) -> list[dict[str, Any]] | None:
            audio = audio_in(block)
            return None if audio is None else write(audio)

        return with_blocks(message, stored)

    def _without_name(self, audio: Audio) -> list[dict[str, Any]]:
        """Store what the model said, without a text that it could take for its own."""
        return [stored_block(self._recordings.put(audio), audio.duration_s, audio.mime_type)]

    def _store_result(self, result: Any) -> Any:
        """Store the recordings of a result: a message, a command, or a list of these."""
        match result:
            case list():
                return [self._store_result(it) for it in result]
            case ToolMessage():
                stored, artifact = self._store(result), self._stored_artifact(result.artifact)
                return stored.model_copy(update={"artifact": artifact})
            case Command(update={"messages": list() as messages, **others}):
                stored_messages = [self._store_result(it) for it in messages]
                return replace(result, update={**others, "messages": stored_messages})
            case _:
                return result

    def _stored_artifact(self, artifact: Any) -> Any:
        """Put ids in place of each `Audio`, of which a checkpoint would have the bytes."""
        match artifact:
            case Audio():
                return {"file_id": self._recordings.put(artifact)}
            case dict():
                return {name: self._stored_artifact(value) for name, value in artifact.items()}
            case list():
                return [self._stored_artifact(value) for value in artifact]
            case _:
                return artifact

    def _old(self, messages: Sequence[BaseMessage]) -> list[str]:
        """List the recordings that are older than the turns that are kept."""
        old = older_than(messages, self.keep_turns)
        return recordings_in(it for it in old if not is_answer_in_words(it))

    def _shortened(
        self, messages: Sequence[BaseMessage], transcripts: dict[str, str]
    ) -> list[BaseMessage]:
        old = len(older_than(messages, self.keep_turns))
        return [*(with_transcripts(it, transcripts) for it in messages[:old]), *messages[old:]]

    def _with_sound(self, messages: Sequence[BaseMessage]) -> list[Any]:
        named = recordings_in(it for it in messages if not is_answer_in_words(it))
        return with_sound(messages, {it: self._recordings.get(it) for it in named})

    # --- the tool ---

    def _loading_tool(self) -> StructuredTool:
        def load_recording(
            recording_id: str, start_s: float = 0.0, end_s: float | None = None
        ) -> list[dict[str, Any]]:
            """Load the sound of an earlier recording of this conversation, or a part of it.

            Args:
                recording_id: Such as audio-0123456789abcdef.
                start_s: Where the part begins, in seconds.
                end_s: Where it ends; the end of the recording by default.
            """
            try:
                audio = self._recordings.get(recording_id)
                is_whole = start_s <= 0 and end_s is None
                name, block = self.to_blocks(audio if is_whole else audio.excerpt(start_s, end_s))
            except AudioError as error:
                raise ToolException(str(error)) from error
            return [name, {**block, "type": "file"}]

        return StructuredTool.from_function(
            load_recording, parse_docstring=True, handle_tool_error=True
        )


def _changed(before: Sequence[BaseMessage], after: Sequence[BaseMessage]) -> dict[str, Any] | None:
    """Return what replaces messages of the state, by their ids; None if none is to be replaced."""
    changed = [new for old, new in zip(before, after, strict=True) if new is not old]
    return {"messages": changed} if changed else None


def _with_blocks(request: ToolCallRequest) -> ToolCallRequest:
    """Have a tool that is known here return blocks where it returns recordings in a list."""
    return request.override(tool=returning_blocks(request.tool)) if request.tool else request


def _count_tokens(messages: Iterable[MessageLikeRepresentation], *, tokens_per_s: float) -> int:
    several = convert_to_messages(messages)
    texts = count_tokens_approximately(map(without_sound, several))
    return texts + round(sum(max(1.0, it) for it in seconds_in(several)) * tokens_per_s)
