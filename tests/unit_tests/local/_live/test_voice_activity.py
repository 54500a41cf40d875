"""Where the local test server finds speech."""

import pytest

from langchain_qwen_audio.local._live.voice_activity import VoiceActivity

LOUD = (b"\x00\x10" * 160 + b"\x00\xf0" * 160) * 10  # 200 ms
QUIET = bytes(len(LOUD))


@pytest.mark.parametrize("size", [1 << 20, 999])
def test_speech_begins_with_sound_and_ends_with_a_pause(size: int) -> None:
    rows: list[tuple[list[bytes], list[tuple[str, int]]]] = [
        ([QUIET] * 9, []),
        ([LOUD, *[QUIET] * 4], [("started", 0), ("stopped", 600)]),
        ([QUIET, LOUD, QUIET, LOUD, QUIET, QUIET], [("started", 200), ("stopped", 1200)]),
        ([LOUD[:640], *[QUIET] * 4], []),  # a click
        ([LOUD], [("started", 0)]),
    ]
    for pieces, edges in rows:
        stream = b"".join(pieces)
        activity = VoiceActivity(silence_ms=400)
        found = [
            edge
            for at in range(0, len(stream), size)
            for edge in activity.feed(stream[at : at + size])
        ]
        assert found == edges, pieces


def test_the_end_of_the_stream_ends_speech() -> None:
    activity = VoiceActivity(silence_ms=400)
    list(activity.feed(LOUD))
    assert list(activity.stop()) == [("stopped", 200)]
    assert list(activity.stop()) == []
