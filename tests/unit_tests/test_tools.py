"""The tools: what they return, which audio they load, and what they do not let a model reach."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, ToolException
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from langchain_qwen_audio import (
    AskAudio,
    Audio,
    ChatQwenAudio,
    ListAudio,
    LoadAudio,
    QwenAudioToolkit,
    TranscribeAudio,
    TranscriptionJobs,
    errors,
)
from langchain_qwen_audio.local import LocalDashScope, RawReply, Reply, error_reply
from tests.unit_tests._media.test_download import Web

from ._media.file_builders import nodata_amr, without_length
from .models import ASR, RECOGNITION, model_at
from .recordings import decode_all, encode, noise, read, sent_clips, tone, wav

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

TONE = wav(tone(2.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder of recordings, beside things that are none of the model's business."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.wav").write_bytes(TONE)
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "tone.wav").write_bytes(TONE)
    (folder / "sub" / "日本 é.wav").write_bytes(TONE)
    (folder / "speech.mp3").write_bytes(read("speech.mp3"))
    (folder / "half.wav").write_bytes(wav(np.concatenate([tone(1.0), 0 * tone(1.0)])))
    (folder / "silence.wav").write_bytes(wav(0 * tone(1.0)))
    (folder / "notes.wav").write_text("No recording at all.")
    (folder / "empty.wav").write_bytes(b"")
    (folder / "cut.wav").write_bytes(TONE[: len(TONE) // 2])
    (folder / "link.wav").symlink_to("tone.wav")
    (folder / "out.wav").symlink_to(outside / "secret.wav")
    (folder / "out").symlink_to(outside)
    (folder / "circle.wav").symlink_to("circle.wav")
    (folder / "zero.wav").symlink_to("/dev/zero")
    os.mkfifo(folder / "pipe.wav")
    return folder


class Call(Protocol):
    """Call a tool as an agent does, synchronously or not."""

    def __call__(self, tool: BaseTool, /, **args: Any) -> ToolMessage: ...


def tool_call(tool: BaseTool, args: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_call", "id": "1", "name": tool.name, "args": args}


def call_now(tool: BaseTool, /, **args: Any) -> ToolMessage:
    message = tool.invoke(tool_call(tool, args))
    assert isinstance(message, ToolMessage)
    return message


def call_later(tool: BaseTool, /, **args: Any) -> ToolMessage:
    message = asyncio.run(tool.ainvoke(tool_call(tool, args)))
    assert isinstance(message, ToolMessage)
    return message


def parts_of(message: ToolMessage) -> tuple[str, dict[str, Any]]:
    """Take the text and the block of a recording out of a message."""
    assert isinstance(message.content, list)
    text, block = message.content
    assert isinstance(text, dict)
    assert isinstance(block, dict)
    assert (text["type"], block["type"]) == ("text", "file")
    return text["text"], block


@pytest.fixture(params=[call_now, call_later], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    way: Call = request.param
    return way


# --- load_audio -------------------------------------------------------------------------------


def test_a_recording_comes_with_a_description_and_no_artifact(call: Call, folder: Path) -> None:
    message = call(LoadAudio(root_dir=folder), audio="tone.wav")
    assert message.status == "success"
    text, block = parts_of(message)
    assert text == (
        "tone.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s), level -15 dBFS, peak -11 dBFS, "
        "0 % silence"
    )
    assert block == {**Audio.from_bytes(TONE).to_block(), "type": "file"}
    assert message.artifact is None
    assert Audio.from_message(message).data == TONE


DESCRIPTIONS = {
    "half.wav": "half.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s), level -21 dBFS, "
    "peak -11 dBFS, 50 % silence",
    "silence.wav": "silence.wav: 1.0 s, audio/wav, 16000 Hz, 1 channel(s), level -110 dBFS, "
    "peak -110 dBFS, 100 % silence",
    "sub/日本 é.wav": "sub/日本 é.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s), level -15 dBFS, "
    "peak -11 dBFS, 0 % silence",
    "./sub/../link.wav": "./sub/../link.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s), "
    "level -15 dBFS, peak -11 dBFS, 0 % silence",
}


def test_the_description_says_what_there_is_to_know(folder: Path) -> None:
    load = LoadAudio(root_dir=folder)
    told = {name: load.invoke({"audio": name})[0]["text"] for name in DESCRIPTIONS}
    assert told == DESCRIPTIONS


def test_another_format_is_named_and_passed_on_as_it_is(call: Call, folder: Path) -> None:
    text, block = parts_of(call(LoadAudio(root_dir=folder), audio="speech.mp3"))
    assert text.startswith("speech.mp3: 1.1 s, audio/mpeg, 16000 Hz, 1 channel(s), level")
    assert block["mime_type"] == "audio/mpeg"
    assert Audio.from_base64(block["base64"]).data == read("speech.mp3")


PARTS: list[tuple[dict[str, Any], float, float]] = [
    ({"start_s": 0.5, "end_s": 1.25}, 0.5, 1.25),
    ({"start_s": 1.5}, 1.5, 2.0),
    ({"end_s": 0.5}, 0.0, 0.5),
    ({"start_s": 0}, 0.0, 2.0),
    ({"start_s": 0, "end_s": 99}, 0.0, 2.0),
    ({"end_s": 1e308}, 0.0, 2.0),
    ({"start_s": None, "end_s": None}, 0.0, 2.0),
]


def test_only_a_part_comes(call: Call, folder: Path) -> None:
    samples = noise(2.0)
    (folder / "noise.wav").write_bytes(wav(samples))
    for part, start, end in PARTS:
        message = call(LoadAudio(root_dir=folder), audio="noise.wav", **part)
        text, block = parts_of(message)
        assert f": {end - start:.1f} s, " in text, part
        loaded = decode_all(Audio.from_base64(block["base64"]).data).samples
        assert np.array_equal(loaded, samples[int(start * 16_000) : int(end * 16_000)]), part


def test_a_part_of_a_recording_that_is_too_long(call: Call, folder: Path) -> None:
    load = LoadAudio(root_dir=folder, max_duration_s=1.0)
    assert call(load, audio="tone.wav", start_s=0.5, end_s=1.5).status == "success"
    message = call(load, audio="tone.wav")
    assert message.status == "error"
    assert message.content == (
        "tone.wav: it is 2.0 s long, at most 1 s are taken at once; name a part of it, "
        "with start_s and end_s"
    )


def test_the_rest_of_a_long_recording_is_not_held_to_find_out_that_it_is_too_long(
    folder: Path,
) -> None:
    (folder / "long.flac").write_bytes(encode(np.zeros(450 * 16_000, np.int16), "flac", "flac"))
    load = LoadAudio(root_dir=folder, max_duration_s=60)
    load.invoke({"audio": "tone.wav"})  # loads the codecs
    tracemalloc.start()
    try:
        message = call_now(load, audio="long.flac", start_s=1.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message.status == "error"
    assert "at most 60 s are taken at once" in str(message.content)
    assert peak < 7_000_000  # 60 s are 2 MB, all of it 14 MB


def test_what_is_too_long_is_refused_after_the_work_of_what_is_not(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "night.amr").write_bytes(nodata_amr(10))
    decode, decoded_s = Audio.decode, [0.0]

    def counted(self: Audio, sample_rate: int) -> Generator[bytes]:
        for block in decode(self, sample_rate):
            decoded_s[0] += len(block) / 2 / sample_rate
            yield block

    monkeypatch.setattr(Audio, "decode", counted)
    load = LoadAudio(root_dir=folder, max_duration_s=20)
    parts: list[dict[str, float]] = [{}, {"start_s": 1.0}, {"end_s": 36_000.0}]
    for part in parts:
        decoded_s[0] = 0.0
        message = call(load, audio="night.amr", **part)
        assert message.content == (
            "night.amr: it is longer than 20 s, at most 20 s are taken at once; name a part of it, "
            "with start_s and end_s"
        )
        assert decoded_s[0] < 25, part


def test_a_part_of_what_is_too_long_is_all_that_is_decoded(call: Call, folder: Path) -> None:
    (folder / "night.amr").write_bytes(nodata_amr(10))
    load = LoadAudio(root_dir=folder)
    message = call(load, audio="night.amr", start_s=3.0, end_s=8.0)
    assert ": 5.0 s, audio/wav" in parts_of(message)[0]
    beyond = call(load, audio="night.amr", start_s=40_000.0)
    assert "there is nothing from 40000 s to the end; it is 36000.0 s long" in beyond.content


def test_what_sounds_longer_than_its_header_says_is_not_decoded_to_its_end(
    call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "short.flac").write_bytes(without_length(encode(noise(60), "flac", "flac")))
    monkeypatch.setattr(Audio, "declared_s", 10.0)  # as if its header and its packets said so
    message = call(LoadAudio(root_dir=folder, max_duration_s=20), audio="short.flac")
    assert "it is longer than 20 s, at most 20 s" in str(message.content)


# --- what is refused --------------------------------------------------------------------------

NO_SUCH = "{}: there is no such recording in the folder"
NOWHERE = [
    *("missing.wav", "", ".", "sub", "..", "../outside/secret.wav", "sub/../../outside/secret.wav"),
    *("/etc/passwd", "/dev/zero", "~/x.wav", "out.wav", "out/secret.wav", "circle.wav"),
    *("zero.wav", "pipe.wav", "tone.wav/x", "a\0b.wav", "\0", "x" * 5000, "日本"),
    *("file:///etc/passwd", "file://localhost/etc/passwd", "ftp://a.example/x.wav", "data:,x"),
    *("oss://bucket/x.wav", "C:\\x.wav", "\\\\server\\x.wav", "\ud800.wav", "%2e%2e/x"),
]  # fmt: skip


def test_what_is_not_in_the_folder_is_not_there(call: Call, folder: Path) -> None:
    load = LoadAudio(root_dir=folder, allow_urls=True)
    told = {name: call(load, audio=name) for name in NOWHERE}
    # The same words whether it is missing or only elsewhere.
    assert {name: it.content for name, it in told.items()} == {
        name: NO_SUCH.format(name) for name in NOWHERE
    }
    assert {it.status for it in told.values()} == {"error"}


def test_outside_by_its_whole_path_is_not_there_either(call: Call, folder: Path) -> None:
    for name in (folder.parent / "outside" / "secret.wav", folder.parent / "outside" / "none.wav"):
        message = call(LoadAudio(root_dir=folder), audio=str(name))
        assert (message.status, message.content) == ("error", NO_SUCH.format(name))


def test_the_folder_may_itself_be_reached_through_a_link(call: Call, folder: Path) -> None:
    root = folder.parent / "root"
    root.symlink_to(folder)
    assert call(LoadAudio(root_dir=root), audio="tone.wav").status == "success"
    assert call(LoadAudio(root_dir=root), audio="out.wav").status == "error"


def test_a_file_exchanged_while_it_is_looked_at_is_not_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = LoadAudio._find

    def find_and_exchange(self: Any, audio: str, root: Path) -> Audio:
        result = found(self, audio, root)
        (folder / "tone.wav").unlink()
        (folder / "tone.wav").symlink_to(folder.parent / "outside" / "secret.wav")
        return result

    monkeypatch.setattr(LoadAudio, "_find", find_and_exchange)
    message = call_now(LoadAudio(root_dir=folder), audio="tone.wav")
    assert message.status == "error"
    assert message.content == "tone.wav: it cannot be read (Too many levels of symbolic links)"


UNUSABLE = {
    "notes.wav": "20 bytes came that are not usable audio",
    "empty.wav": "0 bytes came that are not usable audio",
    "cut.wav": "it is truncated",
}


def test_the_result_says_what_is_no_audio(call: Call, folder: Path) -> None:
    for name, words in UNUSABLE.items():
        message = call(LoadAudio(root_dir=folder), audio=name)
        assert message.status == "error", name
        assert str(message.content).startswith(f"{name}: ")
        assert words in str(message.content)


def test_what_is_too_large_is_not_read(call: Call, folder: Path) -> None:
    message = call(LoadAudio(root_dir=folder, max_bytes=len(TONE) - 1), audio="tone.wav")
    assert message.status == "error"
    assert message.content == "tone.wav: it is 64,044 bytes large, at most 64,043 are taken"
    assert call(LoadAudio(root_dir=folder, max_bytes=len(TONE)), audio="tone.wav").status != "error"


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"start_s": -1}, "start_s: Input should be greater than or equal to 0"),
    ({"end_s": 0}, "end_s: Input should be greater than 0"),
    ({"start_s": "soon"}, "start_s: Input should be a valid number"),
    ({"start_s": float("nan")}, "start_s: Input should be"),
    ({"start_s": float("inf")}, "start_s"),
    ({"start_s": 1e308}, "tone.wav: there is nothing from 1e+308 s to the end; it is 2.0 s long"),
    ({"start_s": 99}, "tone.wav: there is nothing from 99 s to the end; it is 2.0 s long"),
    (
        {"start_s": 1, "end_s": 0.5},
        "tone.wav: there is nothing from 1 s to 0.5 s; it is 2.0 s long",
    ),
    ({"start_s": 1, "end_s": 1}, "tone.wav: there is nothing from 1 s to 1 s; it is 2.0 s long"),
]


def test_nonsensical_times_are_explained(call: Call, folder: Path) -> None:
    for part, words in NONSENSE:
        message = call(LoadAudio(root_dir=folder), audio="tone.wav", **part)
        assert message.status == "error", part
        assert words in str(message.content)


def test_wrong_arguments_are_explained(call: Call, folder: Path) -> None:
    wrong: list[dict[str, Any]] = [{}, {"audio": 5}, {"audio": None}, {"path": "tone.wav"}]
    for args in wrong:
        message = call(LoadAudio(root_dir=folder), **args)
        assert message.status == "error", args
        assert str(message.content).startswith("audio: ")


def test_mistakes_raise_where_that_is_set(folder: Path) -> None:
    load = LoadAudio(root_dir=folder, handle_tool_error=False)
    with pytest.raises(ToolException, match="there is no such recording"):
        load.invoke({"audio": "missing.wav"})
    with pytest.raises(ToolException, match="there is no such recording"):
        asyncio.run(load.ainvoke({"audio": "missing.wav"}))


# --- URLs -------------------------------------------------------------------------------------


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.delenv("LANGCHAIN_ENV", raising=False)
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_urls_are_refused_unless_they_are_allowed(call: Call, folder: Path, web: Web) -> None:
    for url in (web.url(), web.url().replace("http", "HTTP")):
        message = call(LoadAudio(root_dir=folder), audio=url)
        assert message.status == "error"
        assert message.content == f"{url}: URLs are not allowed here; name a file"
    assert web.paths == []


def test_files_are_refused_where_there_is_no_folder(call: Call) -> None:
    for audio in ("tone.wav", "/etc/passwd", "file:///etc/passwd"):
        message = call(LoadAudio(allow_urls=True), audio=audio)
        assert message.status == "error"
        assert message.content == f"{audio}: files are not allowed here; name a URL"


PRIVATE = [
    *("127.0.0.1:PORT", "localhost:PORT", "[::1]:PORT", "0.0.0.0:PORT", "2130706433:PORT"),
    *("127.1:PORT", "0x7f.0.0.1:PORT", "[::ffff:127.0.0.1]:PORT", "10.0.0.1", "192.168.0.1"),
    *("169.254.169.254", "[fd00:ec2::254]", "metadata.google.internal", "user@127.0.0.1:PORT"),
]


def test_inside_addresses_are_not_reached(call: Call, web: Web) -> None:
    for host in PRIVATE:
        url = f"http://{host.replace('PORT', str(web.server_port))}/clip.mp3"
        message = call(LoadAudio(allow_urls=True), audio=url)
        assert message.status == "error", host
        assert str(message.content).startswith(f"{url}: it cannot be fetched: ")
    assert web.paths == []


def test_broken_urls_are_explained(call: Call) -> None:
    for url in ("http://", "http:///x", "http://[", "https://a:b/", "http://\0/"):
        message = call(LoadAudio(allow_urls=True), audio=url)
        assert message.status == "error", url
        assert str(message.content).startswith(f"{url}: it cannot be fetched: ")


REDIRECTS = {"/inside": "public network", "/metadata": "public network", "/file": "it cannot be"}


def test_a_redirect_to_the_inside_is_not_followed(
    call: Call, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGCHAIN_ENV", "local_test")  # LangChain's switch: this machine by name
    for path, words in REDIRECTS.items():
        message = call(LoadAudio(allow_urls=True), audio=web.url(path))
        assert message.status == "error", path
        assert words in str(message.content)
    assert web.paths == [*REDIRECTS]


def test_an_allowed_url_is_downloaded(
    call: Call, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGCHAIN_ENV", "local_test")
    load = LoadAudio(allow_urls=True)
    message = call(load, audio=web.url())
    assert message.status == "success"
    assert Audio.from_message(message).data == read("speech.mp3")
    page = call(load, audio=web.url("/text"))
    assert page.status == "error"
    assert "not usable audio" in str(page.content)
    missing = call(load, audio=web.url("/missing"))
    assert "the server answered 404" in str(missing.content)
    small = LoadAudio(allow_urls=True, max_bytes=100)
    assert "at most 100 are taken" in str(call(small, audio=web.url()).content)


# --- ask_audio --------------------------------------------------------------------------------


QUESTION = {"audio": "tone.wav", "question": "What is it?"}


def test_the_answer_comes_back(
    call: Call, server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    message = call(AskAudio(llm=model, root_dir=folder), **QUESTION)
    assert (message.status, message.content) == ("success", "ok")
    (wire,) = server.requests[-1].messages
    assert wire["role"] == "user"
    assert list(map(list, wire["content"])) == [["audio"], ["text"]]
    assert wire["content"][1]["text"] == "What is it?"
    assert sent_clips(server) == [TONE]


def test_asking_has_the_same_limits(
    call: Call, server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    for audio in ("missing.wav", "notes.wav", "../outside/secret.wav", "out.wav"):
        message = call(AskAudio(llm=model, root_dir=folder), audio=audio, question="?")
        assert message.status == "error", audio
        assert str(message.content).startswith(f"{audio}: ")
    url = call(AskAudio(llm=model), audio="http://localhost/x.wav", question="?")
    assert url.content == "http://localhost/x.wav: URLs are not allowed here; name a file"
    assert server.requests == []


def test_asking_about_what_is_too_long_recommends_no_argument_that_is_not_there(
    call: Call, server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    ask_audio = AskAudio(llm=model, root_dir=folder, max_duration_s=1)
    message = call(ask_audio, audio="tone.wav", question="?")
    assert message.status == "error"
    assert str(message.content).startswith("tone.wav: it is 2.0 s long, at most 1 s are taken")
    assert "start_s" not in str(message.content)
    assert server.requests == []


FAILURES: list[tuple[RawReply, type[Exception]]] = [
    (error_reply(401, "InvalidApiKey", "No."), errors.AuthenticationError),
    (error_reply(400, "DataInspectionFailed", "No."), errors.ContentFilterError),
    (error_reply(400, "InvalidParameter", "No."), errors.InvalidRequestError),
]


def test_what_the_calling_model_cannot_mend_raises(
    call: Call, server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    ask_audio = AskAudio(llm=model, root_dir=folder)
    for reply, error in FAILURES:
        server.script(reply)
        with pytest.raises(error):
            call(ask_audio, audio="tone.wav", question="?")


class Started(BaseCallbackHandler):
    """Remember what a model was started with, and its tokens."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.tools: list[Any] = []
        self.tokens: list[str] = []

    def on_tool_start(self, *args: Any, **run: Any) -> None:
        self.tools.append(run["run_id"])

    def on_chat_model_start(self, *args: Any, **run: Any) -> None:
        self.runs.append(run)

    def on_llm_new_token(self, token: Any, **run: Any) -> None:
        self.tokens.append(token)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_callbacks_and_config_pass_through(
    server: LocalDashScope, folder: Path, is_async: bool
) -> None:
    server.script(Reply(fragments=("one ", "two")))
    llm = ChatQwenAudio(base_url=server.base_url, api_key="local", streaming=True)
    ask_audio = AskAudio(llm=llm, root_dir=folder)
    handler = Started()
    config: Any = {"callbacks": [handler], "tags": ["mine"], "metadata": {"who": "me"}}
    if is_async:
        answer = asyncio.run(ask_audio.ainvoke(QUESTION, config))
    else:
        answer = ask_audio.invoke(QUESTION, config)
    assert answer == "one two"
    (run,) = handler.runs
    assert run["parent_run_id"] == handler.tools[0]
    assert run["tags"][0] == "mine"
    assert run["metadata"]["who"] == "me"
    assert "".join(handler.tokens) == "one two"


