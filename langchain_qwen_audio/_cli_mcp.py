"""The command `qwen-audio mcp`: a folder of recordings → an MCP server, over stdio or HTTP."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._cli_inputs import HOST, CommandError, listen, parse_port
from langchain_qwen_audio._cli_models import (
    ASK_MODEL,
    ASR_MODEL,
    add_model_options,
    make_chat_model,
    make_jobs,
    open_model,
)

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from langchain_qwen_audio.tools import QwenAudioToolkit

_PORT = 8000


def add_mcp(mcp: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    mcp.add_argument(
        "--root",
        metavar="DIR",
        required=True,
        help="folder whose recordings may be named; nothing outside of it is",
    )
    mcp.add_argument(
        "--http", action="store_true", help=f"serve HTTP on {HOST}, in place of standard input"
    )
    mcp.add_argument(
        "--port", type=parse_port, help=f"with --http; 0 for a free one (default: {_PORT})"
    )
    add_model_options(mcp, f"{ASK_MODEL}, for questions")
    mcp.add_argument(
        "--transcriber",
        default=ASR_MODEL,
        metavar="MODEL",
        help="name of the model that transcribes, in jobs too (default: %(default)s)",
    )
    mcp.set_defaults(run=_mcp, interrupted="stopped")


def _mcp(args: argparse.Namespace) -> None:
    from langchain_qwen_audio.mcp_server import create_mcp_server

    args.model = args.model or ASK_MODEL
    if not Path(args.root).expanduser().is_dir():
        raise CommandError(f"--root {args.root}: there is no such folder")
    if args.port is not None and not args.http:
        raise CommandError("--port: it is for HTTP; add --http")
    with open_model(args, _make_toolkit) as toolkit:
        server = create_mcp_server(toolkit)
        if args.http:
            _serve_http(server, _PORT if args.port is None else args.port)
        else:
            # The thread that waits for standard input would hold up an exit by an exception.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            asyncio.run(_serve_stdio(server))


def _make_toolkit(args: argparse.Namespace, **where: Any) -> QwenAudioToolkit:
    from langchain_qwen_audio._models.job_models import is_job_model
    from langchain_qwen_audio.tools import QwenAudioToolkit

    answers = argparse.Namespace(model=args.model, language=None)
    transcribes = argparse.Namespace(
        model=args.transcriber,
        language=args.language,
        speakers=False,
        words=False,
        local=args.local,
    )
    make_transcriber = make_jobs if is_job_model(args.transcriber) else make_chat_model
    return QwenAudioToolkit(
        root_dir=Path(args.root).expanduser(),
        llm=make_chat_model(answers, **where),
        transcriber=make_transcriber(transcribes, **where),
    )


async def _serve_stdio(server: Server[Any]) -> None:
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (received, sent):
        await server.run(received, sent, server.create_initialization_options())


def _serve_http(server: Server[Any], port: int) -> None:
    import uvicorn

    # The app refuses requests for other hosts, so that no page on the web reaches it.
    config = uvicorn.Config(server.streamable_http_app(host=HOST), log_level="warning")
    with listen(port) as listening:
        address = f"http://{HOST}:{listening.getsockname()[1]}/mcp"
        print(f"An MCP server is at {address}. Ctrl-C stops it.", flush=True)
        uvicorn.Server(config).run(sockets=[listening])
