"""Every code block of the documentation runs, in order, as a reader would run it."""

import re
import shutil
from pathlib import Path

import pytest

from langchain_qwen_audio.local import LocalDashScope

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "langchain_qwen_audio" / "samples" / "welcome.wav"


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["README.md"])
def test_code_blocks_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
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
    assert len(blocks) >= 7
    assert printed.count("Welcome to the recording studio") >= 4


def _base64(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()
