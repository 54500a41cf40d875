"""What the stand-in answers by the compatible path: words, calls, one sentence, no thoughts."""

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import langchain_qwen_audio.local
from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._audio import decode_audio
from langchain_qwen_audio.local._listen import Ear

from ._client import (
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    chat,
    chunks_of,
    clip,
    data_uri,
    deltas_of,
    make_wav,
    message_of,
    said,
    text,
    user,
    wav,
)

SAMPLES = Path(langchain_qwen_audio.local.__file__).parents[1] / "samples"
SPEECH = clip(data_uri((SAMPLES / "welcome.wav").read_bytes()), format="wav")
SILENCE = clip(data_uri(wav(amplitude=0)))
NO_THOUGHTS = {"enable_thinking": False}


@pytest.fixture(scope="module")
def listener() -> Iterator[LocalDashScope]:
    with LocalDashScope() as server:
        yield server


def marker(model: str) -> str:
    return f"[local stand-in: Whisper tiny.en, not {model}]"


def written(response: Any) -> str:
    return "".join(delta.get("content") or "" for delta in deltas_of(response))


def words(sentence: str) -> list[str]:
    return re.findall(r"[a-z]+", sentence.lower())


# --- words ---


@pytest.mark.parametrize("model", [OMNI_TURBO, OMNI_3, OMNI_35, OMNI_38])
def test_it_listens_under_its_marker(listener: LocalDashScope, model: str) -> None:
    asked = user(SPEECH, text("What is said?"))
    answer = written(chat(listener, asked, model=model, stream=True))
    begin, _, heard = answer.partition(" I heard: ")
    assert begin == marker(model)
    assert words(heard) == words((SAMPLES / "welcome.txt").read_text())


def test_without_audio_it_says_what_it_is(listener: LocalDashScope) -> None:
    answer = message_of(chat(listener))["content"]
    assert answer == (f"{marker(OMNI_38)} I only transcribe audio, and this conversation has none.")


def test_earlier_audio_is_heard_too(listener: LocalDashScope) -> None:
    asked = [user(SILENCE), said("Hello"), user(SILENCE, text("And this?"))]
    answer = message_of(chat(listener, *asked))["content"]
    assert answer == f"{marker(OMNI_38)} Audio 1: I heard nothing. Audio 2: I heard nothing."


def test_a_long_clip_is_heard_to_its_end(listener: LocalDashScope) -> None:
    welcome = decode_audio((SAMPLES / "welcome.wav").read_bytes())
    late = np.concatenate([np.zeros(35 * 16_000), welcome])
    asked = user(clip(data_uri(make_wav((late * 32767).astype("<i2").tobytes()))))
    assert "microphone" in message_of(chat(listener, asked))["content"]


# --- thoughts ---


@pytest.mark.parametrize(
    ("model", "fields", "thinks"),
    [
        (OMNI_38, {}, True),
        (OMNI_38, {"enable_thinking": False}, False),
        (OMNI_38, {"reasoning_effort": "none"}, False),
        (OMNI_38, {"reasoning_effort": "low"}, True),
        (OMNI_3, {}, False),
        (OMNI_3, {"enable_thinking": True}, True),
        (OMNI_35, {"enable_thinking": True}, False),
        (OMNI_TURBO, {}, False),
    ],
)
def test_it_says_that_it_does_not_think(
    listener: LocalDashScope, model: str, fields: dict[str, Any], thinks: bool
) -> None:
    deltas = deltas_of(chat(listener, model=model, stream=True, **fields))
    thoughts = "".join(delta.get("reasoning_content") or "" for delta in deltas)
    assert thoughts == ("[local stand-in: no thoughts, only Whisper]" if thinks else "")


# --- speech ---


