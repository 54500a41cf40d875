"""The command, as a shell runs it."""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import json
import math
import os
import re
import shutil
import socket
import sys
import threading
import wave
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias, get_args

import httpx
import numpy as np
import pysubs2
import pytest

from langchain_qwen_audio._models.routes import Region
from langchain_qwen_audio._service.jobs import Polling
from langchain_qwen_audio.cli import main
from langchain_qwen_audio.local import LocalDashScope, Reply, error_reply
from langchain_qwen_audio.transcripts import Transcript
from tests.unit_tests.job_calls import LISTED, ONE, URL, as_json, submissions
from tests.unit_tests.models import RECOGNITION
from tests.unit_tests.programs import STRICT, Program, started_forked

from . import made_files as made
from .installs import environment, run_at_terminal
from .recordings import decode_all, read, sent_clips, wav
from .waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from langchain_qwen_audio.local import ReceivedRequest

SAMPLES = Path(__file__).parents[2] / "langchain_qwen_audio" / "samples"
SAMPLE = str(SAMPLES / "welcome.wav")
WELCOME = (SAMPLES / "welcome.txt").read_text()
COMMAND = [sys.executable, *STRICT, "-m", "langchain_qwen_audio.cli"]


Variables: TypeAlias = Mapping[str, str]
NONE: Variables = {}


class Done(NamedTuple):
    """What a run of the command did."""

    returncode: int
    stdout: str
    stderr: str


class Run(Protocol):
    """Run the command in this process, in a directory, with this input and these variables."""

    def __call__(
        self, *args: str, cwd: Path | None = None, stdin: bytes = b"", env: Variables = NONE
    ) -> Done: ...


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*args: str, cwd: Path | None = None, stdin: bytes = b"", env: Variables = NONE) -> Done:
        monkeypatch.setattr(os, "environ", environment(**env))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        with contextlib.chdir(cwd or "."):
            try:
                code = main(args)
            except SystemExit as error:
                code = int(str(error.code or 0))
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def transcribe(run: Run, service: LocalDashScope) -> Run:
    """Run `transcribe` with `service`."""
    return functools.partial(run, "transcribe", env=variables(service))


AS_STARTED = """
import os, sys
from langchain_qwen_audio.cli import main
os.chdir(sys.argv[1])
sys.exit(main(sys.argv[2:]))
"""
# With less patience for answers that are coming when the page is stopped.
WITH_A_HASTY_PAGE = f"""
from langchain_qwen_audio._web_page import page_server
page_server._STOP_S = 0.1
{AS_STARTED}
"""


def started(
    *args: str, cwd: Path | None = None, env: Variables = NONE, code: str = AS_STARTED
) -> AbstractContextManager[Program]:
    """Start the command in a process of its own."""
    return started_forked(code, str(cwd or "."), *args, environment=environment(**env))


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


@pytest.fixture
def service() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="a text") as server:
        yield server


def variables(server: LocalDashScope) -> dict[str, str]:
    return {"DASHSCOPE_API_KEY": "sk-1", "DASHSCOPE_BASE_URL": server.base_url}


# --- ask --------------------------------------------------------------------------------------


def test_ask_local_prints_what_the_sample_says_and_usage_apart(run: Run) -> None:
    done = run("ask", SAMPLE, "What does the speaker say?", "--local")
    expected_words = words(WELCOME)
    assert done.returncode == 0
    assert words(done.stdout)[-len(expected_words) :] == expected_words
    assert "not Qwen-Audio" in done.stdout
    notice, usage = done.stderr.splitlines()
    assert "not Qwen" in notice
    assert re.fullmatch(r"\d+ tokens in \(179 of audio\), \d+ out; cost unknown \(.+\)", usage)


def test_several_recordings_need_no_prompt(run: Run) -> None:
    done = run("ask", SAMPLE, SAMPLE, "--local")
    assert done.returncode == 0
    assert "358 of audio" in done.stderr


def test_a_model_that_takes_no_text_is_sent_no_prompt(run: Run) -> None:
    done = run("ask", SAMPLE, "--local", "--model", "qwen3-asr-flash")
    assert words(done.stdout) == words(WELCOME)


PROMPTS: list[tuple[tuple[str, ...], str]] = [
    ((SAMPLE,), "What is said in this recording?"),
    ((SAMPLE, "Who speaks?"), "Who speaks?"),
    ((SAMPLE, "--prompt", "Who speaks?"), "Who speaks?"),
    (("-", "Who speaks?"), "Who speaks?"),
    (("--prompt", "a folder", "-"), "a folder"),
]


@pytest.mark.parametrize(("args", "prompt"), PROMPTS, ids=[" ".join(args) for args, _ in PROMPTS])
def test_ask_sends_the_recording_and_the_prompt(
    run: Run, service: LocalDashScope, tmp_path: Path, args: tuple[str, ...], prompt: str
) -> None:
    (tmp_path / "a folder").mkdir()
    done = run("ask", *args, stdin=read("speech.wav"), cwd=tmp_path, env=variables(service))
    assert (done.returncode, done.stdout) == (0, "a text\n")
    (request,) = service.requests
    audio, text = request.messages[0]["content"]
    assert audio["audio"].startswith("data:audio/wav;base64,")
    assert text == {"text": prompt}


