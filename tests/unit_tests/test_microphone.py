"""Samples of a microphone, with PortAudio's part replaced: there is no device here."""

from __future__ import annotations

import asyncio
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from langchain_qwen_audio import ChatQwenAudio
from langchain_qwen_audio.errors import AudioError, InvalidRequestError
from langchain_qwen_audio.local import LocalDashScope
from langchain_qwen_audio.microphone import Microphone
from tests.unit_tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

FINE, OVERFLOW = SimpleNamespace(input_overflow=False), SimpleNamespace(input_overflow=True)
PIECE = bytes(range(256)) * 12 + bytes(128)  # 100 ms


class PortAudioError(Exception):
    pass


class Device:
    """Stands for `sounddevice.RawInputStream`: a test says what is recorded."""

    error: Exception | None = None

    def __init__(self, callback: Callable[..., None], **settings: Any) -> None:
        self.settings = settings
        self._callback = callback
        self.is_open = True
        self.hold()

    def hold(self) -> None:
        """Take its time."""

    def start(self) -> None:
        if self.error:
            raise self.error

    def record(self, samples: bytes, status: object = FINE) -> None:
        """Call back as PortAudio does: in another thread, with memory that is used again."""
        memory = bytearray(samples)
        args = (memoryview(memory), len(samples) // 2, None, status)
        thread = threading.Thread(target=self._callback, args=args)
        thread.start()
        thread.join()
        memory[:] = bytes(len(samples))

    def break_off(self) -> None:
        self.settings["finished_callback"]()

    def close(self) -> None:
        self.is_open = False
        self.break_off()


@pytest.fixture
def devices(monkeypatch: pytest.MonkeyPatch) -> list[Device]:
    """The devices that are opened."""
    opened: list[Device] = []

    def open_device(**settings: Any) -> Device:
        opened.append(Device(**settings))
        return opened[-1]

    module = ModuleType("sounddevice")
    module.__dict__.update(RawInputStream=open_device, PortAudioError=PortAudioError)
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return opened


async def test_samples_come_in_order_until_it_is_stopped(devices: list[Device]) -> None:
    async with Microphone(8000, "USB") as microphone:
        (device,) = devices
        first = asyncio.ensure_future(anext(microphone))
        await asyncio.sleep(0)  # it waits
        device.record(PIECE)
        assert await first == PIECE
        device.record(b"ab")
        device.record(b"cd")
        microphone.stop()
        device.record(b"too late")
        assert [piece async for piece in microphone] == [b"ab", b"cd"]
        assert device.is_open
    assert not device.is_open
    del device.settings["finished_callback"]
    assert device.settings == {
        "samplerate": 8000,
        "blocksize": 800,
        "device": "USB",
        "channels": 1,
        "dtype": "int16",
    }


async def test_leaving_ends_who_waits_and_what_was_recorded_can_be_read(
    devices: list[Device],
) -> None:
    async with Microphone() as microphone:
        devices[0].record(PIECE)
    assert [piece async for piece in microphone] == [PIECE]


async def test_samples_that_are_not_read_end_in_an_error_and_none_before_are_lost(
    devices: list[Device],
) -> None:
    async with Microphone(max_waiting_s=0.3) as microphone:
        for number in range(5):
            devices[0].record(bytes([number, 0]))
        assert [await anext(microphone) for _ in range(3)] == [b"\0\0", b"\1\0", b"\2\0"]
        with pytest.raises(AudioError, match=r"0\.3 s of samples .* raise max_waiting_s"):
            await anext(microphone)


async def test_samples_that_the_machine_loses_are_logged(
    devices: list[Device], caplog: pytest.LogCaptureFixture
) -> None:
    async with Microphone() as microphone:
        for status in (OVERFLOW, FINE):
            devices[0].record(PIECE, status)
            await anext(microphone)
    (record,) = caplog.records
    assert "has lost samples" in record.message


async def test_a_device_that_stops_by_itself_is_an_error(devices: list[Device]) -> None:
    async with Microphone() as microphone:
        devices[0].record(PIECE)
        devices[0].break_off()
        assert await anext(microphone) == PIECE
        with pytest.raises(AudioError, match="may have been unplugged"):
            await anext(microphone)


@pytest.mark.parametrize("error", [PortAudioError("no such rate"), ValueError("no such device")])
async def test_a_device_that_cannot_be_opened_says_what_was_requested(
    error: Exception, devices: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "error", error)
    with pytest.raises(AudioError, match=r"no such .* device is 3, and sample_rate 16000"):
        async with Microphone(device=3):
            pass
    assert not devices[0].is_open


async def test_a_device_that_nobody_waits_for_any_more_is_closed(
    devices: list[Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = threading.Barrier(2)
    monkeypatch.setattr(Device, "hold", lambda _: [meeting.wait() for _ in range(2)])
    opening = asyncio.ensure_future(Microphone().__aenter__())
    await asyncio.to_thread(meeting.wait)
    opening.cancel()
    await asyncio.wait([opening])
    await asyncio.to_thread(meeting.wait)
    await asyncio.to_thread(wait_until, lambda: bool(devices) and not devices[0].is_open)


async def test_it_is_opened_before_it_is_read() -> None:
    with pytest.raises(InvalidRequestError, match="use it in `async with`"):
        await anext(Microphone())


async def test_without_sounddevice_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(ImportError, match=r"pip install \"langchain-qwen-audio\[microphone\]\""):
        async with Microphone():
            pass


async def test_without_portaudio_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match="apt-get install libportaudio2"):
        async with Microphone():
            pass


async def test_it_is_transcribed_at_the_rate_that_it_has(devices: list[Device]) -> None:
    with LocalDashScope(reply="ok") as server:
        settings = {"base_url": server.base_url, "api_key": "local"}
        model = ChatQwenAudio(model="qwen-audio-3.1-asr-flash-streaming", **settings)
        async with Microphone(48_000) as microphone:
            for _ in range(10):
                devices[0].record(bytes(9600))
            microphone.stop()
            assert [it async for it in model.transcribe_live(microphone)] == []
    (record,) = server.live_sessions
    assert sum(len(it.get("audio", b"")) for it in record.received) == 32_000
