"""ChatQwenAudio as LangChain users meet it: fields, calls, streams, threads, loops, the key."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import subprocess
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from langchain.chat_models import init_chat_model
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumpd, dumps, load
from langchain_core.rate_limiters import InMemoryRateLimiter
from langchain_core.runnables import ConfigurableField
from langchain_core.tracers.base import BaseTracer
from pydantic import ValidationError

from langchain_qwen_audio import ChatQwenAudio, errors
from langchain_qwen_audio._pipeline import _service as service
from langchain_qwen_audio.local import (
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    Reply,
    error_reply,
    stream_error_reply,
)
from tests.unit_tests.models import ADD, OMNI_3_8, add
from tests.unit_tests.programs import STRICT

from .conftest import ainvoke, astream, calls_in, invoke, stream
from .waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

    from langchain_core.messages import AIMessageChunk
    from langchain_core.tracers.schemas import Run

    from .conftest import CallModel

KEY = "sk-swordfish-0123456789"

call_model = calls_in(invoke, ainvoke, stream, astream)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "HTTP_BASE_URL", "REGION", "WORKSPACE"):
        monkeypatch.delenv(f"DASHSCOPE_{name}", raising=False)


def echo(request: ReceivedRequest) -> str:
    return f"echo {request.messages[-1]['content'][0]['text']}"


# --- fields -----------------------------------------------------------------------------------


@pytest.mark.disable_socket
def test_construction_touches_no_network() -> None:
    model = ChatQwenAudio(api_key=KEY)
    assert model.model == "qwen-audio-turbo-latest"
    assert model.streaming is False
    assert model.max_retries == 2


@pytest.mark.parametrize(
    ("field", "alias", "value"),
    [
        ("model", "model_name", "qwen-audio-turbo"),
        ("stop", "stop_sequences", ["x"]),
    ],
)
def test_familiar_aliases_work(field: str, alias: str, value: Any) -> None:
    models = [ChatQwenAudio(**{"dashscope_api_key": KEY, name: value}) for name in (field, alias)]
    assert models[0] == models[1]
    assert getattr(models[1], field) == value
    assert models[1].api_key.get_secret_value() == KEY


@pytest.mark.parametrize("name", ["temprature", "openai_api_key", "n", "functions"])
def test_unknown_fields_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        ChatQwenAudio(**{"api_key": KEY, name: 1})


BAD_FIELDS = [{"timeout": 0}, {"timeout": -1}, {"max_retries": -1}, {"region": "moon"}]


@pytest.mark.parametrize("fields", BAD_FIELDS, ids=str)
def test_impossible_values_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(fields))):
        ChatQwenAudio(api_key=KEY, **fields)


@pytest.mark.parametrize("fields", [{}, {"api_key": ""}, {"api_key": "  \n"}], ids=str)
def test_a_missing_key_names_the_variable_and_the_keyless_way(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="DASHSCOPE_API_KEY") as caught:
        ChatQwenAudio(**fields)
    assert "LocalDashScope" in str(caught.value)


ADDRESSES: dict[str, tuple[dict[str, str], dict[str, Any], str]] = {
    "default": ({}, {}, "https://dashscope.aliyuncs.com/api/v1"),
    "region": (
        {},
        {"region": "ap-southeast-1"},
        "https://dashscope-intl.aliyuncs.com/api/v1",
    ),
    "region and workspace": (
        {},
        {"region": "eu-central-1", "workspace": "ws-1"},
        "https://ws-1.eu-central-1.maas.aliyuncs.com/api/v1",
    ),
    "workspace": ({}, {"workspace": "w"}, "https://w.cn-beijing.maas.aliyuncs.com/api/v1"),
    "region of the environment": (
        {"REGION": "us-east-1", "WORKSPACE": "w"},
        {},
        "https://w.us-east-1.maas.aliyuncs.com/api/v1",
    ),
    "SDK 1.x's variable": ({"HTTP_BASE_URL": "http://one/api/v1"}, {}, "http://one/api/v1"),
    "the variable of today wins": (
        {"HTTP_BASE_URL": "http://one/api/v1", "BASE_URL": "http://two/api/v1"},
        {"region": "cn-hongkong"},
        "http://two/api/v1",
    ),
    "the argument wins": (
        {"BASE_URL": "http://two/api/v1"},
        {"base_url": "http://three/api/v1/"},
        "http://three/api/v1",
    ),
}


@pytest.mark.parametrize(("env", "fields", "address"), ADDRESSES.values(), ids=ADDRESSES)
def test_the_address_follows_argument_environment_region(
    monkeypatch: pytest.MonkeyPatch, env: dict[str, str], fields: dict[str, Any], address: str
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(f"DASHSCOPE_{name}", value)
    assert ChatQwenAudio(api_key=KEY, **fields)._identifying_params["base_url"] == address


def test_a_region_without_a_shared_host_requires_the_workspace() -> None:
    with pytest.raises(ValidationError, match="workspace"):
        ChatQwenAudio(api_key=KEY, region="eu-central-1")


def test_key_and_address_come_from_the_environment(
    call_model: CallModel, server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_API_KEY", f"  {KEY}\n")
    monkeypatch.setenv("DASHSCOPE_HTTP_BASE_URL", server.base_url)
    assert call_model(ChatQwenAudio(), "?").content == "ok"
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_workspace_travels_in_its_header(call_model: CallModel, server: LocalDashScope) -> None:
    call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY, workspace="ws-1"), "?")
    call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY), "?")
    sent = [request.headers.get("x-dashscope-workspace") for request in server.requests]
    assert sent == ["ws-1", None]


@pytest.mark.parametrize(
    "workspace", ["ws\n1", "ws-1\r\nx: y", "ws 1", "ws\t1", "业务空间", "\x7f"]
)
def test_a_workspace_that_no_header_can_hold_is_refused(workspace: str) -> None:
    for address in ({}, {"base_url": "http://gateway/api/v1"}):
        with pytest.raises(ValidationError, match="the workspace holds white space"):
            ChatQwenAudio(api_key=KEY, workspace=workspace, **address)


def test_white_space_around_a_workspace_is_left_out(
    call_model: CallModel, server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASHSCOPE_WORKSPACE", " ws-1\n")
    call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY), "?")
    assert server.requests[0].headers["x-dashscope-workspace"] == "ws-1"


@pytest.mark.parametrize("workspace", ["w" * 64, "a.b", "a/b", "me@evil.example/"])
def test_a_workspace_that_no_host_can_be_named_after_is_refused(workspace: str) -> None:
    with pytest.raises(ValidationError, match="expected an id such as 'ws-1'"):
        ChatQwenAudio(api_key=KEY, workspace=workspace)
    ChatQwenAudio(api_key=KEY, workspace=workspace, base_url="http://gateway/api/v1")


# --- parameters -------------------------------------------------------------------------------

PARAMETERS: list[dict[str, Any]] = [
    {
        "temperature": 0.0,
        "top_p": 0.5,
        "top_k": 5,
        "max_tokens": 7,
        "seed": 0,
        "stop": ["x", "y"],
        "repetition_penalty": 1.1,
        "presence_penalty": -0.5,
    },
    {"temperature": 1.5, "stop": "x"},
]


def parameters_sent(call_model: CallModel, server: LocalDashScope) -> dict[str, Any]:
    """What is on the wire besides what is always there."""
    parameters = server.requests[-1].parameters
    assert parameters.pop("result_format") == "message"
    assert parameters.pop("incremental_output", False) is ("stream" in call_model.__name__)
    return parameters


def test_parameters_have_their_places_on_the_wire(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for parameters in PARAMETERS:
        call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY, **parameters), "?")
        assert parameters_sent(call_model, server) == parameters
        call_model(model, "?", **parameters)
        assert parameters_sent(call_model, server) == parameters
        call_model(model.bind(**parameters), "?")
        assert parameters_sent(call_model, server) == parameters


@pytest.fixture
def newer_server() -> Iterator[LocalDashScope]:
    with LocalDashScope(reply="ok", parameters=["newer", "newest", "another"]) as server:
        yield server


def test_one_call_may_override_every_field(
    call_model: CallModel, newer_server: LocalDashScope
) -> None:
    server = newer_server
    model = ChatQwenAudio(
        base_url=server.base_url,
        api_key=KEY,
        temperature=1.0,
        stop=["a"],
        seed=1,
        model_kwargs={"newer": 1},
    )
    message = call_model(
        model,
        "?",
        model="qwen-audio-turbo",
        temperature=0,
        stop=["b"],
        seed=None,
        model_kwargs={"newest": {"x": [2]}},
        another=3,
    )
    assert server.requests[0].json["model"] == "qwen-audio-turbo"
    assert message.response_metadata["model_name"] == "qwen-audio-turbo"
    sent = {"temperature": 0, "stop": ["b"], "newest": {"x": [2]}, "another": 3}
    assert parameters_sent(call_model, server) == sent
    call_model(model, "?")
    assert server.requests[1].json["model"] == "qwen-audio-turbo-latest"
    assert parameters_sent(call_model, server) == {
        "temperature": 1.0, "stop": ["a"], "seed": 1, "newer": 1
    }  # fmt: skip


def test_a_stream_is_incremental_whatever_the_parameters_say(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(Reply(fragments=("ha", "ha")))
    assert call_model(model, "?", model_kwargs={"incremental_output": False}).content == "haha"
    assert parameters_sent(call_model, server) == {}


def test_a_number_that_json_cannot_say_is_refused_by_name(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for number in ("nan", "inf", "-inf"):
        with pytest.raises(errors.InvalidRequestError, match=f"numbers, and top_p is {number}"):
            call_model(model, "?", top_p=float(number))
    assert server.requests == []


def test_an_unknown_model_is_for_the_service_to_refuse(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    with pytest.raises(errors.NotFoundError, match="qwen-audio-max"):
        call_model(model, "?", model="qwen-audio-max")


# --- streams and callbacks --------------------------------------------------------------------


class Listener(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.tags: list[list[str] | None] = []
        self.ended = 0

    def on_chat_model_start(self, *args: Any, tags: list[str] | None = None, **rest: Any) -> None:
        self.tags.append(tags)

    def on_llm_new_token(self, token: Any, **rest: Any) -> None:
        self.tokens.append(token)

    def on_llm_end(self, *args: Any, **rest: Any) -> None:
        self.ended += 1


@pytest.mark.parametrize("fields", [{"streaming": True}, {}], ids=["streaming", "default"])
def test_a_callback_gets_every_fragment_once(
    call_model: CallModel, server: LocalDashScope, fields: dict[str, Any]
) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, **fields)
    server.script(Reply(fragments=("ha", "", "ha", "!")))
    listener = Listener()
    assert call_model(model, "?", config={"callbacks": [listener]}).content == "haha!"
    streams = bool(fields) or "stream" in call_model.__name__
    tokens = [token for token in listener.tokens if token]
    assert tokens == (["ha", "ha", "!"] if streams else [])
    assert listener.ended == 1
    assert ("x-dashscope-sse" in server.requests[0].headers) is streams


def test_a_default_model_streams_and_a_plain_call_does_not(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for way in (invoke, ainvoke, stream, astream):
        way(model, "?")
    assert ["x-dashscope-sse" in request.headers for request in server.requests] == [
        False, False, True, True
    ]  # fmt: skip


def test_fragments_come_before_the_answer_is_complete(
    server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(Reply(fragments=("a", "b"), pause_s=3600))
    first = next(model.stream("?"))
    assert first.content == "a"

    async def afirst() -> str:
        server.script(Reply(fragments=("a", "b"), pause_s=3600))
        events = model.astream("?")
        chunk = await anext(events)
        await events.aclose()
        return chunk.text

    assert asyncio.run(afirst()) == "a"


def test_streams_that_nobody_ends_are_closed_with_their_loop(
    server: LocalDashScope, model: ChatQwenAudio, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(*[Reply(fragments=("a", "b"), pause_s=3600)] * 3)

    async def leave() -> list[AsyncGenerator[AIMessageChunk]]:
        streams = [model.astream("?") for _ in range(3)]
        assert [(await anext(chunks)).text for chunks in streams] == ["a", "a", "a"]
        return streams

    asyncio.run(leave())
    assert caplog.record_tuples == []


def test_with_config_and_bind_compose(server: LocalDashScope, model: ChatQwenAudio) -> None:
    listener = Listener()
    bound = model.bind(stop=["x"]).with_config(tags=["mine"], callbacks=[listener])
    assert bound.invoke("?").content == "ok"
    assert listener.tags == [["mine"]]
    assert server.requests[0].parameters["stop"] == ["x"]


# --- many at once -----------------------------------------------------------------------------


def together(count: int) -> Callable[[ReceivedRequest], str]:
    """Answer nobody before `count` requests wait at the same time."""
    barrier = Barrier(count)

    def reply(request: ReceivedRequest) -> str:
        barrier.wait(timeout=HANG_S)
        return echo(request)

    return reply


def test_one_instance_serves_eight_threads_at_once() -> None:
    with LocalDashScope(reply=together(8)) as server, ThreadPoolExecutor(8) as threads:
        model = ChatQwenAudio(base_url=server.base_url, api_key=KEY)
        answers = threads.map(lambda number: invoke(model, str(number)).content, range(8))
        assert list(answers) == [f"echo {number}" for number in range(8)]


def test_batch_keeps_the_order() -> None:
    questions: list[Any] = [str(number) for number in range(8)]
    with LocalDashScope(reply=together(8)) as server:
        model = ChatQwenAudio(base_url=server.base_url, api_key=KEY)
        answers = model.batch(questions, {"max_concurrency": 8})
    assert [answer.content for answer in answers] == [f"echo {number}" for number in questions]


def test_abatch_needs_no_threads() -> None:
    # 24 calls wait for one another; asyncio's pool on this machine may be far smaller.
    questions: list[Any] = [str(number) for number in range(24)]

    async def call_all(server: LocalDashScope) -> list[Any]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        return await ChatQwenAudio(base_url=server.base_url, api_key=KEY).abatch(questions)

    with LocalDashScope(reply=together(24)) as server:
        answers = asyncio.run(call_all(server))
    assert [answer.content for answer in answers] == [f"echo {number}" for number in questions]


PROGRAMS = {
    "loops, one after another and at once, closed early; what is left in the middle": """
