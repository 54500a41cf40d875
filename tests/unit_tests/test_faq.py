"""Each error message that the FAQ quotes is really raised by the package."""

from __future__ import annotations

import re
from array import array
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio, Transcript
from langchain_qwen_audio.local import (
    RESET,
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
    sse_event,
)

from .test_docs import ROOT, SAMPLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio.local import Scripted

PAGE = (ROOT / "docs/faq.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^### `(.*)`$", PAGE, re.MULTILINE)
ASR, OMNI, TURBO = "qwen3-asr-flash", "qwen3.5-omni-flash", "qwen-audio-turbo-latest"
BEGUN = sse_event(
    {
        "output": {
            "choices": [
                {
                    "message": {"role": "assistant", "content": [{"text": "It"}]},
                    "finish_reason": "null",
                }
            ]
        }
    },
    1,
)


def recorded(audio: Audio) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [audio.to_block()]}]


def silence(length_s: int) -> Audio:
    return Audio.from_array(array("h", bytes(2 * 8000 * length_s)), 8000)


def model(server: LocalDashScope, name: str = OMNI, **fields: Any) -> ChatQwenAudio:
    fields = {"base_url": server.base_url, "api_key": "local", "max_retries": 0} | fields
    return ChatQwenAudio(model=name, **fields)


def refused(status: int, code: str, message: str = "No.") -> Callable[[LocalDashScope], Any]:
    return answered(error_reply(status, code, message))


def answered(reply: Scripted) -> Callable[[LocalDashScope], Any]:
    def send(server: LocalDashScope) -> None:
        server.script(reply)
        list(model(server, ASR).stream(recorded(Audio.from_path(SAMPLE))))

    return send


def invoked(content: Any, name: str = OMNI, **fields: Any) -> Callable[[LocalDashScope], Any]:
    return lambda server: model(server, name, **fields).invoke(content)


def unanswered(server: LocalDashScope) -> None:
    server.script(Reply("late", delay_s=60))
    model(server, timeout=0.05).invoke(TEXT)


def unreachable(server: LocalDashScope) -> None:
    server.stop()
    model(server).invoke(TEXT)


TEXT = [{"role": "user", "content": "?"}]
CAUSES: dict[str, Callable[[LocalDashScope], Any]] = {
    "no API key: set the environment variable DASHSCOPE_API_KEY": invoked(TEXT, api_key=""),
    "the API key holds white space": invoked(TEXT, api_key="sk 1"),
    "check the key; a key belongs to one region": refused(401, "InvalidApiKey"),
    "has no shared host: pass workspace=… as well": invoked(
        TEXT, base_url=None, region="eu-central-1"
    ),
    "ask the owner of the workspace for access to this model": refused(403, "Model.AccessDenied"),
    "activate Model Studio for the account": refused(403, "AccessDenied.Unpurchased"),
    "pay the bill of the account": refused(400, "Arrearage"),
    "the free quota is used up": refused(403, "AllocationQuota.FreeTierOnly"),
    "is retired; its successor is": invoked(TEXT, "qwen-audio-chat"),
    "check the name, and that the model is offered in this region": refused(404, "ModelNotFound"),
    "which this package has no class for": invoked(TEXT, "qwen-mt-plus"),
    "has no speech output": invoked(TEXT, "qwen3.8-omni-flash", modalities=["text", "audio"]),
    "takes a recording and no text from users": invoked(TEXT, ASR),
    "it calls no tools and writes no JSON": lambda server: (
        model(server, ASR).with_structured_output(Transcript).invoke(recorded(silence(1)))
    ),
    "it cannot be read ([Errno 2] No such file or directory": lambda _: Audio.from_path("no.wav"),
    "a URL came, expected a path": lambda _: Audio.from_path("https://example.com/a.wav"),
    "it is JSON, perhaps an error that a server answered with": lambda _: Audio.from_bytes(
        b'{"error": 1}'
    ).to_block(),
    "it is a later piece of a recording": lambda _: Audio.from_bytes(
        b"\x1f\x43\xb6\x75" + bytes(200)
    ).to_block(),
    "it is a SILK voice message": lambda _: Audio.from_bytes(b"\x02#!SILK_V3").to_block(),
    "one request holds at most": invoked(recorded(silence(300)), TURBO),
    "the model takes 1 recording of at most": invoked(recorded(silence(400)), ASR),
    "The audio is too long: send it in parts": refused(
        400, "InvalidParameter", "The audio is too long"
    ),
    "the service must be able to fetch the URL": refused(
        400, "InvalidParameter", "Failed to download multimodal content"
    ),
    "files that messages name are not read": invoked(
        [{"role": "user", "content": [{"type": "audio", "url": "file:///a.wav"}]}]
    ),
    "has no times, which subtitles need": lambda _: Transcript.model_validate(
        {"text": "a", "sentences": [{"text": "a"}]}
    ).to_srt(),
    "a message came with no audio in it": lambda server: Audio.from_message(
        model(server).invoke(TEXT)
    ),
    "the last message is an assistant's": invoked([("user", "a"), ("ai", "b")]),
    "a block of type": invoked([{"role": "user", "content": [{"type": "document"}]}]),
    "moderation refuses the input or the output": refused(400, "DataInspectionFailed"),
    "send fewer requests at once": refused(429, "Throttling.RateQuota"),
    "no connection": unreachable,
    "no whole reply within": unanswered,
    "the connection broke": answered(
        RawReply(headers={"content-type": "text/event-stream"}, steps=(BEGUN, RESET))
    ),
    "An internal error has occured": refused(
        500, "InternalError", "An internal error has occured, please try again later"
    ),
}


def test_each_message_that_is_quoted_has_a_cause_here() -> None:
    assert sorted(QUOTED) == sorted(CAUSES)


@pytest.mark.parametrize("quoted", CAUSES)
def test_the_quoted_message_is_raised(
    quoted: str, server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL", "DASHSCOPE_REGION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Exception, match=re.escape(quoted)):
        CAUSES[quoted](server)
