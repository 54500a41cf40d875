"""Install the package as a new user does, on each Python, with each extra, and print what works.

    python tests/install_matrix.py python3.11 /usr/bin/python3.13

Each install has a clean virtual environment below a temporary directory. Programs run in it at a
pseudo-terminal, and know nothing of this tree. The exit code is 1 if a cell of the table failed.
"""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
SAMPLE = str(ROOT / "langchain_qwen_audio" / "samples" / "welcome.wav")
DATA = ROOT / "tests" / "unit_tests" / "data" / "audio"
NAMES = ("speech.wav", "speech.mp3", "speech.m4a", "speech.webm", "sox.amr")
FORMATS = [str(DATA / name) for name in NAMES]
TIMEOUT_S = 600
REPLY = "A scripted reply."
SPOKEN = "recording studio"

INSTALLS = {
    "base": (),
    "local": ("local",),
    "llama-index": ("llama-index",),
    "agents": ("agents",),
    "deep-agents": ("deep-agents",),
    "mcp": ("mcp",),
    "ray": ("ray",),
    "all": ("local", "llama-index", "agents", "deep-agents", "mcp", "ray"),
}
VERSIONS_OF = ["av", "dashscope", "langchain-core", "faster-whisper", "llama-index-core", "ray"]

VERSIONS = """
import sys
from importlib import metadata
found = {it.name.lower(): it.version for it in metadata.distributions()}
print(*(f"{name} {found[name]}" for name in sys.argv[1:] if name in found), sep="\\n")
"""
IMPORT = """
import langchain_qwen_audio as package
for name in package.__all__:
    getattr(package, name)
"""
# The loader decodes all of a recording; a message may carry it as it is.
AUDIO = """
import sys
from langchain_qwen_audio import Audio, ChatQwenAudio, QwenAudioLoader
for path in sys.argv[1:]:
    audio = Audio.from_path(path)
    assert 1 < audio.duration_s < 2, (path, audio)
    print(ChatQwenAudio().invoke([{"role": "user", "content": [audio.to_block()]}]).text)
    print(QwenAudioLoader(path, llm=ChatQwenAudio(model="qwen3-asr-flash")).load())
"""
LLAMA_INDEX = """
import sys
from langchain_qwen_audio.llama_index import QwenAudio
from llama_index.core.llms import AudioBlock, ChatMessage
print(QwenAudio().chat([ChatMessage(blocks=[AudioBlock(path=sys.argv[1])])]))
"""
MCP = """
import asyncio, os, sys
from langchain_qwen_audio import ChatQwenAudio, QwenAudioToolkit
from langchain_qwen_audio.mcp_server import create_mcp_server
toolkit = QwenAudioToolkit(root_dir=os.path.dirname(sys.argv[1]), llm=ChatQwenAudio())
server = create_mcp_server(toolkit)
from mcp import Client
async def main():
    async with Client(server) as client:
        question = {"audio": "welcome.wav", "question": "?"}
        print((await client.call_tool("ask_audio", question)).content[0].text)
asyncio.run(main())
"""
# Ray's cluster listens beyond loopback, so nobody else is let in.
RAY = """
import os, secrets, sys
os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex()}
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.ray import transcribe
llm = ChatQwenAudio(model="qwen3-asr-flash")
print(transcribe([sys.argv[1]], llm=llm, num_actors=1).take_all())
"""
PROGRAMS = {"llama-index": LLAMA_INDEX, "mcp": MCP, "ray": RAY}
SERVE = """
import sys
from langchain_qwen_audio.local import LocalDashScope
with LocalDashScope(reply=sys.argv[1]) as server:
    print(server.base_url, flush=True)
    sys.stdin.read()
"""


Service = dict[str, str] | None  # the variables that lead to it


