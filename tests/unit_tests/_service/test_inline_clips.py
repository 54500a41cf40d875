"""Clips that are put into a body when it is JSON: the same bytes, with no look at each of them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._protocols.openai import OpenAIProtocol
from langchain_qwen_audio._protocols.recognition import RecognitionProtocol
from langchain_qwen_audio._request.parts import InlineAudioPart, RequestMessage, TextPart
from langchain_qwen_audio._service.inline_clips import InlineClips
from langchain_qwen_audio._service.json_body import JsonBody
from tests.unit_tests.rows import each_row

if TYPE_CHECKING:
    from langchain_qwen_audio._protocols.base import WireProtocol
    from langchain_qwen_audio._request.parts import SentPart

TEXT = TextPart('What does he say: "no.", 3.5 or \\? 谁')
FIRST, SECOND = InlineAudioPart("audio/wav", "UklGRg=="), InlineAudioPart("audio/mpeg", "//uQxAAA")
PROTOCOLS = [NativeProtocol(), OpenAIProtocol(), OpenAIProtocol("input_audio_raw")]
CONVERSATIONS: dict[str, list[list[SentPart]]] = {
    "no clip": [[TEXT]],
    "one": [[FIRST, TEXT]],
    "several": [[TEXT, FIRST, SECOND], [TEXT], [SECOND, FIRST, FIRST, TEXT]],
    "an empty one": [[InlineAudioPart("audio/wav", ""), TEXT]],
}


def write(protocol: WireProtocol, contents: list[list[SentPart]], clips: InlineClips) -> Any:
    messages = [RequestMessage("user", content) for content in contents]
    return protocol.write("m", clips.mark(messages), {}, stream=False)


@each_row("contents", CONVERSATIONS)
@each_row("protocol", PROTOCOLS)
def test_the_bytes_are_those_of_the_whole_body(
    protocol: WireProtocol, contents: list[list[SentPart]]
) -> None:
    messages = [RequestMessage("user", content) for content in contents]
    expected = JsonBody(protocol.write("m", messages, {}, stream=False)).content
    clips = InlineClips()
    written = clips.put_into(write(protocol, contents, clips)).content
    assert written == expected
    json.loads(written)


def test_recognition_is_told_the_format_of_a_clip() -> None:
    clips = InlineClips()
    written = clips.put_into(write(RecognitionProtocol(), [[SECOND]], clips)).content
    assert b"data:audio/mpeg;base64,//uQxAAA" in written
    assert b'"format":"mp3"' in written


def test_a_clip_is_copied_and_not_looked_through() -> None:
    clips, odd = InlineClips(), InlineAudioPart("audio/wav", '"')  # which is no base64
    written = clips.put_into(write(NativeProtocol(), [[odd, TEXT]], clips)).content
    assert b'"data:audio/wav;base64,""' in written


def test_a_text_cannot_name_a_clip() -> None:
    first = InlineClips()
    (part,) = write(NativeProtocol(), [[FIRST]], first)["input"]["messages"][0]["content"]
    mark = re.sub("data:.*,", "", part["audio"])
    second = InlineClips()
    body = write(NativeProtocol(), [[TextPart(mark), SECOND]], second)
    assert mark.encode() in second.put_into(body).content


def test_messages_are_not_changed() -> None:
    message: RequestMessage[SentPart] = RequestMessage("user", [FIRST, TEXT])
    InlineClips().mark([message])
    assert message.content == [FIRST, TEXT]
