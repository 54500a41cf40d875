"""What a live voice session is told → `session.update`."""

from __future__ import annotations

from typing import Any

from langchain_qwen_audio._live.session_settings import SessionOptions, write_session
from langchain_qwen_audio._models.live_models import voice_profile
from tests.unit_tests.rows import each_row

TRANSCRIPTION = {"model": "qwen3-asr-flash-realtime"}
FLAT = {"input_audio_format": "pcm", "output_audio_format": "pcm"}
NESTED = [{"format": {"type": "pcm", "sample_rate": rate}} for rate in (16_000, 24_000)]


@each_row(
    "model, options, written",
    [
        ("qwen3-omni-flash-realtime", {}, {**FLAT, "turn_detection": {"type": "server_vad"}}),
        (
            "qwen3.5-omni-plus-realtime",
            {"voice": "Tina", "turn_detection": "semantic_vad"},
            {"voice": "Tina", **FLAT, "turn_detection": {"type": "semantic_vad"}},
        ),
        (
            "qwen3.8-omni-flash-realtime",
            {"turn_detection": None, "modalities": ["text"]},
            {
                "modalities": ["text"],
                "audio": {"input": NESTED[0], "output": NESTED[1]},
                "turn_detection": None,
            },
        ),
        (
            "qwen3.8-omni-flash-realtime",
            {"voice": "Tina", "parameters": {"max_tokens": 9}},
            {
                "audio": {"input": NESTED[0], "output": {**NESTED[1], "voice": "Tina"}},
                "turn_detection": {"type": "server_vad"},
                "max_tokens": 9,
            },
        ),
        (
            "qwen-audio-3.1-realtime-plus",
            {
                "voice": "longanhuan_v3.1",
                "turn_detection": "smart_turn",
                "parameters": {"enable_speech_emotion": False},
            },
            {
                "voice": "longanhuan_v3.1",
                **FLAT,
                "turn_detection": {"type": "smart_turn"},
                "enable_speech_emotion": False,
            },
        ),
    ],
)
def test_each_model_has_its_own_form(
    model: str, options: dict[str, Any], written: dict[str, Any]
) -> None:
    given: dict[str, Any] = {
        "instructions": None,
        "tools": [],
        "voice": None,
        "modalities": ("text", "audio"),
        "turn_detection": "server_vad",
        "parameters": {},
    }
    session = write_session(SessionOptions(**{**given, **options}), voice_profile(model))
    expected: dict[str, Any] = {"modalities": ["text", "audio"]}
    if not model.startswith("qwen-audio"):  # which does not name the model that transcribes
        expected["input_audio_transcription"] = TRANSCRIPTION
    assert session == expected | written
