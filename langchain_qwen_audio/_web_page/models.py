"""The table of models, a region → the models that the page offers. Pure."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from langchain_qwen_audio._models.live_models import LIVE, VOICE_MODELS, voice_profile
from langchain_qwen_audio._models.profiles import PROFILES, SPEECH
from langchain_qwen_audio._models.routes import is_shared_host

if TYPE_CHECKING:
    from langchain_qwen_audio.chat_models import ChatQwenAudio

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class AskModel:
    """A model that takes recordings.

    Attributes:
        name: Its name.
        takes_text: Whether it takes a question.
        speaks: Whether it can speak its answer.
        transcribes: Whether it transcribes and does nothing else.
    """

    name: str
    takes_text: bool
    speaks: bool
    transcribes: bool


@dataclass(frozen=True)
class PageModels:
    """What the page offers.

    Attributes:
        ask: The models for questions about recordings.
        talk: The names of those for live talks.
        ask_model: The one that the page begins with.
        talk_model: The same for talks.
    """

    ask: list[AskModel] = field(default_factory=list)
    talk: list[str] = field(default_factory=list)
    ask_model: str = SPEECH
    talk_model: str = LIVE

    def to_json(self) -> dict[str, Any]:
        """Write it for the page."""
        return asdict(self)


def is_talk_model(name: str) -> bool:
    """Tell models of live sessions from all others."""
    return name.endswith("-realtime") or "-realtime-" in name


def find_page_models(name: str | None, example: ChatQwenAudio) -> PageModels:
    """Find out what the page offers.

    Models whose retirement was announced are left out, snapshots, and what other regions have.

    Args:
        name: The model to begin with; it need not be in the table.
        example: A model that is where all others are.

    Raises:
        NotFoundError: The model is retired, or is none that the page can use.
    """
    region = example.billing_region
    names = [
        it
        for it, profile in reversed(PROFILES.items())
        if profile.status != "uncertain"
        and region in {None, *profile.regions}
        and not _is_snapshot(it)
    ]
    shared = is_shared_host(example.address)
    talk = [it for it, profile in VOICE_MODELS.items() if not (profile.workspace_only and shared)]
    if name and is_talk_model(name):
        voice_profile(name)
        talk = [*dict.fromkeys([*talk, name])]
    elif name:
        names = [*dict.fromkeys([*names, name])]
    ask = [_describe(it, example) for it in names]
    return PageModels(
        ask,
        talk,
        ask_model=_first(None if name in talk else name, SPEECH, names),
        talk_model=_first(name if name in talk else None, LIVE, talk),
    )


def _is_snapshot(name: str) -> bool:
    """Tell a dated model whose name without the date is a model too."""
    return bool(_DATE.search(name)) and _DATE.sub("", name) in PROFILES


def _describe(name: str, example: ChatQwenAudio) -> AskModel:
    profile = example.route(name).profile
    return AskModel(name, profile.text, bool(profile.voice), profile.transcribes)


def _first(wanted: str | None, usual: str, names: list[str]) -> str:
    """Choose the model to begin with."""
    return wanted or (usual if usual in names else names[0])
