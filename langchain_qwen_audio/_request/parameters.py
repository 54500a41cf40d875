"""The parameters of a request: refused where the model does not have them, and completed. Pure.

What the service would refuse, or ignore without a word, does not leave the machine.
"""

from __future__ import annotations

import math
import reprlib
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._tool_calling.tool_choice import forces
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from langchain_qwen_audio._models.profiles import Profile

JSON_MODE = {"type": "json_object"}

# What is looked into here. Fields are checked when a model is made; a call can pass anything.
_SHAPES: tuple[tuple[str, type | tuple[type, ...], tuple[str, ...]], ...] = (
    ("an object (dict)", dict, ("search_options", "asr_options", "audio", "response_format")),
    ("a list", (list, tuple), ("modalities", "tools")),
    ("True or False", bool, ("enable_thinking", "enable_search", "use_multichannel")),
    ("a text", str, ("reasoning_effort", "voice")),
    ("a whole number", int, ("n", "thinking_budget")),
)


def check_shapes(parameters: Mapping[str, Any]) -> None:
    """Require of parameters what the other checks take for granted.

    Raises:
        InvalidRequestError: One is something else.
    """
    for expected, kind, names in _SHAPES:
        for name in names:
            value = parameters.get(name)
            if value is not None and not isinstance(value, kind):
                raise InvalidRequestError(f"{name} is {reprlib.repr(value)}, expected {expected}")


def add_defaults(parameters: dict[str, Any], profile: Profile, voice: str | None) -> None:
    """Add the voice of speech output and the strategy of a search; make integers numbers.

    qwen3.8-omni-flash refuses an integer temperature; a third party saw that.
    https://github.com/mnfst/modelparams.dev/pull/365

    Args:
        parameters: What was set, and what is added.
        profile: What the model takes.
        voice: The voice that the model was told to speak with.
    """
    voice = parameters.pop("voice", None) or voice or profile.voice
    if requests_speech(parameters):
        parameters.setdefault("audio", {"voice": voice, "format": "wav"})
    if isinstance(parameters.get("temperature"), int):
        parameters["temperature"] = float(parameters["temperature"])
    if parameters.get("enable_search") and profile.search_strategy:
        options = parameters.get("search_options") or {}
        parameters["search_options"] = {"search_strategy": profile.search_strategy, **options}


def request_json(parameters: dict[str, Any], profile: Profile) -> None:
    """Have JSON enforced where that is documented: a schema, or at least an object.

    That is for models that do not think; the prompt requests JSON of all. With tools, or with
    speech output, no page shows it.
    https://help.aliyun.com/zh/model-studio/qwen-structured-output

    Args:
        parameters: What was set; `json_schema` is taken out, and `response_format` added.
        profile: What the model takes.
    """
    schema = parameters.pop("json_schema", None)
    alone = not (parameters.get("tools") or requests_speech(parameters))
    if not alone or thinks(profile, parameters):
        return
    if profile.json_schema and schema:
        enforced = {"type": "json_schema", "json_schema": schema}
        parameters.setdefault("response_format", enforced)
    elif profile.json_schema or profile.json_mode:
        parameters.setdefault("response_format", JSON_MODE)


def take_schema_beside_tools(parameters: dict[str, Any], profile: Profile) -> dict[str, Any] | None:
    """Take a schema out of `response_format` where tools are offered; None if there is none.

    A server that enforces a schema lets a model write nothing else, and so call no tool.
    `create_agent` sends both.
    https://docs.vllm.ai/en/latest/features/structured_outputs/
    """
    wanted = parameters.get("response_format") or {}
    is_schema = profile.json_schema and wanted.get("type") == "json_schema"
    if not (is_schema and parameters.get("tools")):
        return None
    parameters.pop("response_format")
    named = wanted.get("json_schema") or {}
    return {"title": named.get("name", "answer"), **(named.get("schema") or {})}


def check_parameters(model: str, profile: Profile, parameters: Mapping[str, Any]) -> None:
    """Require that a model can take parameters.

    Raises:
        InvalidRequestError: It cannot.
    """
    for refusals in _RULES:
        for reason in refusals(profile, parameters):
            raise InvalidRequestError(f"{model} {reason}")


def requests_speech(parameters: Mapping[str, Any]) -> bool:
    """Tell whether speech output is requested."""
    return "audio" in (parameters.get("modalities") or ())


