"""The notebooks run from top to bottom, with no key, and show what they should."""

import difflib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from langchain_qwen_audio._models.profiles import PROFILES
from tests.unit_tests.waiting import HANG_S

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
# One kernel for all, since most of a notebook's time is what it loads. Each begins with no names,
# and with the environment of the first. Nothing is looked through for garbage.
EXECUTE = '''
import asyncio, json, sys, nbclient, nbformat
begin = """
import gc
gc.disable()
%reset -f
import os
os.__dict__.setdefault("at_first", dict(os.environ))
os.environ.clear()
os.environ.update(os.at_first)
del os
"""
kernel = nbclient.NotebookClient(nbformat.v4.new_notebook()).create_kernel_manager()
for path in sys.argv[1:]:
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(begin))
    client = nbclient.NotebookClient(notebook, kernel, timeout=None, coalesce_streams=True)
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        print(json.dumps({"error": str(error)}))
    else:
        del notebook.cells[0]
        print(json.dumps({"notebook": nbformat.writes(notebook)}))
asyncio.run(kernel.shutdown_kernel(now=True))
'''
NO_KEY = "There is no DASHSCOPE_API_KEY: the local test server answers, not Qwen-Audio.\n"
WELCOME = "Welcome to the recording studio"
TRANSCRIPT = f'[local test server: Whisper tiny.en, not Qwen-Audio] Transcript: "{WELCOME}'
OMNI_TRANSCRIPT = TRANSCRIPT.replace("Qwen-Audio", "qwen3.5-omni-flash")
# Of the recording that is the local test server's speech output.
SPEECH_OUTPUT = "This is the local test server"
MACHINE = re.compile(r"/(?:work|tmp|home|root|Users|var)/|site-packages|127\.0\.0\.1:\d|\bsk-")
MAX_BYTES = 150_000
# Of a process that runs Whisper. It has one thread, as those of a small model wait for each other,
# and keeps its memory: what is returned to the system, as is all that is large, must be cleared.
VARIABLES = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**32),
    "MALLOC_TOP_PAD_": str(2**26),
}

