"""The guard over what requests cost: `make bench-check` counts, and this says what is too much."""

from __future__ import annotations

from benchmarks.check import regressions

RECORDED = {"requests": 1.0, "bytes": 1000.0, "left behind": 0.0}


def test_what_is_on_record_is_no_regression() -> None:
    assert regressions(RECORDED, RECORDED) == []
    assert regressions({**RECORDED, "bytes": 900.0}, RECORDED) == []
    assert regressions({**RECORDED, "bytes": 1049.0}, RECORDED) == []


def test_what_is_more_than_on_record_or_not_on_it_is() -> None:
    counts = {"requests": 2.0, "bytes": 1051.0, "left behind": 1.0, "copies": 2.0}
    assert regressions(counts, RECORDED) == [
        "requests: 2, and 1 on record",
        "bytes: 1,051, and 1,000 on record",
        "left behind: 1, and 0 on record",
        "copies: 2, and 0 on record",
    ]
