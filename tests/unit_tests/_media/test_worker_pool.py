"""Workers: limits that hold, crashes that are errors, and no process or descriptor left behind."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media import work_limits, worker_pool
from langchain_qwen_audio._media.unreadable import CodecError
from langchain_qwen_audio._media.work_limits import (
    MAX_WORK_S,
    STEP_WORK_MS,
    WorkAccount,
    WorkLimits,
    too_much_memory,
    too_much_work,
)
from langchain_qwen_audio._media.worker_pool import POOL, WorkerPool
from langchain_qwen_audio.errors import AudioError
from tests.unit_tests._media.odd_workers import odd_command
from tests.unit_tests.programs import STRICT, needs_proc, run_forked
from tests.unit_tests.recordings import DATA, read, tone, wav
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")
ROOT = Path(__file__).parents[3]
OPTIONS: dict[str, Any] = {"parts": [], "container": "wav"}
LONG = wav(tone(120))


@pytest.fixture
def pool() -> Iterator[WorkerPool]:
    pool = WorkerPool()
    yield pool
    pool.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[WorkerPool]:
    """Make a pool for jobs after which its worker is as it was."""
    pool = WorkerPool()
    yield pool
    pool.close()


def odd_pool(code: str) -> WorkerPool:
    """Make a pool whose workers do something else."""
    return WorkerPool(odd_command(code))


ODD_JOBS = """
import time
def spend(file, outlet, work_s, sound_s=0.0):
    end = time.process_time() + work_s
    while time.process_time() < end: pass
    outlet.limits.allow(sound_s)
def take(*_, memory="bytearray(2**31)"):
    eval(memory)
worker._JOBS |= {"spend": spend, "take": take, "encode": take}
"""


@pytest.fixture(scope="module")
def odd() -> Iterator[WorkerPool]:
    """Make a pool for jobs of other kinds, after which its worker is as it was."""
    pool = odd_pool(ODD_JOBS)
    yield pool
    pool.close()


def decode(pool: WorkerPool, data: bytes, **options: Any) -> bytes:
    return b"".join(pool.run("decode", io.BytesIO(data), **{**OPTIONS, **options}))


def pid_of(pool: WorkerPool) -> int:
    (worker,) = pool._idle
    return worker.process.pid


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be noticed does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


# --- the life of a worker ---


def test_one_worker_does_one_job_after_the_other(shared: WorkerPool) -> None:
    assert shared.call("probe", io.BytesIO(read("speech.wav")), track=None)["codec"] == "pcm_s16le"
    pid = pid_of(shared)
    assert decode(shared, wav(tone(1))) == tone(1).tobytes()
    assert shared.call("probe", io.BytesIO(read("speech.mp3")), track=None)["codec"] == "mp3"
    assert pid_of(shared) == pid


def test_a_worker_whose_job_ends_early_does_the_next_one(shared: WorkerPool) -> None:
    pids = []
    for blocks in (1, 2, 3):
        job = shared.run("decode", io.BytesIO(LONG), **OPTIONS)
        for _ in range(blocks):
            assert next(job)
        job.close()
        pids.append(pid_of(shared))
        assert decode(shared, LONG) == tone(120).tobytes()
        pids.append(pid_of(shared))
    assert len(set(pids)) == 1


def test_a_job_that_never_begins_takes_no_worker(pool: WorkerPool) -> None:
    pool.run("decode", io.BytesIO(LONG), **OPTIONS).close()
    assert pool._all == set()


def test_a_job_that_is_garbage_gives_its_worker_back(shared: WorkerPool) -> None:
    job = shared.run("decode", io.BytesIO(LONG), **OPTIONS)
    next(job)
    circle: list[Any] = [job]
    circle.append(circle)
    del job, circle
    gc.collect()
    assert len(shared._idle) == len(shared._all) == 1


def test_jobs_at_once_have_workers_of_their_own_and_few_are_kept(
    pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "MAX_IDLE", 2)
    jobs = [pool.run("decode", io.BytesIO(LONG), **OPTIONS) for _ in range(3)]
    for job in jobs:
        assert next(job)  # each waits for the rest to be wanted
    pids = {worker.process.pid for worker in pool._all}
    assert len(pids) == 3
    for job in jobs:
        assert b"".join(job)
    del job, jobs
    gc.collect()
    assert len(pool._idle) == 2
    assert {worker.process.pid for worker in pool._idle} <= pids


def test_threads_share_the_workers(pool: WorkerPool) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: decode(pool, wav(tone(3))), range(20)))
    assert set(results) == {tone(3).tobytes()}


def test_a_worker_that_was_killed_while_idle_is_replaced(pool: WorkerPool) -> None:
    decode(pool, wav(tone(1)))
    pid = pid_of(pool)
    os.kill(pid, signal.SIGKILL)
    pool._idle[0].process.wait()
    assert decode(pool, wav(tone(1))) == tone(1).tobytes()
    assert pid_of(pool) != pid


@needs_proc
def test_nothing_is_left_behind(pool: WorkerPool) -> None:
    def use() -> None:
        decode(pool, wav(tone(1)))
        job = pool.run("decode", io.BytesIO(LONG), **OPTIONS)
        next(job)
        job.close()
        with pytest.raises(CodecError):
            decode(pool, b"nothing")
        pool.close()

    use()
    gc.collect()  # what other tests have left to it
    before = sorted(Path("/proc/self/fd").iterdir())
    for _ in range(3):
        use()
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert pool._all == set()


def test_the_position_of_a_file_is_left_alone(shared: WorkerPool) -> None:
    with (DATA / "speech.wav").open("rb") as file:
        file.seek(7)
        shared.call("probe", file, track=None)
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 4_096 or file.tell() == 7
        assert file.read(5) == read("speech.wav")[7:12]


# --- what a recording does to a worker ---


ENCODE: dict[str, Any] = {"sample_rate": 16_000, "max_bits_per_s": 40_000.0}


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGKILL])
def test_a_crash_is_an_error_about_the_recording(number: signal.Signals) -> None:
    crash = odd_pool(f"""