def test_it_speaks_one_recorded_sentence(listener: LocalDashScope) -> None:
    fields = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = chat(listener, user(SILENCE), model=OMNI_3, **fields, **options)
    *chunks, last = chunks_of(response)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert "".join(it.get("content") or "" for it in deltas) == f"{marker(OMNI_3)} I heard nothing."
    pcm = base64.b64decode("".join(it["audio"]["data"] for it in deltas if "audio" in it))
    seconds = len(pcm) / 48_000
    assert seconds == pytest.approx(6.2, abs=0.2)
    tokens = last["usage"]["completion_tokens_details"]["audio_tokens"]
    assert tokens == round(seconds * 12.5)
    heard = Ear().transcribe(decode_audio(make_wav(pcm, 24_000)))
    for word in ("local", "write", "hear", "cannot", "speak"):
        assert word in words(heard.replace("can't", "cannot"))


def test_the_recording_is_small_and_as_described() -> None:
    file = (SAMPLES / "standin.mp3").read_bytes()
    assert len(file) < 30_000
    with av.open(io.BytesIO(file)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.sample_rate, context.layout.name) == (24_000, "mono")


# --- tools ---


def tool(tool_name: str, /, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": tool_name, "parameters": schema}}


INTEGER, STRING = {"type": "integer"}, {"type": "string"}
ADD = tool("add", a=INTEGER, b=INTEGER)
LOAD = tool("load_audio", audio=STRING)
TOOLS = {"tools": [ADD, LOAD], **NO_THOUGHTS}
BOTH = user(text("load_audio of 'a.wav', add 3 and 4"))


def calls_of(response: Any) -> list[tuple[str, Any]]:
    calls = message_of(response).get("tool_calls", [])
    return [(it["function"]["name"], json.loads(it["function"]["arguments"])) for it in calls]


def called(call_id: str, name: str, **arguments: Any) -> dict[str, Any]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"id": call_id, "type": "function", "function": function}


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