# What each code cell must show, by its number from 1.
EXPECTED: dict[str, dict[int, list[str]]] = {
    "02_audio_in_any_form": {
        2: [
            "welcome.wav audio/wav pcm_s16le 16000 Hz 1 ch\n  7.16 s, 229,004 bytes",
            "speech_output.mp3 audio/mpeg",
        ],
        3: ["<Audio 'welcome.wav from 0 s'", "1.50 s", "<audio controls", "<svg"],
        4: ["True"],
        5: ["<Audio 'two tones'", "0.40 s", "2 channels"],
        6: [
            "browser: audio/webm, opus, 7.2 s\nphone: audio/mp4, aac, 7.2 s\n",
            "archive: audio/flac, flac, 7.2 s",
            "archive is labelled audio/mpeg, but is audio/flac",
        ],
        7: [f"{name}: {TRANSCRIPT}" for name in ("browser", "phone", "archive")],
        8: [
            f"{name}: 179 tokens of audio"
            for name in ("URL", "a file", "OpenAI", "vLLM", "Google", "DashScope")
        ],
        9: ["34.3 s:", f'Audio 1: Transcript: "{WELCOME}', f'Audio 2: Transcript: "{WELCOME}'],
        10: ["longer than the 30 s that the model takes"],
        11: [
            "a text: messages[0].content[0]: 21 bytes came that are not usable audio",
            "100,000 bytes came that are not usable audio: it is truncated: its header says 7.15 s",
            "a playlist: messages[0].content[0]: 44 bytes came that are not usable audio",
            "a file: file:///recordings/private.wav: files that messages name are not read",
            "an image: messages[0].content[0]:",
        ],
    },
    "03_chains_and_streaming": {
        2: [TRANSCRIPT],
        3: ["True [|local| test| server"],
        4: ["request with 2 messages\n", "Welcome| to| the| recording| studio", "\n232 tokens"],
        5: [TRANSCRIPT, "\nstop {", "'total_tokens': 219, 'input_token_details': {'audio': 179}"],
        6: ["ChatQwenAudio {'audio': 179}", "on_chat_model_stream", "on_parser_stream"],
        7: [f"answer: {TRANSCRIPT}", "failed: messages[1].content[0]: 3 bytes", SPEECH_OUTPUT],
        8: ["qwen-audio-turbo-latest 362 tokens in, "],
        9: [f"Recording(words='{WELCOME}", "place='studio')"],
    },
    "04_agents_and_tools": {
        2: [
            "speech_output.mp3 (6.3 s, 25,556 bytes)\nwelcome.wav (7.2 s, 229,004 bytes)\n",
            TRANSCRIPT,
        ],
        3: ["welcome.wav from 0 s: 1.2 s, audio/wav", "['text', 'file']", "<audio controls"],
        4: ["error: ../__init__.py: there is no such", "URLs are not allowed", "Field required"],
        5: [
            "model: [('load_audio', {'audio': 'welcome.wav'})]\ntools: welcome.wav: 7.2 s",
            f'Transcript: "{WELCOME}',
        ],
        6: ["([('add', {'a': 2, 'b': 3})], [])"],
        7: ["auto []\nany [('add', {'a': 2, 'b': 3})]\nnone []\n"],
        8: [f"{{'text': '{WELCOME}", "saved 19 words"],
        9: [
            "ai: record\ntool: 6.3 s were recorded.\n",
            *(SPEECH_OUTPUT, "<Audio 'audio'", "<svg"),
        ],
    },
    "05_long_recordings_and_rag": {
        2: ["monday.wav: 14.4 s\ntuesday.wav: 6.3 s\n"],
        3: [
            f"monday.wav 0.0 to 7.7 s:\n  {WELCOME}",
            "monday.wav 7.7 to 14.4 s:\n",
            "tuesday.wav 0.0 to 6.3 s:\n",
            "2 recordings, 00:20 in 3 segments (0 failed, 0 from the checkpoint)",
        ],
        4: ["3 recordings, 00:26 in 4 segments (0 failed, 4 from the checkpoint): 0 s billed, "],
        5: [f"1\n00:00:00,000 --> 00:00:05,299\n{WELCOME}", "\n00:00:07,680 --> "],
        6: ["[00:00 to 00:00 could not be transcribed: AudioError: broken.wav: 21 bytes"],
        7: [f"monday.wav from 0.0 s: {WELCOME}"],
        8: [OMNI_TRANSCRIPT],
        9: [
            f"note from 0.0 s: {OMNI_TRANSCRIPT}",
            "note from 7.7 s: ",
            SPEECH_OUTPUT,
            "answer: ",
            "cited: []",
        ],
    },
    "06_llama_index": {
        2: [OMNI_TRANSCRIPT],
        3: [OMNI_TRANSCRIPT, "'input_token_details': {'audio': 50}"],
        4: ["qwen3-omni-flash 65536 16384 True", "qwen3-asr-flash ", " False"],
        5: [
            f"0.0 to 2.3 s: {WELCOME}.\n2.3 to 7.2 s: Please speak",
            "1 recording, 00:07 in 2 segments",
        ],
        6: ["welcome.wav 2.26 Please speak clearly into the microphone"],
        7: ["This conversation has no audio", "['welcome.wav']"],
        8: ['Transcript: "Please speak clearly into the microphone'],
        9: ["['list_audio', 'load_audio', 'ask_audio']\nspeech_output.mp3 (6.3 s, 25,556 bytes)"],
        10: ["load_audio {'audio': 'welcome.wav'}\n", f'Transcript: "{WELCOME}'],
    },
    "08_evaluate_transcripts": {
        2: [
            "0.0%     19            0        0         0  speech_output.mp3",
            "0.0%     19            0        0         0  welcome.wav",
            "  total\ncompared after: Unicode NFKC, lower case",
            "qwen3-asr-flash: WER ",
            "of 3 recordings; cost 0.00418 CNY",
        ],
        3: ["qwen3-asr-flash             ", "qwen-audio-3.1-asr-flash    ", " CNY"],
        4: ["noisy.wav", "REF:", "HYP:"],
        5: ["failed: ['gone.wav']", "WER 0.0%", "1 failed; cost 0.00154 CNY"],
        6: ["character 33.3%"],
    },
    "07_models_and_speech": {
        2: ["qwen-audio-turbo-latest             6144         179   yes      no      no\n"],
        3: [
            f"{WELCOME}",
            "en None 7.0\nlocal-test-server/whisper-tiny.en",
        ],
        4: [OMNI_TRANSCRIPT, "['text', 'audio'] b'RIFF'"],
        5: ["6.3 s, audio/wav, 24000 Hz", "<Audio 'answer from 0 s'", "<audio controls"],
        6: [SPEECH_OUTPUT, OMNI_TRANSCRIPT],
        7: ["reasoning: [local test server: Whisper does not reason", f'Transcript: "{WELCOME}'],
        8: [
            "retired: qwen-audio-chat is retired; its successor is qwen3.8-omni-flash",
            "no speech output: qwen3.8-omni-flash has no speech output",
            "a question to a speech recognition model: messages[0]: qwen3-asr-flash takes",
            "no recording: messages[0]: qwen3-omni-30b-a3b-captioner takes a recording",
            "no thinking: qwen-audio-turbo-latest has no thinking mode",
            "another interface: qwen3-asr-flash-realtime transcribes over a WebSocket",
        ],
        9: ["NotFoundError False"],
    },
}
LOGGED = {("02_audio_in_any_form", 6): "archive is labelled audio/mpeg, but is audio/flac\n"}


