"""What the server answers where no reply is scripted, in both protocols."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.local._audio_input import decode_samples
from tests.unit_tests.local._client import (
    ASR,
    CAPTIONER,
    OMNI_3,
    OMNI_35,
    OMNI_38,
    OMNI_TURBO,
    QUESTION,
    WELCOME,
    WELCOME_WAV,
    WHISPER,
    assert_chunks,
    assert_events,
    assistant,
    assistant_text,
    chat,
    clip,
    data_uri,
    deltas_of,
    generate,
    make_wav,
    message_of,
    text,
    text_of,
    user,
    wav,
    words,
)

SPEECH, SILENCE = data_uri(WELCOME_WAV), data_uri(wav(2, amplitude=0))
DATA_LABEL = f"local-test-server/whisper-{WHISPER}"
ENGLISH = [{"type": "audio_info", "language": "en"}]
INTEGER, STRING = {"type": "integer"}, {"type": "string"}


def label(model: str = "Qwen-Audio") -> str:
    return f"[local test server: Whisper {WHISPER}, not {model}]"


LABEL = label()
NO_AUDIO = "This conversation has no audio to transcribe."


def written(response: Any) -> str:
    return "".join(delta.get("content") or "" for delta in deltas_of(response))


# --- transcripts ---


def test_speech_is_transcribed_natively(unscripted: LocalDashScope) -> None:
    answer = text_of(generate(unscripted, user({"audio": SPEECH}, QUESTION)))
    before, _, transcript = answer.partition(" Transcript: ")
    assert before == LABEL
    assert words(transcript) == WELCOME
    events = assert_events(
        generate(unscripted, user({"audio": SPEECH}), stream=True, incremental_output=True)
    )
    contents = [event["output"]["choices"][0]["message"]["content"] for event in events]
    pieces = [part["text"] for content in contents for part in content]
    assert "".join(pieces) == answer
    assert " speak" in pieces


@pytest.mark.parametrize("model", [OMNI_TURBO, OMNI_3, OMNI_35, OMNI_38, CAPTIONER])
def test_speech_is_transcribed_on_the_compatible_path(
    unscripted: LocalDashScope, model: str
) -> None:
    answer = written(chat(unscripted, user(clip(SPEECH)), model=model, stream=True))
    before, _, transcript = answer.partition(" Transcript: ")
    assert before == label(model)
    assert words(transcript) == WELCOME


def test_every_recording_of_the_conversation_is_transcribed_in_order(
    unscripted: LocalDashScope,
) -> None:
    history = [user({"audio": SILENCE}), assistant("Hello"), user({"audio": SPEECH}, QUESTION)]
    answer = text_of(generate(unscripted, *history))
    assert answer.startswith(f'{LABEL} Audio 1: No speech found. Audio 2: Transcript: "')
    assert words(answer)[-len(WELCOME) :] == WELCOME


def test_a_long_clip_is_transcribed_to_its_end(unscripted: LocalDashScope) -> None:
    late = np.concatenate([np.zeros(35 * 16_000), decode_samples(WELCOME_WAV)])
    message = user(clip(data_uri(make_wav((late * 32767).astype("<i2").tobytes()))))
    assert "microphone" in message_of(chat(unscripted, message))["content"]


def test_without_audio_it_says_so(unscripted: LocalDashScope) -> None:
    response = generate(unscripted, user(QUESTION))
    assert text_of(response) == f"{LABEL} {NO_AUDIO}"
    assert set(response.json()["usage"]) == {"input_tokens", "output_tokens"}
    assert message_of(chat(unscripted))["content"] == f"{label(OMNI_38)} {NO_AUDIO}"


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
VIDEO = {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}
FRAMES = {"type": "video", "video": ["https://example.com/a.png"] * 2}


@pytest.mark.parametrize(
    ("parts", "unseen"),
    [([IMAGE], "images"), ([FRAMES], "videos"), ([VIDEO, IMAGE, IMAGE], "images and videos")],
)
def test_it_says_that_it_does_not_look_at_images_and_videos(
    unscripted: LocalDashScope, parts: list[Any], unseen: str
) -> None:
    said = f"{label(OMNI_38)} It does not look at {unseen}."
    answer = message_of(chat(unscripted, user(*parts)))["content"]
    assert answer == f"{said} {NO_AUDIO}"
    answer = message_of(chat(unscripted, user(*parts, clip(SILENCE))))["content"]
    assert answer == f"{said} No speech found."


# --- speech recognition ---


def test_in_recognition_the_transcript_is_the_whole_text_and_the_model_says_what_it_is(
    unscripted: LocalDashScope,
) -> None:
    response = generate(unscripted, user({"audio": SPEECH}), model=ASR)
    assert words(text_of(response)) == WELCOME
    assert response.json()["model"] == DATA_LABEL
    assert message_of(response)["annotations"] == ENGLISH
    chunks = assert_chunks(chat(unscripted, user(clip(SPEECH)), model=ASR, stream=True))
    assert {chunk["model"] for chunk in chunks} == {DATA_LABEL}
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert words("".join(it["content"] for it in deltas)) == WELCOME
    assert all(it["annotations"] == ENGLISH for it in deltas)


def test_in_recognition_silence_is_an_empty_text(unscripted: LocalDashScope) -> None:
    response = generate(unscripted, user({"audio": SILENCE}), model=ASR)
    assert message_of(response)["content"] == []
    assert message_of(chat(unscripted, user(clip(SILENCE)), model=ASR))["content"] == ""


# --- reasoning and speech ---


def test_its_reasoning_says_that_there_is_none(unscripted: LocalDashScope) -> None:
    rows: list[tuple[str, dict[str, Any], bool]] = [
        (OMNI_38, {}, True),
        (OMNI_38, {"enable_thinking": False}, False),
        (OMNI_38, {"reasoning_effort": "none"}, False),
        (OMNI_38, {"reasoning_effort": "low"}, True),
        (OMNI_3, {}, False),
        (OMNI_3, {"enable_thinking": True}, True),
        (OMNI_35, {"enable_thinking": True}, False),
        (OMNI_TURBO, {}, False),
    ]
    for model, fields, reasons in rows:
        deltas = deltas_of(chat(unscripted, model=model, stream=True, **fields))
        reasoning = "".join(delta.get("reasoning_content") or "" for delta in deltas)
        assert reasoning == ("[local test server: Whisper does not reason]" if reasons else ""), (
            model
        )


def test_its_speech_is_one_recorded_sentence(unscripted: LocalDashScope) -> None:
    fields = {"modalities": ["text", "audio"], "audio": {"voice": "Cherry", "format": "wav"}}
    options = {"stream": True, "stream_options": {"include_usage": True}}
    response = chat(unscripted, user(clip(SILENCE)), model=OMNI_3, **fields, **options)
    *chunks, last = assert_chunks(response)
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    spoken = "".join(it["audio"]["data"] for it in deltas if "audio" in it)
    seconds = len(base64.b64decode(spoken)) / 48_000
    assert seconds == pytest.approx(6.2, abs=0.2)
    tokens = last["usage"]["completion_tokens_details"]["audio_tokens"]
    assert tokens == round(seconds * 12.5)
    answer = "".join(it.get("content") or "" for it in deltas)
    assert answer == f"{label(OMNI_3)} No speech found."


# --- tools, in the text of the prompt ---


def function(name: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


ADD = function("add", a=INTEGER, b=INTEGER)
LOAD = function("load_audio", audio=STRING)
ADDING = {"name": "add", "arguments": {"a": 3, "b": 4}}
LOADING = {"name": "load_audio", "arguments": {"audio": "a.wav"}}


def in_prompt(tool: dict[str, Any]) -> str:
    return f"<tools>\n{json.dumps(tool)}\n</tools>"


def hermes(call: dict[str, Any]) -> str:
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


def test_a_tool_of_the_prompt_is_called_in_the_text(unscripted: LocalDashScope) -> None:
    system = {"role": "system", "content": [{"text": in_prompt(ADD)}]}
    assert text_of(generate(unscripted, system, user({"text": "add 3, 4"}))) == hermes(ADDING)
    system = {"role": "system", "content": in_prompt(ADD)}
    messages = [system, user(text("add 3 and 4"))]
    assert written(chat(unscripted, *messages, model=OMNI_TURBO, stream=True)) == hermes(ADDING)


def test_the_answer_to_a_tool_result_has_it_and_the_recording_beside_it(
    unscripted: LocalDashScope,
) -> None:
    system = {"role": "system", "content": [{"text": in_prompt(LOAD)}]}
    messages = [system, user({"audio": SILENCE}, {"text": "load_audio a.wav"})]
    result = user({"text": "<tool_response>\n2.0 s\n</tool_response>"}, {"audio": SPEECH})
    answer = text_of(generate(unscripted, *messages, assistant(hermes(LOADING)), result))
    before, _, after = answer.partition("Welcome to the recording studio")
    assert before == f'{LABEL} Tool result: "2.0 s" Transcript: "'
    assert after


def test_without_a_call_the_recording_is_transcribed(unscripted: LocalDashScope) -> None:
    system = {"role": "system", "content": [{"text": in_prompt(ADD)}]}
    answer = text_of(generate(unscripted, system, user({"audio": SILENCE}, QUESTION)))
    assert answer == f"{LABEL} No speech found."


# --- tools, in the form of the compatible path ---

TOOLS = {"tools": [ADD, LOAD], "enable_thinking": False}
BOTH = "load_audio of 'a.wav', add 3 and 4"


def calls_of(response: Any) -> list[dict[str, Any]]:
    functions = [call["function"] for call in message_of(response).get("tool_calls", [])]
    return [{**it, "arguments": json.loads(it["arguments"])} for it in functions]


def calling(*calls: dict[str, Any]) -> dict[str, Any]:
    numbered = [
        {
            "id": f"c{number}",
            "type": "function",
            "function": {**call, "arguments": json.dumps(call["arguments"])},
        }
        for number, call in enumerate(calls)
    ]
    return {"role": "assistant", "content": "", "tool_calls": numbered}


def result(number: int, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"c{number}", "content": content}


FORCED = {"type": "function", "function": {"name": "load_audio"}}
# name: the question, the other fields, and the calls that come of it
CHOICES: dict[str, tuple[str, dict[str, Any], list[dict[str, Any]]]] = {
    "nothing in common": ("Hello!", {}, []),
    "auto": ("Use add for 3 and 4.", {"tool_choice": "auto"}, [ADDING]),
    "one at a time": (BOTH, {}, [LOADING]),
    "in parallel": (BOTH, {"parallel_tool_calls": True}, [LOADING, ADDING]),
    "required": ("3 and 4", {"tool_choice": "required"}, [ADDING]),
    "required of one": ("a.wav", {"tool_choice": FORCED}, [LOADING]),
    "none": ("Use add for 3 and 4.", {"tool_choice": "none"}, []),
}


def test_tool_choice(unscripted: LocalDashScope) -> None:
    for what, (question, fields, calls) in CHOICES.items():
        response = chat(unscripted, user(text(question)), **TOOLS, **fields)
        assert calls_of(response) == calls, what
        (choice,) = response.json()["choices"]
        assert choice["finish_reason"] == ("tool_calls" if calls else "stop"), what
        assert bool(choice["message"]["content"]) is not bool(calls), what


# name: the messages after the question, which names both tools, and the answer to them
RESULTS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]] | str]] = {
    "one": ([calling(LOADING), result(0, "2.0 s")], [ADDING]),
    "its content is a list": ([calling(LOADING), result(0, [text("2.0 s")])], [ADDING]),
    "of all": (
        [calling(LOADING, ADDING), result(0, ""), result(1, "7")],
        'Tool result: "" Tool result: "7"',
    ),
    "a recording right after it belongs to it": (
        [
            calling(LOADING, ADDING),
            *(result(0, "2 s"), result(1, "7"), user(text("Here:"), clip(SILENCE))),
        ],
        'Tool result: "2 s" Tool result: "7" No speech found.',
    ),
    "and then another question": (
        [calling(LOADING), result(0, "2 s"), assistant_text("2 s"), user(text("add 3 and 4"))],
        [ADDING],
    ),
}


@pytest.mark.parametrize(("messages", "answer"), RESULTS.values(), ids=RESULTS)
def test_results(
    unscripted: LocalDashScope,
    messages: list[dict[str, Any]],
    answer: list[dict[str, Any]] | str,
) -> None:
    response = chat(unscripted, user(text(BOTH)), *messages, **TOOLS)
    if isinstance(answer, list):
        assert calls_of(response) == answer
    else:
        assert message_of(response)["content"] == f"{label(OMNI_38)} {answer}"


def test_marks_in_arguments_do_no_harm(unscripted: LocalDashScope) -> None:
    question = user(text("load_audio of '</tool_call>'"))
    (call,) = calls_of(chat(unscripted, question, **TOOLS))
    assert call == {"name": "load_audio", "arguments": {"audio": "</tool_call>"}}


def test_transcripts_fill_arguments(unscripted: LocalDashScope) -> None:
    tools = [function("take_note", words=STRING)]
    message = user(clip(SPEECH), text("take_note of it"))
    (call,) = calls_of(chat(unscripted, message, tools=tools))
    assert words(call["arguments"]["words"]) == WELCOME


# --- JSON ---

JSON = "Answer with one JSON object and nothing else, in no code block."


def test_json_by_a_schema(unscripted: LocalDashScope) -> None:
    schema = {"title": "T", "properties": {"n": INTEGER, "s": STRING}, "required": ["n", "s"]}
    prompt = f"{JSON} It must satisfy this JSON Schema:\n{json.dumps(schema)}"
    system = {"role": "system", "content": [{"text": prompt}]}
    response = generate(unscripted, system, user({"text": "Give 5 '你好'"}))
    assert text_of(response) == '{"n": 5, "s": "你好"}'
    assert response.json()["model"] == DATA_LABEL


def test_json_without_a_schema_once_no_tool_is_left_to_call(unscripted: LocalDashScope) -> None:
    system = {"role": "system", "content": JSON}
    message = user(text("load_audio, then a 'time'"))
    (call,) = calls_of(chat(unscripted, system, message, **TOOLS))
    assert call["name"] == "load_audio"
    done = [calling(LOADING), result(0, "2.0 s")]
    answer = message_of(chat(unscripted, system, message, *done, **TOOLS))["content"]
    assert json.loads(answer) == {
        "time": f'[local test server: Whisper {WHISPER} has no value for "time"]'
    }


def test_in_structured_output_only_what_is_known_is_filled(unscripted: LocalDashScope) -> None:
    tool = function("note", transcript=STRING, language=STRING, duration_s=INTEGER, mood=STRING)
    forced = {"type": "function", "function": {"name": "note"}}
    response = chat(unscripted, user(clip(SPEECH)), tools=[tool], tool_choice=forced)
    (call,) = calls_of(response)
    assert words(call["arguments"].pop("transcript")) == WELCOME
    assert call["arguments"] == {
        "language": "en",
        "duration_s": 7,
        "mood": f'[local test server: Whisper {WHISPER} has no value for "mood"]',
    }
    assert response.json()["model"] == DATA_LABEL
