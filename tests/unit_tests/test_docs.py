"""Every code block of the documentation runs, in order, as a reader would run it."""

import importlib
import inspect
import logging
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from langchain_core.document_loaders import Blob

import langchain_qwen_audio
from langchain_qwen_audio import llama_index
from langchain_qwen_audio._media.container import DEMUXERS
from langchain_qwen_audio._models.elsewhere import OTHER_WAYS
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.tracing import without_base64
from tests.model_tables import OTHER_NAMES, PAGES, TABLES, with_tables

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "langchain_qwen_audio"
SAMPLE = PACKAGE / "samples" / "welcome.wav"


@pytest.fixture
def own_log_level() -> Iterator[None]:
    """Restore the level of the package's logger, which a page sets for the whole process."""
    logger = logging.getLogger("langchain_qwen_audio")
    before = logger.level
    yield
    logger.setLevel(before)


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "transcripts"),
    [
        ("README.md", 5),
        ("docs/index.md", 2),
        ("docs/audio.md", 1),
        ("docs/formats.md", 1),
        ("docs/streaming.md", 5),
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
    ],
)
# LangSmith's own warning of a parameter, and LangChain's of a module.
@pytest.mark.filterwarnings("ignore:'upload_runs' parameter is in beta")
@pytest.mark.filterwarnings("ignore:`langchain.mcp` is in beta")
@pytest.mark.usefixtures("impatient_jobs", "own_log_level")
def test_code_blocks_run(
    page: str,
    transcripts: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(SAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    with LocalDashScope() as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
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


@pytest.mark.parametrize(
    ("documented", "count"),
    [
        (langchain_qwen_audio.ChatQwenAudio, 11),
        (langchain_qwen_audio.Audio, 1),
        (langchain_qwen_audio.Cost, 1),
        (langchain_qwen_audio.rate_limiter_for, 1),
        (langchain_qwen_audio.evaluate_transcripts, 1),
        (langchain_qwen_audio.redact_audio, 1),
        (langchain_qwen_audio.TranscriptionJobs, 1),
        (langchain_qwen_audio.ChatBatches, 1),
        (langchain_qwen_audio.QwenAudioParser, 1),
        (langchain_qwen_audio.QwenAudioLoader, 1),
        (without_base64, 1),
        (langchain_qwen_audio.ListAudio, 1),
        (langchain_qwen_audio.create_recording_qa_chain, 2),
        (langchain_qwen_audio.LoadAudio, 1),
        (langchain_qwen_audio.AskAudio, 1),
        (langchain_qwen_audio.TranscribeAudio, 1),
        (langchain_qwen_audio.QwenAudioToolkit, 1),
        (LocalDashScope, 1),
        (llama_index.QwenAudio, 1),
        (llama_index.QwenAudioReader, 1),
        (llama_index.QwenAudioToolSpec, 1),
    ],
)
# LlamaIndex's own doings: its agents use what Pydantic deprecates, its readers what LangChain does.
@pytest.mark.filterwarnings("ignore:The `__fields")
@pytest.mark.filterwarnings("ignore:Accessing the 'model_")
@pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset")
def test_the_examples_of_docstrings_run(
    documented: Callable[..., object], count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("welcome.wav", "meeting.mp3", "meetings/one.wav", "recordings/call.mp3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(SAMPLE, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    text = inspect.getdoc(documented) or ""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    names = {name: getattr(langchain_qwen_audio, name) for name in langchain_qwen_audio.__all__}
    names |= {name: getattr(llama_index, name) for name in llama_index.__all__}
    names |= {"Blob": Blob, "LocalDashScope": LocalDashScope}
    with LocalDashScope() as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        for block in blocks:
            exec(compile(textwrap.dedent(block), documented.__name__, "exec"), names)  # noqa: S102
    assert len(blocks) == count


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_the_files_that_a_page_names_are_there(page: str) -> None:
    """Paths in backticks, from the root or the package; a bare name is a file somewhere below."""
    named = re.findall(r"`([\w./-]+(?:\.py|/))`", (ROOT / page).read_text())
    assert named
    for name in named:
        bare = [*PACKAGE.rglob(name)] if "/" not in name else []
        assert (ROOT / name).exists() or (PACKAGE / name).exists() or bare, name


def test_the_table_of_formats_names_every_container_that_is_opened() -> None:
    table = (ROOT / "docs/formats.md").read_text().partition("## Formats")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]+\|[^|]+\|([^|]+)\|$", table, re.MULTILINE)
    names = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(names) == sorted(DEMUXERS.split(","))


def constants_called(name: str) -> set[object]:
    """Find the values of a constant: `NAME`, or `file.NAME` where several files have it."""
    stem, _, constant = name.rpartition(".")
    files = [it for it in PACKAGE.rglob(f"{stem or '*'}.py") if "local" not in it.parts]
    defining = [
        it for it in files if re.search(rf"^.*\b{constant}\b.* = ", it.read_text(), re.MULTILINE)
    ]
    modules = (".".join(it.relative_to(ROOT).with_suffix("").parts) for it in defining)
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
    files = [path for path in PACKAGE.rglob("*.py") if "local" not in path.parts]
    logging = [path for path in files if re.search(r"\blogger\.\w+\(", path.read_text())]
    parts = (path.relative_to(ROOT).with_suffix("").parts for path in logging)
    assert named == {".".join(each) for each in parts}


@pytest.mark.parametrize("page", PAGES)
def test_the_tables_of_models_are_up_to_date(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "<!-- table:" in text
    assert text == with_tables(text), "run: make tables"


def test_each_model_and_each_other_way_is_in_the_tables() -> None:
    named = set(re.findall("`([^`]+)`", TABLES["taken"]()))
    assert named >= PROFILES.keys()
    assert len(OTHER_NAMES) == len(OTHER_WAYS)
    listed = set(re.findall("`([^`]+)`", TABLES["overview"]()))
    dated = {name for name in PROFILES if re.search(r"-20\d\d-|-latest$", name)}
    assert listed | dated == set(PROFILES)


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()
