"""What one model refuses and another takes. Pure.

The limits are documented; where the text of an error is not, it is this server's own.
"""

from collections.abc import Mapping
from typing import Any

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._protocols.checks import INVALID_URL, MAX_DATA_URI_BYTES
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
    _check_counts(request)
    for image in request.values_of("image"):
        _check_size(image, request.model.max_image_data_uri_bytes)
    for video in request.values_of("video"):
        _check_video(request, video)
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
    files = [part for part in message["content"] if isinstance(part.get("video"), str)]
    if model.max_videos is not None and len(files) > model.max_videos:
        msg = f"The model `{request.name}` takes {model.max_videos} video per message."
        raise invalid_parameter(msg)
    if not model.mixes and len(set(kinds) - {"text"}) > 1:
        msg = f"The model `{request.name}` takes text and one other modality per message."
        raise invalid_parameter(msg)


def _check_counts(request: ModelRequest) -> None:
    model = request.model
    for kind, max_inline, max_by_url in (
        ("audio", model.max_inline_clips, model.max_url_clips),
        ("image", model.max_inline_images, model.max_url_images),
        ("video", model.max_inline_videos, model.max_url_videos),
    ):
        files = [value for value in request.values_of(kind) if isinstance(value, str)]
        inline = sum(value.startswith("data:") for value in files)
        for what, count, limit in (
            ("in base64", inline, max_inline),
            ("at URLs", len(files) - inline, max_by_url),
        ):
            if limit is not None and count > limit:
                msg = f"The model `{request.name}` takes {limit} {kind} {what} per request."
                raise invalid_parameter(msg)


def _check_video(request: ModelRequest, video: object) -> None:
    """Check a video: the URL of a file, or a list of those of images."""
    model = request.model
    if not isinstance(video, list):
        _check_size(video, MAX_DATA_URI_BYTES)
        return
    if model.frames is not None and not model.frames[0] <= len(video) <= model.frames[1]:
        # The service's own words.
        msg = (
            "The video modality input does not meet the requirements because: the range of "
            f"sequence images shoule be {model.frames}."
        )
        raise invalid_parameter(msg)
    for frame in video:
        _check_size(frame, model.max_image_data_uri_bytes)


def _check_size(url: object, max_bytes: int | None) -> None:
    if not isinstance(url, str):
        raise invalid_parameter(INVALID_URL)
    if max_bytes is not None and url.startswith("data:") and len(url) > max_bytes:
        msg = f"Exceeded limit on max bytes per data-uri item : {max_bytes}"
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