import os
real = worker._Outlet.flush
def crash(self):
    if not self._is_first:
        os.kill(os.getpid(), {number:d})
    real(self)
worker._Outlet.flush = crash""")
    with pytest.raises(CodecError, match=f"the process that decoded it ended .{number.name}."):
        decode(crash, LONG)
    assert crash._idle == []
    assert crash.call("probe", io.BytesIO(LONG), track=None)["codec"] == "pcm_s16le"
    crash.close()


def test_a_crash_of_an_encoder_is_called_that() -> None:
    crash = odd_pool(f"""
import os
worker.encode_mp3 = lambda *_: os.kill(os.getpid(), {signal.SIGSEGV:d})""")
    with pytest.raises(CodecError, match=r"the process that encoded it ended .SIGSEGV."):
        crash.call("encode", io.BytesIO(bytes(100)), **ENCODE)


@needs_proc
def test_limits_say_whether_it_was_encoded_or_decoded(odd: WorkerPool) -> None:
    with pytest.raises(CodecError) as caught:
        odd.call("encode", io.BytesIO(b"x"))
    assert str(caught.value) == too_much_memory("encode")
    assert str(caught.value).startswith("encoding it takes")
    busy = odd_pool(f"""
import os
worker.encode_mp3 = lambda *_: os.kill(os.getpid(), {signal.SIGXCPU:d})""")
    account = WorkAccount()
    with pytest.raises(CodecError) as caught:
        busy.call("encode", io.BytesIO(bytes(100)), account, **ENCODE)
    assert str(caught.value) == too_much_work("encode")
    assert str(caught.value).startswith("encoding it takes")
    assert account.debt_s == MAX_WORK_S  # so that it is not tried once more


def test_audio_says_which_recording_ended_its_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    audio = Audio.from_bytes(LONG, name="call.wav")
    blocks = audio.decode(16_000)
    next(blocks)
    (busy,) = [it for it in POOL._all if it.process.returncode is None and it not in POOL._idle]
    busy.process.kill()
    with pytest.raises(AudioError, match=r"call\.wav: .* the process that decoded it ended"):
        list(blocks)
    assert Audio.from_bytes(LONG).duration_s == 120


@needs_proc
def test_memory_is_bounded(odd: WorkerPool) -> None:
    for memory in ("bytearray(2**31)", "[bytes(2**20) for _ in range(2_000)]"):
        with pytest.raises(CodecError) as caught:
            odd.call("take", io.BytesIO(b"x"), memory=memory)
        assert str(caught.value) == too_much_memory("take")


@needs_proc
def test_a_worker_that_keeps_memory_is_replaced() -> None:
    leaky = odd_pool(
        "kept = []\nworker._JOBS['probe'] = lambda *_, **__: kept.append(bytes(10**8)) or len(kept)"
    )
    assert [leaky.call("probe", io.BytesIO(b"x"), track=None) for _ in range(3)] == [1, 1, 1]


def test_work_is_allowed_for_sound() -> None:
    """A second of work for every second of sound, and 0.2 s to begin with.

    The operating system takes whole seconds, at the end of which the work that is paid goes on.
    """
    limits = "work_limits.MAX_WORK_S, work_limits.MIN_SPEED = 0.1, {}\n"
    spend = """
