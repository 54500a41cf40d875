"""Tools that let any tool-calling model use recordings.

`load_audio` puts a recording into the conversation, for a model that takes audio; `ask_audio` has
such a model answer a question about it, for one that takes only text. `transcribe_audio` returns
what is said in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForToolRun, CallbackManagerForToolRun
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import patch_config
from langchain_core.tools import BaseTool, BaseToolkit, ToolException
from pydantic import BaseModel, Field

from langchain_qwen_audio._audio_tools.limits import LimitedTool, correctable
from langchain_qwen_audio._audio_tools.parts import PartInput, PartTool
from langchain_qwen_audio._media.local_files import LocalFile
from langchain_qwen_audio._transcription.folders import search_folder
from langchain_qwen_audio._transcription.sources import Recording
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.chat_models import ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioParser, TranscriptFormat
from langchain_qwen_audio.errors import AudioError
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

MAX_LISTED = 200


class _FolderTool(LimitedTool):
    """A tool that takes recordings of a folder."""

    root_dir: Path | None = None
    """Folder whose recordings may be named; nothing outside of it is, through `..` or links."""

    allow_urls: bool = False
    """Whether http(s) URLs may be named; they are downloaded here, from the public network only."""

    def _open(self, audio: str) -> Audio:
        """Find a recording.

        Raises:
            ToolException: There is none of that name, or it may not be used.
        """
        if audio.lower().startswith(("http://", "https://")):
            if not self.allow_urls:
                raise ToolException(f"{audio}: URLs are not allowed here; name a file")
            found = correctable(lambda: Audio.from_url(audio))
        elif self.root_dir is None:
            raise ToolException(f"{audio}: files are not allowed here; name a URL")
        else:
            found = self._find(audio, self.root_dir)
        self._require_size(found.size, audio)
        correctable(lambda: found.probe)
        return found

    def _find(self, audio: str, root: Path) -> Audio:
        try:
            file = LocalFile.find(root / audio, within=[root])
        except AudioError as error:
            # The same whether it is missing or elsewhere, so that nothing elsewhere is revealed.
            raise ToolException(f"{audio}: there is no such recording in the folder") from error
        return Audio(file, name=audio)


class _AudioInput(BaseModel):
    audio: str = Field(description="Name of the recording in the folder, or its URL")


class _LoadInput(PartInput, _AudioInput):
    pass


class LoadAudio(_FolderTool, PartTool):
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
        text, found = self._load(self._open(audio), audio, start_s, end_s)
        return [text, found.to_tool_block()]

    async def _arun(
        self,
        audio: str,
        start_s: float | None = None,
        end_s: float | None = None,
        run_manager: AsyncCallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> list[dict[str, Any]]:
        # It is disk and codecs only, which belong off the event loop.
        return await asyncio.to_thread(self._run, audio, start_s, end_s)


class _AskInput(_AudioInput):
    question: str = Field(description="What to find out about the recording")


class AskAudio(_FolderTool):
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


class TranscribeAudio(_FolderTool):
    """Transcribe a recording, which may be long: it is split in pauses.

    A transcript that the model did not finish says so. The price is that of the recording's length.

    Example:
        ```python
        TranscribeAudio(llm=ChatQwenAudio(model="qwen3-asr-flash"), root_dir="recordings").invoke(
            {"audio": "call.mp3"}
        )
        ```
    """

    name: str = "transcribe_audio"
    description: str = "Transcribe the speech of a recording. Returns the text of all of it."
    args_schema: type[BaseModel] = _AudioInput

    llm: ChatQwenAudio | TranscriptionJobs
    """The model that transcribes, or jobs."""

    max_duration_s: float = 7200.0
    """Length of the longest recording, in seconds."""

    def _run(
        self,
        audio: str,
        run_manager: CallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> str:
        found = self._recording(audio)
        return correctable(lambda: _text_of(self._parser().documents([found])))

    async def _arun(
        self,
        audio: str,
        run_manager: AsyncCallbackManagerForToolRun | None = None,  # noqa: ARG002
    ) -> str:
        found = await asyncio.to_thread(self._recording, audio)
        try:
            return _text_of([it async for it in self._parser().adocuments([found])])
        except AudioError as error:
            raise ToolException(str(error)) from error

    def _recording(self, name: str) -> Recording:
        audio = self._open(name)
        self._require_short(audio, name)
        return Recording(name, lambda: audio)

    def _parser(self) -> QwenAudioParser:
        return QwenAudioParser(self.llm, transcript_format=TranscriptFormat.TEXT)


def _text_of(documents: Iterable[Document]) -> str:
    return "\n".join(it.page_content for it in documents) or "There is no speech."


class _ListInput(BaseModel):
    pass


class ListAudio(BaseTool):
    """List the recordings of a folder; their content says what is one.

    Each has a line, such as `welcome.wav (7.2 s, 229,004 bytes)`. The length is what its header
    says.

    Example:
        ```python
        print(ListAudio(root_dir="recordings").invoke({}))
        ```
    """

    name: str = "list_audio"
    description: str = (
        "List the recordings that can be named, with their lengths in seconds and sizes in bytes."
    )
    args_schema: type[BaseModel] = _ListInput

    root_dir: Path
    """The folder."""

    def _run(self, run_manager: CallbackManagerForToolRun | None = None) -> str:  # noqa: ARG002
        root, left_out = self.root_dir.resolve(), list[str]()
        found = search_folder(root, left_out, follow_links_out=False)
        paths = {str(path.relative_to(root)): path for path in found}
        names = [name for name in paths if name.isprintable()]
        lines = [f"{name} ({_length_and_size(paths[name])})" for name in names[:MAX_LISTED]]
        if len(names) > MAX_LISTED:
            lines.append(f"… and {len(names) - MAX_LISTED} more")
        if hidden := len(paths) - len(names):
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


def _length_and_size(path: Path) -> str:
    """Describe a file by its header alone, which is all that a listing may cost."""
    size = f"{path.stat().st_size:,} bytes"
    try:
        length_s = Audio.from_path(path).probe.declared_s
    except AudioError:
        return f"cannot be read, {size}"
    return f"length not known, {size}" if length_s is None else f"{length_s:,.1f} s, {size}"


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

    transcriber: ChatQwenAudio | TranscriptionJobs | None = None
    """What transcribes for `transcribe_audio`; without it there is no such tool."""

    allow_urls: bool = False
    """Whether http(s) URLs may be named too."""

    def get_tools(self) -> list[BaseTool]:
        """Make the tools; those that need a model only if there is one."""
        rules: dict[str, Any] = {"root_dir": self.root_dir, "allow_urls": self.allow_urls}
        tools: list[BaseTool] = [ListAudio(root_dir=self.root_dir), LoadAudio(**rules)]
        if self.llm is not None:
            tools.append(AskAudio(llm=self.llm, **rules))
        if self.transcriber is not None:
            tools.append(TranscribeAudio(llm=self.transcriber, **rules))
        return tools
