"""The command `qwen-audio serve`: the local test server, and a web page, also for the service."""

from __future__ import annotations

import functools
import secrets
import threading
from typing import TYPE_CHECKING, Any, get_args

from langchain_qwen_audio._cli_inputs import (
    CommandError,
    listen,
    parse_port,
    port_error,
    stated_place,
)
from langchain_qwen_audio._cli_models import readable_reasons, require_key
from langchain_qwen_audio._models.routes import Region

if TYPE_CHECKING:
    import argparse

    from langchain_qwen_audio._web_page.access import PageGuard

_PRICED_REGION = "cn-beijing"  # the page says what the service would bill there
_OTHERWISE = "leave out --upstream to use the local test server, which needs none"


def add_serve(serve: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    serve.add_argument(
        "--port",
        type=parse_port,
        default=8000,
        help="port on 127.0.0.1, 0 for a free one (default: %(default)s)",
    )
    serve.add_argument("--model", help="name of the model that the page begins with")
    where = serve.add_mutually_exclusive_group()
    where.add_argument(
        "--whisper",
        metavar="MODEL",
        help="faster-whisper model that transcribes, path or name (default: the best installed, "
        "base or tiny.en)",
    )
    where.add_argument(
        "--upstream",
        action="store_true",
        help="serve the page alone, with answers of the service in place of the local test server",
    )
    regions = get_args(Region)
    serve.add_argument(
        "--region",
        choices=regions,
        metavar="REGION",
        help=f"with --upstream: region of the key: {', '.join(regions)}",
    )
    serve.set_defaults(run=_serve, interrupted="stopped")


def _serve(args: argparse.Namespace) -> None:
    if args.upstream:
        _serve_upstream(args)
        return
    if args.region:
        raise CommandError("--region: the local test server has none; add --upstream")
    _serve_local(args)


def _serve_local(args: argparse.Namespace) -> None:
    from langchain_qwen_audio.local import LocalDashScope

    models = [args.model] if args.model else []
    server = LocalDashScope(port=args.port, whisper=args.whisper, models=models)
    try:
        server.start()
    except OSError as error:
        raise port_error(args.port, error) from error
    token = secrets.token_urlsafe(32)
    where = {"base_url": server.base_url, "api_key": "local", "region": _PRICED_REGION}
    page = _make_page(args.model, token, is_local=True, **where)
    server.mount(page, page.paths)
    whisper = f"Whisper {server.whisper}"
    print(f"A local test server, with {whisper} and not Qwen, is at {server.base_url}")
    print(f'  ChatQwenAudio(base_url="{server.base_url}", api_key="local")')
    _announce(server.base_url.removesuffix("/api/v1"), token)
    threading.Event().wait()


def _serve_upstream(args: argparse.Namespace) -> None:
    from langchain_qwen_audio._web_page.page_server import serve_page

    require_key(args.region, _OTHERWISE)
    token = secrets.token_urlsafe(32)
    page = _make_page(args.model, token, is_local=False, **stated_place(args.region))
    with listen(args.port) as listening:
        host, port = listening.getsockname()
        _announce(f"http://{host}:{port}", token)
        serve_page(page, listening)


def _make_page(name: str | None, token: str, *, is_local: bool, **where: Any) -> PageGuard:
    from langchain_qwen_audio._web_page.app import create_page
    from langchain_qwen_audio._web_page.models import find_page_models
    from langchain_qwen_audio.chat_models import ChatQwenAudio

    make_model = functools.partial(ChatQwenAudio, **where)
    with readable_reasons():
        models = find_page_models(name, make_model())
    return create_page(make_model, models, token=token, is_local=is_local)


def _announce(address: str, token: str) -> None:
    print(f"Open this address in a browser: {address}/#{token}")
    print("Ctrl-C stops it.", flush=True)
