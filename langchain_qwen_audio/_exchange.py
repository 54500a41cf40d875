"""One exchange with the service, in the four ways of asking, each a thin loop.

messages ─ encode_messages ─► text and Audio ─ prepare ─► SDK messages ─ Service ─┐
AIMessage, chunks, usage ◄──────────── decode_reply, StreamDecoder ◄── the reply ─┘

Imported with the first question: a program that imports ChatQwenAudio does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_qwen_audio._abilities import asks_for_speech, check_messages, check_parameters
from langchain_qwen_audio._client import Request, Service
from langchain_qwen_audio._connections import Endpoint
from langchain_qwen_audio._decode import StreamDecoder, decode_reply
from langchain_qwen_audio._encode import encode_messages, without_empty_texts
from langchain_qwen_audio._prepare import Rules, prepare_messages, urls_to_fetch
from langchain_qwen_audio._tool_prompt import encode_tools, native_choice
from langchain_qwen_audio.audio import Audio

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_qwen_audio._routes import Route
    from langchain_qwen_audio.chat_models import ChatQwenAudio

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

    def decoder(self, llm: ChatQwenAudio) -> StreamDecoder:
        """Make what reads the stream of the answer."""
        blocks = asks_for_speech(self.parameters) or llm.output_version == "v1"
        return StreamDecoder(self.own["model"], self.offers_tools, blocks)

    @property
    def urls_to_fetch(self) -> list[str]:
        return urls_to_fetch(self.messages, self.rules)

    def prepared(self, fetched: dict[str, Audio]) -> _Asked:
        return self._replace(messages=prepare_messages(self.messages, self.rules, fetched))

    @property
    def request(self) -> Request:
        return Request(
            messages=self.messages,
            parameters=self.parameters,
            audio_encoding=self.rules.audio_encoding,
            **self.own,
        )


def generate(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> ChatResult:
    """Ask, and wait for the whole answer."""
    asked = _ask(llm, messages, stop, kwargs)
    reply = service(llm, asked.route).call(asked.request)
    return decode_reply(reply, asked.own["model"], tool_prompt=asked.offers_tools)


async def agenerate(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> ChatResult:
    """Ask, and wait for the whole answer."""
    asked = await _aask(llm, messages, stop, kwargs)
    reply = await service(llm, asked.route).acall(asked.request)
    return decode_reply(reply, asked.own["model"], tool_prompt=asked.offers_tools)


def stream(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> Generator[ChatGenerationChunk]:
    """Ask, and yield the answer as it comes."""
    asked = _ask(llm, messages, stop, kwargs)
    decoder = asked.decoder(llm)
    events = service(llm, asked.route).stream(asked.request)
    with decoder.watching(), contextlib.closing(events):
        for event in events:
            yield from decoder.decode(event)
    yield from decoder.finish()


async def astream(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> AsyncGenerator[ChatGenerationChunk]:
    """Ask, and yield the answer as it comes."""
    asked = await _aask(llm, messages, stop, kwargs)
    decoder = asked.decoder(llm)
    events = service(llm, asked.route).astream(asked.request)
    with decoder.watching():
        async with contextlib.aclosing(events):
            async for event in events:
                for chunk in decoder.decode(event):
                    yield chunk
    for chunk in decoder.finish():
        yield chunk


def _ask(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> _Asked:
    """Make of messages what travels; recordings that do not are held no longer."""
    asked = _encode(llm, messages, stop, kwargs)
    return asked.prepared({url: Audio.from_url(url) for url in asked.urls_to_fetch})


async def _aask(
    llm: ChatQwenAudio, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
) -> _Asked:
    """Make of messages what travels; base64, disk and codecs are kept off the event loop."""
    if all(isinstance(message.content, str) for message in messages):
        return _ask(llm, messages, stop, kwargs)
    if llm.fetch == "service":  # as many recordings are held at once as there are threads
        return await asyncio.to_thread(_ask, llm, messages, stop, kwargs)
    asked = await asyncio.to_thread(_encode, llm, messages, stop, kwargs)
    urls = asked.urls_to_fetch
    clips = await asyncio.gather(*map(Audio.afrom_url, urls))
    return await asyncio.to_thread(asked.prepared, dict(zip(urls, clips, strict=True)))


def _encode(
    llm: ChatQwenAudio,
    messages: list[BaseMessage],
    stop: list[str] | None,
    overrides: dict[str, Any],
) -> _Asked:
    """Encode messages, and settle what they are sent with: fields, and what this call says."""
    rest = {"stop": stop, **overrides} if stop is not None else dict(overrides)
    # LangChain's own: a wish to stream, which has been heard, and notes for its traces.
    for name in ("stream", "ls_structured_output_format"):
        rest.pop(name, None)
    own = {name: rest.pop(name, getattr(llm, name)) for name in _PER_CALL}
    model = own["model"]
    route = llm.route(model)
    profile = route.profile
    set_by_fields = llm._parameters  # noqa: SLF001  # of the same package
    parameters = {**set_by_fields, **own.pop("model_kwargs"), **rest}
    voice = parameters.pop("voice", None) or llm.voice or profile.voice
    if asks_for_speech(parameters):
        parameters.setdefault("audio", {"voice": voice, "format": "wav"})
    check_parameters(model, profile, parameters)

    native = llm.tool_calling == "native" or (llm.tool_calling == "auto" and profile.native_tools)
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
    return _Asked(wire, rules(llm, model, route), route, parameters, own, offers_tools)


def rules(llm: ChatQwenAudio, model: str, route: Route) -> Rules:
    """Say what may be read, how clips are fitted, and how they travel."""
    return Rules(
        profile=route.profile,
        model=model,
        audio_encoding=route.audio_encoding if route.protocol == "openai" else None,
        long_audio=llm.long_audio,
        audio_transport=llm.audio_transport,
        local_files=llm.local_files,
        fetch=llm.fetch,
    )


def service(llm: ChatQwenAudio, route: Route) -> Service:
    """Find the service as a model is told to ask it."""
    endpoint = Endpoint(
        base_url=route.address,
        api_key=llm.api_key.get_secret_value(),
        workspace=llm.workspace or "",
        protocol=route.protocol,
    )
    return Service(endpoint, llm.http_client, llm.http_async_client)


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
