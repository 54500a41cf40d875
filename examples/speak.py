"""Send a spoken question, and play the spoken answer."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from connect import SAMPLE, connect
from langchain_core.messages import HumanMessage

from langchain_qwen_audio import Audio

model = connect(model="qwen3.5-omni-flash", modalities=["text", "audio"], voice="Tina")
answer = model.invoke([HumanMessage([Audio.from_path(SAMPLE).to_block()])])
speech = Audio.from_message(answer)
print(answer.text)
print(speech, answer.usage_metadata)

path = Path(tempfile.gettempdir()) / "answer.wav"
path.write_bytes(speech.data)
player = next(filter(shutil.which, ("afplay", "paplay", "aplay")), None)
if player:
    print(f"playing {path} with {player}")
    subprocess.run([player, path], stderr=subprocess.DEVNULL, check=False)  # noqa: S603
else:
    print(f"there is no player here; the answer is in {path}")