# --- calls that are refused -------------------------------------------------------------------

KEY = {"DASHSCOPE_API_KEY": "sk-1", "DASHSCOPE_BASE_URL": "http://127.0.0.1:9/api/v1"}
NO_SUCH_FILE = "no.wav: no such file"
NOT_AUDIO = "18 bytes came that are not usable audio"
REFUSED: dict[str, tuple[tuple[str, ...], dict[str, str], int, str]] = {
    "no command": ((), {}, 2, "COMMAND"),
    "ask no file": (("ask", "no.wav"), KEY, 2, NO_SUCH_FILE),
    "ask no second file": (("ask", SAMPLE, "no.wav", "--local"), {}, 2, NO_SUCH_FILE),
    "ask a folder": (("ask", "."), KEY, 2, ". is a folder"),
    "ask a folder and a file": (("ask", SAMPLE, "empty"), KEY, 2, "empty is a folder"),
    "ask with no key": (("ask", SAMPLE), {}, 2, "DASHSCOPE_API_KEY, or add --local"),
    "ask with a broken key": (("ask", SAMPLE), KEY | {"DASHSCOPE_API_KEY": "a b"}, 2, "API key"),
    "ask about a text": (("ask", "notes.wav", "Well?", "--local"), {}, 1, NOT_AUDIO),
    "ask about nothing": (("ask", "-"), KEY, 1, "standard input: 0 bytes came"),
    "ask no service": (("ask", SAMPLE, "Well?"), KEY, 1, "APIConnectionError"),
    "speakers of a model that tells none": (
        ("transcribe", SAMPLE, "--speakers", "--local"),
        {},
        2,
        "--speakers: qwen3-asr-flash does not tell who speaks",
    ),
    "words of a model that tells none": (
        ("transcribe", SAMPLE, "--words", "--local"),
        {},
        2,
        "--words: qwen3-asr-flash does not tell the times of words; add --jobs",
    ),
    "a job model without jobs": (
        ("transcribe", SAMPLE, "--model", ONE, "--local"),
        {},
        2,
        "--model: qwen3-asr-flash-filetrans transcribes in jobs: qwen-audio transcribe --jobs",
    ),
    "jobs of a model that has none": (
        ("transcribe", SAMPLE, "--jobs", "--model", "qwen3-asr-flash"),
        KEY,
        2,
        "--jobs: qwen3-asr-flash transcribes in no jobs; these models do: qwen-audio-3.1-",
    ),
    "speakers of jobs that tell none": (
        ("transcribe", SAMPLE, "--jobs", "--speakers", "--model", ONE),
        KEY,
        2,
        "--speakers: qwen3-asr-flash-filetrans does not tell who speaks",
    ),
    "a prompt for jobs": (
        ("transcribe", SAMPLE, "--jobs", "--prompt", "Names: Ada."),
        KEY,
        2,
        "--prompt: jobs take none; --hot-words FILE gives them names and terms",
    ),
    "jobs in a region without a host": (
        ("transcribe", SAMPLE, "--jobs", "--region", "eu-central-1"),
        KEY,
        2,
        "region eu-central-1 has no shared host",
    ),
    "no file of hot words": (
        ("transcribe", SAMPLE, "--hot-words", "no.txt"),
        KEY,
        2,
        "hot_words is no.txt, which cannot be read",
    ),
    "hot words for no model": (
        ("transcribe", SAMPLE, "--hot-words", "notes.wav", "--jobs", "--model", "fun-asr"),
        KEY,
        2,
        "fun-asr takes only a vocabulary that is stored",
    ),
    "speakers and a language": (
        ("transcribe", SAMPLE, "--speakers", "--language", "de", "--model", RECOGNITION, "--local"),
        {},
        2,
        "the service ignores --language then",
    ),
    "ask a model in a language": (
        ("ask", SAMPLE, "--language", "de"),
        KEY,
        2,
        "--language is for speech recognition models such as qwen3-asr-flash",
    ),
    "ask about a channel of a URL": (
        ("ask", "https://example.com/a.mp3", "--channel", "1"),
        KEY,
        2,
        "are for files; download it",
    ),
    "ask about no channel": (("ask", SAMPLE, "--channel", "left"), KEY, 2, "'left' came"),
    "transcribe no track": (("transcribe", SAMPLE, "--track", "-1"), KEY, 2, "expected a number"),
    "transcribe no file": (("transcribe", "no.wav"), KEY, 2, NO_SUCH_FILE),
    "transcribe one file of two": (("transcribe", SAMPLE, "no.wav"), KEY, 2, NO_SUCH_FILE),
    "transcribe an oss URL": (("transcribe", "oss://a/b.wav"), KEY, 2, "or an http(s) URL"),
    "transcribe an empty folder": (
        ("transcribe", "empty"),
        KEY,
        2,
        "empty: no recording is in this directory",
    ),
    "transcribe no match": (("transcribe", "*.mp3"), KEY, 2, "*.mp3: no file matches"),
    "transcribe a text": (("transcribe", "notes.wav"), KEY, 1, NOT_AUDIO),
    "transcribe a text, locally": (("transcribe", "notes.wav", "--local"), {}, 1, NOT_AUDIO),
    "transcribe a folder of texts": (("transcribe", "texts"), KEY, 1, NOT_AUDIO),
    "transcribe nothing": (("transcribe", "-"), KEY, 1, "standard input: 0 bytes came"),
    "transcribe with no key": (("transcribe", SAMPLE), {}, 2, "DASHSCOPE_API_KEY, or add --local"),
    "transcribe into a file": (
        ("transcribe", SAMPLE, "--out", "notes.wav"),
        KEY,
        2,
        "--out notes.wav: it is a file",
    ),
    "transcribe below a file": (
        ("transcribe", SAMPLE, "--out", "notes.wav/out"),
        KEY,
        1,
        "NotADirectoryError",
    ),
    "transcribe two to standard output": (
        ("transcribe", SAMPLE, SAMPLE, "--out", "-"),
        KEY,
        2,
        "2 recordings came",
    ),
    "transcribe with a prompt for no model": (
        ("transcribe", SAMPLE, "--prompt", "x", "--model", "qwen3-omni-30b-a3b-captioner"),
        KEY,
        2,
        "takes audio alone",
    ),
    "transcribe with a retired model": (
        ("transcribe", SAMPLE, "--model", "qwen-audio-asr"),
        KEY,
        1,
        "is retired",
    ),
    "a region and a local server": (
        ("ask", SAMPLE, "--local", "--region", "cn-beijing"),
        {},
        2,
        "not allowed with argument",
    ),
    # The variable names a server, which would not need a workspace.
    "a region without a host": (
        ("ask", SAMPLE, "--region", "eu-central-1"),
        KEY,
        2,
        "region eu-central-1 has no shared host",
    ),
    "no such region": (("transcribe", SAMPLE, "--region", "mars"), KEY, 2, "cn-beijing"),
    "no such port": (("serve", "--port", "99999"), {}, 2, "expected 0 to 65535"),
    "a page of the service without a key": (
        ("serve", "--upstream"),
        {},
        2,
        "set the environment variable DASHSCOPE_API_KEY, or leave out --upstream",
    ),
    "a page with a retired model": (
        ("serve", "--upstream", "--model", "qwen-audio-chat"),
        KEY,
        1,
        "is retired",
    ),
    "a region of the test server": (
        ("serve", "--region", "cn-beijing"),
        {},
        2,
        "--region: the local test server has none; add --upstream",
    ),
    "Whisper for the service": (
        ("serve", "--upstream", "--whisper", "base"),
        KEY,
        2,
        "not allowed with argument",
    ),
}


