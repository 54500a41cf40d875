"""What a notebook shows: recordings to see and hear, conversations as bubbles, and all inert."""

from __future__ import annotations

import base64
import json
import logging
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
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

from langchain_qwen_audio import Audio, _codec, _display, show_messages
from langchain_qwen_audio._fit import fit
from langchain_qwen_audio._profiles import QWEN_AUDIO
from langchain_qwen_audio._waveform import MAX_POINTS, Meter, clock, draw

from .recordings import DATA, NAMES, RECORDINGS, Recording, encode, hear, read, tone, wav
from .test_encode import every_dialect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SVG = "{http://www.w3.org/2000/svg}"
SPEECH = Audio.from_path(DATA / "speech.wav")
# All that is ever made, of which none runs anything, and none but `src` loads anything.
TAGS = {
    *("article", "audio", "details", "div", "figcaption", "figure", "img", "pre", "section"),
    *("strong", "summary", "svg", "g", "path", "rect", "text", "title"),
}
ATTRIBUTES = {
    *("alt", "aria-label", "controls", "d", "dir", "fill", "fill-opacity", "font-family"),
    *("font-size", "height", "opacity", "open", "preload", "role", "src", "stroke"),
    *("stroke-dasharray", "stroke-linejoin", "stroke-width", "style", "text-anchor", "viewbox"),
    *("width", "x", "xmlns", "y"),
}


