"""The recorded sentence that is played where speech is requested."""

import io

import av

from langchain_qwen_audio.local._answers.speech import read_speech_output
from langchain_qwen_audio.local._answers.transcription import WhisperTranscriber
from langchain_qwen_audio.local._audio_input import decode_samples
from tests.unit_tests.local._client import SAMPLES, make_wav, words


def test_whisper_reads_its_text() -> None:
    found = WhisperTranscriber().transcribe(decode_samples(make_wav(read_speech_output(), 24_000)))
    assert words(found.text) == words((SAMPLES / "speech_output.txt").read_text())


def test_the_recording_is_small_and_as_described() -> None:
    file = (SAMPLES / "speech_output.mp3").read_bytes()
    assert len(file) < 30_000
    with av.open(io.BytesIO(file)) as container:
        context = container.streams.audio[0].codec_context
        assert (context.sample_rate, context.layout.name) == (24_000, "mono")
