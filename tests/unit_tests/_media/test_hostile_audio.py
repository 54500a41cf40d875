"""Files made to harm: none reaches another file or a host, or takes more time or memory than due.

They are opened in a process of their own, so that a crash is a failing test. The same module,
run as a program, fuzzes: `python -m tests.unit_tests._media.test_hostile_audio fuzz COUNT SEED`.
"""

from __future__ import annotations

import ctypes
import functools
import io
import itertools
import json
import logging
import os
import random
import resource
import socket
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._media import worker_pool
from langchain_qwen_audio._media.worker_pool import POOL
from langchain_qwen_audio._models.profiles import QWEN_AUDIO
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio.errors import AudioError, ContextOverflowError
from tests.unit_tests._media.file_builders import (
    box,
    caf,
    fmt,
    id3,
    mp4,
    packed_frame,
    patched,
    table,
)
from tests.unit_tests._media.lying_files import LYING
from tests.unit_tests._media.odd_workers import odd_command
from tests.unit_tests.programs import run_forked, run_python, started_forked
from tests.unit_tests.recordings import RECORDINGS, encode, question_about, read, tone, wav
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from langchain_qwen_audio.local import LocalDashScope
    from tests.unit_tests.conftest import CallModel

# Of work, since a busy machine says nothing about the file. Each is taken three times, and no job
# may take more than 2 s, in whole seconds of the process.
MAX_CPU_S = 10.0
SOON_S = 0.2  # here instead of the 2 s, for what would go on if it were not broken off
MAX_MB = 120.0  # more than before, in the process that has a recording decoded
MAX_WORKER_MB = 300.0  # in all, in the one that decodes it

# --- scripts and playlists --------------------------------------------------------------------


def scripts(path: str, url: str) -> dict[str, str]:
    """Write what makes FFmpeg open a file or an address, in every language that it knows."""
    hls = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:9\n#EXT-X-MEDIA-SEQUENCE:0\n"
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{url}"\n#EXT-X-MAP:URI="{url}"\n'
    mpd = (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT9S"><Period><AdaptationSet mimeType="audio/mp4">'
        '<Representation id="1" bandwidth="9"><BaseURL>{}</BaseURL><SegmentBase/>'
        "</Representation></AdaptationSet></Period></MPD>"
    )
    entity = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "{}">]>'
        '<svg>&e;<image href="{}"/></svg>'
    )
    return {
        "ffconcat, file": f"ffconcat version 1.0\nfile '{path}'\n",
        "ffconcat, http": f"ffconcat version 1.0\nfile {url}\n",
        "concat without a header": f"file '{path}'\n",
        "HLS, file": f"{hls}#EXTINF:9,\nfile://{path}\n#EXT-X-ENDLIST\n",
        "HLS, path": f"{hls}#EXTINF:9,\n{path}\n#EXT-X-ENDLIST\n",
        "HLS, http": f"{hls}#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
        "HLS, key": f"{hls}{key}#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n",
        "HLS, master": f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=9\n{url}\n",
        "DASH, file": mpd.format(f"file://{path}"),
        "DASH, http": mpd.format(url),
        "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
        f"m=audio {url.rpartition(':')[2].partition('/')[0]} RTP/AVP 0\n",
        "PLS": f"[playlist]\nNumberOfEntries=1\nFile1={url}\n",
        "SVG": entity.format(f"file://{path}", url),
        "ASX": f'<asx version="3.0"><entry><ref href="{url}"/></entry></asx>',
        "VobSub": "# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n"
        "timestamp: 00:00:00:000, filepos: 000000000\n",
        "AviSynth": f'WAVSource("{path}")\n',
        "URL": url,
        "path": path,
    }


# --- MP4 --------------------------------------------------------------------------------------


