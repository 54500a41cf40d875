"""The clients that are compared: this package, what it is built on, and its alternatives.

Every peer sends the same request to the same server (`service.py`), in its own protocol and in the
calling modes that it has. A peer is made once, and has its own connections.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import dashscope
import httpx
from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from langchain_qwen_audio import ChatQwenAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from benchmarks.service import Service

MODEL = "qwen-audio-turbo-latest"
QUESTION = "What does the speaker say?"
PATH = "/services/aigc/multimodal-generation/generation"
BODY = {
    "model": MODEL,
    "input": {"messages": [{"role": "user", "content": [{"text": QUESTION}]}]},
    "parameters": {"result_format": "message"},
}
STREAM_BODY = {**BODY, "parameters": {"result_format": "message", "incremental_output": True}}
SSE = {"X-DashScope-SSE": "enable"}
KEY = "sk-benchmark"
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Peer:
    """One client; calling modes that it does not have raise NotImplementedError."""

    name: str

    def invoke(self) -> object:
        """Send the request, and return the answer."""
        raise NotImplementedError

    def stream(self) -> Iterator[object]:
        """Send the request, and yield the fragments of the answer."""
        raise NotImplementedError

    async def ainvoke(self) -> object:
        """Send the request, and return the answer."""
        raise NotImplementedError

    def astream(self) -> AsyncIterator[object]:
        """Send the request, and yield the fragments of the answer."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Open what async calls need."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""


class RawHttpx(Peer):
    """httpx, and nothing but reading JSON: the limit for sync calls."""

    name = "raw httpx"

    def __init__(self, url: str) -> None:
        """Open a client."""
        self._url = url + PATH
        self._client = httpx.Client(headers=HEADERS)

    def invoke(self) -> object:
        """Send the request, and return the answer."""
        reply = self._client.post(self._url, json=BODY).json()
        return reply["output"]["choices"][0]["message"]["content"][0]["text"]

    def stream(self) -> Iterator[object]:
        """Send the request, and yield the fragments of the answer."""
        with self._client.stream("POST", self._url, json=STREAM_BODY, headers=SSE) as reply:
            for line in reply.iter_lines():
                if line.startswith("data:"):
                    yield _text(line)


class RawAiohttp(Peer):
    """aiohttp, and nothing but reading JSON: the limit for async calls."""

    name = "raw aiohttp"

    def __init__(self, url: str) -> None:
        """Take the address."""
        self._url = url + PATH

    async def __aenter__(self) -> Self:
        """Open a session without a limit of connections."""
        import aiohttp

        connector = aiohttp.TCPConnector(limit=0)
        self._session = aiohttp.ClientSession(headers=HEADERS, connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._session.close()

    async def ainvoke(self) -> object:
        """Send the request, and return the answer."""
        async with self._session.post(self._url, json=BODY) as reply:
            answer = await reply.json()
        return answer["output"]["choices"][0]["message"]["content"][0]["text"]

    async def astream(self) -> AsyncIterator[object]:
        """Send the request, and yield the fragments of the answer."""
        async with self._session.post(self._url, json=STREAM_BODY, headers=SSE) as reply:
            async for line in reply.content:
                if line.startswith(b"data:"):
                    yield _text(line)


def _text(line: str | bytes) -> str:
    content = json.loads(line[5:])["output"]["choices"][0]["message"]["content"]
    return content[0]["text"] if content else ""


class Sdk(Peer):
    """The DashScope SDK's own 2.x clients."""

    name = "SDK"

    def __init__(self, url: str) -> None:
        """Open a client."""
        self._options: dict[str, Any] = {"base_url": url, "api_key": KEY, "max_retries": 0}
        self._options |= {"protocol": "native", "timeout": 300.0}
        self._client = dashscope.Client(**self._options)

    async def __aenter__(self) -> Self:
        """Open a client, whose connections have no limit."""
        http = httpx.AsyncClient(limits=httpx.Limits())
        self._async_client = dashscope.AsyncClient(**self._options, http_client=http)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._async_client.transport.http_client.aclose()

    def _question(self, stream: bool) -> dict[str, Any]:
        messages = [{"role": "user", "content": [{"text": QUESTION}]}]
        return {"model": MODEL, "messages": messages, "stream": stream}

    def invoke(self) -> object:
        """Send the request, and return the answer."""
        return self._client.multimodal.chat.create(**self._question(stream=False)).output_text

    def stream(self) -> Iterator[object]:
        """Send the request, and yield the fragments of the answer."""
        yield from self._client.multimodal.chat.create(**self._question(stream=True))

    async def ainvoke(self) -> object:
        """Send the request, and return the answer."""
        chat = self._async_client.multimodal.chat
        return (await chat.create(**self._question(stream=False))).output_text

    async def astream(self) -> AsyncIterator[object]:
        """Send the request, and yield the fragments of the answer."""
        async for chunk in await self._async_client.multimodal.chat.create(
            **self._question(stream=True)
        ):
            yield chunk


class Model(Peer):
    """A LangChain chat model."""

    def __init__(self, name: str, model: BaseChatModel) -> None:
        """Take the model."""
        self.name, self._model = name, model

    def invoke(self) -> object:
        """Send the request, and return the answer."""
        return self._model.invoke(QUESTION)

    def stream(self) -> Iterator[object]:
        """Send the request, and yield the fragments of the answer."""
        return self._model.stream(QUESTION)

    async def ainvoke(self) -> object:
        """Send the request, and return the answer."""
        return await self._model.ainvoke(QUESTION)

    def astream(self) -> AsyncIterator[object]:
        """Send the request, and yield the fragments of the answer."""
        return self._model.astream(QUESTION)


class Least(BaseChatModel):
    """A chat model that does the least: raw HTTP, and the first text that is in the reply."""

    sync: Any
    asynchronous: Any

    @property
    def _llm_type(self) -> str:
        return "least"

    def _generate(self, *_: object, **__: object) -> ChatResult:
        return _result(self.sync.invoke())

    async def _agenerate(self, *_: object, **__: object) -> ChatResult:
        return _result(await self.asynchronous.ainvoke())

    def _stream(self, *_: object, **__: object) -> Iterator[ChatGenerationChunk]:
        for text in self.sync.stream():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))

    async def _astream(self, *_: object, **__: object) -> AsyncIterator[ChatGenerationChunk]:
        async for text in self.asynchronous.astream():
            yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def _result(text: str) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])


