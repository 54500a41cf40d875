"""`qwen-audio mcp`, with MCP's own client, over stdio and over HTTP."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client
from mcp.server.stdio import stdio_server
from mcp.types import AudioContent, TextContent

from langchain_qwen_audio import TranscriptionJobs
from langchain_qwen_audio._cli_mcp import _make_toolkit
from langchain_qwen_audio.cli import main

from .installs import ROOT, environment
from .programs import STRICT
from .recordings import sent_clips
from .waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from langchain_qwen_audio.local import LocalDashScope

SAMPLES = ROOT / "langchain_qwen_audio" / "samples"
WELCOME = (SAMPLES / "welcome.wav").read_bytes()


@pytest.fixture
def variables(server: LocalDashScope) -> dict[str, str]:
    return environment(DASHSCOPE_API_KEY="sk-1", DASHSCOPE_BASE_URL=server.base_url)


async def use_tools(transport: Any, server: LocalDashScope) -> None:
    async with Client(transport) as client:
        assert client.server_info is not None
        assert client.server_info.name == "qwen-audio"
        listed = await client.call_tool("list_audio", {})
        loaded = await client.call_tool("load_audio", {"audio": "welcome.wav"})
        refused = await client.call_tool("load_audio", {"audio": "../cli.py"})
        question = {"audio": "welcome.wav", "question": "What is said?"}
        answered = await client.call_tool("ask_audio", question)
        transcribed = await client.call_tool("transcribe_audio", {"audio": "welcome.wav"})
    texts = [it.content[0] for it in (listed, refused, answered, transcribed)]
    assert [it.text.splitlines()[-2:] for it in texts if isinstance(it, TextContent)] == [
        [f"welcome.wav (7.2 s, {len(WELCOME):,} bytes)", "Files that are no recordings: 3"],
        ["../cli.py: there is no such recording in the folder"],
        ["ok"],
        ["ok"],
    ]
    audio = loaded.content[1]
    assert isinstance(audio, AudioContent)
    assert base64.b64decode(audio.data) == WELCOME
    assert [it.json["model"] for it in server.requests] == [
        "qwen-audio-turbo-latest",
        "qwen3-asr-flash",
    ]
    assert sent_clips(server) == [WELCOME]


def refuse_others(address: str) -> None:
    for code, header in (
        (421, {"Host": "evil.example"}),
        (403, {"Origin": "http://evil.example"}),
    ):
        headers = {"Content-Type": "application/json", **header}
        request = urllib.request.Request(address, b"{}", headers)  # noqa: S310
        with pytest.raises(urllib.error.HTTPError, match=str(code)) as refused:
            urllib.request.urlopen(request, timeout=HANG_S)  # noqa: S310
        refused.value.close()


# Runs the command where there is no input, over HTTP, and over stdio, where its errors are told.
THRICE = """
import os, sys
import langchain_qwen_audio._pipeline, uvicorn
from langchain_qwen_audio import mcp_server
from langchain_qwen_audio.cli import main

def run(*more):
    sys.exit(main(["mcp", "--root", sys.argv[1], *more]))

def fork(*more):
    child = os.fork()
    if child == 0:
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        if more:
            os.dup2(nothing, 2)
            print(os.getpid(), flush=True)
        run(*more)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)

fork()
fork("--http", "--port", "0")
run()
"""


@pytest.mark.usefixtures("interruptible")
def test_it_serves_over_http_and_stdio_and_ends_with_its_input_and_at_an_interrupt(
    server: LocalDashScope, variables: dict[str, str]
) -> None:
    with subprocess.Popen(
        [sys.executable, *STRICT, "-c", THRICE, str(SAMPLES)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=variables,
    ) as it:
        assert it.stdout is not None
        try:
            assert it.stdout.readline() == "0\n"
            use_http(int(it.stdout.readline()), it.stdout.readline(), server)
            assert it.stdout.readline() == "130\n"
            server.clear()
            asyncio.run(use_tools(over_stdio_until_an_interrupt(it), server))
            output, errors = it.communicate(timeout=HANG_S)
            assert (it.returncode, output, errors) == (-signal.SIGINT, "", "")
        finally:
            it.kill()


@contextlib.asynccontextmanager
async def over_stdio_until_an_interrupt(program: subprocess.Popen[str]) -> AsyncIterator[Any]:
    """Connect a client to a program that runs."""
    assert program.stdout is not None
    assert program.stdin is not None
    lines, written = anyio.wrap_file(program.stdout), anyio.wrap_file(program.stdin)
    async with stdio_server(lines, written) as streams:
        yield streams
        program.send_signal(signal.SIGINT)


def use_http(pid: int, line: str, server: LocalDashScope) -> None:
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+/mcp", line)
        assert found
        asyncio.run(use_tools(found[0], server))
        refuse_others(found[0])
    finally:
        os.kill(pid, signal.SIGINT)


@pytest.fixture
def run(
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Callable[..., tuple[int, str]]:
    """Run the command in this process; return its exit code and its last line of errors."""

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(os, "environ", variables)
        with contextlib.chdir(tmp_path):
            try:
                code = main(["mcp", *arguments])
            except SystemExit as error:
                code = int(str(error.code))
        output, errors = capsys.readouterr()
        assert output == ""
        return code, errors.splitlines()[-1]

    return run


WRONG = [
    (["--root", "nowhere"], "--root nowhere: there is no such folder"),
    (["--root", ".", "--model", "qwen3-asr-flash-filetrans"], "transcribes in jobs"),
    (["--root", ".", "--port", "8000"], "--port: it is for HTTP; add --http"),
    ([], "the following arguments are required: --root"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_a_wrong_call_is_one_line(
    run: Callable[..., tuple[int, str]], arguments: list[str], words: str
) -> None:
    code, line = run(*arguments)
    assert code == 2
    assert words in line


def test_a_model_of_jobs_transcribes_in_jobs(server: LocalDashScope) -> None:
    args = argparse.Namespace(
        root=".",
        model="qwen-audio-turbo-latest",
        transcriber="qwen3-asr-flash-filetrans",
        language="en",
        local=False,
    )
    toolkit = _make_toolkit(args, base_url=server.base_url, api_key="local")
    assert isinstance(toolkit.transcriber, TranscriptionJobs)
    assert toolkit.transcriber.parameters == {"language": "en"}


def test_a_port_in_use_is_one_line(run: Callable[..., tuple[int, str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("--root", ".", "--http", "--port", str(port))
    assert told == (1, f"qwen-audio: port {port}: it is in use; choose another with --port")
