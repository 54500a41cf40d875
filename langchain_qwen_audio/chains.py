"""A question about a recording of any length → an answer that cites points in time.

{"audio", "question"} ─ map: a note of each segment ─► notes ─ reduce: combined ─► {"answer", …}

Built from LangChain's runnables: invoke, stream, batch, callbacks and traces are theirs.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda, RunnablePassthrough
from pydantic import BaseModel
from typing_extensions import Unpack

from langchain_qwen_audio._media.durations import format_time
from langchain_qwen_audio._request.token_count import token_ids
from langchain_qwen_audio._transcription.options import LoadOptions
from langchain_qwen_audio.document_loaders import QwenAudioLoader, TranscriptFormat
from langchain_qwen_audio.transcription_jobs import TranscriptionJobs
from langchain_qwen_audio.transcripts import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.documents import Document
    from langchain_core.language_models import BaseChatModel

    from langchain_qwen_audio.chat_models import ChatQwenAudio

NOTHING = "NOTHING"
NOTE_PROMPT = f"""\
This is a part of a longer recording. Somebody wants to know of the whole: {{question}}

Write down in a few words what is said in this part that helps to answer. \
If nothing in it does, answer {NOTHING}."""

COMBINE_PROMPT = """\
These are notes on a recording, each with the time at which the part begins that it is from, \
and with the speaker, where that is known.

{notes}

Answer from these notes alone: {question}
Cite the times of what you use in their brackets, as [mm:ss], and name the speaker where the note \
does, as Speaker 0 [mm:ss]. If the notes do not say, say so."""

SHORTEN_PROMPT = """\
These are notes on a recording, each with a time in brackets.

{notes}

