"""ChatQwenAudio: LangChain messages with audio in, an answer in text out.

messages ─ encode_messages ─► text and Audio ─ prepare ─► SDK messages ─ Service ─┐
AIMessage, chunks, usage ◄──────────── decode_reply, StreamDecoder ◄── the reply ─┘
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from langchain_core.callbacks import (
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LangSmithParams, ModelProfile
from langchain_core.utils import from_env, secret_from_env
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import (
    AliasChoices,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from langchain_qwen_audio._client import Request, Service
from langchain_qwen_audio._connections import DEFAULT_TIMEOUT_S, Endpoint
from langchain_qwen_audio._decode import PROVIDER, StreamDecoder, decode_reply
from langchain_qwen_audio._encode import encode_messages
from langchain_qwen_audio._fit import LongAudio
from langchain_qwen_audio._prepare import (
    AudioTransport,
    Fetch,
    Rules,
    aprepare_messages,
    prepare_messages,
)
from langchain_qwen_audio._profiles import model_profile, profile_of
from langchain_qwen_audio._structured import (
    json_parser,
    json_prompt,
    schema_tool,
    structured,
    tool_parser,
)
from langchain_qwen_audio._tokens import count_tokens, encode_text
from langchain_qwen_audio._tool_prompt import encode_tools, normalize_choice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool

Region = Literal[
    "cn-beijing",
    "ap-southeast-1",
    "cn-hongkong",
    "us-east-1",
    "eu-central-1",
    "ap-northeast-1",
]

# The hosts that accounts share; the other regions have a host per workspace only.
# https://help.aliyun.com/zh/model-studio/qwen-api-via-openai-chat-completions
_SHARED_HOSTS = {
    "cn-beijing": "https://dashscope.aliyuncs.com",
    "ap-southeast-1": "https://dashscope-intl.aliyuncs.com",
    "cn-hongkong": "https://cn-hongkong.dashscope.aliyuncs.com",
    "us-east-1": "https://dashscope-us.aliyuncs.com",
}
_WORKSPACE_HOST = "https://{workspace}.{region}.maas.aliyuncs.com"

# Fields that travel to the service as parameters, under their own names.
_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "stop",
    "repetition_penalty",
    "presence_penalty",
)
# Fields that a single call may override and that are not parameters of the service.
_PER_CALL = ("model", "timeout", "max_retries", "model_kwargs")


class _Asked(NamedTuple):
    """What a call asks for, apart from parameters."""

    messages: list[dict[str, Any]]
    rules: Rules
    offers_tools: bool  # in the prompt


class ChatQwenAudio(BaseChatModel):
    """Chat model over Alibaba Cloud's Qwen-Audio, which hears.

    Setup:
        Install `langchain-qwen-audio` and set the environment variable `DASHSCOPE_API_KEY`.
        With no key, use the stand-in: `langchain_qwen_audio.local.LocalDashScope`.

    Instantiate:
        ```python
        from langchain_qwen_audio import ChatQwenAudio

        model = ChatQwenAudio(model="qwen-audio-turbo-latest", temperature=0.1)
        ```

    Audio input:
        ```python
        from langchain_qwen_audio import Audio

        message = {
            "role": "user",
            "content": [
                Audio.from_path("meeting.mp3").to_block(),
                {"type": "text", "text": "Who speaks, and about what?"},
            ],
        }
        model.invoke([message])
        ```

    Stream:
        ```python
        for chunk in model.stream([message]):
            print(chunk.text, end="")
        ```

    Async:
        ```python
        await model.ainvoke([message])
        ```

    Token usage:
        `response.usage_metadata` counts audio as part of the input, and apart in
        `input_token_details["audio"]`: 25 tokens a second.

    Response metadata:
        `model_name`, `model_provider`, `finish_reason` and the service's `request_id`.

    Raises:
        QwenAudioError: Everything that can go wrong with a request, as one of the classes in
            `langchain_qwen_audio.errors`.
    """

    model: str = Field(
        default="qwen-audio-turbo-latest",
        validation_alias=AliasChoices("model", "model_name"),
    )
    """Name of the model."""

    api_key: SecretStr = Field(
        default_factory=secret_from_env("DASHSCOPE_API_KEY", default=""),
        validate_default=True,
        validation_alias=AliasChoices("api_key", "dashscope_api_key"),
    )
    """Key of the service, by default the variable `DASHSCOPE_API_KEY`; it belongs to one region."""

    base_url: str | None = Field(
        default_factory=from_env(["DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL"], default=None)
    )
    """Address of the native protocol, up to and including `/api/v1`; wins over `region`."""

    region: Region = Field(
        default_factory=from_env("DASHSCOPE_REGION", default="cn-beijing"), validate_default=True
    )
    """Region whose shared host, or whose workspace's own host, is used."""

    workspace: str | None = Field(
        default_factory=from_env("DASHSCOPE_WORKSPACE", default=None), validate_default=True
    )
    """Workspace id; requests then go to the workspace's own host."""

    temperature: float | None = None
    """Randomness; the service's default for Qwen-Audio is 0.00001."""

    top_p: float | None = None
    """Probability mass that tokens are drawn from."""

    top_k: int | None = None
    """Number of tokens that each token is drawn from."""

    max_tokens: int | None = None
    """Tokens of the longest answer."""

    seed: int | None = None
    """Seed for answers that repeat as far as the service can."""

    stop: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """Texts at which the answer stops."""

    repetition_penalty: float | None = None
    """Penalty on repetition; 1.0 is none."""

    presence_penalty: float | None = None
    """Penalty on tokens that the text already holds, from -2.0 to 2.0."""

    timeout: float = Field(default=DEFAULT_TIMEOUT_S, gt=0)
    """Seconds to wait for a connection, and for each next sign of life from the service."""

    max_retries: int = Field(default=2, ge=0)
    """How often a failed request is repeated, where that can help; 2 means at most 3 requests."""

    streaming: bool = False
    """Whether `invoke` streams under the hood, so that callbacks see tokens as they come."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the service that have no field here, sent as they are."""

    long_audio: LongAudio = "split"
    """What to do with a clip longer than the model hears: send it as consecutive parts ("split"),
    its beginning with a warning ("truncate"), or not at all ("error")."""

    audio_transport: AudioTransport = "auto"
    """How clips travel: as base64 where that fits and uploaded otherwise ("auto"), or always as one
    of them ("inline", "upload")."""

    local_files: bool | list[Path] = True
    """Which `file://` URLs in users' messages are read: all, none, or those below the given
    directories. A server that takes messages from strangers sets False."""

    fetch: Fetch = "service"
    """Who downloads `http(s)://` URLs: the service, or this machine ("client"), for URLs that the
    service cannot reach."""

    tool_calling: Literal["auto", "native", "prompt"] = "auto"
    """How tools are offered: as the endpoint's own parameter ("native"), in the prompt, for models
    that have no native calling, or as the model takes them ("auto")."""

    http_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.Client` to use in place of the shared connections."""

    http_async_client: Any = Field(default=None, exclude=True, repr=False)
    """An `httpx.AsyncClient` to use in place of the shared connections."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # the input holds the key
    )

    @field_validator("api_key")
    @classmethod
    def _require_key(cls, key: SecretStr) -> SecretStr:
        bare = key.get_secret_value().strip()
        if not bare:
            raise ValueError(
                "no API key: set the environment variable DASHSCOPE_API_KEY or pass api_key=…; "
                "to try without a key, use the local stand-in "
                "(langchain_qwen_audio.local.LocalDashScope)"
            )
        if not re.fullmatch(r"[!-~]+", bare):
            raise ValueError("the API key holds white space, or characters that no key has")
        return SecretStr(bare)

    @field_validator("workspace")
    @classmethod
    def _require_host(cls, workspace: str | None, info: ValidationInfo) -> str | None:
        region = info.data.get("region")
        if region and not (workspace or info.data.get("base_url") or region in _SHARED_HOSTS):
            raise ValueError(f"region {region} has no shared host: pass workspace=… as well")
        return workspace

    @property
    def _address(self) -> str:
        if self.base_url:
            return self.base_url.rstrip("/")
        host = _SHARED_HOSTS.get(self.region, "")
        if self.workspace:
            host = _WORKSPACE_HOST.format(workspace=self.workspace, region=self.region)
        return f"{host}/api/v1"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        asked = self._ask(messages, kwargs)
        request = self._request(prepare_messages(asked.messages, asked.rules), stop, kwargs)
        reply = self._service.call(request)
        return decode_reply(reply, request.model, tool_prompt=asked.offers_tools)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002
        **kwargs: Any,
    ) -> ChatResult:
        asked = self._ask(messages, kwargs)
        request = self._request(await aprepare_messages(asked.messages, asked.rules), stop, kwargs)
        reply = await self._service.acall(request)
        return decode_reply(reply, request.model, tool_prompt=asked.offers_tools)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        asked = self._ask(messages, kwargs)
        request = self._request(prepare_messages(asked.messages, asked.rules), stop, kwargs)
        decoder = StreamDecoder(request.model, tool_prompt=asked.offers_tools)
        with decoder.watching(), contextlib.closing(self._service.stream(request)) as events:
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
        asked = self._ask(messages, kwargs)
        request = self._request(await aprepare_messages(asked.messages, asked.rules), stop, kwargs)
        decoder = StreamDecoder(request.model, tool_prompt=asked.offers_tools)
        with decoder.watching():
            async with contextlib.aclosing(self._service.astream(request)) as events:
                async for event in events:
                    for chunk in decoder.decode(event):
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
        for chunk in decoder.finish():
            yield chunk

    def _ask(self, messages: list[BaseMessage], overrides: dict[str, Any]) -> _Asked:
        """Encode messages, and with them what the model is not asked for by parameters.

        Takes that out of `overrides`.
        """
        profile = profile_of(overrides.get("model", self.model))
        native = self.tool_calling == "native" or (
            self.tool_calling == "auto" and profile.native_tools
        )
        prompts: list[str] = []
        offers_tools = bool(overrides.get("tools")) and not native
        if offers_tools:
            prompts.append(
                encode_tools(
                    overrides.pop("tools"),
                    overrides.pop("tool_choice", None) or "auto",
                    parallel=overrides.pop("parallel_tool_calls", None) is not False,
                )
            )
        if "json_prompt" in overrides:
            prompts.append(overrides.pop("json_prompt"))
        prompt = "\n\n".join(prompts) if prompts else None
        if native and overrides.get("tool_choice") not in {None, "auto", "none", "any"}:
            named = {"name": overrides["tool_choice"]}
            overrides["tool_choice"] = {"type": "function", "function": named}
        wire = encode_messages(messages, prompt, native_tools=native)
        return _Asked(wire, self._rules(overrides), offers_tools)

    def _rules(self, overrides: dict[str, Any]) -> Rules:
        """Say what may be read, how clips are fitted, and how they travel."""
        return Rules(
            profile=profile_of(overrides.get("model", self.model)),
            long_audio=self.long_audio,
            audio_transport=self.audio_transport,
            local_files=self.local_files,
            fetch=self.fetch,
        )

    @property
    def _service(self) -> Service:
        endpoint = Endpoint(
            base_url=self._address,
            api_key=self.api_key.get_secret_value(),
            workspace=self.workspace or "",
        )
        return Service(endpoint, self.http_client, self.http_async_client)

    def _request(
        self,
        messages: list[dict[str, Any]],
        stop: list[str] | None,
        overrides: dict[str, Any],
    ) -> Request:
        """Put the fields, and what this one call overrides, into a request."""
        rest = {"stop": stop, **overrides} if stop is not None else dict(overrides)
        # LangChain's own: a wish to stream, which has been heard, and notes for its traces.
        for name in ("stream", "ls_structured_output_format"):
            rest.pop(name, None)
        own = {name: rest.pop(name, getattr(self, name)) for name in _PER_CALL}
        parameters = {**self._parameters, **own.pop("model_kwargs"), **rest}
        return Request(
            messages=messages,
            parameters={name: value for name, value in parameters.items() if value is not None},
            **own,
        )

    @property
    def _parameters(self) -> dict[str, Any]:
        """The parameters that the fields set, `model_kwargs` aside."""
        values = {name: getattr(self, name) for name in _PARAMETERS}
        return {name: value for name, value in values.items() if value is not None}

    # --- what LangChain asks of a model ---

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | bool | dict[str, Any] | None = None,
        parallel_tool_calls: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer tools to the model.

        Qwen-Audio's endpoint has no function calling: the tools are described in the system
        message, in the format that the Qwen team's own agent framework uses, and calls are read
        from the answer. How well that goes is up to the model. With a `tool_choice` the model is
        told what it must do, and cannot be made to.

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

        Audio is 25 tokens a second, at least 25; a recording at a URL, whose length is not known
        here, counts as the longest clip that the model hears. What the service's own template
        adds is not counted.
        https://help.aliyun.com/zh/model-studio/audio-language-model
        """
        schemas = [json.dumps(convert_to_openai_tool(tool)) for tool in tools or ()]
        text = sum(len(encode_text(schema)) for schema in schemas)
        return text + count_tokens(encode_messages(messages), self._rules({}))

    def _resolve_model_profile(self) -> ModelProfile:
        return model_profile(self.model)

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The fields that serialization leaves to the environment."""
        return {"api_key": "DASHSCOPE_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say that `dumpd` and `load` work."""
        return True
