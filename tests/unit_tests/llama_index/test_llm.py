"""QwenAudio as LlamaIndex defines an LLM: deltas, counts, events, errors, tools, what is kept."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import pickle
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk
from llama_index.core.base.llms.types import (
    AudioBlock,
    ChatMessage,
    ChatResponse,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.rate_limiter import TokenBucketRateLimiter
from llama_index.core.tools import FunctionTool
from llama_index_instrumentation import get_dispatcher
from pydantic import BaseModel, Field, PrivateAttr, ValidationError

from langchain_qwen_audio import Audio, ChatQwenAudio, Transcript
from langchain_qwen_audio.errors import (
    APITimeoutError,
    AuthenticationError,
    ContentFilterError,
    InvalidRequestError,
    MessageError,
    NotFoundError,
    QwenAudioError,
    RateLimitError,
    StreamInterruptedError,
)
from langchain_qwen_audio.llama_index import QwenAudio
from langchain_qwen_audio.local import (
    RESET,
    LocalDashScope,
    RawReply,
    Reply,
    error_reply,
)
from tests.unit_tests import faults
from tests.unit_tests._request.test_messages import WAV
from tests.unit_tests.models import RECOGNITION

from .conftest import CallModel, achat, astream_chat, chat, llm_at, stream_chat

if TYPE_CHECKING:
    from collections.abc import Iterator

QWEN_AUDIO, OMNI, ASR = "qwen-audio-turbo-latest", "qwen3.8-omni-flash", "qwen3-asr-flash"
HI = [ChatMessage("Hi.")]
USAGE = {"input_tokens": 33, "output_tokens": 10, "audio_tokens": 85}
COUNTS = {"prompt_tokens": 118, "completion_tokens": 10, "total_tokens": 128}


# --- answers ----------------------------------------------------------------------------------


def test_an_answer_and_what_it_cost(
    call_model: CallModel, server: LocalDashScope, llm: QwenAudio
) -> None:
    server.script(Reply("Two words", usage=USAGE, request_id="r-1"))
    *_, last = call_model(llm, HI)
    assert last.message == ChatMessage(role="assistant", content="Two words")
    assert last.additional_kwargs == COUNTS
    assert isinstance(last.raw, AIMessage)
    assert last.raw.response_metadata["request_id"] == "r-1"
    assert last.raw.response_metadata["finish_reason"] == "stop"
    assert last.raw.usage_metadata is not None
    assert last.raw.usage_metadata["input_token_details"] == {"audio": 85}


def test_deltas_are_new_and_messages_are_everything_so_far(
    streamed: CallModel, server: LocalDashScope, llm: QwenAudio
) -> None:
    server.script(Reply(fragments=("Two", " ", "", "words", " é"), usage=USAGE))
    *pieces, last = streamed(llm, HI)
    assert "".join(piece.delta or "" for piece in pieces) == "Two words é"
    so_far = ""
    for piece in pieces:
        so_far += piece.delta or ""
        assert piece.message.content == so_far
        assert isinstance(piece.raw, AIMessageChunk)
        assert piece.additional_kwargs == {}, "counts come once"
    assert (last.delta, last.message.content) == ("", "Two words é")
    assert last.additional_kwargs == COUNTS


def test_a_transcript_with_times(call_model: CallModel, server: LocalDashScope) -> None:
    server.script(Reply(fragments=("One. ", "Two.")))
    clip = AudioBlock(audio=WAV, format="wav")
    *_, last = call_model(llm_at(server, RECOGNITION), [ChatMessage(blocks=[clip])])
    assert last.message.content == "One. Two."
    assert isinstance(last.raw, AIMessage)
    assert Transcript.from_message(last.raw).sentences[-1].start_s == 1.0


def test_completions(server: LocalDashScope, llm: QwenAudio) -> None:
    for _ in range(4):
        server.script(Reply(fragments=("Two", " words"), usage=USAGE))

    async def later() -> tuple[Any, list[Any]]:
        whole = await llm.acomplete("Hi.", seed=1)
        return whole, [piece async for piece in await llm.astream_complete("Hi.", seed=1)]

    whole, pieces = llm.complete("Hi.", seed=1), list(llm.stream_complete("Hi.", seed=1))
    for now, several in ((whole, pieces), asyncio.run(later())):
        assert now.text == "Two words"
        assert now.additional_kwargs == COUNTS
        assert [piece.delta for piece in several] == ["Two", " words", ""]
        assert [piece.text for piece in several] == ["Two", "Two words", "Two words"]
    for request in server.requests:
        assert request.messages == [{"role": "user", "content": [{"text": "Hi."}]}]
        assert request.parameters["seed"] == 1


def test_thoughts(call_model: CallModel, server: LocalDashScope) -> None:
    usage = {
        "prompt_tokens": 1,
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    server.script(Reply("Yes. No.", reasoning="Hm. Well.", usage=usage))
    *pieces, last = call_model(llm_at(server, OMNI), HI)
    assert last.message.blocks == [
        ThinkingBlock(content="Hm. Well.", num_tokens=3),
        TextBlock(text="Yes. No."),
    ]
    if pieces:
        thought = [piece.additional_kwargs.get("thinking_delta") or "" for piece in pieces]
        assert "".join(thought) == "Hm. Well."
        assert pieces[0].message.blocks[0] == ThinkingBlock(content=thought[0])
        assert "".join(piece.delta or "" for piece in pieces) == "Yes. No."


def test_speech(call_model: CallModel, server: LocalDashScope) -> None:
    pcm = bytes(range(256)) * 40
    server.script(Reply("Hello.", audio=pcm))
    llm = llm_at(server, "qwen3.5-omni-flash", modalities=["text", "audio"], voice="Tina")
    *pieces, last = call_model(llm, HI)
    text, speech = last.message.blocks
    assert text == TextBlock(text="Hello.")
    assert isinstance(speech, AudioBlock)
    wav = speech.resolve_audio().read()
    assert wav.endswith(pcm)
    assert Audio.from_bytes(wav).duration_s == pytest.approx(len(pcm) / 48_000, abs=1e-3)
    for piece in pieces:
        assert all(isinstance(block, TextBlock) for block in piece.message.blocks)
    if pieces:  # what it sounds like comes as it is spoken
        assert sum("base64" in str(piece.raw.content) for piece in pieces if piece.raw) > 0


def test_breaking_off_a_stream_ends_it(server: LocalDashScope, llm: QwenAudio) -> None:
    server.script(*[Reply(fragments=("a",) * 50, pause_s=1.0)] * 2)
    started = time.monotonic()
    stream = llm.stream_chat(HI)
    assert next(stream).delta == "a"
    stream.close()

    async def later() -> None:
        async for piece in await llm.astream_chat(HI):
            assert piece.delta == "a"
            break

    asyncio.run(later())
    assert time.monotonic() - started < 40


# --- what is requested ------------------------------------------------------------------------


def test_zero_stays_zero(call_model: CallModel, server: LocalDashScope) -> None:
    for temperature in (0.0, 0.7, None):
        call_model(llm_at(server, QWEN_AUDIO, temperature=temperature), HI)
        sent = server.requests[-1].parameters
        assert sent.get("temperature") == temperature
        assert ("temperature" in sent) == (temperature is not None)


def test_a_call_may_say_otherwise(call_model: CallModel, server: LocalDashScope) -> None:
    call_model(
        llm_at(server, QWEN_AUDIO, temperature=0.7), HI, temperature=0.0, model=OMNI, stop=["x"]
    )
    (request,) = server.requests
    assert request.json["model"] == OMNI
    assert request.parameters["temperature"] == 0.0
    assert request.parameters["stop"] == ["x"]


def test_fields_are_those_of_chat_qwen_audio(server: LocalDashScope) -> None:
    for name in ("model", "temperature", "max_tokens", "timeout", "max_retries", "base_url"):
        assert QwenAudio.model_fields[name].default == ChatQwenAudio.model_fields[name].get_default(
            call_default_factory=True
        ), name
    llm = llm_at(server, OMNI, long_audio="error", max_tokens=5, timeout=3, max_retries=0, top_k=2)
    model = llm.chat_model
    assert (model.long_audio, model.max_tokens, model.timeout) == ("error", 5, 3)
    assert (model.max_retries, model.top_k, model.model) == (0, 2, OMNI)
    assert model.base_url == server.base_url


def test_fields_may_change(server: LocalDashScope, llm: QwenAudio) -> None:
    llm.temperature = 0.0
    llm.model = OMNI
    llm.additional_kwargs["seed"] = 7
    llm.chat(HI)
    (request,) = server.requests
    assert (request.json["model"], request.parameters["temperature"]) == (OMNI, 0.0)
    assert request.parameters["seed"] == 7
    assert llm.metadata.model_name == OMNI


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, server: LocalDashScope) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-env")
    monkeypatch.setenv("DASHSCOPE_BASE_URL", server.base_url)
    QwenAudio(api_key=None).chat(HI)
    assert server.requests[0].headers["authorization"] == "Bearer sk-env"


def test_other_names_of_fields() -> None:
    llm = QwenAudio.model_validate({"model_name": OMNI, "dashscope_api_key": "sk-1"})
    assert llm.model == OMNI
    assert llm.chat_model.api_key.get_secret_value() == "sk-1"


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({}, "no API key: set the environment variable DASHSCOPE_API_KEY"),
    ({"api_key": "sk-secret", "temprature": 1}, "temprature: Extra inputs"),
    ({"api_key": "sk-secret", "long_audio": "perhaps"}, "long_audio: Input should be"),
    ({"api_key": "sk-secret secret"}, "white space"),
    ({"api_key": ["sk-secret"]}, "api_key"),
    ({"additional_kwargs": {"api_key": "sk-secret"}}, "additional_kwargs names api_key"),
    ({"additional_kwargs": {"dashscope_api_key": "sk-secret"}}, "names dashscope_api_key"),
]


def test_wrong_fields(monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests) -> None:
    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    for fields, match in WRONG_FIELDS:
        with subtests.test(match):
            with pytest.raises(ValidationError, match=match) as caught:
                QwenAudio(**fields)
            assert "secret" not in str(caught.value)


METADATA = {  # the window is what goes in and what comes out
    QWEN_AUDIO: (6_144 + 2_048, 2_048, True),
    OMNI: (991_808 + 131_072, 131_072, True),
    ASR: (3_900, 256, False),  # not known: LlamaIndex's own numbers
    "qwen3-omni-30b-a3b-captioner": (32_768 * 2, 32_768, False),
}


def test_metadata() -> None:
    for model, told in METADATA.items():
        metadata = QwenAudio(model=model, api_key="local").metadata
        found = metadata.context_window, metadata.num_output, metadata.is_function_calling_model
        assert found == told, model
        assert (metadata.is_chat_model, metadata.model_name) == (True, model)


def test_metadata_as_told() -> None:
    told = QwenAudio(api_key="local", max_tokens=100)
    assert (told.metadata.context_window, told.metadata.num_output) == (6_244, 100)
    told = QwenAudio(api_key="local", model="qwen3.5-omni-flash", context_window=65_536)
    assert told.metadata.context_window == 65_536
    with pytest.raises(NotFoundError, match="retired"):
        _ = QwenAudio(api_key="local", model="qwen-audio-chat").metadata


# --- errors -----------------------------------------------------------------------------------

FAILURES: dict[str, tuple[RawReply, type[QwenAudioError]]] = {
    "wrong key": (error_reply(401, "InvalidApiKey", "no"), AuthenticationError),
    "throttled": (error_reply(429, "Throttling.RateQuota", "slow"), RateLimitError),
    "moderated": (error_reply(400, "DataInspectionFailed", "no"), ContentFilterError),
    "unknown": (error_reply(404, "ModelNotFound", "none"), NotFoundError),
}


def test_errors_raise(
    call_model: CallModel, server: LocalDashScope, subtests: pytest.Subtests
) -> None:
    llm = llm_at(server, QWEN_AUDIO, max_retries=0)
    for name, (reply, error) in FAILURES.items():
        server.script(reply)
        with subtests.test(name), pytest.raises(error):
            call_model(llm, HI)


def test_errors_of_completions_raise(server: LocalDashScope) -> None:
    llm = llm_at(server, QWEN_AUDIO, max_retries=0)
    server.script(*[FAILURES["wrong key"][0]] * 3)
    with pytest.raises(AuthenticationError):
        llm.complete("Hi.")
    with pytest.raises(AuthenticationError):
        list(llm.stream_complete("Hi."))
    with pytest.raises(AuthenticationError):
        llm.predict(PromptTemplate("Hi."))


def test_a_stream_that_breaks_off_is_no_answer(streamed: CallModel, server: LocalDashScope) -> None:
    server.script(faults.sse(faults.event("Half"), RESET))
    with pytest.raises(StreamInterruptedError) as caught:
        streamed(llm_at(server, QWEN_AUDIO, max_retries=0), HI)
    assert caught.value.text == "Half"


def test_patience_ends(server: LocalDashScope) -> None:
    server.script(Reply("late", delay_s=2))
    with pytest.raises(APITimeoutError):
        llm_at(server, QWEN_AUDIO, max_retries=0, timeout=0.2).chat(HI)


@pytest.mark.parametrize("way", [stream_chat, astream_chat])
def test_what_cannot_be_sent_is_refused_at_once(server: LocalDashScope, way: CallModel) -> None:
    with pytest.raises(MessageError, match="takes a recording and no text"):
        way(llm_at(server, ASR), HI)
    assert server.requests == []


# --- events -----------------------------------------------------------------------------------


class Recorder(BaseEventHandler):
    """Remembers the names of events."""

    _seen: list[BaseEvent] = PrivateAttr(default_factory=list)

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self._seen.append(event)

    @property
    def names(self) -> list[str]:
        return [event.class_name() for event in self._seen]


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(recorder)
    yield recorder
    dispatcher.event_handlers.remove(recorder)


def test_instrumentation(call_model: CallModel, llm: QwenAudio, recorder: Recorder) -> None:
    responses = call_model(llm, HI)
    between = ["LLMChatInProgressEvent"] * (
        len(responses) if "stream" in call_model.__name__ else 0
    )
    assert recorder.names == ["LLMChatStartEvent", *between, "LLMChatEndEvent"]
    assert "local" not in str([event.model_dump() for event in recorder._seen])


def test_instrumentation_of_completions(llm: QwenAudio, recorder: Recorder) -> None:
    llm.complete("Hi.")
    assert recorder.names == ["LLMCompletionStartEvent", "LLMCompletionEndEvent"]


def test_instrumentation_of_errors(server: LocalDashScope, recorder: Recorder) -> None:
    server.script(FAILURES["wrong key"][0])
    with pytest.raises(AuthenticationError):
        list(llm_at(server, QWEN_AUDIO, max_retries=0).stream_chat(HI))
    assert recorder.names == ["LLMChatStartEvent", "ExceptionEvent"]


def test_callbacks_count_what_the_service_counts(
    call_model: CallModel, server: LocalDashScope
) -> None:
    server.script(Reply("Two words", usage=USAGE))
    counter = TokenCountingHandler(tokenizer=str.split)
    call_model(llm_at(server, QWEN_AUDIO, callback_manager=CallbackManager([counter])), HI)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (118, 10)


def test_llama_index_may_slow_it_down(server: LocalDashScope) -> None:
    limiter = TokenBucketRateLimiter(requests_per_minute=600)
    llm = llm_at(server, QWEN_AUDIO, rate_limiter=limiter)
    assert llm.chat(HI).message.content == "ok"
    assert asyncio.run(llm.achat(HI)).message.content == "ok"


# --- tools ------------------------------------------------------------------------------------


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def forty() -> int:
    """Return forty."""
    return 40


ADD, FORTY = FunctionTool.from_defaults(add), FunctionTool.from_defaults(forty)
CALL = {"name": "add", "arguments": {"a": 2, "b": 3}, "id": "call_1"}
WITH_TOOLS = pytest.mark.parametrize("model", [QWEN_AUDIO, OMNI])


def use(
    call_model: CallModel, llm: QwenAudio, *tools: FunctionTool, **options: Any
) -> list[ChatResponse]:
    """Call with tools, in the same of the four ways."""
    if call_model is chat:
        return [llm.chat_with_tools(tools, "2 + 3?", **options)]
    if call_model is achat:
        return [asyncio.run(llm.achat_with_tools(tools, "2 + 3?", **options))]
    if call_model is stream_chat:
        return list(llm.stream_chat_with_tools(tools, "2 + 3?", **options))

    async def collect() -> list[ChatResponse]:
        found = await llm.astream_chat_with_tools(tools, "2 + 3?", **options)
        return [response async for response in found]

    return asyncio.run(collect())


@WITH_TOOLS
def test_calls(call_model: CallModel, server: LocalDashScope, model: str) -> None:
    llm = llm_at(server, model)
    assert isinstance(llm, FunctionCallingLLM)
    server.script(Reply("Let me see.", tool_calls=[CALL]))
    *pieces, last = use(call_model, llm, ADD)
    text, call = last.message.blocks
    assert isinstance(text, TextBlock)
    assert text.text.strip() == "Let me see."
    assert isinstance(call, ToolCallBlock)
    assert (call.tool_name, call.tool_kwargs) == ("add", {"a": 2, "b": 3})
    (selection,) = llm.get_tool_calls_from_response(last)
    assert selection.tool_id == call.tool_call_id
    assert selection.tool_id
    assert (selection.tool_name, selection.tool_kwargs) == ("add", {"a": 2, "b": 3})
    for piece in pieces:  # half a call is none yet, or one with less
        for so_far in llm.get_tool_calls_from_response(piece, error_on_no_tool_call=False):
            assert so_far.tool_kwargs.items() <= {"a": 2, "b": 3}.items()


CHOICES: list[tuple[dict[str, Any], Any]] = [
    ({}, None),
    ({"tool_required": True}, "required"),
    ({"tool_choice": "auto"}, "auto"),
    ({"tool_choice": "required"}, "required"),
    ({"tool_choice": "none"}, "none"),
    ({"tool_choice": "add"}, {"type": "function", "function": {"name": "add"}}),
    (
        {"tool_choice": {"type": "function", "function": {"name": "add"}}},
        {"type": "function", "function": {"name": "add"}},
    ),
]


def test_what_must_be_called(server: LocalDashScope) -> None:
    llm = llm_at(server, "qwen3.5-omni-flash")
    for options, choice in CHOICES:
        llm.chat_with_tools([ADD, FORTY], "2 + 3?", **options)
        parameters = server.requests[-1].parameters
        assert [tool["function"]["name"] for tool in parameters["tools"]] == ["add", "forty"]
        assert parameters["tools"][0]["function"]["description"].endswith("Add two numbers.")
        assert parameters.get("tool_choice") == choice, options
        assert parameters["parallel_tool_calls"] is False, options


@WITH_TOOLS
def test_one_call_where_one_was_requested(server: LocalDashScope, model: str) -> None:
    twice = [CALL, {**CALL, "id": "call_2"}]
    llm = llm_at(server, model)
    for parallel, expected in ((False, 1), (True, 2)):
        server.script(Reply(tool_calls=twice))
        found = llm.chat_with_tools([ADD], "2 + 3?", allow_parallel_tool_calls=parallel)
        assert len(llm.get_tool_calls_from_response(found)) == expected
        assert len(found.message.additional_kwargs["tool_calls"]) == expected


@WITH_TOOLS
def test_predict_and_call(server: LocalDashScope, model: str) -> None:
    llm = llm_at(server, model)
    server.script(*[Reply(tool_calls=[CALL])] * 2)
    assert llm.predict_and_call([ADD], "2 + 3?").response == "5"
    assert asyncio.run(llm.apredict_and_call([ADD], "2 + 3?")).response == "5"


def test_no_call_is_an_error_unless_it_is_not(server: LocalDashScope, llm: QwenAudio) -> None:
    with pytest.raises(ValueError, match="a tool call was expected, and 'ok' came"):
        llm.predict_and_call([ADD], "2 + 3?")
    assert llm.predict_and_call([ADD], "?", error_on_no_tool_call=False).response == "ok"


def test_a_call_that_is_not_well_formed(call_model: CallModel, server: LocalDashScope) -> None:
    llm = llm_at(server, OMNI)
    server.script(Reply(tool_calls=[{**CALL, "arguments": "[1"}]))
    *_, last = use(call_model, llm, ADD)
    (selection,) = llm.get_tool_calls_from_response(last)
    assert selection.tool_kwargs == {}, "the tool says what is missing"


def test_no_tools_are_no_tools(server: LocalDashScope, llm: QwenAudio) -> None:
    llm.chat_with_tools([], "Hi.", tool_required=True)
    (request,) = server.requests
    assert request.parameters == {"result_format": "message"}
    assert len(request.messages) == 1


def test_the_history_comes_first(server: LocalDashScope, llm: QwenAudio) -> None:
    history = [ChatMessage("One."), ChatMessage(role="assistant", content="Two.")]
    llm.chat_with_tools([], ChatMessage(blocks=[AudioBlock(audio=WAV)]), history)
    roles = [message["role"] for message in server.requests[0].messages]
    assert roles == ["user", "assistant", "user"]
    assert len(history) == 2


def test_a_model_that_calls_nothing_says_so(server: LocalDashScope) -> None:
    llm = llm_at(server, ASR)
    with pytest.raises(InvalidRequestError, match="it calls no tools"):
        llm.predict_and_call([ADD], "2 + 3?")
    with pytest.raises(InvalidRequestError, match="it calls no tools"):
        asyncio.run(llm.apredict_and_call([ADD], "2 + 3?"))
    with pytest.raises(InvalidRequestError, match="it calls no tools"):
        llm.chat_with_tools([ADD], "2 + 3?")
    assert server.requests == []


# --- structured output ------------------------------------------------------------------------


class Caller(BaseModel):
    """Who calls, and what for."""

    name: str
    wishes: list[str] = Field(default_factory=list)


ADA = {"name": "Caller", "arguments": {"name": "Ada", "wishes": ["tea"]}}


@WITH_TOOLS
def test_structured_answers_about_a_recording(server: LocalDashScope, model: str) -> None:
    server.script(*[Reply(tool_calls=[ADA])] * 3)
    llm = llm_at(server, model).as_structured_llm(Caller)
    question = [ChatMessage(blocks=[AudioBlock(audio=WAV), TextBlock(text="Who? {}")])]
    ada = Caller(name="Ada", wishes=["tea"])
    assert llm.chat(question).raw == ada
    assert asyncio.run(llm.achat(question)).raw == ada
    assert llm.complete("Who?").raw == ada
    content = server.requests[0].messages[-1]["content"]
    assert "Who? {}" in str(content)
    assert base64.b64encode(WAV).decode() in str(content)


# LlamaIndex calls a method of Pydantic's that Pydantic has renamed.
@pytest.mark.filterwarnings("ignore:The `json` method is deprecated")
def test_structured_answers_piece_by_piece(server: LocalDashScope) -> None:
    server.script(Reply(tool_calls=[ADA]))
    *_, last = llm_at(server, OMNI).as_structured_llm(Caller).stream_chat(HI)
    assert isinstance(last.raw, BaseModel)
    assert last.raw.model_dump() == {"name": "Ada", "wishes": ["tea"]}


def test_what_is_no_such_data_is_an_error(server: LocalDashScope, llm: QwenAudio) -> None:
    with pytest.raises(ValueError, match="a tool call was expected"):
        llm.as_structured_llm(Caller).chat(HI)
    server.script(Reply(tool_calls=[{"name": "Caller", "arguments": {"wishes": "tea"}}]))
    with pytest.raises(ValueError, match="could not be parsed"):
        llm.structured_predict(Caller, PromptTemplate("Who?"))


# --- what is kept -----------------------------------------------------------------------------


@pytest.fixture
def secretive(server: LocalDashScope) -> QwenAudio:
    with httpx.Client(verify=False) as client:
        return QwenAudio(
            base_url=server.base_url,
            api_key="sk-secret",
            temperature=0.0,
            seed=3,
            system_prompt="Be brief.",
            http_client=client,
        )


def test_the_key_is_in_nothing_that_is_shown(secretive: QwenAudio) -> None:
    shown = [
        str(secretive),
        repr(secretive),
        secretive.to_json(),
        str(secretive.to_dict()),
        str(secretive.model_dump()),
        str(secretive.to_payload()),
    ]
    assert "secret" not in "".join(shown)


def test_it_is_made_again_of_its_dict(secretive: QwenAudio) -> None:
    kept = json.loads(secretive.to_json())
    assert kept["additional_kwargs"] == {"seed": 3}
    again = QwenAudio.from_dict(kept, api_key="local")
    assert again.chat(HI).message.content == "ok"
    assert (again.temperature, again.system_prompt) == (0.0, "Be brief.")


def test_it_is_pickled_without_its_key(
    secretive: QwenAudio, server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(secretive)
    assert b"secret" not in pickled
    assert secretive.additional_kwargs.keys() == {"seed", "http_client"}, "it was changed"
    assert secretive.chat_model.api_key.get_secret_value() == "sk-secret"

    monkeypatch.delenv("DASHSCOPE_API_KEY", raising=False)
    keyless = pickle.loads(pickled)  # noqa: S301
    with pytest.raises(ValidationError, match="no API key"):
        keyless.chat(HI)
    monkeypatch.setenv("DASHSCOPE_API_KEY", "sk-env")
    for again in (keyless, pickle.loads(pickled)):  # noqa: S301
        assert again.chat(HI).message.content == "ok"
        assert (again.temperature, again.additional_kwargs) == (0.0, {"seed": 3})
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer sk-env"}


def test_copies_work(llm: QwenAudio) -> None:
    for again in (copy.copy(llm), copy.deepcopy(llm), llm.model_copy(update={"seed": 1})):
        assert again.chat(HI).message.content == "ok"


def test_it_is_a_field_of_other_models(llm: QwenAudio) -> None:
    class Holder(BaseModel):
        llm: QwenAudio

    assert Holder(llm=llm).llm is llm
