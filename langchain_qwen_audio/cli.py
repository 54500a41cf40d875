"""The `qwen-audio` command: ask about recordings, transcribe, evaluate, serve MCP or tests.

Exit codes: 0 it worked, 1 it failed, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._cli_ask import add_ask
from langchain_qwen_audio._cli_evaluate import add_evaluate
from langchain_qwen_audio._cli_inputs import CommandError
from langchain_qwen_audio._cli_mcp import add_mcp
from langchain_qwen_audio._cli_models import ASK_MODEL, ASR_MODEL
from langchain_qwen_audio._cli_sample import add_sample
from langchain_qwen_audio._cli_serve import add_serve
from langchain_qwen_audio._cli_transcribe import add_transcribe

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as shells count SIGINT and SIGPIPE
_VARIABLES = """\
environment variables:
  DASHSCOPE_API_KEY    key of the service; --local needs none
  DASHSCOPE_REGION     region of the key (default: cn-beijing)
  DASHSCOPE_BASE_URL   address of the service, or of a server of your own; --region wins over it
  DASHSCOPE_WORKSPACE  workspace id, for regions that have no shared host
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    # A text that the terminal cannot show is no reason to lose a response.
    with contextlib.suppress(AttributeError):
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        args.run(args)
    except CommandError as error:
        return _fail(str(error), error.code)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one waits for nothing at all
        return _fail(args.interrupted, _INTERRUPTED)
    except BrokenPipeError:
        # The reader went away (`| head`); Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except ImportError as error:
        return _fail(str(error), 1)
    except Exception as error:  # noqa: BLE001  # a command shows one line, not a traceback
        return _fail(f"{type(error).__name__}: {error}", 1)
    return 0


def _fail(message: str, code: int) -> int:
    print(f"qwen-audio: {' '.join(message.split())}", file=sys.stderr)
    return code


# --- arguments --------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    look: dict[str, Any] = {
        "epilog": _VARIABLES,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    parser = argparse.ArgumentParser(
        prog="qwen-audio", description="Recordings in, text out, by Qwen's audio models.", **look
    )
    parser.add_argument("--version", action="version", version=version("langchain-qwen-audio"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, about, add_arguments in (
        ("ask", f"Send recordings and a question to the model ({ASK_MODEL}).", add_ask),
        ("transcribe", f"Transcribe recordings of any length ({ASR_MODEL}).", add_transcribe),
        ("evaluate", "Count errors in transcripts of recordings with known texts.", add_evaluate),
        ("mcp", "Offer the recordings of a folder to an MCP client.", add_mcp),
        ("serve", "Run the local test server, and a web page to try it.", add_serve),
        ("sample", "Write the sample recording, welcome.wav.", add_sample),
    ):
        add_arguments(commands.add_parser(name, help=about, description=about, **look))
    return parser


if __name__ == "__main__":
    sys.exit(main())
