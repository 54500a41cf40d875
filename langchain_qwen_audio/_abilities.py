"""What is asked, against what the model can take: refused here, with the reason.

Pure. What the service would refuse, or ignore without a word, does not leave the machine.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from langchain_qwen_audio._blocks import Element
    from langchain_qwen_audio._encode import WireMessage
    from langchain_qwen_audio._profiles import Profile


def check_messages(
    model: str, profile: Profile, messages: Sequence[WireMessage], *, speaks: bool
) -> None:
    """Require that a model can take encoded messages.

    Args:
        model: Its name.
        profile: What it takes.
        messages: The conversation.
        speaks: It is asked to answer with speech.

    Raises:
        MessageError: It cannot.
    """
    from langchain_qwen_audio.errors import MessageError

    for index, message in enumerate(messages):
        for reason in _message_refusals(profile, message, speaks=speaks):
            raise MessageError(f"messages[{index}]: {model} {reason}")
    for reason in _conversation_refusals(profile, messages):
        raise MessageError(f"{model} {reason}")


def check_parameters(model: str, profile: Profile, parameters: Mapping[str, Any]) -> None:
    """Require that a model can take parameters.

    Raises:
        InvalidRequestError: It cannot.
    """
    for reason in _parameter_refusals(profile, parameters):
        from langchain_qwen_audio.errors import InvalidRequestError

        raise InvalidRequestError(f"{model} {reason}")


def asks_for_speech(parameters: Mapping[str, Any]) -> bool:
    """Tell whether the answer is to be spoken."""
    return "audio" in (parameters.get("modalities") or ())


def _message_refusals(profile: Profile, message: WireMessage, *, speaks: bool) -> Iterator[str]:
    role, content = message["role"], message["content"]
    if role == "user" and not profile.text and any(element.get("text") for element in content):
        yield _no_text(profile)
    if role == "system" and not profile.system:
        yield "takes no system message: it captions what it hears, whatever else is said"
    if role == "system" and speaks and not profile.system_while_speaking:
        yield "takes no system message when it speaks: put what it says into the user's message"
    if role not in {"user", "system"} and not profile.history:
        yield "takes one recording and no conversation: ask about each recording by itself"
    images, clips = _count(content, "image"), _count(content, "audio")
    if images and clips and not profile.mixes:
        yield "takes text and one other kind of content in a message: send the image by itself"
    if profile.max_clips is not None and clips > profile.max_clips:
        yield f"takes {profile.max_clips} recording a message, and {clips} came"


def _no_text(profile: Profile) -> str:
    if profile.system:
        return (
            "takes a recording and no text from users: what helps to transcribe it (names, terms) "
            "goes into a system message"
        )
    return "takes a recording and no text: it captions what it hears"


def _conversation_refusals(profile: Profile, messages: Sequence[WireMessage]) -> Iterator[str]:
    if profile.text:
        return
    users = [message for message in messages if message["role"] == "user"]
    if len(users) != 1:
        yield f"takes one message with a recording, and {len(users)} user messages came"
    elif not _count(users[0]["content"], "audio"):
        yield "takes one recording, and none came"


def _parameter_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    for name, value in parameters.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield f"takes numbers, and {name} is {value}"
    if not profile.text and (parameters.get("tools") or parameters.get("json_prompt")):
        yield "takes no instructions: it calls no tools and writes no JSON"
    if parameters.get("response_format") and profile.json_mode is False:
        yield "has no response_format; with_structured_output(…) asks for JSON in the prompt"
    if parameters.get("asr_options") and not profile.transcribes:
        yield "takes no asr_options: they are for qwen3-asr-flash"
    if parameters.get("enable_thinking") and profile.thinking is None:
        yield "cannot think (enable_thinking): qwen3-omni-flash and qwen3.8-omni-flash can"
    if parameters.get("enable_thinking") and _forces(parameters.get("tool_choice")):
        yield "cannot be made to call a tool while it thinks: leave tool_choice or enable_thinking"
    if asks_for_speech(parameters):
        yield from _speech_refusals(profile, parameters)


def _speech_refusals(profile: Profile, parameters: Mapping[str, Any]) -> Iterator[str]:
    voice = (parameters.get("audio") or {}).get("voice")
    if not profile.voice:
        yield "cannot speak (modalities): qwen3.5-omni-flash and qwen3.5-omni-plus can"
    if profile.voices and voice not in profile.voices:
        yield f"has no voice {voice!r}; it has {', '.join(profile.voices)}"
    if parameters.get("tools"):
        yield "calls no tools when it speaks: leave modalities out, or the tools"
    if parameters.get("enable_thinking"):
        yield "does not think when it speaks: leave modalities out, or enable_thinking"


def _forces(choice: object) -> bool:
    return choice not in {None, "auto", "none"} if isinstance(choice, str | None) else True


def _count(content: Iterable[Element], kind: str) -> int:
    return sum(kind in element for element in content)
