"""A request with no scripted reply → the reply that the server makes of it.

It calls tools or writes JSON where that is requested, by rules; otherwise it answers with the
transcripts of the recordings, behind a label that says what it is. In speech recognition and in
structured output, whose text is data, the reply's `model` says it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio.local._answers.conversation import (
    count_audios,
    read_question,
    read_results,
)
from langchain_qwen_audio.local._answers.recording_facts import RecordingFacts
from langchain_qwen_audio.local._answers.schema_values import SchemaFiller
from langchain_qwen_audio.local._answers.speech import read_speech_output
from langchain_qwen_audio.local._answers.tool_calls import choose_tools, is_call_forced
from langchain_qwen_audio.local._audio_input import SAMPLE_RATE
from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._replies import Reply

if TYPE_CHECKING:
    from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
    from langchain_qwen_audio.local._audio_input import Samples

_REASONING = "[local test server: Whisper does not reason]"
_JSON = "Answer with one JSON object and nothing else"
_SCHEMA = "It must satisfy this JSON Schema:\n"


def answer_request(
    request: ModelRequest, recordings: "Sequence[Samples]", transcriber: "WhisperTranscriber"
) -> Reply:
    """Answer a request. Blocks.

    Args:
        request: What is requested of which model.
        recordings: Every recording of the conversation, in order.
        transcriber: What transcribes them.
    """
    if request.model.family in ("asr", "recognition"):
        return _recognize(request, recordings[0], transcriber)
    answer = _Answer(request, recordings, transcriber)
    return replace(
        answer.act() or answer.describe(),
        reasoning=_REASONING if request.thinking else "",
        audio=read_speech_output() if request.speech else b"",
    )


def _recognize(
    request: ModelRequest, recording: "Samples", transcriber: "WhisperTranscriber"
) -> Reply:
    if request.model.family == "recognition":
        found = transcriber.transcribe(recording, times=True)
        sentences = found.write_sentences()
        text = "".join(sentence["text"] for sentence in sentences)
        return Reply(text, sentences=sentences, model=transcriber.label)
    found = transcriber.transcribe(recording)
    # Emotions are not recognised.
    annotations = [{"type": "audio_info", "language": found.language}] if found.language else []
    return Reply(found.text, annotations=annotations, model=transcriber.label)


@dataclass
class _Answer:
    request: ModelRequest
    recordings: "Sequence[Samples]"
    transcriber: "WhisperTranscriber"

    def act(self) -> Reply | None:
        """Call tools or write JSON, if that is requested."""
        question = read_question(self.request.messages)
        tools = choose_tools(question)
        if not tools and not self.request.json_mode and _JSON not in question.rules:
            return None
        is_structured = not tools or is_call_forced(question)
        filler = SchemaFiller(
            question.text,
            question.answers,
            self._facts(question.audios),
            is_structured_output=is_structured,
        )
        reply = self._call(tools, filler) if tools else Reply(_write_json(question.rules, filler))
        return replace(reply, model=self.transcriber.label) if is_structured else reply

    def _call(self, tools: "Sequence[Mapping[str, Any]]", filler: SchemaFiller) -> Reply:
        calls = [
            {
                "name": tool["name"],
                "arguments": filler.fill_parameters(tool.get("parameters") or {}),
            }
            for tool in tools
        ]
        if self.request.tools:
            return Reply(tool_calls=calls)
        written = (json.dumps(call, ensure_ascii=False) for call in calls)
        return Reply("\n".join(f"<tool_call>\n{call}\n</tool_call>" for call in written))

    def describe(self) -> Reply:
        """Write the tool results of the last message, or else the transcripts of all recordings."""
        is_qwen_audio = self.request.model.family == "qwen-audio"
        name = "Qwen-Audio" if is_qwen_audio else self.request.name
        label = f"[local test server: Whisper {self.transcriber.name}, not {name}]"
        last = self.request.messages[-1]
        results = [f'Tool result: "{text}"' for text in read_results(last)]
        transcripts = self._transcribe(count_audios(last) if results else len(self.recordings))
        unseen = [kind for kind in ("image", "video") if self.request.values_of(kind)]
        if unseen:
            label += f" It does not look at {' and '.join(f'{kind}s' for kind in unseen)}."
        if not results and not transcripts:
            return Reply(f"{label} This conversation has no audio to transcribe.")
        parts = [f'Transcript: "{text}"' if text else "No speech found." for text in transcripts]
        if len(parts) > 1:
            parts = [f"Audio {number}: {part}" for number, part in enumerate(parts, 1)]
        return Reply(" ".join([label, *results, *parts]))

    def _transcribe(self, count: int) -> list[str]:
        """Transcribe so many of the last recordings."""
        return [self.transcriber.transcribe(samples).text for samples in self._last(count)]

    def _facts(self, count: int) -> RecordingFacts:
        """Say what is known of so many of the last recordings."""
        last = self._last(count)
        found = [self.transcriber.transcribe(samples) for samples in last]
        return RecordingFacts(
            transcripts=[it.text for it in found],
            language=next((it.language for it in found if it.language), None),
            duration_s=round(sum(map(len, last)) / SAMPLE_RATE, 2),
            whisper=self.transcriber.name,
        )

    def _last(self, count: int) -> "Sequence[Samples]":
        return self.recordings[len(self.recordings) - count :]


def _write_json(rules: str, filler: SchemaFiller) -> str:
    """Write JSON by the schema; with no schema, an object with the keys that are quoted."""
    _, _, written = rules.partition(_SCHEMA)
    schema = json.JSONDecoder().raw_decode(written)[0] if written else None
    filled = filler.fill_names() if schema is None else filler.fill_parameters(schema)
    return json.dumps(filled, ensure_ascii=False)
