"""What a notebook shows of messages: bubbles with text, players and calls, and all of it inert."""

from __future__ import annotations

import base64
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool

from langchain_qwen_audio import Audio, show_messages
from langchain_qwen_audio._notebook import conversation
from tests.unit_tests._notebook.pages import page_of, played, text_of
from tests.unit_tests._request.test_messages import BLOCK_FORMATS
from tests.unit_tests.recordings import DATA, decode_all, tone

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPEECH = Audio.from_path(DATA / "speech.wav")
HI = "What is <said> &\n  here?"
FORMS: dict[str, Any] = {
    "str": HI,
    "message": HumanMessage(HI),
    "messages": [HumanMessage(HI)],
    "tuples": [("user", HI)],
    "dicts": [{"role": "user", "content": HI}],
    "one dict": {"role": "user", "content": HI},
    "strings": [HI],
    "blocks": [HumanMessage([{"type": "text", "text": HI}])],
    "iterator": iter([HumanMessage(HI)]),
    "prompt": ChatPromptTemplate([("user", "{hi}")]).invoke({"hi": HI}),
    "an agent's state": {"messages": [HumanMessage(HI)], "remaining_steps": 3},
}


def test_whatever_a_model_takes_is_shown() -> None:
    for name, messages in FORMS.items():
        shown = show_messages(messages, title="A <call>")
        page = page_of(shown)
        assert text_of(page) == f"A <call>user{HI}", name
        assert "white-space:pre-wrap" in page.findall(".//div")[-1].attrib["style"], name
        assert repr(shown) == f"A <call>\nuser: {HI}", name


ROLES = {
    "user": HumanMessage("x", name="Ann"),
    "assistant": AIMessage("x", name="Ann"),
    "assistant, in pieces": AIMessageChunk(content="x", name="Ann"),
    "system": SystemMessage("x", name="Ann"),
    "tool": ToolMessage("x", tool_call_id="call_1", name="Ann"),
    "tool, of old": FunctionMessage(content="x", name="Ann"),
    "critic": ChatMessage(content="x", role="critic", name="Ann"),
    "remove": RemoveMessage("1", name="Ann"),
}


def test_bubbles_say_whose_they_are() -> None:
    for role_name, message in ROLES.items():
        (article,) = page_of(show_messages([message])).iter("article")
        role = role_name.partition(",")[0]
        assert article.attrib["aria-label"].startswith(f"{role} · Ann")
        side = "flex-end" if role == "user" else "flex-start"
        assert f"align-self:{side}" in article.attrib["style"], role_name


@pytest.mark.parametrize("message", [HumanMessage, AIMessage, SystemMessage])
def test_audio_of_every_format_is_played_if_it_is_here(message: Callable[..., Any]) -> None:
    for name, (block, expected) in BLOCK_FORMATS.items():
        page = page_of(show_messages([message([{"type": "text", "text": "Audio:"}, block])]))
        assert "Audio:" in text_of(page), name
        is_here = expected.startswith("data:")
        assert len(played(page)) == is_here, name
        assert (f"audio at {expected} (not loaded here)" in text_of(page)) != is_here, name


@tool
def record() -> list[Any]:
    """Record."""
    return [{"type": "text", "text": "Kitchen:"}, SPEECH.to_block()]


@tool
def replay() -> dict[str, Any]:
    """Replay."""
    return SPEECH.to_block()


@tool
def load() -> list[Any]:
    """Load."""
    return [{"type": "text", "text": "Kitchen:"}, {**SPEECH.to_block(), "type": "file"}]


@pytest.mark.parametrize("from_tool", [record, replay, load], ids=lambda it: it.name)
def test_audio_from_a_tool_is_played(from_tool: Any) -> None:
    call = {"type": "tool_call", "id": "call_1", "name": from_tool.name, "args": {}}
    page = page_of(show_messages([from_tool.invoke(call)]))
    assert played(page) == [("audio/wav", SPEECH.data)]
    assert "base64" not in text_of(page)


def test_json_from_a_tool_that_is_no_audio_stays_text() -> None:
    for text in ("[", "{", "[]", "{}", "[1, {}]", '[{"type": "text"}]', "[" * 9_999):
        page = page_of(show_messages([ToolMessage(text, tool_call_id="1")]))
        assert text_of(page).endswith(text)


def test_an_answer_that_speaks_is_played_while_it_streams() -> None:
    # Its header does not say how long it is.
    wav_so_far = (
        b"RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\x01\0\x01\0\xc0\x5d\0\0\x80\xbb\0\0\x02\0\x10\0"
    )
    wav_so_far += b"data\xff\xff\xff\xff" + tone(0.5, 24_000).tobytes()
    block = {"type": "audio", "base64": base64.b64encode(wav_so_far).decode(), "index": 1}
    ((_, data),) = played(page_of(show_messages(AIMessageChunk(content=[block]))))
    assert decode_all(data).seconds == pytest.approx(0.5)