def code_cells(notebook: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook)["cells"] if cell["cell_type"] == "code"]


def outputs(notebook: str) -> str:
    """All that the cells print and show, as one text."""
    shown = [output for cell in code_cells(notebook) for output in cell["outputs"]]
    texts = (output.get("text") or output["data"]["text/plain"] for output in shown)
    return "".join("".join(text) for text in texts)


def shown_by(cell: dict[str, Any]) -> str:
    """All that one cell prints and shows, with its HTML, but with no recordings in it."""
    texts: list[Any] = []
    for output in cell["outputs"]:
        texts += [output["text"]] if "text" in output else output["data"].values()
    return re.sub(r"base64,[\w+/=]+", "base64,…", "\n".join("".join(text) for text in texts))


@pytest.fixture(scope="module")
def executed() -> dict[str, dict[str, str]]:
    """Run each notebook from top to bottom, with no key."""
    env = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    paths = sorted(NOTEBOOKS.glob("*.ipynb"))
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, *paths],
        capture_output=True,
        text=True,
        env=env | VARIABLES,
        timeout=HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    results = map(json.loads, done.stdout.splitlines())
    return {path.stem: result for path, result in zip(paths, results, strict=True)}


def run(executed: dict[str, dict[str, str]], name: str) -> str:
    assert "error" not in executed[name], executed[name]["error"]
    return executed[name]["notebook"]


def assert_shows_what_is_expected(name: str, notebook: str) -> None:
    cells = code_cells(notebook)
    assert shown_by(cells[0]) == NO_KEY
    for number, cell in enumerate(cells, 1):
        shown = shown_by(cell)
        for expected in EXPECTED[name].get(number, []):
            assert expected in shown, f"cell {number}"
        logged = ["".join(o["text"]) for o in cell["outputs"] if o.get("name") == "stderr"]
        assert "".join(logged) == LOGGED.get((name, number), ""), f"cell {number}"


@pytest.mark.parametrize("name", ["01_quickstart"])
def test_notebook_transcribes_the_sample_as_its_outputs_say(
    executed: dict[str, dict[str, str]], name: str
) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    done = run(executed, name)
    assert "the local test server answers, not Qwen-Audio" in outputs(done)
    assert "Welcome to the recording studio" in outputs(done)
    assert outputs(done) == outputs(path.read_text())


@pytest.mark.parametrize("name", EXPECTED)
def test_notebook_shows_what_it_should(executed: dict[str, dict[str, str]], name: str) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    done = run(executed, name)
    assert_shows_what_is_expected(name, done)
    # What is committed is that, but for words that Whisper transcribes otherwise on other CPUs.
    shown, committed = outputs(done).split(), outputs(path.read_text()).split()
    assert difflib.SequenceMatcher(None, shown, committed, autojunk=False).ratio() > 0.95


@pytest.mark.parametrize("name", EXPECTED)
def test_notebook_is_committed_with_outputs(name: str) -> None:
    text = (NOTEBOOKS / f"{name}.ipynb").read_text()
    assert_shows_what_is_expected(name, text)
    numbers = [cell["execution_count"] for cell in code_cells(text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(text.encode()) < MAX_BYTES


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_says_nothing_of_the_machine_that_it_ran_on(path: Path) -> None:
    notebook = json.loads(path.read_text())
    assert notebook["metadata"] == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
    }
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        shown = shown_by(cell) if cell["cell_type"] == "code" else ""
        assert not MACHINE.search("".join(cell["source"]) + shown)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_first_cell_says_what_to_install(path: Path) -> None:
    first = json.loads(path.read_text())["cells"][0]
    assert first["cell_type"] == "markdown"
    command = r"^```console\n\$ pip install \"\.\[local[],].* jupyterlab\n```$"
    assert re.search(command, "".join(first["source"]), re.MULTILINE)


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == {"01_quickstart", *EXPECTED}


def test_the_notebook_s_table_of_models_is_the_package_s() -> None:
    text = (NOTEBOOKS / "07_models_and_speech.ipynb").read_text()
    rows = [line.split() for line in shown_by(code_cells(text)[1]).splitlines()[1:]]
    assert len(rows) == 7
    for name, tokens, clip, *flags in rows:
        profile = PROFILES[name]
        assert tokens == str(profile.max_input_tokens or "?")
        assert clip == str(profile.clip_tokens(7.155))
        known = (profile.text, bool(profile.voice), profile.thinking is not None)
        assert flags == ["yes" if flag else "no" for flag in known]
