"""The command `qwen-audio evaluate`: recordings with their texts → error rates and costs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._cli_inputs import CommandError
from langchain_qwen_audio._cli_models import (
    ASR_MODEL,
    add_service_options,
    make_chat_model,
    make_jobs,
    open_model,
)

if TYPE_CHECKING:
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.evaluation import TranscriptEvaluation
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs


def add_evaluate(evaluate: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = evaluate.add_argument
    add("folder", metavar="DIR", help="folder of recordings, each with its text beside it: .txt")
    add(
        "--model",
        action="append",
        help=f"name of a model; several are compared: --model A --model B (default: {ASR_MODEL})",
    )
    add_service_options(evaluate)
    add("--json", action="store_true", help="print a JSON object a line, one for each model")
    evaluate.set_defaults(run=_evaluate, interrupted="interrupted")


def _evaluate(args: argparse.Namespace) -> None:
    evaluations: list[TranscriptEvaluation] = []
    for name in dict.fromkeys(args.model or [ASR_MODEL]):
        evaluation = _evaluate_model(args, name)
        print(evaluation.model_dump_json() if args.json else f"{evaluation}\n", flush=True)
        evaluations.append(evaluation)
    if len(evaluations) > 1 and not args.json:
        print(*(it.summary for it in evaluations), sep="\n")
    if failed := sum(len(it.failed) for it in evaluations):
        count = sum(len(it.recordings) for it in evaluations)
        raise CommandError(f"{failed} of {count} transcripts failed", 1)


def _evaluate_model(args: argparse.Namespace, name: str) -> TranscriptEvaluation:
    from langchain_qwen_audio.evaluation import evaluate_transcripts

    named = argparse.Namespace(**{**vars(args), "model": name, "speakers": False, "words": False})
    with open_model(named, _make) as model:
        try:
            return evaluate_transcripts(args.folder, model)
        except ValueError as error:  # the folder cannot be used
            raise CommandError(str(error)) from error


def _make(args: argparse.Namespace, **where: Any) -> ChatQwenAudio | TranscriptionJobs:
    from langchain_qwen_audio._models.job_models import is_job_model

    return make_jobs(args, **where) if is_job_model(args.model) else make_chat_model(args, **where)
