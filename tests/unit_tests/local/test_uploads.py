"""Policy, upload, `oss://`: the whole protocol, and each rule of it."""

import sys
from typing import Any

import httpx
import pytest

from langchain_qwen_audio.local import LocalDashScope, RawReply, error_reply

from ._client import (
    MODEL,
    OMNI_38,
    RESOLVE,
    assert_refused,
    chat,
    clip,
    data_uri,
    generate,
    get,
    post,
    text_of,
    user,
    wav,
)


def get_policy(
    server: LocalDashScope, key: str = "local", model: str = MODEL, action: str = "getPolicy"
) -> httpx.Response:
    return get(
        server.base_url + "/uploads",
        params={"action": action, "model": model},
        headers={"authorization": f"Bearer {key}"},
    )


def form_of(policy: dict[str, Any], name: str = "a.wav") -> dict[str, str]:
    return {
        "OSSAccessKeyId": policy["oss_access_key_id"],
        "Signature": policy["signature"],
        "policy": policy["policy"],
        "key": f"{policy['upload_dir']}/{name}",
        "x-oss-object-acl": policy["x_oss_object_acl"],
        "x-oss-forbid-overwrite": policy["x_oss_forbid_overwrite"],
        "success_action_status": "200",
        "x-oss-content-type": "audio/wav",
    }


def upload(server: LocalDashScope, data: bytes, **options: str) -> str:
    policy = get_policy(server, **options).json()["data"]
    form = form_of(policy)
    response = post(policy["upload_host"], data=form, files={"file": ("a.wav", data)})
    assert (response.status_code, response.content) == (200, b"")
    return "oss://" + form["key"]


def assert_oss_refused(response: httpx.Response, status: int, code: str, message: str) -> None:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in response.text
    assert message in response.text


def test_policy_has_the_documented_fields(server: LocalDashScope) -> None:
    body = get_policy(server).json()
    assert set(body) == {"request_id", "data"}
    data = body["data"]
    assert data.pop("upload_host") == server.base_url.replace("/api/v1", "/oss")
    assert data.pop("upload_dir").startswith("dashscope-instant/")
    assert all(data.pop(name) for name in ("policy", "signature", "oss_access_key_id"))
    assert data == {
        "expire_in_seconds": 300,
        "max_file_size_mb": 100,
        "capacity_limit_mb": 999999999,
        "x_oss_object_acl": "private",
        "x_oss_forbid_overwrite": "true",
    }


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"key": "wrong"}, 401, "InvalidApiKey"),
        ({"model": "gpt-4o"}, 404, "ModelNotFound"),
        ({"model": ""}, 400, "BadRequest.EmptyModel"),
        ({"action": "list"}, 400, "InvalidParameter"),
    ],
)
def test_policy_checks_key_action_and_model(
    options: dict[str, str], status: int, code: str
) -> None:
    with LocalDashScope(api_keys={"local"}) as server:
        refused = get_policy(server, **options)
    assert (refused.status_code, refused.json()["code"]) == (status, code)


def test_an_uploaded_file_is_decoded(server: LocalDashScope) -> None:
    data = wav(3, amplitude=0) + b"\r\n--\r\n\0\xff"
    url = upload(server, data)
    response = generate(server, user({"audio": url}), headers=RESOLVE)
    assert response.json()["usage"]["audio_tokens"] == 75
    policy, sent, requested = server.requests
    assert [policy.kind, sent.kind, requested.kind] == ["policy", "upload", "generation"]
    assert sent.form.file == data
    assert sent.form.file_name == "a.wav"
    assert sent.form.fields["key"] == url.removeprefix("oss://")
    assert sent.form.names[-1] == "file"


def test_oss_needs_the_resolve_header(server: LocalDashScope) -> None:
    refused = generate(server, user({"audio": upload(server, wav())}))
    message = "The provided URL does not appear to be valid. Ensure it is correctly formatted."
    assert_refused(refused, 400, "InvalidParameter", message)


@pytest.mark.parametrize("other", [{"key": "another"}, {"model": "qwen-audio-turbo-latest"}])
def test_oss_serves_its_own_model_and_account(
    server: LocalDashScope, other: dict[str, str]
) -> None:
    audio = user({"audio": upload(server, wav())})
    message = (
        "Don't have authorization to access the media resource: "
        "a temporary file serves the model and the account it was uploaded for."
    )
    refused = generate(server, audio, headers=RESOLVE, **other)
    assert_refused(refused, 400, "InvalidParameter", message)


def test_a_forgotten_file_is_gone(server: LocalDashScope) -> None:
    server.script("ok")
    audio = user({"audio": upload(server, wav())})
    assert text_of(generate(server, audio, headers=RESOLVE)) == "ok"
    server.forget_uploads()
    refused = generate(server, audio, headers=RESOLVE)
    message = "Failed to download multimodal content: no such temporary file."
    assert_refused(refused, 400, "InvalidParameter", message)


