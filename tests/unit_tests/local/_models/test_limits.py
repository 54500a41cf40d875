"""What one model refuses and another takes."""

from typing import Any

import pytest

from langchain_qwen_audio.local import LocalDashScope, Reply
from tests.unit_tests.local._client import (
    ASR,
    CAPTIONER,
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    assert_chat_refused,
    assert_chunks,
    assert_refused,
    assistant,
    assistant_text,
    chat,
    clip,
    data_uri,
    generate,
    message_of,
    text,
    text_of,
    user,
    wav,
)

STREAM_ONLY = (
    "This model only support stream mode, please enable the stream parameter to access the model."
)
AUDIO = clip(data_uri(wav(0.1)))
AT_URL = clip("https://example.com/a.mp3")
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
SYSTEM = {"role": "system", "content": "Be brief."}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
SPEECH = {"modalities": ["text", "audio"], "stream": True}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "content": "3", "tool_call_id": "c1"}


def frames(count: int) -> dict[str, Any]:
    return {"type": "video", "video": ["https://example.com/a.png"] * count}


def image_at(url: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def video_at(url: str) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}}


def frames_refused(model_takes: str) -> str:
    return (
        "The video modality input does not meet the requirements because: the range of sequence "
        f"images shoule be {model_takes}."
    )


LARGE = "A" * 10_485_760
TOO_LARGE = "Exceeded limit on max bytes per data-uri item : 10485760"


def assert_invalid(response: Any, message: str) -> None:
    assert_chat_refused(response, 400, "invalid_parameter_error", message)


def not_supported(model: str, what: str) -> str:
    return f"The model `{model}` does not support {what}."


# name: the model, the messages, the other fields, and the error
MODELS: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "turbo without a stream": (OMNI_TURBO, [], {}, STREAM_ONLY),
    "3 without a stream": (OMNI_3, [], {"stream": False}, STREAM_ONLY),
    "3.5 without a stream": (OMNI_35, [], {}, STREAM_ONLY),
    "speech without a stream": (
        OMNI_35,
        [],
        {"modalities": ["text", "audio"]},
        "'audio' output only support with stream=true",
    ),
    "speech of a model without it": (
        OMNI_38,
        [],
        SPEECH,
        not_supported(OMNI_38, "'audio' output"),
    ),
    "speech of speech recognition": (
        ASR,
        [user(AUDIO)],
        SPEECH,
        not_supported(ASR, "'audio' output"),
    ),
    "a voice that turbo does not have": (
        OMNI_TURBO,
        [],
        {**SPEECH, "audio": {"voice": "Tina", "format": "wav"}},
        "Input should be 'Cherry', 'Serena', 'Ethan' or 'Chelsie': parameters.audio.voice",
    ),
    "speech in another format": (
        OMNI_3,
        [],
        {**SPEECH, "audio": {"voice": "Tina", "format": "mp3"}},
        "Input should be 'wav': parameters.audio.format",
    ),
    "speech of turbo after a system message": (
        OMNI_TURBO,
        [SYSTEM, user(AUDIO)],
        SPEECH,
        "'audio' output is not supported with a system message.",
    ),
    "speech with thinking": (
        OMNI_3,
        [],
        {**SPEECH, "enable_thinking": True},
        "'audio' output is not supported when enable_thinking is true.",
    ),
    "speech with tools": (
        OMNI_35,
        [],
        {**SPEECH, "tools": [TOOL]},
        "'audio' output is not supported with tools.",
    ),
    "tools of turbo": (
        OMNI_TURBO,
        [],
        {"stream": True, "tools": [TOOL]},
        not_supported(OMNI_TURBO, "tools"),
    ),
    "tools of the captioner": (
        CAPTIONER,
        [user(AUDIO)],
        {"tools": [TOOL]},
        not_supported(CAPTIONER, "tools"),
    ),
    "too many clips in base64": (
        OMNI_38,
        [user(*[AUDIO] * 251)],
        {},
        f"The model `{OMNI_38}` takes 250 audio in base64 per request.",
    ),
    "too many clips at URLs, over two messages": (
        OMNI_38,
        [user(*[AT_URL] * 2_000), assistant_text("Hi"), user(*[AT_URL] * 49)],
        {},
        f"The model `{OMNI_38}` takes 2048 audio at URLs per request.",
    ),
    "two clips for turbo": (
        OMNI_TURBO,
        [user(AUDIO, AUDIO)],
        {"stream": True},
        f"The model `{OMNI_TURBO}` takes 1 audio per message.",
    ),
    "two clips for 3": (
        OMNI_3,
        [user(AUDIO, text("?"), AUDIO)],
        {"stream": True},
        f"The model `{OMNI_3}` takes 1 audio per message.",
    ),
    "an image and audio for turbo": (
        OMNI_TURBO,
        [user(AUDIO, IMAGE)],
        {"stream": True},
        f"The model `{OMNI_TURBO}` takes text and one other modality per message.",
    ),
    "3 frames for turbo": (
        OMNI_TURBO,
        [user(frames(3))],
        {"stream": True},
        frames_refused("(4, 80)"),
    ),
    "129 frames for 3": (OMNI_3, [user(frames(129))], {"stream": True}, frames_refused("(2, 128)")),
    "1 frame for 3.8": (OMNI_38, [user(frames(1))], {}, frames_refused("(2, 2048)")),
    "two videos for 3": (
        OMNI_3,
        [user(VIDEO, VIDEO)],
        {"stream": True},
        f"The model `{OMNI_3}` takes 1 video per message.",
    ),
    "65 videos for 3.8": (
        OMNI_38,
        [user(*[VIDEO] * 65)],
        {},
        f"The model `{OMNI_38}` takes 64 video per message.",
    ),
    "513 videos for 3.5": (
        OMNI_35,
        [user(*[VIDEO] * 513)],
        {"stream": True},
        f"The model `{OMNI_35}` takes 512 video at URLs per request.",
    ),
    "251 images in base64": (
        OMNI_38,
        [user(*[image_at("data:image/png;base64,AAAA")] * 251)],
        {},
        f"The model `{OMNI_38}` takes 250 image in base64 per request.",
    ),
    "a large video": (OMNI_38, [user(video_at(f"data:;base64,{LARGE}"))], {}, TOO_LARGE),
    "a large image for 3": (
        OMNI_3,
        [user(image_at(f"data:image/png;base64,{LARGE}"))],
        {"stream": True},
        TOO_LARGE,
    ),
    "a large frame for 3": (
        OMNI_3,
        [user({"type": "video", "video": [f"data:image/png;base64,{LARGE}"] * 2})],
        {"stream": True},
        TOO_LARGE,
    ),
    "a video and audio for turbo": (
        OMNI_TURBO,
        [user(AUDIO, VIDEO)],
        {"stream": True},
        f"The model `{OMNI_TURBO}` takes text and one other modality per message.",
    ),
    "a video for speech recognition": (
        ASR,
        [user(VIDEO)],
        {},
        "The dedicated task `asr` does not support this input.",
    ),
    "an image and audio for 3": (
        OMNI_3,
        [user(AUDIO, IMAGE, text("?"))],
        {"stream": True},
        f"The model `{OMNI_3}` takes text and one other modality per message.",
    ),
}


