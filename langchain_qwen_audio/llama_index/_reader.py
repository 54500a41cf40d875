"""QwenAudioReader: recordings as LlamaIndex's documents."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document
from typing_extensions import Unpack

from langchain_qwen_audio._media.mime_types import SUFFIXES
from langchain_qwen_audio._transcription.options import LoadOptions
from langchain_qwen_audio._transcription.sources import Recording, recordings
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.document_loaders import LoadSummary, QwenAudioParser
from langchain_qwen_audio.llama_index._llm import QwenAudio, chat_model_of
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from langchain_core.documents import Document as LangChainDocument

    from langchain_qwen_audio._transcription.sources import Source
    from langchain_qwen_audio.chat_models import ChatQwenAudio

# Useful to cite a document, and noise to an embedding model.
_NOT_EMBEDDED = (
    *("track", "channel", "segment", "segments", "start_s", "end_s", "model"),
    *("finish_reason", "failed", "incomplete"),
)


class QwenAudioReader(BaseReader):
    """Load recordings of any length as documents, with their start and end in seconds.

    Recordings are split at silences. Each segment is one `Document`: its text is its transcript, or
    what the prompt asks for, and `metadata` has `source`, `segment`, `start_s`, `end_s`, `model`
    and, where the model tells, `language` and `emotion`.

    Example:
        ```python
        from llama_index.core import SimpleDirectoryReader

        from langchain_qwen_audio.llama_index import QwenAudioReader

        reader = QwenAudioReader(checkpoint=".transcripts")
        documents = SimpleDirectoryReader(
            "meetings",
            file_extractor=dict.fromkeys(QwenAudioReader.suffixes, reader),
            raise_on_error=True,
        ).load_data()
        ```

    Attributes:
        suffixes: How the names of recordings end.
        parser: The LangChain parser that does the work.
    """

    suffixes: ClassVar[frozenset[str]] = SUFFIXES

    def __init__(
        self,
        llm: QwenAudio | ChatQwenAudio | TranscriptionJobs | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        """Say how recordings are transcribed.

        Args:
            llm: The model, or `TranscriptionJobs`; by default qwen3-asr-flash, or, with a prompt,
                the default model.
            **options: See `langchain_qwen_audio.document_loaders.LoadOptions`.

        Raises:
            TypeError: There is no such option.
            ValueError: A value is out of its range.
        """
        model = llm if isinstance(llm, TranscriptionJobs) else chat_model_of(llm)
        self.parser = QwenAudioParser(model, **options)

    @property
    def summary(self) -> LoadSummary:
        """What the last run has transcribed so far, and what it cost."""
        return self.parser.summary

    def lazy_load_data(
        self,
        paths: Source | Iterable[Source],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> Iterator[Document]:
        """Transcribe, and yield documents as they come, in order.

        Args:
            paths: A file, a directory, a pattern, a public http(s) URL, or several of these. A URL
                is downloaded here; with `TranscriptionJobs` the service fetches it.
            extra_info: Metadata to add to every document, which wins over what is there.
            fs: An fsspec file system that paths of files are on, in place of this machine's.

        Raises:
            AudioError: There is no such recording, or it is not one, and errors are raised.
            QwenAudioError: A segment failed, and errors are raised.
        """
        left_out: list[str] = []
        for document in self.parser.documents(_recordings(paths, fs, left_out), left_out):
            yield _document(document, extra_info)

    def load_data(
        self,
        paths: Source | Iterable[Source],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Transcribe all; see `lazy_load_data`."""
        return list(self.lazy_load_data(paths, extra_info, fs))

    async def aload_data(
        self,
        paths: Source | Iterable[Source],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Transcribe all without blocking the event loop; see `lazy_load_data`."""
        left_out: list[str] = []
        documents = self.parser.adocuments(_recordings(paths, fs, left_out), left_out)
        return [_document(document, extra_info) async for document in documents]

    async def alazy_load_data(
        self,
        paths: Source | Iterable[Source],
        extra_info: dict[str, Any] | None = None,
        fs: Any = None,
    ) -> list[Document]:
        """Transcribe all; LlamaIndex wants an iterable, which could only block the event loop."""
        return await self.aload_data(paths, extra_info, fs)


def _recordings(
    paths: Source | Iterable[Source], fs: Any, left_out: list[str]
) -> Iterator[Recording]:
    if fs is None:
        yield from recordings(paths, left_out)
        return
    for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
        yield Recording(str(path), partial(_open, fs, str(path)))


def _open(fs: Any, path: str) -> Audio:
    with fs.open(path, "rb") as file:
        return Audio.from_file(file, name=path)


def _document(document: LangChainDocument, extra_info: dict[str, Any] | None) -> Document:
    return Document(
        id_=document.id or "",
        text=document.page_content,
        metadata={**document.metadata, **(extra_info or {})},
        excluded_embed_metadata_keys=[*_NOT_EMBEDDED],
    )
