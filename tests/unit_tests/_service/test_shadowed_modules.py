"""A user's file that has the name of a third-party module: the first request does not hang."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import asyncio
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope

with LocalDashScope(reply="ok") as server:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    print({request}.text)
"""
WAYS = {"invoke": 'model.invoke("?")', "ainvoke": 'asyncio.run(model.ainvoke("?"))'}


@pytest.mark.parametrize("request_", WAYS.values(), ids=WAYS)
def test_a_script_named_as_a_module_of_httpcore_ends(tmp_path: Path, request_: str) -> None:
    # httpcore imports h2, and so runs this script again while the first client is made.
    script = tmp_path / "h2.py"
    script.write_text(SCRIPT.format(request=request_), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=HANG_S, check=False
    )
    assert done.stdout == "ok\n" or "httpcore" in done.stderr
