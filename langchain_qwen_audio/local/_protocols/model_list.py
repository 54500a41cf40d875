"""The names of models → the reply to GET /models of the compatible path. Pure.

The shape is OpenAI's: https://platform.openai.com/docs/api-reference/models/list
"""

from langchain_qwen_audio.local._models.table import Models
from langchain_qwen_audio.local._protocols.http_replies import json_reply, new_request_id
from langchain_qwen_audio.local._protocols.openai import OPENAI
from langchain_qwen_audio.local._replies import RawReply

MODELS_PATH = f"{OPENAI.base_path}/models"


def write_models(models: Models) -> RawReply:
    """List the models that the compatible path serves."""
    names = sorted(name for name, facts in models.items() if OPENAI.name in facts)
    listed = [
        {"id": name, "object": "model", "created": 0, "owned_by": "local-test-server"}
        for name in names
    ]
    return json_reply(200, {"object": "list", "data": listed}, new_request_id())
