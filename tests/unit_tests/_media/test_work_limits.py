"""The work of a whole call: few steps, and one account for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import Audio
from langchain_qwen_audio._media.worker_pool import POOL, WorkerPool
from langchain_qwen_audio._models.profiles import PROFILES, QWEN_AUDIO
from langchain_qwen_audio._request.conversion import convert
from langchain_qwen_audio.tools import LoadAudio
from tests.unit_tests.recordings import DATA, read

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

MAX_STEPS = 6  # docs/security.md says so too
CALLS: dict[str, Callable[[str], Any]] = {
    "duration_s": lambda name: Audio.from_bytes(read(name)).duration_s,
    "excerpt": lambda name: Audio.from_bytes(read(name)).excerpt(0.5, 1),
    "to_block": lambda name: Audio.from_bytes(read(name), channel=0).to_block(),
    "load_audio": lambda name: LoadAudio(root_dir=DATA)._run(name),
    "load_audio, a part": lambda name: LoadAudio(root_dir=DATA)._run(name, 0.5, 1),
    "split": lambda name: convert(Audio.from_bytes(read(name)), QWEN_AUDIO),
    "another model": lambda name: convert(
        Audio.from_bytes(read(name)), PROFILES["qwen3-asr-flash"], "error"
    ),
}
# Lengths that a header says, that another place contradicts or not, that packets say, and none.
FILES = ["speech.mp3", "speech.m4a", "opus.ogg", "vorbis.ogg", "sox.amr", "live.webm", "video.avi"]


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_has_few_steps_with_one_account(
    call: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, subtests: pytest.Subtests
) -> None:
    steps: list[str] = []
    accounts: list[Any] = []
    run = WorkerPool.run

    def noted(
        self: Any, job: str, file: Any, account: Any = None, **options: Any
    ) -> Generator[bytes, None, Any]:
        steps.append(job)
        accounts.append(account)
        return (yield from run(self, job, file, account, **options))

    assert POOL.is_available()
    monkeypatch.setattr(WorkerPool, "run", noted)
    for name in FILES:
        steps.clear()
        accounts.clear()
        call(name)
        with subtests.test(name):
            assert 1 <= len(steps) <= MAX_STEPS
            assert steps.count("decode") <= 3
            # The last steps may be about a recording of our own, cut out or converted.
            before = steps.index("decode") + 1 if "decode" in steps else len(steps)
            assert all(account is accounts[0] for account in accounts[:before])
