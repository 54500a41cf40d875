"""What LlamaIndex users write → the exact JSON on the wire, the same as LangChain's users get."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from PIL import Image

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.errors import AudioError, MessageError, QwenAudioError
from langchain_qwen_audio.llama_index import QwenAudio
from langchain_qwen_audio.llama_index._messages import to_langchain_messages
from langchain_qwen_audio.local import Reply
from tests.unit_tests import conftest as langchain_ways
from tests.unit_tests._request.test_messages import (
    MP3,
    MP3_URI,
    URL,
    WAV,
    WAV_URI,
    b64,
    clip,
    data_uri,
)

from .conftest import CallModel, chat, llm_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio.local import LocalDashScope

QWEN_AUDIO, OMNI, OMNI_TURBO = "qwen-audio-turbo-latest", "qwen3.8-omni-flash", "qwen-omni-turbo"
QUESTION = TextBlock(text="What is said?")
ADD = {"name": "add", "arguments": '{"a": "é"}'}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.wav").write_bytes(WAV)
    (tmp_path / "really an mp3.wav").write_bytes(MP3)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "notes.wav").write_text("No recording at all.")
    return tmp_path


def user(*blocks: Any) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, blocks=list(blocks))


def sent(
    call_model: CallModel, server: LocalDashScope, *messages: ChatMessage
) -> list[dict[str, Any]]:
    """Call the model; return the messages on the wire; the rest of the body is as always."""
    server.clear()
    call_model(QwenAudio(base_url=server.base_url, api_key="local", local_files=True), messages)
    (request,) = server.requests
    incremental = {"incremental_output": True} if "stream" in call_model.__name__ else {}
    assert request.json == {
        "model": QWEN_AUDIO,
        "input": {"messages": request.messages},
        "parameters": {"result_format": "message", **incremental},
    }
    return request.messages


def assert_refused(
    llm: QwenAudio, server: LocalDashScope, message: Any, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        chat(llm, [message])
    assert server.requests == [], "a refused message was sent"


# --- the blocks -------------------------------------------------------------------------------


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


PNG = _png()
BLOCKS: dict[str, tuple[Callable[[Path], AudioBlock], str]] = {
    "bytes": (lambda _: AudioBlock(audio=WAV), WAV_URI),
    "bytes with a format": (lambda _: AudioBlock(audio=WAV, format="wav"), WAV_URI),
    "bytes with a wrong format": (lambda _: AudioBlock(audio=MP3, format="wav"), MP3_URI),
    "bytes with a MIME type": (lambda _: AudioBlock(audio=MP3, format="audio/x-wav"), MP3_URI),
    "base64 as bytes": (lambda _: AudioBlock(audio=b64(MP3).encode()), MP3_URI),
    "bytes put in later": (lambda _: _put_in_later(MP3), MP3_URI),
    "file object": (lambda _: AudioBlock(audio=io.BytesIO(MP3)), MP3_URI),
    "file object with a wrong format": (
        lambda _: AudioBlock(audio=io.BytesIO(MP3), format="flac"),
        MP3_URI,
    ),
    "file object read to its end": (lambda _: AudioBlock(audio=_at_its_end(WAV)), WAV_URI),
    "path": (lambda folder: AudioBlock(path=folder / "a.wav"), WAV_URI),
    "path with a format": (lambda folder: AudioBlock(path=folder / "a.wav", format="wav"), WAV_URI),
    "path with the wrong suffix": (
        lambda folder: AudioBlock(path=folder / "really an mp3.wav"),
        MP3_URI,
    ),
    "URL": (lambda _: AudioBlock(url=URL), URL),
    "URL with a format": (lambda _: AudioBlock(url=URL, format="mp3"), URL),
    "data URI": (lambda _: AudioBlock(url=WAV_URI), WAV_URI),
    "data URI with a wrong type": (lambda _: AudioBlock(url=data_uri(MP3, "audio/x")), MP3_URI),
    "file URL": (lambda folder: AudioBlock(url=(folder / "a.wav").as_uri()), WAV_URI),
    "bytes before a URL": (lambda _: AudioBlock(audio=WAV, url=URL), WAV_URI),
    "path before a URL": (lambda folder: AudioBlock(path=folder / "a.wav", url=URL), WAV_URI),
}


def _put_in_later(data: bytes) -> AudioBlock:
    block = AudioBlock()
    block.audio = data  # which LlamaIndex does not look at
    return block


def _at_its_end(data: bytes) -> io.BytesIO:
    file = io.BytesIO(data)
    file.read()
    return file


def test_audio_in_every_form(call_model: CallModel, server: LocalDashScope, folder: Path) -> None:
    messages = [user(make(folder), QUESTION) for make, _ in BLOCKS.values()]
    assert sent(call_model, server, *messages) == [
        {"role": "user", "content": [{"audio": expected}, {"text": "What is said?"}]}
        for _, expected in BLOCKS.values()
    ]


# What LlamaIndex guesses of these is a video, another type, or nothing at all.
CONTAINERS = {
    "m4a": (clip("ipod", "aac"), "audio/mp4"),
    "webm": (clip("webm", "libopus"), "audio/webm"),
    "ogg": (clip("ogg", "libopus"), "audio/ogg"),
    "aac": (clip("adts", "aac"), "audio/aac"),
}


def test_odd_guesses_are_corrected_from_the_bytes(
    server: LocalDashScope, caplog: pytest.LogCaptureFixture
) -> None:
    llm = llm_at(server, "qwen3-asr-flash")  # which takes all of these as they are
    with caplog.at_level(logging.WARNING, "langchain_qwen_audio"):
        for data, mime_type in CONTAINERS.values():
            chat(llm, [user(AudioBlock(audio=data))])
            (content,) = server.requests[-1].messages[0]["content"]
            assert content == {"audio": data_uri(data, mime_type)}
    assert caplog.messages == [], "the user is told off for what LlamaIndex guessed"


def test_uploads_keep_their_names() -> None:
    (message,) = to_langchain_messages([user(AudioBlock(url="oss://b/A.wav"))])
    assert message.content == [{"type": "audio", "url": "oss://b/A.wav"}]


def test_a_message_is_sent_twice(
    call_model: CallModel, server: LocalDashScope, llm: QwenAudio
) -> None:
    message = user(AudioBlock(audio=io.BytesIO(WAV)))
    for _ in range(2):
        call_model(llm, [message])
    first, second = server.requests
    assert first.body == second.body


def test_several_in_a_message_keep_their_order(
    call_model: CallModel, server: LocalDashScope, folder: Path
) -> None:
    blocks = [
        TextBlock(text="first"),
        AudioBlock(audio=MP3),
        TextBlock(text="then"),
        AudioBlock(path=folder / "a.wav"),
        AudioBlock(url=URL),
        TextBlock(text=""),
    ]
    assert sent(call_model, server, user(*blocks)) == [
        {
            "role": "user",
            "content": [
                {"text": "first"},
                {"audio": MP3_URI},
                {"text": "then"},
                {"audio": WAV_URI},
                {"audio": URL},
                {"text": ""},
            ],
        }
    ]


def test_audio_in_every_role(call_model: CallModel, server: LocalDashScope) -> None:
    roles = {
        **dict.fromkeys(("system", "developer"), "system"),
        **dict.fromkeys(("assistant", "chatbot", "model"), "assistant"),
        "user": "user",
    }
    messages = [
        ChatMessage(role=role, blocks=[TextBlock(text="Hm."), AudioBlock(audio=WAV)])
        for role in roles
    ]
    assert sent(call_model, server, *messages, user(QUESTION))[:-1] == [
        {"role": on_wire, "content": [{"text": "Hm."}, {"audio": WAV_URI}]}
        for on_wire in roles.values()
    ]


@pytest.mark.parametrize("role", ["tool", "function"])
def test_audio_of_a_tool_is_sent_as_a_users(
    call_model: CallModel, server: LocalDashScope, role: str, folder: Path
) -> None:
    calls = ChatMessage(
        role="assistant", blocks=[ToolCallBlock(tool_call_id="1", tool_name="load")]
    )
    result = ChatMessage(
        role=role,
        blocks=[TextBlock(text="half a second"), AudioBlock(path=folder / "a.wav")],
        additional_kwargs={"tool_call_id": "1", "name": "load"},
    )
    assert sent(call_model, server, user(QUESTION), calls, result)[2:] == [
        {
            "role": "tool",
            "name": "load",
            "content": [{"text": "half a second"}],
            "tool_call_id": "1",
        },
        {"role": "user", "content": [{"audio": WAV_URI}]},
    ]


def test_a_result_of_no_call_in_particular(call_model: CallModel, server: LocalDashScope) -> None:
    result = ChatMessage(role="function", content="4", additional_kwargs={"name": "add"})
    assert sent(call_model, server, user(QUESTION), result)[1] == {
        "role": "tool",
        "name": "add",
        "content": [{"text": "4"}],
    }


def test_names_travel(call_model: CallModel, server: LocalDashScope) -> None:
    message = ChatMessage(role="user", content="Hi.", additional_kwargs={"name": "Ada"})
    assert sent(call_model, server, message) == [
        {"role": "user", "name": "Ada", "content": [{"text": "Hi."}]}
    ]


def test_texts_stay_texts(server: LocalDashScope, folder: Path) -> None:
    path = str(folder / "a.wav")
    texts = [path, f"file://{path}", '[{"type": "audio", "base64": "UklGRg=="}]', ""]
    messages = [
        ChatMessage(role=role, content=text, additional_kwargs={"tool_call_id": "1"})
        for role in ("system", "user", "assistant", "tool")
        for text in texts
    ]
    on_wire = sent(chat, server, user(QUESTION), *messages, user(QUESTION))
    assert [it["content"] for it in on_wire[1:-1]] == [[{"text": text}] for text in texts] * 4


def test_a_message_without_blocks_says_nothing(
    call_model: CallModel, server: LocalDashScope
) -> None:
    assert sent(call_model, server, ChatMessage(role="assistant"), user(QUESTION)) == [
        {"role": "assistant", "content": [{"text": ""}]},
        {"role": "user", "content": [{"text": "What is said?"}]},
    ]


# --- what is refused --------------------------------------------------------------------------

CACHE = CachePoint(cache_control=CacheControl(type="ephemeral"))
REFUSED: dict[str, tuple[str, Any, str]] = {
    "a video for a model without video input": (
        "user",
        VideoBlock(url=URL),
        "type 'video' came.*qwen3.8-omni-flash takes videos",
    ),
    "document": (
        "user",
        DocumentBlock(data=b"%PDF-1.7"),
        r"messages\[0\]\.blocks\[1\]: a block of type 'document'",
    ),
    "cache point": ("user", CACHE, "a block of type 'cache'"),
    "citable": ("user", CitableBlock(title="t", source="s", content="c"), "type 'citable'"),
    "citation": (
        "assistant",
        CitationBlock(cited_content="c", source="s", title="t", additional_location_info={}),
        "type 'citation'",
    ),
    "a user's thought": ("user", ThinkingBlock(content="Hm."), "a block of type 'thinking'"),
    "a system's thought": ("system", ThinkingBlock(content="Hm."), "a block of type 'thinking'"),
    "a user's call": ("user", ToolCallBlock(tool_name="f"), "a block of type 'tool_call'"),
    "an image for a model without image input": (
        "user",
        ImageBlock(image=PNG),
        "type 'image' came",
    ),
    "no audio": ("user", AudioBlock(), "an audio block without audio came"),
    "empty audio": ("user", AudioBlock(audio=b""), "an audio block without audio came"),
    "file of a URL in an answer": (
        "assistant",
        AudioBlock(url="file:///etc/hostname"),
        "files are read for users only",
    ),
}


def test_what_cannot_be_sent_is_refused(
    server: LocalDashScope, llm: QwenAudio, subtests: pytest.Subtests
) -> None:
    for name, (role, block, match) in REFUSED.items():
        message = ChatMessage(role=role, blocks=[TextBlock(text="a"), block])
        with subtests.test(name):
            assert_refused(llm, server, message, MessageError, match)


UNUSABLE: dict[str, tuple[Callable[[Path], AudioBlock], str]] = {
    "no recording": (lambda folder: AudioBlock(path=folder / "notes.wav"), "notes.wav: 20 bytes"),
    "an empty file": (lambda folder: AudioBlock(path=folder / "empty.wav"), "empty.wav"),
    "an empty file object": (lambda _: AudioBlock(audio=io.BytesIO()), r"messages\[0\]\.blocks"),
    "bytes that are none": (lambda _: AudioBlock(audio=b"\0nothing"), "not usable audio"),
    "base64 twice": (
        lambda _: AudioBlock(audio=base64.encodebytes(WAV)),
        "not usable audio",
    ),
    "a file of text": (lambda _: AudioBlock(audio=io.StringIO("abc")), "binary mode"),
    "a file that has gone": (lambda folder: _gone(folder / "a.wav"), "it cannot be read"),
}


def _gone(path: Path) -> AudioBlock:
    block = AudioBlock(path=path)
    path.unlink()
    return block


def test_unusable_audio_is_refused(
    server: LocalDashScope, llm: QwenAudio, folder: Path, subtests: pytest.Subtests
) -> None:
    for name, (make, match) in UNUSABLE.items():
        with subtests.test(name):
            assert_refused(llm, server, user(make(folder)), AudioError, match)


def test_an_open_file_has_no_say_over_what_users_may_name(
    server: LocalDashScope, folder: Path
) -> None:
    llm = llm_at(server, QWEN_AUDIO)
    url = (folder / "a.wav").as_uri()
    assert_refused(llm, server, user(AudioBlock(url=url)), QwenAudioError, "local_files")
    chat(llm, [user(AudioBlock(path=folder / "a.wav"))])  # the program's own doing


def test_no_message_at_all(server: LocalDashScope, llm: QwenAudio) -> None:
    with pytest.raises(MessageError, match="at least one"):
        llm.chat([])


# --- images -----------------------------------------------------------------------------------

PNG_URI = data_uri(PNG, "image/png")
IMAGES: dict[str, tuple[Callable[[Path], ImageBlock], str]] = {
    "bytes": (lambda _: ImageBlock(image=PNG), PNG_URI),
    "bytes with a wrong type": (lambda _: ImageBlock(image=PNG, image_mimetype="image/x"), PNG_URI),
    "file object": (lambda _: ImageBlock(image=io.BytesIO(PNG)), PNG_URI),
    "path": (lambda folder: ImageBlock(path=_write(folder / "a.jpg", PNG)), PNG_URI),
    "URL": (lambda _: ImageBlock(url="https://h/a.png"), "https://h/a.png"),
    "data URI": (lambda _: ImageBlock(url=PNG_URI), PNG_URI),
}


def _write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_images_go_to_models_that_see(server: LocalDashScope, folder: Path) -> None:
    chat(llm_at(server, OMNI), [user(make(folder), QUESTION) for make, _ in IMAGES.values()])
    assert [message["content"] for message in server.requests[0].messages] == [
        [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": QUESTION.text}]
        for _, url in IMAGES.values()
    ]


@pytest.mark.parametrize("block", [ImageBlock(), ImageBlock(image=b"")], ids=["none", "empty"])
def test_an_image_of_nothing_is_refused(server: LocalDashScope, block: ImageBlock) -> None:
    assert_refused(llm_at(server, OMNI), server, user(block), ValueError, "zero bytes|as an image")


# --- videos -----------------------------------------------------------------------------------

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(12)
MP4_URI = data_uri(MP4, "video/mp4")
VIDEOS: dict[str, tuple[Callable[[Path], VideoBlock], dict[str, Any]]] = {
    "bytes": (lambda _: VideoBlock(video=MP4), {"video_url": {"url": MP4_URI}}),
    "file object": (
        lambda _: VideoBlock(video=io.BytesIO(MP4)),
        {"video_url": {"url": MP4_URI}},
    ),
    "path": (
        lambda folder: VideoBlock(path=_write(folder / "a.mp4", MP4)),
        {"video_url": {"url": MP4_URI}},
    ),
    "URL": (
        lambda _: VideoBlock(url="https://h/a.mp4", fps=4),
        {"video_url": {"url": "https://h/a.mp4"}, "fps": 4},
    ),
}


def test_videos_go_to_models_that_take_them(server: LocalDashScope, folder: Path) -> None:
    chat(llm_at(server, OMNI), [user(make(folder), QUESTION) for make, _ in VIDEOS.values()])
    assert [message["content"] for message in server.requests[0].messages] == [
        [{"type": "video_url", **part}, {"type": "text", "text": QUESTION.text}]
        for _, part in VIDEOS.values()
    ]


@pytest.mark.parametrize("block", [VideoBlock(), VideoBlock(video=b"")], ids=["none", "empty"])
def test_a_video_of_nothing_is_refused(server: LocalDashScope, block: VideoBlock) -> None:
    assert_refused(llm_at(server, OMNI), server, user(block), ValueError, "zero bytes|as a video")


# --- calls and thoughts -----------------------------------------------------------------------


def called(**fields: Any) -> ChatMessage:
    return ChatMessage(role="assistant", **fields)


CALLS: dict[str, ChatMessage] = {
    "block": called(
        blocks=[
            TextBlock(text=""),
            ToolCallBlock(tool_call_id="1", tool_name="add", tool_kwargs={"a": "é"}),
        ]
    ),
    "block whose arguments are text": called(
        blocks=[ToolCallBlock(tool_call_id="1", tool_name="add", tool_kwargs='{"a": "é"}')]
    ),
    "as it was before there were blocks": called(
        additional_kwargs={"tool_calls": [{"id": "1", "type": "function", "function": ADD}]}
    ),
}


def test_calls_and_their_results(call_model: CallModel, server: LocalDashScope) -> None:
    result = ChatMessage(role="tool", content="4", additional_kwargs={"tool_call_id": "1"})
    llm = llm_at(server, OMNI)
    for name, call in CALLS.items():
        call_model(llm, [user(QUESTION), call, result])
        assert server.requests[-1].messages[1:] == [
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "1", "type": "function", "function": ADD}],
            },
            {"role": "tool", "content": "4", "tool_call_id": "1"},
        ], name


def test_a_call_that_is_not_well_formed_is_kept(server: LocalDashScope) -> None:
    broken = called(blocks=[ToolCallBlock(tool_call_id="1", tool_name="add", tool_kwargs="{")])
    chat(llm_at(server, OMNI), [broken, user(QUESTION)])
    (call,) = server.requests[0].messages[0]["tool_calls"]
    assert call["function"] == {"name": "add", "arguments": "{"}


def test_thoughts_go_back_where_they_came_from(
    call_model: CallModel, server: LocalDashScope
) -> None:
    thoughts = [ThinkingBlock(content="H"), ThinkingBlock(), ThinkingBlock(content="m.")]
    call_model(
        llm_at(server, OMNI), [called(blocks=[*thoughts, TextBlock(text="a")]), user(QUESTION)]
    )
    assert server.requests[0].messages[0] == {
        "role": "assistant",
        "content": "a",
        "reasoning_content": "Hm.",
    }


# --- the same bytes as through LangChain ------------------------------------------------------


def load_call(block: bool) -> Any:
    if block:
        return ToolCallBlock(tool_call_id="1", tool_name="load", tool_kwargs={"b": 1, "a": "é"})
    return {"type": "tool_call", "id": "1", "name": "load", "args": {"b": 1, "a": "é"}}


CONVERSATIONS: dict[str, tuple[list[Any], list[ChatMessage]]] = {
    "text": ([HumanMessage("Hi.")], [ChatMessage("Hi.")]),
    "system, audio and text": (
        [
            SystemMessage("Be brief."),
            HumanMessage(
                [Audio.from_bytes(MP3).to_block(), {"type": "text", "text": "What is said?"}]
            ),
        ],
        [
            ChatMessage(role="system", content="Be brief."),
            user(AudioBlock(audio=MP3), QUESTION),
        ],
    ),
    "turns": (
        [
            HumanMessage([{"type": "audio", "url": URL}, {"type": "text", "text": "?"}]),
            AIMessage("Nothing."),
            HumanMessage("Sure?"),
        ],
        [
            user(AudioBlock(url=URL), TextBlock(text="?")),
            ChatMessage(role="assistant", content="Nothing."),
            ChatMessage("Sure?"),
        ],
    ),
    "a tool that loads": (
        [
            HumanMessage("Load it."),
            AIMessage(
                "",
                tool_calls=[load_call(block=False)],
                additional_kwargs={"reasoning_content": "Hm."},
            ),
            ToolMessage(
                [{"type": "text", "text": "0.5 s"}, Audio.from_bytes(WAV).to_block()],
                tool_call_id="1",
            ),
        ],
        [
            ChatMessage("Load it."),
            called(blocks=[ThinkingBlock(content="Hm."), load_call(block=True)]),
            ChatMessage(
                role="tool",
                blocks=[TextBlock(text="0.5 s"), AudioBlock(audio=WAV)],
                additional_kwargs={"tool_call_id": "1"},
            ),
        ],
    ),
}
TOOL = {
    "type": "function",
    "function": {
        "name": "load",
        "description": "Load.",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    },
}
OPTIONS: dict[str, dict[str, Any]] = {
    "parameters": {"temperature": 0.0, "stop": ["x"], "seed": 1},
    "tools": {"tools": [TOOL], "tool_choice": "load", "parallel_tool_calls": False},
}


# Each of LlamaIndex's ways to call a model, and LangChain's.
LANGCHAIN = {
    "chat": langchain_ways.invoke,
    "achat": langchain_ways.ainvoke,
    "stream_chat": langchain_ways.stream,
    "astream_chat": langchain_ways.astream,
}


def assert_the_same_bytes(
    call_model: CallModel, server: LocalDashScope, name: str, model: str, options: dict[str, Any]
) -> None:
    server.clear()
    theirs, ours = CONVERSATIONS[name]
    fields: dict[str, Any] = {"base_url": server.base_url, "api_key": "local", "model": model}
    fields |= {"max_tokens": 9, "temperature": 0.5}
    call_model(QwenAudio(**fields), ours, **options)

    chosen = dict(options)
    tools = chosen.pop("tools", None)
    chat_model = ChatQwenAudio(**fields)
    bound = chat_model.bind_tools(tools, **chosen) if tools else chat_model.bind(**chosen)
    LANGCHAIN[call_model.__name__](bound, theirs)
    first, second = server.requests
    assert first.body == second.body
    assert first.path == second.path


@pytest.mark.parametrize("model", [QWEN_AUDIO, OMNI, OMNI_TURBO])
def test_the_same_bytes_as_through_langchain(
    server: LocalDashScope, model: str, subtests: pytest.Subtests
) -> None:
    for name in CONVERSATIONS:
        with subtests.test(name):
            assert_the_same_bytes(chat, server, name, model, {})
    for name, options in OPTIONS.items():
        with subtests.test(f"a tool that loads, {name}"):
            assert_the_same_bytes(chat, server, "a tool that loads", model, options)


@pytest.mark.parametrize("model", [QWEN_AUDIO, OMNI])
def test_the_same_bytes_in_every_way(
    call_model: CallModel, server: LocalDashScope, model: str
) -> None:
    assert_the_same_bytes(call_model, server, "a tool that loads", model, OPTIONS["tools"])


@pytest.mark.parametrize("model", [QWEN_AUDIO, OMNI])
def test_an_answer_goes_back_as_langchain_sends_it(
    call_model: CallModel, server: LocalDashScope, model: str
) -> None:
    """An answer with a thought, a text and a call, put into the next request by either."""
    call = {"name": "load", "arguments": {"a": "é"}, "id": "call_1"}
    reasoning = "Hm." if model == OMNI else ""
    reply = Reply("Let me load it.", tool_calls=[call], reasoning=reasoning)
    llm = llm_at(server, model)
    server.script(reply)
    answer = call_model(llm, [ChatMessage("Load it.")], tools=[TOOL])[-1]
    raw = answer.raw
    assert isinstance(raw, AIMessage)
    server.clear()

    result = ChatMessage(role="tool", content="4", additional_kwargs={"tool_call_id": "call_1"})
    chat(llm, [ChatMessage("Load it."), answer.message, result], tools=[TOOL])
    history = [HumanMessage("Load it."), raw, ToolMessage("4", tool_call_id="call_1")]
    llm.chat_model.bind_tools([TOOL]).invoke(history)
    first, second = server.requests
    assert first.body == second.body
    assert all(part in str(first.messages) for part in ("Let me load it.", "é", reasoning))
