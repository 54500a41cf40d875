"""An agent whose tools are those of an MCP server: `pip install "langchain[mcp]"`.

The server is `qwen-audio mcp`, which needs `pip install "langchain-qwen-audio[mcp]"`. Any other MCP
server that returns audio is used in the same way.
"""

import asyncio
import os
import sys
import warnings

from connect import SAMPLE, connect
from fastmcp.client.transports import StdioTransport
from langchain.agents import create_agent
from langchain_core._api import LangChainBetaWarning

from langchain_qwen_audio.mcp_client import AudioTransport

warnings.simplefilter("ignore", LangChainBetaWarning)  # of langchain.mcp
from langchain.mcp import MCPAdapter  # noqa: E402

SERVER = ["-m", "langchain_qwen_audio.cli", "mcp", "--root", str(SAMPLE.parent)]
if not os.environ.get("DASHSCOPE_API_KEY"):
    SERVER.append("--local")


async def main() -> None:
    """Load a recording through the server, and ask about it."""
    model = connect(model="qwen3.5-omni-flash")
    # Without AudioTransport, LangChain raises an error for audio.
    server = AudioTransport(StdioTransport(sys.executable, SERVER, env={**os.environ}))
    async with MCPAdapter(server) as adapter:
        agent = create_agent(model, await adapter.list_tools())
        question = "Use load_audio with welcome.wav and tell me what is said in it."
        done = await agent.ainvoke({"messages": [{"role": "user", "content": question}]})
    print(done["messages"][-1].text)


asyncio.run(main())
