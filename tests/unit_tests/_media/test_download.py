"""URLs downloaded here: what comes, what is too much, and what lies inside and is not reached."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._media import download
from langchain_qwen_audio._media.download import MAX_BYTES
from langchain_qwen_audio.errors import AudioError, MessageError
from tests.unit_tests.recordings import (
    QUESTION,
    TWO_WAYS,
    audio_urls,
    kinds,
    question_about,
    read,
    sent_clips,
)
from tests.unit_tests.sockets import raw_server
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

CLIP = read("speech.mp3")


class Web(ThreadingHTTPServer):
    """A web server on the loopback that remembers the paths of its requests."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        super().__init__(("127.0.0.1", 0), Page)

    def url(self, path: str = "/clip.mp3", host: str = "localhost") -> str:
        return f"http://{host}:{self.server_port}{path}"


class Page(BaseHTTPRequestHandler):
    server: Web

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
        status, headers, body = PAGES.get(self.path.partition("?")[0], (404, {}, b"nothing here"))
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value.replace("PORT", str(self.server.server_port)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/clip.mp3": (200, {}, CLIP),
    "/moved": (302, {"Location": "/clip.mp3"}, b""),
    "/inside": (302, {"Location": "http://127.0.0.1:PORT/clip.mp3"}, b""),
    "/metadata": (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
    "/file": (302, {"Location": "file:///etc/passwd"}, b""),
    "/circle": (302, {"Location": "/circle"}, b""),
    "/broken": (500, {}, CLIP),
    "/partial": (206, {}, CLIP[:100]),
    "/huge": (200, {"Content-Length": str(MAX_BYTES + 1)}, b""),
    "/short": (200, {"Content-Length": "100000"}, CLIP),
    "/gzip": (200, {"Content-Encoding": "gzip"}, gzip.compress(CLIP)),
    "/twice": (200, {"Content-Encoding": "gzip, gzip"}, gzip.compress(gzip.compress(CLIP))),
    "/text": (200, {"Content-Type": "audio/wav"}, b"<html>please log in</html>" * 100),
}


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def _at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """LangChain's own switch: this machine by its name, and nothing else inside, may be reached."""
    monkeypatch.setenv("LANGCHAIN_ENV", "local_test")


@pytest.fixture(autouse=True)
def _no_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LANGCHAIN_ENV", raising=False)


def afrom_url(url: str) -> Audio:
    return asyncio.run(Audio.afrom_url(url))


@pytest.fixture(params=[Audio.from_url, afrom_url], ids=["sync", "async"])
def from_url(request: pytest.FixtureRequest) -> Callable[[str], Audio]:
    way: Callable[[str], Audio] = request.param
    return way


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="sk-secret", **fields)


# --- what comes -------------------------------------------------------------------------------


@pytest.mark.usefixtures("_at_home")
def test_a_recording_is_downloaded(from_url: Callable[[str], Audio], web: Web) -> None:
    for path in ("/clip.mp3", "/moved", "/clip.mp3?token=%20a#fragment"):
        audio = from_url(web.url(path))
        assert audio.data == CLIP, path
        assert audio.mime_type == "audio/mpeg", path
        assert "authorization" not in web.headers[-1], path
        assert web.headers[-1]["accept-encoding"] == "identity", path


FAILURES = {
    "/missing": "the server answered 404",
    "/broken": "the server answered 500",
    "/partial": "the server answered 206",
    "/circle": "TooManyRedirects",
    "/short": "RemoteProtocolError",
    "/huge": rf"it is {MAX_BYTES + 1:,} bytes long, at most {MAX_BYTES:,} are taken",
    "/gzip": r"the server compressed it \(gzip\), though it was requested as it is",
    "/twice": r"the server compressed it \(gzip, gzip\), though it was requested as it is",
}


@pytest.mark.usefixtures("_at_home")
def test_a_failing_download_says_why(
    from_url: Callable[[str], Audio], web: Web, subtests: pytest.Subtests
) -> None:
    for path, why in FAILURES.items():
        web.paths.clear()
        with subtests.test(path):
            with pytest.raises(AudioError, match=f"{path}: it cannot be fetched: {why}"):
                from_url(web.url(path))
            assert web.paths[0] == path