def test_what_is_refused(server: LocalDashScope) -> None:
    for model, messages, fields, message in MODELS.values():
        assert_invalid(chat(server, *messages, model=model, **fields), message)


# name: the model, the messages and the other fields
TAKEN: dict[str, tuple[str, list[Any], dict[str, Any]]] = {
    "a clip in each of two messages": (
        OMNI_3,
        [user(AUDIO), assistant_text("Hi"), user(AUDIO)],
        {},
    ),
    "an image after a clip": (OMNI_TURBO, [user(AUDIO), assistant_text("Hi"), user(IMAGE)], {}),
    "many clips and an image": (OMNI_35, [user(AUDIO, IMAGE, AUDIO, text("?"))], {}),
    "videos of 3.8": (OMNI_38, [user(*[VIDEO] * 64, frames(2), frames(2048), AUDIO)], {}),
    "a large image of 3.8": (OMNI_38, [user(image_at(f"data:image/png;base64,{LARGE}"))], {}),
    "80 frames for turbo": (OMNI_TURBO, [user(frames(80), text("?"))], {}),
    "speech of 3 after a system message": (OMNI_3, [SYSTEM, user(AUDIO)], SPEECH),
    "a system message for turbo": (OMNI_TURBO, [SYSTEM, user(AUDIO)], {}),
    "a voice that turbo has": (OMNI_TURBO, [], {**SPEECH, "audio": {"voice": "Ethan"}}),
    "any voice": (OMNI_35, [], {**SPEECH, "audio": {"voice": "Any", "format": "wav"}}),
    "thinking of one that cannot": (OMNI_TURBO, [], {"enable_thinking": True}),
    "a call without tools": (OMNI_38, [user(text("Hi")), CALLING, RESULT], {}),
    "a stream of any": (CAPTIONER, [user(AUDIO)], {}),
}


