"""What the stand-in does when a system message offers tools or asks for JSON. Pure, by rules.

It is a rule machine and understands nothing. It reads the Hermes format off the wire, as Qwen-Agent
writes it (https://github.com/QwenLM/Qwen-Agent/tree/main/qwen_agent/llm/fncall_prompts), where the
question is the last user turn without a `<tool_response>`:

1. It calls every tool that the question names and that was not called since; if it may call only
   one at a time, one after the other. If none is named and none was called yet, it calls the tool
   that shares most words with the question: in its name, or two in its description.
2. Told that it must call, it calls the tool that it was told; or, where rule 1 finds none, the next
   that was not called yet. Told not to call, it does not.
3. Otherwise, told to answer with JSON, it does: by the schema; with no schema, an object with the
   keys that the question quotes. Otherwise it answers in words.
4. Arguments are filled by their schema: what is required, and what the question names. Texts are
   what is quoted (or a file's name or a URL) in the question and not used yet, then what was heard
   since, then the question itself. Numbers are those of the question, in order, then the smallest
   allowed, or 1. An enum is the value that the question holds, or its first; booleans are true; a
   list takes all that there is for it. If it calls several tools, the arguments of each come from
   the words after its name.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, TypeAlias

Message: TypeAlias = Mapping[str, Any]
Hear: TypeAlias = Callable[[int], Sequence[str]]
"""Tell what is said in so many of the last recordings. Blocks."""

_TOOLS = re.compile(r"<tools>\n(.*?)\n</tools>", re.DOTALL)
_RESPONSE = re.compile(r"<tool_response>\s*(.*?)\s*</tool_response>", re.DOTALL)
_CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
_MUST_CALL = re.compile(r"You must call the function (\S+) now")
_JSON = "Answer with one JSON object and nothing else"
_SCHEMA = "It must satisfy this JSON Schema:\n"

_QUOTED = r"(?<!\w)'([^'\n]+)'(?!\w)|\"([^\"\n]+)\"|“([^”\n]+)”|「([^」\n]+)」|`([^`\n]+)`"
_NAMED = r"(https?://\S+[\w/])|((?<![\w./])[\w./-]*\w\.[A-Za-z]\w{1,3}(?!\w))"
_NAMES = re.compile(f"{_QUOTED}|{_NAMED}")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_WORD = re.compile(r"[^\W\d_]{4,}")
_COMMON = frozenset(
    {"about", "also", "call", "each", "from", "give", "have", "into", "more", "most", "must"}
    | {"only", "other", "should", "some", "such", "tell", "than", "that", "them", "then"}
    | {"there", "these", "they", "this", "tool", "tools", "user", "using", "were", "what", "when"}
    | {"where", "which", "will", "with", "would", "your"}
)
_ENOUGH = 2
_MAX_DEPTH = 8


@dataclass(frozen=True)
class _Turn:
    """The last question, and what has happened since."""

    question: str
    called: tuple[str, ...]
    said: str
    audios: int


@dataclass
class _Source:
    """What arguments are made of."""

    question: str
    names: list[str]
    numbers: list[int | float]
    heard: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, turn: _Turn, heard: Sequence[str]) -> "_Source":
        found = [next(filter(None, match.groups())) for match in _NAMES.finditer(text)]
        numbers = [json.loads(number) for number in _numbers(_NAMES.sub(" ", text))]
        unused = [name for name in found if name not in turn.said]
        return cls(turn.question, unused, numbers, [words for words in heard if words])

    def text(self) -> str:
        for values in (self.names, self.heard):
            if values:
                return values.pop(0)
        return self.question or "nothing"

    def number(self, schema: Mapping[str, Any]) -> int | float:
        value = self.numbers.pop(0) if self.numbers else schema.get("minimum", 1)
        return int(value) if schema["type"] == "integer" else value


def act(messages: Sequence[Message], hear: Hear) -> str | None:
    """Write tool calls or JSON; `None` where the answer is to be in words."""
    calls = choose_calls(messages, hear)
    return "\n".join(map(_write_call, calls)) if calls else write_json(messages, hear)


def choose_calls(messages: Sequence[Message], hear: Hear) -> list[dict[str, Any]]:
    """Choose what to call, each as its `name` and its `arguments`."""
    tools, rules = _read_prompt(messages)
    turn = _read_turn(messages)
    chosen = _choose(tools, rules, turn)
    heard = hear(turn.audios) if chosen else ()
    return [
        {"name": tool["name"], "arguments": _fill_arguments(tool, text, turn, heard)}
        for tool, text in chosen
    ]


def write_json(messages: Sequence[Message], hear: Hear) -> str | None:
    """Write JSON where that is asked for."""
    _, rules = _read_prompt(messages)
    if _JSON not in rules:
        return None
    turn = _read_turn(messages)
    return json.dumps(_answer_in_json(rules, turn, hear(turn.audios)), ensure_ascii=False)


def responses(message: Message) -> list[str]:
    """Read what tools returned, in a user's turn."""
    return _RESPONSE.findall(text_of(message)) if message["role"] == "user" else []


def text_of(message: Message) -> str:
    """Join the text of a message."""
    return "".join(part.get("text", "") for part in message["content"])


def count_audio(messages: Sequence[Message]) -> int:
    """Count the recordings in messages."""
    return sum("audio" in part for message in messages for part in message["content"])


def _read_prompt(messages: Sequence[Message]) -> tuple[list[dict[str, Any]], str]:
    """Read the tools that are offered, and the rules that follow them."""
    prompt = "\n\n".join(text_of(message) for message in messages if message["role"] == "system")
    _, *offered = _TOOLS.split(prompt)
    if not offered:
        return [], prompt
    return [json.loads(line)["function"] for line in offered[-2].split("\n")], offered[-1]