@pytest.mark.parametrize("scheme", ["file", "http", "https", "oss"])
def test_nothing_that_is_only_named_is_loaded(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> Audio:
        raise AssertionError("something was loaded")

    monkeypatch.setattr(Audio, "from_path", refuse)
    monkeypatch.setattr(Audio, "from_url", refuse)
    path = tmp_path / "secret.wav"
    path.write_bytes(SPEECH.data)
    url = path.as_uri() if scheme == "file" else f"{scheme}://example.com/<a>.wav"
    for kind in ("audio", "file", "image"):
        mime_type = "image/png" if kind == "image" else "audio/wav"
        block = {"type": kind, "url": url, "mime_type": mime_type}
        page = page_of(show_messages([HumanMessage([block]), AIMessage([block])]))
        assert text_of(page).count(url) == 2, kind
        assert [*page.iter("audio"), *page.iter("img")] == [], kind


PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL"
    "0Y4OHwAAAABJRU5ErkJggg=="
)
SVG_IMAGE = base64.b64encode(
    b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
).decode()
IMAGES: dict[str, tuple[dict[str, Any], bool]] = {
    "openai": ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, True),
    "v1": ({"type": "image", "base64": PNG, "mime_type": "image/png"}, True),
    "dashscope": ({"image": f"data:image/png;base64,{PNG}"}, True),
    "url": ({"type": "image", "url": "https://example.com/a.png"}, False),
    "svg": ({"type": "image", "base64": SVG_IMAGE, "mime_type": "image/svg+xml"}, False),
    "svg in a URI": ({"type": "image", "url": f"data:image/svg+xml;base64,{SVG_IMAGE}"}, False),
    "markup as type": ({"type": "image", "base64": "AAAA", "mime_type": 'image/png" x="'}, False),
    "markup as data": ({"type": "image", "url": 'data:image/png;base64,AA" onerror="1'}, False),
    "script": ({"type": "image", "url": "javascript:alert(1)"}, False),
    "file": ({"type": "image", "url": "file:///etc/hostname"}, False),
}


def test_images_are_shown_from_data_and_otherwise_named() -> None:
    for name, (block, seen) in IMAGES.items():
        page = page_of(show_messages([HumanMessage([block])]))
        shown = [image.attrib["src"] for image in page.iter("img")]
        assert shown == ([f"data:image/png;base64,{PNG}"] if seen else []), name
        assert seen or "image" in text_of(page), name


def test_an_image_too_large_for_a_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "MAX_PLAYER_BYTES", 100)
    page = page_of(show_messages([HumanMessage([IMAGES["v1"][0]])]))
    assert not list(page.iter("img"))
    assert "image at data:image/png" in text_of(page)


CALL = {"name": "load_audio", "args": {"audio": "a.mp3", "start_s": 1.5, "ü": None}, "id": "call_1"}


def test_tool_calls_are_readable() -> None:
    page = page_of(show_messages([AIMessage("", tool_calls=[CALL])]))
    (details,) = page.iter("details")
    assert "open" in details.attrib
    assert details[0].text == "Calls load_audio · call_1"
    assert json.loads(details[1].text or "") == CALL["args"]
    assert "\n  " in (details[1].text or "")
    assert "ü" in (details[1].text or "")


CALLS: dict[str, AIMessage] = {
    "standard block": AIMessage([{"type": "tool_call", **CALL}], tool_calls=[CALL]),
    "anthropic": AIMessage(
        [{"type": "tool_use", "id": "call_1", "name": "load_audio", "input": CALL["args"]}],
        tool_calls=[CALL],
    ),
    "block alone": AIMessage([{"type": "tool_call", **CALL}]),
    "chunk": AIMessageChunk(
        content="",
        tool_call_chunks=[{"name": "load_audio", "args": "{", "id": "call_1", "index": 0}],
    ),
    "v1": AIMessage([{"type": "tool_call", **CALL}], response_metadata={"output_version": "v1"}),
    "openai": AIMessage(
        [{"type": "text", "text": ""}],
        tool_calls=[CALL],
        response_metadata={"model_provider": "openai"},
    ),
}


def test_a_tool_call_is_shown_once() -> None:
    pages = {name: text_of(page_of(show_messages([it]))) for name, it in CALLS.items()}
    shown = {name: text.count("load_audio · call_1") for name, text in pages.items()}
    assert shown == dict.fromkeys(CALLS, 1)


