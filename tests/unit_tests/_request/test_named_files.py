"""Messages that name files, and LangChain's cache, whose key has no contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import ChatQwenAudio, errors
from tests.unit_tests.calling_modes import ainvoke, invoke
from tests.unit_tests.recordings import tone, wav

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.calling_modes import CallModel

NAMES: dict[str, Callable[[Path], dict[str, Any]]] = {
    "url": lambda path: {"type": "audio", "url": path.as_uri()},
    "dashscope": lambda path: {"audio": path.as_uri()},
    "gradio": lambda path: {"type": "file", "file": {"path": str(path), "mime_type": None}},
    "transformers": lambda path: {"type": "audio", "path": str(path)},
}


def model_of(server: LocalDashScope, **options: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="local", **options)


@pytest.mark.parametrize("make_block", NAMES.values(), ids=NAMES)
@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_a_file_that_was_replaced_gets_no_old_answer(
    server: LocalDashScope, tmp_path: Path, way: CallModel, make_block: Callable[[Path], Any]
) -> None:
    model = model_of(server, local_files=[tmp_path], cache=InMemoryCache())
    path = tmp_path / "a.wav"
    for length_s in (0.25, 0.5):
        path.write_bytes(wav(tone(length_s)))
        way(model, [HumanMessage([make_block(path)])])
    first, second = (request.messages[0]["content"][0]["audio"] for request in server.requests)
    assert first != second


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_audio_within_a_message_is_cached(server: LocalDashScope, way: CallModel) -> None:
    model = model_of(server, cache=InMemoryCache())
    for length_s in (0.25, 0.5, 0.25):
        way(model, [HumanMessage([{"type": "audio", "url": "https://h/a.wav"}])])
        way(model, f"{length_s}")
    assert len(server.requests) == 3


@pytest.mark.parametrize("make_block", NAMES.values(), ids=NAMES)
def test_only_users_and_only_allowed_folders(
    server: LocalDashScope, tmp_path: Path, make_block: Callable[[Path], Any]
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(wav(tone(0.25)))
    with pytest.raises(errors.AudioError, match="local_files=False"):
        model_of(server).invoke([HumanMessage([make_block(path)])])
    result = ToolMessage([make_block(path)], tool_call_id="1")
    for message in (AIMessage([make_block(path)]), result):
        with pytest.raises(errors.MessageError, match="files are read for users only"):
            model_of(server, local_files=True).invoke([message, HumanMessage("?")])
    assert server.requests == []
