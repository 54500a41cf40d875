"""Servers of one's own that nobody here wrote, with a model of random weights.

llama.cpp's server runs here. Any other one (vLLM, SGLang) is called where OWN_SERVER_URL names it,
with the model OWN_SERVER_MODEL.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from array import array
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.errors import (
    AudioError,
    ContextOverflowError,
    InvalidRequestError,
    NotFoundError,
    QwenAudioError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVE = """
import sys, time, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.mmproj.path = sys.argv[1:3]
params.hostnames, params.port = ["127.0.0.1"], 0
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = int(sys.argv[3]), 1, 1
params.warmup, params.fit_params, params.use_jinja = False, False, True
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
time.sleep(3600)
"""


class OwnServer(NamedTuple):
    kind: str
    url: str
    model: str


@pytest.fixture(scope="module")
def llama_cpp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    pytest.importorskip("xllamacpp", reason="llama.cpp's server has no wheel for this machine")
    from tests.integration_tests import tiny_qwen2_audio as tiny

    folder: Path = tmp_path_factory.mktemp("weights")
    model, ear = tiny.make(folder)
    command = [sys.executable, "-c", SERVE, str(model), str(ear), str(tiny.CONTEXT)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        address = next(line.strip() for line in lines if line.startswith("http://"))
        yield OwnServer("llama.cpp", f"{address}/v1", "Qwen2-Audio-7B-Instruct")
        process.kill()


@pytest.fixture(scope="module", params=["llama.cpp", "OWN_SERVER_URL"])
def own(request: pytest.FixtureRequest) -> OwnServer:
    if request.param == "llama.cpp":
        server: OwnServer = request.getfixturevalue("llama_cpp")
        return server
    if not os.environ.get("OWN_SERVER_URL"):
        pytest.skip("OWN_SERVER_URL names no server")
    return OwnServer(
        "vLLM", os.environ["OWN_SERVER_URL"], os.environ.get("OWN_SERVER_MODEL", "default")
    )


def model_of(own: OwnServer, **fields: Any) -> ChatQwenAudio:
    settings = {"temperature": 0, "seed": 1, "max_tokens": 12, "timeout": 120, **fields}
    return ChatQwenAudio(model=own.model, base_url=own.url, **settings)


def tone(seconds: float, period: int = 40) -> Audio:
    half = [9_000] * (period // 2)
    wave = [*half, *(-level for level in half)]
    count = int(seconds * 16_000)
    return Audio.from_array(array("h", (wave * (count // period + 1))[:count]), 16_000)


def question(*clips: Audio, text: str = "What is this?") -> list[dict[str, Any]]:
    blocks = [clip.to_block() for clip in clips]
    return [{"role": "user", "content": [*blocks, {"type": "text", "text": text}]}]


def test_it_takes_audio_input(own: OwnServer) -> None:
    model = model_of(own)
    low, high = (model.invoke(question(tone(2, period))) for period in (200, 20))
    silent = model.invoke("What is this?")
    assert low.text != high.text
    assert low.usage_metadata
    assert silent.usage_metadata
    assert low.usage_metadata["input_tokens"] > silent.usage_metadata["input_tokens"] + 40


def test_a_stream_adds_up_to_the_whole(own: OwnServer) -> None:
    model = model_of(own)
    messages = question(tone(2))

    async def stream() -> tuple[str, int]:
        chunks = [chunk async for chunk in model.astream(messages)]
        usage = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata]
        return "".join(chunk.text for chunk in chunks), usage[0]["output_tokens"]

    whole = model.invoke(messages)
    assert whole.usage_metadata
    assert asyncio.run(stream()) == (whole.text, whole.usage_metadata["output_tokens"])
    assert whole.text
    assert whole.response_metadata["finish_reason"] in {"stop", "length"}


def test_every_kind_of_recording_arrives(own: OwnServer, tmp_path: Path) -> None:
    import av

    path = tmp_path / "clip.ogg"
    with av.open(path, "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame("s16", "mono", 96_000)
        frame.sample_rate = 48_000
        frame.planes[0].update(bytes(frame.planes[0].buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert model_of(own).invoke(question(Audio.from_path(path))).usage_metadata


def test_a_conversation_about_two_recordings(own: OwnServer) -> None:
    model = model_of(own)
    history: list[Any] = [("system", "Be brief."), *question(tone(1, 80), text="First?")]
    answer = model.invoke(history)
    assert model.invoke([*history, answer, *question(tone(1, 20), text="Second?")]).usage_metadata


@pytest.mark.parametrize("encoding", ["audio_url", "data_uri"])
def test_what_a_server_does_not_take_it_says(own: OwnServer, encoding: Any) -> None:
    taken = {("llama.cpp", "data_uri"), ("vLLM", "audio_url")}
    model = model_of(own, audio_encoding=encoding)
    if (own.kind, encoding) in taken:
        assert model.invoke(question(tone(1))).usage_metadata
    else:
        with pytest.raises(InvalidRequestError):
            model.invoke(question(tone(1)))


def test_too_much_is_a_context_overflow(own: OwnServer) -> None:
    messages = question(tone(1), text="word " * 3_000)
    with pytest.raises(ContextOverflowError):
        model_of(own).invoke(messages)
    with pytest.raises(ContextOverflowError):
        list(model_of(own).stream(messages))


def test_what_is_not_audio_does_not_leave(own: OwnServer) -> None:
    block = {"type": "audio", "base64": "bm8gYXVkaW8=", "mime_type": "audio/wav"}
    with pytest.raises(AudioError, match="not usable audio"):
        model_of(own).invoke([("user", [block])])


def test_an_unknown_model_is_not_found(own: OwnServer) -> None:
    if own.kind == "llama.cpp":
        pytest.skip("llama.cpp answers for whatever model is named")
    with pytest.raises(NotFoundError):
        model_of(own._replace(model="no-such-model")).invoke("?")


def test_a_wrong_path_is_one_of_our_errors(own: OwnServer) -> None:
    with pytest.raises(QwenAudioError, match="/v1"):
        model_of(own._replace(url=own.url.replace("/v1", "/v9"))).invoke("?")
