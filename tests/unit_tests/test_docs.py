"""Every code block of the documentation runs, in order, as a reader would run it."""

import functools
import importlib
import inspect
import logging
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from langchain_core.document_loaders import Blob
from langchain_core.rate_limiters import InMemoryRateLimiter
from PIL import Image

import langchain_qwen_audio
from langchain_qwen_audio import live, llama_index
from langchain_qwen_audio._media.container import DEMUXERS
from langchain_qwen_audio._models.elsewhere import OTHER_WAYS
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio.local import LocalDashScope
from tests.model_tables import OTHER_NAMES, PAGES, TABLES, with_tables

from .recordings import read

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langchain_qwen_audio"
SAMPLE = PACKAGE / "samples" / "welcome.wav"

# The examples of `ray` need a cluster, and those of `mcp_…` a server: other tests have them.
PUBLIC_MODULES = [
    f"langchain_qwen_audio.{it}"
    for it in (
        *("audio", "chat_batches", "costs", "deep_agents", "document_loaders", "errors"),
        "evaluation",
        *(
            "live",
            "llama_index",
            "local",
            "microphone",
            "middleware",
            "redaction",
            "tracing",
            "transcription_jobs",
        ),
        "transcripts",
    )
]
VOICE_MESSAGES = {
    "whatsapp.ogg": read("opus.ogg"),
    "wechat.amr": read("pyav.amr"),
    "iphone.m4a": read("speech.m4a"),
    "wechat.silk": b"\x02#!SILK_V3".ljust(5_000, b"\0"),
}


@pytest.fixture
def own_log_level() -> Iterator[None]:
    """Restore the level of the package's logger, which a page sets for the whole process."""
    logger = logging.getLogger("langchain_qwen_audio")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.fixture
