"""Counts of errors as a table."""

from langchain_qwen_audio._evaluation.error_counts import ErrorCounts
from langchain_qwen_audio._evaluation.table import write_table


def test_a_row_for_each_recording_and_the_total() -> None:
    right = ErrorCounts(hits=90, substitutions=8, deletions=2, insertions=1)
    counts = {"/calls/may/a.wav": right, "/calls/june/b.wav": None, "/calls/c.wav": ErrorCounts()}
    assert write_table("WER", "words", counts, right) == (
        "   WER  words  substituted  deleted  inserted  recording\n"
        " 11.0%    100            8        2         1  may/a.wav\n"
        "failed      -            -        -         -  june/b.wav\n"
        "  none      0            0        0         0  c.wav\n"
        " 11.0%    100            8        2         1  total"
    )


def test_a_single_recording_goes_by_its_name() -> None:
    table = write_table("CER", "characters", {"https://h/x/a.wav": None}, ErrorCounts())
    assert table.splitlines()[1].endswith("  a.wav")
