"""The command `qwen-audio transcribe`: recordings of any length → files with their transcripts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from langchain_qwen_audio._cli_inputs import (
    STANDARD,
    CommandError,
    find_recordings,
    stated_place,
)
from langchain_qwen_audio._cli_models import (
    ASR_MODEL,
    add_audio_options,
    add_model_options,
    audio_options,
    make_chat_model,
    make_jobs,
    open_model,
)
from langchain_qwen_audio._models.profiles import FILES
from langchain_qwen_audio._transcription.formats import FORMATS, FORMATS_BY_SUFFIX

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator

    from langchain_core.messages import SystemMessage

    from langchain_qwen_audio._transcription.segment_transcripts import SegmentTranscript
    from langchain_qwen_audio._transcription.sources import Recording
    from langchain_qwen_audio._transcription.transcript_folder import TranscriptFolder
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.document_loaders import QwenAudioParser
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs


# --- arguments --------------------------------------------------------------------------------


def add_transcribe(transcribe: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
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
    _add_job_options(transcribe)
    add(
        "--estimate",
        action="store_true",
        help="print length, tokens and price of the recordings, and send nothing; needs no key",
    )
    add_audio_options(transcribe)
    add_model_options(transcribe, f"{ASR_MODEL}; with --jobs {FILES}")
    transcribe.set_defaults(
        run=_transcribe,
        interrupted="interrupted; responses that came are kept: the same command, without --fresh, "
        "goes on from here",
    )


def _add_job_options(transcribe: argparse.ArgumentParser) -> None:
    add = transcribe.add_argument
    add(
        "--hot-words",
        metavar="FILE",
        help="text file of names and terms that may be spoken, one a line",
    )
    add(
        "--jobs",
        action="store_true",
        help="transcribe each recording as a job of the service, up to 12 hours, with the times of "
        "sentences; URLs are fetched by the service",
    )
    add(
        "--speakers",
        action="store_true",
        help="tell who speaks, with --jobs or a model that does, as qwen-audio-3.1-asr-flash",
    )
    add(
        "--words",
        action="store_true",
        help="tell the times of words, with --jobs or a model that does; json, jsonl and lrc have "
        "them",
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


# --- the command ------------------------------------------------------------------------------


def _transcribe(args: argparse.Namespace) -> None:
    args.model = args.model or (FILES if args.jobs else ASR_MODEL)
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
    with open_model(args, _maker(args)) as model:
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


def _maker(args: argparse.Namespace) -> Callable[..., ChatQwenAudio | TranscriptionJobs]:
    return make_jobs if args.jobs else make_chat_model


def _estimate(args: argparse.Namespace, found: list[Recording], left_out: list[str]) -> None:
    from langchain_qwen_audio._cli_estimate import write_estimate

    model = _maker(args)(args, **stated_place(args.region), api_key="unused")
    print(*(f"left out: {it}\n" for it in left_out), sep="", end="", file=sys.stderr)
    print(write_estimate(found, model, audio_options(args)))


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
    args: argparse.Namespace,
    model: ChatQwenAudio | TranscriptionJobs,
    folder: TranscriptFolder,
    *,
    to_stdout: bool,
) -> QwenAudioParser:
    from langchain_qwen_audio.document_loaders import QwenAudioParser

    try:
        return QwenAudioParser(
            model,
            prompt=_segment_prompt(args, model),
            hot_words=args.hot_words,
            transcript_format=FORMATS_BY_SUFFIX[args.format],
            checkpoint=folder.checkpoint,
            on_error="document",
            show_progress=sys.stderr.isatty() and not (to_stdout and sys.stdout.isatty()),
            **audio_options(args),
        )
    except ValueError as error:
        raise CommandError(str(error)) from error


def _segment_prompt(
    args: argparse.Namespace, model: ChatQwenAudio | TranscriptionJobs
) -> str | SystemMessage | None:
    from langchain_core.messages import SystemMessage

    from langchain_qwen_audio.chat_models import ChatQwenAudio

    if args.prompt is None:
        return None
    if not isinstance(model, ChatQwenAudio):
        raise CommandError("--prompt: jobs take none; --hot-words FILE gives them names and terms")
    profile = model.route().profile
    if profile.text:
        return str(args.prompt)
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
