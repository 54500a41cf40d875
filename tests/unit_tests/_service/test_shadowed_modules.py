"""A user's file that has the name of a third-party module: the first request does not hang."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.unit_tests.waiting import HANG_S

if TYPE_CHECKING:
    from pathlib import Path

# Each way's request is the first one in a fork of its own, whose errors begin with the way.
SCRIPT = """
import asyncio, os, sys
from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.local import LocalDashScope

if len(sys.argv) > 2:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
    del sys.argv[1 if child else 2]
    print(sys.argv[1], file=sys.stderr, flush=True)
with LocalDashScope(reply="ok") as server:
    model = ChatQwenAudio(base_url=server.base_url, api_key="local")
    print(sys.argv[1], eval(sys.argv[1]).text)
"""
WAYS = ['model.invoke("?")', 'asyncio.run(model.ainvoke("?"))']


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_script_named_as_a_module_of_httpcore_ends(tmp_path: Path) -> None:
    # httpcore imports h2, and so runs this script again while the first client is made.
    script = tmp_path / "h2.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(script), *WAYS]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANG_S, check=False)
    _, *errors = re.split("|".join(map(re.escape, [f"{way}\n" for way in WAYS])), done.stderr)
    for way, told in zip(WAYS, errors, strict=True):
        answers = [line for line in done.stdout.splitlines() if line.startswith(way)]
        assert answers == [f"{way} ok"] or "httpcore" in told, way