def no_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every request of a page be sent at once: a limit may be one a second."""
    monkeypatch.setattr(InMemoryRateLimiter, "acquire", lambda *_, **__: True)


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "transcripts"),
    [
        ("README.md", 5),
        ("docs/index.md", 2),
        ("docs/audio.md", 3),
        ("docs/formats.md", 1),
        ("docs/streaming.md", 5),
        ("docs/live.md", 2),
        ("docs/agents.md", 1),
        ("docs/models.md", 2),
        ("docs/costs.md", 0),
        ("docs/errors.md", 0),
        ("docs/transcripts.md", 5),
        ("docs/evaluation.md", 0),
        ("docs/recordings.md", 2),
        ("docs/production.md", 0),
        ("docs/testing.md", 0),
        ("docs/migrating.md", 2),
        ("docs/fastapi.md", 1),
        ("docs/chat-ui.md", 2),
        ("docs/keys.md", 1),
        ("docs/choosing.md", 2),
        ("docs/faq.md", 0),
        ("docs/performance.md", 1),
        ("docs/security.md", 1),
        ("docs/subtitles.md", 0),
        ("docs/voice-messages.md", 0),
    ],
)
# LangSmith's own warning of a parameter, and LangChain's of a module.
@pytest.mark.filterwarnings("ignore:'upload_runs' parameter is in beta")
@pytest.mark.filterwarnings("ignore:`langchain.mcp` is in beta")
@pytest.mark.usefixtures("fast_polling", "no_rate_limit", "own_log_level")
def test_code_blocks_run(
    page: str,
    transcripts: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(SAMPLE, tmp_path)
    for name, data in VOICE_MESSAGES.items():
        (tmp_path / name).write_bytes(data)
    Image.new("RGB", (64, 48)).save(tmp_path / "photo.jpg")
    monkeypatch.chdir(tmp_path)
    # Where no words of the sample are awaited, any do; the audio must be one that can be heard.
    with LocalDashScope(reply=None if transcripts else "a text", check_audio=True) as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")  # nobody is there
        blocks = python_blocks(ROOT / page)
        # The page uses a URL that the service can fetch; here it is a data URI.
        names = {
            "sample_url": "data:audio/wav;base64," + _base64(SAMPLE),
            "sample_file_url": SAMPLE.as_uri(),
            "sample_folder": SAMPLE.parent,
        }
        for block in blocks:
            exec(compile(block, page, "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert blocks
    assert printed.count("Welcome to the recording studio") >= transcripts


def test_code_that_does_not_run_here_is_python() -> None:
    pages = sorted((ROOT / "docs").glob("*.md"))
    for page in pages:
        for block in re.findall(r"^```py\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            compile(block, page.name, "exec")


@functools.cache
def public_names() -> dict[str, type | Callable[..., object]]:
    """List the classes and functions that a reader may import, by module and name."""
    modules = [langchain_qwen_audio, *(importlib.import_module(it) for it in PUBLIC_MODULES)]
    return {
        f"{module.__name__}.{name}": value
        for module in modules
        for name in getattr(module, "__all__", vars(module))
        if isinstance(value := getattr(module, name), (type, FunctionType))
        and not name.startswith("_")
        and (module is langchain_qwen_audio or defines(module, name))
    }


def defines(module: ModuleType, name: str) -> bool:
    return hasattr(module, "__all__") or getattr(module, name).__module__ == module.__name__


@pytest.fixture(scope="module")
def transcribing() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


def example_names() -> dict[str, object]:
    """Make what the examples of docstrings may use without saying where it is from."""
    names = {name: getattr(langchain_qwen_audio, name) for name in langchain_qwen_audio.__all__}
    names |= {name: getattr(llama_index, name) for name in llama_index.__all__}
    names |= {name: getattr(live, name) for name in live.__all__}
    names |= {"Blob": Blob, "LocalDashScope": LocalDashScope, "event": live.SpeechStarted(1.0)}
    model = langchain_qwen_audio.ChatQwenAudio(model="qwen3.5-omni-flash")
    block = langchain_qwen_audio.Audio.from_path("welcome.wav").to_block()
    transcript = langchain_qwen_audio.Transcript.model_validate(
        {"text": "Hello.", "sentences": [{"text": "Hello.", "start_s": 1.0, "end_s": 2.0}]}
    )
    messages = [{"role": "user", "content": [block]}]
    return names | {"model": model, "llm": model, "messages": messages, "transcript": transcript}


@pytest.mark.parametrize("name", public_names())
# LlamaIndex's own doings: its agents use what Pydantic deprecates, its readers what LangChain does.
@pytest.mark.filterwarnings("ignore:The `__fields")
@pytest.mark.filterwarnings("ignore:Accessing the 'model_")
@pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset")
@pytest.mark.usefixtures("fast_polling")
def test_each_public_name_has_an_example_that_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transcribing: LocalDashScope
) -> None:
    for file in ("welcome.wav", "meeting.mp3", "meetings/one.wav", "recordings/call.mp3"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLE, tmp_path / file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", transcribing.base_url)
    text = inspect.getdoc(public_names()[name]) or ""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    assert blocks, f"the docstring of {name} has no example"
    names = example_names()
    for block in blocks:
        exec(compile(textwrap.dedent(block), name, "exec"), names)  # noqa: S102


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    """Paths in backticks, from the root or the package; a bare name is a file somewhere below."""
    named = re.findall(r"`([\w./-]+(?:\.py|/))`", (ROOT / page).read_text())
    assert named
    files = {path.name for path in PACKAGE.rglob("*.py")}
    for name in named:
        assert (ROOT / name).exists() or (PACKAGE / name).exists() or name in files, name


def test_the_table_of_formats_names_every_container_that_is_opened() -> None:
    table = (ROOT / "docs/formats.md").read_text().partition("## Formats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]+\|[^|]+\|([^|]+)\|$", table, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(names) == sorted(DEMUXERS.split(","))


@functools.cache
def code_files() -> dict[Path, str]:
    files = [path for path in PACKAGE.rglob("*.py") if "local" not in path.parts]
    return {path: path.read_text() for path in files}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def constants_called(name: str) -> set[object]:
    """Find the values of a constant: `NAME`, or `file.NAME` where several files have it."""
    stem, _, constant = name.rpartition(".")
    defines = re.compile(rf"\b{constant}\b.* = ")
    modules = [
        module_of(path)
        for path, text in code_files().items()
        if stem in {"", path.stem} and constant in text and defines.search(text)
    ]
    found = (getattr(importlib.import_module(it), constant, None) for it in modules)
    return {it for it in found if it is not None}


def test_the_bounds_that_the_security_page_names_are_those_of_the_code() -> None:
    table = (ROOT / "docs/security.md").read_text().partition("| constant |")[2]
    checked = 0
    for bound, names in re.findall(r"^\|[^|]+\|([^|]+)\| (`[^|]+) \|$", table, re.MULTILINE):
        numbers = {float(it.replace(",", "")) for it in re.findall(r"\d[\d,]*", bound)}
        for name in re.findall(r"`([\w.]*[A-Z_]+)`", names):
            (value,) = constants_called(name)
            assert value in numbers, name
            checked += 1
    assert checked > 20


def test_the_loggers_that_a_page_names_log() -> None:
    text = (ROOT / "docs/production.md").read_text()
    named = set(re.findall(r"^\| `(langchain_qwen_audio\.[\w.]+)` \|", text, re.MULTILINE))
    logs = re.compile(r"\blogger\.\w+\(")
    assert named == {module_of(path) for path, text in code_files().items() if logs.search(text)}


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_models_are_up_to_date(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table:" in text
    assert text == with_tables(text), "run: make tables"


def test_each_model_and_each_other_way_is_in_the_tables() -> None:
    named = set(re.findall("`([^`]+)`", TABLES["limits"]()))
    assert named >= PROFILES.keys()
    assert len(OTHER_NAMES) == len(OTHER_WAYS)
    listed = set(re.findall("`([^`]+)`", TABLES["overview"]()))
    dated = {name for name in PROFILES if re.search(r"-20\d\d-|-latest$", name)}
    assert listed | dated == set(PROFILES)


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()
