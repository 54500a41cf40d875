"""Temporary files: a policy for a model and an account, the upload, and `oss://` afterwards.

Source: https://help.aliyun.com/zh/model-studio/get-temporary-file-url . OSS's own codes, which that
page leaves out, are from https://help.aliyun.com/zh/oss/developer-reference/postobject
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape

from langchain_qwen_audio.local._form import Form
from langchain_qwen_audio.local._protocols.http_replies import json_reply, new_request_id
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import RawReply

MAX_FILE_MB = 100
LIFE_S = 48 * 3600


@dataclass(frozen=True)
class IssuedPolicy:
    """A permission to upload, until it expires, for one model and one account."""

    model: str
    api_key: str
    expires_at: float
    name: str = field(default_factory=secrets.token_hex)
    signature: str = field(default_factory=secrets.token_urlsafe)

    @property
    def upload_dir(self) -> str:
        """Where its files go; no other policy's files go there."""
        return f"dashscope-instant/local/{self.name[:32]}"

    @property
    def fields(self) -> dict[str, str]:
        """What the form must repeat, besides the key."""
        return {
            "OSSAccessKeyId": "local-test-server",
            "Signature": self.signature,
            "policy": self.name,
            "x-oss-object-acl": "private",
            "x-oss-forbid-overwrite": "true",
            "success_action_status": "200",
        }


@dataclass(frozen=True)
class _Object:
    policy: IssuedPolicy
    data: bytes
    expires_at: float


class Uploads:
    """The files of one server, in memory."""

    def __init__(self, policy_expires_in_s: int) -> None:
        """Take the life of a policy; the service's is 300 s."""
        self._policy_expires_in_s = policy_expires_in_s
        self._policies: dict[str, IssuedPolicy] = {}
        self._objects: dict[str, _Object] = {}

    def grant(self, model: str, api_key: str, upload_host: str) -> dict[str, Any]:
        """Make a policy; return the `data` of the service's answer."""
        policy = IssuedPolicy(model, api_key, time.time() + self._policy_expires_in_s)
        self._policies[policy.name] = policy
        return {
            "policy": policy.name,
            "signature": policy.signature,
            "upload_dir": policy.upload_dir,
            "upload_host": upload_host,
            "expire_in_seconds": self._policy_expires_in_s,
            "max_file_size_mb": MAX_FILE_MB,
            "capacity_limit_mb": 999_999_999,
            "oss_access_key_id": policy.fields["OSSAccessKeyId"],
            "x_oss_object_acl": policy.fields["x-oss-object-acl"],
            "x_oss_forbid_overwrite": policy.fields["x-oss-forbid-overwrite"],
        }

    def store(self, form: Form) -> None:
        """Keep an uploaded file.

        Raises:
            Refusal: The form breaks a rule of its policy.
        """
        policy = self._policies.get(form.fields.get("policy", ""))
        if policy is None:
            raise Refusal(403, "AccessDenied", "Invalid according to Policy: unknown policy.")
        if time.time() >= policy.expires_at:
            raise Refusal(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
        if form.fields.get("Signature") != policy.signature:
            raise Refusal(403, "SignatureDoesNotMatch", "The Signature is not the policy's.")
        for name, value in policy.fields.items():
            if form.fields.get(name) != value:
                msg = f"The field {name} must be {value!r}, not {form.fields.get(name)!r}."
                raise Refusal(400, "InvalidArgument", msg)
        if form.file is None or form.names[-1] != "file":
            raise Refusal(400, "MalformedPOSTRequest", "file must be there, and the last field.")
        if len(form.file) > MAX_FILE_MB * 1024 * 1024:
            msg = "Your proposed upload exceeds the maximum allowed size."
            raise Refusal(400, "EntityTooLarge", msg)

        key = form.fields.get("key", "")
        if not key.startswith(policy.upload_dir + "/") or key.endswith("/"):
            msg = f"Invalid according to Policy: key must be {policy.upload_dir}/<file name>."
            raise Refusal(403, "AccessDenied", msg)
        if key in self._objects:
            msg = "The object you specified already exists and can not be overwritten."
            raise Refusal(409, "FileAlreadyExists", msg)
        self._objects[key] = _Object(policy, form.file, time.time() + LIFE_S)

    def find(self, url: str, model: str, api_key: str) -> bytes:
        """Return the file behind `oss://{key}`.

        The rules are documented, the text of these two errors is not.

        Raises:
            Refusal: There is none, or it belongs to another model or another account.
        """
        found = self._objects.get(url.removeprefix("oss://"))
        if found is None or time.time() >= found.expires_at:
            msg = "Failed to download multimodal content: no such temporary file."
            raise Refusal(400, "InvalidParameter", msg)
        if (found.policy.model, found.policy.api_key) != (model, api_key):
            msg = (
                "Don't have authorization to access the media resource: "
                "a temporary file serves the model and the account it was uploaded for."
            )
            raise Refusal(400, "InvalidParameter", msg)
        return found.data

    def forget(self) -> None:
        """Delete every file, as the service does after 48 hours."""
        self._objects.clear()


def write_policy(data: Mapping[str, Any]) -> RawReply:
    """Answer `getPolicy`."""
    request_id = new_request_id()
    return json_reply(200, {"request_id": request_id, "data": data}, request_id)


def write_oss_error(refusal: Refusal) -> RawReply:
    """Answer an upload with an error, as OSS does: in XML.

    Source: https://help.aliyun.com/zh/oss/developer-reference/error-responses
    """
    request_id = new_request_id()
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{refusal.code}</Code><Message>{escape(refusal.message)}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>"
    )
    headers = {"content-type": "application/xml", "x-oss-request-id": request_id}
    return RawReply(refusal.status, headers, (body.encode(),))
