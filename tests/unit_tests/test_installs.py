"""What works with the base install and with each extra alone; the rest says what to install."""

from __future__ import annotations

import ast
import json
import re
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests import install_matrix

from .installs import (
    PACKAGE,
    ROOT,
    Installs,
    installs,
    is_installed,
    modules,
)
from .test_docs import python_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SAMPLE = str(ROOT / "langchain_qwen_audio" / "samples" / "welcome.wav")
COMMAND = ("-m", "langchain_qwen_audio.cli")


def install_line(extra: str) -> str:
    return f'pip install "langchain-qwen-audio[{extra}]"'


@pytest.fixture(scope="module")
def service() -> Iterator[dict[str, str]]:
    """The variables that name a server, which replies whatever is installed."""
    with LocalDashScope(reply="a text") as server:
        yield {"DASHSCOPE_API_KEY": "sk-1", "DASHSCOPE_BASE_URL": server.base_url}


@pytest.fixture(scope="module")
def pythons() -> Iterator[Installs]:
    with installs() as pythons:
        yield pythons


# --- that the others are hidden ---------------------------------------------------------------

LOOK = """
import importlib.metadata, importlib.util
print(importlib.util.find_spec("numpy") is not None)
try:
    import numpy
    print(True)
except ModuleNotFoundError:
    print(False)
try:
    print(bool(importlib.metadata.version("numpy")))
except importlib.metadata.PackageNotFoundError:
    print(False)
"""


@pytest.mark.parametrize(("extras", "there"), [((), "False"), (("local",), "True")])
def test_what_is_not_installed_is_not_found(
    pythons: Installs, extras: tuple[str, ...], there: str
) -> None:
    assert pythons.run("-c", LOOK, extras=extras).stdout.split() == [there] * 3


# --- the base install -------------------------------------------------------------------------

WORKS_IN_BASE: dict[str, str] = {
    "every public name": (
        "import langchain_qwen_audio as it\n"
        "import langchain_qwen_audio.errors, langchain_qwen_audio.local\n"
        "print(len([getattr(it, name) for name in it.__all__]) > 10)"
    ),
    "an Audio in a notebook": (
        "import sys; from langchain_qwen_audio import Audio, show_messages\n"
        "audio = Audio.from_path(sys.argv[1])\n"
        "print(audio.duration_s, '<svg' in audio._repr_html_())\n"
        "show_messages([{'role': 'user', 'content': [audio.excerpt(1, 2).to_block()]}])"
    ),
    "an array": (
        "from array import array; from langchain_qwen_audio import Audio\n"
        "print(Audio.from_array(array('f', [0.5] * 100), 48_000).mime_type)"
    ),
    "invoke and stream": (
        "import sys; from langchain_qwen_audio import Audio, ChatQwenAudio\n"
        "messages = [{'role': 'user', 'content': [Audio.from_path(sys.argv[1]).to_block()]}]\n"
        "print(ChatQwenAudio().invoke(messages).text)\n"
        "print(''.join(chunk.text for chunk in ChatQwenAudio().stream(messages)))"
    ),
    "counting tokens": (
        "from langchain_core.messages import HumanMessage\n"
        "from langchain_qwen_audio import ChatQwenAudio\n"
        "print(ChatQwenAudio().get_num_tokens_from_messages([HumanMessage('a text')]))"
    ),
    "the loader with a progress bar": (
        "import sys; from langchain_qwen_audio import QwenAudioLoader\n"
        "print(QwenAudioLoader(sys.argv[1], show_progress=True).load()[0].page_content)"
    ),
    "the chain": (
        "import sys; from langchain_qwen_audio import ChatQwenAudio, create_recording_qa_chain\n"
        "chain = create_recording_qa_chain(ChatQwenAudio())\n"
        "print(chain.invoke({'audio': sys.argv[1], 'question': '?'})['answer'])"
    ),
    "the tools": (
        "import os, sys; from langchain_qwen_audio import ChatQwenAudio, QwenAudioToolkit\n"
        "toolkit = QwenAudioToolkit(root_dir=os.path.dirname(sys.argv[1]), llm=ChatQwenAudio())\n"
        "print(toolkit.get_tools()[2].invoke({'audio': 'welcome.wav', 'question': '?'}))"
    ),
    "a server with a reply": (
        "from langchain_qwen_audio import ChatQwenAudio\n"
        "from langchain_qwen_audio.local import LocalDashScope\n"
        "with LocalDashScope(reply='a text') as server:\n"
        "    print(ChatQwenAudio(base_url=server.base_url, api_key='local').invoke('?').text)"
    ),
    "a server with scripted replies": (
        "import sys; from langchain_qwen_audio import Audio, ChatQwenAudio\n"
        "from langchain_qwen_audio.local import LocalDashScope, Reply\n"
        "messages = [{'role': 'user', 'content': [Audio.from_path(sys.argv[1]).to_block()]}]\n"
        "server = LocalDashScope()\n"
        "server.script('a text', Reply('another', audio=bytes(480)))\n"
        "with server:\n"
        "    model = ChatQwenAudio(base_url=server.base_url, api_key='local')\n"
        "    print(model.invoke(messages).text, model.invoke(messages).text)"
    ),
}