class CellError(Exception):
    """What a cell of the table ran did not do what it should."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the extras that the package is installed with."""

    folder: Path
    extras: tuple[str, ...]

    def path(self, program: str) -> str:
        return str(self.folder / "bin" / program)

    def run(
        self,
        program: str,
        *arguments: str,
        code: int = 0,
        prints: str = "",
        service: Service = None,
    ) -> str:
        """Run a program at a terminal; return what it printed.

        Raises:
            CellError: The exit code is another, or `prints` is not in what it printed.
        """
        terminal, end = pty.openpty()
        with subprocess.Popen(
            [self.path(program), *arguments],
            stdin=end,
            stdout=end,
            stderr=end,
            env=clean_variables() | (service or {}),
            cwd=self.folder,
        ) as process:
            os.close(end)
            limit = threading.Timer(TIMEOUT_S, process.kill)
            limit.start()
            printed = b"".join(iter(lambda: read_terminal(terminal), b"")).decode()
        limit.cancel()
        os.close(terminal)
        done = process.returncode
        if done != code or prints not in printed:
            raise CellError(f"expected exit code {code} and {prints!r}; got {done} and:\n{printed}")
        return printed

    @contextlib.contextmanager
    def scripted_service(self) -> Iterator[dict[str, str]]:
        """Start a local test server; yield the variables that lead to it."""
        with subprocess.Popen(
            [self.path("python"), "-c", SERVE, REPLY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_variables(),
            cwd=self.folder,
        ) as server:
            assert server.stdin
            assert server.stdout
            base_url = server.stdout.readline().strip()
            yield {"DASHSCOPE_API_KEY": "local", "DASHSCOPE_BASE_URL": base_url}
            server.stdin.close()


def clean_variables() -> dict[str, str]:
    ours = ("DASHSCOPE_", "PYTHON", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def read_terminal(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux says so when the last writer is gone
        return b""


def try_import(environment: Environment) -> None:
    environment.run("python", "-c", IMPORT)


def try_ask(environment: Environment) -> None:
    if "local" in environment.extras:
        environment.run("qwen-audio", "ask", SAMPLE, "--local", prints=SPOKEN)
    else:
        missing = "langchain-qwen-audio[local]"
        environment.run("qwen-audio", "ask", SAMPLE, "--local", code=1, prints=missing)
    with environment.scripted_service() as service:
        environment.run("qwen-audio", "ask", SAMPLE, prints=REPLY, service=service)


def try_transcribe(environment: Environment) -> None:
    if "local" in environment.extras:
        transcribe(environment, "--local", expected=SPOKEN)
    with environment.scripted_service() as service:
        transcribe(environment, expected=REPLY, service=service)


def transcribe(
    environment: Environment, *options: str, expected: str, service: Service = None
) -> None:
    with tempfile.TemporaryDirectory() as out:
        environment.run("qwen-audio", "transcribe", SAMPLE, "--out", out, *options, service=service)
        transcript = (Path(out) / "welcome.txt").read_text(encoding="utf-8")
        if expected not in transcript:
            raise CellError(f"expected {expected!r}; got {transcript!r}")


def try_audio(environment: Environment) -> None:
    with environment.scripted_service() as service:
        printed = environment.run("python", "-c", AUDIO, *FORMATS, service=service)
        if printed.count(REPLY) != 2 * len(FORMATS):
            raise CellError(printed)


def try_extras(environment: Environment) -> None:
    """Use each extra that is installed; each other one must name the line that installs it."""
    with environment.scripted_service() as service:
        for extra, program in PROGRAMS.items():
            if extra in environment.extras:
                environment.run("python", "-c", program, SAMPLE, prints=REPLY, service=service)
            else:
                missing = f"langchain-qwen-audio[{extra}]"
                environment.run(
                    "python", "-c", program, SAMPLE, code=1, prints=missing, service=service
                )


CELLS: dict[str, Callable[[Environment], None]] = {
    "import": try_import,
    "`ask`": try_ask,
    "`transcribe`": try_transcribe,
    "`Audio` of WAV, MP3, M4A, WebM, AMR": try_audio,
    "LlamaIndex, MCP, Ray": try_extras,
}


def install(python: str, environment: Environment) -> tuple[str, str]:
    """Make the environment; return how large and how slow the install was."""
    subprocess.run([python, "-m", "venv", environment.folder], check=True)
    empty = size_of(environment.folder)
    extras = f"[{','.join(environment.extras)}]" if environment.extras else ""
    began, cpu_began = time.monotonic(), cpu_of_children()
    environment.run("python", "-m", "pip", "install", "--quiet", f"{ROOT}{extras}")
    seconds, cpu = time.monotonic() - began, cpu_of_children() - cpu_began
    size = (size_of(environment.folder) - empty) / 1e6
    return f"{size:,.0f} MB", f"{seconds:.0f} s ({cpu:.0f} s CPU)"


def cpu_of_children() -> float:
    return os.times().children_user + os.times().children_system


def size_of(folder: Path) -> int:
    files = (it for it in folder.rglob("*") if it.is_file() and not it.is_symlink())
    return sum(it.stat().st_size for it in files)


def outcome(cell: str, environment: Environment, row: str) -> str:
    try:
        CELLS[cell](environment)
    except CellError as error:
        print(f"\n{row}, {cell}: {error}", file=sys.stderr)
        return "**no**"
    return "yes"


def try_install(python: str, name: str, versions: dict[str, str]) -> list[str]:
    """Return a row of the table; add the versions that were installed."""
    row = f"{python} {name}"
    with tempfile.TemporaryDirectory(prefix="install-") as folder:
        environment = Environment(Path(folder), INSTALLS[name])
        try:
            size_and_time = install(python, environment)
        except CellError as error:
            print(f"\n{row}: {error}", file=sys.stderr)
            return [name, "**not installed**", "", *("" for _ in CELLS)]
        printed = environment.run("python", "-c", VERSIONS, *VERSIONS_OF)
        versions |= dict(line.split() for line in printed.splitlines())
        return [name, *size_and_time, *(outcome(cell, environment, row) for cell in CELLS)]


def version_of(python: str) -> str:
    program = "import platform; print(platform.python_version())"
    return subprocess.check_output([python, "-c", program], text=True).strip()


def print_row(cells: list[str]) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def main(pythons: list[str]) -> int:
    """Print the table, then the versions in it."""
    print_row(["Python", "install", "size", "time", *CELLS])
    print_row(["---"] * (4 + len(CELLS)))
    versions: dict[str, dict[str, str]] = {}
    failed = False
    for python in pythons:
        number = version_of(python)
        versions[number] = {}
        for name in INSTALLS:
            cells = try_install(python, name, versions[number])
            failed |= any("**" in cell for cell in cells)
            print_row([number, *cells])
    print()
    for number, found in versions.items():
        listed = ", ".join(f"{name} {found.get(name, 'not installed')}" for name in VERSIONS_OF)
        print(f"Python {number}: {listed}.")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [sys.executable]))