def alias(path: str) -> bytes:
    """Make a QuickTime data reference to another file."""
    name = Path(path).name.encode()[:27]
    volume = struct.pack(">B27s", 4, b"disk") + bytes(12)
    record = bytes(6) + struct.pack(">HH", 2, 0) + volume + struct.pack(">B63s", len(name), name)
    record += bytes(16) + struct.pack(">hh", 0, 0) + bytes(16)
    for kind in (2, 18):
        record += struct.pack(">hH", kind, len(path)) + path.encode() + bytes(len(path) % 2)
    return table(b"alis", body=record + struct.pack(">hH", -1, 0))


def reference_movie(url: str) -> bytes:
    reference = table(
        b"rdrf", body=b"url " + struct.pack(">I", len(url) + 1) + url.encode() + b"\0"
    )
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"rmra", box(b"rmda", reference)))


def films(path: str, url: str) -> dict[str, bytes]:
    endless, long = (table(b"trun", count) for count in (50_000_000, 50_000))
    fragment, many = (
        box(b"moof", table(b"mfhd", 1), box(b"traf", table(b"tfhd", 1), *runs))
        for runs in ([endless], [long] * 25)
    )
    sound = box(b"mdat", bytes(60_000))
    return {
        "MP4, sound at a URL": mp4(codec=b"sowt", dref=table(b"url ", body=url.encode() + b"\0")),
        "MP4, sound in a file": mp4(codec=b"sowt", dref=alias(path)),
        "MP4, reference to a URL": reference_movie(url),
        "MP4, reference to a file": reference_movie(f"file://{path}"),
        "MP4, absurd sample table": mp4(samples=(1, 20_000_000)),
        "MP4, largest sample table": mp4(samples=(1, 2**32 - 1)),
        "MP4, absurd PCM": mp4(codec=b"sowt", samples=(2, 2**31), step=1),
        "MP4, absurd fragment": mp4(fragment=fragment + box(b"mdat", bytes(256))),
        "MP4, many absurd fragments": mp4(fragment=many + sound),
        "MP4, absurd table after many boxes": behind_boxes(mp4(samples=(1, 20_000_000))),
        "MP4, box in box": nested(5_000),
    }


def behind_boxes(film: bytes) -> bytes:
    start = int.from_bytes(film[:4], "big")
    return film[:start] + box(b"free") * 20_000 + film[start:]


def nested(depth: int) -> bytes:
    data = b""
    for _ in range(depth):
        data = box(b"moov", data)
    return box(b"ftyp", b"M4A \0\0\0\0") + data


# --- headers that lie -------------------------------------------------------------------------


def headers() -> dict[str, bytes]:
    flac = read("speech.flac")
    aiff, au = read("speech.aiff"), read("speech.au")
    comm = aiff.index(b"COMM") + 8
    tta = b"TTA1" + struct.pack("<HHHII", 1, 1, 16, 1, 2**32 - 1)
    return {
        "WAV, 0 Hz": fmt(1, 0),
        "WAV, 2^31 Hz": fmt(1, 2**31),
        "WAV, 772 MHz": fmt(1, 771_799_937),
        "WAV, 0 channels": fmt(0, 16_000),
        "WAV, 65535 channels": fmt(65_535, 16_000),
        "WAV, 0 bits": fmt(1, 16_000, bits=0),
        "WAV, unknown codec": fmt(1, 16_000, tag=0x1234),
        "WAV, 4 GB promised": fmt(1, 16_000, size=2**31 - 2**20),
        "CAF, 2^31 channels": caf(2**31, 16_000.0),
        "CAF, 1 Hz": caf(1, 1.0),  # each of its samples becomes 16,000
        "CAF, infinite rate": caf(1, float("inf")),
        "CAF, rate NaN": caf(1, float("nan")),
        "CAF, negative rate": caf(1, -16_000.0),
        "AIFF, 0 channels": patched(aiff, comm, b"\0\0"),
        "AIFF, 65535 channels": patched(aiff, comm, b"\xff\xff"),
        "AIFF, infinite rate": patched(aiff, comm + 8, b"\x7f\xff" + bytes(8)),
        "AU, 2^31 Hz": patched(au, 16, (2**31).to_bytes(4, "big")),
        "AU, 2^32 channels": patched(au, 20, b"\xff\xff\xff\xff"),
        "FLAC, 0 Hz": patched(flac, 18, b"\0\0\0"),
        "FLAC, 2^36 samples": patched(flac, 21, b"\xff\xff\xff\xff\xff"),
        "TTA, 2^32 frames": tta + zlib.crc32(tta).to_bytes(4, "little") + bytes(4_000),
        "APE, 2^32 frames": b"MAC "
        + struct.pack("<HHIIIIII", 3990, 0, 52, 24, 2**31, 0, 0, 0)
        + bytes(16)
        + struct.pack("<HHIIIHHI", 2000, 0, 1, 1, 2**28, 16, 1, 16_000)
        + bytes(4_000),
    }


