"""How clips travel: inline or uploaded, each distinct clip once, and again when it is gone."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import functools
import gc
import itertools
import json
import math
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage

from langchain_qwen_audio import Audio, ChatQwenAudio, errors
from langchain_qwen_audio._media.encoded_audio import EncodedAudio
from langchain_qwen_audio._models.profiles import PROFILES, QWEN_AUDIO, Profile
from langchain_qwen_audio._protocols.native import NativeProtocol
from langchain_qwen_audio._request.clips import ClipOptions, prepare_clips
from langchain_qwen_audio._request.messages import map_messages
from langchain_qwen_audio._request.parts import InlineAudioPart, UploadPart
from langchain_qwen_audio._service import uploads
from langchain_qwen_audio._service.single_flight import SingleFlight
from langchain_qwen_audio.errors import (
    APIError,
    AudioError,
    InvalidRequestError,
    PermissionDeniedError,
)
from langchain_qwen_audio.local import (
    END,
    RESET,
    LocalDashScope,
    RawReply,
    ReceivedRequest,
    error_reply,
)
from tests.unit_tests.conftest import ainvoke, astream, invoke, stream
from tests.unit_tests.faults import HTML, JSON
from tests.unit_tests.models import OMNI_3, OMNI_3_5, OMNI_3_8
from tests.unit_tests.recordings import (
    QUESTION,
    audio_urls,
    encode,
    fresh_tone,
    kinds,
    noise,
    question_about,
    sent_clips,
    tone,
    wav,
)
from tests.unit_tests.rows import each_row, every_mode, two_modes
from tests.unit_tests.waiting import HANG_S, wait_until

if TYPE_CHECKING:
    from tests.unit_tests.conftest import CallModel

FAILURE = error_reply(500, "InternalError", "oops", headers={"retry-after-ms": "1"})
ONE_UPLOAD = {"policy": 1, "upload": 1}


_COUNT = itertools.count()


@functools.cache
def key_of(server: LocalDashScope) -> str:
    """Give each server a key of its own: ports come back, and what is remembered is of a port."""
    return f"key-{next(_COUNT)}"


def model_of(server: LocalDashScope, **fields: Any) -> ChatQwenAudio:
    fields = {"audio_transport": "upload", "api_key": key_of(server), **fields}
    return ChatQwenAudio(base_url=server.base_url, **fields)


def fresh_clip() -> Audio:
    return Audio.from_array(fresh_tone(), 16_000)


def counted(server: LocalDashScope) -> dict[str, int]:
    """Count the requests to a server by kind."""
    return {kind: count for kind, count in Counter(kinds(server)).items() if kind != "generation"}


# --- inline, or not ---------------------------------------------------------------------------


@two_modes
@each_row("transport", ["auto", "inline"])
def test_a_small_clip_travels_inline(
    call_model: CallModel, server: LocalDashScope, transport: str
) -> None:
    data = wav(fresh_tone())
    call_model(model_of(server, audio_transport=transport), question_about(Audio.from_bytes(data)))
    expected = "data:audio/wav;base64," + base64.b64encode(data).decode()
    assert audio_urls(server) == [expected]
    assert counted(server) == {}
    headers = server.requests[-1].headers
    assert headers.get("x-dashscope-ossresourceresolve", "enable") == "enable"


def travelling(size: int, limit: int, transport: str) -> Any:
    """Prepare a clip of `size` bytes for a model that takes data URIs of `limit`."""
    data = wav(tone((size - 44) / 32_000))
    assert len(data) == size
    profile = Profile(max_input_tokens=6_144, max_output_tokens=2_048, max_data_uri_bytes=limit)
    options = ClipOptions(profile, NativeProtocol(), audio_transport=transport)  # type: ignore[arg-type]
    (message,) = prepare_clips(map_messages(question_about(Audio.from_bytes(data))), options, {})
    return message.content[0]


@each_row("size", [1_044, 1_046, 1_048])
def test_a_data_uri_may_be_as_long_as_the_limit_and_no_longer(size: int) -> None:
    uri_size = len("data:audio/wav;base64,") + len(base64.b64encode(bytes(size)))
    for transport in ("auto", "inline"):
        assert isinstance(travelling(size, uri_size, transport), InlineAudioPart)
    assert isinstance(travelling(size, uri_size - 1, "auto"), UploadPart)
    with pytest.raises(AudioError, match=rf"inline it is {uri_size:,} bytes.*{uri_size - 1:,} are"):
        travelling(size, uri_size - 1, "inline")


def test_the_limit_is_that_of_the_service() -> None:
    assert QWEN_AUDIO.max_data_uri_bytes == 10_485_760


# --- the wire ---------------------------------------------------------------------------------

FIELDS = (
    "OSSAccessKeyId",
    "Signature",
    "policy",
    "key",
    "x-oss-object-acl",
    "x-oss-forbid-overwrite",
    "success_action_status",
    "x-oss-content-type",
    "file",
)


@every_mode
def test_an_upload_is_as_the_service_documents_it(
    call_model: CallModel, server: LocalDashScope
) -> None:
    data = wav(fresh_tone())
    call_model(model_of(server, workspace="ws-1"), question_about(Audio.from_bytes(data)))
    policy, upload, question = server.requests

    assert (policy.method, policy.path) == ("GET", "/api/v1/uploads")
    assert policy.query == {"action": "getPolicy", "model": "qwen-audio-turbo-latest"}
    assert policy.headers["authorization"] == f"Bearer {key_of(server)}"
    assert policy.headers["x-dashscope-workspace"] == "ws-1"

    assert (upload.method, upload.path) == ("POST", "/oss")
    assert upload.form.names == FIELDS
    assert upload.form.file == data
    fields = dict(upload.form.fields)
    assert fields["key"].endswith(f"/{upload.form.file_name}")
    assert fields["key"].startswith("dashscope-instant/")
    assert fields["x-oss-content-type"] == "audio/wav"
    assert fields["success_action_status"] == "200"
    assert int(upload.headers["content-length"]) == len(upload.body)
    assert "transfer-encoding" not in upload.headers
    for header in ("authorization", "x-dashscope-workspace", "cookie"):
        assert header not in upload.headers

    assert audio_urls(server) == [f"oss://{fields['key']}"]
    assert question.headers["x-dashscope-ossresourceresolve"] == "enable"


@two_modes
@each_row("name", [OMNI_3, OMNI_3_5, OMNI_3_8])
def test_a_clip_for_omni_is_uploaded_if_the_user_says_so(
    call_model: CallModel, server: LocalDashScope, name: str
) -> None:
    data = wav(fresh_tone())
    call_model(model_of(server, model=name), question_about(Audio.from_bytes(data)))
    policy, upload, question = server.requests
    assert (policy.method, policy.path) == ("GET", "/api/v1/uploads")
    assert policy.query == {"action": "getPolicy", "model": name}
    assert upload.form.file == data
    assert question.path == "/compatible-mode/v1/chat/completions"
    assert question.headers["x-dashscope-ossresourceresolve"] == "enable"
    url = f"oss://{dict(upload.form.fields)['key']}"
    part = {"type": "input_audio", "input_audio": {"data": url, "format": "wav"}}
    assert question.messages[0]["content"][0] == part


def test_otherwise_a_clip_for_omni_is_not_uploaded(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    smaller = dataclasses.replace(PROFILES[OMNI_3_8], max_data_uri_bytes=100_000)
    monkeypatch.setitem(PROFILES, OMNI_3_8, smaller)
    large = Audio.from_bytes(wav(noise(4)))
    model = model_of(server, model=OMNI_3_8, audio_transport="auto")
    model.invoke(question_about(large))
    assert kinds(server) == ["chat"]
    (sent,) = sent_clips(server)
    assert Audio.from_bytes(sent).mime_type == "audio/mpeg"


def test_an_uploaded_clip_for_omni_may_be_large(server: LocalDashScope) -> None:
    data = wav(noise(400))
    model_of(server, model=OMNI_3_8).invoke(question_about(Audio.from_bytes(data)))
    _, upload, _ = server.requests
    assert upload.form.file == data


# --- once -------------------------------------------------------------------------------------


def converse(model: ChatQwenAudio, clip: Audio, calling_modes: list[Any]) -> None:
    """Send one clip, then once more in every further turn, all of it sent each time."""
    history: list[Any] = question_about(clip)
    for way in calling_modes:
        reply = way(model, history)
        history = [*history, AIMessage(reply.content), HumanMessage([QUESTION])]


CONVERSATIONS = {
    "sync": [invoke] * 10,
    "async": [ainvoke] * 10,
    "mixed": [invoke, ainvoke, stream, astream, invoke, astream, ainvoke, stream, ainvoke, invoke],
}


@each_row("calling_modes", CONVERSATIONS)
def test_ten_turns_about_one_clip_upload_it_once(
    server: LocalDashScope, calling_modes: list[Any]
) -> None:
    converse(model_of(server), fresh_clip(), calling_modes)
    assert counted(server) == ONE_UPLOAD
    assert kinds(server).count("generation") == 10
    urls = [url for request in server.requests[2:] for url in urls_of(request)]
    assert len(urls) == 10
    assert len(set(urls)) == 1


def urls_of(request: ReceivedRequest) -> list[str]:
    parts = (part for message in request.messages for part in message["content"])
    return [part["audio"] for part in parts if "audio" in part]


@each_row("is_async", [False, True])
def test_ten_calls_at_once_upload_a_clip_once(server: LocalDashScope, is_async: bool) -> None:
    model, messages = model_of(server), question_about(fresh_clip())
    if is_async:

        async def together() -> None:
            await asyncio.gather(*(model.ainvoke(messages) for _ in range(10)))

        asyncio.run(together())
    else:
        with ThreadPoolExecutor(10) as pool:
            list(pool.map(lambda _: model.invoke(messages), range(10)))
    assert counted(server) == ONE_UPLOAD
    assert kinds(server).count("generation") == 10


@pytest.mark.parametrize("is_async", [False, True], ids=["threads", "tasks"])
def test_calls_on_one_clip_share_the_outcome_of_its_upload(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch, *, is_async: bool
) -> None:
    joined: list[Any] = []
    join = SingleFlight._join

    def counted_join(self: SingleFlight, key: Any) -> Any:
        found = join(self, key)
        joined.append(key)
        return found

    def hold(_request: httpx.Request) -> None:
        wait_until(lambda: len(joined) >= 20)

    async def ahold(request: httpx.Request) -> None:
        await asyncio.to_thread(hold, request)

    async def tasks() -> list[Any]:
        async with httpx.AsyncClient(event_hooks={"request": [ahold]}, verify=False) as http:
            model = model_of(server, max_retries=2, http_async_client=http)
            calls = (model.ainvoke(messages) for _ in range(20))
            return await asyncio.gather(*calls, return_exceptions=True)

    def threads() -> list[Any]:
        with (
            httpx.Client(event_hooks={"request": [hold]}, verify=False) as http,
            ThreadPoolExecutor(20) as pool,
        ):
            model = model_of(server, max_retries=2, http_client=http)
            calls = [pool.submit(model.invoke, messages) for _ in range(20)]
            return [call.exception() for call in calls]

    monkeypatch.setattr(SingleFlight, "_join", counted_join)
    server.script_policy(*[FAILURE] * 60)
    messages = question_about(fresh_clip())
    ends = asyncio.run(tasks()) if is_async else threads()
    assert [str(end) for end in ends] == [str(ends[0])] * 20
    assert isinstance(ends[0], APIError)
    assert counted(server) == {"policy": 3}


@two_modes
def test_no_clip_is_kept_once_it_is_uploaded(call_model: CallModel, server: LocalDashScope) -> None:
    model, clip = model_of(server), fresh_clip()
    call_model(model, question_about(clip))
    kept, digest = weakref.ref(clip), clip.digest
    del clip
    gc.collect()
    assert kept() is None
    held = [it for it in gc.get_objects() if isinstance(it, Audio) and it.digest == digest]
    assert held == []


def test_when_an_upload_fails_no_other_is_waited_for(
    call_model: CallModel, server: LocalDashScope
) -> None:
    refusal = error_reply(400, "InvalidParameter", "bad")
    server.script_upload(refusal, *[RawReply(steps=(math.inf,))] * 3)
    clips = [fresh_clip() for _ in range(4)]
    with pytest.raises(InvalidRequestError, match="bad"):
        call_model(model_of(server, max_retries=0), question_about(*clips))


def test_after_a_failed_upload_none_that_waits_is_begun(server: LocalDashScope) -> None:
    never = RawReply(steps=(math.inf,))
    refusal = error_reply(400, "InvalidParameter", "bad")
    server.script_upload(*[never] * (uploads.AT_ONCE - 1), refusal, *[never] * 4)
    before = set(threading.enumerate())

    def running() -> int:
        return sum(it.name == "uploading" for it in set(threading.enumerate()) - before)

    def begun() -> int:
        return counted(server)["upload"]

    clips = [fresh_clip() for _ in range(uploads.AT_ONCE + 4)]
    with pytest.raises(InvalidRequestError, match="bad"):
        model_of(server, max_retries=0).invoke(question_about(*clips))
    wait_until(lambda: running() == uploads.AT_ONCE - 1 or begun() > uploads.AT_ONCE)
    assert begun() == uploads.AT_ONCE


@every_mode
def test_each_distinct_clip_of_a_message_is_uploaded_once(
    call_model: CallModel, server: LocalDashScope
) -> None:
    one, two, three = (wav(fresh_tone()) for _ in range(3))
    order = [one, two, one, three, two]
    call_model(model_of(server), question_about(*map(Audio.from_bytes, order)))
    assert counted(server)["upload"] == 3
    assert sent_clips(server) == order


@two_modes
def test_the_parts_of_a_long_clip_are_uploaded_each(
    call_model: CallModel, server: LocalDashScope
) -> None:
    samples = tone(61, hertz=311.137)
    call_model(model_of(server), question_about(Audio.from_array(samples, 16_000)))
    assert counted(server)["upload"] == 3
    assert len(sent_clips(server)) == 3


def test_one_policy_serves_all_uploads_while_it_lives(server: LocalDashScope) -> None:
    model = model_of(server)
    for _ in range(3):
        model.invoke(question_about(fresh_clip()))
    assert counted(server) == {"policy": 1, "upload": 3}


@every_mode
def test_an_expired_policy_is_requested_again(call_model: CallModel) -> None:
    with LocalDashScope(reply="ok", policy_expires_in_s=1) as server:
        for _ in range(3):
            call_model(model_of(server), question_about(fresh_clip()))
        assert counted(server) == {"policy": 3, "upload": 3}


# --- gone -------------------------------------------------------------------------------------


@every_mode
def test_a_forgotten_upload_is_repeated_once(call_model: CallModel, server: LocalDashScope) -> None:
    model, messages = model_of(server, max_retries=0), question_about(fresh_clip(), fresh_clip())
    call_model(model, messages)
    server.forget_uploads()
    server.clear()
    assert call_model(model, messages).content == "ok"
    assert kinds(server).count("generation") == 2
    assert counted(server)["upload"] == 2
    server.clear()
    call_model(model, messages)
    assert kinds(server) == ["generation"]


@every_mode
def test_an_upload_that_disappears_twice_ends_in_the_services_error(
    call_model: CallModel, server: LocalDashScope
) -> None:
    model, messages = model_of(server, max_retries=0), question_about(fresh_clip())
    call_model(model, messages)
    server.clear()
    gone = error_reply(400, "InvalidParameter", "Failed to download multimodal content: gone")
    server.script(gone, gone)
    with pytest.raises(InvalidRequestError, match="Failed to download multimodal content"):
        call_model(model, messages)
    assert kinds(server).count("generation") == 2
    assert counted(server)["upload"] == 1


@every_mode
def test_a_url_of_the_users_own_that_is_gone_is_not_tried_again(
    call_model: CallModel, server: LocalDashScope
) -> None:
    with pytest.raises(InvalidRequestError, match="no such temporary file"):
        call_model(
            model_of(server, max_retries=0), question_about("oss://dashscope-instant/gone.wav")
        )
    assert kinds(server) == ["generation"]


# --- whose ------------------------------------------------------------------------------------


@two_modes
def test_accounts_and_models_never_share_an_upload(
    call_model: CallModel, server: LocalDashScope
) -> None:
    messages = question_about(fresh_clip())
    keys = [f"{key_of(server)}-one", f"{key_of(server)}-two"]
    owners = list(itertools.product(keys, ["qwen-audio-turbo", "qwen-audio-turbo-latest"]))
    for _ in range(2):
        for key, name in owners:
            call_model(model_of(server, api_key=key, model=name), messages)
    assert counted(server) == {"policy": 4, "upload": 4}
    used: dict[Any, set[str]] = {}
    for request in server.requests:
        if request.kind == "generation":
            owner = request.headers["authorization"], request.json["model"]
            used.setdefault(owner, set()).update(urls_of(request))
    assert len(used) == 4
    assert all(len(urls) == 1 for urls in used.values())
    assert len(set.union(*used.values())) == 4


@every_mode
def test_hosts_never_share_an_upload(call_model: CallModel, server: LocalDashScope) -> None:
    messages = question_about(fresh_clip())
    with LocalDashScope(reply="ok") as other:
        for _ in range(2):
            for host in (server, other):
                call_model(model_of(host), messages)
        assert counted(server) == counted(other) == ONE_UPLOAD
        assert audio_urls(server) != audio_urls(other)


# --- retries ----------------------------------------------------------------------------------


@two_modes
@each_row("step", ["policy", "upload"])
@each_row("max_retries", [0, 1, 3])
def test_a_failing_upload_is_tried_as_often_as_max_retries_says(
    call_model: CallModel, server: LocalDashScope, step: str, max_retries: int
) -> None:
    (server.script_policy if step == "policy" else server.script_upload)(*[FAILURE] * 20)
    with pytest.raises(APIError, match="oops"):
        call_model(model_of(server, max_retries=max_retries), question_about(fresh_clip()))
    assert counted(server)[step] == max_retries + 1
    assert "generation" not in kinds(server)


@two_modes
@each_row("step", ["policy", "upload"])
def test_an_upload_recovers_from_a_failure(
    call_model: CallModel, server: LocalDashScope, step: str
) -> None:
    (server.script_policy if step == "policy" else server.script_upload)(FAILURE, FAILURE)
    call_model(model_of(server, max_retries=2), question_about(fresh_clip()))
    assert counted(server)[step] == 3
    assert kinds(server).count("generation") == 1
    assert len(sent_clips(server)) == 1


@two_modes
@each_row("step", ["policy", "upload"])
def test_a_refused_upload_is_not_tried_again(
    call_model: CallModel, server: LocalDashScope, step: str
) -> None:
    refusal = error_reply(400, "InvalidParameter", "no", headers={"retry-after-ms": "1"})
    (server.script_policy if step == "policy" else server.script_upload)(refusal)
    with pytest.raises(InvalidRequestError, match="no"):
        call_model(model_of(server, max_retries=3), question_about(fresh_clip()))
    assert counted(server)[step] == 1


@every_mode
def test_a_policy_that_storage_refuses_is_not_used_again(
    call_model: CallModel, server: LocalDashScope
) -> None:
    expired = RawReply(
        403,
        {"content-type": "application/xml"},
        [b"<Error><Code>AccessDenied</Code><Message>Policy expired.</Message></Error>"],
    )
    server.script_upload(expired)
    model = model_of(server, max_retries=0)
    with pytest.raises(PermissionDeniedError):
        call_model(model, question_about(fresh_clip()))
    call_model(model, question_about(fresh_clip()))
    assert counted(server) == {"policy": 2, "upload": 2}


@every_mode
def test_the_key_is_in_no_error_of_an_upload(call_model: CallModel, server: LocalDashScope) -> None:
    key = "sk-swordfish-0123456789"
    server.script_policy(error_reply(400, "InvalidParameter", f"bad {key}"))
    with pytest.raises(InvalidRequestError) as caught:
        call_model(model_of(server, api_key=key), question_about(fresh_clip()))
    assert "[key]" in str(caught.value)
    assert key not in str(caught.value)


# --- the event loop ---------------------------------------------------------------------------


async def test_preparing_a_long_clip_leaves_the_loop_free(server: LocalDashScope) -> None:
    model = model_of(server)
    await model.ainvoke("warm up")
    samples = np.concatenate([noise(115), fresh_tone()])
    messages = question_about(Audio.from_bytes(encode(samples, "flac", "flac")))
    # How long a thread has worked does not depend on what else the machine does.
    of_all_s, of_the_loop_s = time.process_time(), time.thread_time()
    await model.ainvoke(messages)
    of_all_s, of_the_loop_s = time.process_time() - of_all_s, time.thread_time() - of_the_loop_s
    assert kinds(server).count("upload") == 4
    assert of_the_loop_s < 0.5 * of_all_s


async def test_a_large_body_is_sent_without_a_warning(server: LocalDashScope) -> None:
    # aiohttp warns of bodies of more than 1 MiB that are one piece of bytes.
    clips = [Audio.from_array(tone(30, hertz=300 + number), 16_000) for number in range(3)]
    await model_of(server, audio_transport="inline").ainvoke(question_about(*clips))
    request = server.requests[-1]
    assert len(request.body) > 3_000_000
    assert json.loads(request.body)["model"] == "qwen-audio-turbo-latest"
    assert len(sent_clips(server)) == 3


# --- what breaks -----------------------------------------------------------------------------

UPLOAD_FAULTS: dict[str, tuple[RawReply, type[errors.QwenAudioError]]] = {
    "reset": (RawReply(steps=[RESET]), errors.APIConnectionError),
    "closed": (RawReply(steps=[END]), errors.APIConnectionError),
    "HTML of a proxy": (RawReply(502, {"content-type": "text/html"}, [HTML]), errors.APIError),
    "a stall": (RawReply(steps=[math.inf]), errors.APITimeoutError),
    "throttling": (error_reply(429, "Throttling.RateQuota", "slow down"), errors.RateLimitError),
}
POLICY_FAULTS: dict[str, tuple[RawReply, type[errors.QwenAudioError]]] = {
    "truncated JSON": (RawReply(200, JSON, [b'{"data":{']), errors.APIError),
    "no policy": (RawReply(200, JSON, [b"{}"]), errors.APIError),
    "a policy of null": (RawReply(200, JSON, [b'{"data":null}']), errors.APIError),
    "a policy without a host": (RawReply(200, JSON, [b'{"data":{"policy":"p"}}']), errors.APIError),
    "200 with a code": (
        RawReply(200, JSON, [b'{"code":"AccessDenied","message":"no"}']),
        errors.PermissionDeniedError,
    ),
}
MID_UPLOAD = RawReply(steps=[RESET], after_bytes=99)
ON_THE_WAY = [
    *[("policy", name, *fault) for name, fault in (UPLOAD_FAULTS | POLICY_FAULTS).items()],
    *[("upload", name, *fault) for name, fault in UPLOAD_FAULTS.items()],
    ("upload", "reset in the middle", MID_UPLOAD, errors.APIConnectionError),
]


def long_question() -> Any:
    return question_about(Audio.from_array(fresh_tone(25), 16_000))


@two_modes
@each_row("case", ON_THE_WAY)
def test_a_fault_of_an_upload_is_an_error_and_then_it_works(
    call_model: CallModel, server: LocalDashScope, case: tuple[str, str, RawReply, Any]
) -> None:
    step, name, fault, error = case
    (server.script_policy if step == "policy" else server.script_upload)(fault)
    model, messages = (
        model_of(server, max_retries=0, timeout=1 if name == "a stall" else HANG_S),
        long_question() if fault is MID_UPLOAD else question_about(fresh_clip()),
    )
    with pytest.raises(error) as caught:
        call_model(model, messages)
    assert type(caught.value) is error
    assert caught.value.message.strip()
    assert "generation" not in kinds(server)
    assert call_model(model_of(server), messages).content == "ok"


@each_row("way", [invoke, astream])
@each_row("step, after_bytes", [("policy", None), ("upload", None), ("upload", 99)])
def test_an_upload_that_breaks_is_tried_as_often_as_max_retries_says(
    server: LocalDashScope, way: CallModel, step: str, after_bytes: int | None
) -> None:
    fault = RawReply(steps=[RESET], after_bytes=after_bytes)
    script = server.script_policy if step == "policy" else server.script_upload
    script(fault, fault)
    with pytest.raises(errors.APIConnectionError):
        way(model_of(server, max_retries=1), long_question())
    script(fault)
    assert way(model_of(server, max_retries=1), long_question()).content == "ok"
    assert kinds(server).count("generation") == 1


def test_a_clip_is_read_off_the_event_loop(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = [question_about(fresh_clip()) for _ in range(2)]
    readers: list[threading.Thread] = []
    read: Any = vars(EncodedAudio)["data"].fget

    def noting_the_thread(clip: EncodedAudio) -> Any:
        readers.append(threading.current_thread())
        return read(clip)

    monkeypatch.setattr(EncodedAudio, "data", property(noting_the_thread))
    for question in questions:  # the second one finds a policy
        ainvoke(model_of(server), question)
    assert readers
    assert threading.main_thread() not in readers