async def stream():
    return "".join([chunk.text async for chunk in model.astream("?")])
for _ in range(3):
    print(asyncio.run(model.ainvoke("?")).content, asyncio.run(stream()))
loop = asyncio.new_event_loop()
loop.run_until_complete(model.ainvoke("?"))
print(model.invoke("?").content)
loop.run_until_complete(model.ainvoke("?"))
loop.run_until_complete(loop.shutdown_asyncgens())
loop.close()

async def call_model():
    for _ in range(5):
        await asyncio.gather(*[model.ainvoke("?") for _ in range(4)])
threads = [threading.Thread(target=lambda: asyncio.run(call_model())) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()

# A loop that is closed without shutting down; streams and calls that are left in the middle.
for _ in range(2):
    loop = asyncio.new_event_loop()
    print(loop.run_until_complete(model.ainvoke("?")).content)
    loop.close()

for chunk in model.stream("?"):
    break
async def leave():
    async for chunk in model.astream("?"):
        break
async def cancel():
    task = asyncio.create_task(model.ainvoke("?"))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return (await model.ainvoke("?")).content
asyncio.run(leave())
print(asyncio.run(cancel()))
""",
    "a program that ends in the middle of a stream": """
chunks = model.stream("?")
next(chunks)
sys.exit()
""",
    "a program that ends in the middle of an async stream": """
async def call_model():
    async for chunk in model.astream("?"):
        sys.exit()
asyncio.run(call_model())
""",
}


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads interrupt each other as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty_threads")
def test_threads_may_make_the_first_calls_of_a_model_at_once() -> None:
    model = ChatQwenAudio(api_key="local")

    def begin() -> None:
        for _ in range(150):
            vars(model).pop("_serialized", None)  # which LangChain makes at a first call
            assert model._serialized["kwargs"]["model"] == model.model

    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(begin) for _ in range(4)]
    assert [it.exception() for it in begun] == [None] * 4


# Each program has its own beginning and end in a fork of a process that has imported the package.
EACH = """
import asyncio, gc, os, sys, threading
import dashscope
from langchain_qwen_audio import ChatQwenAudio
import langchain_qwen_audio._pipeline
url, *programs = sys.argv[1:]
gc.freeze()  # what is imported is not looked through again at each end
for program in programs:
    child = os.fork()
    if child == 0:
        model = ChatQwenAudio(base_url=url, api_key="local")
        exec(program)
        sys.exit()
    if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        sys.exit(f"{code}: {program}")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_loops_come_and_go_without_noise(server: LocalDashScope) -> None:
    programs = [*PROGRAMS.values()]
    done = subprocess.run(
        [sys.executable, "-X", "dev", *STRICT, "-c", EACH, server.base_url, *programs],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
    )
    # asyncio's debug mode also tells of slow steps, which are imports and certificates here.
    noise = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (noise, done.returncode) == ([], 0)
    assert set(done.stdout.split()) == {"ok"}
    assert len(server.requests) > len(programs)


# --- copies -----------------------------------------------------------------------------------

COPIES: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),  # noqa: S301
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
    "model_copy": lambda model: model.model_copy(),
    "dumpd and load": lambda model: load(
        dumpd(model),
        secrets_map={"DASHSCOPE_API_KEY": KEY},
        valid_namespaces=["langchain_qwen_audio"],
        allowed_objects=[ChatQwenAudio],
    ),
}


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_a_copy_is_equal_and_works(call_model: CallModel, server: LocalDashScope) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, temperature=0, stop=["x"])
    call_model(model, "?")
    for way, make_copy in COPIES.items():
        twin = make_copy(model)
        assert twin == model, way
        assert twin is not model, way
        assert call_model(twin, "?").content == "ok", way
        assert server.requests[-1].json == server.requests[0].json, way
        assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}", way
    assert len(server.requests) == 1 + len(COPIES)


