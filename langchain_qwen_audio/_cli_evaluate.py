"""`qwen-audio evaluate`: recordings with their texts → error rates and costs of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._cli_inputs import CommandError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.evaluation import TranscriptEvaluation


def add_evaluate_arguments(evaluate: argparse.ArgumentParser, default_model: str) -> None:
    """Say what the command takes, but for where the service is.

    Args:
        evaluate: The command.
        default_model: The model if none is named.
    """
    add = evaluate.add_argument
    add("folder", metavar="DIR", help="folder of recordings, each with its text beside it: .txt")
    add(
        "--model",
        action="append",
        help=f"name of the model; several are compared: --model A --model B (default: "
        f"{default_model})",
    )
    add("--json", action="store_true", help="print a JSON object a line, one for each model")
    evaluate.set_defaults(default_model=default_model, interrupted="interrupted")


def print_evaluations(
    args: argparse.Namespace, open_model: Callable[[str], AbstractContextManager[ChatQwenAudio]]
) -> None:
    """Evaluate each model, and print the tables as they come; several models are compared.

    Args:
        args: The arguments.
        open_model: Makes the model of a name.

    Raises:
        CommandError: The folder cannot be used, or a recording failed.
    """
    evaluations: list[TranscriptEvaluation] = []
    for name in dict.fromkeys(args.model or [args.default_model]):
        with open_model(name) as model:
            evaluations.append(_evaluate(args.folder, model))
        written = evaluations[-1]
        print(written.model_dump_json() if args.json else f"{written}\n", flush=True)
    if len(evaluations) > 1 and not args.json:
        print(*(it.summary for it in evaluations), sep="\n")
    if failed := sum(len(it.failed) for it in evaluations):
        count = sum(len(it.recordings) for it in evaluations)
        raise CommandError(f"{failed} of {count} transcripts failed", 1)


def _evaluate(folder: str, model: ChatQwenAudio) -> TranscriptEvaluation:
    from langchain_qwen_audio.evaluation import evaluate_transcripts

    try:
        return evaluate_transcripts(folder, model)
    except ValueError as error:
        raise CommandError(str(error)) from error
