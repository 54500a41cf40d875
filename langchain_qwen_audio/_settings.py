"""The fields of ChatQwenAudio, and what they say together: an address, and parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from pydantic import AliasChoices, ConfigDict, Field
from typing_extensions import TypedDict

from langchain_qwen_audio._models.profiles import PROVIDER, Profile, ProtocolName
from langchain_qwen_audio._models.routes import (
    AudioTransport,
    Fetch,
    LongAudio,
    Route,
    find_route,
    provider_of,
)
from langchain_qwen_audio._protocols.openai import AudioEncoding
from langchain_qwen_audio._service_settings import ServiceSettings

# Fields that travel to the service as parameters, under their own names.
_PARAMETERS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "seed",
    "stop",
    "repetition_penalty",
    "presence_penalty",
    "enable_thinking",
    "reasoning_effort",
    "thinking_budget",
    "enable_search",
    "search_options",
    "use_multichannel",
    "modalities",
    "asr_options",
)

# Fields that a single call may override and that are not parameters of the service.
PER_CALL = ("model", "timeout", "total_timeout", "max_retries", "model_kwargs")


class AsrOptions(TypedDict, total=False):
    """What helps a model of speech recognition to transcribe; each has some of these.

    https://help.aliyun.com/zh/model-studio/qwen-asr-api-reference (qwen3-asr-flash)
    https://help.aliyun.com/zh/model-studio/fun-asr-flash-recorded-speech-recognition-http-api
    (qwen-audio-3.x-asr-flash, fun-asr-flash)
    """

    language: str
    """qwen3-asr-flash: the language spoken ("zh", "en", …), if it is known."""
    enable_itn: bool
    """qwen3-asr-flash: whether numbers are written as digits; in Chinese and English only."""
    language_hints: list[str]
    """The languages that may be spoken: 4 at most, and 1 for fun-asr-flash."""
    vocabulary: dict[str, int]
    """qwen-audio-3.x: words to expect, with their weights: 1 to 5, or 50 for the surest."""
    vocabulary_id: str
    """The id of a vocabulary that is stored at the service."""
    speaker_diarization_enabled: bool
    """qwen-audio-3.1: whether each sentence says who speaks (see `Transcript`); not together with
    `language_hints` and `keep_dialect`, which the service would ignore."""
    keep_dialect: bool
    """qwen-audio-3.1: whether dialect is written as it is spoken; by default, as Mandarin."""
    disfluency_removal_enabled: bool
    """qwen-audio-3.1: whether "um" and repeated words are left out. No page names this parameter;
    a third party saw it work."""


class BaseChatQwenAudio(ServiceSettings, BaseChatModel):
    """What a ChatQwenAudio is told, field by field."""

    model: str = Field(
        default="qwen-audio-turbo-latest",
        validation_alias=AliasChoices("model", "model_name"),
    )
    """Name of the model."""

    temperature: float | None = None
    """Randomness; the service's defaults differ, from 0.00001 for Qwen-Audio to 0.9."""

    top_p: float | None = None
    """Probability mass that tokens are drawn from."""

    top_k: int | None = None
    """Number of tokens that each token is drawn from."""

    max_tokens: int | None = None
    """Tokens of the longest answer."""

    seed: int | None = None
    """Seed for answers that repeat as far as the service can."""

    stop: list[str] | str | None = Field(
        default=None, validation_alias=AliasChoices("stop", "stop_sequences")
    )
    """Texts at which the answer stops."""

    repetition_penalty: float | None = None
    """Penalty on repetition; 1.0 is none."""

    presence_penalty: float | None = None
    """Penalty on tokens that the text already holds, from -2.0 to 2.0."""

    enable_thinking: bool | None = None
    """Whether a model that can think does; what it thought is in `content_blocks`."""

    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"] | None = (
        None
    )
    """How much qwen3.8-omni-flash thinks; "none" is not at all. By default the service decides,
    which means "xhigh". Thoughts are billed as output. "minimal" counts as "low", "high" and "max"
    as "xhigh". https://help.aliyun.com/zh/model-studio/qwen-omni"""

    thinking_budget: int | None = Field(default=None, gt=0)
    """Tokens that a model may think at most; not together with `reasoning_effort`."""

    enable_search: bool | None = None
    """Whether a Qwen-Omni model may search the web before it answers; its searches are billed
    apart. Qwen3.8-Omni is requested as a stream then.
    https://help.aliyun.com/zh/model-studio/qwen-omni"""

    search_options: dict[str, Any] | None = None
    """How it searches, as the service names it; by default {"search_strategy": "agent"} where a
    model has that strategy alone."""

    use_multichannel: bool | None = None
    """Whether recordings of 2 channels (stereo) and of 4 (first-order ambisonics, W, Y, Z, X) are
    sent with all of them, as WAV; by default they are mixed to one. For qwen3.8-omni-flash.
    https://help.aliyun.com/zh/model-studio/qwen-omni"""

    modalities: list[Literal["text", "audio"]] | None = None
    """`["text", "audio"]` has a Qwen-Omni model speak its answer; by default it writes."""

    voice: str | None = None
    """The voice it speaks with; by default one that the model has."""

    asr_options: AsrOptions | None = None
    """What helps a model of speech recognition to transcribe; see `AsrOptions`."""

    streaming: bool = False
    """Whether `invoke` streams under the hood, so that callbacks see tokens as they come."""

    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the service that have no field here, sent as they are."""

    long_audio: LongAudio = "split"
    """What to do with a clip longer than the model takes: send it as consecutive parts ("split"),
    its beginning with a warning ("truncate"), or not at all ("error")."""

    audio_transport: AudioTransport = "auto"
    """How clips travel: as base64 where that is small enough and uploaded otherwise ("auto"), or
    always as one of them ("inline", "upload")."""

    local_files: bool | list[Path] = False
    """Which `file://` URLs in users' messages are read: none, those below the given directories, or
    all (True), where nobody else writes the messages. Your own files need none of it: put
    `Audio.from_path(path).to_block()` into a message."""

    fetch: Fetch = "service"
    """Who downloads `http(s)://` URLs: the service, or this machine ("client"), for URLs that the
    service cannot reach."""

    tool_calling: Literal["auto", "native", "prompt"] = "auto"
    """How tools are offered: as the endpoint's own parameter ("native"), in the prompt, for models
    that have no native calling, or as the model takes them ("auto")."""

    protocol: ProtocolName | None = None
    """DashScope's "native" protocol, its OpenAI-compatible one ("openai"), or that of speech
    recognition with times ("recognition"); by default as the model takes it. Models that this
    package does not know may need to be told."""

    audio_encoding: AudioEncoding | None = None
    """How clips are written for an OpenAI-compatible server: `input_audio` with a data URI
    ("data_uri", as DashScope takes it) or with bare base64 ("input_audio_raw": vLLM, llama.cpp), or
    an `audio_url` ("audio_url": vLLM, SGLang); by default the first for DashScope, the second for
    any other server."""

    model_config = ConfigDict(
        extra="forbid",
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,  # the input holds the key
        defer_build=True,  # nobody makes one of these
    )

    @property
    def request_parameters(self) -> dict[str, Any]:
        """The parameters that the fields set, `model_kwargs` aside."""
        fields = self.__dict__  # several times in each request
        return {name: value for name in _PARAMETERS if (value := fields[name]) is not None}

    def parameters_of_call(self, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Say what a call sets, by its own arguments, by `model_kwargs` or by fields."""
        more = overrides.get("model_kwargs", self.model_kwargs)
        rest = {name: value for name, value in overrides.items() if name not in PER_CALL}
        return {**self.request_parameters, **more, **rest}

    def route(self, model: str | None = None) -> Route:
        """Say how a model is used, and what it takes when used so.

        Args:
            model: Its name; this model's own by default.

        Raises:
            NotFoundError: It is retired, or not available through this class.
            InvalidRequestError: It does not have the `protocol` of this model.
        """
        name = self.model if model is None else model
        return find_route(name, self.address, self.protocol, self.audio_encoding)

    @property
    def billing_region(self) -> str | None:
        """The region that bills; None if it is not known, or a server of one's own answers."""
        provider = provider_of(self.model, self.address, self.protocol)
        return super().billing_region if provider == PROVIDER else None

    def has_native_tools(self, profile: Profile) -> bool:
        """Tell whether tools are offered through the endpoint, rather than in the prompt."""
        return self.tool_calling == "native" or (
            self.tool_calling == "auto" and profile.native_tools
        )

    def __iter__(self) -> Iterator[tuple[str, Any]]:  # type: ignore[override]
        """Yield the fields, as `dict(model)` does, while other threads use the model.

        LangChain keeps in the model what it is serialized as; one thread stored that while another
        was still reading the fields.
        """
        fields = self.__dict__.copy()  # in one step
        yield from ((name, value) for name, value in fields.items() if not name.startswith("_"))

    @property
    def lc_secrets(self) -> dict[str, str]:
        """The fields that serialization leaves to the environment."""
        return {"api_key": "DASHSCOPE_API_KEY"}

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """Say that `dumpd` and `load` work."""
        return True
