"""QwenAudio: ChatQwenAudio as one of LlamaIndex's language models."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable
from llama_index.core.base.llms.generic_utils import (
    achat_to_completion_decorator,
    astream_chat_to_completion_decorator,
    chat_to_completion_decorator,
    stream_chat_to_completion_decorator,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.constants import DEFAULT_CONTEXT_WINDOW, DEFAULT_NUM_OUTPUTS
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_serializer,
    model_validator,
)

from langchain_qwen_audio._request.parameters import check_parameters
from langchain_qwen_audio._service.default_timeouts import DEFAULT_TIMEOUT_S
from langchain_qwen_audio.chat_models import ChatQwenAudio
from langchain_qwen_audio.llama_index._messages import (
    ChatResponseStream,
    keep_one_call,
    to_chat_response,
    to_langchain_messages,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from llama_index.core.chat_engine.types import AgentChatResponse
    from llama_index.core.tools.types import BaseTool

# Fields with the names, and the meaning, that they have in ChatQwenAudio.
_SHARED = ("model", "api_key", "base_url", "temperature", "max_tokens", "timeout", "max_retries")


class QwenAudio(FunctionCallingLLM):
    """Alibaba Cloud's audio models as a LlamaIndex LLM.

    Every field of `ChatQwenAudio` is taken by its name: `QwenAudio(model=…, long_audio="error")`.
    What an answer holds besides its blocks is in `raw`, which is LangChain's own message.

    Example:
        ```python
        from llama_index.core.llms import AudioBlock, ChatMessage, TextBlock

        from langchain_qwen_audio.llama_index import QwenAudio

        llm = QwenAudio(model="qwen3.5-omni-flash")
        question = [AudioBlock(path="meeting.mp3"), TextBlock(text="Who speaks?")]
        print(llm.chat([ChatMessage(blocks=question)]))
        ```

    Raises:
        QwenAudioError: Everything that can go wrong with a request, as for `ChatQwenAudio`.
    """

    model: str = Field(
        default="qwen-audio-turbo-latest",
        validation_alias=AliasChoices("model", "model_name"),
    )
    """Name of the model."""

    api_key: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("api_key", "dashscope_api_key"),
        exclude=True,
        repr=False,
    )
    """Key of the service, by default the variable `DASHSCOPE_API_KEY`; it is never serialized, so
    that another process must find it in its own environment."""

    base_url: str | None = None
    """Address of the service, by default as the environment says, or of a server of your own."""

    temperature: float | None = None
    """Randomness; by default the service's own, and 0.0 is 0.0."""

    max_tokens: int | None = None
    """Tokens of the longest answer."""

    timeout: float = DEFAULT_TIMEOUT_S
    """Seconds to wait for a connection, and for each next sign of life from the service."""

    max_retries: int = 2
    """How often a failed request is repeated, where that can help."""

    context_window: int | None = None
    """Tokens that the model takes and gives in one request; by default as far as they are known,
    which LlamaIndex packs its prompts by."""

    additional_kwargs: dict[str, Any] = Field(default_factory=dict)
    """The other fields of `ChatQwenAudio`, which are put here when given by name."""

    model_config = ConfigDict(
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # the input holds the key
    )

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, values: Any) -> Any:
        """Put what LlamaIndex does not know where ChatQwenAudio is told of it."""
        if not isinstance(values, dict):  # one that is made already
            return values
        known = {*cls.model_fields, "model_name", "dashscope_api_key"}
        own = {name: value for name, value in values.items() if name in known}
        rest = {name: value for name, value in values.items() if name not in known}
        rest.pop("class_name", None)  # LlamaIndex's own, in what it has serialized
        gathered = {**(own.pop("additional_kwargs", None) or {}), **rest}
        if mine := sorted(known & gathered.keys()):
            raise ValueError(f"additional_kwargs names {', '.join(mine)}: pass it by itself")
        return {**own, "additional_kwargs": gathered}

    @model_validator(mode="after")
    def _check(self) -> QwenAudio:
        try:
            self.chat_model  # noqa: B018
        except ValidationError as error:
            wrong = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            raise ValueError("; ".join(wrong)) from None
        return self

    @property
    def chat_model(self) -> ChatQwenAudio:
        """The LangChain model that does the work, as the fields say now."""
        shared = {name: getattr(self, name) for name in _SHARED}
        given = {name: value for name, value in shared.items() if value is not None}
        return ChatQwenAudio(**given, **self.additional_kwargs)

    @classmethod
    def class_name(cls) -> str:
        """Name the class, as LlamaIndex wants it in what it serializes."""
        return "QwenAudio"

    @property
    def metadata(self) -> LLMMetadata:
        """The model's limits, and whether it calls tools.

        Raises:
            NotFoundError: The model is retired, or this package cannot request it.
        """
        profile = self.chat_model.route().profile
        output = self.max_tokens or profile.max_output_tokens or DEFAULT_NUM_OUTPUTS
        known = profile.max_input_tokens
        window = DEFAULT_CONTEXT_WINDOW if known is None else known + output
        return LLMMetadata(
            context_window=self.context_window or window,
            num_output=output,
            is_chat_model=True,
            is_function_calling_model=profile.text,  # where the endpoint has none, in the prompt
            model_name=self.model,
        )

    # --- requests ---

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation.

        Args:
            messages: Of any role, with blocks of text and audio, and images where they are seen.
            **kwargs: Fields of `ChatQwenAudio` for this call, or parameters of the service.

        Raises:
            QwenAudioError: It went wrong; nothing becomes an empty answer.
        """
        return self._chat(messages, **kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation without blocking the event loop; see `chat`."""
        return await self._achat(messages, **kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation piece by piece; see `chat`.

        Yields:
            Responses whose `delta` is new, and whose message is everything so far. The last has
            the counts, and in `raw` the whole answer.
        """
        return self._stream_chat(messages, **kwargs)

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Answer a conversation piece by piece, not blocking the event loop; see `stream_chat`."""
        return await self._astream_chat(messages, **kwargs)

    @llm_completion_callback()
    def complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002
        **kwargs: Any,
    ) -> CompletionResponse:
        """Answer a text; see `chat`."""
        return chat_to_completion_decorator(self._chat)(prompt, **kwargs)

    @llm_completion_callback()
    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002
        **kwargs: Any,
    ) -> CompletionResponse:
        """Answer a text without blocking the event loop; see `chat`."""
        return await achat_to_completion_decorator(self._achat)(prompt, **kwargs)

    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """Answer a text piece by piece; see `stream_chat`."""
        return stream_chat_to_completion_decorator(self._stream_chat)(prompt, **kwargs)

    @llm_completion_callback()
    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """Answer a text piece by piece, not blocking the event loop; see `stream_chat`."""
        return await astream_chat_to_completion_decorator(self._astream_chat)(prompt, **kwargs)

    def _chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return to_chat_response(self._bound(kwargs).invoke(to_langchain_messages(messages)))

    async def _achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        encoded = await asyncio.to_thread(to_langchain_messages, messages)  # which reads files
        return to_chat_response(await self._bound(kwargs).ainvoke(encoded))

    def _stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        bound, encoded = self._bound(kwargs), to_langchain_messages(messages)

        def responses() -> ChatResponseGen:
            responses_so_far = ChatResponseStream()
            stream: Generator[AIMessageChunk] = bound.stream(encoded)  # type: ignore[assignment]
            with contextlib.closing(stream) as chunks:
                for chunk in chunks:
                    yield from responses_so_far.add(chunk)
            yield responses_so_far.finish()

        return responses()

    async def _astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        bound = self._bound(kwargs)
        encoded = await asyncio.to_thread(to_langchain_messages, messages)

        async def responses() -> ChatResponseAsyncGen:
            responses_so_far = ChatResponseStream()
            stream: AsyncGenerator[AIMessageChunk] = bound.astream(encoded)  # type: ignore[assignment]
            async with contextlib.aclosing(stream) as chunks:
                async for chunk in chunks:
                    for response in responses_so_far.add(chunk):
                        yield response
            yield responses_so_far.finish()

        return responses()

    def _bound(self, kwargs: dict[str, Any]) -> Runnable[Any, AIMessage]:
        """Make the model of one call, with what the call says."""
        tools = kwargs.pop("tools", None)
        if tools:
            return self.chat_model.bind_tools(tools, **kwargs)
        kwargs.pop("tool_choice", None)
        kwargs.pop("parallel_tool_calls", None)
        return self.chat_model.bind(**kwargs)

    # --- tools ---

    def _prepare_chat_with_tools(  # noqa: PLR0917
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: ARG002
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if isinstance(user_msg, str):
            user_msg = ChatMessage(role=MessageRole.USER, content=user_msg)
        if user_msg is not None:
            messages.append(user_msg)
        return {
            "messages": messages,
            "tools": [tool.metadata.to_openai_tool(skip_length_check=True) for tool in tools],
            "tool_choice": tool_choice or ("any" if tool_required else None),
            "parallel_tool_calls": allow_parallel_tool_calls,
            **kwargs,
        }

    def predict_and_call(self, *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Have the model call tools, and run them; see LlamaIndex's `FunctionCallingLLM`.

        Raises:
            InvalidRequestError: The model calls no tools.
            ValueError: It called none now, and `error_on_no_tool_call` is not False.
        """
        self._require_tools()
        return super().predict_and_call(*args, **kwargs)

    async def apredict_and_call(self, *args: Any, **kwargs: Any) -> AgentChatResponse:
        """Have the model call tools without blocking the event loop; see `predict_and_call`."""
        self._require_tools()
        return await super().apredict_and_call(*args, **kwargs)

    def _require_tools(self) -> None:
        # LlamaIndex would try an agent, and make an answer of whatever goes wrong.
        check_parameters(self.model, self.chat_model.route().profile, {"tools": ["any"]})

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],  # noqa: ARG002
        allow_parallel_tool_calls: bool = False,
        **kwargs: Any,  # noqa: ARG002
    ) -> ChatResponse:
        """Keep one call where LlamaIndex wants one; a model may make more."""
        if not allow_parallel_tool_calls:
            keep_one_call(response.message)
        return response

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,
        **kwargs: Any,  # noqa: ARG002
    ) -> list[ToolSelection]:
        """Find the calls in an answer; arguments that are no JSON object become none.

        Raises:
            ValueError: There are none, and that is an error.
        """
        blocks = response.message.blocks
        calls = [block for block in blocks if isinstance(block, ToolCallBlock)]
        if not calls and error_on_no_tool_call:
            raise ValueError(f"a tool call was expected, and {response.message.content!r} came")
        return [
            ToolSelection(
                tool_id=call.tool_call_id or "",
                tool_name=call.tool_name,
                tool_kwargs=call.tool_kwargs,
            )
            for call in calls
        ]

    # --- what is kept ---

    @field_serializer("additional_kwargs")
    def _kept(self, values: dict[str, Any]) -> dict[str, Any]:
        fields = ChatQwenAudio.model_fields
        return {
            name: value
            for name, value in values.items()
            if name not in fields or not fields[name].exclude
        }

    def __getstate__(self) -> dict[Any, Any]:
        # Of a copy: LlamaIndex deletes what cannot be pickled from the object itself.
        kept = {"api_key": None, "additional_kwargs": self._kept(self.additional_kwargs)}
        whole = self.model_copy(update=kept)
        return super(QwenAudio, whole).__getstate__()


def chat_model_of(llm: QwenAudio | ChatQwenAudio | None) -> ChatQwenAudio | None:
    """Take the LangChain model, also out of its LlamaIndex wrapper."""
    return llm.chat_model if isinstance(llm, QwenAudio) else llm
