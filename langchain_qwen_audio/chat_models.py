"""ChatQwenAudio: LangChain messages with audio in, an answer in text out.

What becomes of a question is in _pipeline.py, which is imported with the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import sys
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LangSmithParams, ModelProfile
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.utils import LC_ID_PREFIX

from langchain_qwen_audio._live.calls import LiveCalls
from langchain_qwen_audio._load_ahead import load_later
from langchain_qwen_audio._models.langchain_profile import model_profile
from langchain_qwen_audio._models.routes import profile_at, provider_of
from langchain_qwen_audio._turns import turns

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Generator,
        Iterator,
        Sequence,
    )

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.prompt_values import PromptValue
    from langchain_core.runnables import Runnable, RunnableConfig
    from langchain_core.tools import BaseTool
    from langchain_protocol.protocol import MessagesData

    from langchain_qwen_audio._models.prices import Prices
    from langchain_qwen_audio.costs import Cost


class ChatQwenAudio(LiveCalls):
    """Chat model over Alibaba Cloud's models that take audio: Qwen-Audio, Qwen-Omni and Qwen-ASR.

    One class and one message format for all of them, and for open-weights models on a server of
    your own; the model's name decides how it is used. What a model does not take is refused before
    any request.

    Setup:
        Install `langchain-qwen-audio` and set the environment variable `DASHSCOPE_API_KEY`.
        With no key, use the local test server: `langchain_qwen_audio.local.LocalDashScope`.

    Instantiate:
        ```python
        from langchain_qwen_audio import Audio, ChatQwenAudio

        model = ChatQwenAudio(model="qwen-audio-turbo-latest", temperature=0.1)
        ```

    Audio input:
        ```python
        message = {
            "role": "user",
            "content": [
                Audio.from_path("welcome.wav").to_block(),
                {"type": "text", "text": "Who speaks, and about what?"},
            ],
        }
        ```

    Invoke:
        ```python
        answer = model.invoke([("system", "Be brief."), message])
        answer.text
        ```

    Stream:
        ```python
        for chunk in model.stream([message]):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        import asyncio


        async def answer_twice():
            answer = await model.ainvoke([message])
            async for chunk in model.astream([message]):
                print(chunk.text, end="")
            return answer


        asyncio.run(answer_twice())
        ```

    Tool calling:
        ```python
        from langchain_core.tools import tool


        @tool
        def note(text: str) -> str:
            '''Write a note.'''
            return text


        model.bind_tools([note]).invoke([message]).tool_calls
        ```

    Structured output:
        ```python
        from pydantic import BaseModel, Field


        class Recording(BaseModel):
            '''What a recording is about.'''

            topic: str = Field(description="In a few words")


        model.with_structured_output(Recording).invoke([message])
        ```

    Speech output:
        ```python
        speaker = ChatQwenAudio(
            model="qwen3.5-omni-flash", modalities=["text", "audio"], voice="Tina"
        )
        spoken = speaker.invoke([message])
        Audio.from_message(spoken).data  # a WAV file; `spoken.text` says the same
        ```

    Token usage:
        Audio is part of the input, and counted apart: 25 tokens a second for Qwen-Audio.

        ```python
        answer.usage_metadata  # {"input_tokens": …, "input_token_details": {"audio": 179}, …}
        ```

    Cost:
        ```python
        from langchain_qwen_audio import Cost

        print(Cost.of(answer))  # by the service's price list; "unknown" where that says nothing
        ```

    Response metadata:
        `model_name`, `model_provider`, `region` if it is known, `finish_reason` and the service's
        `request_id`; of speech recognition also `annotations` or `sentences`, and `seconds`, which
        it bills (see `Transcript`).

        ```python
        answer.response_metadata
        ```

    Raises:
        QwenAudioError: Everything that can go wrong with a request, as one of the classes in
            `langchain_qwen_audio.errors`.
    """

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        from langchain_qwen_audio import _pipeline
        from langchain_qwen_audio._response.messages import chunks_to_chat_result

        if self._must_stream(kwargs):
            return chunks_to_chat_result(self._stream(messages, stop, run_manager, **kwargs))
        return _pipeline.generate(self, messages, _with_stop(kwargs, stop))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        await _load_pipeline()
        from langchain_qwen_audio import _pipeline
        from langchain_qwen_audio._response.messages import chunks_to_chat_result

        if self._must_stream(kwargs):
            stream = self._astream(messages, stop, run_manager, **kwargs)
            return chunks_to_chat_result([chunk async for chunk in stream])
        return await _pipeline.agenerate(self, messages, _with_stop(kwargs, stop))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Generator[ChatGenerationChunk]:
        from langchain_qwen_audio import _pipeline

        with contextlib.closing(
            _pipeline.stream(self, messages, _with_stop(kwargs, stop))
        ) as chunks:
            for chunk in chunks:
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk]:
        await _load_pipeline()
        from langchain_qwen_audio import _pipeline

        async with contextlib.aclosing(
            _pipeline.astream(self, messages, _with_stop(kwargs, stop))
        ) as chunks:
            async for chunk in chunks:
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _stream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[MessagesData]:
        """Stream an answer as the events of `stream_events(version="v3")`."""
        from langchain_qwen_audio._response.events import EventWriter

        writer = EventWriter(_message_id(run_manager))
        with contextlib.closing(self._stream(messages, stop, run_manager, **kwargs)) as chunks:
            for chunk in chunks:
                yield from writer.write(chunk)
        yield from writer.finish()

    async def _astream_chat_model_events(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[MessagesData]:
        """Stream an answer as the events of `astream_events(version="v3")`."""
        await _load_pipeline()
        from langchain_qwen_audio._response.events import EventWriter

        writer = EventWriter(_message_id(run_manager))
        stream = self._astream(messages, stop, run_manager, **kwargs)
        async with contextlib.aclosing(stream) as chunks:
            async for chunk in chunks:
                for event in writer.write(chunk):
                    yield event
        for event in writer.finish():
            yield event

    def _generate_with_cache(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        from langchain_qwen_audio._response.messages import whole_result

        model = self._uncached_for(messages)
        result = super(ChatQwenAudio, model)._generate_with_cache(messages, *args, **kwargs)
        return whole_result(result)

    async def _agenerate_with_cache(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> ChatResult:
        await _load_pipeline()
        from langchain_qwen_audio._response.messages import whole_result

        model = self._uncached_for(messages)
        result = await super(ChatQwenAudio, model)._agenerate_with_cache(messages, *args, **kwargs)
        return whole_result(result)

    def _uncached_for(self, messages: list[BaseMessage]) -> ChatQwenAudio:
        """Turn LangChain's cache off for messages that name files: its key has no contents."""
        if all(isinstance(message.content, str) for message in messages):
            return self
        from langchain_qwen_audio._request.named_files import names_file

        is_named = any(names_file(message.content) for message in messages)
        return self.model_copy(update={"cache": False}) if is_named else self

    def _must_stream(self, overrides: dict[str, Any]) -> bool:
        """Tell a request that the service does not answer whole.

        While a model thinks, a search needs a stream; it is a third party that says so.
        """
        searches = self.parameters_of_call(overrides).get("enable_search")
        return bool(searches) or self.route(overrides.get("model")).profile.must_stream

    # --- LangChain's interface ---

    async def ainvoke(
        self,
        input: LanguageModelInput,  # noqa: A002  # LangChain's name
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Send messages, and wait for the answer; see LangChain's `invoke`."""
        await turns().take()  # many calls at once begin in several turns of the loop
        return await super().ainvoke(input, config, stop=stop, **kwargs)

    async def astream(
        self,
        input: LanguageModelInput,  # noqa: A002
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[AIMessageChunk]:
        """Send messages, and yield the answer as it comes; see LangChain's `stream`."""
        await turns().take()
        # Not closed here: asyncio closes both generators at its end, at the same time.
        async for chunk in super().astream(input, config, stop=stop, **kwargs):
            yield chunk

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        """Refuse blocks that LangChain core, which looks at messages first, would stumble over."""
        prompt = super()._convert_input(model_input)
        messages = prompt.to_messages()
        if not all(isinstance(message.content, str) for message in messages):
            from langchain_qwen_audio._request.readable_blocks import check_readable

            check_readable(messages)
        return prompt

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model: through its endpoint where that has function calling.

        Where it has none, as for Qwen-Audio, the tools are described in the system message, in the
        format that the Qwen team's own agent framework uses, and calls are read from the answer.
        How well that goes is up to the model. With a `tool_choice` the model is told what it must
        do, and cannot be made to.

        Args:
            tools: Functions, Pydantic classes, TypedDicts, LangChain tools or OpenAI schemas.
            tool_choice: "auto", "none", "any" (also "required" or True), or the name of a tool,
                also in OpenAI's form, `{"type": "function", "function": {"name": …}}`.
            parallel_tool_calls: False requests at most one call in an answer.
            strict: True writes `strict` into each tool, as OpenAI does, for servers that enforce
                the schema of arguments; no page says that DashScope does.
            **kwargs: Bound as they are.

        Raises:
            ValueError: `tool_choice` names a tool that is not there.
        """
        from langchain_qwen_audio._tool_calling.tool_choice import normalize_choice

        schemas = [convert_to_openai_tool(tool, strict=strict) for tool in tools]
        choice = normalize_choice(tool_choice, [schema["function"]["name"] for schema in schemas])
        if choice is not None:
            kwargs["tool_choice"] = choice
        if parallel_tool_calls is not None:
            kwargs["parallel_tool_calls"] = parallel_tool_calls
        return self.bind(tools=schemas, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["function_calling", "json_schema", "json_mode"] = "function_calling",
        include_raw: bool = False,
        corrective_retry: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Have the model answer with data of a schema.

        Args:
            schema: A Pydantic class, a TypedDict, or a JSON schema with a title.
            method: "function_calling" offers the schema as a tool that must be called (see
                `bind_tools`); "json_schema" puts the schema into the system message, and has a
                server of your own enforce it; "json_mode" requests a JSON object, whose keys the
                prompt must name.
            include_raw: Return `{"raw": AIMessage, "parsed": …, "parsing_error": …}`.
            corrective_retry: Send one more request where an answer cannot be used, saying why.
            **kwargs: Bound as they are.

        Raises:
            OutputParserException: When invoked, if the answer holds no such data; never None.
        """
        # Imported here, as it makes Pydantic models of its own.
        from langchain_qwen_audio._tool_calling.structured_output import (
            json_parser,
            json_prompt,
            response_schema,
            schema_tool,
            structured,
            tool_parser,
        )

        if method not in {"function_calling", "json_schema", "json_mode"}:
            raise ValueError(
                f"method is {method!r}; expected function_calling, json_schema or json_mode"
            )
        if schema is None and method != "json_mode":
            raise ValueError(f"method {method!r} needs a schema")
        if schema is not None:  # for traces
            kwargs["ls_structured_output_format"] = {"kwargs": {"method": method}, "schema": schema}
        if method == "function_calling":
            tool = schema_tool(schema or {})
            name = tool["function"]["name"]
            llm = self.bind_tools([tool], tool_choice=name, **kwargs)
            parser = tool_parser(schema or {})
        else:
            shown = schema if method == "json_schema" else None
            if shown is not None:
                kwargs["json_schema"] = response_schema(shown)
            llm = self.bind(json_prompt=json_prompt(shown), **kwargs)
            parser = json_parser(schema)
        return structured(
            llm, parser, self, include_raw=include_raw, corrective_retry=corrective_retry
        )

    @property
    def _llm_type(self) -> str:
        return "qwen-audio-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "base_url": self.address,
            **self.request_parameters,
            **self.model_kwargs,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        model = kwargs.get("model", self.model)
        params["ls_provider"] = provider_of(model, self.address, self.protocol)
        if ls_stop := stop or params.get("ls_stop") or self.stop:
            params["ls_stop"] = [ls_stop] if isinstance(ls_stop, str) else ls_stop
        return params

    def get_token_ids(self, text: str) -> list[int]:
        """Make the tokens of a text, as Qwen's tokenizer does; nothing is downloaded."""
        from langchain_qwen_audio._request.token_count import token_ids

        return token_ids(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count the tokens of messages: text by Qwen's tokenizer, audio by its length.

        Audio is so many tokens a second (25 for Qwen-Audio), and at least a second; a recording at
        a URL, whose length is not known here, counts as the longest clip that the model takes.
        Images and videos count as the most tokens that they can be. What the service's own template
        adds is not counted.
        https://help.aliyun.com/zh/model-studio/audio-language-model
        """
        from langchain_qwen_audio._pipeline import count_messages
        from langchain_qwen_audio._request.token_count import token_ids

        schemas = [json.dumps(convert_to_openai_tool(tool)) for tool in tools or ()]
        of_tools = sum(len(token_ids(schema)) for schema in schemas)
        return of_tools + count_messages(self, messages).tokens

    def estimate_cost(self, messages: LanguageModelInput, *, prices: Prices | None = None) -> Cost:
        """Compute what the input of a request will cost, before it is sent; no request is made.

        The output is not known before the call, so `amount` is None, `at_least` has the input, and
        `unknown` says so. Models that are billed by the second have an `amount`. Tokens are counted
        as `get_num_tokens_from_messages` does.

        Args:
            messages: What would be sent.
            prices: Your own prices, in place of the service's list.
        """
        from langchain_qwen_audio._pipeline import count_messages
        from langchain_qwen_audio.costs import SEARCHES, Cost, estimate

        counts = count_messages(self, self._convert_input(messages).to_messages())
        cost = estimate(counts, self.model, self.billing_region, prices)
        searches = self.parameters_of_call({}).get("enable_search")
        return cost + Cost(unknown=(SEARCHES,)) if searches else cost

    def _resolve_model_profile(self) -> ModelProfile:
        profile = profile_at(self.model, self.address, self.protocol, self.audio_encoding)
        return model_profile(self.model, profile)


def _with_stop(kwargs: dict[str, Any], stop: list[str] | None) -> dict[str, Any]:
    return kwargs if stop is None else {"stop": stop, **kwargs}


def _message_id(
    run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
) -> str:
    """Name the message of a run, as LangChain core does; "" leaves that to it."""
    return f"{LC_ID_PREFIX}-{run_manager.run_id}" if run_manager else ""


async def _load_pipeline() -> None:
    """Import what a question takes, which an event loop would feel."""
    if _PIPELINE not in sys.modules:
        await asyncio.to_thread(importlib.import_module, _PIPELINE)


_PIPELINE = "langchain_qwen_audio._pipeline"
load_later(_PIPELINE)

# LangChain core looks at these signatures in each call, and making one takes as long as JSON.
_methods: tuple[Any, ...] = (ChatQwenAudio._generate, ChatQwenAudio._agenerate)  # noqa: SLF001
for _method in _methods:
    _method.__signature__ = inspect.signature(_method)
