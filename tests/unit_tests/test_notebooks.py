"""The notebooks run from top to bottom, with no key, and show what they should."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], as_version=4)
client = nbclient.NotebookClient(
    notebook, timeout=120, kernel_name="python3", coalesce_streams=True
)
client.execute()
sys.stdout.write(nbformat.writes(notebook))
"""


def outputs(notebook: str) -> str:
    """All that the cells print and show, as one text."""
    cells = json.loads(notebook)["cells"]
    shown = [output for cell in cells for output in cell.get("outputs", [])]
    texts = (output.get("text") or output["data"]["text/plain"] for output in shown)
    return "".join("".join(text) for text in texts)


@pytest.mark.parametrize("name", ["01_quickstart"])
def test_notebook_hears_the_sample_as_its_outputs_say(name: str) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    env = {name: value for name, value in os.environ.items() if "DASHSCOPE" not in name}
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, path],
        capture_output=True,
        text=True,
        env=env,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "a local stand-in answers, not Qwen-Audio" in outputs(done.stdout)
    assert "Welcome to the recording studio" in outputs(done.stdout)
    assert outputs(done.stdout) == outputs(path.read_text())