# --- bombs ------------------------------------------------------------------------------------


@functools.cache
def silent_flac() -> bytes:
    return encode(np.zeros(300 * 8_000, np.int16), "flac", "flac", 8_000)


def secretly_silent_flac() -> bytes:
    data = silent_flac()
    return patched(data, 21, bytes([data[21] & 0xF0, 0, 0, 0, 0]))


BOMBS: dict[str, Callable[[], bytes]] = {
    "FLAC, minutes of silence": silent_flac,
    "FLAC, minutes that its header hides": secretly_silent_flac,
    "ID3, 256 MB promised": lambda: id3(b"", 2**28 - 1) + read("speech.mp3"),
    "ID3, packed text": lambda: id3(packed_frame(b"TIT2", 150 << 20)) + read("speech.mp3"),
    "ID3, packed picture": lambda: id3(packed_frame(b"APIC", 150 << 20)) + read("speech.mp3"),
    "ID3, 10,000 of them": lambda: id3(b"") * 10_000 + read("speech.mp3"),
    "ID3, nothing else": lambda: id3(b"TIT2" + bytes(50_000)),
    **LYING,
}


# --- other files ------------------------------------------------------------------------------


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("speech.wav", read("speech.wav"))
    return file.getvalue()


def others() -> dict[str, bytes]:
    generator = random.Random(7)  # noqa: S311
    pixel = b"\0\0\0\0\0"
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in [
            (b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 6, 0, 0, 0)),
            (b"IDAT", zlib.compress(pixel)),
            (b"IEND", b""),
        ]
    )
    return {
        "zip": zipped(),
        "zlib": zlib.compress(read("speech.wav")),
        "PNG": png,
        "JPEG": b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1" + bytes(500) + b"\xff\xd9",
        "GIF": b"GIF89a\1\0\1\0\0\0\0;",
        "PDF": b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF",
        "ELF": Path(sys.executable).resolve().read_bytes()[:100_000],
        "SQLite": b"SQLite format 3\0" + bytes(4_000),
        "this module": Path(__file__).read_bytes(),
        "noise": generator.randbytes(100_000),
        "ones": b"\xff" * 100_000,
        "syncwords": b"\xff\xfb\x90\x00" * 10_000,
    }


def hostile_files(path: str, url: str) -> dict[str, bytes]:
    texts = {name: text.encode() for name, text in scripts(path, url).items()}
    return texts | films(path, url) | headers() | others()


# --- one by one, in a process of its own ------------------------------------------------------

HARMLESS = {
    *("FLAC, 0 Hz", "ID3, packed text", "ID3, packed picture", "ID3, 10,000 of them"),
    "MP4, sound at a URL",  # its own bytes are taken, and nothing at the URL
    *LYING,  # whether sound is found in some is FFmpeg's affair
}
NAMES = [*hostile_files("/nowhere", "http://127.0.0.1:9/x"), *BOMBS]
BOTH = "AudioError ContextOverflowError"  # broken off, and longer than the context at that


def workers() -> list[int]:
    """List the processes that decode and are alive."""
    return [it.process.pid for it in POOL._all if it.process.returncode is None]


