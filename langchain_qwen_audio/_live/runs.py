"""Answers of a live session → runs of LangChain, for callbacks and traces."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManager, AsyncCallbackManagerForLLMRun
from langchain_core.load import dumpd
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from langchain_qwen_audio._live.events import ResponseFinished, ResponseStarted, TextDelta

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from langchain_core.messages import AIMessage, BaseMessage

    from langchain_qwen_audio._live.conversation import SessionMessages
    from langchain_qwen_audio._live.events import LiveEvent
    from langchain_qwen_audio._settings import BaseChatQwenAudio

_CALLBACK_S = 5.0  # more than a callback takes; one that takes longer goes on by itself


class AnswerRuns:
    """Tells the callbacks of a model of each answer: its beginning, its tokens, its end.

    A beginning or an end that callbacks are being told of is not cut off when the session is left.
    """

    def __init__(self, settings: BaseChatQwenAudio) -> None:
        """Take the model, with its callbacks, tags and metadata."""
        self._settings = settings
        self._serialized = dumpd(settings)
        self._run: AsyncCallbackManagerForLLMRun | None = None
        self._telling: asyncio.Task[None] | None = None

    async def note(self, event: LiveEvent, conversation: SessionMessages) -> None:
        """Note an event.

        Args:
            event: The event.
            conversation: The conversation by then, as far as it has been transcribed.
        """
        if isinstance(event, ResponseStarted):
            await self._tell(self._start(conversation.messages))
        elif self._run is None:
            return
        elif isinstance(event, TextDelta):
            chunk = ChatGenerationChunk(
                message=AIMessageChunk(content=event.text, id=event.response_id)
            )
            await self._run.on_llm_new_token(event.text, chunk=chunk)
        elif isinstance(event, ResponseFinished):
            run, self._run = self._run, None
            await self._tell(_end(run, event.message))

    async def fail(self, error: BaseException) -> None:
        """Note that the session broke, or was left, within an answer."""
        if self._telling is not None:
            await asyncio.wait([self._telling], timeout=_CALLBACK_S)
        if self._run is not None:
            run, self._run = self._run, None
            await run.on_llm_error(error)

    async def _tell(self, telling: Coroutine[Any, Any, None]) -> None:
        self._telling = asyncio.create_task(telling)
        await asyncio.shield(self._telling)

    async def _start(self, messages: list[BaseMessage]) -> None:
        manager = AsyncCallbackManager.configure(
            local_callbacks=self._settings.callbacks,
            verbose=self._settings.verbose,
            local_tags=self._settings.tags,
            local_metadata=self._settings.metadata,
        )
        (self._run,) = await manager.on_chat_model_start(
            self._serialized,
            [messages],
            name=self._settings.get_name(),
            invocation_params={"model": self._settings.model},
        )


async def _end(run: AsyncCallbackManagerForLLMRun, message: AIMessage) -> None:
    await run.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]))