@pytest.mark.usefixtures("_at_home")
def test_nobody_there_is_one_error(from_url: Callable[[str], Audio]) -> None:
    with Web() as gone:
        url = gone.url()
    with pytest.raises(AudioError, match="it cannot be fetched: ConnectError"):
        from_url(url)


TRICKLE: list[bytes | float] = [b"a", 0.02]
LINES: list[bytes | float] = [b"x: y\r\n", 0.02]
OK = b"HTTP/1.1 200 OK\r\n"
TRICKLING: dict[str, list[bytes | float]] = {
    "headers": [OK, *LINES * 1_500],
    "a header": [OK + b"x: ", *TRICKLE * 1_500],
    "an extension of a chunk": [OK + b"transfer-encoding: chunked\r\n\r\n1;", *TRICKLE * 1_500],
    "body": [OK + b"content-length: 9999\r\n\r\n", *TRICKLE * 1_500],
    # Each of them comes in time.
    "redirects": [0.03, b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"],
}


@pytest.mark.usefixtures("_at_home")
@pytest.mark.parametrize("steps", TRICKLING.values(), ids=TRICKLING)
def test_the_whole_download_is_bounded_whatever_trickles(
    from_url: Callable[[str], Audio],
    steps: list[bytes | float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(download, "MAX_S", 0.1)
    with raw_server(*[steps] * 20) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        with pytest.raises(AudioError, match=r"it cannot be fetched: it took longer than 0\.1 s"):
            from_url(url)


@pytest.mark.usefixtures("_at_home")
def test_a_reply_of_undeclared_length_is_bounded_as_it_comes(
    from_url: Callable[[str], Audio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 9_999)
    chunk: list[bytes | float] = [b"3e8\r\n" + b"a" * 1_000 + b"\r\n"]
    with raw_server([OK + b"transfer-encoding: chunked\r\n\r\n", *chunk * 10]) as server:
        url = server.base_url.replace("127.0.0.1", "localhost")
        with pytest.raises(AudioError, match="it is longer than 9,999 bytes"):
            from_url(url)


@pytest.mark.usefixtures("_at_home")
def test_no_thread_is_left_of_a_download(web: Web) -> None:
    before = set(threading.enumerate())
    Audio.from_url(web.url())
    left = [it for it in threading.enumerate() if it not in before and it.name == "downloading"]
    wait_until(lambda: not any(it.is_alive() for it in left))


# --- what lies inside -------------------------------------------------------------------------

HOSTS = [
    *("localhost", "LOCALHOST", "localhost.", "127.0.0.1", "127.0.0.2", "127.1", "0.0.0.0"),  # noqa: S104
    *("2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"),  # the same in other numbers
    *("[::1]", "[::]", "[::ffff:127.0.0.1]", "[0:0:0:0:0:ffff:7f00:1]"),
]
INSIDE = [
    *("10.0.0.1", "172.16.0.1", "192.168.1.1", "[fe80::1]", "[fd00::1]"),
    *("169.254.169.254", "[::ffff:169.254.169.254]", "[fd00:ec2::254]"),  # a cloud's metadata
    *("100.100.100.200", "metadata.google.internal"),
]


def test_this_machine_is_not_reached(
    from_url: Callable[[str], Audio], web: Web, subtests: pytest.Subtests
) -> None:
    for host in HOSTS:
        with subtests.test(host), pytest.raises(AudioError, match="it cannot be fetched"):
            from_url(web.url(host=host))
    assert web.paths == []


def test_addresses_inside_are_refused(
    from_url: Callable[[str], Audio], subtests: pytest.Subtests
) -> None:
    match = "it is not on the public network"
    for scheme, host in itertools.product(("http", "HTTPS"), INSIDE):
        url = f"{scheme}://{host}/latest/meta-data/"
        with subtests.test(url), pytest.raises(AudioError, match=match):
            from_url(url)


@pytest.mark.usefixtures("_at_home")
def test_a_redirect_inside_is_refused(from_url: Callable[[str], Audio], web: Web) -> None:
    paths = ["/inside", "/metadata", "/file"]
    for path in paths:
        with pytest.raises(AudioError, match=f"{path}: it cannot be fetched"):
            from_url(web.url(path))
    assert web.paths == paths


STRANGE = [
    "file:///etc/passwd",
    "ftp://example.com/a.wav",
    "gopher://127.0.0.1/",
    "data:audio/wav;base64,AAAA",
    "/etc/passwd",
    "",
    "http://",
    "http:///a.wav",
    "http://[",
    "http://[::1",
    "http://exa mple/",
    "http://a:b@:99999/",
    "http://x:99999999/",
    "http://" + "a" * 300 + ".example/",
    "http://\ud800/",
    "http://a\0b/",
]


def test_other_urls_are_refused(
    from_url: Callable[[str], Audio], subtests: pytest.Subtests
) -> None:
    for number, url in enumerate(STRANGE):
        refused = pytest.raises(AudioError, match="it cannot be fetched")
        with subtests.test(number=number), refused:
            from_url(url)


def test_a_proxy_is_no_way_inside(
    from_url: Callable[[str], Audio], web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, web.url("", host="127.0.0.1"))
    with pytest.raises(AudioError, match="it is not on the public network"):
        from_url("http://169.254.169.254/latest/meta-data/")
    assert web.paths == []


# --- on the model -----------------------------------------------------------------------------


@pytest.mark.usefixtures("_at_home")
def test_fetch_client_sends_the_recording_itself(
    call_model: CallModel, web: Web, server: LocalDashScope
) -> None:
    call_model(
        model_of(server, fetch="client"), question_about(web.url(), web.url(), web.url("/moved"))
    )
    assert sorted(web.paths) == ["/clip.mp3", "/clip.mp3", "/moved"]
    assert sent_clips(server) == [CLIP] * 3
    assert all(url.startswith("data:audio/mpeg;base64,") for url in audio_urls(server))
    assert not any("sk-secret" in str(headers) for headers in web.headers)


@TWO_WAYS
@pytest.mark.usefixtures("_at_home")
def test_fetch_client_refuses_before_any_request(
    call_model: CallModel, web: Web, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    match = r"cannot be fetched|not usable audio"
    for path in ("/missing", "/inside", "/text"):
        with subtests.test(path), pytest.raises(AudioError, match=match):
            call_model(model_of(server, fetch="client"), question_about(web.url(path)))
    assert server.requests == []


def test_fetch_client_reaches_nothing_inside(
    call_model: CallModel, web: Web, server: LocalDashScope
) -> None:
    for url in (web.url(), web.url(host="127.0.0.1"), "HTTP://169.254.169.254/"):
        with pytest.raises(AudioError, match="not on the public network"):
            call_model(model_of(server, fetch="client"), question_about(url))
    assert (web.paths, server.requests) == ([], [])


def test_fetch_client_leaves_uploaded_files_alone(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script("ok")
    with pytest.raises(Exception, match="no such temporary file"):
        call_model(model_of(server, fetch="client", max_retries=0), question_about("oss://a/b.wav"))
    assert audio_urls(server) == ["oss://a/b.wav"]


URLS = ["http://127.0.0.1:9/a%20b.wav?x=1&y=%2F#z", "https://example.com/ü.wav?sig=a+b=="]


def test_fetch_service_passes_urls_by_reference_untouched(
    call_model: CallModel, web: Web, server: LocalDashScope
) -> None:
    call_model(model_of(server), question_about(*URLS, web.url()))
    assert audio_urls(server) == [*URLS, web.url()]
    assert kinds(server) == ["generation"]
    assert web.paths == []


def test_a_url_in_the_place_of_base64_is_a_url(
    call_model: CallModel, server: LocalDashScope
) -> None:
    block = {"type": "audio", "base64": URLS[1], "mime_type": "audio/wav"}
    call_model(model_of(server), [HumanMessage([block, QUESTION])])
    assert audio_urls(server) == [URLS[1]]


def test_another_choice_is_refused(server: LocalDashScope) -> None:
    with pytest.raises(ValueError, match="fetch"):
        model_of(server, fetch="browser")
    with pytest.raises(MessageError):
        model_of(server, fetch="client").invoke([])
