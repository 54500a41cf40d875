"""Hot words: read from a list or a file, and told to each model in the way that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain_core.messages import SystemMessage
from langchain_core.stores import InMemoryByteStore

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._transcription.hot_words import read_hot_words
from langchain_qwen_audio.document_loaders import QwenAudioLoader
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.job_calls import LISTED, ONE, jobs_of, submissions
from tests.unit_tests.loading import ASR, QWEN_AUDIO, asynchronous, loader_of, sync
from tests.unit_tests.models import RECOGNITION

if TYPE_CHECKING:
    from pathlib import Path


WORDS = ["Qwen", "Model Studio", "百炼"]
LIST = "Qwen, Model Studio, 百炼"
TOLD = f"Names and terms that may be spoken: {LIST}"
TRANSCRIBE = "Write down what is said in this recording, word for word, and nothing else."
VOCABULARY = {"Qwen": 4, "Model Studio": 4, "百炼": 4}


# --- read -------------------------------------------------------------------------------------

FILES: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "one a line": ("Qwen\nModel Studio\n百炼\n".encode(), tuple(WORDS)),
    "empty lines, and spaces": (b"\n  Qwen \r\n\r\nAda\n\n", ("Qwen", "Ada")),
    "a byte order mark": (b"\xef\xbb\xbfQwen\n", ("Qwen",)),
    "a word twice": (b"Qwen\nAda\nQwen\n", ("Qwen", "Ada")),
}


def test_a_file_has_a_word_a_line(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    for name, (content, words) in FILES.items():
        path.write_bytes(content)
        assert read_hot_words(path) == read_hot_words(str(path)) == words, name


def test_a_list_has_each_word_once() -> None:
    assert read_hot_words([" Qwen", "Ada", "Qwen "]) == ("Qwen", "Ada")
    assert read_hot_words([]) == read_hot_words(None) == ()
    assert read_hot_words(it for it in WORDS) == tuple(WORDS)  # type: ignore[arg-type]


WRONG: dict[str, tuple[Any, str]] = {
    "no such file": ("no.txt", r"no\.txt, which cannot be read .* expected a text file"),
    "a word alone": ("Qwen", "or a list of words"),
    "no file name at all": ("a\0b", "cannot be read"),
    "words with weights": ({"Qwen": 5}, r"is a mapping.*asr_options=\{'vocabulary'"),
    "a number": ([1], "has 1 in it; expected words"),
    "an empty word": (["Qwen", " "], "has ' ' in it"),
}


def test_what_is_no_words_is_an_error() -> None:
    for given, message in WRONG.values():
        with pytest.raises(ValueError, match=message):
            QwenAudioLoader("a.wav", llm=ChatQwenAudio(api_key="x"), hot_words=given)


def test_a_file_without_words_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    for content in (b"", b" \n\n", b"\xff\xfe\x00", b"\x80abc"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"words\.txt, which"):
            read_hot_words(path)


# --- chat models ------------------------------------------------------------------------------

CHAT_MODELS: dict[str, tuple[str, dict[str, Any], list[str], str | None]] = {
    "qwen3-asr-flash": (ASR, {}, [LIST], None),
    "with context": (ASR, {"prompt": SystemMessage("A studio.")}, [f"A studio.\n{LIST}"], None),
    "a chat model": (QWEN_AUDIO, {}, [TOLD], TRANSCRIBE),
    "with a prompt": (QWEN_AUDIO, {"prompt": "List the names."}, [TOLD], "List the names."),
    "with a system message": (
        QWEN_AUDIO,
        {"prompt": SystemMessage("Be brief.")},
        [f"Be brief.\n{TOLD}"],
        None,
    ),
}


def test_a_chat_model_is_told_in_a_system_message(server: LocalDashScope, ten: Path) -> None:
    for name, (model, options, system, text) in CHAT_MODELS.items():
        server.clear()
        sync(loader_of(server, ten, {"model": model}, hot_words=WORDS, **options))
        context, question = server.requests[0].messages
        assert context["role"] == "system", name
        assert [part["text"] for part in context["content"]] == system, name
        texts = [part["text"] for part in question["content"] if "text" in part]
        assert texts == ([] if text is None else [text]), name


def test_a_model_with_a_vocabulary_is_sent_one(server: LocalDashScope, ten: Path) -> None:
    fields = {"model": RECOGNITION, "asr_options": {"language_hints": ["zh"]}}
    sync(loader_of(server, ten, fields, hot_words=WORDS))
    (request,) = server.requests
    expected = {"format": "wav", "language_hints": ["zh"], "vocabulary": VOCABULARY}
    assert request.parameters == expected
    assert len(request.messages) == 1


def test_a_model_without_inline_vocabulary_is_told_as_context(
    server: LocalDashScope, ten: Path
) -> None:
    asynchronous(loader_of(server, ten, {"model": "fun-asr-flash-2026-06-15"}, hot_words=WORDS))
    context, _ = server.requests[0].messages
    assert context == {"role": "user", "content": [{"type": "input_text", "text": LIST}]}


def test_a_model_that_takes_audio_alone_takes_no_words(server: LocalDashScope, ten: Path) -> None:
    fields = {"model": "qwen3-omni-30b-a3b-captioner"}
    with pytest.raises(ValueError, match="captioner takes audio alone: leave them out"):
        loader_of(server, ten, fields, hot_words=WORDS)


# --- jobs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (LISTED, {"vocabulary": VOCABULARY}),
        ("qwen-audio-3.0-asr-flash-filetrans", {"vocabulary": VOCABULARY}),
        (ONE, {"corpus": {"text": LIST}}),
    ],
)
def test_jobs_are_told_as_their_model_takes_it(
    server: LocalDashScope, ten: Path, model: str, expected: dict[str, Any]
) -> None:
    sync(QwenAudioLoader(ten, llm=jobs_of(server, model=model), hot_words=WORDS))
    assert submissions(server)[0]["parameters"] == expected


def test_jobs_with_stored_vocabularies_alone_take_no_words(server: LocalDashScope) -> None:
    jobs = jobs_of(server, model="fun-asr")
    with pytest.raises(ValueError, match="fun-asr takes only a vocabulary that is stored"):
        QwenAudioLoader("a.wav", llm=jobs, hot_words=WORDS)


# --- both -------------------------------------------------------------------------------------


def test_one_vocabulary_is_given_and_not_two(server: LocalDashScope) -> None:
    already = {"vocabulary": {"Ada": 5}}
    with pytest.raises(ValueError, match="model's parameters have vocabulary already"):
        QwenAudioLoader("a.wav", llm=jobs_of(server, parameters=already), hot_words=WORDS)
    with pytest.raises(ValueError, match="model's asr_options have vocabulary already"):
        loader_of(server, "a.wav", {"model": RECOGNITION, "asr_options": already}, hot_words=WORDS)
    corpus = {"corpus": {"text": "Ada"}}
    with pytest.raises(ValueError, match="corpus already"):
        QwenAudioLoader("a.wav", llm=jobs_of(server, model=ONE, parameters=corpus), hot_words=WORDS)


def test_a_vocabulary_has_2000_words_at_most(server: LocalDashScope) -> None:
    words = [str(number) for number in range(2_001)]
    with pytest.raises(ValueError, match="has 2,001 words; expected 2,000 at most"):
        QwenAudioLoader("a.wav", llm=jobs_of(server), hot_words=words)
    QwenAudioLoader("a.wav", llm=jobs_of(server), hot_words=words[1:])


@pytest.mark.parametrize("model", [ASR, RECOGNITION, QWEN_AUDIO])
def test_transcripts_of_other_words_are_other_transcripts(
    server: LocalDashScope, ten: Path, model: str
) -> None:
    store = InMemoryByteStore()
    for words in (None, WORDS, ["Ada"], WORDS):
        sync(loader_of(server, ten, {"model": model}, hot_words=words, checkpoint=store))
    assert len(server.requests) == 3