def test_what_is_taken(server: LocalDashScope) -> None:
    for model, messages, fields in TAKEN.values():
        server.script(Reply("ok"))
        assert_chunks(chat(server, *messages, model=model, **{"stream": True, **fields}))


# --- the two that take one clip and nothing else ---

NATIVE_AUDIO = {"audio": data_uri(wav(0.1))}
UNSUPPORTED = "The dedicated task `asr` does not support this input."
ONE_CLIP = f"The model `{CAPTIONER}` takes one audio, no text and no history."
CONTEXT = {"role": "system", "content": [{"text": "Hot words: studio"}]}

# name: the messages
TOO_MUCH: dict[str, list[dict[str, Any]]] = {
    "text": [user(NATIVE_AUDIO, {"text": "What is said?"})],
    "text alone": [user({"text": "What is said?"})],
    "two clips": [user(NATIVE_AUDIO), user(NATIVE_AUDIO)],
    "history": [user(NATIVE_AUDIO), assistant("Hello"), user(NATIVE_AUDIO)],
    "an image": [user(NATIVE_AUDIO, {"image": "https://example.com/a.png"})],
    "nothing": [user()],
    "audio in the context": [{"role": "system", "content": [NATIVE_AUDIO]}, user(NATIVE_AUDIO)],
    "a context that comes after": [user(NATIVE_AUDIO), CONTEXT, user(NATIVE_AUDIO)],
}


@pytest.mark.parametrize(("model", "message"), [(ASR, UNSUPPORTED), (CAPTIONER, ONE_CLIP)])
def test_they_take_one_clip_alone(server: LocalDashScope, model: str, message: str) -> None:
    for messages in TOO_MUCH.values():
        refused = generate(server, *messages, model=model)
        assert_refused(refused, 400, "InvalidParameter", message)


@pytest.mark.parametrize("part", [{"image": "https://h/a.png"}, {"video": "https://h/a.mp4"}])
def test_qwen_audio_takes_text_and_audio_alone(
    server: LocalDashScope, part: dict[str, Any]
) -> None:
    refused = generate(server, user(part), model="qwen-audio-turbo")
    message = "The model `qwen-audio-turbo` does not support this input."
    assert_refused(refused, 400, "InvalidParameter", message)


@pytest.mark.parametrize("model", [ASR, CAPTIONER])
def test_they_take_one_clip_a_message(server: LocalDashScope, model: str) -> None:
    refused = generate(server, user(NATIVE_AUDIO, NATIVE_AUDIO), model=model)
    message = f"The model `{model}` takes 1 audio per message."
    assert_refused(refused, 400, "InvalidParameter", message)


def test_a_system_message_is_taken(server: LocalDashScope) -> None:
    for model in (ASR, CAPTIONER):
        server.script("ok", "ok")
        assert text_of(generate(server, CONTEXT, user(NATIVE_AUDIO), model=model)) == "ok"
        system = {"role": "system", "content": "Hot words: studio"}
        assert message_of(chat(server, system, user(AUDIO), model=model))["content"] == "ok"


ASR_OPTIONS: list[tuple[Any, str]] = [
    ([1], "asr_options should be an object of language, enable_itn, enable_lid"),
    ({"lang": "en"}, "asr_options should be an object of language, enable_itn, enable_lid"),
    ({"language": "tlh"}, "Unsupported language: tlh: asr_options.language"),
    ({"language": ["en"]}, "Input should be a valid str: asr_options.language"),
    ({"enable_itn": "yes"}, "Input should be a valid bool: asr_options.enable_itn"),
]


@pytest.mark.parametrize(("options", "message"), ASR_OPTIONS)
def test_asr_options_are_checked(server: LocalDashScope, options: Any, message: str) -> None:
    refused = generate(server, user(NATIVE_AUDIO), model=ASR, asr_options=options)
    assert_refused(refused, 400, "InvalidParameter", message)
    refused = chat(server, user(AUDIO), model=ASR, asr_options=options)
    assert_chat_refused(refused, 400, "invalid_parameter_error", message)


def test_recognition_takes_no_text_by_the_compatible_path(server: LocalDashScope) -> None:
    assert_invalid(chat(server, user(AUDIO, text("What is said?")), model=ASR), UNSUPPORTED)


def test_asr_options_mean_nothing_to_others(server: LocalDashScope) -> None:
    server.script("ok")
    assert message_of(chat(server, model=OMNI_38, asr_options=[1]))["content"] == "ok"
