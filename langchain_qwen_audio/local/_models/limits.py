"""What one model refuses and another takes. Pure.

The limits are documented; where the text of an error is not, it is this server's own.
"""

from collections.abc import Mapping
from typing import Any

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter

_LANGUAGES = frozenset(
    {"zh", "yue", "en", "ja", "de", "ko", "ru", "fr", "pt", "ar", "it", "es", "hi", "id", "th"}
    | {"tr", "uk", "vi", "cs", "da", "fil", "fi", "is", "ms", "no", "pl", "sv"}
)


def check_limits(request: ModelRequest) -> None:
    """Refuse what the model does not take.

    Raises:
        Refusal: It does not take that.
    """
    if request.model.one_turn:
        _check_one_turn(request)
    for message in request.messages:
        if message["role"] == "user":
            _check_user(request, message)
    _check_clip_counts(request)
    if request.model.family == "asr":
        _check_asr_options(request.asr_options or {})
    if request.model.family == "recognition":
        _check_recognition(request)
    _check_answer(request)


def _check_recognition(request: ModelRequest) -> None:
    if len(request.audios) != 1:
        raise invalid_parameter("The messages should hold one audio")
    hints = request.recognition_options.get("language_hints") or []
    if not isinstance(hints, list) or len(hints) > request.model.max_language_hints:
        msg = f"language_hints should be a list of {request.model.max_language_hints} at most"
        raise invalid_parameter(msg)


def _check_asr_options(options: object) -> None:
    """Refuse options that speech recognition does not have."""
    known: dict[str, type] = {"language": str, "enable_itn": bool, "enable_lid": bool}
    if not isinstance(options, dict) or not options.keys() <= known.keys():
        raise invalid_parameter(f"asr_options should be an object of {', '.join(known)}")
    for name, value in options.items():
        if not isinstance(value, known[name]):
            msg = f"Input should be a valid {known[name].__name__}: asr_options.{name}"
            raise invalid_parameter(msg)
    if options.get("language", "en") not in _LANGUAGES:
        msg = f"Unsupported language: {options['language']}: asr_options.language"
        raise invalid_parameter(msg)


def _check_one_turn(request: ModelRequest) -> None:
    """Take one user message, after a system message or without."""
    roles = [message["role"] for message in request.messages]
    if roles not in (["user"], ["system", "user"]):
        raise _unsupported_input(request)
    for message in request.messages[:-1]:
        if any("text" not in part for part in message["content"]):
            raise _unsupported_input(request)
    if not request.messages[-1]["content"]:
        raise _unsupported_input(request)


def _check_user(request: ModelRequest, message: Mapping[str, Any]) -> None:
    model = request.model
    kinds = [kind for part in message["content"] for kind in part]
    if not model.takes.issuperset(kinds):
        raise _unsupported_input(request)
    if model.max_clips is not None and kinds.count("audio") > model.max_clips:
        msg = f"The model `{request.name}` takes {model.max_clips} audio per message."
        raise invalid_parameter(msg)
    if not model.mixes and len(set(kinds) - {"text"}) > 1:
        msg = f"The model `{request.name}` takes text and one other modality per message."
        raise invalid_parameter(msg)


def _check_clip_counts(request: ModelRequest) -> None:
    inline = sum(audio.startswith("data:") for audio in request.audios)
    model, by_url = request.model, len(request.audios) - inline
    for what, count, limit in (
        ("in base64", inline, model.max_inline_clips),
        ("at URLs", by_url, model.max_url_clips),
    ):
        if limit is not None and count > limit:
            msg = f"The model `{request.name}` takes {limit} audio {what} per request."
            raise invalid_parameter(msg)


def _check_answer(request: ModelRequest) -> None:
    model = request.model
    if request.speech:
        _check_speech(request)
    if model.must_stream and not request.stream:
        raise invalid_parameter(
            "This model only support stream mode, please enable the stream parameter to access "
            "the model."
        )
    if request.tools and not model.native_tools:
        raise invalid_parameter(f"The model `{request.name}` does not support tools.")


def _check_speech(request: ModelRequest) -> None:
    model = request.model
    if not model.speaks:
        raise invalid_parameter(f"The model `{request.name}` does not support 'audio' output.")
    if not request.stream:
        raise invalid_parameter("'audio' output only support with stream=true")
    if request.thinking:
        raise invalid_parameter("'audio' output is not supported when enable_thinking is true.")
    if request.tools:
        raise invalid_parameter("'audio' output is not supported with tools.")
    roles = {message["role"] for message in request.messages}
    if "system" in roles and not model.speaks_after_system:
        raise invalid_parameter("'audio' output is not supported with a system message.")


def _unsupported_input(request: ModelRequest) -> Refusal:
    if request.model.family == "asr":
        return invalid_parameter("The dedicated task `asr` does not support this input.")
    if request.model.family == "captioner":
        msg = f"The model `{request.name}` takes one audio, no text and no history."
        return invalid_parameter(msg)
    return invalid_parameter(f"The model `{request.name}` does not support this input.")