import math, time
def work(file, outlet, steps, **_):
    begun_s = time.process_time()
    whole_s = math.ceil(begun_s + 0.2) - begun_s
    for number in range(steps):
        end = begun_s + (whole_s + 0.1) * (number + 1) / 10
        while time.process_time() < end: pass
        outlet.add(bytes(1 << 17), sound_s=4.0 * number + 4.0)
worker._JOBS['decode'] = work"""
    paid, unpaid = odd_pool(limits.format(1.0) + spend), odd_pool(limits.format(1e9) + spend)
    assert len(decode(paid, b"x", steps=10)) == 10 << 17
    with pytest.raises(CodecError) as caught:
        decode(unpaid, b"x", steps=1_000)
    assert str(caught.value) == too_much_work("decode")
    assert str(caught.value).startswith("decoding it takes")
    paid.close()


@needs_proc
def test_the_limit_of_work_grows_with_bytes_and_with_half_a_day_of_sound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: dict[str, int] = {}
    monkeypatch.setattr(work_limits, "_limit", limits.__setitem__)
    monkeypatch.setattr(time, "process_time", lambda: 10.0)
    counted = WorkLimits()
    seconds = []
    for size in (0, 100_000_000):
        counted.begin(size, debt_s=0.5)
        seconds.append(limits["RLIMIT_CPU"])
        for sound_s in (200.0, 12 * 3600.0, 1e9):
            counted.allow(sound_s)
            seconds.append(limits["RLIMIT_CPU"])
    assert seconds == [12, 22, 2172, 2172, 17, 27, 2177, 2177]


def test_the_steps_of_a_recording_share_what_is_always_allowed(odd: WorkerPool) -> None:
    account = WorkAccount()
    for _ in range(2):
        odd.call("spend", io.BytesIO(b"x"), account, work_s=0.2)
    assert account.debt_s == pytest.approx(2 * (0.2 - STEP_WORK_MS / 1000), abs=0.08)


def test_sound_and_bytes_pay_for_work_and_what_is_cheap_can_be_done_for_ever(
    odd: WorkerPool,
) -> None:
    account = WorkAccount(debt_s=0.4)
    odd.call("spend", io.BytesIO(b"x"), account, work_s=0.1, sound_s=20.0)
    assert account.debt_s == 0
    account.debt_s = 0.4
    odd.call("spend", io.BytesIO(bytes(20_000_000)), account, work_s=0.1)
    assert account.debt_s == 0
    for _ in range(30):
        odd.call("probe", io.BytesIO(read("speech.wav")), account, track=None)
    assert account.debt_s == 0


def test_a_job_that_ends_early_is_counted_too(shared: WorkerPool) -> None:
    account = WorkAccount(debt_s=1.0)
    job = shared.run("decode", io.BytesIO(LONG), account, **OPTIONS)
    next(job)
    job.close()
    assert 0 < account.debt_s < 1.0


def test_a_bug_of_ours_is_not_an_error_of_the_recording(shared: WorkerPool) -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'no such job'"):
        shared.call("no such job", io.BytesIO(b"x"))


def test_an_error_keeps_what_is_known_of_it(shared: WorkerPool) -> None:
    with pytest.raises(CodecError, match="it is a picture") as caught:
        shared.call("probe", io.BytesIO(b"\x89PNG\r\n\x1a\n" + bytes(99)), track=None)
    assert not caught.value.is_recording


# --- the process that starts workers ---


def test_no_key_and_no_descriptor_reaches_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-secret")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    nosy = odd_pool(
        "import os\n"
        "worker._JOBS['probe'] = lambda *_, **__: "
        "[dict(os.environ), sorted(map(int, os.listdir('/dev/fd')))]"
    )
    secret = os.open(DATA / "speech.wav", os.O_RDONLY)
    os.set_inheritable(secret, True)
    environment, descriptors = nosy.call("probe", io.BytesIO(b"x"), track=None)
    os.close(secret)
    assert set(environment) <= {*worker_pool._ENVIRONMENT, "__CF_USER_TEXT_ENCODING"}
    assert set(descriptors) <= {0, 1, 2, 3, 4}  # the recording, and the folder that is listed
    nosy.close()


@needs_proc
def test_workers_end_with_the_process_that_started_them() -> None:
    code = f"""