def _general_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"takes numbers, and {name} is {value}"
    if parameters.get("n") not in {None, 1}:
        yield "is requested one answer at a time (n): send the request again, or use batch"
    if not profile.text and (parameters.get("tools") or parameters.get("json_prompt")):
        yield "takes no instructions: it calls no tools and writes no JSON"
    if parameters.get("use_multichannel") and not profile.multichannel:
        yield "takes one channel: leave out use_multichannel, or use qwen3.8-omni-flash"


def _requests_thinking(parameters: Mapping[str, Any]) -> list[str]:
    """List the parameters by which thinking is requested."""
    names = ("enable_thinking", "reasoning_effort", "thinking_budget")
    return [name for name in names if parameters.get(name) not in {None, False, "none"}]


def _thinking_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    names = _requests_thinking(parameters)
    if not names:
        return
    if "thinking_budget" in names and not profile.thinking_budget:
        yield (
            "is on a server of your own, which has another name for thinking_budget: pass it by "
            "that name, in model_kwargs"
        )
    if profile.thinking is None:
        yield f"has no thinking mode ({', '.join(names)}): qwen3.8-omni-flash has one"
    if "reasoning_effort" in names and profile.efforts == ():
        yield "has no reasoning_effort: qwen3.8-omni-flash has it; use enable_thinking"
    if {"reasoning_effort", "thinking_budget"} <= set(names):
        yield "takes reasoning_effort or thinking_budget, and both came: leave out one"
    if forces(parameters.get("tool_choice")):
        yield (
            "cannot be made to call a tool in thinking mode: leave out tool_choice or "
            f"{', '.join(names)}"
        )


def thinks(profile: Profile, parameters: Mapping[str, Any]) -> bool:
    """Tell whether a model thinks before it answers."""
    effort, wanted = parameters.get("reasoning_effort"), parameters.get("enable_thinking")
    if effort is not None:
        return bool(effort != "none")
    return profile.thinking == "on" if wanted is None else bool(wanted)


def _json_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    wanted = parameters.get("response_format")
    if not wanted:
        return
    if wanted.get("type") == "json_schema" and profile.json_schema is False:
        yield (
            "takes no JSON Schema as response_format: pass ToolStrategy(…) to create_agent, or use "
            "with_structured_output(…)"
        )
    elif profile.json_mode is False:
        yield "has no response_format; with_structured_output(…) requests JSON in the prompt"
    elif profile.json_mode and thinks(profile, parameters):
        yield "has no response_format while it thinks: add reasoning_effort='none'"


def _search_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    if not parameters.get("enable_search"):
        return
    strategy = (parameters.get("search_options") or {}).get("search_strategy")
    if not profile.search:
        yield "has no web search (enable_search): qwen3.8-omni-flash has it"
    if profile.search_strategy and strategy not in (None, profile.search_strategy):
        yield (
            f"has the search_strategy {profile.search_strategy!r} alone, and "
            f"{reprlib.repr(strategy)} came"
        )
    if parameters.get("tools") and not profile.tools_with_search:
        yield "calls no tools in a request that searches the web: leave out enable_search, or tools"


def _asr_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    options = parameters.get("asr_options") or {}
    if options and not profile.transcribes:
        yield "takes no asr_options: they are for speech recognition, as qwen3-asr-flash"
        return
    for name in options:
        if name not in profile.asr_options:
            yield f"has no asr_options[{name!r}]; it has {', '.join(profile.asr_options)}"
    hints = options.get("language_hints") or ()
    if not isinstance(hints, list | tuple):
        yield f"takes language_hints as a list, and {reprlib.repr(hints)} came"
    elif len(hints) > profile.max_language_hints:
        yield f"takes {profile.max_language_hints} language_hints, and {len(hints)} came"
    if options.get("speaker_diarization_enabled") and (hints or options.get("keep_dialect")):
        yield (
            "ignores language_hints and keep_dialect with speaker_diarization_enabled: leave out "
            "one or the other"
        )


def _speech_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    if not requests_speech(parameters):
        return
    voice = (parameters.get("audio") or {}).get("voice")
    if not profile.voice:
        yield "has no speech output (modalities): qwen3.5-omni-flash and qwen3.5-omni-plus have it"
    if profile.voices and voice not in profile.voices:
        yield f"has no voice {voice!r}; it has {', '.join(profile.voices)}"
    if parameters.get("tools"):
        yield "has no tools with speech output: leave out modalities, or the tools"
    if names := _requests_thinking(parameters):
        yield (
            f"has no thinking mode with speech output: leave out modalities, or {', '.join(names)}"
        )


_RULES = (
    _general_refusals,
    _json_refusals,
    _search_refusals,
    _asr_refusals,
    _thinking_refusals,
    _speech_refusals,
)
