"""Text is never uploaded, whatever it says; the SDK's own helper would upload the file it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_core.messages import HumanMessage

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._request.parts import PreparedPart, RequestMessage, TextPart, UploadPart
from langchain_qwen_audio._service.uploads import clips_to_upload
from langchain_qwen_audio.audio import Audio
from tests.unit_tests.recordings import read
from tests.unit_tests.rows import each_row, two_modes, two_protocols

if TYPE_CHECKING:
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel


@two_modes
@two_protocols
@each_row("form", ["{path}", "file://{path}", "oss://bucket/{path}"])
def test_a_text_that_names_a_file_is_sent_as_text(
    call_model: CallModel, server: LocalDashScope, tmp_path: Path, form: str, protocol: str
) -> None:
    secret = tmp_path / "secret.wav"
    secret.write_bytes(read("speech.wav"))
    text = form.format(path=secret)
    name = "qwen-audio-turbo-latest" if protocol == "native" else "qwen3.5-omni-flash"
    model = ChatQwenAudio(model=name, base_url=server.base_url, api_key="local")
    assert call_model(model, [HumanMessage([{"type": "text", "text": text}])]).text == "ok"
    (request,) = server.requests
    assert request.kind in {"generation", "chat"}
    assert text.encode() in request.body
    assert "x-dashscope-ossresourceresolve" not in request.headers


def test_only_upload_parts_are_uploaded() -> None:
    clip = Audio.from_bytes(read("speech.wav"))
    content: list[PreparedPart] = [TextPart("/etc/passwd"), UploadPart(clip)]
    message = RequestMessage("user", content)
    assert clips_to_upload([message]) == [clip]