import io, os, signal, sys
from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.worker_pool import POOL
for end in ("sys.exit()", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"):
    child = os.fork()
    if child == 0:
        break
    os.waitpid(child, 0)
else:
    sys.exit()
busy, idle = (Audio.from_path({str(DATA / "speech.wav")!r}).decode(48_000) for _ in range(2))
next(busy)
list(idle)
print(*[worker.process.pid for worker in POOL._all], flush=True)
exec(end)
"""
    done = subprocess.run(
        [sys.executable, *STRICT, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stderr == ""
    pids = [*map(int, done.stdout.split())]
    assert len(pids) == 6
    wait_until(lambda: not any(map(is_running, pids)))


def test_a_program_from_standard_input_can_decode(tmp_path: Path) -> None:
    code = (
        "from langchain_qwen_audio import Audio\n"
        f"print(Audio.from_path({str(DATA / 'speech.mp3')!r}).excerpt().size)\n"
        "print(__name__)"
    )
    done = subprocess.run(
        [sys.executable, *STRICT, "-"],
        input=code,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.split()[1:] == ["__main__"], "the program itself runs once"
    assert done.stderr == ""


@needs_proc
def test_ctrl_c_ends_a_long_job_at_once_and_the_next_one_works(interruptible: None) -> None:
    code = """
import io, os, sys
from langchain_qwen_audio._media.worker_pool import POOL
data = sys.stdin.buffer.read()
blocks = 0
try:
    while True:
        for block in POOL.run("decode", io.BytesIO(data), parts=[], container="wav"):
            blocks += 1
            if blocks == 20:
                print("busy", flush=True)
except KeyboardInterrupt:
    pass
sound = b"".join(POOL.run("decode", io.BytesIO(data), parts=[], container="wav"))
print(sound == data[44:])
"""
    with subprocess.Popen(
        [sys.executable, *STRICT, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        process_group=0,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(LONG)
        process.stdin.close()
        assert process.stdout.readline() == b"busy\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.wait(HANG_S)
        assert (process.stdout.read(), process.stderr.read()) == (b"True\n", b"")


@needs_proc
def test_a_fork_uses_workers_of_its_own() -> None:
    code = """
import io, json, os, sys, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from langchain_qwen_audio._media.worker_pool import POOL
from tests.unit_tests.recordings import tone, wav
def decode():
    return b"".join(POOL.run("decode", io.BytesIO(wav(tone(5))), parts=[], container="wav"))
def pids():
    return sorted(worker.process.pid for worker in POOL._all)
decode()
paused = POOL.run("decode", io.BytesIO(wav(tone(30))), parts=[], container="wav")
first = next(paused)
before = pids()
child = os.fork()
assert decode() == tone(5).tobytes()
if not child:
    paused.close()
    assert not set(pids()) & set(before), (pids(), before)
    POOL.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert first + b"".join(paused) == tone(30).tobytes()
assert set(before) <= set(pids())
"""
    assert run_forked(code) == ""


def test_forks_and_starts_at_once_do_not_wait_for_each_other() -> None:
    code = """
import os, threading, io, warnings
warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
from langchain_qwen_audio._media.worker_pool import WorkerPool
from tests.unit_tests.recordings import tone, wav
pool = WorkerPool()
def start():
    for _ in range(2):
        pool.call("probe", io.BytesIO(wav(tone(1))), track=None)
        pool.close()
threads = [threading.Thread(target=start) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
for thread in threads:
    thread.join()
"""
    assert run_forked(code) == ""


# --- where there are no workers ---


@pytest.mark.parametrize("executable", ["", "/usr/bin/some-program", None])
def test_without_workers_this_process_decodes_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, executable: str | None
) -> None:
    if executable is None:
        monkeypatch.delattr("socket.send_fds")
    else:
        monkeypatch.setattr(sys, "executable", executable)
    without = WorkerPool()
    with caplog.at_level(logging.WARNING):
        assert not without.is_available()
        assert not without.is_available()
    (record,) = caplog.records
    assert "without limits on memory and work" in record.getMessage()
    monkeypatch.setattr("langchain_qwen_audio._media.bounded.POOL", without)
    audio = Audio.from_path(DATA / "speech.m4a")
    assert audio.codec == "aac"
    assert audio.declared_s == pytest.approx(1.149, abs=0.01)
    sound = b"".join(audio.decode(16_000))
    monkeypatch.undo()
    assert sound == b"".join(Audio.from_path(DATA / "speech.m4a").decode(16_000))


@pytest.mark.parametrize("command", [["/nowhere/python"], [sys.executable, "-c", "raise OSError"]])
def test_a_worker_that_does_not_start_is_noticed_once(
    caplog: pytest.LogCaptureFixture, command: list[str]
) -> None:
    pool = WorkerPool(command)
    with caplog.at_level(logging.WARNING):
        assert not pool.is_available()
    assert len(caplog.records) == 1


def test_a_worker_that_is_never_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_pool, "START_S", 0.1)
    pool = WorkerPool([sys.executable, "-c", "import time; time.sleep(1_000_000)"])
    monkeypatch.setattr("langchain_qwen_audio._media.bounded.POOL", pool)
    for _ in range(2):  # nothing is decoded without limits after that, either
        with pytest.raises(AudioError, match=r"not ready in 0\.1 s"):
            _ = Audio.from_path(DATA / "speech.m4a").codec
    assert not pool._all


def test_once_workers_started_there_is_no_decoding_without_them(pool: WorkerPool) -> None:
    assert pool.is_available()
    pool.close()
    pool._command = ["/nowhere/python"]
    assert pool.is_available()
    with pytest.raises(OSError, match="no process can be started to work on it"):
        decode(pool, LONG)
