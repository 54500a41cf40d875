"""What the examples share: the service if there is a key, the local test server if there is none.

The local test server needs `pip install "langchain-qwen-audio[local]"`.
"""

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
    """Make a model for the service, or for the local test server, and print which."""
    if os.environ.get("DASHSCOPE_API_KEY"):
        return ChatQwenAudio(**fields)
    from langchain_qwen_audio.local import LocalDashScope

    print("There is no DASHSCOPE_API_KEY: the local test server answers, not Qwen-Audio.\n")
    return ChatQwenAudio(base_url=LocalDashScope().start().base_url, api_key="local", **fields)


def sample_url() -> str:
    """Find a URL of a recording that the service, or the local test server, can fetch."""
    if os.environ.get("DASHSCOPE_API_KEY"):
        return "https://dashscope.oss-cn-beijing.aliyuncs.com/audios/welcome.mp3"
    handler = functools.partial(_Quiet, directory=str(SAMPLE.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/{SAMPLE.name}"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Print nothing."""