Shorten them to what helps to answer: {question}
Keep the time of each in its brackets."""

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")  # of one time, several, or from one to another
_TIME = re.compile(r"(?<![\d:])(?:\d+:)?\d\d:\d\d(?![\d:])")


def create_recording_qa_chain(
    llm: ChatQwenAudio | TranscriptionJobs,
    *,
    combine_llm: BaseChatModel | None = None,
    max_notes_tokens: int = 4_000,
    response_format: dict[str, Any] | type | None = None,
    **options: Unpack[LoadOptions],
) -> Runnable[dict[str, Any], dict[str, Any]]:
    """Make a chain that answers a question about a recording, however long, with citations.

    From each segment of the recording the model notes what helps to answer (map). From these notes
    the answer is made (reduce). A model that only transcribes notes all words: each sentence with
    its time and its speaker, where the model tells them.

    Example:
        ```python
        chain = create_recording_qa_chain(ChatQwenAudio(model="qwen3.5-omni-flash"))
        result = chain.invoke({"audio": "meeting.mp3", "question": "What was decided?"})
        result["answer"], [note.metadata["start_s"] for note in result["citations"]]
        ```

        With data in place of a text:

        ```python
        from pydantic import BaseModel


        class Decisions(BaseModel):
            decisions: list[str]


        model = ChatQwenAudio(model="qwen3.5-omni-flash")
        chain = create_recording_qa_chain(model, response_format=Decisions)
        result = chain.invoke({"audio": "meeting.mp3", "question": "What was decided?"})
        print(result["structured_response"].decisions)
        ```

    Args:
        llm: The model that takes the audio, or `TranscriptionJobs`, which only transcribe.
        combine_llm: The model that makes the answer from the notes; `llm` by default, if it takes
            text.
        max_notes_tokens: Tokens of notes that are combined at once; more of them are shortened
            first.
        response_format: A Pydantic class, a TypedDict, or a JSON schema with a title, for an answer
            that is data of it.
        **options: See `LoadOptions`; `prompt` and `transcript_format` are set by the chain.

    Returns:
        A runnable from `{"audio": …, "question": str}`, with any source that `QwenAudioLoader`
        takes, to the same with `answer`, or, with `response_format`, `structured_response`;
        `documents`, the notes with their start and end; and `citations`, the documents whose times
        the answer, or a text in its data, cites, in its order.

    Raises:
        OutputParserException: When invoked, if the answer holds no such data.
        ValueError: `llm` only transcribes, and there is no `combine_llm`.
    """
    takes_text = not isinstance(llm, TranscriptionJobs) and llm.route().profile.text
    notes_of = TranscriptFormat.SEGMENTS if takes_text else TranscriptFormat.SENTENCES
    combine = combine_llm
    if combine is None:
        if isinstance(llm, TranscriptionJobs) or not takes_text:
            raise ValueError(f"{llm.model} only transcribes: pass combine_llm=…, which answers")
        combine = llm

    def loader(inputs: dict[str, Any]) -> QwenAudioLoader:
        prompt = NOTE_PROMPT.format(question=inputs["question"]) if takes_text else None
        # A prompt or a format among the options is a TypeError.
        settings: dict[str, Any] = {"llm": llm, "prompt": prompt, "transcript_format": notes_of}
        return QwenAudioLoader(inputs["audio"], **settings, **options)

    def is_useful(note: Document) -> bool:
        text = note.page_content.strip(" .*\"'\n")
        return bool(text) and not (takes_text and text.upper() == NOTHING)

    def notes(inputs: dict[str, Any]) -> list[Document]:
        return [note for note in loader(inputs).lazy_load() if is_useful(note)]

    async def anotes(inputs: dict[str, Any]) -> list[Document]:
        return [note async for note in loader(inputs).alazy_load() if is_useful(note)]

    shorten = ChatPromptTemplate.from_template(SHORTEN_PROMPT) | combine | StrOutputParser()
    shortener = _Shortener(shorten, max_notes_tokens)
    answer = (
        RunnablePassthrough.assign(notes=RunnableLambda(shortener.run, shortener.arun))
        | ChatPromptTemplate.from_template(COMBINE_PROMPT)
        | _answering(combine, response_format)
    )
    name = "answer" if response_format is None else "structured_response"
    return (
        RunnablePassthrough.assign(documents=RunnableLambda(notes, anotes))
        | RunnablePassthrough.assign(**{name: answer})
        | RunnablePassthrough.assign(citations=RunnableLambda(_citations))
    )


def _answering(
    combine: BaseChatModel, response_format: dict[str, Any] | type | None
) -> Runnable[Any, Any]:
    """Make what answers a prompt: with a text, or with data."""
    if response_format is None:
        return combine | StrOutputParser()
    # A stream has the data as it grows, and chunks of it cannot be added: only the last one counts.
    return combine.with_structured_output(response_format) | RunnableLambda(lambda data: data)


@dataclass(frozen=True)
class _Shortener:
    """Notes → their text, shortened by a model as often as it takes to be short enough."""

    shorten: Runnable[dict[str, Any], str]
    max_tokens: int

    def run(self, inputs: dict[str, Any]) -> str:
        notes = _as_texts(inputs["documents"])
        while groups := self._groups(notes):
            notes = _shorter(notes, self.shorten.batch(_prompts(groups, inputs)))
        return "\n".join(notes)

    async def arun(self, inputs: dict[str, Any]) -> str:
        notes = _as_texts(inputs["documents"])
        # Counting tokens loads a tokenizer, and takes its time where notes are many.
        while groups := await asyncio.to_thread(self._groups, notes):
            notes = _shorter(notes, await self.shorten.abatch(_prompts(groups, inputs)))
        return "\n".join(notes)

    def _groups(self, notes: list[str]) -> list[list[str]]:
        """Put neighbours together, as many as the limit allows, and two at least.

        No groups if all notes together are short enough.
        """
        sizes = [len(token_ids(note)) for note in notes]
        if sum(sizes) <= self.max_tokens or len(notes) < 2:
            return []
        groups: list[list[str]] = [[]]
        size = 0
        for note, tokens in zip(notes, sizes, strict=True):
            if size + tokens > self.max_tokens and len(groups[-1]) >= 2:
                groups.append([])
                size = 0
            groups[-1].append(note)
            size += tokens
        return groups


def _prompts(groups: list[list[str]], inputs: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"notes": "\n".join(group), "question": inputs["question"]} for group in groups]


def _as_texts(documents: Sequence[Document]) -> list[str]:
    """Write notes with their times and speakers; a channel is a speaker if there are several."""
    is_each = len({note.metadata.get("channel") for note in documents}) > 1
    return [
        f"[{format_time(note.metadata['start_s'])}] {_speaker(note, is_each=is_each)}"
        f"{note.page_content}"
        for note in documents
    ]


def _speaker(note: Document, *, is_each: bool) -> str:
    channel = note.metadata.get("channel") if is_each else None
    label = Sentence(text="", speaker=note.metadata.get("speaker"), channel=channel).label
    return f"{label}: " if label else ""


def _shorter(before: list[str], after: list[str]) -> list[str]:
    """Require progress, so that a model that does not shorten cannot go on for ever."""
    if sum(map(len, after)) >= sum(map(len, before)):
        raise ValueError("the notes are too long, and the model does not shorten them")
    return after


def _citations(inputs: dict[str, Any]) -> list[Document]:
    notes: dict[str, list[Document]] = {}
    for note in inputs["documents"]:
        notes.setdefault(format_time(note.metadata["start_s"]), []).append(note)
    brackets = _BRACKETS.findall("\n".join(_texts_in(_answer_of(inputs))))
    cited = dict.fromkeys(time for inside in brackets for time in _TIME.findall(inside))
    return [note for time in cited for note in notes.get(time, [])]


def _answer_of(inputs: dict[str, Any]) -> Any:
    """Take the text of an answer, or its data as plain values."""
    if "answer" in inputs:
        return inputs["answer"]
    data = inputs["structured_response"]
    return data.model_dump() if isinstance(data, BaseModel) else data


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts in data, in its order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for it in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(it)
