"""Deep agents that load recordings of their files."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from deepagents import create_deep_agent
from deepagents.backends import FilesystemBackend, StateBackend
from langchain_core.messages import ToolMessage

from langchain_qwen_audio import Audio, ChatQwenAudio, LoadAudio
from langchain_qwen_audio.deep_agents import ReadAudio
from langchain_qwen_audio.local import LocalDashScope, Reply
from langchain_qwen_audio.middleware import AudioMiddleware

from .models import OMNI_3_5, model_at
from .recordings import read, tone, wav

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_core.tools import BaseTool

TONE = wav(tone(2.0))
TRANSCRIBER = ChatQwenAudio(model="qwen3-asr-flash", api_key="local")  # not used here
TWO_WAYS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@pytest.fixture
def files(tmp_path: Path) -> FilesystemBackend:
    """Make the files of an agent, beside one that is none of its business."""
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "tone.wav").write_bytes(TONE)
    (folder / "voice.m4a").write_bytes(read("speech.m4a"))
    (folder / "recording").write_bytes(read("speech.mp3"))
    (folder / "notes.wav").write_text("No recording at all.")
    (tmp_path / "secret.wav").write_bytes(TONE)
    (folder / "out.wav").symlink_to(tmp_path / "secret.wav")
    return FilesystemBackend(root_dir=folder, virtual_mode=True)


def calls(name: str, **arguments: Any) -> Reply:
    return Reply("", tool_calls=[{"id": "1", "name": name, "arguments": json.dumps(arguments)}])


def run(
    server: LocalDashScope,
    backend: FilesystemBackend | StateBackend,
    tool: BaseTool,
    *,
    is_async: bool = False,
    middleware: Any = (),
    state: dict[str, Any] | None = None,
    **arguments: Any,
) -> ToolMessage:
    """Let a deep agent call a tool; return the message of the tool."""
    server.script(calls(tool.name, **arguments), "I have read it.")
    agent = create_deep_agent(
        model_at(server, OMNI_3_5), tools=[tool], middleware=middleware, backend=backend
    )
    given: Any = {"messages": [{"role": "user", "content": "Read it."}], **(state or {})}
    done = asyncio.run(agent.ainvoke(given)) if is_async else agent.invoke(given)
    *_, message, answer = done["messages"]
    assert answer.text == "I have read it."
    assert isinstance(message, ToolMessage)
    return message


def sent(server: LocalDashScope) -> list[bytes]:
    """List the recordings of the latest request."""
    content = server.requests[-1].messages[-1]["content"]
    parts = content if isinstance(content, list) else []
    return [
        base64.b64decode(it["input_audio"]["data"].partition(";base64,")[2])
        for it in parts
        if it["type"] == "input_audio"
    ]


@TWO_WAYS
def test_a_recording_reaches_the_model(
    server: LocalDashScope, files: FilesystemBackend, is_async: bool
) -> None:
    tool = ReadAudio(backend=files)
    message = run(server, files, tool, is_async=is_async, file_path="/tone.wav")
    assert message.status == "success"
    assert message.content[0] == {
        "type": "text",
        "text": "/tone.wav: 2.0 s, audio/wav, 16000 Hz, 1 channel(s), level -15 dBFS, "
        "peak -11 dBFS, 0 % silence",
    }
    assert Audio.from_message(message).data == TONE
    assert sent(server) == [TONE]


@pytest.mark.parametrize(
    ("name", "kind"), [("voice.m4a", "audio/mp4"), ("recording", "audio/mpeg")]
)
def test_the_format_is_detected_from_the_content(
    server: LocalDashScope, files: FilesystemBackend, name: str, kind: str
) -> None:
    message = run(server, files, ReadAudio(backend=files), file_path=f"/{name}")
    assert f", {kind}, " in message.text
    assert len(sent(server)) == 1


@TWO_WAYS
def test_a_part_of_a_recording_in_the_state_of_the_agent(
    server: LocalDashScope, is_async: bool
) -> None:
    file = {"content": base64.b64encode(TONE).decode(), "encoding": "base64"}
    backend = StateBackend()
    message = run(
        server,
        backend,
        ReadAudio(backend=backend),
        is_async=is_async,
        state={"files": {"/tone.wav": file}},
        file_path="tone.wav",
        start_s=0.5,
        end_s=1.0,
    )
    assert Audio.from_message(message).duration_s == 0.5
    assert [Audio.from_bytes(it).duration_s for it in sent(server)] == [0.5]


REFUSED = {
    "a link out of the folder": ("/out.wav", "/out.wav: it cannot be read (invalid_path)"),
    "a path out of the folder": ("/../secret.wav", "Path traversal not allowed: /../secret.wav"),
    "what is not there": ("/none.wav", "/none.wav: it cannot be read (file_not_found)"),
    "a folder": ("/", "/: it cannot be read (is_directory)"),
    "what is no recording": ("/notes.wav", "20 bytes came that are not usable audio"),
    "what is too long": ("/tone.wav", "at most 1.5 s are taken at once; name a part of it"),
}


@pytest.mark.parametrize(("path", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_is_an_error_that_the_model_is_told(
    server: LocalDashScope, files: FilesystemBackend, path: str, words: str
) -> None:
    tool = ReadAudio(backend=files, max_duration_s=1.5)
    message = run(server, files, tool, file_path=path)
    assert message.status == "error"
    assert words in message.text
    assert sent(server) == []


class Downloads(FilesystemBackend):
    """Files that may not be read, but listed."""

    def download_files(self, paths: list[str]) -> Any:
        raise AssertionError(paths)


def test_what_is_too_large_is_not_even_read(
    server: LocalDashScope, files: FilesystemBackend
) -> None:
    backend = Downloads(root_dir=files.cwd, virtual_mode=True)
    tool = ReadAudio(backend=backend, max_bytes=len(TONE) - 1)
    message = run(server, backend, tool, file_path="/tone.wav")
    assert message.status == "error"
    assert message.text == "/tone.wav: it is 64,044 bytes large, at most 64,043 are taken"


def test_a_size_that_the_backend_does_not_list_is_checked_too(
    server: LocalDashScope, files: FilesystemBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ReadAudio, "_listed_size", lambda *_: 0)
    tool = ReadAudio(backend=files, max_bytes=len(TONE) - 1)
    assert "at most 64,043 are taken" in run(server, files, tool, file_path="/tone.wav").text


@TWO_WAYS
def test_the_memory_of_an_agent_keeps_it_out_of_the_messages(
    server: LocalDashScope, files: FilesystemBackend, tmp_path: Path, is_async: bool
) -> None:
    memory = AudioMiddleware(tmp_path / "store", transcriber=TRANSCRIBER)
    message = run(
        server,
        files,
        ReadAudio(backend=files),
        is_async=is_async,
        middleware=[memory],
        file_path="/tone.wav",
    )
    assert "base64" not in str(message.content)
    assert memory.get_recording(message.content[-1]["file_id"]).data == TONE  # type: ignore[index]
    assert sent(server) == [TONE]


def test_with_the_memory_other_tools_may_return_recordings(
    server: LocalDashScope, files: FilesystemBackend, tmp_path: Path
) -> None:
    """Without it, newer versions of Deep Agents drop the block of the type "file"."""
    memory = AudioMiddleware(tmp_path / "store", transcriber=TRANSCRIBER)
    run(server, files, LoadAudio(root_dir=files.cwd), middleware=[memory], audio="tone.wav")
    assert sent(server) == [TONE]
