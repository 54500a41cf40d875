"""A JSON Schema and a question → a value that the schema allows. Pure.

Texts are what the question quotes, or a file or a URL that it names, then the transcripts, then the
question itself. Numbers are those of the question, then the smallest allowed, or 1. An enum is the
value that the question holds, or its first. Booleans are true. Arrays have one item, or as many as
they must, and objects what they require.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_NAMES = re.compile(
    r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”"
    r"|(https?://\S+[\w/])|((?<![\w./])[\w./-]*\w\.[A-Za-z]\w{1,3}(?!\w))"
)
_NUMBER = re.compile(r"(?<![\w.])-?(?:0|[1-9]\d*)(?:\.\d+)?(?!\w)")


class SchemaFiller:
    """Fills schemas with the values of a question, each of which is used once."""

    def __init__(self, question: str, used: str, transcripts: Sequence[str]) -> None:
        """Take a question, what earlier calls have used of it, and the transcripts."""
        names = [next(filter(None, match.groups())) for match in _NAMES.finditer(question)]
        self._question = question
        self.names = [name for name in names if name not in used]
        self._transcripts = [text for text in transcripts if text]
        self._numbers = [json.loads(it) for it in _NUMBER.findall(_NAMES.sub(" ", question))]

    def fill_parameters(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """Make the arguments of a tool, or an object."""
        filled: dict[str, Any] = self._fill({**schema, "type": "object"}, schema, 0)
        return filled

    def fill_names(self) -> dict[str, str]:
        """Make an object with the keys that the question quotes."""
        keys, self.names = self.names or ["answer"], []
        return {key: self._text() for key in keys}

    def _fill(self, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
        schema = _resolve(schema, root)
        if choices := schema.get("enum", [schema["const"]] if "const" in schema else []):
            held = (it for it in choices if str(it).lower() in self._question.lower())
            return next(held, choices[0])
        match schema.get("type"):
            case "object":
                return {
                    name: self._fill(part, root, depth + 1)
                    for name, part in schema.get("properties", {}).items()
                    if name in schema.get("required", ())
                }
            case "array":  # below the first level an array may hold itself
                count = schema.get("minItems", 1 if depth < 2 else 0)
                return [self._fill(schema.get("items", {}), root, depth + 1) for _ in range(count)]
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return True
        return self._text()

    def _text(self) -> str:
        for values in (self.names, self._transcripts):
            if values:
                return values.pop(0)
        return self._question or "nothing"

    def _number(self, schema: Mapping[str, Any]) -> Any:
        return self._numbers.pop(0) if self._numbers else schema.get("minimum", 1)


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and take the first alternative that is not null."""
    if reference := schema.get("$ref"):
        found: Any = root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return _resolve(found, root)
    alternatives = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or []
    chosen = [part for part in alternatives if part.get("type") != "null"]
    return _resolve(chosen[0], root) if chosen else schema
