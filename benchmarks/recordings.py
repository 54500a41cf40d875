"""An hour of speech through the loader → memory, speed, bytes sent; and word errors.

    python benchmarks/recordings.py [--minutes 60] [--delay 0.2] [--concurrency 8]

No key and no network: the server is the local test server, in a separate process, so that its work
does not show in the numbers. First it answers every request after `--delay` seconds with the same
text; then, for a recording of some minutes, it transcribes with Whisper. Needs jiwer.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import re
import resource
import sys
import tempfile
import time
import wave
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope, ReceivedRequest, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection


RATE = 16_000
SAMPLES = Path(str(files("langchain_qwen_audio"))) / "samples"
SPOKEN = ("welcome.wav", "speech_output.mp3")  # their transcripts are in files beside them
PAUSES_S = (0.6, 1.0, 0.8, 1.4)
MAX_MORE_ERRORS = 0.03  # of the words, because a recording was split
MAX_MB_IN_FLIGHT = 80.0  # of one segment of four minutes, in all its forms


# --- recordings -------------------------------------------------------------------------------


def talk(path: Path, length_s: float) -> list[str]:
    """Write a WAV file of known sentences with pauses; return its sentences, in order."""
    spoken = [
        (
            b"".join(Audio.from_bytes((SAMPLES / name).read_bytes()).decode(RATE)),
            (SAMPLES / name).with_suffix(".txt").read_text().strip(),
        )
        for name in SPOKEN
    ]
    texts: list[str] = []
    left = 2 * round(length_s * RATE)
    with wave.open(str(path), "wb") as writer:
        writer.setparams((1, 2, RATE, 0, "NONE", ""))
        for (samples, text), pause_s in zip(
            itertools.cycle(spoken), itertools.cycle(PAUSES_S), strict=False
        ):
            if len(samples) > left:
                writer.writeframes(bytes(left))
                return texts
            block = (samples + bytes(2 * round(pause_s * RATE)))[:left]
            writer.writeframes(block)
            texts.append(text)
            left -= len(block)
    return texts


def to_mp3(source: Path, target: Path) -> None:
    """Encode a recording as MP3 of 64 kbit/s."""
    import av

    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        stream = writer.add_stream("libmp3lame", rate=RATE, layout="mono")
        stream.bit_rate = 64_000
        for frame in reader.decode(audio=0):
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))


# --- the server, in a separate process --------------------------------------------------------


class Service:
    """Answers every request after a delay, and counts."""

    def __init__(self, delay_s: float) -> None:
        """Start with nothing seen."""
        self.delay_s = delay_s
        self.requests = self.sent = 0

    def __call__(self, request: ReceivedRequest) -> Reply:
        """Answer one request."""
        self.requests += 1
        self.sent += len(request.body)
        return Reply("a transcript", delay_s=self.delay_s)


def serve(pipe: Connection, delay_s: float | None) -> None:
    """Run the local test server, with Whisper if without a delay; send its address and counts."""
    service = None if delay_s is None else Service(delay_s)
    with contextlib.suppress(EOFError), LocalDashScope(reply=service, max_log=1) as server:
        pipe.send(server.base_url)
        pipe.recv()
        pipe.send((service.requests, service.sent) if service else (0, 0))


@contextlib.contextmanager
def service(delay_s: float | None) -> Iterator[tuple[str, Connection]]:
    """Start the server; yield its address, and the pipe that its counts come by."""
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, delay_s), daemon=True)
    process.start()
    theirs.close()
    try:
        yield pipe.recv(), pipe
    finally:
        pipe.close()  # at which it stops
        process.join()


# --- memory, speed, bytes ---------------------------------------------------------------------


class Run(NamedTuple):
    """What one run took."""

    took_s: float
    peak_mb: float
    audio_s: float
    segments: int


def peak_mb() -> float:
    """Read the most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def load(pipe: Connection, path: Path, base_url: str, model: str, concurrency: int) -> None:
    """Load a recording, in a separate process, and send what it took."""
    import av  # noqa: F401  # loaded once, however long the recording
    import dashscope.v2.errors  # noqa: F401

    llm = ChatQwenAudio(model=model, base_url=base_url, api_key="local")
    loader = QwenAudioLoader(path, llm=llm, max_concurrency=concurrency)
    before_mb, began = peak_mb(), time.monotonic()
    for _ in loader.lazy_load():
        pass
    summary = loader.summary
    took_s, grew_mb = time.monotonic() - began, peak_mb() - before_mb
    pipe.send(Run(took_s, grew_mb, summary.audio_s, summary.segments))