ONE_AFTER_THE_OTHER = """
import contextlib, io, json, sys, traceback

outcomes = {}
for name, code in json.loads(sys.stdin.read()).items():
    printed, told, error = io.StringIO(), io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(told):
            exec(code, {"__name__": "__main__"})
    except BaseException as raised:
        error = "".join(traceback.format_exception(raised))
    outcomes[name] = [printed.getvalue(), told.getvalue(), error]
print(json.dumps(outcomes))
"""


class Outcome(NamedTuple):
    """What a program printed, what it told as an error, and what it raised."""

    printed: str
    told: str
    error: str


NO_NUMPY = "The local test server cannot transcribe without numpy, faster_whisper"
NEEDS_AN_EXTRA = {
    "ray": ("import langchain_qwen_audio.ray", "ray", "langchain_qwen_audio.ray needs Ray"),
    "agents": (
        "import langchain_qwen_audio.middleware",
        "agents",
        "langchain_qwen_audio.middleware needs LangChain's agents",
    ),
    "deep_agents": (
        "import langchain_qwen_audio.deep_agents",
        "deep-agents",
        "langchain_qwen_audio.deep_agents needs Deep Agents",
    ),
    "mcp": (
        "import langchain_qwen_audio.mcp_server",
        "mcp",
        "langchain_qwen_audio.mcp_server needs the MCP SDK 2",
    ),
    "llama_index": (
        "import langchain_qwen_audio.llama_index",
        "llama-index",
        "langchain_qwen_audio.llama_index needs LlamaIndex",
    ),
    "Microphone": (
        (
            "import asyncio; from langchain_qwen_audio.microphone import Microphone\n"
            "asyncio.run(Microphone().__aenter__())"
        ),
        "microphone",
        "Microphone needs sounddevice",
    ),
    "evaluate_transcripts": (
        (
            "from langchain_qwen_audio import ChatQwenAudio, evaluate_transcripts\n"
            "evaluate_transcripts({'a.wav': 'a text'}, ChatQwenAudio(api_key='x'))"
        ),
        "evaluate",
        "evaluating transcripts needs jiwer",
    ),
    "LocalDashScope": (
        "from langchain_qwen_audio.local import LocalDashScope; LocalDashScope().start()",
        "local",
        NO_NUMPY,
    ),
    "check_audio": (
        (
            "from langchain_qwen_audio.local import LocalDashScope\n"
            "LocalDashScope(reply='a text', check_audio=True).start()"
        ),
        "local",
        NO_NUMPY,
    ),
    "a script that has run out": (
        (
            "from langchain_qwen_audio import ChatQwenAudio\n"
            "from langchain_qwen_audio.local import LocalDashScope\n"
            "with LocalDashScope(replies=['a text']) as server:\n"
            "    model = ChatQwenAudio(base_url=server.base_url, api_key='local')\n"
            "    model.invoke('?')\n"
            "    try: model.invoke('?')\n"
            "    finally: assert len(server.requests) == 2"
        ),
        "local",
        f"InvalidRequestError: {NO_NUMPY}",
    ),
}


