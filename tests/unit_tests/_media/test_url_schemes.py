"""Which http(s) URLs lead nowhere; the same before each kind of request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from langchain_qwen_audio import Audio, ChatQwenAudio, TranscriptionJobs
from langchain_qwen_audio._media.url_schemes import address_fault
from langchain_qwen_audio.errors import AudioError, MessageError
from langchain_qwen_audio.local import LocalDashScope

if TYPE_CHECKING:
    from tests.unit_tests.calling_modes import CallModel

NOWHERE = "http://host:70000/a.wav"
TOO_LARGE = "Port out of range 0-65535"
EMPTY_OR_LONG = "a part of its host's name is empty, or longer than 63 characters"


def test_addresses() -> None:
    faults: dict[Any, str] = {
        NOWHERE: TOO_LARGE,
        "HTTPS://host:65536/": TOO_LARGE,
        "http://host:65535/": "",
        "http://host/": "",
        "http://[::1]:80/": "",
        "http://[::1/": "Invalid IPv6 URL",
        "http:///a.wav": "it names no host",
        "http://a..example/": EMPTY_OR_LONG,
        "http://.example/": EMPTY_OR_LONG,
        "http://ä..example/": EMPTY_OR_LONG,
        "http://a.example../": EMPTY_OR_LONG,
        f"http://{'a' * 64}.example/": EMPTY_OR_LONG,
        f"http://{'a' * 63}.example/": "",
        "http://a.example./": "",
        "http://a_b/": "",
        "http://me@127.0.0.1:1/": "",
        "oss://a": "",
        "data:audio/wav;base64,AAAA": "",
        b"bytes": "",
    }
    assert {url: address_fault(url) for url in faults} == faults


@pytest.mark.parametrize("fetch", ["service", "client"])
def test_such_a_url_in_a_message_is_refused_before_anything_is_sent(
    call_model: CallModel, server: LocalDashScope, fetch: str, subtests: pytest.Subtests
) -> None:
    settings: dict[str, Any] = {"base_url": server.base_url, "api_key": "local", "fetch": fetch}
    model = ChatQwenAudio(model="qwen3.5-omni-flash", **settings)
    words = r"content\[0\]: 'http://host:70000/a.wav' came, which leads nowhere \(Port out of range"
    for kind in ("audio", "image", "video"):
        message = {"role": "user", "content": [{"type": kind, "url": NOWHERE}]}
        with subtests.test(kind), pytest.raises(MessageError, match=words):
            call_model(model, [message])
    assert server.requests == []


def test_such_a_url_is_refused_wherever_one_is_given(server: LocalDashScope) -> None:
    with pytest.raises(AudioError, match="it cannot be fetched: it leads nowhere"):
        Audio.from_url(NOWHERE)
    jobs = TranscriptionJobs(base_url=server.base_url, api_key="local")
    with pytest.raises(MessageError, match=r"the recording: 'http://host:70000/a\.wav' came"):
        jobs.transcribe(NOWHERE)
    with pytest.raises(ValidationError, match="base_url is no valid URL") as caught:
        ChatQwenAudio(base_url="http://me:secret@host:70000/v1", api_key="local")
    assert "secret" not in str(caught.value)
    with pytest.raises(ValidationError, match=f"base_url is no valid URL .{EMPTY_OR_LONG}"):
        ChatQwenAudio(base_url="http://gateway..example/v1", api_key="local")
    assert server.requests == []


REFUSED = ["xn--a/v1", f"{'ä' * 60}.example/v1", "-ä.example/v1", "host/v1\n/v1", "host/\x00"]


def test_a_base_url_that_httpx_would_not_take_is_refused(subtests: pytest.Subtests) -> None:
    match = "base_url is no valid URL"
    for rest in REFUSED:
        with subtests.test(rest), pytest.raises(ValidationError, match=match):
            ChatQwenAudio(base_url=f"http://{rest}", api_key="local")


def test_a_base_url_may_have_a_host_of_any_script() -> None:
    for host in ("bücher.example", "xn--bcher-kva.example", "例え。example"):
        model = ChatQwenAudio(base_url=f" http://{host}/api/v1\n", api_key="local")
        assert model.base_url == f"http://{host}/api/v1"
