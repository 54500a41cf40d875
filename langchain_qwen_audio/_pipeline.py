"""The whole way of a request and its reply, for the four calling modes: each is a thin loop.

LangChain messages → _request → _protocols → _service → _protocols → _response → AIMessage, chunks

Imported with the first request: a program that imports ChatQwenAudio does not wait for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import reprlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from langchain_qwen_audio._models.routes import is_own_model
from langchain_qwen_audio._request.capabilities import check_messages
from langchain_qwen_audio._request.clips import (
    ClipOptions,
    prepare_clips,
    urls_to_download,
)
from langchain_qwen_audio._request.last_message import end_with_question
from langchain_qwen_audio._request.messages import map_messages, without_empty_texts
from langchain_qwen_audio._request.parameters import (
    add_defaults,
    check_parameters,
    check_shapes,
    request_json,
    requests_speech,
    take_schema_beside_tools,
)
from langchain_qwen_audio._response.messages import Origin, to_chat_result
from langchain_qwen_audio._response.stream import StreamDecoder
from langchain_qwen_audio._service.client import RESOLVE, Service, ServiceRequest
from langchain_qwen_audio._service.default_timeouts import MAX_TIMEOUT_S
from langchain_qwen_audio._service.endpoint import Endpoint
from langchain_qwen_audio._settings import PER_CALL
from langchain_qwen_audio._tool_calling.prompt import write_tool_prompt
from langchain_qwen_audio._tool_calling.structured_output import json_prompt
from langchain_qwen_audio._tool_calling.tool_choice import native_choice, settle_tools
from langchain_qwen_audio._turns import FIRST, turns
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import AudioError, InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence

    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import ChatGenerationChunk, ChatResult

    from langchain_qwen_audio._models.profiles import Profile
    from langchain_qwen_audio._models.routes import Route
    from langchain_qwen_audio._protocols.base import ServiceReply
    from langchain_qwen_audio._request.parts import Part, RequestMessage
    from langchain_qwen_audio._request.token_count import Counts
    from langchain_qwen_audio._service.json_body import JsonBody
    from langchain_qwen_audio._settings import BaseChatQwenAudio

# LangChain's own: a wish to stream, and notes for its traces. And how a stream comes is for the
# protocol to say.
_NOT_SENT = {"stream", "ls_structured_output_format", "incremental_output"}


class _Call(NamedTuple):
    """One call: its messages, and what they are sent with."""

    settings: BaseChatQwenAudio
    model: str
    route: Route
    messages: list[RequestMessage[Part]]
    parameters: dict[str, Any]
    timeout: float
    max_retries: int
    deadline: float
    tools_as_text: bool

    @property
    def clip_options(self) -> ClipOptions:
        keeps_channels = bool(self.parameters.get("use_multichannel"))
        options = clip_options(self.settings, self.model, self.route)
        return replace(options, keeps_channels=True) if keeps_channels else options

    @property
    def urls_to_download(self) -> list[str]:
        return [] if self.settings.fetch == "service" else urls_to_download(self.messages)

    def prepare(self, downloaded: dict[str, Audio]) -> _PreparedCall:
        """Convert clips. Those that do not travel are held no longer."""
        request = ServiceRequest(
            model=self.model,
            protocol=self.route.protocol,
            messages=prepare_clips(self.messages, self.clip_options, downloaded),
            parameters=self.parameters,
            timeout=self.timeout,
            max_retries=self.max_retries,
            deadline=self.deadline,
        )
        speaks = requests_speech(self.parameters)
        searches = bool(self.parameters.get("enable_search"))
        return _PreparedCall(
            request=request,
            service=_service(self.settings, self.route),
            origin=Origin(self.model, self.route.provider, self.settings.billing_region, searches),
            tools_as_text=self.tools_as_text,
            as_blocks=speaks or self.settings.output_version == "v1",
        )


class _PreparedCall(NamedTuple):
    """A request that can be sent, and how its reply is read."""

    request: ServiceRequest
    service: Service
    origin: Origin
    tools_as_text: bool
    as_blocks: bool

    def result(self, reply: ServiceReply) -> ChatResult:
        return to_chat_result(reply, self.origin, tools_as_text=self.tools_as_text)

    def decoder(self) -> StreamDecoder:
        return StreamDecoder(
            self.origin, tools_as_text=self.tools_as_text, as_blocks=self.as_blocks
        )


def generate(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> ChatResult:
    """Send messages, and wait for the whole answer."""
    call = _prepare(settings, messages, kwargs)
    reply = call.service.call(call.request)
    return call.result(reply)


async def agenerate(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> ChatResult:
    """Send messages, and wait for the whole answer."""
    call = await _aprepare(settings, messages, kwargs)
    reply = await call.service.acall(call.request)
    return call.result(reply)


def stream(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> Generator[ChatGenerationChunk]:
    """Send messages, and yield the answer as it comes."""
    call = _prepare(settings, messages, kwargs)
    decoder = call.decoder()
    with (
        decoder.explaining_errors(),
        contextlib.closing(call.service.stream(call.request)) as replies,
    ):
        for reply in replies:
            yield from decoder.decode(reply)
    yield from decoder.finish()


async def astream(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> AsyncGenerator[ChatGenerationChunk]:
    """Send messages, and yield the answer as it comes."""
    call = await _aprepare(settings, messages, kwargs)
    decoder, places, rank = call.decoder(), turns(), FIRST
    with decoder.explaining_errors():
        async with contextlib.aclosing(call.service.astream(call.request)) as replies:
            async for reply in replies:
                await places.take(rank)
                for chunk in decoder.decode(reply):
                    yield chunk
                rank = rank or places.new_rank()
    for chunk in decoder.finish():
        yield chunk


def write_body(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], max_data_uri_bytes: int
) -> JsonBody:
    """Write the body of a request that is not sent by itself, but within a batch.

    Args:
        settings: The model.
        messages: The conversation.
        max_data_uri_bytes: Size of a clip's data URI; a larger clip is sent as MP3.

    Raises:
        AudioError: A clip is uploaded, or was: the service resolves `oss://` URLs by a header.
    """
    call = _map(settings, messages, {})
    profile = call.route.profile
    bytes_of_clip = min(profile.max_data_uri_bytes, max_data_uri_bytes)
    smaller = replace(call.route, profile=replace(profile, max_data_uri_bytes=bytes_of_clip))
    call = call._replace(route=smaller)
    prepared = call.prepare({url: Audio.from_url(url) for url in call.urls_to_download})
    request, endpoint = prepared.request, prepared.service.endpoint
    uploads = bool(request.uploads(endpoint))
    written = {} if uploads else request.write(endpoint, {}, stream=profile.must_stream)
    if uploads or RESOLVE.keys() <= written["headers"].keys():
        raise AudioError(
            "a recording travels as an oss:// URL, which the service does not resolve in batches: "
            "send it inline, or as an http(s) URL that the service can fetch"
        )
    body: JsonBody = written["json"]
    return body


def _prepare(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> _PreparedCall:
    call = _map(settings, messages, kwargs)
    return call.prepare({url: Audio.from_url(url) for url in call.urls_to_download})


async def _aprepare(
    settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]
) -> _PreparedCall:
    """Prepare with base64, disk and codecs kept off the event loop."""
    if all(isinstance(message.content, str) for message in messages):
        return _prepare(settings, messages, kwargs)
    if settings.fetch == "service":  # as many recordings are held at once as there are threads
        return await asyncio.to_thread(_prepare, settings, messages, kwargs)
    call = await asyncio.to_thread(_map, settings, messages, kwargs)
    urls = call.urls_to_download
    clips = await asyncio.gather(*map(Audio.afrom_url, urls))
    return await asyncio.to_thread(call.prepare, dict(zip(urls, clips, strict=True)))


def _map(settings: BaseChatQwenAudio, messages: list[BaseMessage], kwargs: dict[str, Any]) -> _Call:
    """Map messages, and settle what they are sent with: fields, and what this call says."""
    own = {name: kwargs.get(name, getattr(settings, name)) for name in PER_CALL}
    deadline = _check_limits(own["timeout"], own["total_timeout"], own["max_retries"])
    model = own["model"]
    route = settings.route(model)
    profile = route.profile
    merged = settings.parameters_of_call(kwargs)
    parameters = {name: value for name, value in merged.items() if name not in _NOT_SENT}
    check_shapes(parameters)
    settle_tools(parameters)
    add_defaults(parameters, profile, settings.voice)
    check_parameters(model, profile, parameters)
    _settle_json(parameters, profile)

    native, choice = settings.has_native_tools(profile), parameters.get("tool_choice")
    prompts, tools_as_text = _take_prompts(parameters, native=native)
    mapped = map_messages(
        messages,
        system_text="\n\n".join(prompts),
        calls_as_text=bool(prompts) and not native,
        image_inputs=profile.images,
        video_inputs=profile.videos,
    )
    if not profile.text:
        mapped = without_empty_texts(mapped)
    elif not is_own_model(model, settings.base_url, settings.protocol):
        mapped = end_with_question(model, mapped, choice)
    check_messages(model, profile, mapped, speaks=requests_speech(parameters))
    if native:
        _write_native_choice(parameters, thinks_by_default=profile.thinking == "on")
    parameters = {name: value for name, value in parameters.items() if value is not None}
    limits = own["timeout"], own["max_retries"], deadline
    return _Call(settings, model, route, mapped, parameters, *limits, tools_as_text)


def _settle_json(parameters: dict[str, Any], profile: Profile) -> None:
    """Settle what enforces JSON, and what requests it in the prompt."""
    if schema := take_schema_beside_tools(parameters, profile):
        parameters["json_prompt"] = json_prompt(schema)
    if "json_prompt" in parameters:
        request_json(parameters, profile)


def _check_limits(timeout: Any, total_timeout: Any, max_retries: Any) -> float:
    """Require limits that a call may have, and say when it must have ended.

    Raises:
        InvalidRequestError: They are none.
    """
    for name, seconds in (("timeout", timeout), ("total_timeout", total_timeout)):
        if seconds is None and name == "total_timeout":
            continue
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_TIMEOUT_S:
            raise InvalidRequestError(
                f"{name} is {reprlib.repr(seconds)}, expected seconds: more than 0, and at most "
                f"{MAX_TIMEOUT_S:g}"
            )
    if not isinstance(max_retries, int) or max_retries < 0:
        raise InvalidRequestError(f"max_retries is {reprlib.repr(max_retries)}, expected 0 or more")
    return time.monotonic() + (math.inf if total_timeout is None else total_timeout)


def _write_native_choice(parameters: dict[str, Any], *, thinks_by_default: bool) -> None:
    choice = parameters.get("tool_choice")
    if not choice:
        return
    parameters["tool_choice"] = native_choice(choice, parameters.get("tools") or [])
    is_off = parameters.get("reasoning_effort") == "none"
    if choice not in {"auto", "none"} and thinks_by_default and not is_off:
        # A model cannot be made to call a tool while it thinks.
        parameters.setdefault("enable_thinking", False)


def _take_prompts(parameters: dict[str, Any], *, native: bool) -> tuple[list[str], bool]:
    """Take out of parameters what becomes part of the system message.

    Returns:
        The texts, and whether tools are offered in them.
    """
    prompts: list[str] = []
    tools_as_text = bool(parameters.get("tools")) and not native
    if tools_as_text:
        prompts.append(
            write_tool_prompt(
                parameters.pop("tools"),
                parameters.pop("tool_choice", None) or "auto",
                parallel=parameters.pop("parallel_tool_calls", None) is not False,
            )
        )
    if "json_prompt" in parameters:
        prompts.append(parameters.pop("json_prompt"))
    return prompts, tools_as_text


def clip_options(settings: BaseChatQwenAudio, model: str, route: Route) -> ClipOptions:
    """Say what may be read, how clips are converted, and how they travel."""
    return ClipOptions(
        profile=route.profile.with_transport(settings.audio_transport),
        protocol=route.protocol,
        model=model,
        long_audio=settings.long_audio,
        audio_transport=settings.audio_transport,
        local_files=settings.local_files,
    )


def _service(settings: BaseChatQwenAudio, route: Route) -> Service:
    endpoint = Endpoint(
        base_url=route.address,
        api_key=settings.api_key.get_secret_value(),
        workspace=settings.workspace or "",
    )
    return Service(endpoint, settings.http_client, settings.http_async_client)


def count_messages(settings: BaseChatQwenAudio, messages: Sequence[BaseMessage]) -> Counts:
    """Count text and audio of messages, with no request."""
    from langchain_qwen_audio._request.token_count import count

    route = settings.route()
    profile = route.profile
    mapped = map_messages(messages, image_inputs=profile.images, video_inputs=profile.videos)
    return count(mapped, clip_options(settings, settings.model, route))
