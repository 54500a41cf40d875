"""A model that is chosen for each call: what LangChain has for it, and how far that goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import wrap_model_call
from langchain.chat_models import init_chat_model
from langchain_core.runnables import ConfigurableField

from .models import OMNI_3_5, OMNI_3_8, add, model_at

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig

    from langchain_qwen_audio.local import LocalDashScope

CHOSEN: RunnableConfig = {"configurable": {"model": OMNI_3_8}}


def requested(server: LocalDashScope) -> list[str]:
    return [it.json["model"] for it in server.requests]


@pytest.mark.parametrize("provider", ["qwen_audio", "dashscope", None])
def test_langchain_does_not_know_this_package(provider: str | None) -> None:
    """When this fails, the page on agents may say how to use `init_chat_model`."""
    with pytest.raises(ValueError, match="provider"):
        init_chat_model(OMNI_3_5, model_provider=provider)


def test_a_config_chooses_the_model(server: LocalDashScope) -> None:
    model = model_at(server, OMNI_3_5)
    chosen = model.configurable_fields(model=ConfigurableField(id="model"))
    chosen.invoke("?")
    chosen.invoke("?", CHOSEN)
    assert requested(server) == [OMNI_3_5, OMNI_3_8]


def test_a_config_does_not_reach_a_model_with_tools(server: LocalDashScope) -> None:
    """When this fails, the page on agents need not warn of it."""
    model = model_at(server, OMNI_3_5)
    chosen: Any = model.configurable_fields(model=ConfigurableField(id="model"))
    chosen.bind_tools([add]).invoke("?", CHOSEN)
    assert requested(server) == [OMNI_3_5]


def test_a_middleware_chooses_the_model_of_an_agent(server: LocalDashScope) -> None:
    other = model_at(server, OMNI_3_8)

    @wrap_model_call
    def choose(request: Any, handler: Any) -> Any:
        return handler(request.override(model=other))

    agent = create_agent(model_at(server, OMNI_3_5), [add], middleware=[choose])
    agent.invoke({"messages": [{"role": "user", "content": "?"}]})
    assert requested(server) == [OMNI_3_8]
    assert server.requests[0].parameters["tools"]
