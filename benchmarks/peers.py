"""The clients that are compared: this package, what it is built on, and its alternatives.

Each sends the same request to the same server (`service.py`), and has its own connections.
"""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel, FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from benchmarks.service import NATIVE, OPENAI, PIECES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

MODEL = "qwen-audio-turbo-latest"
QUESTION = "What does the speaker say?"
MESSAGES = [{"role": "user", "content": [{"text": QUESTION}]}]
KEY = "sk-benchmark"
OURS, SDK, FLOOR = "ChatQwenAudio", "SDK", "LangChain's floor"
TEN_LINES, CHAT_OPENAI = "ten lines over aiohttp", "ChatOpenAI"


class Sdk:
    """The DashScope SDK's own 2.x client, called as a model of LangChain is."""

    def __init__(self, url: str, protocol: str = "native") -> None:
        """Open a client."""
        import dashscope

        options: dict[str, Any] = {"max_retries": 0, "timeout": 300.0, "protocol": protocol}
        client = dashscope.Client(base_url=url, api_key=KEY, **options)
        self._create = client.multimodal.chat.create

    def invoke(self, messages: Any, model: str = MODEL) -> object:
        """Send the request, and return the answer."""
        return self._create(model=model, messages=messages, stream=False).output_text

    def stream(self, messages: Any) -> Iterator[object]:
        """Send the request, and yield the fragments of the answer."""
        yield from self._create(model=MODEL, messages=messages, stream=True)


class TenLines(BaseChatModel):
    """A chat model that does the least: aiohttp, and the first text that is in the reply."""

    session: Any
    url: str

    @property
    def _llm_type(self) -> str:
        return "ten-lines"

    def _generate(self, *_: object, **__: object) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(self, *_: object, **__: object) -> ChatResult:
        async with self.session.post(self.url, json=_body()) as reply:
            message = AIMessage(content=_text(await reply.json()))
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _astream(self, *_: object, **__: object) -> AsyncIterator[ChatGenerationChunk]:
        headers = {"X-DashScope-SSE": "enable"}
        body = _body(incremental_output=True)
        async with self.session.post(self.url, json=body, headers=headers) as reply:
            async for line in reply.content:
                if line.startswith(b"data:"):
                    text = _text(json.loads(line[5:]))
                    yield ChatGenerationChunk(message=AIMessageChunk(content=text))


def _body(**parameters: object) -> dict[str, Any]:
    parameters["result_format"] = "message"
    return {"model": MODEL, "input": {"messages": MESSAGES}, "parameters": parameters}


def _text(answer: Any) -> str:
    content = answer["output"]["choices"][0]["message"]["content"]
    return content[0]["text"] if content else ""


@contextlib.asynccontextmanager
async def open_model(name: str, url: str) -> AsyncIterator[BaseChatModel]:
    """Make a model for async calls."""
    if name != TEN_LINES:
        yield make_model(name, url)
        return
    import aiohttp

    headers = {"Authorization": f"Bearer {KEY}"}
    connector = aiohttp.TCPConnector(limit=0)
    path = f"{url}{NATIVE}/services/aigc/multimodal-generation/generation"
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
        yield TenLines(session=session, url=path)


def make_model(name: str, url: str) -> BaseChatModel:
    """Make a model, and import no other."""
    if name == FLOOR:  # a fake model that answers at once
        return FakeListChatModel(responses=["x" * PIECES])
    if name == CHAT_OPENAI:
        from langchain_openai import ChatOpenAI

        options: dict[str, Any] = {"api_key": KEY, "max_retries": 0}
        model: BaseChatModel = ChatOpenAI(model=MODEL, base_url=url + OPENAI, **options)
        return model
    from langchain_qwen_audio import ChatQwenAudio

    return ChatQwenAudio(model=MODEL, base_url=url + NATIVE, api_key=KEY)
