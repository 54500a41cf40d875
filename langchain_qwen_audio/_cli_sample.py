"""The command `qwen-audio sample`: the sample recording, as a file in a directory."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_qwen_audio._cli_inputs import CommandError

if TYPE_CHECKING:
    import argparse

NAME = "welcome.wav"


def add_sample(sample: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    sample.add_argument(
        "--out", metavar="DIR", default=".", help="directory to write to (default: this one)"
    )
    sample.set_defaults(run=_sample, interrupted="interrupted")


def _sample(args: argparse.Namespace) -> None:
    target = Path(args.out).expanduser() / NAME
    data = (files("langchain_qwen_audio") / "samples" / NAME).read_bytes()
    if target.exists() and target.read_bytes() != data:
        raise CommandError(f"{target}: another file of this name is there; choose a --out")
    try:
        target.write_bytes(data)
    except OSError as error:
        raise CommandError(f"{target}: it cannot be written ({error.strerror})", 1) from error
    print(target)
