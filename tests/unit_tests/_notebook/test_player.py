"""What a notebook shows of a recording: a player, a waveform with its splits, and facts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_qwen_audio import Audio, show_messages
from langchain_qwen_audio._media.durations import format_length
from langchain_qwen_audio._media.splitting import Piece
from langchain_qwen_audio._media.worker_pool import POOL
from langchain_qwen_audio._models.profiles import PROFILES
from langchain_qwen_audio._notebook import player
from langchain_qwen_audio._request.conversion import convert
from tests.unit_tests._notebook.pages import (
    SVG,
    cuts_of,
    page_of,
    played,
    read_page,
    shades_of,
    text_of,
)
from tests.unit_tests.recordings import (
    DATA,
    RECORDINGS,
    Recording,
    decode_all,
    encode,
    read,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path
    from xml.etree.ElementTree import Element

QWEN_AUDIO, OMNI = "qwen-audio-turbo-latest", "qwen3.5-omni-flash"

AS_THEY_ARE = {
    *("speech.wav", "stereo48k.wav", "pcm24.wav", "float.wav", "mulaw.wav"),
    *("piped.wav", "speech.flac", "speech.mp3", "speech.m4a", "faststart.m4a", "video.mp4"),
    *("vorbis.ogg", "opus.ogg", "speech.webm"),
}


def test_every_recording_is_played_and_drawn(subtests: pytest.Subtests) -> None:
    for recording in RECORDINGS:
        audio = Audio.from_path(recording.path)
        page = page_of(audio)
        with subtests.test(recording.name):
            assert_is_played(page, recording)
            assert_is_drawn(page, recording)
            assert_facts_are_told(page, recording, audio.duration_s)


def assert_is_played(page: Element, recording: Recording) -> None:
    ((mime_type, data),) = played(page)
    if recording.name in AS_THEY_ARE:
        assert (mime_type, data) == (recording.mime_type, recording.data)
    else:
        assert mime_type == "audio/wav"
        assert decode_all(data).seconds == pytest.approx(recording.seconds, abs=0.06)
        assert "converted to WAV for the player" in text_of(page)


def assert_is_drawn(page: Element, recording: Recording) -> None:
    (svg,) = page.iter(f"{SVG}svg")
    assert svg.attrib["role"] == "img"
    assert svg[0].tag == f"{SVG}title"
    assert (svg[0].text or "").startswith(f"Waveform of {recording.name}, ")
    assert any(path.attrib["fill"] == "currentColor" for path in svg if "fill" in path.attrib)


def assert_facts_are_told(page: Element, recording: Recording, seconds: float) -> None:
    (caption,) = page.iter("figcaption")
    for fact in (
        recording.name,
        f"{recording.mime_type} ({recording.codec})",
        f"{recording.sample_rate:,} Hz",
        "mono" if recording.channels == 1 else f"{recording.channels} channels",
        format_length(seconds),
    ):
        assert fact in (caption.text or "")
    assert "tokens" not in (caption.text or ""), "no model, no count"


@pytest.mark.parametrize("name", ["speech.wav", "pyav.amr", "bare.mp3"])
def test_a_recording_is_decoded_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run, jobs = POOL.run, list[str]()

    def counted(job: str, *args: Any, **options: Any) -> Generator[bytes, None, Any]:
        jobs.append(job)
        return run(job, *args, **options)

    monkeypatch.setattr(POOL, "run", counted)
    page_of(Audio.from_path(DATA / name))
    assert jobs.count("decode") == 1


def test_silence_is_shaded() -> None:
    page = page_of(
        Audio.from_array(np.concatenate([tone(1), np.zeros(16_000, "h"), tone(2)]), 16_000)
    )
    assert shades_of(page) == [(160.0, 160.0)]
    assert "25 % silence" in text_of(page)


def test_silence_is_all_of_a_silent_recording() -> None:
    page = page_of(Audio.from_bytes(wav(np.zeros(12_345, "h"))))
    assert shades_of(page) == [(0.0, 640.0)]
    assert "100 % silence" in text_of(page)


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_lines_are_drawn_where_a_recording_is_split_for_the_model(rate: int) -> None:
    model = QWEN_AUDIO
    pauses = [tone(11, rate), np.zeros(rate // 2, "h")]
    audio = Audio.from_array(np.concatenate(pauses * 5), rate)
    ends_s = np.cumsum([part.duration_s for part in convert(audio, PROFILES[model])])
    page = read_page(player.player_html(audio, model))
    assert cuts_of(page) == pytest.approx(ends_s[:-1] * 640 / ends_s[-1], abs=0.5)
    assert f"split into {len(ends_s)} parts of up to 30 s" in text_of(page)


@pytest.mark.parametrize(("seconds", "model"), [(30, QWEN_AUDIO), (31, None), (31, "unknown")])
def test_a_recording_that_is_not_split_has_no_lines(seconds: float, model: str | None) -> None:
    page = read_page(player.player_html(Audio.from_array(tone(seconds, 8_000), 8_000), model))
    assert cuts_of(page) == []
    assert "split" not in text_of(page)


def test_a_recording_that_the_model_refuses_is_not_shown_as_split(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = "qwen-omni-turbo"
    monkeypatch.setitem(PROFILES, model, replace(PROFILES[model], max_clip_s=18))
    page = read_page(player.player_html(Audio.from_array(tone(19), 16_000), model))
    assert cuts_of(page) == []
    assert "longer than the 18 s that it takes" in text_of(page)
    assert "split" not in text_of(page)


def test_more_cuts_than_make_a_picture_are_only_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def split_often(blocks: Iterable[bytes], *_: Any) -> Iterator[Piece]:
        samples = b"".join(blocks)
        for at in range(0, len(samples), 8_000):
            yield Piece(at // 8_000, at, samples[at : at + 8_000])

    monkeypatch.setattr(player, "split_at_pauses", split_often)
    page = read_page(player.player_html(Audio.from_array(tone(31), 16_000), QWEN_AUDIO))
    assert cuts_of(page) == []
    assert re.search(
        r"split into \d{3} parts of up to 30 s \(more than can be drawn\)", text_of(page)
    )


def answer_of(model: str) -> AIMessage:
    return AIMessage("Welcome.", response_metadata={"model_name": model})


WELCOME = Audio.from_array(tone(7.15), 16_000, name="welcome")
QUESTION = HumanMessage([WELCOME.to_block()])
# Conversations, the model that the caller names, and the figures shown.
FIGURES: dict[str, tuple[list[BaseMessage], str | None, list[str]]] = {
    "Qwen-Audio": ([QUESTION, answer_of(QWEN_AUDIO)], None, [f"179 tokens for {QWEN_AUDIO}"]),
    "Qwen3.5-Omni": ([QUESTION, answer_of(OMNI)], None, [f"50 tokens for {OMNI}"]),
    "each question its own": (
        [QUESTION, answer_of(OMNI), QUESTION, answer_of(QWEN_AUDIO)],
        None,
        [f"50 tokens for {OMNI}", f"179 tokens for {QWEN_AUDIO}"],
    ),
    "the caller's": ([QUESTION], OMNI, [f"50 tokens for {OMNI}"]),
    "the caller's comes first": (
        [QUESTION, answer_of(QWEN_AUDIO)],
        OMNI,
        [f"50 tokens for {OMNI}"],
    ),
    "not known": ([QUESTION], None, []),
    "not in the table": ([QUESTION, answer_of("a-model-of-yours")], None, []),
    "no name at all": ([QUESTION, AIMessage("", response_metadata={"model_name": []})], None, []),
    "a spoken answer": ([AIMessage([WELCOME.to_block()])], OMNI, []),
}


def test_tokens_are_those_of_the_model_that_was_sent_the_audio() -> None:
    for name, (messages, model, figures) in FIGURES.items():
        page = page_of(show_messages(messages, model=model))
        captions = " ".join(text_of(caption) for caption in page.iter("figcaption"))
        assert re.findall(r"\d+ tokens for [\w.-]+", captions) == figures, name


class PlayerContent(NamedTuple):
    """What becomes of a recording in the player."""

    mime_type: str
    seconds: float
    remark: str


# What is larger than a page can hold, or of a type that browsers do not play, by its length.
LONG = {
    "short": (5.9, PlayerContent("audio/wav", 5.9, "converted to WAV for the player")),
    "long": (8.0, PlayerContent("audio/mpeg", 8.0, "converted to MP3 for the player")),
    "too long": (
        11.0,
        PlayerContent("audio/mpeg", 9.0, "the player has the first 0.15 minutes, as MP3"),
    ),
}


@pytest.mark.parametrize(("seconds", "kept"), LONG.values(), ids=LONG)
@pytest.mark.parametrize("kind", ["large", "not played"])
def test_the_player_of_a_long_recording_has_what_a_page_can_hold(
    kind: str, seconds: float, kept: PlayerContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(player, "MAX_WAV_S", 6.0)
    monkeypatch.setattr(player, "MAX_PLAYER_S", 9.0)
    monkeypatch.setattr(player, "MAX_PLAYER_BYTES", 100_000)
    data = wav(tone(seconds)) if kind == "large" else encode(tone(seconds), "au", "pcm_s16be")
    page = page_of(Audio.from_bytes(data))
    ((mime_type, sound),) = played(page)
    assert mime_type == kept.mime_type
    assert decode_all(sound).seconds == pytest.approx(kept.seconds, abs=0.1)
    assert len(sound) < 200_000
    assert kept.remark in text_of(page)
    assert f"Waveform of audio, {format_length(seconds)}" in text_of(page)


def test_the_longest_that_a_player_has_is_within_the_bytes() -> None:
    assert player._BIT_RATE / 8 * player.MAX_PLAYER_S < player.MAX_PLAYER_BYTES
    assert player.MAX_WAV_S * 32_000 < player.MAX_PLAYER_BYTES


def missing(tmp_path: Path) -> Audio:
    path = tmp_path / "<gone>.wav"
    path.write_bytes(read("speech.wav"))
    audio = Audio.from_path(path)
    path.unlink()
    return audio


BROKEN: dict[str, tuple[Callable[[Path], Audio], str]] = {
    "no audio": (lambda _: Audio.from_bytes(b"<b>", name="<i>"), "<i>: 3 bytes came that are not"),
    "empty": (lambda _: Audio.from_bytes(b""), "not usable audio"),
    "truncated": (lambda _: Audio.from_bytes(read("speech.flac")[:9_000]), "audio: "),
    "no sound": (lambda _: Audio.from_bytes(wav(tone(0))), "no sound in it"),
    "gone": (missing, "<gone>.wav: it cannot be read"),
}


def test_a_recording_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    for name, (make, reason) in BROKEN.items():
        page = page_of(make(tmp_path))
        assert played(page) == [], name
        assert text_of(page).startswith("⚠ "), name
        assert reason in text_of(page), name