def peak_mb(process: int | str = "self") -> float:
    """Tell the most memory that a process has had since the last reset."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def spent_s() -> float:
    """Tell the processor time of this process and of its workers, alive or not."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in workers()]
    alive = sum(int(it[11]) + int(it[12]) for it in fields) / os.sysconf("SC_CLK_TCK")
    return sum(os.times()[:4]) + alive


class Cost:
    """What is spent from here on, by this process and by the workers that it starts."""

    def __init__(self) -> None:
        for process in ("self", *workers()):
            Path(f"/proc/{process}/clear_refs").write_text("5")
        self._before_mb, self._begun_s = peak_mb(), spent_s()

    def facts(self) -> dict[str, float]:
        # Of workers that have ended only the largest ever is known.
        ended_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        return {
            "cpu_s": spent_s() - self._begun_s,
            "mb": peak_mb() - self._before_mb,
            "worker_mb": max([ended_mb, *map(peak_mb, workers())]),
        }


STEPS: list[Callable[[Audio], Any]] = [
    lambda audio: audio.mime_type,
    lambda audio: sum(map(len, itertools.islice(audio.decode(16_000), 10_000))),
    lambda audio: convert(audio, QWEN_AUDIO),
]


def outcome(data: bytes, steps: Sequence[Callable[[Audio], Any]] = STEPS) -> str:
    """Do with a file what is done with a clip; say which errors came, in one word if one."""
    audio, words = Audio.from_bytes(data), set()
    for step in steps:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what was mended
                step(audio)
        except (AudioError, ContextOverflowError) as error:
            words.add(type(error).__name__)
    return "decoded" if not words else " ".join(sorted(words))


def open_all(path: str, url: str) -> None:
    """Open every hostile file, and report; run in a process of its own."""
    logging.disable()  # it is told that some are not searched
    vars(worker_pool)["MAX_WORK_S"] = SOON_S
    POOL._command = odd_command(f"work_limits.MAX_WORK_S = {SOON_S}")
    outcome(read("speech.mp3"))  # whatever is loaded once
    files = hostile_files(path, url)
    for name in NAMES:
        data = files[name] if name in files else BOMBS[name]()
        cost = Cost()
        try:
            word = outcome(data)
        except Exception as error:  # noqa: BLE001
            word = repr(error)
        print(json.dumps({"name": name, "word": word} | cost.facts()), flush=True)  # noqa: T201


class Canary:
    """A recording and an address that nobody but the files above knows of."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "canary.wav"
        self.path.write_bytes(wav(tone(1)))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/canary.wav"
        libc = ctypes.CDLL(None)
        self._watch = libc.inotify_init1(os.O_NONBLOCK)
        in_open = 0x20
        assert libc.inotify_add_watch(self._watch, str(self.path).encode(), in_open) > 0

    def was_opened(self) -> bool:
        try:
            return bool(os.read(self._watch, 4_096))
        except BlockingIOError:
            return False

    def was_called(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self.listener.close()
        os.close(self._watch)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Canary]:
    canary = Canary(tmp_path)
    yield canary
    canary.close()


OPEN_ALL = f"""
import sys
from {__name__} import open_all
open_all(*sys.argv[1:])
"""


def test_hostile_files_end_in_errors_within_bounds_and_open_nothing_else(canary: Canary) -> None:
    lines = run_forked(OPEN_ALL, str(canary.path), canary.url).splitlines()
    reports = [*map(json.loads, lines)]
    assert [it["name"] for it in reports] == NAMES
    assert [it for it in reports if not (is_allowed(it) and is_within_bounds(it))] == []
    assert not canary.was_opened()
    assert not canary.was_called()


def is_allowed(report: dict[str, Any]) -> bool:
    harmless = {"decoded"} if report["name"] in HARMLESS else set()
    return report["word"] in {"AudioError", "ContextOverflowError", BOTH} | harmless


def is_within_bounds(cost: dict[str, float]) -> bool:
    return cost["cpu_s"] < MAX_CPU_S and cost["mb"] < MAX_MB and cost["worker_mb"] < MAX_WORKER_MB


def test_the_canaries_would_notice(canary: Canary) -> None:
    """FFmpeg by itself does follow these files."""
    assert not canary.was_opened()
    assert not canary.was_called()
    text = scripts(str(canary.path), canary.url)
    script = canary.path.with_name("list.txt")
    code = """
