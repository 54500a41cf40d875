"""LlamaIndex integration: audio models, readers and tools, on top of the LangChain classes.

Everything here translates and delegates: `QwenAudio` to `ChatQwenAudio`, `QwenAudioReader` to
`QwenAudioParser`, `QwenAudioToolSpec` to the tools.
"""

try:
    import llama_index.core  # noqa: F401
except ImportError as error:
    raise ImportError(
        "langchain_qwen_audio.llama_index needs LlamaIndex: "
        'pip install "langchain-qwen-audio[llama-index]"'
    ) from error

from langchain_qwen_audio.llama_index._llm import QwenAudio
from langchain_qwen_audio.llama_index._reader import QwenAudioReader
from langchain_qwen_audio.llama_index._tool_spec import QwenAudioToolSpec

__all__ = ["QwenAudio", "QwenAudioReader", "QwenAudioToolSpec"]
