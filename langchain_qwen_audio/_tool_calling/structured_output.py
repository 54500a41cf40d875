"""A chat model and a schema → a runnable that returns data of that schema, or raises.

Built from LangChain's own parsers; what is added is that an answer without data is an error, and,
if requested, one more attempt that says what was wrong.
"""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.messages.ai import add_ai_message_chunks
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.output_parsers.transform import BaseCumulativeTransformOutputParser
from langchain_core.outputs import ChatGeneration
from langchain_core.runnables import RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import TBaseModel, is_basemodel_subclass

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable, RunnableConfig


def json_prompt(schema: dict[str, Any] | type | None) -> str:
    """Write the part of the system message that requests JSON, of a schema if there is one."""
    instruction = "Answer with one JSON object and nothing else, in no code block."
    if schema is None:
        return instruction
    function = schema_tool(schema)["function"]
    about = {"title": function["name"], "description": function.get("description", "")}
    shown = json.dumps({**about, **function["parameters"]}, ensure_ascii=False)
    return f"{instruction} It must satisfy this JSON Schema:\n{shown}"


def response_schema(schema: dict[str, Any] | type) -> dict[str, Any]:
    """Write a schema as `response_format` takes it: a name and the JSON Schema."""
    function = schema_tool(schema)["function"]
    return {"name": function["name"], "schema": function["parameters"]}


def schema_tool(schema: dict[str, Any] | type) -> dict[str, Any]:
    """Describe a Pydantic class, a TypedDict or a JSON schema as a tool, in OpenAI's form."""
    return convert_to_openai_tool(schema)


def tool_parser(schema: dict[str, Any] | type) -> Runnable[AIMessage, Any]:
    """Make the parser of a call of the tool that stands for the schema."""
    if _is_pydantic(schema):
        return _PydanticTool(tools=[schema], first_tool_only=True)
    return _JsonTool(key_name=schema_tool(schema)["function"]["name"], first_tool_only=True)


def json_parser(schema: dict[str, Any] | type | None) -> Runnable[AIMessage, Any]:
    """Make the parser of an answer that is JSON."""
    return _Pydantic(pydantic_object=schema) if _is_pydantic(schema) else _Json()


def _is_pydantic(schema: object) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)  # of v1 too


def structured(
    llm: Runnable[LanguageModelInput, AIMessage],
    parser: Runnable[AIMessage, Any],
    model: BaseChatModel,
    *,
    include_raw: bool,
    corrective_retry: bool,
) -> Runnable[LanguageModelInput, Any]:
    """Chain a model and a parser as LangChain's `with_structured_output` does."""
    answer = _corrected(llm, parser, model) if corrective_retry else llm
    if not include_raw:
        return answer | parser
    outcome = {
        "parsed": itemgetter("raw") | _attempt(parser, lambda parsed, _: parsed),
        "parsing_error": itemgetter("raw") | _attempt(parser, lambda _, error: error),
    }
    return RunnableMap(raw=answer) | RunnablePassthrough.assign(**outcome)


def _attempt(
    parser: Runnable[AIMessage, Any], choose: Callable[[Any, OutputParserException | None], Any]
) -> Runnable[AIMessage, Any]:
    """Parse, and return what is chosen of the result and the error."""

    def attempt(answer: AIMessage, config: RunnableConfig) -> Any:
        try:
            return choose(parser.invoke(answer, config), None)
        except OutputParserException as error:
            return choose(None, error)

    return RunnableLambda(attempt)


def _corrected(
    llm: Runnable[LanguageModelInput, AIMessage],
    parser: Runnable[AIMessage, Any],
    model: BaseChatModel,
) -> Runnable[LanguageModelInput, AIMessage]:
    """Send one more request where the parser cannot use the answer, saying why."""

    def correction(
        input_: LanguageModelInput, answer: AIMessage, error: Exception
    ) -> list[BaseMessage]:
        reason = HumanMessage(
            f"That answer cannot be used: {error}\nAnswer again, in the requested form."
        )
        return [*model._convert_input(input_).to_messages(), answer, reason]  # noqa: SLF001

    def call(input_: LanguageModelInput, config: RunnableConfig) -> AIMessage:
        answer = llm.invoke(input_, config)
        try:
            parser.invoke(answer, config)
        except OutputParserException as error:
            return llm.invoke(correction(input_, answer, error), config)
        return answer

    async def acall(input_: LanguageModelInput, config: RunnableConfig) -> AIMessage:
        answer = await llm.ainvoke(input_, config)
        try:
            await parser.ainvoke(answer, config)
        except OutputParserException as error:
            return await llm.ainvoke(correction(input_, answer, error), config)
        return answer

    return RunnableLambda(call, acall)


# --- LangChain's parsers, which alone take None, or a stream without data, for an answer ---


class _StrictParser(BaseCumulativeTransformOutputParser[Any]):
    """A parser that, at the end of a stream too, raises if there is no data in it."""

    def _transform(self, input: Iterator[str | BaseMessage]) -> Iterator[Any]:  # noqa: A002
        chunks: list[AIMessageChunk] = []
        yield from super()._transform(_collect(chunk, chunks) for chunk in input)
        self._check(chunks)

    async def _atransform(
        self,
        input: AsyncIterator[str | BaseMessage],  # noqa: A002
    ) -> AsyncIterator[Any]:
        chunks: list[AIMessageChunk] = []
        collected = (_collect(chunk, chunks) async for chunk in input)
        async for parsed in super()._atransform(collected):
            yield parsed
        self._check(chunks)

    def _check(self, chunks: list[AIMessageChunk]) -> None:
        message = add_ai_message_chunks(AIMessageChunk(content=""), *chunks)
        self.parse_result([ChatGeneration(message=message)])

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        try:
            parsed = super().parse_result(result, partial=partial)
        except OutputParserException:
            raise
        except ValueError as error:  # pydantic's, of v1 too, of arguments that are not valid
            raise OutputParserException(str(error), llm_output=result[0].text) from error
        if parsed is None and not partial:
            text = result[0].text
            raise OutputParserException(
                f"the model did not answer in the requested form: {text[:500]!r}",
                llm_output=text,
            )
        return parsed


def _collect(chunk: str | BaseMessage, chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """Remember a chunk; a whole message, which LangChain's parsers lose the calls of, is one."""
    if not isinstance(chunk, AIMessageChunk):
        whole = AIMessage(chunk) if isinstance(chunk, str) else chunk
        chunk = AIMessageChunk(**whole.model_dump(exclude={"type"}))
    chunks.append(chunk)
    return chunk


class _PydanticTool(_StrictParser, PydanticToolsParser):
    pass


class _JsonTool(_StrictParser, JsonOutputKeyToolsParser):
    pass


class _Pydantic(_StrictParser, PydanticOutputParser[TBaseModel]):
    pass


class _Json(_StrictParser, JsonOutputParser):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        parsed = super().parse_result(result, partial=partial)
        if isinstance(parsed, dict) or (partial and parsed is None):
            return parsed
        raise OutputParserException(
            f"the model answered with {type(parsed).__name__}, expected a JSON object",
            llm_output=str(parsed),
        )
