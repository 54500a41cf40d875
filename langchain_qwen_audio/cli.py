"""The `qwen-audio` command: ask about a recording, transcribe many, or serve the local stand-in.

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
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from langchain_core.documents import Document
    from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

    from langchain_qwen_audio.chat_models import ChatQwenAudio

DEFAULT_PROMPT = "What is said in this recording?"
_FORMATS = {"txt": "text", "srt": "srt", "vtt": "vtt", "jsonl": "jsonl"}
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

    transcribe = commands.add_parser("transcribe", help="write down recordings of any length")
    transcribe.add_argument("paths", nargs="+", metavar="PATH", help="files, directories or URLs")
    transcribe.add_argument("--format", choices=_FORMATS, default="txt", help="what is written")
    transcribe.add_argument(
        "--out", type=Path, default=Path(), help="directory to write to (default: this one)"
    )
    transcribe.add_argument("--local", action="store_true", help="no key: the local stand-in")
    transcribe.add_argument("--model", default="qwen3-asr-flash", help="name of the model")
    transcribe.add_argument(
        "--resume", action="store_true", help="go on with a job that was stopped in this directory"
    )
    transcribe.set_defaults(run=_transcribe)

    serve = commands.add_parser("serve", help="run the local stand-in of the service")
    serve.add_argument("--port", type=int, default=8000, help="port on 127.0.0.1 (default: 8000)")
    serve.set_defaults(run=_serve)
    return parser


def _ask(args: argparse.Namespace) -> None:
    from langchain_core.messages import HumanMessage

    content, prompt = _parse_inputs(args.inputs)
    with _model(args) as model:
        if prompt is None and model.route().profile.text:
            prompt = DEFAULT_PROMPT
        message = HumanMessage([*content, {"type": "text", "text": prompt}] if prompt else content)
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


def _parse_inputs(inputs: list[str]) -> tuple[list[str | dict[Any, Any]], str | None]:
    """Tell recordings from the prompt, which is the last argument if it is no recording."""
    recordings, prompt = inputs, None
    if len(inputs) > 1 and not _names_a_recording(inputs[-1]):
        *recordings, prompt = inputs
    return [_block(recording) for recording in recordings], prompt


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

        print("A local stand-in answers, by Whisper: not Qwen.", file=sys.stderr)
        with LocalDashScope(models=[args.model]) as server:
            yield ChatQwenAudio(model=args.model, base_url=server.base_url, api_key="local")
    elif not os.environ.get("DASHSCOPE_API_KEY", "").strip():
        raise _UsageError(
            "no API key: set the environment variable DASHSCOPE_API_KEY, or add --local to ask "
            "the local stand-in, which needs none"
        )
    else:
        yield ChatQwenAudio(model=args.model)


def _transcribe(args: argparse.Namespace) -> None:
    from langchain_qwen_audio._checkpoints import DirectoryStore
    from langchain_qwen_audio._sources import recordings
    from langchain_qwen_audio.document_loaders import SUBTITLE_S, QwenAudioParser

    suffix, segment_s = args.format, SUBTITLE_S if args.format in {"srt", "vtt"} else None
    found = list(recordings(args.paths))
    targets = _targets([recording.source for recording in found], args.out, suffix)
    done = DirectoryStore(args.out / ".qwen-audio")
    if not args.resume:
        done.mdelete([*done.yield_keys()])
    failed = 0
    args.out.mkdir(parents=True, exist_ok=True)
    with _model(args) as model:
        parser = QwenAudioParser(
            model,
            segment_s=segment_s,
            checkpoint=done,
            on_error="document",
            show_progress=sys.stderr.isatty(),
        )
        heard = _by_recording(parser.documents(found))
        for target, segments in zip(targets, heard, strict=True):
            target.write_text(_encoder(suffix)(segments), encoding="utf-8")
            print(target, flush=True)
            errors = [it for it in segments if "error" in it.metadata]
            failed += bool(errors)
            for it in errors:
                print(f"{it.metadata['source']}: {it.page_content}", file=sys.stderr)
        print(parser.summary, file=sys.stderr)
    if failed:
        raise RuntimeError(
            f"{failed} of {len(found)} recordings were not heard whole; --resume asks again for "
            "what failed, and for nothing else"
        )


def _by_recording(segments: Iterable[Document]) -> Iterator[list[Document]]:
    held: list[Document] = []
    for segment in segments:
        if held and segment.metadata["segment"] == 0:
            yield held
            held = []
        held.append(segment)
    if held:
        yield held


def _targets(sources: list[str], out: Path, suffix: str) -> list[Path]:
    """Name a file for each recording, none twice."""
    targets: list[Path] = []
    for source in sources:
        stem = Path(urlsplit(source).path if "://" in source else source).stem or "recording"
        number = 2
        target = out / f"{stem}.{suffix}"
        while target in targets:
            target = out / f"{stem}-{number}.{suffix}"
            number += 1
        targets.append(target)
    return targets


def _encoder(suffix: str) -> Callable[[list[Document]], str]:
    from langchain_qwen_audio import _subtitles

    encode: Callable[[list[Document]], str] = getattr(_subtitles, f"encode_{_FORMATS[suffix]}")
    return encode


def _serve(args: argparse.Namespace) -> None:
    from langchain_qwen_audio.local import LocalDashScope

    with LocalDashScope(port=args.port) as server:
        print(f"A local stand-in of DashScope, not Qwen-Audio, listens on {server.base_url}")
        print(f'  ChatQwenAudio(base_url="{server.base_url}", api_key="local")')
        print("Stop it with Ctrl+C.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
