"""Every code block of the documentation runs, in order, as a reader would run it."""

import inspect
import re
import shutil
import textwrap
from pathlib import Path

import pytest
from langchain_core.document_loaders import Blob

import langchain_qwen_audio
from langchain_qwen_audio import llama_index
from langchain_qwen_audio._profiles import PROFILES
from langchain_qwen_audio.local import LocalDashScope

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "langchain_qwen_audio" / "samples" / "welcome.wav"


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "heard"),
    [
        ("README.md", 5),
        ("docs/index.md", 2),
        ("docs/audio.md", 1),
        ("docs/streaming.md", 5),
        ("docs/agents.md", 1),
        ("docs/models.md", 2),
        ("docs/errors.md", 0),
        ("docs/recordings.md", 2),
        ("docs/production.md", 0),
        ("docs/testing.md", 0),
        ("docs/migrating.md", 2),
    ],
)
def test_code_blocks_run(
    page: str,
    heard: int,
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
        # The page speaks of a URL that the service can fetch; here a data URI stands for it.
        names = {
            "sample_url": "data:audio/wav;base64," + _base64(SAMPLE),
            "sample_file_url": SAMPLE.as_uri(),
        }
        for block in blocks:
            exec(compile(block, page, "exec"), names)  # noqa: S102
    printed = capsys.readouterr().out
    assert blocks
    assert printed.count("Welcome to the recording studio") >= heard


@pytest.mark.parametrize(
    ("documented", "count"),
    [
        (langchain_qwen_audio.ChatQwenAudio, 10),
        (langchain_qwen_audio.QwenAudioParser, 1),
        (langchain_qwen_audio.QwenAudioLoader, 1),
        (langchain_qwen_audio.LoadAudio, 1),
        (langchain_qwen_audio.AskAudio, 1),
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
    documented: type, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


def test_the_table_of_models_says_what_the_package_knows() -> None:
    listed = set()
    for line in (ROOT / "README.md").read_text().splitlines():
        if not line.startswith("| `q"):
            continue
        names, _, tokens, clip, speaks, tools, state = line.strip("| ").split(" | ")
        for name in re.findall(r"`([^`]+)`", names):
            profile = PROFILES[name]
            listed.add(name)
            if tokens != "unknown":
                assert float(tokens) == profile.tokens_per_s, name
                number, unit = clip.split()
                seconds = float(number) * {"s": 1, "min": 60, "h": 3600}[unit]
                assert seconds == profile.max_clip_s, name
            assert speaks == ("yes" if profile.voice else "no"), name
            offered = "native" if profile.native_tools else "prompt" if profile.text else "no"
            assert tools == offered, name
            assert state == profile.status, name
    dated = {name for name in PROFILES if re.search(r"-20\d\d-|-latest$", name)}
    assert listed | dated == set(PROFILES)


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()