def test_calls_and_tools_that_failed_say_so() -> None:
    invalid = {
        "type": "invalid_tool_call",
        "name": "call_model",
        "args": "{bro<ken",
        "id": "c",
        "error": "no JSON",
    }
    page = page_of(
        show_messages(
            [
                AIMessage("", invalid_tool_calls=[invalid]),
                ToolMessage("no such file", tool_call_id="c", status="error"),
            ]
        )
    )
    assert "Calls call_model · c: ⚠ no JSON{bro<ken" in text_of(page)
    assert "⚠ the tool failedno such file" in text_of(page)


REASONING: dict[str, AIMessage] = {
    "dashscope": AIMessage("Yes.", additional_kwargs={"reasoning_content": "Hm."}),
    "dashscope, with blocks": AIMessage(
        [{"type": "text", "text": "Yes."}], additional_kwargs={"reasoning_content": "Hm."}
    ),
    "standard": AIMessage(
        [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": "Yes."}]
    ),
    "anthropic": AIMessage(
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Yes."}]
    ),
}


def test_reasoning_is_folded_and_comes_first() -> None:
    for name, message in REASONING.items():
        page = page_of(show_messages([message]))
        (details,) = page.iter("details")
        assert "open" not in details.attrib, name
        assert text_of(page) == "assistantReasoningHm.Yes.", name


def test_usage_and_model_are_shown() -> None:
    answer = AIMessage(
        "Yes.",
        usage_metadata={
            "input_tokens": 118,
            "output_tokens": 20,
            "total_tokens": 138,
            "input_token_details": {"audio": 85},
        },
        response_metadata={"model_name": "qwen-audio-turbo"},
    )
    text = text_of(page_of(show_messages(answer)))
    assert text == "assistant · qwen-audio-turboYes.Tokens: 118 (audio 85) in, 20 out"


VIDEO_AT = "video at https://example.com/v.mp4 (not loaded here)"
UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "hologram": ({"type": "hologram", "data": "x"}, "Block of type 'hologram'"),
    "video of a page": ({"type": "video", "url": "https://example.com/v.mp4"}, VIDEO_AT),
    "video with a script": ({"type": "video", "url": "javascript:alert(1)"}, "alert(1)"),
    "long video": (
        {"type": "video", "base64": "AAAA" * 9_999, "mime_type": "video/mp4"},
        "video at data:video/mp4;base64,AAAA",
    ),
    "frames": (
        {"type": "video", "video": ["https://example.com/1.png", "https://example.com/2.png"]},
        "video of 2 images, the first at https://example.com/1.png (not loaded here)",
    ),
    "no type": ({"spam": "<eggs>"}, "<eggs>"),
    "type of no kind": ({"type": ["a"], "b": 1}, "Block of type ['a']"),
    "redacted": ({"type": "redacted_thinking", "data": "xyz"}, "xyz"),
    "empty reasoning": ({"type": "reasoning", "id": "rs_1"}, "rs_1"),
    "no audio in it": ({"type": "audio"}, "⚠ audio"),
    "no base64": ({"type": "audio", "base64": "<not base64>"}, "⚠ audio: '<not base64>'"),
    "no URL": ({"type": "audio", "url": "javascript:alert(1)"}, "⚠ audio: 'javascript:alert(1)'"),
    "no audio after all": ({"type": "audio", "base64": "AAAA"}, "⚠ audio: 3 bytes came"),
    "large": ({"type": "spam", "data": "x" * 9_999}, "characters)"),
    "null": ({"type": None}, "None"),
}


@pytest.mark.parametrize("message", [HumanMessage, AIMessage])
def test_nothing_is_left_out(message: Callable[..., Any]) -> None:
    for name, (block, text) in UNKNOWN.items():
        shown = show_messages([message([block])])
        shown_text = text_of(page_of(shown))
        assert text in shown_text, name
        assert len(shown_text) < 3_000, name
        assert len(repr(shown)) < 3_000, name


def test_an_empty_message_is_shown() -> None:
    assert text_of(page_of(show_messages([AIMessage(""), HumanMessage([])]))) == (
        "assistant(empty)user(empty)"
    )


# --- hostile content --------------------------------------------------------------------------