def test_a_wrong_call_is_one_line_and_writes_nothing(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    for name in ("notes.wav", "texts/notes.wav"):
        (tmp_path / name).write_text("I am no recording.")
    before = sorted(tmp_path.rglob("*"))
    for call, (args, env, code, message) in REFUSED.items():
        done = run(*args, cwd=tmp_path, env=env)
        assert (done.returncode, done.stdout) == (code, ""), (call, done.stderr)
        last = done.stderr.splitlines()[-1]
        assert message in (last if args else done.stderr), call
        assert len(re.findall("^qwen-audio:", done.stderr, re.MULTILINE)) <= 1, call
        assert "Traceback" not in done.stderr, call
        assert sorted(tmp_path.rglob("*")) == before, call


def test_standard_input_that_is_a_terminal_is_not_waited_for() -> None:
    code, shown = run_at_terminal([*COMMAND, "transcribe", "-"], env=environment(**KEY))
    assert (code, "it is a terminal; pipe a recording into it" in shown) == (2, True)


@pytest.mark.parametrize(
    ("command", "model"), [("ask", "qwen-audio-turbo-latest"), ("transcribe", "qwen3-asr-flash")]
)
def test_help_names_the_default_model_and_the_variables(run: Run, command: str, model: str) -> None:
    for args in ((), (command,)):
        shown = re.sub(r"-\n +", "-", run(*args, "--help").stdout)
        assert model in shown
        for name in ("API_KEY", "REGION", "BASE_URL", "WORKSPACE"):
            assert f"DASHSCOPE_{name}" in shown
    for option in ("--region", "--language", "--prompt", "--local", *get_args(Region)):
        assert option in shown


# --- transcribe -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder of two recordings of the same name: 7 s, and 14 s with a pause."""
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "again").mkdir()
    shutil.copy(SAMPLE, folder / "welcome.wav")
    with wave.open(SAMPLE) as sample, wave.open(str(folder / "again/welcome.wav"), "wb") as twice:
        frames = sample.readframes(sample.getnframes())
        twice.setparams(sample.getparams())
        twice.writeframes(frames + bytes(16_000) + frames)
    return folder


