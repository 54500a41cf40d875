"""The server imports nothing of the package that it tests, and its files point one way."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import langchain_qwen_audio.local

ROOT = Path(langchain_qwen_audio.local.__file__).parent
NAME = "langchain_qwen_audio"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parents[1]).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imports_of(path: Path) -> set[str]:
    """List the package's modules that a file imports, for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{it.name}" for it in node.names)}
        elif isinstance(node, ast.Import):
            found |= {it.name for it in node.names}
    return {name for name in found if name.split(".")[0] == NAME}


IMPORTS = {name_of(path): imports_of(path) for path in ROOT.rglob("*.py")}


def test_it_imports_nothing_of_the_rest_of_the_package() -> None:
    elsewhere = {name for names in IMPORTS.values() for name in names}
    assert {name for name in elsewhere if not name.startswith(f"{NAME}.local.")} == set()


def test_no_two_files_import_each_other_in_a_circle() -> None:
    graph = {name: names & IMPORTS.keys() for name, names in IMPORTS.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(IMPORTS)