# --- the key ----------------------------------------------------------------------------------


class Tracer(BaseTracer):
    """Collects all that a trace would hold."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def _persist_run(self, run: Run) -> None:
        self.seen += [repr(run), str(run.serialized), str(run.extra), str(run.error)]


SHOWN: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "dumpd": lambda model: str(dumpd(model)),
    "dumps": dumps,
    "model_dump_json": lambda model: model.model_dump_json(),
    "model_dump": lambda model: str(model.model_dump()),
    "asdict": lambda model: str(model.asdict()),
    "identifying parameters": lambda model: str(model._identifying_params),
    "tracing parameters": lambda model: str(model._get_ls_params()),
    "cache key": lambda model: model._get_llm_string(),
    "repr of its service": lambda model: repr(service(model, model.route())),
}


def test_the_key_is_not_shown() -> None:
    model = ChatQwenAudio(api_key=KEY)
    shown = {way: show(model) for way, show in SHOWN.items()}
    assert all(shown.values())
    assert [way for way, text in shown.items() if KEY in text] == []


def test_the_key_is_in_no_trace(call_model: CallModel, server: LocalDashScope) -> None:
    tracer = Tracer()
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY)
    call_model(model, "?", config={"callbacks": [tracer]})
    server.script(error_reply(401, "InvalidApiKey", f"Incorrect API key provided: {KEY}."))
    with pytest.raises(errors.AuthenticationError):
        call_model(model, "?", config={"callbacks": [tracer]})
    assert len(tracer.seen) == 8
    assert KEY not in "".join(tracer.seen)


@pytest.mark.parametrize("fields", [{"temperature": "hot"}, {"region": "eu-central-1"}, {"x": 1}])
def test_the_key_is_in_no_validation_error(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        ChatQwenAudio(api_key=KEY, **fields)
    assert KEY not in str(caught.value) + repr(caught.value)
    assert KEY not in caught.value.json()


ECHOES = {
    "as JSON": error_reply(401, "InvalidApiKey", f"Incorrect API key provided: {KEY}."),
    "as HTML": RawReply(401, {"content-type": "text/html"}, [f"<p>{KEY}</p>".encode()]),
    "in a header": error_reply(401, "InvalidApiKey", "no", headers={"x-echo": KEY}),
    "within a 200": RawReply(
        200,
        {"content-type": "application/json"},
        [json.dumps({"code": "InvalidApiKey", "message": KEY}).encode()],
    ),
}


def test_the_key_is_in_no_error_even_if_the_service_echoes_it(
    call_model: CallModel, server: LocalDashScope
) -> None:
    for where, reply in ECHOES.items():
        server.script(reply)
        with pytest.raises(errors.AuthenticationError) as caught:
            call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY), "?")
        error = caught.value
        shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
        shown += traceback.format_exception(error)
        assert KEY not in "".join(shown), where


# --- what LangChain expects of a model --------------------------------------------------------


def test_the_profile_says_what_the_model_takes() -> None:
    for name, max_input_tokens in (("qwen-audio-turbo-latest", 6_144), ("qwen-audio-turbo", 6_000)):
        profile = ChatQwenAudio(api_key=KEY, model=name).profile
        assert profile is not None
        assert profile["max_input_tokens"] == max_input_tokens
        assert profile["audio_inputs"] is True
        assert profile["image_inputs"] is False


def test_tracing_parameters_are_langsmiths() -> None:
    model = ChatQwenAudio(api_key=KEY, temperature=0.0, max_tokens=7, stop="x")
    assert model._get_ls_params() == {
        "ls_provider": "dashscope",
        "ls_model_type": "chat",
        "ls_model_name": "qwen-audio-turbo-latest",
        "ls_temperature": 0.0,
        "ls_max_tokens": 7,
        "ls_stop": ["x"],
    }
    overridden = model._get_ls_params(stop=["y"], model="other", temperature=1.0)
    assert overridden["ls_stop"] == ["y"]
    assert overridden["ls_model_name"] == "other"
    assert overridden["ls_temperature"] == 1.0


def test_serialization_leaves_the_key_to_the_environment() -> None:
    model = ChatQwenAudio(api_key=KEY)
    assert model.lc_secrets == {"api_key": "DASHSCOPE_API_KEY"}
    assert dumpd(model)["kwargs"]["api_key"] == {
        "lc": 1, "type": "secret", "id": ["DASHSCOPE_API_KEY"]
    }  # fmt: skip


@pytest.mark.parametrize("way", [invoke, ainvoke])
def test_a_cache_hit_makes_no_request(server: LocalDashScope, way: CallModel) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, cache=InMemoryCache())
    assert way(model, "?").content == way(model, "?").content == "ok"
    assert len(server.requests) == 1
    way(model, "?", temperature=0)
    way(
        ChatQwenAudio(base_url=server.base_url, api_key=KEY, seed=1, cache=model.cache),
        "?",
    )
    assert len(server.requests) == 3


class CountingLimiter(InMemoryRateLimiter):
    acquired = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.acquired += 1
        return super().acquire(blocking=blocking)

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.acquired += 1
        return await super().aacquire(blocking=blocking)


def test_a_rate_limiter_is_used_once_a_call(call_model: CallModel, server: LocalDashScope) -> None:
    limiter = CountingLimiter(requests_per_second=1_000, check_every_n_seconds=0.001)
    call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY, rate_limiter=limiter), "?")
    assert limiter.acquired == 1


# --- the user's own connections ---------------------------------------------------------------

MINE = {"x-mine": "yes"}
REFUSED = RawReply(
    200,
    {"content-type": "application/json"},
    [b'{"code":"InvalidParameter","message":"The audio is empty"}'],
)


@pytest.fixture
def own_http() -> Iterator[httpx.Client]:
    with httpx.Client(headers=MINE, trust_env=False) as http:
        yield http


def test_the_users_own_http_client_is_used(server: LocalDashScope, own_http: httpx.Client) -> None:
    model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, http_client=own_http)
    for way in (invoke, stream):
        assert way(model, "?").content == "ok"
        server.script(REFUSED)
        with pytest.raises(errors.InvalidRequestError, match="The audio is empty"):
            way(model, "?")
    assert [request.headers["x-mine"] for request in server.requests] == ["yes"] * 4
    assert not own_http.is_closed


async def test_the_users_own_async_http_client_is_used(server: LocalDashScope) -> None:
    async with httpx.AsyncClient(headers=MINE, trust_env=False) as own:
        model = ChatQwenAudio(base_url=server.base_url, api_key=KEY, http_async_client=own)
        assert (await model.ainvoke("?")).content == "ok"
        assert "".join([chunk.text async for chunk in model.astream("?")]) == "ok"
        server.script(REFUSED, REFUSED)
        with pytest.raises(errors.InvalidRequestError, match="The audio is empty"):
            await model.ainvoke("?")
        with pytest.raises(errors.InvalidRequestError, match="The audio is empty"):
            await anext(model.astream("?"))
        assert not own.is_closed
    assert [request.headers["x-mine"] for request in server.requests] == ["yes"] * 4


def test_two_models_share_connections_but_not_keys(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    other = ChatQwenAudio(base_url=server.base_url, api_key=KEY)
    for one in (model, other, model):
        call_model(one, "?")
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer local", f"Bearer {KEY}", "Bearer local"]


# --- retries ----------------------------------------------------------------------------------

SOON = {"retry-after-ms": "1"}
PASSING = {
    "500": error_reply(500, "InternalError", "try again", headers=SOON),
    "503": error_reply(503, "ModelUnavailable", "try again", headers=SOON),
    "429": error_reply(429, "Throttling.RateQuota", "try again", headers=SOON),
}


def test_two_retries_are_at_most_three_requests(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for number, (status, reply) in enumerate(PASSING.items(), start=1):
        server.script(reply, reply, reply)
        with pytest.raises(errors.QwenAudioError, match="try again"):
            call_model(model, "?", max_retries=2)
        assert len(server.requests) == 3 * number, status


def test_a_retry_may_succeed(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for status, reply in PASSING.items():
        server.clear()
        server.script(reply, reply, Reply(fragments=("ha", "ha")))
        assert call_model(model, "?").content == "haha", status
        first, *rest = server.requests
        assert [request.json for request in rest] == [first.json] * 2, status


LASTING = [
    (400, "InvalidParameter"),
    (401, "InvalidApiKey"),
    (403, "AccessDenied"),
    (404, "ModelNotFound"),
    (400, "DataInspectionFailed"),
]


def test_what_a_retry_cannot_help_is_not_retried(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    for number, (status, code) in enumerate(LASTING, start=1):
        server.script(error_reply(status, code, "no", headers=SOON))
        with pytest.raises(errors.QwenAudioError):
            call_model(model, "?")
        assert len(server.requests) == number, code


@pytest.mark.parametrize("where", ["constructor", "call"])
def test_no_retries_are_one_request(
    call_model: CallModel, server: LocalDashScope, where: str
) -> None:
    server.script(PASSING["500"])
    fields, options = (
        ({"max_retries": 0}, {}) if where == "constructor" else ({}, {"max_retries": 0})
    )
    with pytest.raises(errors.APIError, match="try again"):
        call_model(ChatQwenAudio(base_url=server.base_url, api_key=KEY, **fields), "?", **options)
    assert len(server.requests) == 1


def test_nothing_is_retried_after_the_first_fragment(
    chunks_of: Callable[..., list[AIMessageChunk]], server: LocalDashScope, model: ChatQwenAudio
) -> None:
    server.script(stream_error_reply(["a"], "InternalError", "broke", status=500), "again")
    with pytest.raises(errors.APIError, match="broke"):
        chunks_of(model, "?")
    assert len(server.requests) == 1


# --- chosen at run time -------------------------------------------------------------------------


def test_init_chat_model_does_not_know_the_provider() -> None:
    """When it does one day, docs/models.md is to say so."""
    with pytest.raises(ValueError, match="Unable to infer model provider"):
        init_chat_model("dashscope:qwen3.8-omni-flash")


def test_a_model_is_chosen_by_the_configuration(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    chosen = model.configurable_fields(
        model=ConfigurableField("model"), temperature=ConfigurableField("temperature")
    )
    configured = chosen.with_config(configurable={"model": OMNI_3_8, "temperature": 0.5})
    assert call_model(configured, "?").response_metadata["model_name"] == OMNI_3_8
    assert server.requests[0].json["temperature"] == 0.5
    assert call_model(chosen, "?").response_metadata["model_name"] == model.model


def test_a_model_with_tools_is_chosen_by_the_call(
    call_model: CallModel, server: LocalDashScope, model: ChatQwenAudio
) -> None:
    call_model(model.bind_tools([add]), "?", model=OMNI_3_8)
    assert server.requests[0].json["model"] == OMNI_3_8
    assert server.requests[0].json["tools"] == [ADD]