def test_transcribe_writes_subtitles_that_a_library_reads(
    run: Run, recordings: Path, tmp_path: Path
) -> None:
    done = run("transcribe", str(recordings), "--format", "srt", "--out", str(tmp_path), "--local")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        str(tmp_path / name) for name in ("welcome.srt", "welcome-2.srt")
    ]
    assert "not Qwen" in done.stderr
    assert "2 recordings, 00:21 in 3 segments (0 failed, 0 from the checkpoint)" in done.stderr
    expected_words = words(WELCOME)
    twice, once = (pysubs2.load(str(tmp_path / it)) for it in ("welcome.srt", "welcome-2.srt"))
    assert [word for cue in once for word in words(cue.plaintext)] == expected_words
    assert [word for cue in twice for word in words(cue.plaintext)] == expected_words * 2
    assert (once[0].start, once[-1].end) == (0, 7_155)
    assert any(7_155 <= cue.start <= 8_000 for cue in twice), "cut in the pause"
    assert twice[-1].end == 14_810


@pytest.fixture
def five(tmp_path: Path) -> Path:
    """Make a recording of five sentences with a pause after each: five segments for subtitles."""
    path = tmp_path / "in" / "five.wav"
    path.parent.mkdir()
    with wave.open(SAMPLE) as sample, wave.open(str(path), "wb") as long:
        frames = sample.readframes(sample.getnframes())
        long.setparams(sample.getparams())
        long.writeframes(frames * 5)
    return path


@pytest.mark.parametrize("text", ["a text", "a text\n\n", ""])
def test_a_transcript_ends_with_one_newline(
    transcribe: Run, service: LocalDashScope, tmp_path: Path, text: str
) -> None:
    for suffix in ("txt", "srt", "vtt", "jsonl", "json", "lrc"):
        service.script(text)
        folder = tmp_path / suffix
        folder.mkdir()
        done = transcribe(SAMPLE, "--format", suffix, cwd=folder)
        assert (done.returncode, done.stdout) == (0, f"welcome.{suffix}\n"), done.stderr
        written = (folder / f"welcome.{suffix}").read_text()
        assert re.search(r"(?<!\n)\n\Z", written), suffix
        printed = transcribe(SAMPLE, "--format", suffix, "--out", "-", cwd=folder)
        assert (printed.returncode, printed.stdout) == (0, written)


