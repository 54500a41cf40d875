"""The `qwen-audio` command: ask about recordings, transcribe, evaluate, or serve for tests.

Exit codes: 0 it worked, 1 it failed, 2 the call was wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import threading
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from langchain_qwen_audio._cli_evaluate import add_evaluate_arguments, print_evaluations
from langchain_qwen_audio._cli_inputs import (
    STANDARD,
    CommandError,
    find_recordings,
    parse_number,
    parse_port,
    parse_question,
    stated_place,
)
from langchain_qwen_audio._models.routes import Region, is_own_server
from langchain_qwen_audio._transcription.formats import FORMATS, FORMATS_BY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage

    from langchain_qwen_audio._settings import AsrOptions
    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio._transcription.transcript_folder import TranscriptFolder
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.document_loaders import QwenAudioParser

_ASK_MODEL, _ASR_MODEL = "qwen-audio-turbo-latest", "qwen3-asr-flash"
DEFAULT_PROMPT = "What is said in this recording?"
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
        ("ask", f"Send recordings and a question to the model ({_ASK_MODEL}).", _add_ask),
        ("transcribe", f"Transcribe recordings of any length ({_ASR_MODEL}).", _add_transcribe),
        ("evaluate", "Count errors in transcripts of recordings with known texts.", _add_evaluate),
        ("serve", "Run the local test server.", _add_serve),
    ):
        add_arguments(commands.add_parser(name, help=about, description=about, **look))
    return parser


def _add_ask(ask: argparse.ArgumentParser) -> None:
    ask.usage = "qwen-audio ask [options] AUDIO… [PROMPT]"
    ask.add_argument(
        "inputs",
        nargs="+",
        metavar="AUDIO… [PROMPT]",
        help="files, URLs or - (standard input), then the question, unless --prompt gives it",
    )
    ask.add_argument("--prompt", help=f"the question (default: {DEFAULT_PROMPT!r})")
    _add_audio_options(ask)
    _add_model_options(ask, _ASK_MODEL)
    ask.add_argument("--no-stream", action="store_true", help="print the response when it is whole")
    ask.set_defaults(run=_ask, interrupted="interrupted")


def _add_transcribe(transcribe: argparse.ArgumentParser) -> None:
    add = transcribe.add_argument
    add(
        "paths",
        nargs="+",
        metavar="PATH",
        help="files, folders, patterns, http(s) URLs or - (standard input)",
    )
    _add_output_options(transcribe)
    add(
        "--prompt",
        help="what to request of each segment instead of a transcript; for speech "
        "recognition models, names and terms that help them",
    )
    add(
        "--speakers",
        action="store_true",
        help="tell who speaks, with a model that does, as qwen-audio-3.1-asr-flash",
    )
    add(
        "--estimate",
        action="store_true",
        help="print length, tokens and price of the recordings, and send nothing; needs no key",
    )
    _add_audio_options(transcribe)
    _add_model_options(transcribe, _ASR_MODEL)
    transcribe.set_defaults(
        run=_transcribe,
        interrupted="interrupted; responses that came are kept: the same command, without --fresh, "
        "goes on from here",
    )


def _add_output_options(transcribe: argparse.ArgumentParser) -> None:
    add = transcribe.add_argument
    add("--format", choices=FORMATS_BY_SUFFIX, default="txt", help="what is written (default: txt)")
    add(
        "--out",
        metavar="DIR",
        help="directory to write to, or - for standard output (default: "
        "this directory; if PATH is - alone, standard output)",
    )
    add("--overwrite", action="store_true", help="replace files that this command did not write")
    add(
        "--fresh",
        action="store_true",
        help="begin again: delete the responses that earlier runs "
        "kept in DIR/.qwen-audio; without it a job goes on where it was",
    )


def _add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    add_evaluate_arguments(evaluate, _ASR_MODEL)
    _add_service_options(evaluate)
    evaluate.set_defaults(run=_evaluate)


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--port",
        type=parse_port,
        default=8000,
        help="port on 127.0.0.1, 0 for a free one (default: %(default)s)",
    )
    serve.set_defaults(run=_serve, interrupted="stopped")


def _add_audio_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--track",
        type=parse_number,
        metavar="N",
        help="sound track of films with several, from 0 (default: the one marked as default)",
    )
    parser.add_argument(
        "--channel", type=parse_number, metavar="N", help="channel, from 0 (default: all are mixed)"
    )
    parser.add_argument(
        "--allow-truncated",
        action="store_const",
        const=True,
        help="take what is there of a truncated recording (default: it is an error)",
    )


def _add_model_options(parser: argparse.ArgumentParser, model: str) -> None:
    parser.add_argument("--model", default=model, help="name of the model (default: %(default)s)")
    _add_service_options(parser)


def _add_service_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", metavar="CODE", help="language spoken (zh, en, …), for speech recognition"
    )
    where = parser.add_mutually_exclusive_group()
    regions = get_args(Region)
    where.add_argument(
        "--region",
        choices=regions,
        metavar="REGION",
        help=f"region of the key: {', '.join(regions)}",
    )
    where.add_argument(
        "--local",
        action="store_true",
        help="use a local test server, with Whisper in English; needs no key",
    )


def _audio_options(args: argparse.Namespace) -> dict[str, Any]:
    """Collect what of the recordings is taken, as far as it was given."""
    given = {name: getattr(args, name) for name in ("track", "channel", "allow_truncated")}
    return {name: value for name, value in given.items() if value is not None}


# --- the model --------------------------------------------------------------------------------


@contextlib.contextmanager
def _model(args: argparse.Namespace) -> Iterator[ChatQwenAudio]:
    if args.local:
        from langchain_qwen_audio.local import LocalDashScope

        with LocalDashScope(models=[args.model]) as server:
            print("A local test server replies, with Whisper: it is not Qwen.", file=sys.stderr)
            yield _make_model(args, base_url=server.base_url, api_key="local")
    else:
        _require_key(args)
        yield _make_model(args, **stated_place(args.region))


def _require_key(args: argparse.Namespace) -> None:
    names = ("DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL")
    base_url = next((os.environ[name] for name in names if name in os.environ), None)
    own_server = not args.region and is_own_server(base_url)
    if not own_server and not os.environ.get("DASHSCOPE_API_KEY", "").strip():
        raise CommandError(
            "no API key: set the environment variable DASHSCOPE_API_KEY, or add --local to use "
            "the local test server, which needs none"
        )


def _make_model(args: argparse.Namespace, **where: Any) -> ChatQwenAudio:
    from pydantic import ValidationError

    from langchain_qwen_audio.chat_models import ChatQwenAudio

    try:
        model = ChatQwenAudio(model=args.model, local_files=True, **where)
    except ValidationError as error:
        reasons = (it["msg"].removeprefix("Value error, ") for it in error.errors())
        raise CommandError("; ".join(reasons)) from error
    if args.language:
        model.asr_options = _language_options(args, model)
    if getattr(args, "speakers", False):
        model.asr_options = _speaker_options(args, model)
    return model


def _language_options(args: argparse.Namespace, model: ChatQwenAudio) -> AsrOptions:
    profile = model.route().profile
    if not profile.transcribes:
        raise CommandError(
            f"--language is for speech recognition models such as {_ASR_MODEL}; {args.model} "
            'takes a prompt: --prompt "Transcribe this recording, which is in German."'
        )
    if "language" in profile.asr_options:
        return {"language": args.language}
    return {"language_hints": [args.language]}


def _speaker_options(args: argparse.Namespace, model: ChatQwenAudio) -> AsrOptions:
    if "speaker_diarization_enabled" not in model.route().profile.asr_options:
        raise CommandError(
            f"--speakers: {args.model} does not tell who speaks; add --model "
            "qwen-audio-3.1-asr-flash"
        )
    if args.language:
        raise CommandError("--speakers: the service ignores --language then; leave out one of them")
    return {"speaker_diarization_enabled": True}


# --- ask --------------------------------------------------------------------------------------


def _ask(args: argparse.Namespace) -> None:
    from langchain_core.messages import HumanMessage

    from langchain_qwen_audio.costs import Cost

    content, prompt = parse_question(args.inputs, args.prompt, _audio_options(args))
    with _model(args) as model:
        if prompt is None and model.route().profile.text:
            prompt = DEFAULT_PROMPT
        message = HumanMessage([*content, {"type": "text", "text": prompt}] if prompt else content)
        reply = model.invoke([message]) if args.no_stream else _print_stream(model, message)
    if args.no_stream:
        print(reply.text)
    usage, cost = reply.usage_metadata, f"cost {Cost.of(reply)}"
    if usage:
        audio = usage.get("input_token_details", {}).get("audio", 0)
        cost = (
            f"{usage['input_tokens']} tokens in ({audio} of audio), {usage['output_tokens']} out; "
            f"{cost}"
        )
    print(cost, file=sys.stderr)


def _print_stream(model: ChatQwenAudio, message: HumanMessage) -> AIMessage:
    whole: AIMessageChunk | None = None
    for chunk in model.stream([message]):
        print(chunk.text, end="", flush=True)
        whole = chunk if whole is None else whole + chunk
    print()
    if whole is None:
        raise RuntimeError("the stream was empty")
    return whole


# --- transcribe -------------------------------------------------------------------------------


def _transcribe(args: argparse.Namespace) -> None:
    left_out: list[str] = []
    found, skipped = find_recordings(args.paths, left_out)
    if args.estimate:
        _estimate(args, found, [*left_out, *skipped])
        return
    to_stdout = args.out == STANDARD or (args.out is None and args.paths == [STANDARD])
    if to_stdout and len(found) > 1 and args.format != "jsonl":
        raise CommandError(
            f"{len(found)} recordings came, and standard output takes one; --format jsonl says "
            "which text is of which"
        )
    folder = _folder(args, to_stdout=to_stdout)
    targets = folder.name_files([it.source for it in found], args.format)
    if not to_stdout:
        _require_free(folder, targets)
    for reason in left_out:
        print(f"left out: {reason}", file=sys.stderr)
    for reason in skipped:
        print(f"skipped: {reason}", file=sys.stderr)
    whole = 0
    with _model(args) as model:
        parser = _make_parser(args, model, folder, to_stdout=to_stdout)
        folder.prepare(fresh=args.fresh)
        transcripts = _by_recording(parser.segments(found, left_out))
        for target, segments in zip(targets, transcripts, strict=True):
            whole += not _report_errors(segments)
            if text := _write_transcript(segments, args.format):
                _deliver(text, target, None if to_stdout else folder)
        print(f"{parser.summary}; cost {parser.summary.cost}", file=sys.stderr)
    if failed := len(found) + len(skipped) - whole:
        raise CommandError(
            f"{failed} of {len(found) + len(skipped)} recordings were not transcribed whole; the "
            "same command sends only what failed",
            1,
        )


def _estimate(args: argparse.Namespace, found: list[Recording], left_out: list[str]) -> None:
    from langchain_qwen_audio._cli_estimate import write_estimate

    model = _make_model(args, **stated_place(args.region), api_key="unused")
    print(*(f"left out: {it}\n" for it in left_out), sep="", end="", file=sys.stderr)
    print(write_estimate(found, model, _audio_options(args)))


def _folder(args: argparse.Namespace, *, to_stdout: bool) -> TranscriptFolder:
    from langchain_qwen_audio._transcription.transcript_folder import TranscriptFolder

    path = Path("." if to_stdout else args.out or ".").expanduser()
    if path.exists() and not path.is_dir():
        raise CommandError(f"--out {path}: it is a file; expected a directory, or -")
    return TranscriptFolder(path, overwrite=args.overwrite)


def _require_free(folder: TranscriptFolder, targets: list[Path]) -> None:
    try:
        folder.require_free(targets)
    except FileExistsError as error:
        raise CommandError(str(error)) from error


def _make_parser(
    args: argparse.Namespace, model: ChatQwenAudio, folder: TranscriptFolder, *, to_stdout: bool
) -> QwenAudioParser:
    from langchain_qwen_audio.document_loaders import QwenAudioParser

    return QwenAudioParser(
        model,
        prompt=_segment_prompt(args, model),
        transcript_format=FORMATS_BY_SUFFIX[args.format],
        checkpoint=folder.checkpoint,
        on_error="document",
        show_progress=sys.stderr.isatty() and not (to_stdout and sys.stdout.isatty()),
        **_audio_options(args),
    )


def _segment_prompt(args: argparse.Namespace, model: ChatQwenAudio) -> str | SystemMessage | None:
    from langchain_core.messages import SystemMessage

    profile = model.route().profile
    if args.prompt is None or profile.text:
        prompt: str | None = args.prompt
        return prompt
    if not profile.system:
        raise CommandError(f"--prompt: {args.model} takes audio alone")
    return SystemMessage(args.prompt)


def _by_recording(segments: Iterable[SegmentTranscript]) -> Iterator[list[SegmentTranscript]]:
    held: list[SegmentTranscript] = []
    for segment in segments:
        if held and segment.is_first:
            yield held
            held = []
        held.append(segment)
    if held:
        yield held


def _report_errors(segments: list[SegmentTranscript]) -> bool:
    """Print what is wrong with segments of a recording; tell whether anything is."""
    errors = [it for it in segments if it.note]
    for it in errors:
        print(f"{it.source}: {it.note}", file=sys.stderr)
    return bool(errors)


def _deliver(text: str, target: Path, folder: TranscriptFolder | None) -> None:
    if folder is None:
        print(text, end="", flush=True)
    else:
        folder.write(target, text)
        print(target, flush=True)


def _write_transcript(segments: list[SegmentTranscript], suffix: str) -> str:
    """Write a transcript that ends with one newline; "" if every segment failed."""
    if all(segment.error is not None for segment in segments):
        return ""
    return FORMATS[FORMATS_BY_SUFFIX[suffix]].write(segments).rstrip("\n") + "\n"


# --- evaluate ---------------------------------------------------------------------------------


def _evaluate(args: argparse.Namespace) -> None:
    print_evaluations(
        args, lambda name: _model(argparse.Namespace(**{**vars(args), "model": name}))
    )


# --- serve ------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> None:
    from langchain_qwen_audio.local import LocalDashScope

    server = LocalDashScope(port=args.port)
    try:
        server.start()
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else str(error)
        raise CommandError(f"port {args.port}: {reason}; choose another with --port", 1) from error
    print(f"A local test server, with Whisper and not Qwen, is at {server.base_url}")
    print(f'  ChatQwenAudio(base_url="{server.base_url}", api_key="local")')
    print("Ctrl-C stops it.", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
