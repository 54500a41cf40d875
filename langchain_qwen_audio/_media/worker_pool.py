"""Jobs → worker processes that do them, each within limits on memory and work.

A worker that has done its job waits for the next one. It ends when this process does, however that
happens. What a recording does to a worker, a crash too, is an error about that recording.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from langchain_qwen_audio._load_ahead import load_now
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._media.work_limits import (
    MAX_WORK_S,
    WorkAccount,
    too_much_work,
    verb_of,
)
from langchain_qwen_audio._media.worker_messages import (
    BLOCK,
    BUG,
    ERROR,
    JOB,
    NEXT,
    STOP,
    receive_message,
    send_message,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

logger = logging.getLogger(__name__)

_PROGRAM = (
    "import sys; sys.path[:] = sys.argv[1:]; "
    "from langchain_qwen_audio._media.worker import serve_jobs; serve_jobs()"
)
# What finds libraries and files; a worker gets no keys, and nothing else of the environment.
_ENVIRONMENT = (
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
    *("LANG", "LC_ALL", "LC_CTYPE", "TMPDIR"),
)
# Each of the threads that Python's executors have holds one while it decodes, each core one that
# encodes: no worker is started anew for the next recording of a batch.
MAX_IDLE = 2 * (os.cpu_count() or 1) + 4
START_S = 60.0  # a worker that is not ready by then, on however busy a machine, is ended
_STOP_S = 2.0  # so is one that does not stop its job so soon


class WorkerPool:
    """Worker processes, started when there is a job for which none is idle."""

    def __init__(self, command: Sequence[str] | None = None) -> None:
        """Take the command that starts a worker; by default this Python does."""
        self._command = command
        self._idle: list[_Worker] = []
        # Also those with a job: a generator that is garbage finds its worker as it was.
        self._all: set[_Worker] = set()
        self._lock = threading.RLock()
        self._works: bool | None = None
        if hasattr(os, "register_at_fork"):
            # No fork happens between the making of a worker's socket and its being on the list.
            os.register_at_fork(
                before=self._lock.acquire,
                after_in_parent=self._lock.release,
                after_in_child=self._forget,
            )
        atexit.register(self.close)

    def is_available(self) -> bool:
        """Tell whether workers can be started here; the first time, start one and see.

        Raises:
            OSError: The machine is too busy to see.
        """
        with self._lock:
            if self._works is None:
                self._works, reason = self._try()
                if not self._works:
                    logger.warning(
                        "Recordings are decoded in this process, without limits on memory and "
                        "work: no worker process can be started (%s)",
                        reason,
                    )
            return self._works

    def run(
        self, job: str, file: BinaryIO, account: WorkAccount | None = None, **arguments: Any
    ) -> Generator[bytes, None, Any]:
        """Do a job in a worker: yield its blocks, return its result.

        Args:
            job: What to do, of `worker.py`.
            file: What to do it with; the worker reads it by itself, and leaves its position alone.
            account: Of the recording, if this is not all that is done with it.
            **arguments: What else the job takes.

        Raises:
            CodecError: The recording is not usable, or took the worker beyond a limit.
            OSError: No worker can be started.
        """
        worker, account = self._take(), account or WorkAccount()
        is_reusable = False
        try:
            worker.begin(job, file, account, arguments)
            while (message := worker.receive())[0] == BLOCK:
                worker.send(NEXT)
                try:
                    yield message[1]
                except GeneratorExit:
                    is_reusable = worker.stop(account)
                    raise
            facts = json.loads(message[1])
            is_reusable = _settle(facts, account)
            return _result(message[0], facts)
        except (EOFError, ConnectionError) as error:
            reason = worker.cause_of_death(job)
            if reason == too_much_work(job):
                account.debt_s = MAX_WORK_S
            raise CodecError(reason) from error
        finally:
            self._put_back(worker, is_reusable=is_reusable)

    def call(
        self, job: str, file: BinaryIO, account: WorkAccount | None = None, **arguments: Any
    ) -> Any:
        """Do a job that has no blocks, and return its result; see `run`."""
        blocks = self.run(job, file, account, **arguments)
        try:
            while True:
                next(blocks)
        except StopIteration as end:
            return end.value

    def close(self) -> None:
        """End the workers that are idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for worker in idle:
            self._end(worker)

    def _try(self) -> tuple[bool, str]:
        if reason := _missing():
            return False, reason
        try:
            worker = self._start()
        except TimeoutError as error:  # a busy machine is no reason to decode without limits
            raise OSError(f"the process to work on it was not ready in {START_S:g} s") from error
        except (OSError, EOFError) as error:
            return False, repr(error)
        self._put_back(worker, is_reusable=True)
        return True, ""

    def _take(self) -> _Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.process.poll() is None:
                    return worker
                self._end(worker)
        try:
            return self._start()
        except (OSError, EOFError) as error:
            raise OSError(f"no process can be started to work on it: {error!r}") from error

    def _start(self) -> _Worker:
        with self._lock:
            worker = _Worker(self._command or _command())
            self._all.add(worker)
        try:
            load_now()
            worker.wait_until_ready()
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _put_back(self, worker: _Worker, *, is_reusable: bool) -> None:
        with self._lock:
            if is_reusable and len(self._idle) < MAX_IDLE:
                self._idle.append(worker)
                return
        self._end(worker)

    def _end(self, worker: _Worker) -> None:
        worker.end()
        with self._lock:
            self._all.discard(worker)

    def _forget(self) -> None:
        """Leave the workers to the process that this one was forked of."""
        for worker in self._all:
            worker.forget()
        self._all.clear()
        self._idle.clear()
        self._lock.release()


