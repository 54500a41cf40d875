"""An HTTP client of the two protocols that uses nothing of the package, and clips to send."""

import base64
import io
import json
import math
import re
import time
import wave
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx

import langchain_qwen_audio.local
from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._answers.whisper_models import choose_whisper

SAMPLES = Path(langchain_qwen_audio.local.__file__).parents[1] / "samples"

GENERATION = "/services/aigc/multimodal-generation/generation"
CHAT = "/chat/completions"
MODEL = "qwen-audio-turbo"
ASR = "qwen3-asr-flash"
CAPTIONER = "qwen3-omni-30b-a3b-captioner"
OMNI_TURBO, OMNI_3 = "qwen-omni-turbo", "qwen3-omni-flash"
OMNI_35, OMNI_38 = "qwen3.5-omni-plus", "qwen3.8-omni-flash"
QUESTION = {"text": "What is said?"}
WHISPER = choose_whisper(None).name  # tiny.en, or base where the extra of it is installed
RESOLVE = {"x-dashscope-ossresourceresolve": "enable"}

# Loading the certificate authorities takes 30 ms a call, and nothing here is encrypted.
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)


def wav(seconds: float = 1, *, rate: int = 16_000, amplitude: float = 0.3) -> bytes:
    """Make a 440 Hz tone, or silence with amplitude 0."""
    scale = amplitude * 32767
    tone = (int(scale * math.sin(2764.6 * n / rate)) for n in range(round(seconds * rate)))
    return make_wav(array("h", tone).tobytes(), rate)


def make_wav(frames: bytes, rate: int = 16_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(frames)
    return file.getvalue()


def data_uri(data: bytes) -> str:
    return "data:;base64," + base64.b64encode(data).decode()


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


WELCOME_WAV = (SAMPLES / "welcome.wav").read_bytes()
WELCOME = words((SAMPLES / "welcome.txt").read_text())


def user(*content: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def assistant(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": [{"text": text}]}


def request(
    server: LocalDashScope,
    *messages: Any,
    stream: bool = False,
    model: str = MODEL,
    key: str = "local",
    headers: dict[str, str] | None = None,
    **parameters: Any,
) -> dict[str, Any]:
    """Build the arguments of httpx's `post` and `stream`."""
    sse = {"x-dashscope-sse": "enable"} if stream else {}
    return {
        "url": server.base_url + GENERATION,
        "headers": {"authorization": f"Bearer {key}", **sse, **(headers or {})},
        "json": {"model": model, "input": {"messages": messages}, "parameters": parameters},
        "timeout": 60,
    }


def generate(server: LocalDashScope, *messages: Any, **options: Any) -> httpx.Response:
    return post(**request(server, *(messages or [user(QUESTION)]), **options))


def text_of(response: httpx.Response) -> str:
    (part,) = message_of(response)["content"]
    return str(part["text"])


def message_of(response: httpx.Response) -> dict[str, Any]:
    """Return the message of a whole answer, in either protocol."""
    body = response.raise_for_status().json()
    message: dict[str, Any] = body.get("output", body)["choices"][0]["message"]
    return message


def assert_events(response: httpx.Response) -> list[dict[str, Any]]:
    """Read a native stream, which must have exactly the documented bytes."""
    assert response.status_code == 200, response.text
    *blocks, rest = response.text.split("\n\n")
    assert rest == ""
    payloads = []
    for number, block in enumerate(blocks, 1):
        event_id, event, status, data = block.split("\n")
        assert (event_id, event, status) == (f"id:{number}", "event:result", ":HTTP_STATUS/200")
        payloads.append(json.loads(data.removeprefix("data:")))
    return payloads


# --- the compatible path ---


def clip(data: str, **more: Any) -> dict[str, Any]:
    return {"type": "input_audio", "input_audio": {"data": data, **more}}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def assistant_text(words: str) -> dict[str, Any]:
    return {"role": "assistant", "content": words}


def chat_request(
    server: LocalDashScope,
    *messages: Any,
    model: str = OMNI_38,
    key: str = "local",
    headers: dict[str, str] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Build the arguments of httpx's `post` and `stream`."""
    return {
        "url": server.compatible_base_url + CHAT,
        "headers": {"authorization": f"Bearer {key}", **(headers or {})},
        "json": {"model": model, "messages": messages, **fields},
        "timeout": 60,
    }


def chat(server: LocalDashScope, *messages: Any, **options: Any) -> httpx.Response:
    return post(**chat_request(server, *(messages or [user(text("Hi"))]), **options))


def assert_chunks(response: httpx.Response) -> list[dict[str, Any]]:
    """Read a compatible stream, which must have exactly the documented bytes."""
    assert response.status_code == 200, response.text
    *blocks, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    assert all(block.startswith("data: {") and "\n" not in block for block in blocks)
    return [json.loads(block.removeprefix("data: ")) for block in blocks]


def deltas_of(response: httpx.Response) -> list[dict[str, Any]]:
    chunks = assert_chunks(response)
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def assert_chat_refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, code), response.text
    assert body["error"]["message"] == message
    request_id = response.headers["x-request-id"]
    assert (body["request_id"], body["id"]) == (request_id, f"chatcmpl-{request_id}")
    assert set(body) == {"error", "request_id", "id"}
    assert set(body["error"]) == {"message", "type", "code", "param"}


def assert_refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    body = response.json()
    assert (response.status_code, body["code"]) == (status, code), response.text
    assert body["message"] == message
    assert body["request_id"] == response.headers["x-request-id"]
    assert set(body) == {"code", "message", "request_id"}


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.005)
