"""The table of models: what must hold of every row, and what LangChain is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.language_models import ModelProfile

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._models.langchain_profile import model_profile
from langchain_qwen_audio._models.profiles import PROFILES, RETIRED, Profile
from tests.unit_tests.models import ASR, CAPTIONER, OMNI_3, OMNI_3_8

if TYPE_CHECKING:
    import pytest


def test_what_is_no_longer_offered_for_long_has_a_successor_that_is() -> None:
    for name, profile in PROFILES.items():
        if profile.status != "live":
            assert PROFILES[profile.successor].status == "live", name


def test_a_retired_name_has_a_successor_and_no_profile() -> None:
    assert not RETIRED.keys() & PROFILES.keys()
    assert set(RETIRED.values()) <= PROFILES.keys()


def test_a_profile_agrees_with_itself(subtests: pytest.Subtests) -> None:
    for name, profile in PROFILES.items():
        with subtests.test(name):
            assert_agrees_with_itself(profile)


def assert_agrees_with_itself(profile: Profile) -> None:
    assert profile.protocols
    assert profile.regions
    assert not profile.voices or profile.voice in profile.voices
    assert not (profile.transcribes and profile.text), "a transcriber takes no instructions"
    if "recognition" not in profile.protocols:  # its history is context
        assert profile.text == profile.history, "a model without text takes one recording"
    assert profile.text or profile.max_clips == 1
    assert profile.images or not profile.mixes
    assert "openai" in profile.protocols or not profile.native_tools
    assert {*profile.tool_regions, *profile.native_only_regions} <= set(profile.regions)
    assert bool(profile.efforts) == bool(profile.default_effort)
    assert not profile.efforts or profile.default_effort in profile.efforts
    assert (profile.status == "live") or profile.successor


# No two kinds differ in the same way.
LANGCHAINS: dict[str, dict[str, Any]] = {
    "qwen-audio-turbo-latest": {
        "name": "Qwen-Audio-Turbo-Latest",
        "tool_choice": False,
        "tool_call_streaming": True,
        "text_inputs": True,
        "image_inputs": False,
        "image_url_inputs": False,
        "video_inputs": False,
        "audio_outputs": False,
        "reasoning_output": False,
        "tool_calling": True,  # in the prompt
        "max_input_tokens": 6_144,
        "max_output_tokens": 2_048,
    },
    ASR: {
        "name": "Qwen3-ASR-Flash",
        "status": "active",
        "tool_choice": False,
        "tool_call_streaming": False,
        "text_inputs": False,
        "image_inputs": False,
        "image_url_inputs": False,
        "video_inputs": False,
        "audio_outputs": False,
        "reasoning_output": False,
        "tool_calling": False,
    },
    CAPTIONER: {
        "name": "Qwen3-Omni-30B-A3B-Captioner",
        "status": "deprecated",
        "text_inputs": False,
        "image_inputs": False,
        "image_url_inputs": False,
        "video_inputs": False,
        "audio_outputs": False,
        "reasoning_output": False,
        "tool_calling": False,
        "tool_choice": False,
        "tool_call_streaming": False,
        "max_input_tokens": 32_768,
        "max_output_tokens": 32_768,
    },
    OMNI_3_8: {
        "name": "Qwen3.8-Omni-Flash",
        "status": "active",
        "text_inputs": True,
        "image_inputs": True,
        "image_url_inputs": True,
        "video_inputs": True,
        "audio_outputs": False,
        "reasoning_output": True,
        "reasoning_effort_levels": ["none", "minimal", "low", "medium", "high", "xhigh", "max"],
        "reasoning_effort_default": "xhigh",
        "tool_calling": True,
        "tool_choice": True,
        "tool_call_streaming": True,
        "max_input_tokens": 991_808,
        "max_output_tokens": 131_072,
    },
    OMNI_3: {
        "name": "Qwen3-Omni-Flash",
        "status": "active",
        "tool_choice": True,
        "tool_call_streaming": True,
        "text_inputs": True,
        "image_inputs": True,
        "image_url_inputs": True,
        "video_inputs": True,
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
    "text_outputs": True,
    "image_outputs": False,
    "video_outputs": False,
    "structured_output": False,
    "temperature": True,
}


def test_langchains_profile_has_only_keys_that_it_knows() -> None:
    given = {key for name, it in PROFILES.items() for key in model_profile(name, it)}
    assert given <= ModelProfile.__annotations__.keys()


def test_langchains_profile_follows_from_the_table() -> None:
    for name, profile in LANGCHAINS.items():
        told = ChatQwenAudio(model=name, api_key="local").profile
        assert told == {**OF_ALL, **profile}, name


# The facts that a table by kind can get wrong: what the service's pages say of each.
DOCUMENTED: dict[str, dict[str, Any]] = {
    "qwen3.8-omni-flash": {
        "tokens_per_s": 7,
        "max_clip_s": 10_800,
        "max_inline_clips": 250,
        "max_url_clips": 2_048,
        "json_mode": True,
        "native_tools": True,
        "must_stream": False,
        "status": "live",
    },
    "qwen3.5-omni-plus": {
        "max_input_tokens": 196_608,
        "max_output_tokens": 65_536,
        "json_mode": True,
        "tool_regions": ("cn-beijing",),
        "native_tools": True,
        "status": "live",
    },
    "qwen3.5-omni-flash": {"max_input_tokens": 196_608, "json_mode": None, "native_tools": True},
    "qwen3.5-omni-flash-2026-03-15": {"max_input_tokens": 196_608, "native_tools": False},
    "qwen3-omni-flash": {"status": "live", "successor": "qwen3.5-omni-flash"},
    "qwen3-omni-flash-2025-12-01": {"status": "uncertain", "native_tools": False},
    "qwen3-asr-flash": {"status": "live", "regions": ("cn-beijing", "ap-southeast-1", "us-east-1")},
    "qwen3-asr-flash-2026-02-10": {"status": "uncertain", "successor": "qwen3-asr-flash"},
    "qwen-omni-turbo": {"status": "uncertain", "protocols": ("openai", "native")},
    "qwen-audio-turbo": {"status": "trial", "successor": "qwen3.8-omni-flash"},
}


def test_the_table_says_what_the_pages_say() -> None:
    for name, facts in DOCUMENTED.items():
        assert {fact: getattr(PROFILES[name], fact) for fact in facts} == facts, name
