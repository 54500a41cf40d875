"""What the examples share: the service if there is a key, the local stand-in if there is none."""

import functools
import http.server
import os
import threading
from pathlib import Path
from typing import Any

import langchain_qwen_audio
from langchain_qwen_audio import ChatQwenAudio

SAMPLE = Path(langchain_qwen_audio.__file__).parent / "samples" / "welcome.wav"


def connect(**fields: Any) -> ChatQwenAudio:
    """Make a model of the service, or of the stand-in, and say which."""
    if os.environ.get("DASHSCOPE_API_KEY"):
        return ChatQwenAudio(**fields)
    from langchain_qwen_audio.local import LocalDashScope

    print("There is no DASHSCOPE_API_KEY: a local stand-in answers, not Qwen-Audio.\n")
    return ChatQwenAudio(base_url=LocalDashScope().start().base_url, api_key="local", **fields)


def sample_url() -> str:
    """Find a recording that whoever answers can fetch."""
    if os.environ.get("DASHSCOPE_API_KEY"):
        return "https://dashscope.oss-cn-beijing.aliyuncs.com/audios/welcome.mp3"
    handler = functools.partial(_Quiet, directory=str(SAMPLE.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/{SAMPLE.name}"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""
