"""What FFmpeg says of a file, its samples, and samples as MP3, within limits on memory and work.

A worker process does it. Where there can be none, this process does, without the limits.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO

from langchain_qwen_audio._media import counted_length, declared_length, decoding
from langchain_qwen_audio._media.decoding import Probe, Report
from langchain_qwen_audio._media.mp3 import encode_mp3
from langchain_qwen_audio._media.worker_pool import POOL, nameless_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from langchain_qwen_audio._media.choices import Choices
    from langchain_qwen_audio._media.file_parts import FilePart
    from langchain_qwen_audio._media.work_limits import WorkAccount

MAX_HELD_BYTES = 8_000_000  # of samples that wait to be encoded: some four minutes


def bounded_probe(file: BinaryIO, account: WorkAccount, track: int | None) -> Probe:
    """Read what a clip is from its headers; see `decoding.probe`."""
    if not POOL.is_available():
        return decoding.probe(file, track)
    return Probe(**POOL.call("probe", file, account, track=track))


def bounded_length(
    file: BinaryIO, account: WorkAccount, declared_s: float, container: str, track: int | None
) -> float | None:
    """Compare what the headers say with the packets; see `declared_length.confirmed_length`."""
    if container not in declared_length.CONTRADICTED:
        return declared_s
    if not POOL.is_available():
        return declared_length.confirmed_length(file, declared_s, container, track)
    length_s: float | None = POOL.call(
        "confirm", file, account, declared_s=declared_s, container=container, track=track
    )
    return length_s


def bounded_count(
    file: BinaryIO,
    account: WorkAccount,
    parts: Sequence[FilePart],
    *,
    container: str,
    choices: Choices,
    limit_s: float,
) -> float | None:
    """Count how long a clip sounds; see `counted_length.counted_length`."""
    options: dict[str, Any] = {"container": container, "choices": choices, "limit_s": limit_s}
    if not POOL.is_available():
        return counted_length.counted_length(file, parts, **options)
    length_s: float | None = POOL.call("count", file, account, parts=parts, **options)
    return length_s


def bounded_decode(
    file: BinaryIO,
    account: WorkAccount,
    parts: Sequence[FilePart],
    *,
    container: str,
    sample_rate: int,
    choices: Choices,
    report: Report,
) -> Generator[bytes]:
    """Yield a clip's samples; see `decoding.decode`."""
    options: dict[str, Any] = {
        "container": container,
        "sample_rate": sample_rate,
        "choices": choices,
    }
    if not POOL.is_available():
        yield from decoding.decode(file, parts, report=report, **options)
        return
    facts = yield from POOL.run("decode", file, account, parts=parts, **options)
    vars(report).update(facts, inverted=set(facts["inverted"]))


def bounded_encode(blocks: Iterable[bytes], sample_rate: int, max_bits_per_s: float) -> bytes:
    """Make an MP3 file; see `mp3.encode_mp3`. Workers use all cores, and threads do not.

    What is long is encoded here, block by block, so that its samples are never held.
    """
    held: list[bytes] = []
    size, rest = 0, iter(blocks)
    for block in rest:
        held.append(block)
        size += len(block)
        if size > MAX_HELD_BYTES:
            return encode_mp3(chain(held, rest), sample_rate, max_bits_per_s)
    if not POOL.is_available():
        return encode_mp3(held, sample_rate, max_bits_per_s)
    options: dict[str, Any] = {"sample_rate": sample_rate, "max_bits_per_s": max_bits_per_s}
    with nameless_file(held) as file:
        return b"".join(POOL.run("encode", file, **options))