COMMANDS = {
    "ask": ["ask", SAMPLE, "--local"],
    "transcribe": ["transcribe", SAMPLE, "--local"],
    "serve": ["serve", "--port", "0"],
}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def outcomes(pythons: Installs, service: dict[str, str], empty: Path) -> dict[str, Outcome]:
    """Run programs one after the other in one base install, in an empty folder."""
    codes = WORKS_IN_BASE | {name: code for name, (code, *_) in NEEDS_AN_EXTRA.items()}
    main = "import sys; from langchain_qwen_audio.cli import main; sys.exit(main({!r}))"
    codes |= {name: main.format(args) for name, args in COMMANDS.items()}
    args = ("-c", ONE_AFTER_THE_OTHER, SAMPLE)
    done = pythons.run(*args, stdin=json.dumps(codes), env=service, cwd=empty)
    assert done.returncode == 0, done.stderr
    return {name: Outcome(*it) for name, it in json.loads(done.stdout).items()}


@pytest.mark.parametrize("what", WORKS_IN_BASE)
def test_it_works_with_the_base_install(outcomes: dict[str, Outcome], what: str) -> None:
    assert outcomes[what].error == ""
    assert outcomes[what].printed.strip()


@pytest.mark.parametrize("what", NEEDS_AN_EXTRA)
def test_without_its_extra_it_says_what_to_install(outcomes: dict[str, Outcome], what: str) -> None:
    _, extra, reason = NEEDS_AN_EXTRA[what]
    last = outcomes[what].error.splitlines()[-1]
    assert reason in last
    assert install_line(extra) in last


@pytest.mark.parametrize("command", COMMANDS)
def test_the_command_without_local_says_what_to_install_and_starts_nothing(
    outcomes: dict[str, Outcome], empty: Path, command: str
) -> None:
    done = outcomes[command]
    assert (done.error.splitlines()[-1], done.printed) == ("SystemExit: 1", "")
    (line,) = done.told.splitlines()
    assert line.startswith(f"qwen-audio: {NO_NUMPY}")
    assert install_line("local") in line
    assert list(empty.iterdir()) == []


AT_A_TERMINAL = """
import contextlib, os, pty, sys, termios
child, terminal = pty.fork()
if not child:
    termios.tcsetwinsize(1, (24, 80))
    sys.stdout, sys.stderr = open(1, "w"), open(2, "w")
    from langchain_qwen_audio.cli import main
    sys.exit(main(sys.argv[1:]))
with contextlib.suppress(OSError):  # as Linux says that the other end is closed
    while data := os.read(terminal, 65_536):
        sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_base_install_transcribes_at_a_terminal(
    pythons: Installs, service: dict[str, str], tmp_path: Path
) -> None:
    args = ("-c", AT_A_TERMINAL, "transcribe", SAMPLE)
    done = pythons.run(*args, cwd=tmp_path, env=service)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transcribing 1 of 1: 100%" in done.stdout
    assert "welcome.txt" in done.stdout
    assert (tmp_path / "welcome.txt").read_text() == "a text\n"


# --- each extra alone -------------------------------------------------------------------------

AGENTS = """
import sys, tempfile
from langchain_qwen_audio import Audio
from langchain_qwen_audio.middleware import AudioMiddleware
print(AudioMiddleware(tempfile.mkdtemp()).to_blocks(Audio.from_path(sys.argv[1])))
"""
LLAMA_INDEX = """
import sys
from llama_index.core.llms import AudioBlock, ChatMessage
from langchain_qwen_audio.llama_index import QwenAudio, QwenAudioReader
print(QwenAudio().chat([ChatMessage(blocks=[AudioBlock(path=sys.argv[1])])]))
print(QwenAudioReader().load_data(sys.argv[1])[0].text)
"""
DEEP_AGENTS = """
import os, sys
from deepagents.backends import FilesystemBackend
from langchain_qwen_audio.deep_agents import ReadAudio
tool = ReadAudio(backend=FilesystemBackend(os.path.dirname(sys.argv[1]), virtual_mode=True))
call = {"type": "tool_call", "id": "1", "name": "read_audio", "args": {"file_path": "welcome.wav"}}
print(tool.invoke(call).update["messages"][0].text)
"""
MCP = """
import asyncio, os, sys
from langchain_qwen_audio import ChatQwenAudio, QwenAudioToolkit
from langchain_qwen_audio.mcp_server import create_mcp_server
from mcp import Client
toolkit = QwenAudioToolkit(root_dir=os.path.dirname(sys.argv[1]), llm=ChatQwenAudio())
async def main():
    async with Client(create_mcp_server(toolkit)) as client:
        question = {"audio": "welcome.wav", "question": "?"}
        print((await client.call_tool("ask_audio", question)).content[0].text)
