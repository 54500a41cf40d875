"""What the stand-in does when it is offered tools or asked for JSON: rules, as one table each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

import langchain_qwen_audio.local
from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._tools import act

from ._client import ask, assistant, data_uri, events_of, text_of, user, wav

SAMPLES = Path(langchain_qwen_audio.local.__file__).parents[1] / "samples"
MARKER = "[local stand-in: Whisper tiny.en, not Qwen-Audio]"
PROMPT = """\
Be kind.

# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>{rules}"""
ANY = "\n\nYou must call at least one function now; do not answer in words."
NONE = "\n\nDo not call any function now; answer in words."
ONE = "\n\nCall at most one function in one answer."

STRING = {"type": "string"}
INTEGER = {"type": "integer"}


def must_call(name: str) -> str:
    return f"\n\nYou must call the function {name} now; do not answer in words."


def tool(tool_name: str, description: str = "", /, **properties: Any) -> dict[str, Any]:
    """Describe a tool all of whose arguments are required, but those marked as optional."""
    required = [name for name, schema in properties.items() if not schema.get("optional")]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": tool_name, "description": description, "parameters": parameters}


def system(*tools: dict[str, Any], rules: str = "") -> dict[str, Any]:
    lines = [json.dumps({"type": "function", "function": it}, ensure_ascii=False) for it in tools]
    prompt = PROMPT.format(tools="\n".join(lines), rules=rules)
    return {"role": "system", "content": [{"text": prompt}]}


def called(name: str, **arguments: Any) -> dict[str, Any]:
    return assistant(write(name, **arguments))


