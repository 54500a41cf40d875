"""What one model refuses and another takes. Pure.

The limits are documented; where the words of a refusal are not, they are the stand-in's own.
"""

from collections.abc import Mapping
from typing import Any

from langchain_qwen_audio.local._question import Question
from langchain_qwen_audio.local._wire import Refusal

_LANGUAGES = frozenset(
    {"zh", "yue", "en", "ja", "de", "ko", "ru", "fr", "pt", "ar", "it", "es", "hi", "id", "th"}
    | {"tr", "uk", "vi", "cs", "da", "fil", "fi", "is", "ms", "no", "pl", "sv"}
)


def check_rules(question: Question) -> None:
    """Refuse what the model does not take.

    Raises:
        Refusal: It does not take that.
    """
    if question.model.one_turn:
        _check_one_turn(question)
    for message in question.messages:
        if message["role"] == "user":
            _check_user(question, message)
    if question.compatible:
        _check_way_of_answering(question)


def check_asr_options(options: object) -> None:
    """Refuse options that speech recognition does not have."""
    known: dict[str, type] = {"language": str, "enable_itn": bool, "enable_lid": bool}
    if not isinstance(options, dict) or not options.keys() <= known.keys():
        raise _refusal(f"asr_options should be an object of {', '.join(known)}")
    for name, value in options.items():
        if not isinstance(value, known[name]):
            raise _refusal(f"Input should be a valid {known[name].__name__}: asr_options.{name}")
    if options.get("language", "en") not in _LANGUAGES:
        raise _refusal(f"Unsupported language: {options['language']}: asr_options.language")


def _check_one_turn(question: Question) -> None:
    """Take one user message, after a system message or without."""
    roles = [message["role"] for message in question.messages]
    if roles not in (["user"], ["system", "user"]):
        raise _not_this(question)
    for message in question.messages[:-1]:
        if any("text" not in part for part in message["content"]):
            raise _not_this(question)
    if not question.messages[-1]["content"]:
        raise _not_this(question)


def _check_user(question: Question, message: Mapping[str, Any]) -> None:
    model = question.model
    kinds = [kind for part in message["content"] for kind in part]
    if not model.takes.issuperset(kinds):
        raise _not_this(question)
    if model.max_clips is not None and kinds.count("audio") > model.max_clips:
        raise _refusal(f"The model `{question.name}` takes {model.max_clips} audio per message.")
    if not model.mixes and len(set(kinds) - {"text"}) > 1:
        msg = f"The model `{question.name}` takes text and one other modality per message."
        raise _refusal(msg)


def _check_way_of_answering(question: Question) -> None:
    model = question.model
    if question.speech:
        _check_speech(question)
    if model.must_stream and not question.stream:
        raise _refusal(
            "This model only support stream mode, please enable the stream parameter to access "
            "the model."
        )
    if question.tools and not model.native_tools:
        raise _refusal(f"The model `{question.name}` does not support tools.")


def _check_speech(question: Question) -> None:
    model = question.model
    if not model.speaks:
        raise _refusal(f"The model `{question.name}` does not support 'audio' output.")
    if not question.stream:
        raise _refusal("'audio' output only support with stream=true")
    if question.thinking:
        raise _refusal("'audio' output is not supported when enable_thinking is true.")
    if question.tools:
        raise _refusal("'audio' output is not supported with tools.")
    roles = {message["role"] for message in question.messages}
    if "system" in roles and not model.speaks_after_system:
        raise _refusal("'audio' output is not supported with a system message.")


def _not_this(question: Question) -> Refusal:
    if question.model.family == "asr":
        return _refusal("The dedicated task `asr` does not support this input.")
    if question.model.family == "captioner":
        return _refusal(f"The model `{question.name}` takes one audio, no text and no history.")
    return _refusal(f"The model `{question.name}` does not support this input.")


def _refusal(message: str) -> Refusal:
    return Refusal(400, "InvalidParameter", message)
