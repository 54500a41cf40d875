"""Structured output: three kinds of schema, three methods, and never None for a failure."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypedDict

import pytest
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableSequence
from pydantic import BaseModel, Field, field_validator

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from collections.abc import Iterator


class Call(BaseModel):
    """What was said on the phone."""

    caller: str = Field(description="who called")
    minutes: int
    mood: str | None = None

    @field_validator("minutes")
    @classmethod
    def _positive(cls, minutes: int) -> int:
        if minutes < 0:
            raise ValueError("no call is shorter than nothing")
        return minutes


class CallDict(TypedDict):
    """What was said on the phone."""

    caller: Annotated[str, ..., "who called"]
    minutes: int


SCHEMAS: dict[str, Any] = {
    "pydantic": Call,
    "typeddict": CallDict,
    "json schema": Call.model_json_schema(),
    "tool": {
        "type": "function",
        "function": {
            "name": "Call",
            "description": "What was said on the phone.",
            "parameters": Call.model_json_schema(),
        },
    },
}
# One that is a class, whose checks are run, and one that is none.
KINDS = ["pydantic", "json schema"]
TWO_SCHEMAS = {kind: SCHEMAS[kind] for kind in KINDS}
DATA = {"caller": "Zoë", "minutes": 3}
NEGATIVE = {"caller": "Zoë", "minutes": -1}
METHODS = ["function_calling", "json_schema", "json_mode"]


def answer_of(method: str, name: str, data: Any) -> str:
    """Write data as a model does that got a request by that method."""
    written = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    if method == "function_calling":
        return f'<tool_call>\n{{"name": "{name}", "arguments": {written}}}\n</tool_call>'
    return written


def name_of(schema: Any) -> str:
    return "CallDict" if schema is CallDict else "Call"


def is_data(schema: Any, found: Any) -> bool:
    if schema is Call:
        return isinstance(found, Call) and found.model_dump(exclude_none=True) == DATA
    return bool(found == DATA)


class Run(Protocol):
    """Run a chain in one of its four ways, to its last value."""

    __name__: str

    def __call__(self, chain: Runnable[Any, Any], request: Any, /) -> Any: ...


def invoke(chain: Runnable[Any, Any], request: Any, /) -> Any:
    return chain.invoke(request)


def ainvoke(chain: Runnable[Any, Any], request: Any, /) -> Any:
    return asyncio.run(chain.ainvoke(request))


def stream(chain: Runnable[Any, Any], request: Any, /) -> Any:
    return last(list(chain.stream(request)))


def astream(chain: Runnable[Any, Any], request: Any, /) -> Any:
    async def collect() -> list[Any]:
        return [value async for value in chain.astream(request)]

    return last(asyncio.run(collect()))


def last(values: list[Any]) -> Any:
    assert values, "the stream was empty"
    if isinstance(values[-1], dict) and {"raw", "parsed", "parsing_error"} & set(values[-1]):
        whole: dict[str, Any] = {}
        for value in values:  # the parts of the answer with include_raw come one after the other
            for key, part in value.items():
                whole[key] = whole[key] + part if key == "raw" and key in whole else part
        return whole
    return values[-1]


@pytest.fixture(params=[invoke, astream], ids=lambda way: way.__name__)
def run(request: pytest.FixtureRequest) -> Run:
    way: Run = request.param
    return way


# --- the request ------------------------------------------------------------------------------


def system_text(server: LocalDashScope) -> str:
    first = server.requests[-1].messages[0]
    assert first["role"] == "system"
    return "".join(part["text"] for part in first["content"])


@each_row("schema", SCHEMAS)
def test_function_calling_offers_one_tool_that_must_be_called(
    server: LocalDashScope, model: ChatQwenAudio, schema: Any
) -> None:
    name = name_of(schema)
    server.script(answer_of("function_calling", name, DATA))
    model.with_structured_output(schema).invoke("?")
    text = system_text(server)
    (line,) = (line for line in text.split("\n") if line.startswith('{"type": "function"'))
    function = json.loads(line)["function"]
    assert function["name"] == name
    assert function["description"] == "What was said on the phone."
    assert function["parameters"]["required"] == ["caller", "minutes"]
    assert text.endswith(f"You must call the function {name} now; do not answer in words.")


@each_row("schema", SCHEMAS)
def test_json_schema_shows_the_schema(
    server: LocalDashScope, model: ChatQwenAudio, schema: Any
) -> None:
    server.script(json.dumps(DATA))
    model.with_structured_output(schema, method="json_schema").invoke("?")
    request, _, shown = system_text(server).partition("\n")
    assert request == (
        "Answer with one JSON object and nothing else, in no code block. "
        "It must satisfy this JSON Schema:"
    )
    shown = json.loads(shown)
    assert shown["title"] == name_of(schema)
    assert shown["description"] == "What was said on the phone."
    assert shown["properties"]["caller"]["description"] == "who called"
    assert shown["required"] == ["caller", "minutes"]


@each_row("schema", [*SCHEMAS.values(), None])
def test_json_mode_requests_json_and_leaves_the_keys_to_the_prompt(
    server: LocalDashScope, model: ChatQwenAudio, schema: Any
) -> None:
    server.script(json.dumps(DATA))
    model.with_structured_output(schema, method="json_mode").invoke("?")
    request = "Answer with one JSON object and nothing else, in no code block."
    assert system_text(server) == request


@each_row("method", METHODS)
def test_nothing_of_it_is_sent_as_a_parameter(
    server: LocalDashScope, model: ChatQwenAudio, method: Any
) -> None:
    server.script(answer_of(method, "Call", DATA))
    model.with_structured_output(Call, method=method, temperature=0.5).invoke("?")
    assert server.requests[-1].parameters == {"result_format": "message", "temperature": 0.5}


@each_row("method", ["function_calling", "json_schema"])
def test_a_schema_is_required_where_one_is_shown(model: ChatQwenAudio, method: Any) -> None:
    with pytest.raises(ValueError, match=f"method '{method}' needs a schema"):
        model.with_structured_output(None, method=method)


def test_an_unknown_method_is_refused(model: ChatQwenAudio) -> None:
    unknown: Any = "grammar"
    with pytest.raises(ValueError, match="grammar"):
        model.with_structured_output(Call, method=unknown)


# --- what comes back --------------------------------------------------------------------------


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
@each_row("schema", SCHEMAS)
def test_data_comes_back(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, schema: Any, method: Any
) -> None:
    server.script(answer_of(method, name_of(schema), DATA))
    assert is_data(schema, run(model.with_structured_output(schema, method=method), "?"))
    assert len(server.requests) == 1


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
@each_row("schema", TWO_SCHEMAS)
def test_with_the_message_if_that_is_wanted(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, schema: Any, method: Any
) -> None:
    answer = answer_of(method, name_of(schema), DATA)
    server.script(answer)
    chain = model.with_structured_output(schema, method=method, include_raw=True)
    found = run(chain, "?")
    assert set(found) == {"raw", "parsed", "parsing_error"}
    assert isinstance(found["raw"], AIMessage)
    assert is_data(schema, found["parsed"])
    assert found["parsing_error"] is None
    assert found["raw"].text == ("" if method == "function_calling" else answer)


@each_row("run", (invoke, astream))
@each_row("method", ["json_schema", "json_mode"])
def test_a_code_block_around_json_does_no_harm(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, method: Any
) -> None:
    server.script(f"```json\n{json.dumps(DATA)}\n```")
    assert is_data(Call, run(model.with_structured_output(Call, method=method), "?"))


@each_row("run", (invoke, astream))
def test_words_around_a_call_do_no_harm(
    run: Run, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(f"Sure.\n{answer_of('function_calling', 'Call', DATA)}\nDone.")
    assert is_data(Call, run(model.with_structured_output(Call), "?"))


@each_row("run", (invoke, astream))
def test_it_works_in_a_chain(run: Run, server: LocalDashScope, model: ChatQwenAudio) -> None:
    server.script(answer_of("function_calling", "Call", DATA))
    prompt = ChatPromptTemplate.from_messages([("system", "Be kind."), ("user", "{question}")])
    chain: RunnableSequence[Any, Any] = RunnableSequence(prompt, model.with_structured_output(Call))
    assert is_data(Call, run(chain, {"question": "Who?"}))
    assert system_text(server).startswith("Be kind.\n\n# Tools")


@each_row(
    "schema, method", [(CallDict, "json_schema"), (CallDict, "json_mode"), (None, "json_mode")]
)
def test_json_grows_as_it_streams(
    server: LocalDashScope, model: ChatQwenAudio, schema: Any, method: Any
) -> None:
    server.script(Reply(fragments=tuple(json.dumps(DATA, ensure_ascii=False))))
    values = list(model.with_structured_output(schema, method=method).stream("?"))
    assert values[-1] == DATA
    assert {"caller": "Zo"} in values


def test_the_message_streams_before_its_data(server: LocalDashScope, model: ChatQwenAudio) -> None:
    server.script(answer_of("function_calling", "Call", DATA))
    *before, _, _ = model.with_structured_output(Call, include_raw=True).stream("?")
    assert len(before) > 10
    assert {key for value in before for key in value} == {"raw"}


# --- what does not fit ------------------------------------------------------------------------

# What a model may say instead of the data; the method and schemas that it is wrong for.
WRONG: dict[str, tuple[str, list[str], list[str]]] = {
    "words": ("I would rather not.", METHODS, KINDS),
    "nothing": ("", METHODS, KINDS),
    "a list": ("[1, 2]", METHODS, KINDS),
    "null": ("null", METHODS, KINDS),
    "half an object": ('{"caller": "Zo', ["function_calling"], KINDS),
    "another tool": (answer_of("function_calling", "Dial", DATA), METHODS, KINDS),
    "a malformed call": (
        answer_of("function_calling", "Call", '{"caller": "Zoë", "minutes": }'),
        METHODS,
        KINDS,
    ),
    "what the schema forbids": (json.dumps(NEGATIVE), ["json_schema", "json_mode"], ["pydantic"]),
    "a call of what it forbids": (
        answer_of("function_calling", "Call", NEGATIVE),
        ["function_calling"],
        ["pydantic"],
    ),
    "a call without what is required": (
        answer_of("function_calling", "Call", {"caller": "Zoë"}),
        ["function_calling"],
        ["pydantic"],
    ),
}
FAILURES = {
    f"{name}, {method}, {kind}": (answer, method, SCHEMAS[kind])
    for name, (answer, methods, kinds) in WRONG.items()
    for method in methods
    for kind in kinds
}


@each_row("answer, method, schema", FAILURES)
def test_an_answer_that_does_not_fit_raises(
    server: LocalDashScope, model: ChatQwenAudio, answer: str, method: Any, schema: Any
) -> None:
    chain = model.with_structured_output(schema, method=method)
    way = astream if schema is Call else invoke
    server.script(answer)
    with pytest.raises(OutputParserException):
        way(chain, "?")


@each_row("answer, method, schema", FAILURES)
def test_or_says_why_beside_the_message(
    server: LocalDashScope, model: ChatQwenAudio, answer: str, method: Any, schema: Any
) -> None:
    chain = model.with_structured_output(schema, method=method, include_raw=True)
    way = ainvoke if schema is Call else stream
    server.script(answer)
    found = way(chain, "?")
    assert isinstance(found["raw"], AIMessage)
    assert found["parsed"] is None
    assert isinstance(found["parsing_error"], OutputParserException)
    assert str(found["parsing_error"])


@each_row("run", (invoke, astream))
def test_the_error_shows_the_answer(run: Run, server: LocalDashScope, model: ChatQwenAudio) -> None:
    server.script("I would rather not.")
    with pytest.raises(OutputParserException, match="I would rather not"):
        run(model.with_structured_output(Call), "?")


@each_row("run", (invoke, astream))
@each_row("include_raw", [False, True])
def test_a_failure_of_the_service_stays_one(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, include_raw: bool
) -> None:
    server.script(error_reply(401, "InvalidApiKey", "No."))
    with pytest.raises(errors.AuthenticationError):
        run(model.with_structured_output(Call, include_raw=include_raw), "?")


# --- one more attempt -------------------------------------------------------------------------


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
def test_there_is_one_request_by_default(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, method: Any
) -> None:
    server.script("No.", answer_of(method, "Call", DATA))
    with pytest.raises(OutputParserException):
        run(model.with_structured_output(Call, method=method), "?")
    assert len(server.requests) == 1


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
@each_row("include_raw", [False, True])
def test_the_second_says_what_was_wrong(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, method: Any, include_raw: bool
) -> None:
    wrong, right = (answer_of(method, "Call", data) for data in (NEGATIVE, DATA))
    server.script(wrong, right)
    chain = model.with_structured_output(
        Call, method=method, include_raw=include_raw, corrective_retry=True
    )
    found = run(chain, [HumanMessage("Who?")])
    assert is_data(Call, found["parsed"] if include_raw else found)
    first, second = server.requests
    assert second.messages[: len(first.messages)] == first.messages
    answered, corrected = second.messages[len(first.messages) :]
    assert answered == {"role": "assistant", "content": [{"text": wrong}]}
    assert corrected["role"] == "user"
    (part,) = corrected["content"]
    assert part["text"].startswith("That answer cannot be used: ")
    assert "no call is shorter than nothing" in part["text"]


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
@each_row("schema", TWO_SCHEMAS)
def test_words_are_corrected_too(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, schema: Any, method: Any
) -> None:
    server.script("I would rather not.", answer_of(method, name_of(schema), DATA))
    chain = model.with_structured_output(schema, method=method, corrective_retry=True)
    assert is_data(schema, run(chain, "Who?"))
    assert len(server.requests) == 2


@each_row("run", (invoke, astream))
@each_row("method", METHODS)
def test_there_is_no_third(
    run: Run, server: LocalDashScope, model: ChatQwenAudio, method: Any
) -> None:
    server.script("No.", "Never.", answer_of(method, "Call", DATA))
    chain = model.with_structured_output(Call, method=method, corrective_retry=True)
    with pytest.raises(OutputParserException, match="Never"):
        run(chain, "Who?")
    assert len(server.requests) == 2


@each_row("run", (invoke, astream))
def test_a_good_answer_is_not_requested_again(
    run: Run, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(answer_of("function_calling", "Call", DATA))
    assert is_data(Call, run(model.with_structured_output(Call, corrective_retry=True), "Who?"))
    assert len(server.requests) == 1


# --- with the local test server, which reads the schema itself -----------------------------------


@pytest.fixture(scope="module")
def whisper_server() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


@each_row("run", (invoke, astream))
@each_row("method", ["function_calling", "json_schema"])
@each_row("schema", SCHEMAS)
def test_the_local_test_server_answers_by_the_schema(
    run: Run, whisper_server: LocalDashScope, schema: Any, method: Any
) -> None:
    model = ChatQwenAudio(base_url=whisper_server.base_url, api_key="local")
    chain = model.with_structured_output(schema, method=method)
    assert is_data(schema, run(chain, "'Zoë' called for 3 minutes."))
