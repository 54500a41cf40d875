"""The table of models: what must hold of every row, and what LangChain is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._models.profiles import PROFILES, RETIRED, Profile
from tests.unit_tests.models import ASR, OMNI_3


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_no_longer_offered_for_long_has_a_successor_that_is(name: str) -> None:
    profile = PROFILES[name]
    if profile.status != "live":
        assert PROFILES[profile.successor].status == "live"


def test_a_retired_name_has_a_successor_and_no_profile() -> None:
    assert not RETIRED.keys() & PROFILES.keys()
    assert set(RETIRED.values()) <= PROFILES.keys()


@pytest.mark.parametrize("profile", {id(it): it for it in PROFILES.values()}.values())
def test_a_profile_agrees_with_itself(profile: Profile) -> None:
    assert profile.protocols
    assert profile.regions
    assert not profile.voices or profile.voice in profile.voices
    assert not (profile.transcribes and profile.text), "a transcriber takes no instructions"
    assert profile.text == profile.history, "a model without text takes one recording"
    assert profile.text or profile.max_clips == 1
    assert profile.images or not profile.mixes
    assert "openai" in profile.protocols or not profile.native_tools


# No two kinds differ in the same way.
LANGCHAINS: dict[str, dict[str, Any]] = {
    "qwen-audio-turbo-latest": {
        "text_inputs": True,
        "image_inputs": False,
        "image_url_inputs": False,
        "audio_outputs": False,
        "reasoning_output": False,
        "tool_calling": True,  # in the prompt
        "max_input_tokens": 6_144,
        "max_output_tokens": 2_048,
    },
    ASR: {
        "text_inputs": False,
        "image_inputs": False,
        "image_url_inputs": False,
        "audio_outputs": False,
        "reasoning_output": False,
        "tool_calling": False,
    },
    OMNI_3: {
        "text_inputs": True,
        "image_inputs": True,
        "image_url_inputs": True,
        "audio_outputs": True,
        "reasoning_output": True,
        "tool_calling": True,
        "max_input_tokens": 49_152,
        "max_output_tokens": 16_384,
    },
}
OF_ALL = {
    "audio_inputs": True,
    "pdf_inputs": False,
    "video_inputs": False,
    "text_outputs": True,
    "image_outputs": False,
    "video_outputs": False,
    "structured_output": False,
    "temperature": True,
}


@pytest.mark.parametrize(("name", "profile"), LANGCHAINS.items())
def test_langchains_profile_follows_from_the_table(name: str, profile: dict[str, Any]) -> None:
    assert ChatQwenAudio(model=name, api_key="local").profile == {**OF_ALL, **profile}