class _Worker:
    """A worker process, and the socket to it."""

    def __init__(self, command: Sequence[str]) -> None:
        self.socket, theirs = socket.socketpair()
        try:
            with theirs:
                self.process = subprocess.Popen(  # noqa: S603
                    command,
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                    process_group=0,  # Ctrl-C is for this process
                )
        except BaseException:
            self.socket.close()
            raise

    def begin(
        self, job: str, file: BinaryIO, account: WorkAccount, arguments: dict[str, Any]
    ) -> None:
        with contextlib.ExitStack() as stack:
            shared = _with_descriptor(file, stack)
            socket.send_fds(self.socket, [JOB], [shared.fileno()])
        send_message(self.socket, JOB, pickle.dumps((job, account.debt_s, arguments)))

    def send(self, command: bytes) -> None:
        self.socket.sendall(command)

    def wait_until_ready(self) -> None:
        self.socket.settimeout(START_S)
        self.receive()
        self.socket.settimeout(None)

    def receive(self) -> tuple[bytes, bytes]:
        return receive_message(self.socket)

    def stop(self, account: WorkAccount) -> bool:
        """End the job; tell whether the worker is ready for another one."""
        try:
            self.socket.settimeout(_STOP_S)
            self.send(STOP)
            while (message := self.receive())[0] == BLOCK:
                pass
            self.socket.settimeout(None)
        except (OSError, EOFError):
            return False
        return _settle(json.loads(message[1]), account)

    def cause_of_death(self, job: str) -> str:
        """Say why a job ended the process, in words that can follow the name of a recording."""
        code = self.process.wait()
        if code == -signal.SIGXCPU:
            return too_much_work(job)
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        return f"the process that {verb_of(job).did} it ended ({name})"

    def end(self) -> None:
        self.socket.close()
        self.process.kill()
        self.process.wait()

    def forget(self) -> None:
        self.socket.close()
        self.process.returncode = 0  # it is not a child of this process


def _missing() -> str:
    """Say what workers need and is not here; "" if all is."""
    if not hasattr(socket, "send_fds") or importlib.util.find_spec("resource") is None:
        return f"{sys.platform} has no limits for them"
    if not Path(sys.executable or "").name.lower().startswith(("python", "pypy")):
        return f"{sys.executable!r} is not Python"
    return ""


def _command() -> list[str]:
    """Say how to start a worker: nothing of the user's own site and settings is run."""
    specs = map(importlib.util.find_spec, ("langchain_qwen_audio", "av"))
    homes = [str(Path(spec.origin).parents[1]) for spec in specs if spec and spec.origin]
    paths = [path for path in sys.path if Path(path).is_absolute()]
    return [sys.executable, "-I", "-S", "-c", _PROGRAM, *dict.fromkeys(paths + homes)]


def _with_descriptor(file: BinaryIO, stack: contextlib.ExitStack) -> BinaryIO:
    """Take a file as it is, or what is in memory as a file without a name."""
    try:
        file.fileno()
    except OSError:
        return stack.enter_context(nameless_file(iter(partial(file.read, 1 << 20), b"")))
    return file


@contextlib.contextmanager
def nameless_file(blocks: Iterable[bytes]) -> Iterator[BinaryIO]:
    """Write blocks into a file without a name, which a worker can read.

    Raises:
        OSError: There is no room for it.
    """
    with _nameless() as file:
        file.writelines(blocks)
        file.flush()
        yield file


def _nameless() -> BinaryIO:
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("recording"), "w+b")
    return cast("BinaryIO", tempfile.TemporaryFile())


def _settle(facts: dict[str, Any], account: WorkAccount) -> bool:
    """Keep what a job took; tell whether its worker is ready for another one."""
    account.debt_s = max(0.0, float(facts.pop("debt_s")))
    return not facts.pop("is_worn")


def _result(kind: bytes, facts: dict[str, Any]) -> Any:
    """Return the result of a job, or raise its error."""
    if kind == ERROR:
        message = facts.pop("message")
        raise CodecError(message, **facts)
    if kind == BUG:
        raise RuntimeError(facts["traceback"])
    return facts["value"]


POOL = WorkerPool()
