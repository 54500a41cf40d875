"""Which models the page offers, where."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio._web_page.models import PageModels, find_page_models
from langchain_qwen_audio.errors import NotFoundError
from langchain_qwen_audio.local._models.live import LIVE_MODELS
from langchain_qwen_audio.local._models.table import serve_models


def offered(name: str | None = None, **where: Any) -> PageModels:
    return find_page_models(name, ChatQwenAudio(api_key="x", **where))


def test_each_model_says_what_the_form_must_know() -> None:
    found = {it.name: it for it in offered().ask}
    facts = {name: (it.takes_text, it.speaks, it.transcribes) for name, it in found.items()}
    assert facts["qwen3.5-omni-flash"] == (True, True, False)
    assert facts["qwen3.8-omni-flash"] == (True, False, False)
    assert facts["qwen3-asr-flash"] == (False, False, True)


def test_snapshots_and_models_that_may_be_gone_are_left_out() -> None:
    names = [it.name for it in offered().ask]
    assert "fun-asr-flash-2026-06-15" in names, "it has no other name"
    assert not {"qwen3.5-omni-plus-2026-03-15", "qwen-omni-turbo"} & set(names)


@pytest.mark.parametrize(
    ("name", "where", "begins_with"),
    [
        (None, {}, ("qwen3.5-omni-flash", "qwen3.5-omni-flash-realtime")),
        (None, {"region": "us-east-1"}, ("qwen3.8-omni-flash", "qwen3.5-omni-flash-realtime")),
        ("qwen3-asr-flash", {}, ("qwen3-asr-flash", "qwen3.5-omni-flash-realtime")),
        ("qwen9-omni", {}, ("qwen9-omni", "qwen3.5-omni-flash-realtime")),
        ("qwen3-omni-flash-realtime", {}, ("qwen3.5-omni-flash", "qwen3-omni-flash-realtime")),
        (
            "qwen3-omni-flash-realtime-2025-12-01",
            {},
            ("qwen3.5-omni-flash", "qwen3-omni-flash-realtime-2025-12-01"),
        ),
    ],
)
def test_the_page_begins_with_the_named_model(
    name: str | None, where: dict[str, Any], begins_with: tuple[str, str]
) -> None:
    found = offered(name, **where)
    assert (found.ask_model, found.talk_model) == begins_with
    assert found.ask_model in [it.name for it in found.ask]
    assert found.talk_model in found.talk


@pytest.mark.parametrize("name", ["qwen-audio-chat", "qwen3-asr-flash-realtime"])
def test_a_model_that_the_page_cannot_use_is_refused(name: str) -> None:
    with pytest.raises(NotFoundError, match=name):
        offered(name)


def test_models_of_workspaces_are_offered_in_a_workspace() -> None:
    assert "qwen3.8-omni-flash-realtime" not in offered().talk
    assert "qwen3.8-omni-flash-realtime" in offered(workspace="ws-1").talk


def test_the_local_test_server_has_all_models_of_the_page() -> None:
    found = offered(base_url="http://127.0.0.1:1/api/v1")
    assert {it.name for it in found.ask} <= set(serve_models(()))
    assert set(found.talk) <= set(LIVE_MODELS)
