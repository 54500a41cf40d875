"""A JSON Schema and a question → a value that the schema allows."""

from typing import Any

import pytest

from langchain_qwen_audio.local._answers.schema_values import SchemaFiller

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
NODE = {
    "type": "object",
    "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["children"],
}

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
    "a number": ({"type": "number"}, "at 2.5 s", 2.5),
    "a number in a name is none": (INTEGER, "take 'route 66' or clip_2.wav, x9", 1),
    "no number": (INTEGER, "Hello", 1),
    "no number, but a minimum": ({**INTEGER, "minimum": 5}, "Hello", 5),
    "a boolean": ({"type": "boolean"}, "Hello", True),
    "a constant": ({"const": "x"}, "Hello", "x"),
    "the first of an enum": ({"enum": ["hot", "cold"]}, "Hello", "hot"),
    "the one of an enum that is named": ({"enum": ["hot", "cold"]}, "A Cold day", "cold"),
    "an optional value": ({"anyOf": [{"type": "null"}, INTEGER]}, "4", 4),
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


@pytest.mark.parametrize(("schema", "question", "value"), VALUES.values(), ids=VALUES)
def test_values(schema: dict[str, Any], question: str, value: Any) -> None:
    parameters = {"properties": {"it": schema}, "required": ["it"]}
    filler = SchemaFiller(question, used="", transcripts=[])
    assert filler.fill_parameters(parameters) == {"it": value}


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {**NODE, "$defs": {"Node": NODE}}
    filled = SchemaFiller("?", used="", transcripts=[]).fill_parameters(schema)
    assert filled == {"children": [{"children": []}]}


def test_texts_are_names_that_were_not_used_then_transcripts_then_the_question() -> None:
    filler = SchemaFiller("'a' or b.wav?", used='{"audio": "a"}', transcripts=["", "Good day."])
    parameters = {"properties": dict.fromkeys("xyz", STRING), "required": ["x", "y", "z"]}
    filled = filler.fill_parameters(parameters)
    assert filled == {"x": "b.wav", "y": "Good day.", "z": "'a' or b.wav?"}


@pytest.mark.parametrize(
    ("question", "transcripts", "filled"),
    [
        ("A joke with 'setup' and 'end' keys.", ["Ha", "Ho"], {"setup": "Ha", "end": "Ho"}),
        ("A joke.", [], {"answer": "A joke."}),
    ],
)
def test_without_a_schema_the_keys_are_those_quoted(
    question: str, transcripts: list[str], filled: dict[str, str]
) -> None:
    assert SchemaFiller(question, "", transcripts).fill_names() == filled