def test_a_policy_expires() -> None:
    with LocalDashScope(policy_expires_in_s=0) as server:
        policy = get_policy(server).json()["data"]
        refused = post(policy["upload_host"], data=form_of(policy), files={"file": b"a"})
    message = "Invalid according to Policy: Policy expired."
    assert_oss_refused(refused, 403, "AccessDenied", message)


def test_a_name_is_used_once(server: LocalDashScope) -> None:
    policy = get_policy(server).json()["data"]

    def post_as(name: str) -> httpx.Response:
        form = form_of(policy, name)
        return post(policy["upload_host"], data=form, files={"file": b"a"})

    assert post_as("a.wav").status_code == 200
    assert_oss_refused(post_as("a.wav"), 409, "FileAlreadyExists", "can not be overwritten")
    assert post_as("b.wav").status_code == 200


@pytest.mark.parametrize("missing", [False, True])
def test_every_field_is_checked(server: LocalDashScope, *, missing: bool) -> None:
    rows: list[tuple[str, str, int, str]] = [
        ("policy", "x", 403, "AccessDenied"),
        ("Signature", "x", 403, "SignatureDoesNotMatch"),
        ("OSSAccessKeyId", "x", 400, "InvalidArgument"),
        ("x-oss-object-acl", "public-read", 400, "InvalidArgument"),
        ("x-oss-forbid-overwrite", "false", 400, "InvalidArgument"),
        ("success_action_status", "201", 400, "InvalidArgument"),
        ("key", "elsewhere/a.wav", 403, "AccessDenied"),
    ]
    for field, value, status, code in rows:
        policy = get_policy(server).json()["data"]
        form = form_of(policy) | {field: value}
        if missing:
            del form[field]
        refused = post(policy["upload_host"], data=form, files={"file": b"a"})
        assert_oss_refused(refused, status, code, "")


def test_the_file_is_the_last_field(server: LocalDashScope) -> None:
    policy = get_policy(server).json()["data"]
    early: dict[str, tuple[str | None, bytes]] = {"file": ("a.wav", b"a")}
    early |= {name: (None, value.encode()) for name, value in form_of(policy).items()}
    refused = post(policy["upload_host"], files=early)
    assert_oss_refused(refused, 400, "MalformedPOSTRequest", "last field")


def test_an_upload_carries_no_key(server: LocalDashScope) -> None:
    policy = get_policy(server).json()["data"]
    refused = post(
        policy["upload_host"],
        data=form_of(policy),
        files={"file": b"a"},
        headers={"authorization": "Bearer local"},
    )
    assert_oss_refused(refused, 400, "InvalidArgument", "Authorization")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\ncut off"),
    ],
)
def test_an_upload_is_a_form(server: LocalDashScope, content_type: str, body: bytes) -> None:
    url = server.base_url.replace("/api/v1", "/oss")
    refused = post(url, content=body, headers={"content-type": content_type})
    assert_oss_refused(refused, 400, "MalformedPOSTRequest", "")


def test_policy_and_upload_can_be_scripted(server: LocalDashScope) -> None:
    server.script_policy(error_reply(429, "Throttling.RateQuota", "Too many requests."))
    assert_refused(get_policy(server), 429, "Throttling.RateQuota", "Too many requests.")
    policy = get_policy(server).json()["data"]

    server.script_upload(RawReply(503, steps=[b"busy"]))
    answers = [
        post(policy["upload_host"], data=form_of(policy), files={"file": wav()}) for _ in range(2)
    ]
    assert [response.status_code for response in answers] == [503, 200]


def test_a_data_uri_needs_no_upload(server: LocalDashScope) -> None:
    server.script("ok")
    assert text_of(generate(server, user({"audio": data_uri(wav())}), headers=RESOLVE)) == "ok"


def test_both_protocols_resolve_uploaded_files(server: LocalDashScope) -> None:
    refused = chat(server, user(clip("oss://a/b.wav")), headers=RESOLVE)
    message = "Failed to download multimodal content: no such temporary file."
    assert refused.json()["error"]["message"] == message
    url = upload(server, wav(3, amplitude=0), model=OMNI_38)
    usage = chat(server, user(clip(url)), headers=RESOLVE).json()["usage"]
    assert usage["prompt_tokens_details"]["audio_tokens"] == 21


def test_without_the_extra_an_upload_fails_and_says_what_is_missing(
    server: LocalDashScope, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = get_policy(server).json()["data"]
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    refused = post(policy["upload_host"], data=form_of(policy), files={"file": b"a"})
    message = "cannot take uploads: python_multipart is not installed. Run: pip install"
    assert_oss_refused(refused, 500, "InternalError", message)