import sys, av
file, kind, timeout_s = sys.argv[1:]
try:
    av.open(file, format=kind or None, options={"safe": "0"}, timeout=float(timeout_s))
except av.FFmpegError:
    pass
"""
    script.write_text(text["ffconcat, file"])
    run_forked(code, str(script), "concat", "60")
    with started_forked(code, canary.url, "", "60") as program:
        wait_until(canary.was_called)  # and it hangs up
        assert program.end() == (0, "")
    assert canary.was_opened()


@pytest.mark.parametrize("name", ["ffconcat, file", "HLS, http", "DASH, file", "SDP", "SVG"])
def test_a_hostile_clip_in_a_message_is_never_sent(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, canary: Canary, name: str
) -> None:
    data = scripts(str(canary.path), canary.url)[name].encode()
    file = canary.path.with_name("clip.wav")
    file.write_bytes(data)
    for clip in ({"type": "audio", "data": data, "mime_type": "audio/wav"}, file.as_uri()):
        with pytest.raises(AudioError, match=f"{len(data):,} bytes came that are not usable"):
            call_model(model, question_about(clip))
    assert server.requests == []
    assert not canary.was_opened()
    assert not canary.was_called()


# --- fuzz -------------------------------------------------------------------------------------

EXTREMES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def mutated(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Damage a file in one to four ways."""
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        size = len(changed)
        # Headers are where files are most vulnerable.
        at = dice.randrange(min(size, dice.choice([64, 512, size])) or 1)
        length = dice.choice([1, 2, 4, 8, 64, 1024])
        match dice.randrange(7):
            case 0:
                for _ in range(dice.choice([1, 8, 64])):
                    if changed:
                        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
            case 1:
                del changed[at + length :]
            case 2:
                start = dice.randrange(len(other))
                changed[at:at] = other[start : start + length]
            case 3:
                width, order = dice.choice([2, 4, 8]), dice.choice(["big", "little"])
                value = dice.choice(EXTREMES) % (1 << 8 * width)
                changed[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]
            case 4:
                del changed[at : at + length]
            case 5:
                changed[at:at] = changed[at : at + length] * dice.choice([1, 2, 16])
            case _:
                changed[at : at + length] = dice.randbytes(length)
    return bytes(changed)


def fuzz(count: int, seed: int) -> None:
    """Damage the recordings in `count` ways, and report; run in a process of its own."""
    dice = random.Random(seed)  # noqa: S311
    originals = [recording.data for recording in RECORDINGS]
    words: dict[str, int] = {}
    most: dict[str, float] = {}
    for number in range(count):
        data = mutated(dice.choice(originals), dice.choice(originals), dice)
        cost = Cost()
        try:
            word = outcome(data, [STEPS[0], dice.choice(STEPS[1:])])
        except BaseException:
            Path(f"/tmp/fuzz-{seed}-{number}.bin").write_bytes(data)  # noqa: S108
            print(f"seed {seed}, file {number}", file=sys.stderr)  # noqa: T201
            raise
        words[word] = words.get(word, 0) + 1
        for fact, value in cost.facts().items():
            most[fact] = max(most.get(fact, 0.0), value)
    print(json.dumps({"words": words, "most": most}))  # noqa: T201


@pytest.mark.slow
def test_no_damaged_file_does_more_than_fail() -> None:
    report = json.loads(run_python(f"from {__name__} import fuzz; fuzz(2_000, 1)"))
    assert set(report["words"]) <= {"decoded", "AudioError", "ContextOverflowError", BOTH}
    assert report["words"]["decoded"] > 200
    assert report["words"]["AudioError"] > 200
    assert is_within_bounds(report["most"]), report["most"]


if __name__ == "__main__":
    fuzz(*map(int, sys.argv[2:]))