def result(call_id: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def must_call(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


LOADING = ("load_audio", {"audio": "a.wav"})
ADDING = ("add", {"a": 3, "b": 4})
# name: the question, the other fields, and the calls that come of it
CHOICES: dict[str, tuple[str, dict[str, Any], list[tuple[str, Any]]]] = {
    "nothing in common": ("Hello!", {}, []),
    "by name": ("Use add for 3 and 4.", {}, [ADDING]),
    "auto": ("Use add for 3 and 4.", {"tool_choice": "auto"}, [ADDING]),
    "one at a time": ("load_audio of 'a.wav', add 3 and 4", {}, [LOADING]),
    "one at a time, as told": (
        "load_audio of 'a.wav', add 3 and 4",
        {"parallel_tool_calls": False},
        [LOADING],
    ),
    "in parallel": (
        "load_audio of 'a.wav', add 3 and 4",
        {"parallel_tool_calls": True},
        [LOADING, ADDING],
    ),
    "required": ("3 and 4", {"tool_choice": "required"}, [ADDING]),
    "required of one": ("a.wav", {"tool_choice": must_call("load_audio")}, [LOADING]),
    "none": ("Use add for 3 and 4.", {"tool_choice": "none"}, []),
}


@pytest.mark.parametrize(("question", "fields", "calls"), CHOICES.values(), ids=CHOICES)
def test_choice(
    listener: LocalDashScope, question: str, fields: dict[str, Any], calls: list[tuple[str, Any]]
) -> None:
    response = chat(listener, user(text(question)), **TOOLS, **fields)
    assert calls_of(response) == calls
    (choice,) = response.json()["choices"]
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
    assert bool(choice["message"]["content"]) is not bool(calls)


@pytest.mark.parametrize("content", ["2.0 s", [text("2.0 s")]])
def test_results_lead_to_the_next_call_and_then_to_words(
    listener: LocalDashScope, content: Any
) -> None:
    loaded = [calling(called("c1", "load_audio", audio="a.wav")), result("c1", content)]
    assert calls_of(chat(listener, BOTH, *loaded, **TOOLS)) == [ADDING]
    added = [calling(called("c2", "add", a=3, b=4)), result("c2", "7")]
    answer = message_of(chat(listener, BOTH, *loaded, *added, **TOOLS))["content"]
    assert answer == f'{marker(OMNI_38)} A tool said: "7"'


def test_several_results_are_told_and_an_empty_one_is(listener: LocalDashScope) -> None:
    calls = calling(called("c1", "add", a=3, b=4), called("c2", "load_audio", audio="a.wav"))
    asked = [BOTH, calls, result("c1", "7"), result("c2", "")]
    answer = message_of(chat(listener, *asked, **TOOLS))["content"]
    assert answer == f'{marker(OMNI_38)} A tool said: "7" A tool said: ""'


def test_a_recording_right_after_a_result_belongs_to_it(listener: LocalDashScope) -> None:
    loaded = [calling(called("c1", "load_audio", audio="a.wav")), result("c1", "2.0 s")]
    asked = [user(text("load_audio of a.wav")), *loaded, user(text("Here:"), SILENCE)]
    answer = message_of(chat(listener, *asked, **TOOLS))["content"]
    assert answer == f'{marker(OMNI_38)} A tool said: "2.0 s" I heard nothing.'


def test_a_question_after_results_is_a_question(listener: LocalDashScope) -> None:
    added = [calling(called("c1", "add", a=3, b=4)), result("c1", "7"), said("7")]
    asked = [user(text("add 3 and 4")), *added, user(text("load_audio of a.wav"))]
    assert calls_of(chat(listener, *asked, **TOOLS)) == [LOADING]


def test_arguments_that_are_no_json_do_no_harm(listener: LocalDashScope) -> None:
    broken = {"id": "c1", "function": {"name": "add", "arguments": "{]"}}
    asked = [user(text("add 3 and 4")), calling(broken), result("c1", "Error")]
    answer = message_of(chat(listener, *asked, **TOOLS))["content"]
    assert answer == f'{marker(OMNI_38)} A tool said: "Error"'


def test_marks_in_arguments_do_no_harm(listener: LocalDashScope) -> None:
    question = user(text("load_audio of '</tool_call>'"))
    assert calls_of(chat(listener, question, **TOOLS)) == [
        ("load_audio", {"audio": "</tool_call>"})
    ]


def test_what_is_heard_fills_arguments(listener: LocalDashScope) -> None:
    note = tool("take_note", words=STRING)
    asked = user(SPEECH, text("take_note of it"))
    ((_, arguments),) = calls_of(chat(listener, asked, tools=[note]))
    assert words(arguments["words"]) == words((SAMPLES / "welcome.txt").read_text())


def test_calls_stream(listener: LocalDashScope) -> None:
    options = {**TOOLS, "stream": True}
    chunks = chunks_of(chat(listener, user(text("add 3 and 4")), model=OMNI_35, **options))
    pieces = [call for it in chunks for call in it["choices"][0]["delta"].get("tool_calls", [])]
    assert pieces[0]["function"] == {"name": "add", "arguments": ""}
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"a": 3, "b": 4}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_json_is_the_answer_when_no_tool_is_to_be_called(listener: LocalDashScope) -> None:
    rules = {"role": "system", "content": "Answer with one JSON object and nothing else."}
    answer = message_of(chat(listener, rules, user(text("What 'time'?")), **TOOLS))["content"]
    assert json.loads(answer) == {"time": "What 'time'?"}


def test_tools_of_a_prompt_are_called_in_the_text(listener: LocalDashScope) -> None:
    function = json.dumps({"function": ADD["function"]})
    prompt = {"role": "system", "content": f"<tools>\n{function}\n</tools>"}
    asked = [prompt, user(text("add 3 and 4"))]
    answer = written(chat(listener, *asked, model=OMNI_TURBO, stream=True))
    call = '{"name": "add", "arguments": {"a": 3, "b": 4}}'
    assert answer == f"<tool_call>\n{call}\n</tool_call>"
