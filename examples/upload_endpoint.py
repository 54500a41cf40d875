"""An endpoint that takes a recording and streams the answer to a browser.

`pip install fastapi python-multipart uvicorn`, then `python examples/upload_endpoint.py`, and open
http://127.0.0.1:8000 in a browser.
"""

import json
from collections.abc import AsyncIterator
from typing import Annotated

import uvicorn
from connect import connect
from fastapi import FastAPI, Form, HTTPException, UploadFile
from fastapi.responses import HTMLResponse, StreamingResponse
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio
from langchain_qwen_audio.errors import AudioError, QwenAudioError

MAX_BYTES = 20_000_000
PAGE = """
<!doctype html>
<form><input type="file" name="file"><input name="question" value="What is said?">
<button>Send</button></form><p id="answer"></p>
<script>
const form = document.querySelector("form"), answer = document.querySelector("#answer");
form.onsubmit = async event => {
  event.preventDefault();
  answer.textContent = "";
  const reply = await fetch("/answer", {method: "POST", body: new FormData(form)});
  if (!reply.ok) { answer.textContent = (await reply.json()).detail; return; }
  let line = "";
  for await (const text of reply.body.pipeThrough(new TextDecoderStream())) {
    const lines = (line + text).split("\\n");
    line = lines.pop();
    for (const it of lines.map(JSON.parse)) answer.textContent += it.text ?? ` [${it.error}]`;
  }
};
</script>
"""

model = connect(model="qwen3.5-omni-flash")
app = FastAPI()


@app.get("/")
async def show_page() -> HTMLResponse:
    """Show a form, and the answer as it comes."""
    return HTMLResponse(PAGE)


@app.post("/answer")
async def answer(file: UploadFile, question: Annotated[str, Form()]) -> StreamingResponse:
    """Answer a question about a recording; each line of the reply is a JSON object."""
    if (file.size or 0) > MAX_BYTES:
        raise HTTPException(413, f"{file.size:,} bytes came, expected at most {MAX_BYTES:,}")
    try:
        audio = await Audio.afrom_file(file.file, name=file.filename or "recording")
        await audio.acheck()
    except AudioError as error:
        raise HTTPException(400, str(error)) from error
    message = HumanMessage([await audio.ato_block(), {"type": "text", "text": question}])
    return StreamingResponse(stream_lines(message), media_type="application/x-ndjson")


async def stream_lines(message: HumanMessage) -> AsyncIterator[str]:
    """Yield the tokens of an answer as they come; an error ends them."""
    try:
        async for chunk in model.astream([message]):
            yield json.dumps({"text": chunk.text}) + "\n"
    except QwenAudioError as error:
        yield json.dumps({"error": str(error)}) + "\n"


if __name__ == "__main__":
    uvicorn.run(app)
