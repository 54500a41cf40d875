"""Clips in messages, as they arrive at the service: their form, their length, their words."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_qwen_audio import Audio, ChatQwenAudio
from langchain_qwen_audio._models.profiles import Profile
from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._request.clips import CACHE_BYTES, ClipOptions, _cache, prepare_clips
from langchain_qwen_audio._request.parts import AudioPart, RequestMessage
from langchain_qwen_audio.errors import AudioError, ContextOverflowError, MessageError
from langchain_qwen_audio.local import LocalDashScope
from tests.unit_tests.recordings import (
    DATA,
    RECORDINGS,
    SPEECH_S,
    TWO_WAYS,
    Recording,
    audio_urls,
    decode_all,
    encode,
    fresh_tone,
    noise,
    question_about,
    read,
    sent_clips,
    tone,
    wav,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit_tests.conftest import CallModel

MIME_OF = {"wav": "audio/wav", "mp3": "audio/mpeg"}


@pytest.fixture(scope="module")
def listening() -> Iterator[LocalDashScope]:
    """A local test server that decodes what it is sent, and counts its tokens."""
    with LocalDashScope(reply="ok", check_audio=True) as server:
        yield server


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    return ChatQwenAudio(base_url=server.base_url, api_key="local", max_retries=0, **fields)


# --- every format -----------------------------------------------------------------------------


def test_every_format_arrives_whole_in_a_form_that_the_model_takes(
    listening: LocalDashScope, subtests: pytest.Subtests
) -> None:
    model = model_of(listening)
    for recording in RECORDINGS:
        with subtests.test(recording.name):
            assert_arrives_whole(listening, model, recording)


def assert_arrives_whole(
    listening: LocalDashScope, model: ChatQwenAudio, recording: Recording
) -> None:
    reply = model.invoke(question_about(Audio.from_path(recording.path)))
    (data,) = sent_clips(listening)
    decoded = decode_all(data)

    assert decoded.seconds == pytest.approx(recording.seconds, abs=0.05)
    assert len(data) <= recording.path.stat().st_size
    if recording.sent:
        assert MIME_OF[decoded.container] == recording.sent
        assert (decoded.sample_rate, decoded.channels) == (16_000, 1)
        assert audio_urls(listening)[0].startswith(f"data:{recording.sent};base64,")
    else:
        assert data == recording.data
        assert audio_urls(listening)[0].startswith(f"data:{recording.mime_type};base64,")
    assert reply.usage_metadata
    assert reply.usage_metadata["input_token_details"]["audio"] == pytest.approx(
        max(25, 25 * recording.seconds), abs=1.5
    )


def test_the_words_of_a_film_arrive() -> None:
    film = Audio.from_path(DATA / "video.mp4")  # which is converted
    with LocalDashScope() as whisper:
        answer = model_of(whisper).invoke(question_about(film)).text
    words = re.findall(r"one|two|three|[123]", answer.partition("Transcript:")[2].lower())
    assert [{"1": "one", "2": "two", "3": "three"}.get(word, word) for word in words] == [
        "one",
        "two",
        "three",
    ]


@pytest.mark.parametrize("sent_as", ["path", "bytes", "file URL"])
def test_every_calling_mode_sends_the_same_clip(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, sent_as: str
) -> None:
    path = DATA / "speech.webm"
    ways: dict[str, Any] = {
        "path": Audio.from_path(path),
        "bytes": {"type": "audio", "data": path.read_bytes(), "mime_type": "audio/webm"},
        "file URL": path.as_uri(),
    }
    call_model(model, question_about(ways[sent_as]))
    (data,) = sent_clips(server)
    assert decode_all(data).codec == "mp3"
    assert decode_all(data).seconds == pytest.approx(SPEECH_S, abs=0.05)


def test_pcm_loses_nothing(server: LocalDashScope, model: ChatQwenAudio) -> None:
    for container, codec in {
        "aiff": "pcm_s16be",
        "au": "pcm_s16be",
        "caf": "pcm_s16le",
        "w64": "pcm_s16le",
        "flac": "flac",  # of noise: larger than WAV
    }.items():
        model.invoke(question_about(Audio.from_bytes(encode(noise(0.3), container, codec))))
        (sent,) = sent_clips(server)
        assert decode_all(sent).codec == "pcm_s16le", container
        np.testing.assert_array_equal(decode_all(sent).samples, noise(0.3), container)


def test_telephone_sound_stays_at_8_khz(server: LocalDashScope, model: ChatQwenAudio) -> None:
    model.invoke(
        question_about(Audio.from_bytes(encode(noise(0.3, 8_000), "aiff", "pcm_s16be", 8_000)))
    )
    (sent,) = sent_clips(server)
    assert (decode_all(sent).sample_rate, decode_all(sent).container) == (8_000, "wav")
    np.testing.assert_array_equal(decode_all(sent).samples, noise(0.3, 8_000))


def test_any_number_of_channels_is_in_the_mix(server: LocalDashScope, model: ChatQwenAudio) -> None:
    for channels in (2, 3, 6, 8, 10, 24):
        samples = np.repeat(tone(0.5).reshape(-1, 1), channels, axis=1)
        model.invoke(question_about(Audio.from_array(samples, 16_000)))
        sent = decode_all(sent_clips(server)[0])
        assert (sent.channels, sent.seconds) == (1, 0.5), channels
        assert np.abs(sent.samples).max() > 3_000, channels


@pytest.mark.parametrize("channels", [65, 256])
def test_more_channels_than_can_be_mixed_are_refused_at_once(channels: int) -> None:
    with pytest.raises(AudioError, match="array of shape"):
        Audio.from_array(np.zeros((800, channels), np.int16), 16_000)


# --- labels -----------------------------------------------------------------------------------


def test_a_wrong_label_is_corrected_and_logged(
    call_model: CallModel,
    server: LocalDashScope,
    model: ChatQwenAudio,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = encode(fresh_tone(), "mp3", "libmp3lame")
    block = Audio.from_bytes(data).to_block() | {"mime_type": "audio/wav"}
    call_model(model, question_about(block))
    assert audio_urls(server)[0].startswith("data:audio/mpeg;base64,")
    records = [record for record in caplog.records if record.name.startswith("langchain_qwen")]
    assert [record.levelno for record in records] == [logging.WARNING]
    assert "labelled audio/wav, but is audio/mpeg" in records[0].getMessage()


def test_webm_labelled_wav_is_sent_as_what_it_is_converted_to(
    server: LocalDashScope, model: ChatQwenAudio, caplog: pytest.LogCaptureFixture
) -> None:
    data = encode(fresh_tone(), "webm", "libopus", 48_000)
    model.invoke(question_about(Audio.from_bytes(data).to_block() | {"mime_type": "audio/wav"}))
    assert audio_urls(server)[0].startswith("data:audio/mpeg;base64,")
    assert "labelled audio/wav, but is audio/webm" in caplog.text


LABELS = [
    ("speech.wav", "audio/x-wav"),
    ("speech.wav", "audio/WAV; codecs=1"),
    ("speech.mp3", "audio/mp3"),
    ("speech.m4a", "audio/x-m4a"),
    ("video.mp4", "video/mp4"),
    ("live.webm", "audio/webm;codecs=opus"),
    ("opus.ogg", "application/ogg"),
    ("opus.ogg", "audio/opus"),
    ("speech.aiff", "audio/x-aiff"),
    ("speech.3gp", "audio/3gpp"),
    ("speech.3gp", "video/3gpp"),
    ("wide.amr", "audio/amr-wb"),
    ("video.mkv", "video/x-matroska"),
]


def test_another_name_of_the_same_type_is_not_reported(caplog: pytest.LogCaptureFixture) -> None:
    for name, label in LABELS:
        assert Audio.from_bytes(read(name), mime_type=label).mime_type
    assert caplog.text == ""


# --- what cannot be decoded --------------------------------------------------------------------

WHOLE = {
    **{
        name: read(name)
        for name in [
            "speech.wav",
            "mulaw.wav",
            "gsm.wav",
            "ima.wav",
            "speech.flac",
            "speech.mp3",
            "alac.m4a",
            "faststart.m4a",
            "speech.m4a",
            "speech.webm",
            "speech.3gp",
            "aac.3gp",
        ]
    },
    "sound.aiff": encode(tone(1), "aiff", "pcm_s16be"),
    "sound.au": encode(tone(1), "au", "pcm_s16be"),
    "sound.w64": encode(tone(1), "w64", "pcm_s16le"),
    "sound.caf": encode(tone(1), "caf", "pcm_s16le"),
    "sound.mkv": encode(tone(1), "matroska", "pcm_s16le"),
}
UNUSABLE: dict[str, tuple[bytes, str]] = {
    **{f"half of {name}": (data[: len(data) // 2], "") for name, data in WHOLE.items()},
    "nothing": (b"", "0 bytes"),
    "zero length": (wav(tone(0)), "44 bytes|zero"),
    "zero length, AIFF": (encode(tone(0), "aiff", "pcm_s16be"), "zero|there is no sound"),
    "no sound": (read("silent.mp4"), "there is no sound in it"),
    "text": (b"This is not a recording. " * 400, "10,000 bytes"),
    "HTML": (b"<!DOCTYPE html><html><body>404 not found</body></html>" * 40, "2,160 bytes"),
    "JSON": (b'{"error": {"code": 404}}' * 100, "2,400 bytes"),
    "zeros": (bytes(5_000), "5,000 bytes"),
}


@pytest.mark.parametrize("named", ["by its bytes", "by its file"])
def test_what_cannot_be_decoded_is_refused_before_any_request(
    server: LocalDashScope,
    model: ChatQwenAudio,
    tmp_path: Path,
    named: str,
    subtests: pytest.Subtests,
) -> None:
    for name, (data, message) in UNUSABLE.items():
        file = tmp_path / f"{name.replace(' ', '-')}.wav"
        file.write_bytes(data)
        clip: Any = file.as_uri() if named == "by its file" else {"type": "audio", "data": data}
        with subtests.test(name):
            with pytest.raises((AudioError, MessageError)) as caught:
                model.invoke(question_about(clip))
            if named == "by its file":
                assert file.name in str(caught.value)
                why = message or "truncated|cannot be decoded|damaged|never finished"
                assert re.search(why, str(caught.value))
    assert server.requests == []


@pytest.mark.parametrize("kind", ["missing", "directory", "FIFO", "device"])
def test_what_is_no_regular_file_is_refused_before_any_request(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "clip.wav"
    if kind == "directory":
        path.mkdir()
    elif kind == "FIFO":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    with pytest.raises(AudioError, match=rf"{path.name}: it (cannot be read|is not a regular)"):
        call_model(model, question_about(path.as_uri()))
    with pytest.raises(AudioError, match=path.name):
        Audio.from_path(path)
    assert server.requests == []


# --- which files are read ---------------------------------------------------------------------


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """An open directory beside a closed one, with every way from one into the other."""
    (tmp_path / "open" / "below").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    (tmp_path / "open-not").mkdir()
    for name in ("open/a.wav", "open/below/b.wav", "closed/secret.wav", "open-not/c.wav"):
        (tmp_path / name).write_bytes(read("piped.wav"))
    (tmp_path / "open" / "link.wav").symlink_to(tmp_path / "closed" / "secret.wav")
    (tmp_path / "open" / "folder").symlink_to(tmp_path / "closed")
    (tmp_path / "closed" / "inward.wav").symlink_to(tmp_path / "open" / "a.wav")
    return tmp_path


ALLOWED = ["open/a.wav", "open/below/b.wav", "open/below/../a.wav", "closed/inward.wav"]
FORBIDDEN = [
    "closed/secret.wav",
    "open/../closed/secret.wav",
    "open/%2e%2e/closed/secret.wav",
    "open/link.wav",
    "open/folder/secret.wav",
    "open-not/c.wav",
]


@TWO_WAYS
def test_files_below_an_allowed_directory_are_read(
    call_model: CallModel, server: LocalDashScope, house: Path
) -> None:
    model = model_of(server, local_files=[house / "open"])
    for name in ALLOWED:
        server.clear()
        call_model(model, question_about(f"file://{house}/{name}"))
        assert sent_clips(server) == [read("piped.wav")], name


@TWO_WAYS
def test_no_path_leads_out_of_an_allowed_directory(
    call_model: CallModel, server: LocalDashScope, house: Path, subtests: pytest.Subtests
) -> None:
    model = model_of(server, local_files=[house / "open"])
    match = "outside of what `local_files` allows"
    for name in FORBIDDEN:
        with subtests.test(name), pytest.raises(AudioError, match=match):
            call_model(model, question_about(f"file://{house}/{name}"))
    assert server.requests == []


def test_local_files_true_reads_any_file_and_false_none(
    server: LocalDashScope, house: Path, subtests: pytest.Subtests
) -> None:
    refusals: list[bool | list[Path]] = [False, []]
    for name in (*ALLOWED, *FORBIDDEN):
        messages = question_about(f"file://{house}/{name}")
        server.clear()
        with subtests.test(name):
            for refusing in refusals:
                with pytest.raises(AudioError, match="local_files"):
                    model_of(server, local_files=refusing).invoke(messages)
            assert server.requests == []
            model_of(server, local_files=True).invoke(messages)
            assert sent_clips(server) == [read("piped.wav")]


@TWO_WAYS
def test_no_file_is_read_unless_it_was_allowed(
    call_model: CallModel, server: LocalDashScope, house: Path
) -> None:
    model = model_of(server)
    with pytest.raises(AudioError) as caught:
        call_model(model, question_about(f"file://{house}/open/a.wav"))
    assert "Audio.from_path(path).to_block()" in str(caught.value)
    assert "local_files=[folder]" in str(caught.value)
    with pytest.raises(AudioError, match="local_files=False"):  # whether it exists or not
        call_model(model, question_about(f"file://{house}/none.wav"))
    assert server.requests == []
    call_model(model, question_about(Audio.from_path(house / "open/a.wav")))
    assert sent_clips(server) == [read("piped.wav")]


@pytest.mark.parametrize("by_answer", [True, False], ids=["assistant", "tool"])
def test_paths_that_answers_and_tools_name_are_never_read(
    call_model: CallModel,
    server: LocalDashScope,
    model: ChatQwenAudio,
    house: Path,
    by_answer: bool,
) -> None:
    block = {"type": "audio", "url": (house / "open/a.wav").as_uri()}
    call = {"name": "find", "args": {}, "id": "1"}
    history = (
        [AIMessage(content=[block])]
        if by_answer
        else [AIMessage("", tool_calls=[call]), ToolMessage(content=[block], tool_call_id="1")]
    )
    with pytest.raises(MessageError, match="read for users only"):
        call_model(model, [HumanMessage("?"), *history, HumanMessage("?")])
    assert server.requests == []


FILE_URLS = [
    "file://server/share/a.wav",
    "file://[",
    "file:///a%00.wav",
    "file://",
    "file:///" + "x" * 9000,
]


@TWO_WAYS
def test_strange_file_urls_are_refused(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio, subtests: pytest.Subtests
) -> None:
    for url in FILE_URLS:
        with subtests.test(url[:30]), pytest.raises(AudioError):
            call_model(model, question_about(url))
    assert server.requests == []


# --- the context ------------------------------------------------------------------------------


def test_clips_that_exceed_the_context_together_are_refused(server: LocalDashScope) -> None:
    clips = [Audio.from_array(tone(30, 8_000, 100 + number), 8_000) for number in range(9)]
    for long_audio in ("split", "truncate", "error"):
        server.clear()
        model = model_of(server, long_audio=long_audio)
        with pytest.raises(ContextOverflowError, match=r"6,750 tokens of audio.*245\.8 s.*6,144 t"):
            model.invoke(question_about(*clips))
        assert server.requests == [], long_audio
        model.invoke(question_about(*clips[:8]))
        assert len(sent_clips(server)) == 8, long_audio


@pytest.mark.slow
def test_the_cache_of_converted_clips_is_bounded() -> None:
    # 480 kB each, once they are mono: more than fit.
    profile = Profile(max_input_tokens=10**9, max_output_tokens=1)
    options = ClipOptions(profile, NativeProtocol(), audio_transport="upload")
    tones = [tone(30, 8_000, 100 + number) for number in range(150)]
    clips = [Audio.from_array(np.column_stack([mono, mono]), 8_000) for mono in tones]
    message = RequestMessage("user", [AudioPart(clip) for clip in clips])
    prepare_clips([message], options, {})
    assert sum(part.size for parts in _cache.values() for part in parts) <= CACHE_BYTES
    assert len(_cache) > 100


def test_each_model_has_its_own_context(server: LocalDashScope, model: ChatQwenAudio) -> None:
    clip = Audio.from_array(tone(242, 8_000), 8_000)
    with pytest.raises(ContextOverflowError, match=r"242\.0 s long.*240\.0 s"):
        model.invoke(question_about(clip), model="qwen-audio-turbo")
    model.invoke(question_about(clip), model="qwen-audio-turbo-latest")
    assert len(sent_clips(server)) == 9
