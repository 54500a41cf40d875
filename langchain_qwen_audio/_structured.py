"""A chat model and a schema → a runnable that returns data of that schema, or raises.

Built from LangChain's own parsers; what is added is that an answer without data is an error, and,
if asked for, one more attempt that is told what was wrong.
"""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from langchain_core.exceptions import OutputParserException
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    PydanticToolsParser,
)
from langchain_core.runnables import RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel, LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import Generation
    from langchain_core.runnables import Runnable, RunnableConfig


def json_prompt(schema: dict[str, Any] | type | None) -> str:
    """Write the part of the system message that asks for JSON, of a schema if there is one."""
    asked = "Answer with one JSON object and nothing else, in no code block."
    if schema is None:
        return asked
    function = schema_tool(schema)["function"]
    about = {"title": function["name"], "description": function.get("description", "")}
    shown = json.dumps({**about, **function["parameters"]}, ensure_ascii=False)
    return f"{asked} It must satisfy this JSON Schema:\n{shown}"


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
    if _is_pydantic(schema):
        return PydanticOutputParser(pydantic_object=schema)
    return JsonOutputParser() | RunnableLambda(_object)


def _object(parsed: Any) -> dict[str, Any]:
    if isinstance(parsed, dict):
        return parsed
    raise OutputParserException(
        f"the model answered with {type(parsed).__name__}, expected a JSON object",
        llm_output=str(parsed),
    )


def _is_pydantic(schema: object) -> bool:
    return isinstance(schema, type) and is_basemodel_subclass(schema)


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
    parsed = RunnablePassthrough.assign(
        parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
    )
    failed = RunnablePassthrough.assign(parsed=lambda _: None)
    return RunnableMap(raw=answer) | parsed.with_fallbacks([failed], exception_key="parsing_error")


def _corrected(
    llm: Runnable[LanguageModelInput, AIMessage],
    parser: Runnable[AIMessage, Any],
    model: BaseChatModel,
) -> Runnable[LanguageModelInput, AIMessage]:
    """Ask once more where the parser cannot use the answer, saying why."""

    def correction(
        asked: LanguageModelInput, answer: AIMessage, error: Exception
    ) -> list[BaseMessage]:
        said = HumanMessage(
            f"That answer cannot be used: {error}\nAnswer again, in the form asked."
        )
        return [*model._convert_input(asked).to_messages(), answer, said]  # noqa: SLF001

    def ask(asked: LanguageModelInput, config: RunnableConfig) -> AIMessage:
        answer = llm.invoke(asked, config)
        try:
            parser.invoke(answer, config)
        except OutputParserException as error:
            return llm.invoke(correction(asked, answer, error), config)
        return answer

    async def aask(asked: LanguageModelInput, config: RunnableConfig) -> AIMessage:
        answer = await llm.ainvoke(asked, config)
        try:
            await parser.ainvoke(answer, config)
        except OutputParserException as error:
            return await llm.ainvoke(correction(asked, answer, error), config)
        return answer

    return RunnableLambda(ask, aask)


def _require(parsed: Any, result: list[Generation], *, partial: bool) -> Any:
    if parsed is None and not partial:
        text = result[0].text
        raise OutputParserException(
            f"the model did not answer in the form that was asked: {text[:500]!r}", llm_output=text
        )
    return parsed


class _PydanticTool(PydanticToolsParser):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        try:
            parsed = super().parse_result(result, partial=partial)
        except ValueError as error:  # pydantic's, of arguments that do not fit
            raise OutputParserException(str(error), llm_output=result[0].text) from error
        return _require(parsed, result, partial=partial)


class _JsonTool(JsonOutputKeyToolsParser):
    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        return _require(super().parse_result(result, partial=partial), result, partial=partial)
