"""The `qwen-audio` command: ask about a recording, or serve the local stand-in.

Exit codes: 0 it worked, 1 it failed, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import mimetypes
import os
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

    from langchain_qwen_audio.chat_models import ChatQwenAudio

DEFAULT_PROMPT = "What is said in this recording?"
_INTERRUPTED, _PIPE_CLOSED = 130, 141  # as shells count SIGINT and SIGPIPE
_URL_PREFIXES = ("http://", "https://", "oss://", "file://")


class _UsageError(Exception):
    """The call was wrong; the message says how."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    args = _parser().parse_args(argv)
    try:
        run: Any = args.run
        run(args)
    except _UsageError as error:
        return _fail(str(error), 2)
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`| head`); Python would complain once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    except Exception as error:  # noqa: BLE001  # a command shows one line, not a traceback
        return _fail(f"{type(error).__name__}: {error}", 1)
    return 0


def _fail(message: str, code: int) -> int:
    print(f"qwen-audio: {' '.join(message.split())}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qwen-audio", description="Recordings in, answers out.")
    parser.add_argument("--version", action="version", version=version("langchain-qwen-audio"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="ask about recordings")
    ask.add_argument(
        "inputs",
        nargs="+",
        metavar="AUDIO… [PROMPT]",
        help=f"files or URLs, then what to ask (default: {DEFAULT_PROMPT!r})",
    )
    ask.add_argument("--local", action="store_true", help="no key: ask the local stand-in")
    ask.add_argument("--model", default="qwen-audio-turbo-latest", help="name of the model")
    ask.add_argument("--no-stream", action="store_true", help="print the answer when it is whole")
    ask.set_defaults(run=_ask)

    serve = commands.add_parser("serve", help="run the local stand-in of the service")
    serve.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: 8000)")
    serve.set_defaults(run=_serve)
    return parser


def _ask(args: argparse.Namespace) -> None:
    message = _message(args.inputs)
    with _model(args) as model:
        reply = model.invoke([message]) if args.no_stream else _print_stream(model, message)
    if args.no_stream:
        print(reply.text)
    if usage := reply.usage_metadata:
        audio = usage.get("input_token_details", {}).get("audio", 0)
        print(
            f"{usage['input_tokens']} tokens in ({audio} of audio), {usage['output_tokens']} out",
            file=sys.stderr,
        )


def _print_stream(model: ChatQwenAudio, message: HumanMessage) -> AIMessage:
    whole: AIMessageChunk | None = None
    for chunk in model.stream([message]):
        print(chunk.text, end="", flush=True)
        whole = chunk if whole is None else whole + chunk
    print()
    if whole is None:
        raise RuntimeError("the stream was empty")
    return whole


def _message(inputs: list[str]) -> HumanMessage:
    """Tell recordings from the prompt, which is the last argument if it is no recording."""
    from langchain_core.messages import HumanMessage

    recordings, prompt = inputs, DEFAULT_PROMPT
    if len(inputs) > 1 and not _names_a_recording(inputs[-1]):
        *recordings, prompt = inputs
    content: list[str | dict[Any, Any]] = [_block(recording) for recording in recordings]
    return HumanMessage([*content, {"type": "text", "text": prompt}])


def _names_a_recording(text: str) -> bool:
    kind = mimetypes.guess_type(text)[0] or ""
    return (
        text.lower().startswith(_URL_PREFIXES)
        or _is_file(text)
        or (kind.startswith(("audio/", "video/")) and " " not in text)
    )


def _is_file(text: str) -> bool:
    try:
        return Path(text).expanduser().is_file()
    except OSError:  # a long prompt is no file name
        return False


def _block(recording: str) -> dict[str, Any]:
    if recording.lower().startswith(_URL_PREFIXES):
        return {"type": "audio", "url": recording}
    if not _is_file(recording):
        raise _UsageError(f"{recording}: no such file; expected a recording or a URL")
    return {"type": "audio", "url": Path(recording).expanduser().resolve().as_uri()}


@contextlib.contextmanager
def _model(args: argparse.Namespace) -> Iterator[ChatQwenAudio]:
    from langchain_qwen_audio.chat_models import ChatQwenAudio

    if args.local:
        from langchain_qwen_audio.local import LocalDashScope

        with LocalDashScope(models=[args.model]) as server:
            yield ChatQwenAudio(model=args.model, base_url=server.base_url, api_key="local")
    elif not os.environ.get("DASHSCOPE_API_KEY", "").strip():
        raise _UsageError(
            "no API key: set the environment variable DASHSCOPE_API_KEY, or add --local to ask "
            "the local stand-in, which needs none"
        )
    else:
        yield ChatQwenAudio(model=args.model)


def _serve(args: argparse.Namespace) -> None:
    from langchain_qwen_audio.local import LocalDashScope

    with LocalDashScope(port=args.port) as server:
        print(f"A local stand-in of DashScope, not Qwen-Audio, listens on {server.base_url}")
        print(f'  ChatQwenAudio(base_url="{server.base_url}", api_key="local")')
        print("Stop it with Ctrl+C.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