def _read_turn(messages: Sequence[Message]) -> _Turn:
    asked = [
        index
        for index, message in enumerate(messages)
        if message["role"] == "user" and not responses(message)
    ]
    since = messages[asked[-1] if asked else 0 :]
    said = "\n".join(text_of(message) for message in since if message["role"] == "assistant")
    return _Turn(
        question=text_of(since[0]).strip() if asked else "",
        called=tuple(_called(said)),
        said=said,
        audios=count_audio(since),
    )


def _called(said: str) -> list[str]:
    """List the tools that were called, also with arguments that are not JSON."""
    names = (re.match(r'\{"name": ("(?:[^"\\]|\\.)*")', call) for call in _CALL.findall(said))
    return [json.loads(name[1]) for name in names if name]


# --- which tools ---


def _choose(
    tools: Sequence[dict[str, Any]], rules: str, turn: _Turn
) -> list[tuple[dict[str, Any], str]]:
    """Choose what to call, each with the text that its arguments come from."""
    if not tools or "Do not call any function now" in rules:
        return []
    if told := _MUST_CALL.search(rules):
        return [(tool, turn.question) for tool in tools if tool["name"] == told[1]]
    if named := _named(tools, turn):
        return named[:1] if "Call at most one function" in rules else named
    left = [tool for tool in tools if tool["name"] not in turn.called]
    must_call = "You must call at least one function now" in rules
    fitting = [tool for tool in left if _fit(tool, turn.question) >= _ENOUGH]
    if fitting and not turn.called:
        return [(max(fitting, key=lambda tool: _fit(tool, turn.question)), turn.question)]
    return [((left or tools)[0], turn.question)] if must_call else []


def _named(tools: Sequence[dict[str, Any]], turn: _Turn) -> list[tuple[dict[str, Any], str]]:
    """Find the tools that the question names, in its order, each with the words after its name."""
    found: dict[int, dict[str, Any]] = {}
    for tool in tools:
        if match := re.search(rf"(?<!\w){re.escape(tool['name'])}(?!\w)", turn.question):
            found[match.start()] = tool
    starts = [*sorted(found), len(turn.question)]
    texts = [turn.question[start:end] for start, end in pairwise(starts)]
    chosen = [
        # Words before the only name, or elsewhere if there are no values after it, will do.
        (found[start], text if len(found) > 1 and _has_values(text) else turn.question)
        for start, text in zip(starts, texts, strict=False)
    ]
    return [(tool, text) for tool, text in chosen if tool["name"] not in turn.called]


def _has_values(text: str) -> bool:
    return bool(_NAMES.search(text) or _NUMBER.search(text))


def _fit(tool: Mapping[str, Any], question: str) -> int:
    """Count the words that a tool shares with a question; those of its name count double."""
    asked = _words(question)
    named = _words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tool["name"]).replace("_", " "))
    return 2 * len(named & asked) + len(_words(tool.get("description", "")) & asked)


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)} - _COMMON


# --- with what ---


def _fill_arguments(tool: Mapping[str, Any], text: str, turn: _Turn, heard: Sequence[str]) -> Any:
    schema = tool.get("parameters") or {}
    return _fill({"type": "object", **schema}, schema, _Source.of(text, turn, heard))


def _write_call(call: Mapping[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>"


def _answer_in_json(rules: str, turn: _Turn, heard: Sequence[str]) -> Any:
    source = _Source.of(turn.question, turn, heard)
    if _SCHEMA in rules:
        schema, _ = json.JSONDecoder().raw_decode(rules.partition(_SCHEMA)[2])
        return _fill({"type": "object", **schema}, schema, source)
    keys, source.names = source.names or ["answer"], []
    return {key: source.text() for key in keys}


def _fill(
    schema: Mapping[str, Any], root: Mapping[str, Any], source: _Source, depth: int = 0
) -> Any:
    """Make a value that a schema allows."""
    schema = _resolve(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        held = (value for value in schema["enum"] if str(value).lower() in source.question.lower())
        return next(held, schema["enum"][0])
    match schema["type"]:
        case "object":
            return {
                name: _fill(value, root, source, depth + 1)
                for name, value in schema.get("properties", {}).items()
                if name in schema.get("required", ())
                or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source.question)
            }
        case "array":
            return _fill_array(schema, root, source, depth)
        case "integer" | "number":
            return source.number(schema)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return source.text()[: schema.get("maxLength")]


def _fill_array(
    schema: Mapping[str, Any], root: Mapping[str, Any], source: _Source, depth: int
) -> list[Any]:
    if depth > _MAX_DEPTH:
        return []
    items = schema.get("items") or {}
    if "prefixItems" in schema:
        return [_fill(item, root, source, depth + 1) for item in schema["prefixItems"]]
    kind = _resolve(items, root)["type"]
    names, numbers = len(source.names), len(source.numbers)
    there = {"string": names, "integer": numbers, "number": numbers}
    count = max(there.get(kind, 0), schema.get("minItems", 1))
    count = min(count, schema.get("maxItems", count))
    return [_fill(items, root, source, depth + 1) for _ in range(count)]


def _resolve(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, Any]:
    """Follow references, take the first alternative that is not null, and find the type."""
    if reference := schema.get("$ref"):
        found: Any = root
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        return _resolve(found, root)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            chosen = [part for part in schema[key] if part.get("type") != "null"] or [{}]
            return _resolve(chosen[0], root)
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    return {**schema, "type": kind}


def _numbers(text: str) -> list[str]:
    # JSON has no leading zeros.
    return [re.sub(r"^(-?)0+(?=\d)", r"\1", number) for number in _NUMBER.findall(text)]