class Inert(HTMLParser):
    """Read a page as browsers do, and refuse whatever could run or load something."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES, f"<{tag} {name}={value!r}>"
            if name == "src":
                assert re.fullmatch(r"data:(audio|image)/[a-z0-9]+;base64,[\w+/=]+", value or "")
            if name == "style":
                assert "url" not in (value or "")

    def handle_decl(self, decl: str) -> None:
        pytest.fail(decl)

    def handle_pi(self, data: str) -> None:
        pytest.fail(data)

    handle_comment = unknown_decl = handle_pi


def page_of(shown: Any) -> ET.Element:
    """Read what something shows of itself, which is inert, and well-formed XML."""
    html = shown._repr_html_()
    html.encode()
    Inert().feed(html)
    return ET.fromstring(f"<body>{html}</body>")  # noqa: S314


def text_of(page: ET.Element) -> str:
    return "".join(page.itertext())


def played(page: ET.Element) -> list[tuple[str, bytes]]:
    """List what the players have, as media type and bytes."""
    sources = [element.attrib["src"] for element in page.iter("audio")]
    return [
        (source[5:].partition(";")[0], base64.b64decode(source.partition(",")[2], validate=True))
        for source in sources
    ]


def cuts_of(page: ET.Element) -> list[float]:
    """List the x of the lines at which a recording is cut."""
    lines = [path for path in page.iter(f"{SVG}path") if "stroke-dasharray" in path.attrib]
    return [float(path.attrib["d"][1:].partition(" ")[0]) for path in lines]


def shades_of(page: ET.Element) -> list[tuple[float, float]]:
    """List where it is shaded, as x and width."""
    return [
        (float(rect.attrib["x"]), float(rect.attrib["width"])) for rect in page.iter(f"{SVG}rect")
    ]


# --- recordings -------------------------------------------------------------------------------

AS_THEY_ARE = {
    *("speech.wav", "stereo48k.wav", "pcm24.wav", "float.wav", "surround.wav", "mulaw.wav"),
    *("piped.wav", "speech.flac", "speech.mp3", "speech.m4a", "faststart.m4a", "video.mp4"),
    *("vorbis.ogg", "opus.ogg", "speech.webm"),
}


@pytest.mark.parametrize("recording", RECORDINGS, ids=NAMES)
def test_every_recording_is_played_and_drawn(recording: Recording) -> None:
    audio = Audio.from_path(recording.path)
    page = page_of(audio)
    ((mime_type, data),) = played(page)
    if recording.name in AS_THEY_ARE:
        assert (mime_type, data) == (recording.mime_type, recording.data)
    else:
        assert mime_type == "audio/wav"
        assert hear(data).seconds == pytest.approx(recording.seconds, abs=0.06)
        assert "converted to WAV for the player" in text_of(page)
    (svg,) = page.iter(f"{SVG}svg")
    assert svg.attrib["role"] == "img"
    assert svg[0].tag == f"{SVG}title"
    assert (svg[0].text or "").startswith(f"Waveform of {recording.name}, ")
    assert any(path.attrib["fill"] == "currentColor" for path in svg if "fill" in path.attrib)
    (caption,) = page.iter("figcaption")
    for fact in (
        recording.name,
        f"{recording.mime_type} ({recording.codec})",
        f"{recording.sample_rate:,} Hz",
        "mono" if recording.channels == 1 else f"{recording.channels} channels",
        clock(audio.duration_s),
        f"{audio.tokens} tokens",
    ):
        assert fact in (caption.text or "")


@pytest.mark.parametrize("name", ["speech.wav", "pyav.amr", "bare.mp3"])
def test_a_recording_is_decoded_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, decoded = _codec.decode, []

    def counted(*args: Any, **options: Any) -> Iterator[bytes]:
        decoded.append(args)
        return decode(*args, **options)

    monkeypatch.setattr(_codec, "decode", counted)
    page_of(Audio.from_path(DATA / name))
    assert len(decoded) == 1


def test_silence_is_shaded() -> None:
    page = page_of(
        Audio.from_array(np.concatenate([tone(1), np.zeros(16_000, "h"), tone(2)]), 16_000)
    )
    assert shades_of(page) == [(160.0, 160.0)]
    assert "25 % silence" in text_of(page)


def test_silence_is_all_of_a_silent_recording() -> None:
    page = page_of(Audio.from_bytes(wav(np.zeros(12_345, "h"))))
    assert shades_of(page) == [(0.0, 640.0)]
    assert "100 % silence" in text_of(page)


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_lines_are_drawn_where_the_model_hears_the_next_part(rate: int) -> None:
    pauses = [tone(11, rate), np.zeros(rate // 2, "h")]
    audio = Audio.from_array(np.concatenate(pauses * 7), rate)
    ends_s = np.cumsum([part.duration_s for part in fit(audio, QWEN_AUDIO)])
    page = page_of(audio)
    assert cuts_of(page) == pytest.approx(ends_s[:-1] * 640 / ends_s[-1], abs=0.5)
    assert f"heard in {len(ends_s)} parts of up to 30 s" in text_of(page)


def test_a_recording_that_is_heard_whole_has_no_lines() -> None:
    assert cuts_of(page_of(Audio.from_array(tone(30), 16_000))) == []


def test_more_cuts_than_make_a_picture_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_display, "cut", lambda blocks, *_: enumerate(blocks))
    page = page_of(Audio.from_array(tone(60), 16_000))
    assert cuts_of(page) == []
    assert re.search(
        r"heard in \d{3} parts of up to 30 s \(more than can be drawn\)", text_of(page)
    )


class Kept(NamedTuple):
    """What becomes of a recording in the player."""

    mime_type: str
    seconds: float
    remark: str


# What is larger than a page can hold, or of a type that browsers do not play, by its length.
LONG = {
    "short": (59.0, Kept("audio/wav", 59.0, "converted to WAV for the player")),
    "long": (80.0, Kept("audio/mpeg", 80.0, "converted to MP3 for the player")),
    "too long": (110.0, Kept("audio/mpeg", 90.0, "the player has the first 1.5 minutes, as MP3")),
}


@pytest.mark.parametrize(("seconds", "kept"), LONG.values(), ids=LONG)
@pytest.mark.parametrize("kind", ["large", "not played"])
def test_the_player_of_a_long_recording_has_what_a_page_can_hold(
    kind: str, seconds: float, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_display, "MAX_PLAYER_S", 90.0)
    monkeypatch.setattr(_display, "MAX_PLAYER_BYTES", 1_000_000)
    data = wav(tone(seconds)) if kind == "large" else encode(tone(seconds), "au", "pcm_s16be")
    page = page_of(Audio.from_bytes(data))
    ((mime_type, sound),) = played(page)
    assert mime_type == kept.mime_type
    assert hear(sound).seconds == pytest.approx(kept.seconds, abs=0.1)
    assert len(sound) < 2_000_000
    assert kept.remark in text_of(page)
    assert f"Waveform of audio, {clock(seconds)}" in text_of(page)


def test_the_longest_that_a_player_has_is_within_the_bytes() -> None:
    assert _display._BIT_RATE / 8 * _display.MAX_PLAYER_S < _display.MAX_PLAYER_BYTES
    assert _display.MAX_WAV_S * 32_000 < _display.MAX_PLAYER_BYTES


def missing(tmp_path: Path) -> Audio:
    path = tmp_path / "<gone>.wav"
    path.write_bytes(read("speech.wav"))
    audio = Audio.from_path(path)
    path.unlink()
    return audio


BROKEN: dict[str, tuple[Callable[[Path], Audio], str]] = {
    "no audio": (lambda _: Audio.from_bytes(b"<b>", name="<i>"), "<i>: 3 bytes came that are not"),
    "empty": (lambda _: Audio.from_bytes(b""), "not usable audio"),
    "truncated": (lambda _: Audio.from_bytes(read("speech.flac")[:9_000]), "audio: "),
    "no sound": (lambda _: Audio.from_bytes(wav(tone(0))), "no sound in it"),
    "gone": (missing, "<gone>.wav: it cannot be read"),
}


@pytest.mark.parametrize(("make", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_recording_that_cannot_be_used_says_why(
    make: Callable[[Path], Audio], reason: str, tmp_path: Path
) -> None:
    page = page_of(make(tmp_path))
    assert played(page) == []
    assert text_of(page).startswith("⚠ ")
    assert reason in text_of(page)


def test_displaying_loads_nothing_heavy_before_something_is_displayed() -> None:
    heavy = ["dashscope", "av", "numpy", "IPython"]
    code = (
        "import sys; from langchain_qwen_audio import show_messages; "
        f"show_messages('Hi')._repr_html_(); print(*[x for x in {heavy} if x in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


# --- the picture ------------------------------------------------------------------------------


def test_a_long_recording_has_few_points_and_no_peak_is_lost() -> None:
    samples = np.zeros(1_000 * 5_000, "h")
    samples[1_000 * 1_234] = 20_000
    samples[1_000 * 3_456] = -30_000
    meter = Meter(1_000)
    for block in meter.watch(
        samples[at : at + 4_099].tobytes() for at in range(0, 5_000_000, 4_099)
    ):
        assert block
    assert MAX_POINTS // 2 < len(meter.points) <= MAX_POINTS
    assert meter.length_s == pytest.approx(5_000)
    assert meter.peak == 30_000
    highs = [i for i, point in enumerate(meter.points) if point.high]
    lows = [i for i, point in enumerate(meter.points) if point.low]
    assert highs == [int(1_234 / meter.point_s)]
    assert lows == [int(3_456 / meter.point_s)]
    assert meter.silences()[-1][1] == meter.length_s


@given(st.lists(st.integers(0, 3_000), max_size=6), st.integers(1, 40))
def test_blocks_may_be_cut_anywhere(sizes: list[int], hertz: int) -> None:
    samples = (tone(1, 8_000, hertz) // 3).tobytes()
    whole, pieces = Meter(8_000), Meter(8_000)
    list(whole.watch([samples]))
    bounds = [0, *sorted(2 * size for size in sizes), len(samples)]
    list(pieces.watch(samples[a:b] for a, b in pairwise(bounds)))
    assert pieces.points == whole.points
    assert pieces.silences() == whole.silences()


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.3, 1, 7.2, 59, 61, 600, 3_601])
def test_the_axis_has_few_labels_within_the_picture(seconds: float) -> None:
    meter = Meter(1_000)
    list(meter.watch([bytes(2 * max(1, int(seconds * 1_000)))]))
    svg = ET.fromstring(draw(meter, [], "A & B"))  # noqa: S314
    labels = list(svg.iter(f"{SVG}text"))
    assert labels[0].text == "0 s"
    assert 1 <= len(labels) <= 9
    assert all(0 <= float(label.attrib["x"]) <= 640 for label in labels)
    for path in svg.iter(f"{SVG}path"):
        numbers = [float(number) for number in re.findall(r"-?[\d.]+", path.attrib["d"])]
        assert all(0 <= number <= 641 for number in numbers)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0, "0 s"), (0.25, "0.25 s"), (4.2, "4.2 s"), (30, "30 s"), (59.99, "59.99 s")),
        *((60, "1:00"), (65.9, "1:05"), (3_599, "59:59"), (3_600, "1:00:00"), (7_384, "2:03:04")),
    ],
)
def test_times_are_written_as_people_do(seconds: float, text: str) -> None:
    assert clock(seconds) == text


# --- conversations ----------------------------------------------------------------------------

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


@pytest.mark.parametrize("messages", FORMS.values(), ids=FORMS)
def test_whatever_a_model_takes_is_shown(messages: Any) -> None:
    shown = show_messages(messages, title="A <call>")
    page = page_of(shown)
    assert text_of(page) == f"A <call>user{HI}"
    assert "white-space:pre-wrap" in page.findall(".//div")[-1].attrib["style"]
    assert repr(shown) == f"A <call>\nuser: {HI}"


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


@pytest.mark.parametrize("said", ROLES, ids=ROLES)
def test_bubbles_say_whose_they_are(said: str) -> None:
    page = page_of(show_messages([ROLES[said]]))
    (article,) = page.iter("article")
    role = said.partition(",")[0]
    assert article.attrib["aria-label"].startswith(f"{role} · Ann")
    side = "flex-end" if role == "user" else "flex-start"
    assert f"align-self:{side}" in article.attrib["style"]


@every_dialect
@pytest.mark.parametrize("message", [HumanMessage, AIMessage, SystemMessage])
def test_audio_of_every_dialect_is_played_if_it_is_here(
    message: Callable[..., Any], block: dict[str, Any], heard: str
) -> None:
    page = page_of(show_messages([message([{"type": "text", "text": "Hear:"}, block])]))
    assert "Hear:" in text_of(page)
    if heard.startswith("data:"):
        assert len(played(page)) == 1
    else:
        assert played(page) == []
        assert f"audio at {heard} (not loaded here)" in text_of(page)


@tool
def record() -> list[Any]:
    """Record."""
    return [{"type": "text", "text": "Kitchen:"}, SPEECH.to_block()]


@tool
def listen() -> dict[str, Any]:
    """Listen."""
    return SPEECH.to_block()


@tool
def load() -> list[Any]:
    """Load."""
    return [{"type": "text", "text": "Kitchen:"}, {**SPEECH.to_block(), "type": "file"}]


@pytest.mark.parametrize("from_tool", [record, listen, load], ids=lambda it: it.name)
def test_audio_from_a_tool_is_played(from_tool: Any) -> None:
    call = {"type": "tool_call", "id": "call_1", "name": from_tool.name, "args": {}}
    page = page_of(show_messages([from_tool.invoke(call)]))
    assert played(page) == [("audio/wav", SPEECH.data)]
    assert "base64" not in text_of(page)


@pytest.mark.parametrize(
    "text", ["[", "{", "[]", "{}", "[1, {}]", '[{"type": "text"}]', "[" * 9_999]
)
def test_json_from_a_tool_that_is_no_audio_stays_text(text: str) -> None:
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
    assert hear(data).seconds == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["audio", "file", "image"])
@pytest.mark.parametrize("scheme", ["file", "http", "https", "oss"])
def test_nothing_that_is_only_named_is_loaded(
    kind: str, scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **options: Any) -> Audio:
        raise AssertionError("something was loaded")

    monkeypatch.setattr(Audio, "from_path", refuse)
    monkeypatch.setattr(Audio, "from_url", refuse)
    path = tmp_path / "secret.wav"
    path.write_bytes(SPEECH.data)
    url = path.as_uri() if scheme == "file" else f"{scheme}://example.com/<a>.wav"
    mime_type = "image/png" if kind == "image" else "audio/wav"
    block = {"type": kind, "url": url, "mime_type": mime_type}
    page = page_of(show_messages([HumanMessage([block]), AIMessage([block])]))
    assert text_of(page).count(url) == 2
    assert [*page.iter("audio"), *page.iter("img")] == []


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


@pytest.mark.parametrize(("block", "seen"), IMAGES.values(), ids=IMAGES)
def test_images_are_shown_from_data_and_otherwise_named(
    block: dict[str, Any], *, seen: bool
) -> None:
    page = page_of(show_messages([HumanMessage([block])]))
    assert [image.attrib["src"] for image in page.iter("img")] == (
        [f"data:image/png;base64,{PNG}"] if seen else []
    )
    if not seen:
        assert "image" in text_of(page)


def test_an_image_too_large_for_a_page_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_display, "MAX_PLAYER_BYTES", 100)
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


@pytest.mark.parametrize("message", CALLS.values(), ids=CALLS)
def test_a_tool_call_is_shown_once(message: AIMessage) -> None:
    assert text_of(page_of(show_messages([message]))).count("load_audio · call_1") == 1


def test_calls_and_tools_that_failed_say_so() -> None:
    invalid = {
        "type": "invalid_tool_call",
        "name": "ask",
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
    assert "Calls ask · c: ⚠ no JSON{bro<ken" in text_of(page)
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


@pytest.mark.parametrize("message", REASONING.values(), ids=REASONING)
def test_reasoning_is_folded_and_comes_first(message: AIMessage) -> None:
    page = page_of(show_messages([message]))
    (details,) = page.iter("details")
    assert "open" not in details.attrib
    assert text_of(page) == "assistantReasoningHm.Yes."


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


UNKNOWN: dict[str, tuple[dict[str, Any], str]] = {
    "video": ({"type": "video", "url": "https://example.com/v.mp4"}, "Block of type 'video'"),
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


@pytest.mark.parametrize(("block", "text"), UNKNOWN.values(), ids=UNKNOWN)
@pytest.mark.parametrize("message", [HumanMessage, AIMessage])
def test_nothing_is_left_out(message: Callable[..., Any], block: dict[str, Any], text: str) -> None:
    shown = show_messages([message([block])])
    said = text_of(page_of(shown))
    assert text in said
    assert len(said) < 3_000
    assert len(repr(shown)) < 3_000


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


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("place", PLACES)
def test_hostile_content_is_inert(
    place: str, attack: str, caplog: pytest.LogCaptureFixture
) -> None:
    # What is logged of a wrong label has lone surrogates, which pytest-xdist cannot report.
    caplog.set_level(logging.ERROR, logger="langchain_qwen_audio")
    shown = PLACES[place](attack)
    plain = page_of(PLACES[place]("plain"))
    page = page_of(shown)
    assert repr(shown)
    if place.endswith(("text", "title", "name", "role", "model", "reasoning", "result")):
        assert [element.tag for element in page.iter()] == [element.tag for element in plain.iter()]


@given(st.text(), st.text())
def test_any_text_is_shown_and_becomes_no_markup(name: str, text: str) -> None:
    page = page_of(show_messages([HumanMessage(f"x{text}", name=name)]))
    (article,) = page.iter("article")
    assert [element.tag for element in article] == ["div", "div"]
    assert readable(article[1].text or "") == readable(f"x{text}")


def readable(text: str) -> str:
    return "".join(char for char in text if char.isprintable() and char != "\ufffd")
