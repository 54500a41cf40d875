"""Answers of a live session → runs of LangChain, for callbacks and traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.callbacks import AsyncCallbackManager, AsyncCallbackManagerForLLMRun
from langchain_core.load import dumpd
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, LLMResult

from langchain_qwen_audio._live.events import ResponseFinished, ResponseStarted, TextDelta

if TYPE_CHECKING:
    from langchain_core.messages import BaseMessage

    from langchain_qwen_audio._live.conversation import SessionMessages
    from langchain_qwen_audio._live.events import LiveEvent
    from langchain_qwen_audio._settings import BaseChatQwenAudio


class AnswerRuns:
    """Tells the callbacks of a model of each answer: its beginning, its tokens, its end."""

    def __init__(self, settings: BaseChatQwenAudio) -> None:
        """Take the model, with its callbacks, tags and metadata."""
        self._settings = settings
        self._serialized = dumpd(settings)
        self._run: AsyncCallbackManagerForLLMRun | None = None

    async def note(self, event: LiveEvent, conversation: SessionMessages) -> None:
        """Note an event.

        Args:
            event: The event.
            conversation: The conversation by then, as far as it has been transcribed.
        """
        if isinstance(event, ResponseStarted):
            self._run = await self._start(conversation.messages)
        elif self._run is None:
            return
        elif isinstance(event, TextDelta):
            chunk = ChatGenerationChunk(
                message=AIMessageChunk(content=event.text, id=event.response_id)
            )
            await self._run.on_llm_new_token(event.text, chunk=chunk)
        elif isinstance(event, ResponseFinished):
            run, self._run = self._run, None
            generation = ChatGeneration(message=event.message)
            await run.on_llm_end(LLMResult(generations=[[generation]]))

    async def fail(self, error: BaseException) -> None:
        """Note that the session broke, or was left, within an answer."""
        if self._run is not None:
            run, self._run = self._run, None
            await run.on_llm_error(error)

    async def _start(self, messages: list[BaseMessage]) -> AsyncCallbackManagerForLLMRun:
        manager = AsyncCallbackManager.configure(
            local_callbacks=self._settings.callbacks,
            verbose=self._settings.verbose,
            local_tags=self._settings.tags,
            local_metadata=self._settings.metadata,
        )
        (run,) = await manager.on_chat_model_start(
            self._serialized,
            [messages],
            name=self._settings.get_name(),
            invocation_params={"model": self._settings.model},
        )
        return run