@pytest.mark.parametrize("out", [(), ("--out", "-")], ids=["by default", "by an option"])
def test_standard_input_goes_to_standard_output(
    transcribe: Run, tmp_path: Path, out: tuple[str, ...]
) -> None:
    done = transcribe("-", *out, stdin=read("speech.mp3"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a text\n")
    assert [it.name for it in tmp_path.iterdir()] == [".qwen-audio"]


def test_standard_input_can_go_to_a_folder(transcribe: Run, tmp_path: Path) -> None:
    done = transcribe("-", "--out", "out", stdin=read("speech.mp3"), cwd=tmp_path)
    assert done.stdout == "out/stdin.txt\n"
    assert (tmp_path / "out" / "stdin.txt").read_text() == "a text\n"


def test_several_go_to_standard_output_as_json_lines(transcribe: Run, tmp_path: Path) -> None:
    args = (SAMPLE, "-", "--out", "-", "--format", "jsonl")
    done = transcribe(*args, stdin=read("bare.mp3"), cwd=tmp_path)
    rows = map(json.loads, done.stdout.splitlines())
    assert [(row["source"], row["text"]) for row in rows] == [
        (SAMPLE, "a text"),
        ("stdin", "a text"),
    ]


def test_language_and_prompt_help_speech_recognition(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    told = ("--language", "de", "--prompt", "Names: Ada.")
    assert transcribe(SAMPLE, *told, cwd=tmp_path).returncode == 0
    (request,) = service.requests
    assert request.parameters["asr_options"] == {"language": "de"}
    assert request.messages[0] == {"role": "system", "content": [{"text": "Names: Ada."}]}


def test_speech_recognition_with_times_is_told_the_same_in_its_own_terms(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    told = ("--model", RECOGNITION, "--language", "de", "--prompt", "Names: Ada.")
    assert transcribe(SAMPLE, *told, cwd=tmp_path).returncode == 0
    (request,) = service.requests
    assert request.parameters == {"format": "wav", "language_hints": ["de"]}
    context, recording = request.messages
    assert context == {"role": "user", "content": [{"type": "input_text", "text": "Names: Ada."}]}
    assert recording["content"][0]["type"] == "input_audio"


def test_speakers_are_told_in_subtitles(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    told = [
        {"begin_time": 1000 * it, "end_time": 1000 * it + 900, "text": f"{it}.", "speaker_id": it}
        for it in range(2)
    ]
    service.script(Reply("0.1.", sentences=told))
    command = ("--model", RECOGNITION, "--speakers", "--format", "vtt", "--out", "-")
    done = transcribe(SAMPLE, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.900\n<v Speaker 0>0.\n\n"
        "00:00:01.000 --> 00:00:01.900\n<v Speaker 1>1.\n"
    )
    assert service.requests[0].parameters["speaker_diarization_enabled"] is True


# --- jobs -------------------------------------------------------------------------------------


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at jobs without waits between."""
    monkeypatch.setattr(Polling, "wait_s", lambda *_: 0.001)


def test_jobs_transcribe_locally_with_speakers_and_cost(
    run: Run, recordings: Path, tmp_path: Path
) -> None:
    command = ("transcribe", str(recordings), "--jobs", "--speakers", "--words", "--local")
    done = run(*command, "--format", "json", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / f"{it}.json") for it in ("welcome", "welcome-2")]
    assert "2 recordings, 00:21 in 2 segments (0 failed, 0 from the checkpoint)" in done.stderr
    assert "cost unknown" in done.stderr
    transcript = Transcript.model_validate_json((tmp_path / "welcome-2.json").read_text())
    assert words(transcript.text) == words(WELCOME)
    assert {it.speaker for it in transcript.sentences} == {0}
    assert transcript.sentences[0].words[0].start_s is not None


JOB_OPTIONS: dict[str, tuple[tuple[str, ...], str, dict[str, Any]]] = {
    "none": ((), LISTED, {}),
    "all of the one shape": (
        ("--speakers", "--words", "--language", "de", "--hot-words", "words.txt"),
        LISTED,
        {
            "language_hints": ["de"],
            "diarization_enabled": True,
            "vocabulary": {"Qwen": 4, "Ada": 4},
        },
    ),
    "all of the other": (
        ("--words", "--language", "de", "--hot-words", "words.txt", "--model", ONE),
        ONE,
        {"language": "de", "enable_words": True, "corpus": {"text": "Qwen, Ada"}},
    ),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("options", "model", "parameters"), JOB_OPTIONS.values(), ids=JOB_OPTIONS)
def test_a_job_is_told_what_the_options_say(
    transcribe: Run,
    service: LocalDashScope,
    tmp_path: Path,
    *,
    options: tuple[str, ...],
    model: str,
    parameters: dict[str, Any],
) -> None:
    (tmp_path / "words.txt").write_text("Qwen\nAda\n")
    done = transcribe(SAMPLE, "--jobs", *options, "--out", "-", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a text\n"), done.stderr
    (body,) = submissions(service)
    assert (body["model"], body["parameters"]) == (model, parameters)


@pytest.mark.usefixtures("quick")
def test_jobs_write_every_format(transcribe: Run, service: LocalDashScope, tmp_path: Path) -> None:
    told = {"begin_time": 0, "end_time": 900, "text": "Hi.", "speaker_id": 1}
    service.script(Reply(sentences=[told]))
    for suffix in ("srt", "vtt", "txt", "json", "jsonl", "lrc"):
        done = transcribe(SAMPLE, "--jobs", "--speakers", "--format", suffix, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "Hi." in (tmp_path / f"welcome.{suffix}").read_text(), suffix


@pytest.mark.usefixtures("quick")
def test_a_url_is_fetched_by_the_service(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    assert transcribe(URL, "--jobs", cwd=tmp_path).returncode == 0
    assert submissions(service)[0]["input"] == {"file_urls": [URL]}
    assert (tmp_path / "meeting.txt").read_text() == "a text\n"


@pytest.mark.usefixtures("quick")
def test_the_same_command_waits_for_the_job_that_was_submitted_and_fresh_submits_another(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    command = functools.partial(transcribe, SAMPLE, "--jobs", cwd=tmp_path)
    service.script_task(as_json({"code": "InvalidParameter", "message": "no"}, 400))
    assert command().returncode == 1
    assert command().returncode == 0
    assert len(submissions(service)) == 1
    assert "1 from the checkpoint" in command().stderr
    assert command("--fresh").returncode == 0
    assert len(submissions(service)) == 2


@pytest.mark.usefixtures("quick")
def test_fresh_forgets_the_job_that_was_submitted(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    service.script_task(as_json({"code": "InvalidParameter", "message": "no"}, 400))
    assert transcribe(SAMPLE, "--jobs", cwd=tmp_path).returncode == 1
    assert transcribe(SAMPLE, "--jobs", "--fresh", cwd=tmp_path).returncode == 0
    assert len(submissions(service)) == 2


@pytest.mark.parametrize(
    ("model", "cost"),
    [
        (ONE, "recordings, 00:21; cost 0.004832 CNY (audio in 0.004832)"),
        (LISTED, "recordings, 00:21; cost unknown (how many tokens this model counts a second"),
    ],
)
def test_an_estimate_of_jobs_prints_length_and_price(
    run: Run, recordings: Path, model: str, cost: str
) -> None:
    done = run("transcribe", str(recordings), "--jobs", "--model", model, "--estimate")
    assert done.returncode == 0, done.stderr
    assert cost in done.stdout


def test_hot_words_help_a_model_that_is_no_job(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("Qwen\nAda\n")
    done = transcribe(SAMPLE, "--hot-words", "words.txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert service.requests[0].messages[0]["content"] == [{"text": "Qwen, Ada"}]


# --- prompts, and what of a recording is taken ------------------------------------------------


def test_silence_is_not_sent_if_it_is_to_be_skipped(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    (tmp_path / "quiet.wav").write_bytes(wav(np.zeros(5 * 16_000, np.int16)))
    done = transcribe("quiet.wav", SAMPLE, "--skip-silence", "--out", ".", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "of silence skipped: " in done.stderr
    assert (tmp_path / "quiet.txt").read_text() == "\n"
    assert (tmp_path / "welcome.txt").read_text() == "a text\n"
    assert len(service.requests) == 1


def test_a_prompt_is_what_other_models_are_sent(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    told = ("--model", "qwen-audio-turbo", "--prompt", "List the names.")
    assert transcribe(SAMPLE, *told, cwd=tmp_path).returncode == 0
    (request,) = service.requests
    assert request.messages[0]["content"][1] == {"text": "List the names."}


def test_a_file_without_sound_in_a_folder_is_skipped_and_told(
    transcribe: Run, recordings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(recordings, folder)
    (folder / "notes.wav").write_text("I am no recording.")
    done = transcribe("in", "--out", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "skipped: notes.wav: 18 bytes came that are not usable audio" in done.stderr
    assert "1 of 3 recordings were not transcribed whole" in done.stderr.splitlines()[-1]
    assert sorted(it.name for it in (tmp_path / "out").glob("*.txt")) == [
        "welcome-2.txt",
        "welcome.txt",
    ]


def test_what_of_a_folder_is_no_recording_is_named_and_counted(
    transcribe: Run, recordings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    shutil.copytree(recordings, folder)
    (folder / "voice message").write_bytes(read("opus.ogg"))
    (folder / "notes.txt").write_text("Buy milk.")
    done = transcribe("in", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0
    assert "left out: in/notes.txt: it is text, not a recording: 'Buy milk.'" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("3 recordings, ")
    assert done.stderr.splitlines()[-1].split("; ")[1] == "1 other file left out"


TAKEN = {
    "--channel 1": (2.0, 0),
    "--track 0 --channel 0": (2.0, 9_000),
    "--allow-truncated": (1.0, 4_500),
}


@pytest.mark.parametrize("options", TAKEN)
@pytest.mark.parametrize("command", ["transcribe call.wav --format jsonl", "ask call.wav"])
def test_a_channel_and_a_track_can_be_chosen(
    run: Run, service: LocalDashScope, tmp_path: Path, command: str, options: str
) -> None:
    call = made.one_after_the_other(2)
    seconds, level = TAKEN[options]
    (tmp_path / "call.wav").write_bytes(call[: 44 + round(seconds * 64_000)])
    done = run(*command.split(), *options.split(), cwd=tmp_path, env=variables(service))
    assert done.returncode == 0, done.stderr
    (clip,) = sent_clips(service)
    audio = decode_all(clip)
    assert audio.seconds == pytest.approx(seconds)
    assert np.abs(audio.samples[:16_000]).max() == pytest.approx(level, abs=2)


@pytest.mark.parametrize("command", ["transcribe", "ask"])
def test_the_error_of_a_truncated_recording_names_the_option(
    run: Run, service: LocalDashScope, tmp_path: Path, command: str
) -> None:
    (tmp_path / "half.wav").write_bytes(read("speech.wav")[:20_000])
    done = run(command, "half.wav", cwd=tmp_path, env=variables(service))
    assert done.returncode == 1
    assert "truncated" in done.stderr
    assert "--allow-truncated" in done.stderr


def test_a_recording_of_which_nothing_is_known_has_no_transcript(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    service.script(error_reply(400, "InvalidParameter", "not this one"))
    done = transcribe(SAMPLE, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "not this one" in done.stderr
    assert [it.name for it in tmp_path.iterdir()] == [".qwen-audio"]


def test_what_failed_is_told_and_the_same_command_sends_it_alone(
    transcribe: Run, service: LocalDashScope, five: Path
) -> None:
    def refuse_once(_: ReceivedRequest) -> Any:
        return error_reply(400, "InvalidParameter", "not this one")

    command = ("five.wav", "--format", "srt")
    service.script(refuse_once)
    first = transcribe(*command, cwd=five.parent)
    assert first.returncode == 1
    assert "1 of 1 recordings were not transcribed whole" in first.stderr.splitlines()[-1]
    text = (five.parent / "five.srt").read_text()
    assert "not this one" in text
    sent = len(service.requests)
    again = transcribe(*command, cwd=five.parent)
    assert (again.returncode, again.stdout) == (0, "five.srt\n"), again.stderr
    assert len(service.requests) == sent + 1
    assert (five.parent / "five.srt").read_text().count("a text") == sent


def test_a_repeated_command_sends_nothing_and_fresh_sends_all(
    transcribe: Run, service: LocalDashScope, five: Path
) -> None:
    command = ("five.wav", "--format", "vtt")
    for extra, requests in [((), 5), ((), 5), (("--fresh",), 10), ((), 10)]:
        done = transcribe(*command, *extra, cwd=five.parent)
        assert (done.returncode, len(service.requests)) == (0, requests), done.stderr


def test_fresh_deletes_responses_and_nothing_else(transcribe: Run, tmp_path: Path) -> None:
    kept = tmp_path / ".qwen-audio"
    assert transcribe(SAMPLE, cwd=tmp_path).returncode == 0
    others = {"notes.txt", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "b" * 64, "c" * 64}
    for name in others - {"b" * 64, "c" * 64}:
        (kept / name).write_text("mine")
    (kept / ("b" * 64)).symlink_to(SAMPLE)
    (kept / ("c" * 64)).mkdir()
    old = kept / ("d" * 64)
    old.write_text("an old response")
    assert transcribe(SAMPLE, "--fresh", cwd=tmp_path).returncode == 0
    assert not old.exists()
    assert others <= {it.name for it in kept.iterdir()}
    assert Path(SAMPLE).exists()


def test_fresh_deletes_nothing_through_a_link(
    transcribe: Run, service: LocalDashScope, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere" / ("a" * 64)
    elsewhere.parent.mkdir()
    elsewhere.write_text("mine")
    (tmp_path / ".qwen-audio").symlink_to(elsewhere.parent)
    done = transcribe(SAMPLE, "--fresh", cwd=tmp_path)
    assert done.returncode == 1
    assert "is a symbolic link" in done.stderr
    assert elsewhere.read_text() == "mine"
    assert service.requests == []


def write_a_file(path: Path) -> None:
    path.write_text("mine")


def link_to_a_file(path: Path) -> None:
    path.with_name("mine").write_text("mine")
    path.symlink_to("mine")


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nowhere")


MADE_BY_OTHERS = [write_a_file, link_to_a_file, link_to_nothing]


@pytest.mark.parametrize("make", MADE_BY_OTHERS)
def test_files_of_others_are_only_overwritten_if_told(
    transcribe: Run, service: LocalDashScope, tmp_path: Path, make: Callable[[Path], None]
) -> None:
    target = tmp_path / "welcome.txt"
    make(target)
    before = content(tmp_path)
    done = transcribe(SAMPLE, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "welcome.txt: there is such a file" in done.stderr
    assert "--overwrite" in done.stderr
    assert (content(tmp_path), service.requests) == (before, [])

    done = transcribe(SAMPLE, "--overwrite", cwd=tmp_path)
    assert (done.returncode, target.read_text()) == (0, "a text\n"), done.stderr
    assert content(tmp_path).get("mine", b"mine") == b"mine"
    assert transcribe(SAMPLE, cwd=tmp_path).returncode == 0, "it is the command's own now"


def content(folder: Path) -> dict[str, bytes | None]:
    return {it.name: it.read_bytes() if it.is_file() else None for it in folder.iterdir()}


def test_a_transcript_that_was_corrected_by_hand_is_not_overwritten(
    transcribe: Run, tmp_path: Path
) -> None:
    assert transcribe(SAMPLE, cwd=tmp_path).returncode == 0
    (tmp_path / "welcome.txt").write_text("corrected")
    assert transcribe(SAMPLE, cwd=tmp_path).returncode == 2
    assert transcribe(SAMPLE, "--format", "srt", cwd=tmp_path).returncode == 0
    assert (tmp_path / "welcome.txt").read_text() == "corrected"


def test_an_interrupt_says_how_to_go_on_and_keeps_what_came(run: Run, five: Path) -> None:
    last_has_come, finish = threading.Event(), threading.Event()

    def stall(_: ReceivedRequest) -> str:
        last_has_come.set()
        assert finish.wait(HANG_S)
        return "too late"

    command = ("transcribe", "five.wav", "--format", "vtt")
    with LocalDashScope(reply="a text") as server:
        server.script(*["a text"] * 4, stall)
        with started(*command, cwd=five.parent, env=variables(server)) as program:
            assert last_has_come.wait(HANG_S)
            wait_until(lambda: len(list((five.parent / ".qwen-audio").iterdir())) == 4)
            program.interrupt()
            code, told = program.end()  # while the service is silent
            assert code == 130
        finish.set()
        assert "interrupted" in told
        assert "the same command, without --fresh, goes on from here" in told
        assert not (five.parent / "five.vtt").exists()
        server.clear()
        done = run(*command, cwd=five.parent, env=variables(server))
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == 1, "all responses that came were kept"


# --- costs ------------------------------------------------------------------------------------


BEIJING = {"DASHSCOPE_REGION": "cn-beijing"}
PRICED = Reply("a", usage={"seconds": 7, "output_tokens_details": {"text_tokens": 6}})


@pytest.mark.parametrize("how", [(), ("--no-stream",)], ids=["stream", "whole"])
def test_ask_prints_the_cost_beside_the_tokens(run: Run, how: tuple[str, ...]) -> None:
    with LocalDashScope(reply=PRICED) as server:
        env = {**variables(server), **BEIJING}
        done = run("ask", SAMPLE, "--model", "qwen3-asr-flash", *how, env=env)
    cost = "0.00154 CNY (audio in 0.00154)"
    assert done.stderr == f"0 tokens in (0 of audio), 6 out; cost {cost}\n"


def test_ask_prints_the_cost_of_a_model_that_counts_no_tokens(run: Run) -> None:
    with LocalDashScope(reply=Reply("a", usage={"duration": 7})) as server:
        env = {**variables(server), **BEIJING}
        done = run("ask", SAMPLE, "--model", "qwen-audio-3.0-asr-flash", env=env)
    assert done.stderr == "cost 0.00154 CNY (audio in 0.00154)\n"


def test_transcribe_prints_the_cost_of_the_run(run: Run, recordings: Path, tmp_path: Path) -> None:
    with LocalDashScope(reply=PRICED) as server:
        env = {**variables(server), **BEIJING}
        done = run("transcribe", str(recordings), "--out", str(tmp_path), env=env)
    assert done.stderr.endswith("12 out; cost 0.00308 CNY (audio in 0.00308)\n")


ESTIMATES: list[tuple[tuple[str, ...], str]] = [
    ((), r"cost 0\.00483\d* CNY \(audio in 0\.00483\d*\)"),
    (
        ("--model", "qwen3.5-omni-flash"),
        r"154 tokens of audio; cost at least 0\.002772 CNY \(the output is not known .*\)",
    ),
    (
        ("--model", "qwen-audio-turbo"),
        r"549 tokens of audio; cost unknown \(the price list of \S+ has no price .*\)",
    ),
]


@pytest.mark.parametrize("case", ESTIMATES, ids=["seconds", "tokens", "no price"])
def test_an_estimate_prints_length_tokens_and_price_and_sends_nothing(
    run: Run,
    service: LocalDashScope,
    recordings: Path,
    tmp_path: Path,
    case: tuple[tuple[str, ...], str],
) -> None:
    options, price = case
    env = {"DASHSCOPE_BASE_URL": service.base_url, **BEIJING}  # and no key
    done = run("transcribe", "--estimate", str(recordings), *options, env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"2 recordings, 00:21[,;] {price}\n", done.stdout), done.stdout
    assert service.requests == []
    assert list(tmp_path.iterdir()) == [], "nothing is written either"


def test_an_estimate_takes_the_region(run: Run, recordings: Path) -> None:
    prices = [
        run("transcribe", "--estimate", str(recordings), "--region", region).stdout.split()[4]
        for region in ("cn-beijing", "ap-southeast-1")
    ]
    assert float(prices[1]) / float(prices[0]) == pytest.approx(26 / 22, abs=0.001)


def test_an_estimate_names_what_it_leaves_out(run: Run, tmp_path: Path) -> None:
    shutil.copy(SAMPLE, tmp_path)
    (tmp_path / "notes.txt").write_text("no recording")
    done = run("transcribe", "--estimate", str(tmp_path), env=BEIJING)
    assert done.stdout.startswith("1 recording, 00:07; cost 0.001")
    assert re.match(r"left out: \S+notes\.txt: ", done.stderr)


def test_an_estimate_fetches_no_url(run: Run) -> None:
    done = run("transcribe", "--estimate", "https://example.org/a.wav", env=BEIJING)
    assert done.returncode == 2
    assert "--estimate makes no request" in done.stderr


# --- serve ------------------------------------------------------------------------------------


@contextlib.contextmanager
def serving(*args: str, **how: Any) -> Iterator[list[str]]:
    """Run `serve` on a free port; yield what it prints, and stop it as Ctrl-C does."""
    with started("serve", "--port", "0", *args, **how) as program:
        lines = iter(program.stdout.readline, "")
        yield [*itertools.takewhile(lambda line: "Ctrl-C" not in line, lines)]
        program.interrupt()
        code, errors = program.end()
        assert (code, errors.split()) == (130, ["qwen-audio:", "stopped"])


SILENT = wav(np.zeros(8_000, np.int16))  # Whisper is not asked about it


def page_request(line: str, **headers: str) -> dict[str, Any]:
    """Ask as the page does that is at the address in a line."""
    address, _, token = line.rsplit(maxsplit=1)[-1].partition("/#")
    assert len(token) > 40
    return {
        "url": f"{address}/page/ask",
        "headers": {"x-page-token": token, "origin": address, **headers},
        "files": {"recording": SILENT},
        "data": {"model": "qwen3.5-omni-flash", "question": "?"},
        "timeout": HANG_S,
    }


def test_serve_says_what_it_is_and_has_a_page_and_stops_on_interrupt() -> None:
    with serving("--whisper", "tiny.en") as (banner, _, page):
        url = banner.split()[-1]
        assert "local test server, with Whisper tiny.en and not Qwen" in banner
        assert httpx.get(f"{url}/nothing", timeout=HANG_S).status_code == 404
        assert page.startswith(f"Open this address in a browser: {url.removesuffix('/api/v1')}/#")
        answer = httpx.post(**page_request(page)).text.replace('"}\n{"text": "', "")
        assert "[local test server: Whisper tiny.en" in answer


def test_serve_upstream_keeps_the_key_and_stops_in_an_answer_without_a_traceback(
    service: LocalDashScope,
) -> None:
    how: dict[str, Any] = {"env": variables(service), "code": WITH_A_HASTY_PAGE}
    with contextlib.ExitStack() as later, serving("--upstream", **how) as (page,):
        reply = httpx.post(**page_request(page))
        refused = httpx.post(**page_request(page, origin="http://evil.example"))
        assert '{"text": "a"}' in reply.text
        (request,) = service.requests
        assert request.headers["authorization"] == "Bearer sk-1"
        assert "sk-1" not in repr((reply.headers.raw, reply.content))
        assert refused.status_code == 403
        service.script(Reply("one two", pause_s=math.inf))
        endless = later.enter_context(httpx.stream("POST", **page_request(page)))
        assert endless.status_code == 200
    wait_until(lambda: service.disconnects == 1)  # it was in the answer


def test_a_port_in_use_is_one_line(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"qwen-audio: port {port}: it is in use; choose another with --port\n"
