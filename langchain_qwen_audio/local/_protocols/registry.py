"""Every protocol that the server speaks, found by the path and the model of a request."""

from langchain_qwen_audio.local._model_request import ModelRequest
from langchain_qwen_audio.local._models.table import Models
from langchain_qwen_audio.local._protocols.checks import check_json, check_model_name
from langchain_qwen_audio.local._protocols.native import NATIVE
from langchain_qwen_audio.local._protocols.openai import OPENAI
from langchain_qwen_audio.local._protocols.protocol import ServerProtocol
from langchain_qwen_audio.local._protocols.recognition import RECOGNITION
from langchain_qwen_audio.local._received_request import ReceivedRequest
from langchain_qwen_audio.local._refusal import Refusal
from langchain_qwen_audio.local._replies import RawReply

PROTOCOLS = (NATIVE, RECOGNITION, OPENAI)


def protocols_at(path: str) -> list[ServerProtocol]:
    """List the protocols whose requests are posted to a path."""
    return [protocol for protocol in PROTOCOLS if path == protocol.base_path + protocol.path]


def read_request(request: ReceivedRequest, models: Models) -> tuple[ServerProtocol, ModelRequest]:
    """Read a request to a model in the protocol that serves the model at this path.

    Raises:
        Refusal: The service would not take it.
    """
    at_path = protocols_at(request.path)
    body = check_json(request)
    names = {protocol.name for protocol in at_path}
    served = [name for name, facts in models.items() if names & facts.keys()]
    name = check_model_name(body.get("model"), models, served)
    for protocol in at_path:
        if model := models[name].get(protocol.name):
            return protocol, protocol.read(body, request.headers, name, model)
    raise at_path[0].refuse_model(name)


def write_error(path: str, refusal: Refusal) -> RawReply:
    """Write an error in the form of the base URL that a path is below; natively elsewhere."""
    below = (protocol for protocol in PROTOCOLS if path.startswith(protocol.base_path + "/"))
    return next(below, NATIVE).write_error(refusal)