ATTACKS = [
    "<script>alert(1)</script>",
    "</title></svg><script>alert(1)</script>",
    "</pre></details></article><iframe src=//example.com>",
    '" onerror="alert(1)" x="',
    "' onclick='alert(1)' x='",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<![CDATA[<script>]]>",
    "<!-- <b> --><!DOCTYPE html><?php",
    "&lt;script&gt;&#60;script&#62;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "\0\x08\x0b\x1b[31m\x7f\ud800\udfff\ufffe\uffff",
    "\u202egnp.exe\u2028\u2029",
    "{{7*7}}${alert(1)}%s%(x)s{0}",
]


def counts(name: str) -> Any:
    details = {"audio": 1, name.encode(errors="replace").decode(): 1}
    return {
        "input_tokens": 1,
        "output_tokens": 1,
        "total_tokens": 2,
        "input_token_details": details,
        "output_token_details": details,
    }


PLACES: dict[str, Callable[[str], Any]] = {
    "name of a recording": lambda x: Audio.from_bytes(SPEECH.data, name=x),
    "name of a broken recording": lambda x: Audio.from_bytes(b"x", name=x),
    "claimed type of a recording": lambda x: Audio.from_bytes(SPEECH.data, mime_type=x),
    "a broken recording": lambda x: Audio.from_bytes(x.encode(errors="replace")),
    "title": lambda x: show_messages("Hi", title=x),
    "text": show_messages,
    "text block": lambda x: show_messages([HumanMessage([{"type": "text", "text": x}])]),
    "name": lambda x: show_messages([HumanMessage("Hi", name=x)]),
    "role": lambda x: show_messages([ChatMessage(content="Hi", role=x)]),
    "model": lambda x: show_messages([AIMessage("Hi", response_metadata={"model_name": x})]),
    "URL": lambda x: show_messages([HumanMessage([{"type": "audio", "url": x}])]),
    "remote URL": lambda x: show_messages(
        [HumanMessage([{"type": "audio", "url": f"https://{x}"}])]
    ),
    "data URI": lambda x: show_messages(
        [HumanMessage([{"audio": f"data:audio/{x};base64,{SPEECH.base64}"}])]
    ),
    "base64": lambda x: show_messages([HumanMessage([{"type": "audio", "base64": x}])]),
    "mime type": lambda x: show_messages([HumanMessage([{**SPEECH.to_block(), "mime_type": x}])]),
    "image": lambda x: show_messages([HumanMessage([{"type": "image", "base64": x}])]),
    "image URL": lambda x: show_messages([HumanMessage([{"image_url": x, "type": "image_url"}])]),
    "image's mime type": lambda x: show_messages(
        [HumanMessage([{"type": "image", "base64": "AAAA", "mime_type": f"image/{x}"}])]
    ),
    "block's type": lambda x: show_messages([HumanMessage([{"type": x, x: x}])]),
    "reasoning": lambda x: show_messages(AIMessage("", additional_kwargs={"reasoning_content": x})),
    "tool's name": lambda x: show_messages(AIMessage("", tool_calls=[{**CALL, "name": x}])),
    "call's id": lambda x: show_messages(AIMessage("", tool_calls=[{**CALL, "id": x}])),
    "arguments": lambda x: show_messages(AIMessage("", tool_calls=[{**CALL, "args": {x: [x]}}])),
    "call that failed": lambda x: show_messages(
        AIMessage("", invalid_tool_calls=[{"name": x, "args": x, "id": x, "error": x}])
    ),
    "result": lambda x: show_messages([ToolMessage(x, tool_call_id=x, status="error")]),
    "counts": lambda x: show_messages(AIMessage("", usage_metadata=counts(x))),
    "JSON of a tool": lambda x: show_messages(
        [ToolMessage(json.dumps([SPEECH.to_block(), {"type": [], "audio": x}]), tool_call_id="1")]
    ),
}


def test_hostile_content_is_inert(
    caplog: pytest.LogCaptureFixture, subtests: pytest.Subtests
) -> None:
    # What is logged of a wrong label has lone surrogates, which pytest-xdist cannot report.
    caplog.set_level(logging.ERROR, logger="langchain_qwen_audio")
    for place, show in PLACES.items():
        with subtests.test(place):
            plain = [element.tag for element in page_of(show("plain")).iter()]
            for attack in ATTACKS:
                shown = show(attack)
                page = page_of(shown)
                assert repr(shown)
                if place.endswith(AS_TEXT):
                    assert [element.tag for element in page.iter()] == plain, attack


AS_TEXT = ("text", "title", "name", "role", "model", "reasoning", "result")


@given(st.text(), st.text())
def test_any_text_is_shown_and_becomes_no_markup(name: str, text: str) -> None:
    page = page_of(show_messages([HumanMessage(f"x{text}", name=name)]))
    (article,) = page.iter("article")
    assert [element.tag for element in article] == ["div", "div"]
    assert readable(article[1].text or "") == readable(f"x{text}")


def readable(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and char != "\ufffd")
