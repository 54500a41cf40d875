"""Audio blocks of other frameworks → LangChain's form of the same block. Pure.

| format | source |
|---|---|
| `{"type": "audio", "audio_url": …}` | model cards, https://huggingface.co/Qwen/Qwen2-Audio-7B-Instruct |
| `{"type": "audio", "path": …}` | transformers, https://huggingface.co/docs/transformers/chat_templating_multimodal |
| `{"inline_data": …}`, `{"file_data": …}` | Gemini, https://ai.google.dev/api/caching#Part |
| `{"type": "audio", "source": …}` | as Anthropic's images, https://docs.claude.com/en/api/messages |
| `{"audio": {"format", "source"}}` | Bedrock, https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_AudioBlock.html |
| `{"type": "file", "file": {"path": …}}` | Gradio, https://www.gradio.app/docs/gradio/chatbot |
| `{"type": "file", "mediaType", "data"}` | AI SDK, https://ai-sdk.dev/docs/reference/ai-sdk-core/model-message |
| `{"type": "input_audio", "input_audio": "…"}` | Mistral, https://docs.mistral.ai/capabilities/audio |
| `{"type": "resource", "resource": …}` | MCP, https://modelcontextprotocol.io/specification |
| `{"kind": "binary"}`, `{"kind": "audio-url"}` | Pydantic AI, https://ai.pydantic.dev/input/ |
| `{"block_type": "audio"}` | LlamaIndex, https://docs.llamaindex.ai |
"""  # noqa: E501

from __future__ import annotations

import mimetypes
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_MIME_TYPE_NAMES = ("mime_type", "mimeType", "media_type", "mediaType")


def to_langchain_form(block: Mapping[str, Any]) -> Mapping[str, Any]:
    """Write a block as LangChain does; one of no format that is known here stays as it is."""
    known = _read_typed(block) if isinstance(block.get("type"), str) else _read_untyped(block)
    if known is not None:
        return known
    mime_type = _mime_type(block)
    return {**block, "mime_type": mime_type} if mime_type and "mime_type" not in block else block


def _read_typed(block: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a block whose kind is its `type`."""
    match block:
        case {"type": "audio", "audio_url": str(url) | {"url": str(url)}}:
            return {"type": "audio", "url": url}
        case {"type": "audio", "path": str(path)}:
            return {"type": "audio", "url": _url_of(path)}
        case {"type": "audio" | "file" | "document" as kind, "source": dict(source)}:
            return {"type": "audio" if kind == "audio" else "file", **_payload(source)}
        case {"type": "input_audio", "input_audio": str(value)}:
            return {"type": "audio", "base64": value}
        case {"type": "resource", "resource": dict(resource)}:
            return {"type": "file", **_payload(resource)}
        case {"type": "file", "file": {"path": str(path)}}:
            about: Mapping[str, Any] = block["file"]
            mime_type = _mime_type(about) or mimetypes.guess_type(path)[0] or ""
            return {"type": "file", "mime_type": mime_type, "url": _url_of(path)}
        case _:
            return None


def _read_untyped(block: Mapping[str, Any]) -> dict[str, Any] | None:
    """Read a block whose kind is the name of a field."""
    match block:
        case {"inline_data": dict(blob)} | {"inlineData": dict(blob)}:
            return {"type": "file", **_payload(blob)}
        case {"file_data": dict(blob)} | {"fileData": dict(blob)}:
            return {"type": "file", **_payload(blob)}
        case {"audio": {"source": dict(source)}}:
            return {"type": "audio", **_payload(source)}
        case {"block_type": "audio", **about}:
            return {"type": "audio", "base64": about.get("audio"), "url": about.get("url")}
        case {"kind": "binary" | "audio-url" as kind}:
            return {"type": "audio" if kind == "audio-url" else "file", **_payload(block)}
        case _:
            return None


def _payload(source: Mapping[str, Any]) -> dict[str, Any]:
    """Find the bytes, or where they are, by any of the names that they have."""
    held = next((source[name] for name in ("data", "bytes", "blob") if source.get(name)), None)
    names = ("url", "file_uri", "fileUri", "file_id")
    url = next((source[name] for name in names if source.get(name)), None)
    match source:
        case {"s3Location": {"uri": location}}:
            url = location
    return {"data": held, "url": url, "mime_type": _mime_type(source)}


def _mime_type(block: Mapping[str, Any]) -> str:
    found = (block.get(name) for name in _MIME_TYPE_NAMES)
    return next((value for value in found if isinstance(value, str)), "")


def _url_of(path: str) -> str:
    """Write the path of a file as the URL by which messages name files; others stay, for errors."""
    return Path(path).as_uri() if Path(path).is_absolute() else path
