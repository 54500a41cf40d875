"""Recordings in the files of a deep agent → messages with their sound."""

from __future__ import annotations

import asyncio
from pathlib import PurePosixPath
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.messages import ToolMessage
from langchain_core.tools import InjectedToolCallId, ToolException
from pydantic import BaseModel, Field

from langchain_qwen_audio._audio_tools.limits import correctable
from langchain_qwen_audio._audio_tools.parts import PartInput, PartTool
from langchain_qwen_audio.audio import Audio

try:
    from deepagents.backends.protocol import BackendProtocol
    from deepagents.backends.utils import validate_path
    from langgraph.types import Command
except ImportError as error:
    raise ImportError(
        "langchain_qwen_audio.deep_agents needs Deep Agents: "
        'pip install "langchain-qwen-audio[deep-agents]"'
    ) from error

__all__ = ["ReadAudio"]


class _PathInput(BaseModel):
    file_path: str = Field(description="Path of the recording, such as /calls/one.mp3")


class _ReadInput(PartInput, _PathInput):
    tool_call_id: Annotated[str, InjectedToolCallId]


class ReadAudio(PartTool):
    """Load a recording from the files of a deep agent into the conversation.

    The agent's own `read_file` goes by the file's name, and takes six suffixes as audio, of any
    size. This tool detects the format from the content, has limits, and loads parts.

    It may read all that `backend` has: the `permissions` of `create_deep_agent` are those of the
    agent's own tools.

    Example:
        ```python
        from deepagents import create_deep_agent
        from deepagents.backends import FilesystemBackend
        from langchain_qwen_audio import ChatQwenAudio
        from langchain_qwen_audio.deep_agents import ReadAudio

        files = FilesystemBackend(root_dir="recordings", virtual_mode=True)
        model = ChatQwenAudio(model="qwen3.5-omni-flash")
        agent = create_deep_agent(model, tools=[ReadAudio(backend=files)], backend=files)
        ```
    """

    name: str = "read_audio"
    description: str = (
        "Load a recording from a file into the conversation, as audio input, whatever its format. "
        "Use it in place of read_file for audio. Returns its length, format, loudness and how much "
        "of it is silence. Optionally only the part from start_s to end_s, in seconds."
    )
    args_schema: type[BaseModel] = _ReadInput

    backend: BackendProtocol
    """Where the agent's files are: the `backend` of `create_deep_agent`."""

    def _run(
        self,
        file_path: str,
        tool_call_id: str,
        start_s: float | None = None,
        end_s: float | None = None,
        run_manager: CallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> Command[Any]:
        text, found = self._load(self._open(file_path), file_path, start_s, end_s)
        message = ToolMessage([text, found.to_block()], name=self.name, tool_call_id=tool_call_id)
        # As a message, LangGraph would write the audio block into a text; within a command it
        # leaves it alone. Deep Agents drops blocks of the type "file".
        return Command(update={"messages": [message]})

    async def _arun(
        self,
        file_path: str,
        tool_call_id: str,
        start_s: float | None = None,
        end_s: float | None = None,
        run_manager: AsyncCallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> Command[Any]:
        return await asyncio.to_thread(self._run, file_path, tool_call_id, start_s, end_s)

    def _open(self, name: str) -> Audio:
        """Read a file of the backend.

        Raises:
            ToolException: There is none of that name, or it may not be used.
        """
        path = _valid(name)
        self._require_size(self._listed_size(path), name)  # before all of it is read
        (file,) = self.backend.download_files([path])
        if file.content is None:
            raise ToolException(f"{name}: it cannot be read ({file.error or 'no content'})")
        self._require_size(len(file.content), name)
        audio = Audio.from_bytes(file.content, name=name)
        correctable(lambda: audio.probe)
        return audio

    def _listed_size(self, path: str) -> int:
        """Look up the size of a file; 0 where the backend does not tell."""
        entries = self.backend.ls(str(PurePosixPath(path).parent)).entries or []
        return next((it.get("size", 0) for it in entries if it["path"] == path), 0)


def _valid(name: str) -> str:
    try:
        return validate_path(name)
    except ValueError as error:
        raise ToolException(str(error)) from error
