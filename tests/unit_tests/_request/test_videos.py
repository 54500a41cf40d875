"""Videos, as files and as frames: in every block format, within the limits, refused elsewhere."""

from __future__ import annotations

import base64
import copy
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool

from langchain_qwen_audio import ChatQwenAudio, errors
from tests.unit_tests.conftest import invoke
from tests.unit_tests.recordings import QUESTION, TWO_WAYS, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

URL = "https://example.com/a%20b.mp4?x=1#t"
CLIP = base64.b64encode(wav(tone(0.5))).decode()
AUDIO = {"type": "audio", "base64": CLIP, "mime_type": "audio/wav"}
IMAGE: dict[str, Any] = {"type": "image", "url": "https://example.com/a.png"}
TURBO, OMNI_3 = "qwen-omni-turbo", "qwen3-omni-flash"
OMNI_3_5, OMNI_3_8 = "qwen3.5-omni-flash", "qwen3.8-omni-flash"
TAKE = [TURBO, OMNI_3, OMNI_3_5, "qwen3.5-omni-plus", OMNI_3_8]
BLIND = [
    *("qwen-audio-turbo", "qwen-audio-turbo-latest", "qwen-audio-3.1-asr-flash"),
    *("qwen3-asr-flash", "qwen3-omni-30b-a3b-captioner"),
]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The beginnings of files, which is all that is looked at.
FILES = {
    "video/mp4": b"\x00\x00\x00\x18ftypmp42" + bytes(8),
    "video/quicktime": b"\x00\x00\x00\x14ftypqt  " + bytes(8),
    "video/x-msvideo": b"RIFF\x00\n\x00\x00AVI LIST",
    "video/x-matroska": b"\x1a\x45\xdf\xa3" + bytes(12),
    "video/x-flv": b"FLV\x01\x05" + bytes(12),
    "video/x-ms-wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(12),
}
MP4 = FILES["video/mp4"]
MP4_URI = f"data:video/mp4;base64,{b64(MP4)}"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(8)
PNG_URI = f"data:image/png;base64,{b64(PNG)}"
VIDEO: dict[str, Any] = {"type": "video", "url": URL}
PAIR = ["https://h/1.png", PNG_URI]
FRAMES = {"type": "video", "video": PAIR}


def model_at(server: LocalDashScope, name: str, **fields: Any) -> ChatQwenAudio:
    settings = {"base_url": server.base_url, "api_key": "local", "max_retries": 0, **fields}
    return ChatQwenAudio(model=name, **settings)


def seen(url: str) -> dict[str, Any]:
    return {"type": "video_url", "video_url": {"url": url}}


BLOCK_FORMATS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "v1 url": (VIDEO, seen(URL)),
    "v1 url with id, index and extras": (
        {**VIDEO, "id": "x", "index": 1, "extras": {"cache": True}},
        seen(URL),
    ),
    "v1 url with a data URI": ({"type": "video", "url": MP4_URI}, seen(MP4_URI)),
    "v1 base64": ({"type": "video", "base64": b64(MP4), "mime_type": "video/mp4"}, seen(MP4_URI)),
    "v1 base64 with a data URI": ({"type": "video", "base64": MP4_URI}, seen(MP4_URI)),
    "v0 url": ({"type": "video", "source_type": "url", "url": URL}, seen(URL)),
    "v0 base64": (
        {"type": "video", "source_type": "base64", "data": b64(MP4), "mime_type": "video/mp4"},
        seen(MP4_URI),
    ),
    "bytes": ({"type": "video", "data": MP4}, seen(MP4_URI)),
    "video_url": ({"type": "video_url", "video_url": {"url": URL}}, seen(URL)),
    "video_url as the service's page has it": (
        {"type": "video_url", "video_url": {"url": f"data:;base64,{b64(MP4)}"}},
        seen(f"data:;base64,{b64(MP4)}"),
    ),
    "video_url as str": ({"type": "video_url", "video_url": URL}, seen(URL)),
    "video_url with sampling": (
        {"type": "video_url", "video_url": {"url": URL}, "fps": 0.5, "max_pixels": 230_400},
        {**seen(URL), "fps": 0.5, "max_pixels": 230_400},
    ),
    "dashscope": ({"video": URL}, seen(URL)),
    "dashscope with a type": ({"type": "video", "video": URL}, seen(URL)),
    "frames": (FRAMES, {"type": "video", "video": PAIR}),
    "frames with sampling": ({**FRAMES, "fps": 2}, {"type": "video", "video": PAIR, "fps": 2}),
    "frames without a type": ({"video": PAIR}, {"type": "video", "video": PAIR}),
    "frames as base64 and bytes": (
        {"type": "video", "video": [b64(PNG), PNG]},
        {"type": "video", "video": [PNG_URI, PNG_URI]},
    ),
    "non_standard": ({"type": "non_standard", "value": {"video": URL}}, seen(URL)),
}