class LeastPeer(Model):
    """LangChain over raw httpx and raw aiohttp: what no chat model of its kind is faster than."""

    def __init__(self, name: str, url: str) -> None:
        """Make the model."""
        self._raw = RawAiohttp(url)
        super().__init__(name, Least(sync=RawHttpx(url), asynchronous=self._raw))

    async def __aenter__(self) -> Self:
        """Open a session."""
        await self._raw.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._raw.__aexit__()


class Tongyi(Model):
    """ChatTongyi, which calls the SDK's 1.x functions; its async calls are threads."""

    def __init__(self, url: str) -> None:
        """Make the model; its address is the whole process's."""
        from langchain_community.chat_models import ChatTongyi

        dashscope.base_http_api_url = url
        super().__init__("ChatTongyi", ChatTongyi(model=MODEL, api_key=KEY, max_retries=1))


def ours(url: str, **options: Any) -> Model:
    """Make this package's model."""
    return Model("ChatQwenAudio", ChatQwenAudio(model=MODEL, base_url=url, api_key=KEY, **options))


class Urls(NamedTuple):
    """Where the service is, in either protocol, and how many fragments its streams have."""

    native: str
    compatible: str
    pieces: int

    @classmethod
    def of(cls, service: Service, *, delay_ms: int = 0, pieces: int = 50) -> Urls:
        """Find the addresses of the server."""
        return cls(
            native=service.url(delay_ms=delay_ms, pieces=pieces),
            compatible=service.url("openai", delay_ms=delay_ms, pieces=pieces),
            pieces=pieces,
        )


def make_peer(name: str, urls: Urls) -> Peer:
    """Make one peer, and import no other."""
    match name:
        case "raw httpx":
            return RawHttpx(urls.native)
        case "raw aiohttp":
            return RawAiohttp(urls.native)
        case "SDK":
            return Sdk(urls.native)
        case "LangChain's floor":  # a fake model that answers at once
            return Model(name, FakeListChatModel(responses=["x" * urls.pieces]))
        case "LangChain over raw HTTP":
            return LeastPeer(name, urls.native)
        case "ChatOpenAI":
            from langchain_openai import ChatOpenAI

            options: dict[str, Any] = {"base_url": urls.compatible, "max_retries": 0}
            return Model(name, ChatOpenAI(model=MODEL, api_key=KEY, **options))
        case "ChatTongyi":
            return Tongyi(urls.native)
        case _:
            return ours(urls.native)


PEERS = (
    *("raw httpx", "raw aiohttp", "SDK", "LangChain's floor", "LangChain over raw HTTP"),
    *("ChatOpenAI", "ChatTongyi", "ChatQwenAudio"),
)
