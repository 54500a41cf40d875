"""Tools that let any tool-calling model use recordings.

`load_audio` puts a recording into the conversation, for a model that takes audio; `ask_audio` has
such a model answer a question about it, for one that takes only text.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import patch_config
from langchain_core.tools import BaseTool, BaseToolkit, ToolException
from pydantic import BaseModel, Field, ValidationError

from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._media.loudness import LoudnessMeter, dbfs
from langchain_qwen_audio._media.samples import SAMPLE_RATE, length_of
from langchain_qwen_audio._transcription.folders import search_folder
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.chat_models import ChatQwenAudio
from langchain_qwen_audio.errors import AudioError

MAX_LISTED = 200
_MORE_S = 1.0  # beyond what may be, by which headers of honest recordings are off
_T = TypeVar("_T")


def _explain_arguments(error: ValidationError) -> str:
    """Tell the calling model what is wrong with its arguments."""
    wrong = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
    return "; ".join(wrong)


class _AudioTool(BaseTool):
    """What the tools share: where recordings may come from, and how large they may be.

    A mistake that the calling model can correct comes back to it as a tool message of status
    "error"; anything else raises.
    """

    _if_too_long: ClassVar[str] = ""  # what the calling model can do then

    root_dir: Path | None = None
    """Folder whose recordings may be named; nothing outside of it is, through `..` or links."""

    allow_urls: bool = False
    """Whether http(s) URLs may be named; they are downloaded here, from the public network only."""

    max_bytes: int = 100 * 1024 * 1024
    """Size of the largest recording."""

    max_duration_s: float = 240.0
    """Length of the longest recording, or part of one, in seconds."""

    handle_tool_error: bool | str | Callable[[ToolException], str] | None = True
    handle_validation_error: bool | str | Callable[[Any], str] | None = _explain_arguments

    def _open(self, audio: str) -> Audio:
        """Find a recording.

        Raises:
            ToolException: There is none of that name, or it may not be used.
        """
        if audio.lower().startswith(("http://", "https://")):
            if not self.allow_urls:
                raise ToolException(f"{audio}: URLs are not allowed here; name a file")
            found = _correctable(lambda: Audio.from_url(audio))
        elif self.root_dir is None:
            raise ToolException(f"{audio}: files are not allowed here; name a URL")
        else:
            found = self._find(audio, self.root_dir)
        if found.size > self.max_bytes:
            raise ToolException(
                f"{audio}: it is {found.size:,} bytes large, at most {self.max_bytes:,} are taken"
            )
        _correctable(lambda: found.probe)
        return found

    def _find(self, audio: str, root: Path) -> Audio:
        try:
            file = LocalFile.find(root / audio, within=[root])
        except AudioError as error:
            # The same whether it is missing or elsewhere, so that nothing elsewhere is revealed.
            raise ToolException(f"{audio}: there is no such recording in the folder") from error
        return Audio(file, name=audio)

    def _require_length(self, length_s: float, name: str) -> None:
        """Require that a recording is not too long; infinity is more than may be."""
        if length_s > self.max_duration_s:
            is_known = length_s < math.inf
            length = (
                f"{length_s:.1f} s long" if is_known else f"longer than {self.max_duration_s:g} s"
            )
            raise ToolException(
                f"{name}: it is {length}, at most {self.max_duration_s:g} s are taken at once"
                f"{self._if_too_long}"
            )

    def _require_short(self, audio: Audio, name: str) -> None:
        """Require that a recording is not too long; no more work is done than shows that."""
        self._require_length(_correctable(lambda: audio.length_up_to(self.max_duration_s)), name)


def _correctable(step: Callable[[], _T]) -> _T:
    """Do a step whose failure the calling model can correct by naming something else."""
    try:
        return step()
    except AudioError as error:
        raise ToolException(str(error)) from error


class _LoadInput(BaseModel):
    audio: str = Field(description="Name of the recording in the folder, or its URL")
    start_s: float | None = Field(
        default=None, ge=0, allow_inf_nan=False, description="Where to begin, in seconds"
    )
    end_s: float | None = Field(default=None, gt=0, description="Where to end, in seconds")


class LoadAudio(_AudioTool):
    """Load a recording into the conversation.

    The message holds a short description and the recording, as a standard block (see
    `Audio.to_tool_block`); a `ChatQwenAudio` takes it as audio input on its next turn. There is no
    artifact, so that checkpoints hold nothing that has to be registered; `Audio.from_message` makes
    an `Audio` of the message.

    Example:
        ```python
        LoadAudio(root_dir="recordings").invoke({"audio": "call.mp3", "start_s": 1, "end_s": 5})
        ```
    """

    _if_too_long: ClassVar[str] = "; name a part of it, with start_s and end_s"

    name: str = "load_audio"
    description: str = (
        "Load a recording into the conversation, as audio input. Returns its length, format, "
        "loudness and how much of it is silence. Optionally only the part from start_s to end_s, "
        "in seconds."
    )
    args_schema: type[BaseModel] = _LoadInput

    def _run(
        self,
        audio: str,
        start_s: float | None = None,
        end_s: float | None = None,
        run_manager: CallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        found = self._open(audio)
        if start_s is not None or end_s is not None:
            found = _correctable(
                lambda: self._part(found, start_s or 0.0, math.inf if end_s is None else end_s)
            )
        self._require_short(found, audio)
        text = {"type": "text", "text": _correctable(lambda: self._describe(found))}
        return [text, found.to_tool_block()]

    def _part(self, audio: Audio, begin_s: float, end_s: float) -> Audio:
        """Cut out a part, unless it is too long."""
        limit_s = begin_s + self.max_duration_s
        if end_s > limit_s and (length_s := audio.declared_s):
            self._require_length(min(length_s, end_s) - begin_s, audio.name)
        # A little more than may be, so that what is too long is noticed.
        part = audio.excerpt(begin_s, min(end_s, limit_s + _MORE_S))
        is_cut = end_s > limit_s and part.duration_s > self.max_duration_s
        self._require_length(math.inf if is_cut else part.duration_s, audio.name)
        return part

    def _describe(self, audio: Audio) -> str:
        """Describe a recording in a line: its length, format, loudness and silence."""
        meter = LoudnessMeter(SAMPLE_RATE)
        length_s = 0.0
        for block in meter.watch(audio.decode(SAMPLE_RATE)):
            length_s += length_of(len(block))
            if length_s > self.max_duration_s + _MORE_S:  # and more than its headers say
                self._require_length(math.inf, audio.name)
        return (
            f"{audio.name}: {audio.duration_s:.1f} s, {audio.mime_type}, {audio.sample_rate} Hz, "
            f"{audio.channels} channel(s), level {dbfs(meter.mean):.0f} dBFS, "
            f"peak {dbfs(meter.peak):.0f} dBFS, {meter.silent_percent:.0f} % silence"
        )

    async def _arun(
        self,
        audio: str,
        start_s: float | None = None,
        end_s: float | None = None,
        run_manager: AsyncCallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        # It is disk and codecs only, which belong off the event loop.
        return await asyncio.to_thread(self._run, audio, start_s, end_s)


class _AskInput(BaseModel):
    audio: str = Field(description="Name of the recording in the folder, or its URL")
    question: str = Field(description="What to find out about the recording")


class AskAudio(_AudioTool):
    """Have a model that takes audio answer a question about a recording.

    Callbacks and config pass through to the model, so that its tokens stream with the agent's.

    Example:
        ```python
        AskAudio(llm=ChatQwenAudio(), root_dir="recordings").invoke(
            {"audio": "call.mp3", "question": "What does the caller want?"}
        )
        ```
    """

    name: str = "ask_audio"
    description: str = (
        "Ask a question about a recording. A model that takes audio answers: what is said, by "
        "whom, in what mood, and what other sounds there are."
    )
    args_schema: type[BaseModel] = _AskInput

    llm: ChatQwenAudio
    """The model that answers."""

    def _run(
        self,
        audio: str,
        question: str,
        config: RunnableConfig,
        run_manager: CallbackManagerForToolRun | None = None,
    ) -> str:
        if run_manager:
            config = patch_config(config, callbacks=run_manager.get_child())
        return self.llm.invoke([self._question(audio, question)], config).text

    async def _arun(
        self,
        audio: str,
        question: str,
        config: RunnableConfig,
        run_manager: AsyncCallbackManagerForToolRun | None = None,
    ) -> str:
        if run_manager:
            config = patch_config(config, callbacks=run_manager.get_child())
        message = await asyncio.to_thread(self._question, audio, question)
        return (await self.llm.ainvoke([message], config)).text

    def _question(self, audio: str, question: str) -> HumanMessage:
        found = self._open(audio)
        self._require_short(found, audio)
        return HumanMessage([found.to_block(), {"type": "text", "text": question}])


class _ListInput(BaseModel):
    pass


class ListAudio(BaseTool):
    """List the recordings of a folder, by name and size; their content says what is one.

    Example:
        ```python
        print(ListAudio(root_dir="recordings").invoke({}))
        ```
    """

    name: str = "list_audio"
    description: str = "List the recordings that can be named, with their sizes in bytes."
    args_schema: type[BaseModel] = _ListInput

    root_dir: Path
    """The folder."""

    def _run(self, run_manager: CallbackManagerForToolRun | None = None) -> str:  # noqa: ARG002
        root, left_out = self.root_dir.resolve(), list[str]()
        found = search_folder(root, left_out, follow_links_out=False)
        sizes = {str(path.relative_to(root)): path.stat().st_size for path in found}
        names = [name for name in sizes if name.isprintable()]
        lines = [f"{name} ({sizes[name]:,})" for name in names[:MAX_LISTED]]
        if len(names) > MAX_LISTED:
            lines.append(f"… and {len(names) - MAX_LISTED} more")
        if hidden := len(sizes) - len(names):
            lines.append(f"… and {hidden} whose names hold line breaks or cannot be shown")
        lines = lines or ["There are no recordings."]
        if left_out:
            lines.append(f"Files that are no recordings: {len(left_out)}")
        return "\n".join(lines)

    async def _arun(
        self,
        run_manager: AsyncCallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> str:
        return await asyncio.to_thread(self._run)


class QwenAudioToolkit(BaseToolkit):
    """The tools that an agent needs to work with the recordings of a folder.

    Example:
        ```python
        tools = QwenAudioToolkit(root_dir="recordings", llm=ChatQwenAudio()).get_tools()
        ```
    """

    root_dir: Path
    """The folder."""

    llm: ChatQwenAudio | None = None
    """The model that answers for `ask_audio`; without one there is no such tool."""

    allow_urls: bool = False
    """Whether http(s) URLs may be named too."""

    def get_tools(self) -> list[BaseTool]:
        """Make the tools: `list_audio`, `load_audio` and, with a model, `ask_audio`."""
        rules: dict[str, Any] = {"root_dir": self.root_dir, "allow_urls": self.allow_urls}
        tools: list[BaseTool] = [ListAudio(root_dir=self.root_dir), LoadAudio(**rules)]
        return [*tools, AskAudio(llm=self.llm, **rules)] if self.llm else tools
