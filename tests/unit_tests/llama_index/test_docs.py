"""The page and the example run as a reader would run them."""

from __future__ import annotations

import runpy
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.programs import run_forked
from tests.unit_tests.test_docs import ROOT, SAMPLE, python_blocks
from tests.unit_tests.test_examples import EXAMPLES

if TYPE_CHECKING:
    from pathlib import Path

TRANSCRIPT = "Welcome to the recording studio"


# LlamaIndex's own doings, see the other tests.
@pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset")
@pytest.mark.filterwarnings("ignore:The `__fields")
@pytest.mark.filterwarnings("ignore:Accessing the 'model_")
def test_code_blocks_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(SAMPLE, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    with LocalDashScope() as server:
        monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        for block in python_blocks(ROOT / "docs/llama-index.md"):
            exec(compile(block, "docs/llama-index.md", "exec"), names)  # noqa: S102
    assert capsys.readouterr().out.count(TRANSCRIPT) == 5


# LlamaIndex's own doings: what it imports, and how it looks for an event loop.
@pytest.mark.filterwarnings("ignore:`langchain-community` is being sunset")
@pytest.mark.filterwarnings("ignore:There is no current event loop")
def test_the_example_cites_and_sends_the_audio(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "local")
    with LocalDashScope() as server:
        monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
        runpy.run_path(str(EXAMPLES / "llama_index_rag.py"), run_name="__main__")
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "welcome.wav from 0.0 to " in shown.out
    assert shown.out.count(TRANSCRIPT) == 2


def test_the_rest_of_the_package_does_without() -> None:
    code = (
        "import sys; import langchain_qwen_audio as it; [getattr(it, name) for name in it.__all__];"
        "print('llama_index' in sys.modules, 'langchain_qwen_audio.llama_index' in sys.modules)"
    )
    assert run_forked(code).split() == ["False", "False"]
