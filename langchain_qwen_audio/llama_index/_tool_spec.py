"""QwenAudioToolSpec: the tools for recordings, as LlamaIndex's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool, ToolException
from llama_index.core.base.llms.types import AudioBlock, TextBlock
from llama_index.core.tools.tool_spec.base import SPEC_FUNCTION_TYPE, BaseToolSpec
from llama_index.core.tools.types import ToolMetadata

from langchain_qwen_audio.llama_index._llm import QwenAudio, chat_model_of
from langchain_qwen_audio.tools import AskAudio, ListAudio, LoadAudio

if TYPE_CHECKING:
    import os

    from llama_index.core.tools.function_tool import FunctionTool

    from langchain_qwen_audio.chat_models import ChatQwenAudio


class QwenAudioToolSpec(BaseToolSpec):
    """The tools that an agent needs to work with the recordings of a folder.

    `load_audio` puts a recording into the conversation, for a `FunctionAgent` whose model takes
    audio; `ask_audio` has a model answer a question about it, for any agent. A `ReActAgent` passes
    on text alone, so that it can only use `ask_audio`. A mistake that the calling model can correct
    comes back to it as an error.

    Example:
        ```python
        from llama_index.core.agent.workflow import FunctionAgent

        tools = QwenAudioToolSpec("recordings", llm=QwenAudio()).to_tool_list()
        agent = FunctionAgent(tools=tools, llm=QwenAudio(model="qwen3.5-omni-flash"))
        ```
    """

    def __init__(
        self,
        root_dir: str | os.PathLike[str] | None = None,
        *,
        llm: QwenAudio | ChatQwenAudio | None = None,
        allow_urls: bool = False,
        **limits: Any,
    ) -> None:
        """Say which recordings may be used.

        Args:
            root_dir: Folder whose recordings may be named; nothing outside of it is.
            llm: The model that answers for `ask_audio`; without one there is no such tool.
            allow_urls: Whether public http(s) URLs may be named; they are downloaded here.
            **limits: `max_bytes` and `max_duration_s`, as for `LoadAudio`.
        """
        rules = {"root_dir": root_dir, "allow_urls": allow_urls, **limits}
        tools: list[BaseTool] = [LoadAudio(**rules)]
        if (model := chat_model_of(llm)) is not None:
            tools.append(AskAudio(llm=model, **rules))
        if root_dir is not None:
            tools.insert(0, ListAudio(root_dir=root_dir))
        self._tools = {tool.name: tool for tool in tools}
        self.spec_functions = [(name, f"a{name}") for name in self._tools]

    def to_tool_list(
        self,
        spec_functions: list[SPEC_FUNCTION_TYPE] | None = None,
        func_to_metadata_mapping: dict[str, ToolMetadata] | None = None,
    ) -> list[FunctionTool]:
        """Make the tools, described to the model as LangChain's are."""
        described = {
            name: ToolMetadata(tool.description, name, tool.tool_call_schema)  # type: ignore[arg-type]
            for name, tool in self._tools.items()
        }
        return super().to_tool_list(
            spec_functions, {**described, **(func_to_metadata_mapping or {})}
        )

    def list_audio(self) -> str:
        """List the recordings that can be named."""
        return str(_content(self._tools["list_audio"].invoke(_call("list_audio"))))

    async def alist_audio(self) -> str:
        """List the recordings that can be named; see `list_audio`."""
        return str(_content(await self._tools["list_audio"].ainvoke(_call("list_audio"))))

    def load_audio(
        self, audio: str, start_s: float | None = None, end_s: float | None = None
    ) -> list[TextBlock | AudioBlock]:
        """Load a recording, or a part of one.

        Args:
            audio: Its name in the folder, or its URL.
            start_s: Where to begin, in seconds.
            end_s: Where to end, in seconds.

        Returns:
            A description, and the recording.

        Raises:
            ToolException: There is none of that name, or it may not be used.
        """
        call = _call("load_audio", audio=audio, start_s=start_s, end_s=end_s)
        return _blocks(self._tools["load_audio"].invoke(call))

    async def aload_audio(
        self, audio: str, start_s: float | None = None, end_s: float | None = None
    ) -> list[TextBlock | AudioBlock]:
        """Load a recording without blocking the event loop; see `load_audio`."""
        call = _call("load_audio", audio=audio, start_s=start_s, end_s=end_s)
        return _blocks(await self._tools["load_audio"].ainvoke(call))

    def ask_audio(self, audio: str, question: str) -> str:
        """Have a model that takes audio answer a question about a recording.

        Args:
            audio: Its name in the folder, or its URL.
            question: What to find out.

        Raises:
            ToolException: There is none of that name, or it may not be used.
            QwenAudioError: The request failed.
        """
        call = _call("ask_audio", audio=audio, question=question)
        return str(_content(self._tools["ask_audio"].invoke(call)))

    async def aask_audio(self, audio: str, question: str) -> str:
        """Answer a question about a recording without blocking the event loop; see `ask_audio`."""
        call = _call("ask_audio", audio=audio, question=question)
        return str(_content(await self._tools["ask_audio"].ainvoke(call)))


def _call(name: str, **args: Any) -> dict[str, Any]:
    # As a call, for an answer that tells a mistake from a result.
    return {"type": "tool_call", "id": name, "name": name, "args": args}


def _content(answer: ToolMessage) -> Any:
    if answer.status == "error":
        raise ToolException(answer.text)
    return answer.content


def _blocks(answer: ToolMessage) -> list[TextBlock | AudioBlock]:
    text, recording = _content(answer)
    return [
        TextBlock(text=text["text"]),
        AudioBlock(audio=recording["base64"].encode("ascii")),
    ]
