"""ChatQwenAudio: LangChain messages with audio in, an answer in text out.

messages ─ encode_messages ─► text and Audio ─ prepare ─► SDK messages ─ Service ─┐
AIMessage, chunks, usage ◄──────────── decode_reply, StreamDecoder ◄── the reply ─┘
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import LangSmithParams, ModelProfile
from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_qwen_audio._abilities import asks_for_speech, check_messages, check_parameters
from langchain_qwen_audio._client import Request, Service
from langchain_qwen_audio._connections import Endpoint
from langchain_qwen_audio._decode import PROVIDER, StreamDecoder, decode_chunks, decode_reply
from langchain_qwen_audio._encode import encode_messages, without_empty_texts
from langchain_qwen_audio._prepare import (
    Rules,
    aprepare_messages,
    prepare_messages,
)
from langchain_qwen_audio._profiles import model_profile, profile_of
from langchain_qwen_audio._routes import (
    Route,
    find_route,
    is_own_model,
)
from langchain_qwen_audio._settings import BaseChatQwenAudio
from langchain_qwen_audio._tokens import count_tokens, encode_text
from langchain_qwen_audio._tool_prompt import encode_tools, native_choice, normalize_choice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

# Fields that a single call may override and that are not parameters of the service.
_PER_CALL = ("model", "timeout", "max_retries", "model_kwargs")


class _Asked(NamedTuple):
    """What a call asks for: how, of whom, and what is not a parameter."""

    messages: list[dict[str, Any]]
    rules: Rules
    route: Route
    parameters: dict[str, Any]
    own: dict[str, Any]  # what is not a parameter of the service, see _PER_CALL
    offers_tools: bool  # in the prompt

    @property
    def speaks(self) -> bool:
        return asks_for_speech(self.parameters)

    def prepared(self) -> _Asked:
        """Make messages of what travels; recordings that are not are held no longer."""
        return self._replace(messages=prepare_messages(self.messages, self.rules))

    async def aprepared(self) -> _Asked:
        """Make messages of what travels, without blocking the event loop."""
        return self._replace(messages=await aprepare_messages(self.messages, self.rules))

    @property
    def request(self) -> Request:
        return Request(
            messages=self.messages,
            parameters=self.parameters,
            audio_encoding=self.rules.audio_encoding,
            **self.own,
        )


class ChatQwenAudio(BaseChatQwenAudio):
    """Chat model over Alibaba Cloud's models that hear: Qwen-Audio, Qwen-Omni and Qwen-ASR.

    One class and one message format for all of them, and for open-weights models on a server of
    your own; the model's name decides how it is asked. What a model cannot take is refused before
    any request.

    Setup:
        Install `langchain-qwen-audio` and set the environment variable `DASHSCOPE_API_KEY`.
        With no key, use the stand-in: `langchain_qwen_audio.local.LocalDashScope`.

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


        async def listen():
            answer = await model.ainvoke([message])
            async for chunk in model.astream([message]):
                print(chunk.text, end="")
            return answer


        asyncio.run(listen())
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

    Response metadata:
        `model_name`, `model_provider`, `finish_reason` and the service's `request_id`; of
        qwen3-asr-flash also `annotations` (see `AudioInfo`) and `seconds`, which it bills.

        ```python
        answer.response_metadata
        ```

    Raises:
        QwenAudioError: Everything that can go wrong with a request, as one of the classes in
            `langchain_qwen_audio.errors`.
    """

    def route(self, model: str | None = None) -> Route:
        """Say how a model is asked, and what it takes when asked so: this one, or another.

        Raises:
            NotFoundError: It is retired, or not to be asked by this package.
            InvalidRequestError: It cannot be asked in the protocol that was told.
        """
        name = self.model if model is None else model
        return find_route(name, self._address, self.protocol, self.audio_encoding)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self._must_stream(kwargs):
            return decode_chunks(self._stream(messages, stop, run_manager, **kwargs))
        asked = self._ask(messages, stop, kwargs).prepared()
        request = asked.request
        reply = self._service(asked.route).call(request)
        return decode_reply(reply, request.model, tool_prompt=asked.offers_tools)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self._must_stream(kwargs):
            stream = self._astream(messages, stop, run_manager, **kwargs)
            return decode_chunks([chunk async for chunk in stream])
        asked = await self._ask(messages, stop, kwargs).aprepared()
        request = asked.request
        reply = await self._service(asked.route).acall(request)
        return decode_reply(reply, request.model, tool_prompt=asked.offers_tools)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        asked = self._ask(messages, stop, kwargs).prepared()
        request = asked.request
        decoder = StreamDecoder(request.model, asked.offers_tools, self._in_blocks(asked))
        service = self._service(asked.route)
        with decoder.watching(), contextlib.closing(service.stream(request)) as events:
            for event in events:
                for chunk in decoder.decode(event):
                    if run_manager:
                        run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                    yield chunk
        yield from decoder.finish()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        asked = await self._ask(messages, stop, kwargs).aprepared()
        request = asked.request
        decoder = StreamDecoder(request.model, asked.offers_tools, self._in_blocks(asked))
        service = self._service(asked.route)
        with decoder.watching():
            async with contextlib.aclosing(service.astream(request)) as events:
                async for event in events:
                    for chunk in decoder.decode(event):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
        for chunk in decoder.finish():
            yield chunk

    def _in_blocks(self, asked: _Asked) -> bool:
        return asked.speaks or self.output_version == "v1"

    def _must_stream(self, overrides: dict[str, Any]) -> bool:
        """Tell a model that the service does not answer whole."""
        return self.route(overrides.get("model")).profile.must_stream

    def _ask(
        self, messages: list[BaseMessage], stop: list[str] | None, overrides: dict[str, Any]
    ) -> _Asked:
        """Encode messages, and settle what they are sent with: fields, and what this call says."""
        rest = {"stop": stop, **overrides} if stop is not None else dict(overrides)
        # LangChain's own: a wish to stream, which has been heard, and notes for its traces.
        for name in ("stream", "ls_structured_output_format"):
            rest.pop(name, None)
        own = {name: rest.pop(name, getattr(self, name)) for name in _PER_CALL}
        model = own["model"]
        route = self.route(model)
        profile = route.profile
        parameters = {**self._parameters, **own.pop("model_kwargs"), **rest}
        voice = parameters.pop("voice", None) or self.voice or profile.voice
        if asks_for_speech(parameters):
            parameters.setdefault("audio", {"voice": voice, "format": "wav"})
        check_parameters(model, profile, parameters)

        native = self.tool_calling == "native" or (
            self.tool_calling == "auto" and profile.native_tools
        )
        prompts, offers_tools = _take_prompts(parameters, native=native)
        wire = encode_messages(
            messages,
            "\n\n".join(prompts) if prompts else None,
            native_tools=native,
            images=profile.images,
        )
        if not profile.text:
            wire = without_empty_texts(wire)
        check_messages(model, profile, wire, speaks=asks_for_speech(parameters))
        if native and (choice := parameters.get("tool_choice")):
            parameters["tool_choice"] = native_choice(choice, parameters.get("tools") or [])
            if choice not in {"auto", "none"} and profile.thinking == "on":
                # A model that thinks cannot be made to call, and this one thinks by default.
                parameters.setdefault("enable_thinking", False)
        parameters = {name: value for name, value in parameters.items() if value is not None}
        return _Asked(wire, self._rules(model, route), route, parameters, own, offers_tools)

    def _rules(self, model: str, route: Route) -> Rules:
        """Say what may be read, how clips are fitted, and how they travel."""
        return Rules(
            profile=route.profile,
            model=model,
            audio_encoding=route.audio_encoding if route.protocol == "openai" else None,
            long_audio=self.long_audio,
            audio_transport=self.audio_transport,
            local_files=self.local_files,
            fetch=self.fetch,
        )

    def _service(self, route: Route) -> Service:
        endpoint = Endpoint(
            base_url=route.address,
            api_key=self.api_key.get_secret_value(),
            workspace=self.workspace or "",
            protocol=route.protocol,
        )
        return Service(endpoint, self.http_client, self.http_async_client)

    # --- what LangChain asks of a model ---

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model: through its endpoint where that has function calling.

        Where it has none, as for Qwen-Audio, the tools are described in the system message, in the
        format that the Qwen team's own agent framework uses, and calls are read from the answer.
        How well that goes is up to the model. With a `tool_choice` the model is told what it must
        do, and cannot be made to.

        Args:
            tools: Functions, Pydantic classes, TypedDicts, LangChain tools or OpenAI schemas.
            tool_choice: "auto", "none", "any" (also "required" or True), or the name of a tool.
            parallel_tool_calls: False asks for at most one call in an answer.
            **kwargs: Bound as they are.

        Raises:
            ValueError: `tool_choice` names a tool that is not there.
        """
        schemas = [convert_to_openai_tool(tool) for tool in tools]
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
                `bind_tools`); "json_schema" puts the schema into the system message; "json_mode"
                asks for a JSON object, whose keys the prompt must name.
            include_raw: Return `{"raw": AIMessage, "parsed": …, "parsing_error": …}`.
            corrective_retry: Ask once more where an answer cannot be used, saying why.
            **kwargs: Bound as they are.

        Raises:
            OutputParserException: When invoked, if the answer holds no such data; never None.
        """
        # Imported here, as it makes Pydantic models of its own.
        from langchain_qwen_audio._structured import (
            json_parser,
            json_prompt,
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
            "base_url": self._address,
            **self._parameters,
            **self.model_kwargs,
        }

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = PROVIDER
        if ls_stop := stop or params.get("ls_stop") or self.stop:
            params["ls_stop"] = [ls_stop] if isinstance(ls_stop, str) else ls_stop
        return params

    def get_token_ids(self, text: str) -> list[int]:
        """Make the tokens of a text, as Qwen's tokenizer does; nothing is downloaded."""
        return encode_text(text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Count the tokens of messages: text by Qwen's tokenizer, audio by its length.

        Audio is so many tokens a second (25 for Qwen-Audio), and at least a second; a recording at
        a URL, whose length is not known here, counts as the longest clip that the model hears.
        Images, and what the service's own template adds, are not counted.
        https://help.aliyun.com/zh/model-studio/audio-language-model
        """
        schemas = [json.dumps(convert_to_openai_tool(tool)) for tool in tools or ()]
        text = sum(len(encode_text(schema)) for schema in schemas)
        route = self.route()
        wire = encode_messages(messages, images=route.profile.images)
        return text + count_tokens(wire, self._rules(self.model, route))

    def _resolve_model_profile(self) -> ModelProfile:
        own = is_own_model(self.model, self.base_url, self.protocol)
        return model_profile(profile_of(self.model, self.protocol, own_server=own))


def _take_prompts(parameters: dict[str, Any], *, native: bool) -> tuple[list[str], bool]:
    """Take out of parameters what becomes part of the system message.

    Returns:
        The texts, and whether tools are offered in them.
    """
    prompts: list[str] = []
    offers_tools = bool(parameters.get("tools")) and not native
    if offers_tools:
        prompts.append(
            encode_tools(
                parameters.pop("tools"),
                parameters.pop("tool_choice", None) or "auto",
                parallel=parameters.pop("parallel_tool_calls", None) is not False,
            )
        )
    if "json_prompt" in parameters:
        prompts.append(parameters.pop("json_prompt"))
    return prompts, offers_tools
