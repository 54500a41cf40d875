# ruff: noqa: INP001
"""Make the recordings beside this file; README.md says with what and under which licence.

    python make_fixtures.py

Needs flite, sox with all its formats, ffmpeg, libvo-amrwbenc, and PyAV below 19, which has an AMR
encoder. Not run by the tests.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import wave
from pathlib import Path

import av

HERE = Path(__file__).parent
TEXT = "One, two, three."
TRIMMED = [
    "silence",
    "1",
    "0.02",
    "1%",
    "reverse",
    "silence",
    "1",
    "0.02",
    "1%",
    "reverse",
    "pad",
    "0.05",
    "0.05",
]
VIDEO = ["-f", "lavfi", "-i", "color=blue:size=32x32:rate=5:duration={seconds}"]


def run(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def ffmpeg(source: Path, options: str, name: str) -> None:
    bitexact = ["-fflags", "+bitexact", "-flags:a", "+bitexact", "-map_metadata", "-1"]
    run("ffmpeg", "-y", "-i", source, *options.split(), *bitexact, HERE / name)


def film(source: Path, options: str, name: str, *, seconds: float) -> None:
    """Put a moving picture beside the sound, or, where there is no source, by itself."""
    picture = [word.format(seconds=seconds) for word in VIDEO]
    sound = ["-i", source] if source.name else ["-an"]
    command = ["ffmpeg", "-y", *picture, *sound, "-fflags", "+bitexact", "-b:v", "20k"]
    run(*command, *options.split(), HERE / name)


def pyav(source: Path, name: str, codec: str, rate: int) -> None:
    """Encode with the codecs of PyAV's wheel, which Debian's FFmpeg lacks some of."""
    with av.open(str(source), "r") as came, av.open(str(HERE / name), "w") as output:
        stream = output.add_stream(codec, rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate)
        fifo = av.AudioFifo()
        for frame in came.decode(audio=0):
            frame.pts = None
            for piece in resampler.resample(frame):
                piece.pts = None
                fifo.write(piece)
        for piece in fifo.read_many(stream.codec_context.frame_size or 320, partial=True):
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))


def pipe(source: Path, options: str, name: str) -> None:
    """Write to a pipe, so that sizes in headers cannot be filled in afterwards."""
    with (HERE / name).open("wb") as output:
        command = ["ffmpeg", "-i", source, *options.split(), "-fflags", "+bitexact", "-"]
        subprocess.run(list(map(str, command)), check=True, stdout=output, stderr=-3)


def amr_wb(source: Path, name: str) -> None:
    """Encode AMR-WB at 6.6 kbit/s with the library itself: neither sox nor FFmpeg has it here."""
    library = ctypes.CDLL("libvo-amrwbenc.so.0")
    library.E_IF_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.E_IF_init())
    frame = ctypes.create_string_buffer(64)
    with wave.open(str(source)) as wav, (HERE / name).open("wb") as output:
        output.write(b"#!AMR-WB\n")
        while len(samples := wav.readframes(320)) == 640:
            size = library.E_IF_encode(state, 0, samples, frame, 0)
            output.write(frame.raw[:size])


def make_wav(speech: Path, word: Path) -> None:
    run("sox", "-D", speech, "-b", "16", HERE / "speech.wav")
    run("sox", "-D", word, "-r", "48000", "-c", "2", HERE / "stereo48k.wav")
    run("sox", "-D", word, "-b", "24", HERE / "pcm24.wav")
    run("sox", word, "-e", "floating-point", "-b", "32", HERE / "float.wav")
    run("sox", "-D", word, "-c", "6", HERE / "surround.wav")
    run("sox", "-D", speech, "-r", "8000", "-e", "mu-law", HERE / "mulaw.wav")
    run("sox", "-D", speech, "-r", "8000", "-e", "gsm-full-rate", HERE / "gsm.wav")
    run("sox", "-D", speech, "-e", "ima-adpcm", HERE / "ima.wav")
    pipe(word, "-f wav", "piped.wav")


def make_lossless(speech: Path, word: Path) -> None:
    for name in ("speech.aiff", "speech.au", "speech.w64", "speech.caf"):
        run("sox", "-D", word, HERE / name)
    ffmpeg(speech, "-c:a flac", "speech.flac")
    ffmpeg(speech, "-c:a alac", "alac.m4a")


def make_lossy(speech: Path) -> None:
    ffmpeg(speech, "-c:a libmp3lame -b:a 24k", "speech.mp3")
    ffmpeg(speech, "-c:a libmp3lame -b:a 24k -write_xing 0", "bare.mp3")
    ffmpeg(speech, "-ar 48000 -c:a aac -b:a 32k", "speech.aac")
    ffmpeg(speech, "-ar 48000 -c:a aac -b:a 32k", "speech.m4a")
    ffmpeg(speech, "-ar 48000 -c:a aac -b:a 32k -movflags +faststart", "faststart.m4a")
    ffmpeg(speech, "-c:a libvorbis -q:a 0", "vorbis.ogg")
    ffmpeg(speech, "-c:a libopus -b:a 16k", "opus.ogg")
    ffmpeg(speech, "-c:a libopus -b:a 16k", "speech.webm")
    pipe(speech, "-c:a libopus -b:a 16k -f webm -live 1", "live.webm")
    ffmpeg(speech, "-ar 44100 -c:a wmav2 -b:a 48k", "speech.wma")


def make_telephone(speech: Path) -> None:
    run("sox", "-D", speech, "-r", "8000", HERE / "sox.amr-nb", "pad", "0", "0.6")
    (HERE / "sox.amr-nb").rename(HERE / "sox.amr")
    pyav(speech, "pyav.amr", "libopencore_amrnb", 8000)
    amr_wb(speech, "wide.amr")
    ffmpeg(HERE / "pyav.amr", "-c:a copy", "speech.3gp")
    ffmpeg(speech, "-ar 48000 -c:a aac -b:a 32k -brand 3gp6", "aac.3gp")


def make_video(speech: Path) -> None:
    sound = "-ar 48000 -c:a aac -b:a 32k"
    film(speech, f"{sound} -c:v mpeg4", "video.mp4", seconds=1.1)
    film(speech, f"{sound} -c:v mpeg4", "video.ts", seconds=1.1)
    film(speech, "-c:a libvorbis -q:a 0 -c:v mpeg4", "video.mkv", seconds=1.1)
    film(speech, "-c:a libmp3lame -b:a 24k -c:v mpeg4", "video.avi", seconds=1.1)
    film(speech, "-c:a libvorbis -q:a 0 -c:v mpeg4", "longer_picture.mkv", seconds=4)
    film(Path(), "-c:v mpeg4", "silent.mp4", seconds=1.1)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        speech, word = Path(folder, "speech.wav"), Path(folder, "word.wav")
        whole = Path(folder, "whole.wav")
        run("flite", "-voice", "slt", "--setf", "duration_stretch=0.8", "-t", TEXT, "-o", whole)
        run("sox", "-D", whole, speech, *TRIMMED)
        run("sox", "-D", speech, word, "trim", "0.05", "0.25")
        make_wav(speech, word)
        make_lossless(speech, word)
        make_lossy(speech)
        make_telephone(speech)
        make_video(speech)


if __name__ == "__main__":
    main()
