"""A JSON Schema and a question → a value that the schema allows."""

from typing import Any

import pytest

from langchain_qwen_audio.local._answers.recording_facts import RecordingFacts
from langchain_qwen_audio.local._answers.schema_values import SchemaFiller

STRING, INTEGER, NUMBER = {"type": "string"}, {"type": "integer"}, {"type": "number"}
OPTIONAL_INTEGER = {"anyOf": [{"type": "null"}, INTEGER]}
NODE = {
    "type": "object",
    "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["children"],
}


def fill_arguments(question: str, used: str = "", *transcripts: str) -> SchemaFiller:
    return SchemaFiller(question, used, RecordingFacts(transcripts), is_structured_output=False)


def required(**properties: Any) -> dict[str, Any]:
    return {"properties": properties, "required": list(properties)}


# --- the arguments of a tool ---

# name: the schema of one argument, the question, its value
VALUES: dict[str, tuple[dict[str, Any], str, Any]] = {
    "the question": (STRING, "Who is it?", "Who is it?"),
    "double quotes": (STRING, 'Say "hi, you" now', "hi, you"),
    "single quotes": (STRING, "Isn't it 'my word', isn't it?", "my word"),
    "curly quotes": (STRING, "Say “hi”", "hi"),
    "a file": (STRING, "What does sub/welcome-2.wav say?", "sub/welcome-2.wav"),
    "a URL": (STRING, "Open https://a.example/x?y=1.", "https://a.example/x?y=1"),
    "no file": (STRING, "Add 1.5 to e.g. 2.", "Add 1.5 to e.g. 2."),
    "an integer": (INTEGER, "magic(3)", 3),
    "a negative one": (INTEGER, "from -3 on", -3),
    "a real number as an integer": (INTEGER, "2.7", 2),
    "a number": (NUMBER, "at 2.5 s", 2.5),
    "a number in a name is none": (INTEGER, "take 'route 66' or clip_2.wav, x9", 1),
    "no number": (INTEGER, "Hello", 1),
    "no number, but a minimum": ({**INTEGER, "minimum": 5}, "Hello", 5),
    "a boolean": ({"type": "boolean"}, "Hello", True),
    "a constant": ({"const": "x"}, "Hello", "x"),
    "the first of an enum": ({"enum": ["hot", "cold"]}, "Hello", "hot"),
    "the one of an enum that is named": ({"enum": ["hot", "cold"]}, "A Cold day", "cold"),
    "an optional value": (OPTIONAL_INTEGER, "4", 4),
    "an optional value that is not known": (OPTIONAL_INTEGER, "four", None),
    "no schema": ({}, "Hello", "Hello"),
    "an array": ({"type": "array", "items": STRING}, "'a', \"b\"", ["a"]),
    "an array of two": ({"type": "array", "items": INTEGER, "minItems": 2}, "7", [7, 1]),
    "an object": (
        {"type": "object", "properties": {"x": INTEGER, "y": INTEGER}, "required": ["x"]},
        "3",
        {"x": 3},
    ),
    "any object": ({"type": "object"}, "x", {}),
}


def test_values() -> None:
    for what, (schema, question, value) in VALUES.items():
        assert fill_arguments(question).fill_parameters(required(it=schema)) == {"it": value}, what


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {**NODE, "$defs": {"Node": NODE}}
    filled = fill_arguments("?").fill_parameters(schema)
    assert filled == {"children": [{"children": []}]}


def test_texts_are_names_that_were_not_used_then_transcripts_then_the_question() -> None:
    filler = fill_arguments("'a' or b.wav?", '{"audio": "a"}', "", "Good day.")
    filled = filler.fill_parameters(required(x=STRING, y=STRING, z=STRING))
    assert filled == {"x": "b.wav", "y": "Good day.", "z": "'a' or b.wav?"}


# --- structured output ---

FACTS = RecordingFacts(["Good day to the studio.", "Bye."], "en", 7.16, "tiny.en")


def unknown(field: str) -> str:
    return f'[local test server: Whisper tiny.en has no value for "{field}"]'


def fill_output(question: str, facts: RecordingFacts = FACTS) -> SchemaFiller:
    return SchemaFiller(question, "", facts, is_structured_output=True)


TRANSCRIPT = "Good day to the studio.\nBye."
PLACES = {"enum": ["street", "office", "studio"]}
# name: the name of a field, its schema, the question, its value
FIELDS: dict[str, tuple[str, dict[str, Any], str, Any]] = {
    "the transcript": ("transcript", STRING, "What is said in 'a.wav'?", TRANSCRIPT),
    "the words, by another name": ("callerWords", STRING, "?", TRANSCRIPT),
    "the language": ("spoken_language", STRING, "?", "en"),
    "the language of a list": ("language", {"enum": ["fr", "en"]}, "?", "en"),
    "the duration": ("duration_s", NUMBER, "Of the 2 recordings", 7.16),
    "the duration in whole seconds": ("seconds", INTEGER, "?", 7),
    "the duration in another unit": ("duration_minutes", NUMBER, "?", 1),
    "what the transcripts hold": ("place", PLACES, "Is it an office or a studio?", "studio"),
    "part of a word": ("mood", {"enum": ["calm", "stud"]}, "?", "calm"),
    "what the question quotes": ("caller", STRING, "'Zoë' called", "Zoë"),
    "a number of the question": ("count", INTEGER, "The 3 callers", 3),
    "a text that is not known": ("summary", STRING, "?", unknown("summary")),
    "in few characters": ("summary", {**STRING, "maxLength": 5}, "?", "[loca"),
    "null is allowed": ("summary", {"anyOf": [STRING, {"type": "null"}]}, "?", None),
    "one of nobody knows which": ("mood", {"enum": ["calm", "angry"]}, "?", "calm"),
    "or none": ("mood", {"anyOf": [{"enum": ["calm"]}, {"type": "null"}]}, "?", None),
}


def test_fields() -> None:
    for what, (name, schema, question, value) in FIELDS.items():
        assert fill_output(question).fill_parameters(required(**{name: schema})) == {name: value}, (
            what
        )


def test_without_recordings_only_the_question_is_known() -> None:
    filler = fill_output("?", RecordingFacts(whisper="tiny.en"))
    filled = filler.fill_parameters(required(text=STRING, duration=OPTIONAL_INTEGER))
    assert filled == {"text": unknown("text"), "duration": None}


@pytest.mark.parametrize(
    ("question", "facts", "filled"),
    [
        (
            "Give 'text' and 'mood' keys.",
            FACTS,
            {"text": TRANSCRIPT, "mood": unknown("mood")},
        ),
        ("In JSON.", FACTS, {"transcript": TRANSCRIPT}),
        ("In JSON.", RecordingFacts(whisper="tiny.en"), {"answer": unknown("answer")}),
    ],
)
def test_without_a_schema_the_keys_are_those_quoted(
    question: str, facts: RecordingFacts, filled: dict[str, str]
) -> None:
    assert fill_output(question, facts).fill_names() == filled