def measure(path: Path, model: str, delay_s: float, concurrency: int) -> list[str]:
    """Load a recording, print a line about it, and list what is wrong."""
    context = multiprocessing.get_context("spawn")
    with service(delay_s) as (base_url, counts):
        pipe, theirs = context.Pipe()
        arguments = (theirs, path, base_url, model, concurrency)
        process = context.Process(target=load, args=arguments)
        process.start()
        theirs.close()
        run: Run = pipe.recv()
        process.join()
        counts.send(None)
        requests, sent = counts.recv()
    size = path.stat().st_size
    print(
        f"{path.suffix[1:]:<5}{model:<26}{run.segments:>9}{run.peak_mb:>9.0f} MB"
        f"{run.took_s:>8.1f} s{run.audio_s / run.took_s:>7.0f} x"
        f"{size / 1e6:>9.1f} MB{sent / 1e6:>9.1f} MB{sent / size:>7.2f}"
    )
    faults = {
        "more memory than is allowed": run.peak_mb > MAX_MB_IN_FLIGHT * concurrency,
        "segments that were requested twice, or not at all": requests != run.segments,
    }
    return [f"{path.suffix[1:]}, {model}: {fault}" for fault, is_so in faults.items() if is_so]


# --- words ------------------------------------------------------------------------------------


def words_in(text: str) -> list[str]:
    """List the words, without punctuation."""
    return re.findall(r"[a-z']+", text.lower())


def errors_by_word(spoken: list[str], transcribed: list[str]) -> list[int]:
    """Count what was changed, left out or added, at each transcribed word and at their end."""
    import jiwer

    errors = [0] * (len(transcribed) + 1)
    for chunk in jiwer.process_words(" ".join(spoken), " ".join(transcribed)).alignments[0]:
        if chunk.type == "delete":
            errors[chunk.hyp_start_idx] += chunk.ref_end_idx - chunk.ref_start_idx
        elif chunk.type != "equal":
            for index in range(chunk.hyp_start_idx, chunk.hyp_end_idx):
                errors[index] += 1
    return errors


def count_words(folder: Path, minutes: float) -> list[str]:
    """Transcribe known sentences with Whisper, print a line for each segment, and judge."""
    path = folder / "words.wav"
    spoken = [words_in(text) for text in talk(path, minutes * 60)]
    with service(None) as (base_url, _):
        llm = ChatQwenAudio(model="qwen3-asr-flash", base_url=base_url, api_key="local")
        alone = QwenAudioLoader([str(SAMPLES / name) for name in SPOKEN], llm=llm).load()
        segments = QwenAudioLoader(path, llm=llm, segment_s=30, max_concurrency=2).load()
    least = [
        sum(errors_by_word(words, words_in(it.page_content)))
        for words, it in zip(spoken, alone, strict=False)
    ]
    transcribed = [words_in(it.page_content) for it in segments]
    errors = errors_by_word(list(itertools.chain(*spoken)), list(itertools.chain(*transcribed)))
    print(f"\n{minutes:g} minutes of known sentences, transcribed by Whisper: words, wrong words")
    position = 0
    for segment, words in zip(segments, transcribed, strict=True):
        wrong = sum(errors[position : position + len(words)])
        position += len(words)
        times = f"{segment.metadata['start_s']:8.2f} to {segment.metadata['end_s']:7.2f} s"
        print(f"  {times}{len(words):>6}{wrong:>6}{wrong / max(1, len(words)):>8.1%}")
    count = sum(map(len, spoken))
    rate = sum(errors) / count
    expected = sum(itertools.islice(itertools.cycle(least), len(spoken))) / count
    print(f"  {'all':<21}{count:>6}{sum(errors):>6}{rate:>8.1%}")
    print(f"  {'if each sentence were a clip':<33}{expected:>8.1%}")
    worse = rate - expected > MAX_MORE_ERRORS
    return [f"{rate:.1%} of the words are wrong, {expected:.1%} without splitting"] if worse else []


def main() -> int:
    """Run everything; return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description="An hour of speech through the loader.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--delay", type=float, default=0.2, help="seconds that an answer takes")
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--words-minutes", type=float, default=4.0)
    args = parser.parse_args()
    faults: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / "hour.wav", folder / "hour.mp3"]
        talk(paths[0], args.minutes * 60)
        to_mp3(*paths)
        print(
            f"{args.minutes:g} minutes, {args.concurrency} segments in flight, "
            f"answers after {args.delay:g} s\n"
            f"{'file':<5}{'model':<26}{'segments':>9}{'memory':>12}{'time':>10}{'speed':>9}"
            f"{'file':>12}{'wire':>12}{'ratio':>7}"
        )
        for path in paths:
            for model in ("qwen-audio-turbo-latest", "qwen3-asr-flash"):
                faults += measure(path, model, args.delay, args.concurrency)
        faults += count_words(folder, args.words_minutes)
    for fault in faults:
        print(f"FAULT: {fault}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
