"""Every protocol that the server speaks, found by the path and the model of a request."""

from collections.abc import Collection

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Models
from langchain_qwen_audio.local._protocols.checks import URL_ERROR, check_json, check_model_name
from langchain_qwen_audio.local._protocols.native import NATIVE
from langchain_qwen_audio.local._protocols.openai import OPENAI
from langchain_qwen_audio.local._protocols.parameters import check_played
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.recognition import RECOGNITION
from langchain_qwen_audio.local._protocols.responses import RESPONSES
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal, invalid_parameter
from langchain_qwen_audio.local._replies import RawReply

PROTOCOLS = (NATIVE, RECOGNITION, OPENAI, RESPONSES)
_SERVICES = "/api/v1/services/aigc/"


def protocols_at(path: str) -> list[ServerProtocol]:
    """List the protocols whose requests are posted to a path."""
    return [protocol for protocol in PROTOCOLS if path == protocol.base_path + protocol.path]


def refuse_path(request: ReceivedRequest) -> Refusal:
    """Make the error of a path that is not served.

    The service has other kinds of models beside that of `NATIVE`, and says "url error" there.
    """
    if request.method == "POST" and request.path.startswith(_SERVICES):
        return invalid_parameter(URL_ERROR)
    msg = f"The local test server has no {request.method} {request.path}"
    return Refusal(404, "NotFound", msg)


def read_request(
    request: ReceivedRequest, models: Models, parameters: Collection[str] = ()
) -> tuple[ServerProtocol, ModelRequest]:
    """Read a request to a model in the protocol that serves the model at this path.

    Args:
        request: The request.
        models: The models, and what serves them.
        parameters: Parameters that are taken besides those of the protocol.

    Raises:
        Refusal: The service would not take it, or a parameter would be ignored.
    """
    at_path = protocols_at(request.path)
    body = check_json(request)
    names = {protocol.name for protocol in at_path}
    served = [name for name, facts in models.items() if names & facts.keys()]
    name = check_model_name(body.get("model"), models, served)
    for protocol in at_path:
        if model := models[name].get(protocol.name):
            read = protocol.read(body, request.headers, name, model)
            check_played(request.parameters, protocol.parameters | {*parameters})
            return protocol, read
    raise at_path[0].refuse_model(name)


def write_error(path: str, refusal: Refusal) -> RawReply:
    """Write an error in the form of a path, or of the base URL it is below; natively elsewhere."""
    below = (protocol for protocol in PROTOCOLS if path.startswith(protocol.base_path + "/"))
    return next(iter([*protocols_at(path), *below]), NATIVE).write_error(refusal)
