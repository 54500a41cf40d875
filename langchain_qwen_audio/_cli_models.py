"""Options of a model, which several commands have → the model."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from langchain_qwen_audio._cli_inputs import CommandError, parse_number, stated_place
from langchain_qwen_audio._models.routes import Region, is_own_model, is_own_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from langchain_qwen_audio._models.job_models import JobParameters
    from langchain_qwen_audio._settings import AsrOptions
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

ASK_MODEL, ASR_MODEL = "qwen-audio-turbo-latest", "qwen3-asr-flash"
_LOCAL_POLL_S = 0.2
_OTHERWISE = "add --local to use the local test server, which needs none"
_M = TypeVar("_M")


# --- arguments --------------------------------------------------------------------------------


def add_audio_options(parser: argparse.ArgumentParser) -> None:
    """Add what says what of a recording is taken."""
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


def add_model_options(parser: argparse.ArgumentParser, default: str) -> None:
    """Add what says which model is used, and where it is.

    Args:
        parser: The parser of a command.
        default: The model by default, for the help.
    """
    parser.add_argument("--model", help=f"name of the model (default: {default})")
    add_service_options(parser)


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """Add what says which language is spoken, and where the service is."""
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
        help="use a local test server, with Whisper; needs no key",
    )


def audio_options(args: argparse.Namespace) -> dict[str, Any]:
    """Collect what of the recordings is taken, as far as it was given."""
    given = {name: getattr(args, name) for name in ("track", "channel", "allow_truncated")}
    return {name: value for name, value in given.items() if value is not None}


# --- the model --------------------------------------------------------------------------------


@contextlib.contextmanager
def open_model(args: argparse.Namespace, make: Callable[..., _M]) -> Iterator[_M]:
    """Make a model of the service, or of a local test server that runs meanwhile.

    Args:
        args: What the command was given.
        make: Makes the model, of `args` and of where the service is.

    Raises:
        CommandError: There is no key, or no such model.
    """
    if args.local:
        from langchain_qwen_audio.local import LocalDashScope

        with LocalDashScope(models=[args.model]) as server:
            whisper = f"Whisper {server.whisper}"
            print(f"A local test server replies, with {whisper}: it is not Qwen.", file=sys.stderr)
            yield make(args, base_url=server.base_url, api_key="local")
    else:
        require_key(args.region, _OTHERWISE)
        yield make(args, **stated_place(args.region))


def require_key(region: str | None, otherwise: str) -> None:
    """Refuse to begin without a key, unless a server of the user's own is used.

    Args:
        region: The region that an option gives.
        otherwise: What else can be done.

    Raises:
        CommandError: There is none.
    """
    names = ("DASHSCOPE_BASE_URL", "DASHSCOPE_HTTP_BASE_URL")
    base_url = next((os.environ[name] for name in names if name in os.environ), None)
    own_server = not region and is_own_server(base_url)
    if not own_server and not os.environ.get("DASHSCOPE_API_KEY", "").strip():
        raise CommandError(
            f"no API key: set the environment variable DASHSCOPE_API_KEY, or {otherwise}"
        )


def make_chat_model(args: argparse.Namespace, **where: Any) -> ChatQwenAudio:
    """Make the chat model that the options say.

    Raises:
        CommandError: It is none, or does not do what the options say.
    """
    from langchain_qwen_audio._models.job_models import is_job_model
    from langchain_qwen_audio.chat_models import ChatQwenAudio

    with readable_reasons():
        model = ChatQwenAudio(model=args.model, local_files=True, **where)
    if is_job_model(args.model) and not is_own_model(args.model, model.address, None):
        raise CommandError(
            f"--model: {args.model} transcribes in jobs: qwen-audio transcribe --jobs"
        )
    if args.language:
        model.asr_options = _language_options(args, model)
    if getattr(args, "speakers", False):
        model.asr_options = _speaker_options(args, model)
    if getattr(args, "words", False) and not model.route().profile.tells_times:
        raise CommandError(
            f"--words: {args.model} does not tell the times of words; add --jobs, or --model "
            "qwen-audio-3.1-asr-flash"
        )
    return model


@contextlib.contextmanager
def readable_reasons() -> Iterator[None]:
    """Turn what is wrong with the fields of a model into a line."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as error:
        reasons = (it["msg"].removeprefix("Value error, ") for it in error.errors())
        raise CommandError("; ".join(reasons)) from error


def _language_options(args: argparse.Namespace, model: ChatQwenAudio) -> AsrOptions:
    profile = model.route().profile
    if not profile.transcribes:
        raise CommandError(
            f"--language is for speech recognition models such as {ASR_MODEL}; {args.model} "
            'takes a prompt: --prompt "Transcribe this recording, which is in German."'
        )
    if "language" in profile.asr_options:
        return {"language": args.language}
    return {"language_hints": [args.language]}


def _speaker_options(args: argparse.Namespace, model: ChatQwenAudio) -> AsrOptions:
    if "speaker_diarization_enabled" not in model.route().profile.asr_options:
        raise CommandError(
            f"--speakers: {args.model} does not tell who speaks; add --jobs, or --model "
            "qwen-audio-3.1-asr-flash"
        )
    if args.language:
        raise CommandError("--speakers: the service ignores --language then; leave out one of them")
    return {"speaker_diarization_enabled": True}


def make_jobs(args: argparse.Namespace, **where: Any) -> TranscriptionJobs:
    """Make the client of transcription jobs that the options say.

    Raises:
        CommandError: The model has no jobs, or they do not do what the options say.
    """
    from langchain_qwen_audio._models.job_models import JOB_MODELS, is_job_model
    from langchain_qwen_audio.transcription_jobs import TranscriptionJobs

    if not is_job_model(args.model):
        raise CommandError(
            f"--jobs: {args.model} transcribes in no jobs; these models do: {', '.join(JOB_MODELS)}"
        )
    polling = {"poll_interval": _LOCAL_POLL_S} if args.local else {}
    with readable_reasons():
        parameters = _job_parameters(args)
        return TranscriptionJobs(model=args.model, parameters=parameters, **polling, **where)


def _job_parameters(args: argparse.Namespace) -> JobParameters:
    from langchain_qwen_audio._models.job_models import job_model

    known = job_model(args.model).parameters
    parameters: JobParameters = {}
    if args.language and "language" in known:
        parameters["language"] = args.language
    elif args.language:
        parameters["language_hints"] = [args.language]
    if args.speakers:
        if "diarization_enabled" not in known:
            raise CommandError(f"--speakers: {args.model} does not tell who speaks")
        parameters["diarization_enabled"] = True
    if args.words and "enable_words" in known:  # the others always tell them
        parameters["enable_words"] = True
    return parameters