asyncio.run(main())
"""
EVALUATE = """
import sys
from langchain_qwen_audio import ChatQwenAudio, evaluate_transcripts
print(evaluate_transcripts({sys.argv[1]: "A text."}, ChatQwenAudio(model="qwen3-asr-flash")))
"""
WORKS_WITH: dict[str, tuple[str, ...]] = {
    "evaluate": ("-c", EVALUATE, SAMPLE),
    "local": (*COMMAND, "ask", SAMPLE, "--local"),
    "agents": ("-c", AGENTS, SAMPLE),
    "llama-index": ("-c", LLAMA_INDEX, SAMPLE),
    "mcp": ("-c", MCP, SAMPLE),
    "deep-agents": ("-c", DEEP_AGENTS, SAMPLE),
    "ray": ("-c", "import langchain_qwen_audio.ray as it; print(it.SCHEMA)"),
}


@pytest.mark.parametrize("extra", WORKS_WITH)
def test_it_works_with_its_extra_alone(
    pythons: Installs, service: dict[str, str], extra: str
) -> None:
    if not is_installed(extra):
        pytest.skip(f"{install_line(extra)} was not run here")
    done = pythons.run(*WORKS_WITH[extra], extras=(extra,), env=service)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def names_in(module: str) -> set[str]:
    """List what a module of the package defines, without importing it: its extra may be missing."""
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    code = path.read_text(encoding="utf-8")
    bound = [it for node in ast.parse(code).body for it in ast.walk(node)]
    names = {it.name for it in bound if isinstance(it, (ast.FunctionDef, ast.ClassDef, ast.alias))}
    return names | {str(it.value) for it in bound if isinstance(it, ast.Constant)}


@pytest.mark.parametrize("name", ["IMPORT", "AUDIO", "LLAMA_INDEX", "MCP", "RAY", "SERVE"])
def test_the_install_matrix_imports_what_there_is(name: str) -> None:
    for node in ast.walk(ast.parse(getattr(install_matrix, name))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PACKAGE):
            assert {it.name for it in node.names} <= names_in(str(node.module))


# --- pages ------------------------------------------------------------------------------------

PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "examples").glob("*.py")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
    ROOT / "README.md",
]
# What pip calls the distributions that an extra brings, or that a page names itself.
NAMED = {
    "llama_index": "llama-index",
    "ray": "ray",
    "pyarrow": "ray",
    "langgraph": "langchain",
    "jiwer": "evaluate",
    "deepagents": "deep-agents",
    "fastmcp": "mcp",
}


def code_of(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return "\n".join(python_blocks(page))
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        return "\n".join("".join(it["source"]) for it in cells if it["cell_type"] == "code")
    return text


def test_a_page_names_what_must_be_installed_for_it() -> None:
    here = {*modules(), *sys.stdlib_module_names, PACKAGE, "connect", "word_counts", "pytest"}
    for page in PAGES:
        code = code_of(page)
        text = page.read_text(encoding="utf-8").replace("\\", "")
        imported = re.findall(r"^\s*(?:from|import) (\w+)", code, re.MULTILINE)
        for module in {*imported} - here:
            name = NAMED.get(module, module)
            named = re.search(rf"pip install [^\n]*\b{name}(?![\w-])", text)
            assert named, f"{page} imports {module}"
        if "LocalDashScope()" in code:
            assert re.search(r"\[local[],]", text), page
