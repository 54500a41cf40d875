"""The page's server: its files, what it offers, questions about recordings, and live talks."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any, cast

from langchain_qwen_audio._web_page.models import PageModels
from langchain_qwen_audio.audio import Audio
from langchain_qwen_audio.errors import NotFoundError, QwenAudioError

try:
    import python_multipart  # noqa: F401  # which FastAPI needs for forms
    import wsproto  # noqa: F401  # and uvicorn for WebSockets
    from fastapi import FastAPI, Form, Request, Response, UploadFile, WebSocket
    from fastapi.responses import JSONResponse, StreamingResponse
    from starlette.exceptions import HTTPException
    from starlette.routing import Route, WebSocketRoute

    from langchain_qwen_audio._web_page.access import MAX_RECORDING_BYTES, PageGuard
except ImportError as error:
    raise ImportError(
        f'the web page needs {error.name}: pip install "langchain-qwen-audio[local]"'
    ) from error

from langchain_qwen_audio._web_page.answers import make_question, stream_answer
from langchain_qwen_audio._web_page.talks import talk
from langchain_qwen_audio._web_page.waveform import measure_waveform

if TYPE_CHECKING:
    from collections.abc import Callable

    from langchain_qwen_audio.chat_models import ChatQwenAudio

_SCRIPTS = (
    *("access.js", "asking.js", "audio_thread.js", "choices.js", "conversation.js", "elements.js"),
    *("facts.js", "files.js", "microphone.js", "page.js", "player.js", "recorder.js"),
    *("recording.js", "speech_player.js", "storage.js", "talk.js", "talk_controls.js", "texts.js"),
    *("wav.js", "waveform.js"),
)
_FILES = {
    "/": ("index.html", "text/html"),
    "/page/style.css": ("style.css", "text/css"),
    "/page/texts.json": ("texts.json", "application/json"),
    **{f"/page/{name}": (name, "text/javascript") for name in _SCRIPTS},
}


def create_page(
    make_model: Callable[..., ChatQwenAudio], models: PageModels, *, token: str, is_local: bool
) -> PageGuard:
    """Make the page's server, an ASGI application.

    Args:
        make_model: Makes a model, of its fields but those that say where the service is.
        models: The models that the page offers.
        token: What requests must have; the page finds it behind the `#` of its address.
        is_local: The local test server answers, and not Qwen; the page says so.
    """
    page = _Page(make_model, models, is_local=is_local)
    app = FastAPI(openapi_url=None)
    for path, (name, media_type) in _FILES.items():
        app.add_api_route(path, _send_file(name, media_type))
    app.add_api_route("/page/choices", page.list_choices)
    app.add_api_route("/page/waveform", page.draw, methods=["POST"])
    app.add_api_route("/page/ask", page.ask, methods=["POST"])
    app.add_api_websocket_route("/page/talk", page.talk)
    app.add_exception_handler(QwenAudioError, _refuse)
    app.add_exception_handler(HTTPException, _refuse_form)
    paths = [it.path for it in app.routes if isinstance(it, Route | WebSocketRoute)]
    return PageGuard(app, token, frozenset(paths), public_paths=frozenset(_FILES))


class _Page:
    """What the page requests."""

    def __init__(
        self, make_model: Callable[..., ChatQwenAudio], models: PageModels, *, is_local: bool
    ) -> None:
        self._make_model = make_model
        self._models = models
        self._is_local = is_local

    async def list_choices(self) -> dict[str, Any]:
        """Say what there is to choose."""
        about = {"is_local": self._is_local, "max_bytes": MAX_RECORDING_BYTES}
        return about | self._models.to_json()

    async def draw(self, recording: UploadFile) -> dict[str, Any]:
        """Measure a recording."""
        return await asyncio.to_thread(measure_waveform, await _open(recording))

    async def ask(
        self,
        recording: UploadFile,
        model: Annotated[str, Form()],
        question: Annotated[str, Form()] = "",
        speak: Annotated[bool, Form()] = False,
    ) -> StreamingResponse:
        """Answer a question about a recording."""
        chosen = self._model(model, [it.name for it in self._models.ask])
        if speak:
            chosen = chosen.model_copy(update={"modalities": ["text", "audio"]})
        message = await make_question(await _open(recording), question)
        return StreamingResponse(stream_answer(chosen, message), media_type="application/x-ndjson")

    async def talk(self, websocket: WebSocket, model: str, rate: int) -> None:
        """Hold a live talk."""
        await talk(websocket, lambda: self._model(model, self._models.talk), rate)

    def _model(self, name: str, offered: list[str]) -> ChatQwenAudio:
        if name not in offered:
            raise NotFoundError(f"{name!r} came, expected a model of the page's list")
        return self._make_model(model=name)


async def _open(recording: UploadFile) -> Audio:
    return await Audio.afrom_file(recording.file, name=recording.filename or "recording")


def _send_file(name: str, media_type: str) -> Callable[[], Any]:
    content = (files("langchain_qwen_audio._web_page") / "static" / name).read_bytes()

    async def send() -> Response:
        return Response(content, media_type=media_type)

    return send


async def _refuse(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)


async def _refuse_form(_: Request, error: Exception) -> JSONResponse:
    """Refuse what Starlette does not take, such as a question of a megabyte."""
    refused = cast("HTTPException", error)
    return JSONResponse({"error": refused.detail}, refused.status_code)