def write(tool_name: str, /, **arguments: Any) -> str:
    call = json.dumps({"name": tool_name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{call}\n</tool_call>"


def response(text: str) -> dict[str, str]:
    return {"text": f"<tool_response>\n{text}\n</tool_response>"}


def calls_of(text: str | None) -> list[tuple[str, Any]]:
    bodies = re.findall(r"<tool_call>\n(.*)\n</tool_call>", text or "")
    return [(call["name"], call["arguments"]) for call in map(json.loads, bodies)]


def decide(*messages: Any, heard: tuple[str, ...] = ()) -> str | None:
    return act(messages, lambda count: heard[len(heard) - count :] if count else ())


WEATHER = tool("get_weather", "Get the weather at a location.", location=STRING)
ADD = tool("add", "Add two numbers.", a=INTEGER, b=INTEGER)
LOAD = tool("load_audio", "Load a recording so that you can hear it.", audio=STRING)
LIST = tool("list_audio", "List the recordings that can be named.")
NOTE = tool("take_note", "", title=STRING, text=STRING)

SAN_FRANCISCO = "What is the weather in San Francisco, CA?"
LOUD = '{"a": 1}'

# name: the tools, the question, the rules, and the calls that come of it
CHOICES: dict[str, tuple[list[dict[str, Any]], str, str, list[tuple[str, Any]]]] = {
    "nothing in common": ([WEATHER, ADD], "Hello!", "", []),
    "a word of its name": (
        [ADD, WEATHER],
        SAN_FRANCISCO,
        "",
        [("get_weather", {"location": SAN_FRANCISCO})],
    ),
    "a word of a camel's name": (
        [tool("readWeatherReport")], "What weather?", "", [("readWeatherReport", {})]
    ),
    "one word of its description": ([LOAD], "What a recording!", "", []),
    "two words of its description": (
        [tool("peek", "Shows pictures of animals."), ADD],
        "Any animals in these pictures?",
        "",
        [("peek", {})],
    ),
    "by name": ([WEATHER, ADD], "Use add for 2 and 40.", "", [("add", {"a": 2, "b": 40})]),
    "a part of a word is no name": ([ADD], "Address book, addition and add_up", "", []),
    "several by name, in their order": (
        [ADD, WEATHER],
        "Call get_weather of 'Paris', then add 3 and 4.",
        "",
        [("get_weather", {"location": "Paris"}), ("add", {"a": 3, "b": 4})],
    ),
    "several by name, on the same": (
        [LOAD, WEATHER],
        "With 'x' call load_audio and get_weather.",
        "",
        [("load_audio", {"audio": "x"}), ("get_weather", {"location": "x"})],
    ),
    "at most one": (
        [ADD, WEATHER],
        "get_weather of 'Paris', add 3 and 4",
        ONE,
        [("get_weather", {"location": "Paris"})],
    ),
    "must call any": ([WEATHER, ADD], "Hello!", ANY, [("get_weather", {"location": "Hello!"})]),
    "must call any, one fits": (
        [ADD, WEATHER],
        "The weather?",
        ANY,
        [("get_weather", {"location": "The weather?"})],
    ),
    "must call one": (
        [WEATHER, ADD], "The weather?", must_call("add"), [("add", {"a": 1, "b": 1})]
    ),
    "must not call": ([WEATHER, ADD], "get_weather of 'Paris'", NONE, []),
    "no tool there": ([], "get_weather", "", []),
}  # fmt: skip


@pytest.mark.parametrize(("tools", "question", "rules", "calls"), CHOICES.values(), ids=CHOICES)
def test_choice(
    tools: list[dict[str, Any]], question: str, rules: str, calls: list[tuple[str, Any]]
) -> None:
    offered = [system(*tools, rules=rules)] if tools else []
    text = decide(*offered, user({"text": question}))
    assert calls_of(text) == calls
    assert (text is None) is (not calls)


BOTH = "Call list_audio, then load_audio of 'a.wav'."
LISTED = [called("list_audio"), user(response("a.wav"))]
LOADED = [called("load_audio", audio="a.wav"), user(response("2.0 s"))]
# name: the tools, what happened, the rules, and the calls that come of it
LATER: dict[str, tuple[list[dict[str, Any]], list[Any], str, list[tuple[str, Any]]]] = {
    "what was called is not called again": (
        [WEATHER],
        [user({"text": SAN_FRANCISCO}), called("get_weather"), user(response("Sun."))],
        "",
        [],
    ),
    "but for the next question it is": (
        [WEATHER],
        [
            *(user({"text": "get_weather of 'Bonn'"}), called("get_weather", location="Bonn")),
            *(user(response("Sun.")), assistant("Sun."), user({"text": "And get_weather 'Rome'?"})),
        ],
        "",
        [("get_weather", {"location": "Rome"})],
    ),
    "the other one that the question named": (
        [LIST, LOAD],
        [user({"text": BOTH}), *LISTED],
        ONE,
        [("load_audio", {"audio": "a.wav"})],
    ),
    "until there is none": ([LIST, LOAD], [user({"text": BOTH}), *LISTED, *LOADED], ONE, []),
    "must call: the next that was not": (
        [LOAD, NOTE],
        [user({"text": "load_audio a.wav"}), *LOADED],
        ANY,
        [("take_note", {"title": "load_audio a.wav", "text": "load_audio a.wav"})],
    ),
    "must call: again, for want of another": (
        [LOAD],
        [user({"text": "load_audio a.wav"}), *LOADED],
        ANY,
        [("load_audio", {"audio": "load_audio a.wav"})],
    ),
    "a call with arguments that were no JSON": (
        [WEATHER],
        [
            user({"text": SAN_FRANCISCO}),
            assistant('<tool_call>\n{"name": "get_weather", "arguments": {]}\n</tool_call>'),
            user(response("Error: no JSON")),
        ],
        "",
        [],
    ),
}


@pytest.mark.parametrize(("tools", "history", "rules", "calls"), LATER.values(), ids=LATER)
def test_choice_later(
    tools: list[dict[str, Any]], history: list[Any], rules: str, calls: list[tuple[str, Any]]
) -> None:
    assert calls_of(decide(system(*tools, rules=rules), *history)) == calls


NODE = {
    "type": "object",
    "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}},
    "required": ["children"],
}
# name: the schema of one argument, the question, its value
ARGUMENTS: dict[str, tuple[dict[str, Any], str, Any]] = {
    "the question": (STRING, "Who is it?", "Who is it?"),
    "double quotes": (STRING, 'Say "hi, you" now', "hi, you"),
    "single quotes": (STRING, "Isn't it 'my word', isn't it?", "my word"),
    "curly quotes": (STRING, "Say “hi”", "hi"),
    "corner brackets": (STRING, "Say 「こんにちは」", "こんにちは"),
    "code": (STRING, "Say `x y`", "x y"),
    "a file": (STRING, "What does sub/welcome-2.wav say?", "sub/welcome-2.wav"),
    "a URL": (STRING, "Open https://a.example/x?y=1.", "https://a.example/x?y=1"),
    "no file": (STRING, "Add 1.5 to e.g. 2.", "Add 1.5 to e.g. 2."),
    "unicode": (STRING, "Create '你好啊集团' (Hello Group)", "你好啊集团"),
    "at most so long": ({**STRING, "maxLength": 3}, "Who?", "Who"),
    "an integer": (INTEGER, "magic(3)", 3),
    "a negative one": (INTEGER, "from -3 on", -3),
    "a range is not negative": ({"type": "array", "items": INTEGER}, "10-20", [10, 20]),
    "leading zeros": (INTEGER, "agent 007", 7),
    "a real number as an integer": (INTEGER, "2.7", 2),
    "a number": ({"type": "number"}, "at 2.5 s", 2.5),
    "a number in a name is none": (INTEGER, "take 'route 66' or clip_2.wav, x9", 1),
    "no number": (INTEGER, "Hello", 1),
    "no number, but a minimum": ({**INTEGER, "minimum": 5}, "Hello", 5),
    "a boolean": ({"type": "boolean"}, "Hello", True),
    "null": ({"type": "null"}, "Hello", None),
    "a constant": ({"const": "x"}, "Hello", "x"),
    "an enum's first": ({"enum": ["hot", "cold"]}, "Hello", "hot"),
    "an enum's mentioned": ({"enum": ["hot", "cold"]}, "A Cold day", "cold"),
    "an optional value": ({"anyOf": [{"type": "null"}, INTEGER]}, "4", 4),
    "a list of types": ({"type": ["null", "integer"]}, "4", 4),
    "only null": ({"anyOf": [{"type": "null"}]}, "x", "x"),
    "no schema": ({}, "Hello", "Hello"),
    "numbers": ({"type": "array", "items": INTEGER}, "Sum 1, 2 and 3", [1, 2, 3]),
    "texts": ({"type": "array", "items": STRING}, "'a', \"b\"", ["a", "b"]),
    "a list of one": ({"type": "array", "items": {"type": "boolean"}}, "x", [True]),
    "at most two": ({"type": "array", "items": INTEGER, "maxItems": 2}, "1 2 3", [1, 2]),
    "at least two": ({"type": "array", "items": INTEGER, "minItems": 2}, "7", [7, 1]),
    "a tuple": ({"type": "array", "prefixItems": [INTEGER, STRING]}, "7 'x'", [7, "x"]),
    "a list of anything": ({"type": "array"}, "'x'", ["x"]),
    "an object": (
        {"properties": {"x": INTEGER, "y": INTEGER, "z": INTEGER}, "required": ["x"]},
        "Where y is",
        {"x": 1, "y": 1},
    ),
    "any object": ({"type": "object"}, "x", {}),
}


@pytest.mark.parametrize(("schema", "question", "value"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments(schema: dict[str, Any], question: str, value: Any) -> None:
    offered = system(tool("do", arg=schema), rules=must_call("do"))
    assert calls_of(decide(offered, user({"text": question}))) == [("do", {"arg": value})]


def test_what_is_not_required_is_filled_when_it_is_named() -> None:
    seconds = {"type": "number", "optional": True}
    load = tool("load_audio", audio=STRING, start_s=seconds, end_s=seconds)
    question = "load_audio clip.wav with end_s 2"
    assert calls_of(decide(system(load), user({"text": question}))) == [
        ("load_audio", {"audio": "clip.wav", "end_s": 2})
    ]


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {**NODE, "$defs": {"Node": NODE}}
    offered = system({"name": "plant", "description": "", "parameters": schema})
    ((name, arguments),) = calls_of(decide(offered, user({"text": "plant it"})))
    assert name == "plant"
    assert str(arguments).startswith("{'children': [{'children': [{")


def test_a_tool_without_parameters() -> None:
    offered = system({"name": "ping"})
    assert calls_of(decide(offered, user({"text": "ping!"}))) == [("ping", {})]


def test_what_was_heard_fills_texts_once_names_are_used_up() -> None:
    recording = {"audio": "data:;base64,"}
    offered = system(LOAD, NOTE, rules=must_call("take_note"))
    question = {"text": "load_audio a.wav and take_note of it"}
    told = [called("load_audio", audio="a.wav"), user(response("2 s"), recording)]
    (call,) = calls_of(decide(offered, user(question), *told, heard=("old", "good day")))
    assert call == ("take_note", {"title": "good day", "text": question["text"]})


# --- JSON -------------------------------------------------------------------------------------

JSON = "Answer with one JSON object and nothing else, in no code block."


def asked_for_json(schema: dict[str, Any] | None = None, before: str = "") -> dict[str, Any]:
    shown = f" It must satisfy this JSON Schema:\n{json.dumps(schema)}" if schema else ""
    return {"role": "system", "content": [{"text": before + JSON + shown}]}


def test_json_of_a_schema() -> None:
    schema = {"title": "T", "properties": {"n": INTEGER, "s": STRING}, "required": ["n", "s"]}
    text = decide(asked_for_json(schema), user({"text": "Give 5 '你好'"}))
    assert text == '{"n": 5, "s": "你好"}'


def test_json_of_what_is_heard() -> None:
    schema = {"title": "T", "properties": {"said": STRING}, "required": ["said"]}
    asked = user({"audio": "data:;base64,"}, {"text": "What is said?"})
    assert decide(asked_for_json(schema), asked, heard=("Good day.",)) == '{"said": "Good day."}'


def test_json_without_a_schema_has_the_keys_that_are_quoted() -> None:
    question = "A joke. JSON with 'setup' and 'punchline' keys."
    text = decide(asked_for_json(), user({"text": question}))
    assert json.loads(text or "") == {"setup": question, "punchline": question}
    text = decide(asked_for_json(), user({"text": "A joke."}))
    assert json.loads(text or "") == {"answer": "A joke."}


def test_json_is_the_answer_when_no_tool_is_left_to_call() -> None:
    offered = system(LOAD, rules=f"\n\n{JSON}")
    asked = user({"text": "load_audio a.wav"})
    assert calls_of(decide(offered, asked)) == [("load_audio", {"audio": "a.wav"})]
    text = decide(offered, asked, *LOADED)
    assert json.loads(text or "") == {"answer": "load_audio a.wav"}


# --- on the wire ------------------------------------------------------------------------------


def test_a_call_is_written_word_by_word(server: LocalDashScope) -> None:
    asked = [system(ADD), user({"text": "add 1 and 2"})]
    assert text_of(ask(server, *asked)) == write("add", a=1, b=2)
    *events, _ = events_of(ask(server, *asked, stream=True, incremental_output=True))
    pieces = [event["output"]["choices"][0]["message"]["content"][0]["text"] for event in events]
    assert "".join(pieces) == write("add", a=1, b=2)
    assert {"<", "tool_call", ">"} <= {piece.strip() for piece in pieces}


def test_words_after_a_tool_tell_what_it_said_and_what_is_heard_in_that_turn(
    server: LocalDashScope,
) -> None:
    silence = {"audio": data_uri(wav(amplitude=0))}
    speech = {"audio": data_uri((SAMPLES / "welcome.wav").read_bytes())}
    asked = [system(LOAD), user(silence, {"text": "load_audio a.wav"})]
    loaded = called("load_audio", audio="a.wav")
    said = text_of(ask(server, *asked, loaded, user(response("2.0 s"), speech)))
    before, _, after = said.partition("Welcome to the recording studio")
    assert before == f'{MARKER} A tool said: "2.0 s" I heard: "'
    assert after
    said = text_of(ask(server, *asked, loaded, user(response("a"), response("b"))))
    assert said == f'{MARKER} A tool said: "a" A tool said: "b"'


def test_offered_tools_do_not_keep_it_from_listening(server: LocalDashScope) -> None:
    silence = {"audio": data_uri(wav(amplitude=0))}
    said = text_of(ask(server, system(ADD), user(silence, {"text": "What is said?"})))
    assert said == f"{MARKER} I heard nothing."
