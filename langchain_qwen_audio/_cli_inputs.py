"""The command's arguments → recordings and a prompt; what cannot be used is refused at once."""

from __future__ import annotations

import argparse
import errno
import glob
import mimetypes
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio.audio import Audio

HOST = "127.0.0.1"
STANDARD = "-"  # standard input, or standard output
_WEB = ("http://", "https://")
_URLS = (*_WEB, "oss://", "file://")


class CommandError(Exception):
    """Why a command ends: one line for the user, and its exit code."""

    def __init__(self, message: str, code: int = 2) -> None:
        """Take the line, and the exit code, which is that of a wrong call by default."""
        super().__init__(message)
        self.code = code


def parse_number(text: str) -> int:
    """Read a number from 0."""
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} came, expected a number from 0")


def parse_port(text: str) -> int:
    """Read a port."""
    if text.isdecimal() and int(text) <= 65_535:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; expected 0 to 65535")


def port_error(port: int, error: OSError) -> CommandError:
    """Say why a port cannot be listened on."""
    reason = "it is in use" if error.errno == errno.EADDRINUSE else str(error)
    return CommandError(f"port {port}: {reason}; choose another with --port", 1)


def listen(port: int) -> socket.socket:
    """Listen on a port of this machine alone.

    Raises:
        CommandError: It cannot be listened on.
    """
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise port_error(port, error) from error


def stated_place(region: str | None) -> dict[str, Any]:
    """Say where the service is; a region that is stated is the one that bills, at any address.

    Args:
        region: The region that an option gives.
    """
    if region:
        return {"region": region, "base_url": None}
    stated = os.environ.get("DASHSCOPE_REGION")
    return {"region": stated} if stated else {}


def parse_question(
    inputs: list[str], prompt: str | None, options: dict[str, Any]
) -> tuple[list[str | dict[Any, Any]], str | None]:
    """Tell recordings from the prompt, which is the last argument if it is no recording.

    Args:
        inputs: The arguments.
        prompt: The prompt, if an option gives it.
        options: What of the recordings is taken, as `AudioOptions`.
    """
    named = inputs
    if prompt is None and len(inputs) > 1 and not _names_a_recording(inputs[-1]):
        *named, prompt = inputs
    return [_block(it, options) for it in named], prompt


def _names_a_recording(text: str) -> bool:
    kind = mimetypes.guess_type(text)[0] or ""
    return (
        text == STANDARD
        or text.lower().startswith(_URLS)
        or _exists(text)
        or (kind.startswith(("audio/", "video/")) and " " not in text)
    )


def _exists(text: str) -> bool:
    try:
        return bool(text) and Path(text).expanduser().exists()
    except PermissionError:
        return True  # which is told when it is read
    except (OSError, RuntimeError):  # a long prompt is no file name
        return False


def _block(recording: str, options: dict[str, Any]) -> dict[str, Any]:
    from langchain_qwen_audio.audio import Audio

    if recording == STANDARD:
        return _read_stdin().choose(**options).to_block()
    if recording.lower().startswith(_URLS):
        if options:
            raise CommandError(
                f"{recording}: --track, --channel and --allow-truncated are for files; download it "
                "first"
            )
        return {"type": "audio", "url": recording}
    _require_existing(recording, "a recording or a URL")
    path = Path(recording).expanduser().resolve()
    if path.is_dir():
        raise CommandError(
            f"{recording} is a folder; ask takes files, and transcribe takes folders too (a "
            "question of this name goes into --prompt)"
        )
    if options:
        return Audio.from_path(path, **options).to_block()
    return {"type": "audio", "url": path.as_uri()}


def _require_existing(path: str, expected: str) -> None:
    if not _exists(path):
        raise CommandError(f"{path}: no such file; expected {expected}")


def _read_stdin() -> Audio:
    from langchain_qwen_audio.audio import Audio

    if sys.stdin.isatty():
        raise CommandError("- is standard input, and it is a terminal; pipe a recording into it")
    return Audio.from_file(sys.stdin.buffer, name="standard input")


def find_recordings(paths: list[str], left_out: list[str]) -> tuple[list[Recording], list[str]]:
    """Find what paths name, and why some recordings cannot be read, by their headers.

    Args:
        paths: What the command was given.
        left_out: Where files of folders are noted that are no recordings, and why.
    """
    found: list[Recording] = []
    skipped: list[str] = []
    for path in paths:
        checked = [(it, _fault(it)) for it in _named(path, left_out)]
        usable = [recording for recording, fault in checked if fault is None]
        faults = [fault for _, fault in checked if fault is not None]
        if not usable:
            raise faults[0]
        found += usable
        skipped += map(str, faults)
    return found, skipped


def _named(path: str, left_out: list[str]) -> Iterable[Recording]:
    from langchain_qwen_audio._transcription.sources import Recording, recordings

    if path == STANDARD:
        audio = _read_stdin()
        return [Recording("stdin", lambda: audio)]
    if not path.lower().startswith(_WEB) and not glob.has_magic(path):
        _require_existing(path, "a file, a folder, a pattern or an http(s) URL")
    return recordings(path, left_out)


def _fault(recording: Recording) -> CommandError | None:
    """Say why a recording cannot be transcribed; a URL is not fetched for that."""
    from langchain_qwen_audio.errors import AudioError

    if recording.source.lower().startswith(_WEB):
        return None
    try:
        audio = recording.open()
    except AudioError as error:
        return CommandError(str(error))
    try:
        _ = audio.probe
    except AudioError as error:
        return CommandError(str(error), 1)
    return None