@TWO_WAYS
def test_every_block_format_of_a_video_becomes_one_part(
    call_model: CallModel, server: LocalDashScope
) -> None:
    messages = [HumanMessage([block, QUESTION]) for block, _ in BLOCK_FORMATS.values()]
    before = copy.deepcopy(messages)
    call_model(model_at(server, OMNI_3_5), messages)
    assert messages == before, "the messages were changed"
    assert server.requests[0].json == {
        "model": OMNI_3_5,
        "messages": [
            {"role": "user", "content": [part, QUESTION]} for _, part in BLOCK_FORMATS.values()
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize("name", TAKE)
def test_every_omni_model_takes_a_video_and_frames(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    frames = {"type": "video", "video": PAIR * 2}
    for block, part in ((VIDEO, seen(URL)), (frames, frames)):
        assert call_model(model_at(server, name), [HumanMessage([block, QUESTION])]).content == "ok"
        assert server.requests[-1].messages == [{"role": "user", "content": [part, QUESTION]}]


def test_the_type_of_a_video_is_read_from_its_bytes_where_none_is_given(
    server: LocalDashScope,
) -> None:
    rows = [
        (data, claimed, expected)
        for mime_type, data in FILES.items()
        for claimed, expected in (
            ("", mime_type),
            ("text/plain", mime_type),
            ("video/x", "video/x"),
        )
    ]
    blocks: list[Any] = [
        {"type": "video", "base64": b64(it), "mime_type": claim} for it, claim, _ in rows
    ]
    model_at(server, OMNI_3_8).invoke([HumanMessage(blocks)])
    assert server.requests[0].messages[0]["content"] == [
        seen(f"data:{expected};base64,{b64(data)}") for data, _, expected in rows
    ]


def test_everything_goes_along_in_order_where_it_mixes(server: LocalDashScope) -> None:
    model_at(server, OMNI_3_8).invoke([HumanMessage([VIDEO, AUDIO, IMAGE, FRAMES, QUESTION])])
    kinds = [part["type"] for part in server.requests[0].messages[0]["content"]]
    assert kinds == ["video_url", "input_audio", "image_url", "video", "text"]


def test_videos_of_earlier_turns_stay(server: LocalDashScope) -> None:
    messages = [HumanMessage([VIDEO]), AIMessage("A cat"), HumanMessage([AUDIO])]
    for name in (TURBO, OMNI_3, OMNI_3_5):
        model_at(server, name).invoke(messages)
        assert server.requests[-1].messages[:2] == [
            {"role": "user", "content": [seen(URL)]},
            {"role": "assistant", "content": "A cat"},
        ]


@pytest.mark.parametrize("name", [TURBO, OMNI_3_8])
def test_videos_go_along_natively(server: LocalDashScope, name: str) -> None:
    model = model_at(server, name, protocol="native", streaming=True)
    blocks: list[Any] = [{**VIDEO, "fps": 2}] if name == OMNI_3_8 else [VIDEO]
    frames = {"type": "video", "video": PAIR * 2}
    try:
        model.invoke([HumanMessage(blocks), AIMessage("Hi"), HumanMessage([frames])])
    except errors.InvalidRequestError:  # the local test server has that path for turbo alone
        assert name == OMNI_3_8
    first, _, last = server.requests[0].messages
    assert first["content"] == [{"video": URL, **({"fps": 2} if name == OMNI_3_8 else {})}]
    assert last["content"] == [{"video": PAIR * 2}]


# --- what is refused ---


@TWO_WAYS
def test_videos_are_refused_where_they_are_not_taken(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = (
        r"messages\[0\]\.content\[1\]: a block of type 'video' came; this model takes text and "
        r"audio.*; qwen3\.8-omni-flash takes videos"
    )
    for name in BLIND:
        with subtests.test(name), pytest.raises(errors.MessageError, match=match):
            call_model(model_at(server, name), [HumanMessage([AUDIO, VIDEO])])
    assert server.requests == []


def test_videos_are_refused_in_every_form(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = r"messages\[0\]\.content\[0\]: .* takes videos"
    for name, (block, _) in BLOCK_FORMATS.items():
        with subtests.test(name), pytest.raises(errors.MessageError, match=match):
            invoke(model_at(server, BLIND[0]), [HumanMessage([block])])
    assert server.requests == []


NO_VIDEOS: dict[str, tuple[dict[str, Any], str]] = {
    "a path": ({"type": "video", "url": "/tmp/a.mp4"}, "not the beginning"),  # noqa: S108
    "an uploaded file": ({"type": "video", "url": "oss://bucket/a.mp4"}, "http.* URL, base64"),
    "an id": ({"type": "video", "file_id": "file-1"}, "the file_id 'file-1'.*http.* URL, base64"),
    "nothing": ({"type": "video", "url": ""}, "http.* URL, base64"),
    "a number": ({"video": 1}, "int came as a video"),
    "a list of URLs in place of one": (
        {"type": "video_url", "video_url": {"url": [URL]}},
        "list came as a video",
    ),
    "another data URI": ({"type": "video", "url": PNG_URI}, "http.* URL, base64"),
    "a data URI without base64": ({"type": "video", "url": "data:video/mp4,x"}, "http.* URL"),
    "base64 of what is no video": ({"type": "video", "base64": CLIP}, "not the beginning of a"),
    "no frames": ({"type": "video", "video": []}, "a video without frames"),
    "a frame that is no image": (
        {"type": "video", "video": [PNG_URI, MP4_URI]},
        r"\.video\[1\]: .* came as an image",
    ),
    "a frame that is a block": ({"type": "video", "video": [IMAGE]}, "dict came as an image"),
    "a rate of no frames": ({**VIDEO, "fps": 0}, "fps is 0, expected a number"),
    "a rate that is no number": ({**VIDEO, "fps": "2"}, "fps is '2', expected a number"),
}


def test_what_is_no_video_is_refused_with_its_place(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, (block, why) in NO_VIDEOS.items():
        match = rf"messages\[0\]\.content\[1\].*({why})"
        with subtests.test(name), pytest.raises(errors.MessageError, match=match):
            invoke(model_at(server, OMNI_3_8), [HumanMessage([QUESTION, block])])
    assert server.requests == []


BIG = f"data:video/mp4;base64,{'A' * 10_485_760}"
BIG_IMAGE = f"data:image/png;base64,{'A' * 10_485_760}"


def frames(count: int) -> dict[str, Any]:
    return {"type": "video", "video": ["https://h/1.png"] * count}


def images(count: int, url: str) -> list[dict[str, Any]]:
    return [{"image": url}] * count


TOO_MUCH: dict[str, tuple[str, list[Any], str]] = {
    "turbo, 3 frames": (TURBO, [frames(3)], "takes 4 to 80 images as a video, and 3 came"),
    "turbo, 81 frames": (TURBO, [frames(81)], "takes 4 to 80 images as a video, and 81 came"),
    "3, 1 frame": (OMNI_3, [frames(1)], "takes 2 to 128 images as a video, and 1 came"),
    "3, 129 frames": (OMNI_3, [frames(129)], "takes 2 to 128 images"),
    "3.5, 2,049 frames": (OMNI_3_5, [frames(2_049)], "takes 2 to 2,048 images"),
    "3.8, 1 frame": (OMNI_3_8, [frames(1)], "takes 2 to 2,048 images"),
    "turbo, 2 videos": (TURBO, [VIDEO, VIDEO], "takes 1 video a message, and 2 came"),
    "3, 2 videos": (OMNI_3, [VIDEO, VIDEO], "takes 1 video a message, and 2 came"),
    "3.8, 65 videos": (OMNI_3_8, [VIDEO] * 65, "takes 64 videos a message, and 65 came"),
    "3.5, 513 videos": (
        OMNI_3_5,
        [{"video": URL}] * 513,
        "takes 512 videos at URLs in a request, and 513",
    ),
    "3.5, 251 in base64": (
        OMNI_3_5,
        [{"video": MP4_URI}] * 251,
        "takes 250 videos that are no URLs in a request, and 251 came",
    ),
    "a large video": (OMNI_3_8, [{"video": BIG}], "takes 10,485,760 bytes of base64 for the video"),
    "a large frame": (
        OMNI_3_5,
        [{"video": [PNG_URI, BIG_IMAGE]}],
        "takes 10,485,760 bytes of base64 for the image, and 10,485,782 came",
    ),
    "turbo, video and audio": (TURBO, [VIDEO, AUDIO], "send the video by itself"),
    "3, video and image": (OMNI_3, [VIDEO, IMAGE], "send the video by itself"),
    "3, frames and audio": (OMNI_3, [frames(2), AUDIO], "send the video by itself"),
    "2,049 images": (OMNI_3_8, images(2_049, "https://h/1.png"), "takes 2,048 images at URLs"),
    "251 images in base64": (OMNI_3, images(251, PNG_URI), "takes 250 images that are no URLs"),
    "a large image": (TURBO, images(1, BIG_IMAGE), "takes 10,485,760 bytes of base64"),
}


@TWO_WAYS
def test_what_is_over_a_documented_limit_is_refused(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for case, (name, blocks, why) in TOO_MUCH.items():
        messages = [SystemMessage("Be brief"), HumanMessage(blocks)]
        match = rf"{name} .*{why}"
        with subtests.test(case), pytest.raises(errors.MessageError, match=match):
            call_model(model_at(server, name), messages)
    assert server.requests == []


AT_THE_LIMIT: dict[str, tuple[str, list[Any]]] = {
    "turbo, 80 frames": (TURBO, [frames(80)]),
    "3, 128 frames": (OMNI_3, [frames(128)]),
    "3.8, 2,048 frames": (OMNI_3_8, [frames(2_048)]),
    "3.8, 64 videos": (OMNI_3_8, [VIDEO] * 64),
    "3.5, 250 videos in base64 and 512 at URLs": (
        OMNI_3_5,
        [{"video": MP4_URI}] * 250 + [{"video": URL}] * 512,
    ),
    "a video of 10 MB": (OMNI_3_5, [{"video": BIG[:10_485_760]}]),
    "a large image of 3.8, for which none is documented": (OMNI_3_8, images(1, BIG_IMAGE)),
}


def test_what_is_at_a_limit_is_sent(server: LocalDashScope, subtests: pytest.Subtests) -> None:
    for case, (name, blocks) in AT_THE_LIMIT.items():
        with subtests.test(case):
            assert model_at(server, name).invoke([HumanMessage(blocks)]).content == "ok"
            assert len(server.requests[-1].messages[0]["content"]) == len(blocks)


# --- local files ---


def named(path: Path) -> dict[str, dict[str, Any]]:
    url = path.as_uri()
    return {
        "video": {"type": "video", "url": url},
        "video_url": {"type": "video_url", "video_url": {"url": url}},
        "frames": {"type": "video", "video": [url, url]},
        "image": {"type": "image", "url": url},
    }


FORMS = ["video", "video_url", "frames", "image"]


@pytest.fixture(params=FORMS)
def form(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def stored(folder: Path, form: str) -> tuple[Path, dict[str, Any]]:
    """Write a file, and say what is sent of it."""
    is_video = form.startswith("video")
    path = folder / "a b.bin"
    path.write_bytes(MP4 if is_video else PNG)
    if is_video:
        return path, seen(MP4_URI)
    if form == "frames":
        return path, {"type": "video", "video": [PNG_URI, PNG_URI]}
    return path, {"type": "image_url", "image_url": {"url": PNG_URI}}


@TWO_WAYS
def test_a_local_file_is_sent_inline_where_its_folder_is_allowed(
    call_model: CallModel, server: LocalDashScope, tmp_path: Path, form: str
) -> None:
    path, part = stored(tmp_path, form)
    model = model_at(server, OMNI_3_8, local_files=[tmp_path])
    call_model(model, [HumanMessage([named(path)[form], QUESTION])])
    assert server.requests[0].messages[0]["content"] == [part, QUESTION]


@TWO_WAYS
def test_a_local_file_is_refused_where_it_is_not_allowed(
    call_model: CallModel, server: LocalDashScope, tmp_path: Path, form: str
) -> None:
    path, _ = stored(tmp_path, form)
    (tmp_path / "open").mkdir()
    message = HumanMessage([named(path)[form]])
    for local_files, why in ((False, "local_files=False"), ([tmp_path / "open"], "outside of")):
        with pytest.raises(errors.MessageError, match=why):
            call_model(model_at(server, OMNI_3_8, local_files=local_files), [message])
    assert server.requests == []


def test_a_local_file_is_never_read_for_answers_and_tools(
    server: LocalDashScope, tmp_path: Path, form: str
) -> None:
    path, _ = stored(tmp_path, form)
    block = named(path)[form]
    call: Any = {"type": "tool_call", "id": "1", "name": "f", "args": {}}
    model = model_at(server, OMNI_3_8, local_files=True)
    for messages in (
        [HumanMessage("?"), AIMessage([block]), HumanMessage("?")],
        [
            HumanMessage("?"),
            AIMessage("", tool_calls=[call]),
            ToolMessage([block], tool_call_id="1"),
        ],
    ):
        with pytest.raises(errors.MessageError, match="files are read for users only"):
            model.invoke(messages)
    assert server.requests == []


def test_a_local_file_of_another_kind_or_too_large_is_not_sent(
    server: LocalDashScope, tmp_path: Path, form: str
) -> None:
    path = tmp_path / "a.mp4"
    model = model_at(server, OMNI_3_5, local_files=True)
    for data, why in ((b"secret", "not that of a known"), (bytes(8_000_000), "10,485,760 bytes")):
        path.write_bytes(data)
        with pytest.raises(errors.MessageError, match=rf"a\.mp4: .*{why}"):
            model.invoke([HumanMessage([named(path)[form]])])
    assert server.requests == []


# --- tools ---

CALLED: list[Any] = [{"type": "tool_call", "id": "1", "name": "record", "args": {}}]


def after_tool(content: Any) -> list[Any]:
    result = ToolMessage(content, tool_call_id="1")
    return [HumanMessage("Record"), AIMessage("", tool_calls=CALLED), result]


@tool
def record() -> list[dict[str, Any]]:
    """Record."""
    return [VIDEO]


@TWO_WAYS
def test_a_video_that_a_tool_returned_goes_into_a_users_message(
    call_model: CallModel, server: LocalDashScope
) -> None:
    for content in ([VIDEO], json.dumps([VIDEO]), json.dumps(VIDEO)):
        call_model(model_at(server, OMNI_3_8), after_tool(content))
        assert server.requests[-1].messages[2:] == [
            {"role": "tool", "content": "[video: see the next message]", "tool_call_id": "1"},
            {"role": "user", "content": [seen(URL)]},
        ], content


def test_a_tool_of_langchain_may_return_a_video(server: LocalDashScope) -> None:
    result = record.invoke(CALLED[0])
    model_at(server, OMNI_3_8).invoke([*after_tool("")[:2], result])
    assert server.requests[0].messages[3] == {"role": "user", "content": [seen(URL)]}


JSON_TEXTS = {
    "a local file": [{"type": "video", "url": "file:///etc/hostname"}],
    "a local file among frames": [{"video": ["https://h/1.png", "file:///etc/hostname"]}],
    "no frames": {"video": []},
    "other JSON": [VIDEO, {"views": 3}],
    "a number": {"video": 3},
}


def test_other_json_of_a_tool_stays_text(server: LocalDashScope) -> None:
    for name, content in JSON_TEXTS.items():
        text = json.dumps(content)
        model_at(server, OMNI_3_8).invoke(after_tool(text))
        result = {"role": "tool", "content": text, "tool_call_id": "1"}
        assert server.requests[-1].messages[2:] == [result], name


def test_json_of_a_video_stays_text_for_a_model_that_takes_none(server: LocalDashScope) -> None:
    text = json.dumps([VIDEO])
    model_at(server, BLIND[0]).invoke(after_tool(text))
    assert server.requests[0].messages[2]["content"] == [{"text": text}]


def test_a_video_in_an_answer_is_refused(server: LocalDashScope) -> None:
    with pytest.raises(errors.MessageError, match=r"messages\[1\]: an answer came .* a video"):
        model_at(server, OMNI_3_8).invoke(
            [HumanMessage("?"), AIMessage([VIDEO]), HumanMessage("?")]
        )
    assert server.requests == []


# --- counts ---


FRAMES_OF_5 = {"type": "video", "video": ["https://example.com/1.png"] * 5}
COUNTED = [
    (OMNI_3_5, IMAGE, 1_280 + 2),
    (OMNI_3_5, FRAMES_OF_5, 3 * 640 + 2),
    (OMNI_3_5, VIDEO, 180_224 + 2 + 3_600 * 7),
    (OMNI_3, FRAMES_OF_5, 3 * 768 + 2),
    (OMNI_3, VIDEO, 16_384 + 2 + 150 * 12.5),
    (TURBO, IMAGE, 1_280 + 2),
    (TURBO, FRAMES_OF_5, 0),
]


def test_images_and_videos_count_as_the_most_that_they_can_be(
    server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    for name, block, tokens in COUNTED:
        with subtests.test(name, tokens=tokens):
            model = model_at(server, name, region="cn-beijing")
            alone = model.get_num_tokens_from_messages([HumanMessage([QUESTION])])
            both = HumanMessage([QUESTION, block])
            assert model.get_num_tokens_from_messages([both]) == alone + tokens
            why = "counts as the most tokens" if tokens else "is not known"
            assert any(why in it for it in model.estimate_cost([both]).unknown)
    assert server.requests == []


def test_an_estimate_prices_an_image_as_one(server: LocalDashScope) -> None:
    model = model_at(server, "qwen3.5-omni-plus", region="cn-beijing")
    cost = model.estimate_cost([HumanMessage([QUESTION, IMAGE, VIDEO])])
    million = 1_000_000
    assert cost.breakdown["image_in"] == (1_282 + 180_226) * Decimal(7) / million
    assert cost.breakdown["audio_in"] == 3_600 * 7 * Decimal(53) / million
