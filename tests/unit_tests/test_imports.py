"""What importing the package costs, and which way its imports point."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import langchain_qwen_audio

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(langchain_qwen_audio.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
NAME = "langchain_qwen_audio"

# A module imports only from lower layers. Inside functions `errors` may be imported anywhere, and
# an Audio that a notebook shows has `_display` draw it.
LAYERS = [
    {"errors", "_annotations", "_profiles", "_deltas", "_fetch", "_files", "_headers", "_http"},
    {"_async_http", "_bodies", "_media_types", "_speech"},
    {"_codec", "_routes", "_abilities", "_compatible"},
    {"_tool_prompt", "_structured", "_waveform"},
    {"audio", "_decode", "_refusals"},
    {"_blocks", "_fit", "_failures", "_watch"},
    {"_encode", "_connections", "_display", "_uploads"},
    {"_prepare"},
    {"_tokens", "_client"},
    {"_exchange", "_settings"},
    {"chat_models"},
    {"_checkpoints", "_sources", "_subtitles"},
    {"_transcribe"},
    {"document_loaders"},
    {"chains", "cli", "ray", "tools"},
]
KNOW_THE_SDK = {
    *("_client.py", "_connections.py", "_failures.py", "_refusals.py", "_tokens.py", "errors.py"),
}
# aiohttp is not here: langchain-core loads it itself, through langsmith.
HEAVY = ["dashscope", "av", "numpy", "fastapi", "uvicorn", "faster_whisper"]


@pytest.mark.parametrize(
    "statement",
    [
        "from langchain_qwen_audio import ChatQwenAudio; ChatQwenAudio(api_key='x')",
        "from langchain_qwen_audio import Audio; Audio.from_bytes(b'x')",
        "from langchain_qwen_audio.local import LocalDashScope; LocalDashScope()",
    ],
)
def test_importing_and_constructing_loads_nothing_heavy(statement: str) -> None:
    report = f"import sys; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{statement}; {report}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == []
    assert done.stderr == ""


def test_the_package_lists_its_public_names() -> None:
    assert set(langchain_qwen_audio.__all__) <= set(dir(langchain_qwen_audio))
    for name in langchain_qwen_audio.__all__:
        assert getattr(langchain_qwen_audio, name).__name__ == name
    with pytest.raises(AttributeError, match="NoSuchName"):
        langchain_qwen_audio.NoSuchName  # noqa: B018


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Every module that a file imports, types aside, and whether it does so on import."""
    todo: list[tuple[ast.AST, bool]] = [(ast.parse(path.read_text(encoding="utf-8")), True)]
    while todo:
        node, eager = todo.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        todo += [(child, eager and not inside) for child in ast.iter_child_nodes(node)]
        if isinstance(node, ast.Import):
            yield from ((alias.name, eager) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from ((name, eager) for name in [node.module, *names])


def layer_of(module: str) -> int:
    for number, layer in enumerate(LAYERS):
        if module in layer:
            return number
    pytest.fail(f"{module}.py is in no layer: say in this test which way its imports point")


def own_modules(path: Path) -> set[tuple[str, bool]]:
    """The package's own modules that a file imports."""
    return {
        (name.split(".")[1], eager)
        for name, eager in imports_of(path)
        if name.startswith(f"{NAME}.")
        and ((PACKAGE / f"{name.split('.')[1]}.py").exists() or name.split(".")[1] == "local")
    }


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent == PACKAGE], ids=lambda path: path.stem
)
def test_imports_point_one_way(path: Path) -> None:
    for module, eager in own_modules(path) if path.stem != "__init__" else ():
        if module == "local":
            assert path.stem == "cli", "only the command starts the stand-in"
        elif eager or module not in {"errors", "_display"}:
            assert layer_of(module) < layer_of(path.stem), f"{path.stem} imports {module}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.parent.name == "local"], ids=lambda path: path.stem
)
def test_the_stand_in_knows_nothing_of_the_package(path: Path) -> None:
    assert {module for module, _ in own_modules(path)} <= {"local"}


def test_few_modules_know_the_sdk() -> None:
    importing = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(name.split(".")[0] == "dashscope" for name, _ in imports_of(path))
    }
    assert importing == KNOW_THE_SDK


def test_one_package_knows_llama_index() -> None:
    importing = {
        path.relative_to(PACKAGE).parts[0]
        for path in MODULES
        if any(name.split(".")[0] == "llama_index" for name, _ in imports_of(path))
    }
    assert importing == {"llama_index"}
