"""A folder or a mapping → recordings, and the text that is right for each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

from langchain_qwen_audio._evaluation.error_counts import Unit
from langchain_qwen_audio._transcription.folders import search_folder
from langchain_qwen_audio._transcription.scripts import has_no_spaces
from langchain_qwen_audio._transcription.sources import Recording

Name: TypeAlias = str | os.PathLike[str]


class References(NamedTuple):
    """The texts that are right.

    Attributes:
        texts: The text of each recording, by its path or URL.
        left_out: Files of the folder that belong to nothing, and why.
    """

    texts: dict[str, str]
    left_out: list[str]


def read_references(references: Mapping[str, str] | Mapping[Path, str] | Name) -> References:
    """Take a mapping, or read the texts beside the recordings of a folder.

    Raises:
        TypeError: It is neither a mapping nor a folder, or a text is none.
        ValueError: There are none, the path is no folder, or a file of text is not UTF-8.
    """
    if isinstance(references, Mapping):
        found = References({os.fspath(name): text for name, text in references.items()}, [])
    elif isinstance(references, str | os.PathLike):
        found = _read_folder(Path(references).expanduser())
    else:
        raise TypeError(
            f"{type(references).__name__} came; expected a mapping of paths to texts, or the path "
            "of a folder"
        )
    for name, text in found.texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name}: {type(text).__name__} came, expected its text")
    if not found.texts:
        others = f"; {'; '.join(found.left_out[:5])}" if found.left_out else ""
        raise ValueError(
            f"no references came; expected recordings, each with its text beside it, as call.mp3 "
            f"and call.txt, or a mapping of paths to texts{others}"
        )
    return found


def _read_folder(folder: Path) -> References:
    if not folder.is_dir():
        raise ValueError(f"{folder}: expected a folder of recordings, each with its text beside it")
    audio = [*search_folder(folder, [])]
    texts = {str(path): _read_text(text) for path in audio if (text := _text_of(path)).is_file()}
    used = {_text_of(path) for path in audio}
    alone = [path for path in audio if str(path) not in texts]
    unused = [path for path in sorted(folder.rglob("*.txt")) if path not in used]
    return References(
        texts,
        [
            *(f"{path}: there is no {_text_of(path).name} beside it" for path in alone),
            *(f"{path}: there is no recording beside it" for path in unused),
        ],
    )


def _text_of(recording: Path) -> Path:
    return recording.with_suffix(".txt")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected text in UTF-8 ({error})") from error


def match_references(found: Iterable[Recording], texts: Mapping[str, str]) -> dict[str, str]:
    """Give each recording its text, by the name that the loader calls it.

    Raises:
        ValueError: A recording has no text, or comes twice, or a text has no recording.
    """
    places = {_place(name): text for name, text in texts.items()}
    matched: dict[str, str] = {}
    for recording in found:
        text = places.pop(_place(recording.source), None)
        if text is None:
            raise ValueError(
                f"{recording.source}: there is no reference for it, or it comes twice; expected "
                "one text for each recording"
            )
        matched[recording.source] = text
    if places:
        missing = ", ".join(list(places)[:5])
        raise ValueError(f"the loader has no such recording: {missing}; expected one for each text")
    return matched


def _place(name: str) -> str:
    is_url = name.lower().startswith(("http://", "https://"))
    return name if is_url else str(Path(name).expanduser().resolve())


def choose_unit(texts: Mapping[str, str]) -> Unit:
    """Choose characters for scripts without spaces between words, and words for others.

    Raises:
        ValueError: There are both.
    """
    spoken = {name: text for name, text in texts.items() if any(map(str.isalnum, text))}
    unspaced = [name for name, text in spoken.items() if has_no_spaces(text)]
    if unspaced and len(unspaced) < len(spoken):
        spaced = next(name for name in spoken if name not in unspaced)
        raise ValueError(
            f"the reference of {unspaced[0]} is in a script without spaces between words, and that "
            f"of {spaced} is not; evaluate them apart, or pass unit='word' or unit='character'"
        )
    return "character" if unspaced else "word"
