"""Transcribe recordings on a Ray cluster, into Parquet; without one, Ray starts on this machine.

It needs `pip install "langchain-qwen-audio[ray]"`.
"""

import tempfile

import pyarrow.parquet as pq
import ray
from connect import SAMPLE, connect

from langchain_qwen_audio.ray import transcribe

ray.init(log_to_driver=False, logging_level="error")
ray.data.DataContext.get_current().enable_progress_bars = False
with tempfile.TemporaryDirectory() as folder:
    transcripts = transcribe(
        SAMPLE.parent,
        llm=connect(model="qwen3-asr-flash"),
        segment_s=5,
        checkpoint=f"{folder}/checkpoint",
        requests_per_second=5,
    )
    transcripts.write_parquet(f"{folder}/transcripts")
    rows = pq.read_table(f"{folder}/transcripts").to_pylist()
for row in sorted(rows, key=lambda row: (row["source"], row["segment"])):
    print(f"{row['start_s']:6.1f} s  {row['error'] or row['text']}")