async def test_its_tokens_stream_with_the_events_of_whoever_calls(
    server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    server.script(Reply(fragments=("one ", "two ", "three")))
    ask_audio = AskAudio(llm=model, root_dir=folder)
    events = [event async for event in ask_audio.astream_events(QUESTION, version="v2")]
    tokens = [
        event["data"]["chunk"].text for event in events if event["event"] == "on_chat_model_stream"
    ]
    assert [token for token in tokens if token] == ["one ", "two ", "three"]
    kinds = [event["event"] for event in events]
    assert (kinds[0], kinds[-1]) == ("on_tool_start", "on_tool_end")
    assert events[-1]["data"]["output"] == "one two three"


@pytest.mark.parametrize("tool", ["load", "ask_audio"])
def test_the_limit_on_length_is_of_all_that_was_joined(
    call: Call, model: ChatQwenAudio, folder: Path, tool: str
) -> None:
    (folder / "joined.mp3").write_bytes(encode(tone(2), "mp3", "libmp3lame") * 3)
    if tool == "load":
        told = call(LoadAudio(root_dir=folder, max_duration_s=5), audio="joined.mp3")
    else:
        ask_audio = AskAudio(root_dir=folder, max_duration_s=5, llm=model)
        told = call(ask_audio, audio="joined.mp3", question="What is said?")
    assert "it is longer than 5 s, at most 5 s are taken" in str(told.content)


# --- transcribe_audio -------------------------------------------------------------------------


def test_a_recording_is_transcribed_in_segments(
    call: Call, server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    (folder / "long.wav").write_bytes(wav(np.concatenate([tone(25.0), 0 * tone(4.0), tone(9.0)])))
    told = call(TranscribeAudio(llm=model, root_dir=folder), audio="long.wav")
    assert (told.status, told.content) == ("success", "ok\n\nok")
    assert len(server.requests) == 2


def test_a_recording_without_speech_says_so(
    call: Call, server: LocalDashScope, folder: Path
) -> None:
    server.script("")
    told = call(TranscribeAudio(llm=model_at(server, ASR), root_dir=folder), audio="tone.wav")
    assert (told.status, told.content) == ("success", "There is no speech.")


UNTRANSCRIBED = {
    "../outside/secret.wav": "there is no such recording",
    "out.wav": "there is no such recording",
    "long.wav": "it is 3.0 s long, at most 2.5 s are taken",
    "cut.wav": "it is truncated",
}


def test_what_cannot_be_transcribed_is_a_tool_error(
    call: Call, server: LocalDashScope, folder: Path
) -> None:
    (folder / "long.wav").write_bytes(wav(tone(3.0)))
    tool = TranscribeAudio(llm=model_at(server, ASR), root_dir=folder, max_duration_s=2.5)
    for name, words in UNTRANSCRIBED.items():
        told = call(tool, audio=name)
        assert told.status == "error", name
        assert words in str(told.content)


def test_jobs_transcribe_too(call: Call, server: LocalDashScope, folder: Path) -> None:
    jobs = TranscriptionJobs(base_url=server.base_url, api_key="local", poll_interval=0.01)
    tool = TranscribeAudio(llm=jobs, root_dir=folder)
    assert call(tool, audio="tone.wav").content == "ok"


# --- list_audio and the toolkit ---------------------------------------------------------------


def test_the_folder_is_listed_with_lengths_and_sizes(call: Call, folder: Path) -> None:
    (folder / "notes.txt").write_text("x")
    (folder / "phone.amr").write_bytes(nodata_amr(1))
    size = f"2.0 s, {len(TONE):,} bytes"
    lines = str(call(ListAudio(root_dir=folder)).content).splitlines()
    assert lines == [
        f"cut.wav (2.0 s, {len(TONE) // 2:,} bytes)",
        "empty.wav (cannot be read, 0 bytes)",
        f"half.wav ({size})",
        f"link.wav ({size})",
        "notes.wav (cannot be read, 20 bytes)",
        f"phone.amr (length not known, {len(nodata_amr(1)):,} bytes)",
        "silence.wav (1.0 s, 32,044 bytes)",
        f"speech.mp3 (1.1 s, {len(read('speech.mp3')):,} bytes)",
        f"sub/日本 é.wav ({size})",
        f"tone.wav ({size})",
        "Files that are no recordings: 1",
    ]


def test_the_content_of_files_says_what_is_listed(call: Call, folder: Path) -> None:
    (folder / "call.bin").write_bytes(TONE)
    (folder / "voice").write_bytes(b"\x02#!SILK_V3")
    (folder / "cover.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    (folder / ".hidden.wav").write_bytes(TONE)
    lines = str(call(ListAudio(root_dir=folder)).content).splitlines()
    names = [line.rpartition(" (")[0] for line in lines[:-1]]
    assert {"call.bin", "voice"} < set(names)
    assert not {"cover.jpg", ".hidden.wav"} & set(names)
    assert lines[-1] == "Files that are no recordings: 1"


def test_every_listed_name_can_be_loaded(call: Call, folder: Path) -> None:
    for name in ("cut.wav", "empty.wav", "notes.wav"):
        (folder / name).unlink()
    for line in str(call(ListAudio(root_dir=folder)).content).splitlines():
        name = line.rpartition(" (")[0]
        assert call(LoadAudio(root_dir=folder), audio=name).status == "success"


def test_the_result_says_that_a_folder_is_empty_or_missing(call: Call, tmp_path: Path) -> None:
    assert call(ListAudio(root_dir=tmp_path)).content == "There are no recordings."
    assert call(ListAudio(root_dir=tmp_path / "none")).content == "There are no recordings."


def test_names_that_would_be_read_as_more_than_names_are_counted(
    call: Call, tmp_path: Path
) -> None:
    names = [
        b"two\nlines.wav",
        b"escape\x1b[2J.wav",
        b"\xff.wav",
        "right\u202eto-left.wav".encode(),
    ]
    for name in [*names, b"plain.wav"]:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    content = str(call(ListAudio(root_dir=tmp_path)).content)
    assert content.splitlines() == [
        "plain.wav (cannot be read, 1 bytes)",
        "… and 4 whose names hold line breaks or cannot be shown",
    ]
    content.encode()


def test_a_large_folder_is_listed_in_part(call: Call, tmp_path: Path) -> None:
    for number in range(203):
        (tmp_path / f"{number:03}.WAV").write_bytes(b"x")
    lines = str(call(ListAudio(root_dir=tmp_path)).content).splitlines()
    assert (lines[0], lines[199]) == (
        "000.WAV (cannot be read, 1 bytes)",
        "199.WAV (cannot be read, 1 bytes)",
    )
    assert lines[200:] == ["… and 3 more"]


def test_the_toolkit_makes_tools_of_one_folder(model: ChatQwenAudio, folder: Path) -> None:
    tools = QwenAudioToolkit(root_dir=folder).get_tools()
    assert [tool.name for tool in tools] == ["list_audio", "load_audio"]
    tools = QwenAudioToolkit(root_dir=folder, llm=model, allow_urls=True).get_tools()
    assert [tool.name for tool in tools] == ["list_audio", "load_audio", "ask_audio"]
    tools = QwenAudioToolkit(root_dir=folder, transcriber=model, allow_urls=True).get_tools()
    assert [tool.name for tool in tools] == ["list_audio", "load_audio", "transcribe_audio"]
    toolkit = QwenAudioToolkit(root_dir=folder, llm=model, transcriber=model, allow_urls=True)
    _, load, ask_audio, transcribe = toolkit.get_tools()
    assert isinstance(load, LoadAudio)
    assert isinstance(ask_audio, AskAudio)
    assert isinstance(transcribe, TranscribeAudio)
    assert load.root_dir == ask_audio.root_dir == transcribe.root_dir == folder
    assert load.allow_urls is ask_audio.allow_urls is transcribe.allow_urls is True


@pytest.mark.parametrize("path_type", [str, Path])
def test_a_folder_may_be_a_string(call: Call, folder: Path, path_type: type) -> None:
    tools = QwenAudioToolkit(root_dir=path_type(folder)).get_tools()
    assert call(tools[1], audio="tone.wav").status == "success"


def test_the_model_is_told_of_the_arguments_and_of_nothing_else(
    model: ChatQwenAudio, folder: Path
) -> None:
    toolkit = QwenAudioToolkit(root_dir=folder, llm=model, transcriber=model)
    listing, load, ask_audio, transcribe = toolkit.get_tools()
    assert set(listing.args) == set()
    assert set(load.args) == {"audio", "start_s", "end_s"}
    assert set(ask_audio.args) == {"audio", "question"}
    assert set(transcribe.args) == {"audio"}
    for tool in (listing, load, ask_audio, transcribe):
        assert tool.description
        assert all(argument["description"] for argument in tool.args.values())


# --- the recording survives the way to the model ----------------------------------------------


@pytest.mark.parametrize("bound", [False, True], ids=["no tools bound", "tools bound"])
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_model_gets_the_audio_that_a_tool_node_loaded(
    server: LocalDashScope, model: ChatQwenAudio, folder: Path, bound: bool, is_async: bool
) -> None:
    load = LoadAudio(root_dir=folder)
    call = AIMessage("", tool_calls=[tool_call(load, {"audio": "tone.wav"})])
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([load]))
    graph.add_edge(START, "tools")
    graph.add_edge("tools", END)
    app = graph.compile()
    state: Any = {"messages": [HumanMessage("Load it."), call]}
    done = asyncio.run(app.ainvoke(state)) if is_async else app.invoke(state)
    message = done["messages"][-1]
    assert isinstance(message, ToolMessage)
    assert isinstance(message.content, list)
    llm = model.bind_tools([load]) if bound else model
    if is_async:
        asyncio.run(llm.ainvoke(done["messages"]))
    else:
        llm.invoke(done["messages"])
    assert sent_clips(server) == [TONE]
    last = server.requests[-1].messages[-1]
    assert last["role"] == "user"
    assert "audio" in last["content"][-1]


def test_a_part_is_sent_even_when_the_folder_is_gone_by_then(
    server: LocalDashScope, model: ChatQwenAudio, folder: Path
) -> None:
    load = LoadAudio(root_dir=folder)
    args = {"audio": "tone.wav", "start_s": 1.0}
    message = load.invoke(tool_call(load, args))
    shutil.rmtree(folder)
    call = AIMessage("", tool_calls=[tool_call(load, args)])
    model.invoke([HumanMessage("Load it."), call, message])
    (clip,) = sent_clips(server)
    assert decode_all(clip).seconds == pytest.approx(1.0)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", [ASR, RECOGNITION])
def test_a_model_that_only_transcribes_answers_no_question(
    server: LocalDashScope, folder: Path, name: str, *, is_async: bool
) -> None:
    ask = AskAudio(llm=model_at(server, name), root_dir=folder)
    arguments = {"audio": "tone.wav", "question": "What is it?"}
    with pytest.raises(errors.MessageError, match=f"{name} takes a recording and no text"):
        asyncio.run(ask.ainvoke(arguments)) if is_async else ask.invoke(arguments)
    assert server.requests == []


@functools.cache
def silence_that_says_it_is_short() -> bytes:
    """Make twenty minutes whose header says 10 s."""
    flac = encode(np.zeros(1_200 * 8_000, np.int16), "flac", "flac", 8_000)
    return flac[:21] + bytes([flac[21] & 0xF0]) + (80_000).to_bytes(4, "big") + flac[26:]


@pytest.mark.parametrize("is_believed", [False, True], ids=["counted", "believed"])
def test_memory_is_that_of_the_part_whatever_the_header_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_believed: bool
) -> None:
    (tmp_path / "short.flac").write_bytes(silence_that_says_it_is_short())
    if is_believed:  # as if its packets said the same
        monkeypatch.setattr(Audio, "declared_s", 10.0)
    tool = LoadAudio(root_dir=tmp_path, max_duration_s=20, handle_tool_error=False)
    tracemalloc.start()
    with pytest.raises(ToolException, match="at most 20 s are taken"):
        tool.invoke({"audio": "short.flac", "start_s": 1})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000  # twenty minutes are 19 MB


def test_the_arguments_of_each_tool_are_a_model(folder: Path) -> None:
    tools = QwenAudioToolkit(root_dir=folder, llm=ChatQwenAudio(api_key="local")).get_tools()
    names = [[*tool.args_schema.model_fields] for tool in tools]  # type: ignore[union-attr]
    assert names == [[], ["audio", "start_s", "end_s"], ["audio", "question"]]
