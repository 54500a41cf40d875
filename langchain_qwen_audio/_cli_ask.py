"""The command `qwen-audio ask`: recordings and a question → the response of a model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from langchain_qwen_audio._cli_inputs import parse_question
from langchain_qwen_audio._cli_models import (
    ASK_MODEL,
    add_audio_options,
    add_model_options,
    audio_options,
    make_chat_model,
    open_model,
)

if TYPE_CHECKING:
    import argparse

    from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage

    from langchain_qwen_audio.chat_models import ChatQwenAudio

DEFAULT_PROMPT = "What is said in this recording?"


def add_ask(ask: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    ask.usage = "qwen-audio ask [options] AUDIO… [PROMPT]"
    ask.add_argument(
        "inputs",
        nargs="+",
        metavar="AUDIO… [PROMPT]",
        help="files, URLs or - (standard input), then the question, unless --prompt gives it",
    )
    ask.add_argument("--prompt", help=f"the question (default: {DEFAULT_PROMPT!r})")
    add_audio_options(ask)
    add_model_options(ask, ASK_MODEL)
    ask.add_argument("--no-stream", action="store_true", help="print the response when it is whole")
    ask.set_defaults(run=_ask, interrupted="interrupted")


def _ask(args: argparse.Namespace) -> None:
    from langchain_core.messages import HumanMessage

    from langchain_qwen_audio.costs import Cost

    content, prompt = parse_question(args.inputs, args.prompt, audio_options(args))
    args.model = args.model or ASK_MODEL
    with open_model(args, make_chat_model) as model:
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
