"""A JSON Schema and a question → a value that the schema allows. Pure.

The arguments of a tool: texts are what the question quotes, or a file or a URL that it names, then
the transcripts, then the question itself. Numbers are those of the question, then the smallest
allowed, or 1. An enum is the value that the question holds, or its first.

Structured output: a field that is named for the transcript, the language or the duration of the
recordings has it; an enum is the value that the transcripts hold. Other fields have what the
question quotes, and its numbers. A text that is not known says so, in as many characters as are
allowed.

Booleans are true. What is not known is null where that is allowed. Arrays have one item, or as many
as they must, and objects what they require.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from langchain_qwen_audio.local._answers.recording_facts import RecordingFacts

_UNKNOWN: Final = object()
_NAMES = re.compile(
    r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”"
    r"|(https?://\S+[\w/])|((?<![\w./])[\w./-]*\w\.[A-Za-z]\w{1,3}(?!\w))"
)
_NUMBER = re.compile(r"(?<![\w.])-?(?:0|[1-9]\d*)(?:\.\d+)?(?!\w)")


class SchemaFiller:
    """Fills schemas with the values of a question, each of which is used once."""

    def __init__(
        self, question: str, used: str, facts: RecordingFacts, *, is_structured_output: bool
    ) -> None:
        """Take a question, what earlier calls have used of it, and what is known of recordings."""
        names = [next(filter(None, match.groups())) for match in _NAMES.finditer(question)]
        self._question = question
        self.names = [name for name in names if name not in used]
        self._facts = facts
        self._is_structured = is_structured_output
        self._transcripts = [text for text in facts.transcripts if text]
        self._numbers = [json.loads(it) for it in _NUMBER.findall(_NAMES.sub(" ", question))]

    def fill_parameters(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Make the arguments of a tool, or an object."""
        return self._fill_object(schema, schema, 0)

    def fill_names(self) -> dict[str, str]:
        """Make an object with the keys that the question quotes."""
        keys = self.names or ["transcript" if self._transcripts else "answer"]
        self.names = []
        return {key: self._fill(key, {"type": "string"}, {}, 1) for key in keys}

    def _fill(
        self, name: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
    ) -> Any:
        schema, is_nullable = _resolve(schema, root)
        match schema.get("type"):
            case "object":
                return self._fill_object(schema, root, depth)
            case "array":  # below the first level an array may hold itself
                count = schema.get("minItems", 1 if depth < 2 else 0)
                items = schema.get("items", {})
                return [self._fill(name, items, root, depth + 1) for _ in range(count)]
        value = self._find(name, schema)
        if value is not _UNKNOWN:
            return value
        return None if is_nullable else self._invent(name, schema)

    def _fill_object(
        self, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int
    ) -> dict[str, Any]:
        return {
            name: self._fill(name, part, root, depth + 1)
            for name, part in schema.get("properties", {}).items()
            if name in schema.get("required", ())
        }

    def _find(self, name: str, schema: Mapping[str, Any]) -> Any:
        """Find a value in what is known, or say that it is unknown."""
        if choices := _choices_of(schema):
            return next(self._find_choices(name, choices), _UNKNOWN)
        match schema.get("type"):
            case "integer":
                number = self._find_number(name)
                return number if number is _UNKNOWN else int(number)
            case "number":
                return self._find_number(name)
            case "boolean":
                return _UNKNOWN
        return self._find_text(name)

    def _find_choices(self, name: str, choices: list[Any]) -> Iterator[Any]:
        if self._is_structured:
            yield from (it for it in choices if it == self._facts.find_text(name))
            yield from (it for it in choices for text in self._transcripts if _holds(text, it))
        yield from (it for it in choices if _holds(self._question, it))

    def _find_text(self, name: str) -> Any:
        if self._is_structured and (text := self._facts.find_text(name)) is not None:
            return text
        if self.names:
            return self.names.pop(0)
        return (
            self._transcripts.pop(0) if self._transcripts and not self._is_structured else _UNKNOWN
        )

    def _find_number(self, name: str) -> Any:
        if self._is_structured and (number := self._facts.find_number(name)) is not None:
            return number
        return self._numbers.pop(0) if self._numbers else _UNKNOWN

    def _invent(self, name: str, schema: Mapping[str, Any]) -> Any:
        if choices := _choices_of(schema):
            return choices[0]
        match schema.get("type"):
            case "integer" | "number":
                return schema.get("minimum", 1)
            case "boolean":
                return True
        if self._is_structured:
            return self._facts.write_placeholder(name)[: schema.get("maxLength")]
        return self._question or "nothing"


def _choices_of(schema: Mapping[str, Any]) -> list[Any]:
    return [*schema.get("enum", [schema["const"]] if "const" in schema else [])]


def _holds(text: str, choice: object) -> bool:
    """Say whether a text has a choice that is not part of a longer word."""
    # Chinese words have no blanks between them.
    word = rf"(?<![A-Za-z0-9]){re.escape(str(choice))}(?![A-Za-z0-9])"
    return re.search(word, text, re.IGNORECASE) is not None


def _resolve(
    schema: Mapping[str, Any], root: Mapping[str, Any], *, is_nullable: bool = False
) -> tuple[Mapping[str, Any], bool]:
    """Follow references, and take the first alternative that is not null.

    Returns:
        The schema, and whether null is allowed too.
    """
    if reference := schema.get("$ref"):
        found: Any = root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return _resolve(found, root, is_nullable=is_nullable)
    alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    chosen = [part for part in alternatives if part.get("type") != "null"]
    is_nullable = is_nullable or len(chosen) < len(alternatives)
    return _resolve(chosen[0], root, is_nullable=is_nullable) if chosen else (schema, is_nullable)
