"""`LiveSession`: a voice conversation over one connection, from its beginning to its end."""

from __future__ import annotations

import asyncio
import importlib
import logging
from typing import TYPE_CHECKING, Any, Self

from langchain_core.utils.function_calling import convert_to_openai_tool

from langchain_qwen_audio._live.address import live_address
from langchain_qwen_audio._live.audio_input import AudioInput
from langchain_qwen_audio._live.client_events import (
    append_audio,
    append_image,
    begin_session,
    cancel_response,
    commit_audio,
    create_response,
    create_text,
    create_tool_result,
    finish_session,
)
from langchain_qwen_audio._live.conversation import SessionMessages
from langchain_qwen_audio._live.event_queue import EventQueue
from langchain_qwen_audio._live.events import (
    ErrorReported,
    LiveEvent,
    ResponseFinished,
    SpeechStarted,
    ToolFinished,
    ToolStarted,
)
from langchain_qwen_audio._live.image_input import read_jpeg
from langchain_qwen_audio._live.runs import AnswerRuns
from langchain_qwen_audio._live.session_settings import SessionOptions, write_session
from langchain_qwen_audio._live.tool_runner import ToolRunner
from langchain_qwen_audio._media.samples import SAMPLE_RATE, byte_count
from langchain_qwen_audio._models.live_models import voice_profile
from langchain_qwen_audio._response.messages import Origin
from langchain_qwen_audio._service.json_body import encode_json
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
    from langchain_core.tools import BaseTool

    from langchain_qwen_audio._live.client_events import RawEvent
    from langchain_qwen_audio._live.link import Link
    from langchain_qwen_audio._live.omni import OmniReader
    from langchain_qwen_audio._live.session_settings import TurnDetection
    from langchain_qwen_audio._settings import BaseChatQwenAudio
    from langchain_qwen_audio.audio import Audio

logger = logging.getLogger(__name__)

_MORE_SILENCE_MS = 400  # than a pause that ends a turn must have


class LiveSession:
    """A live voice conversation: made by `ChatQwenAudio.session`, used in an `async with`.

    `async for event in session` yields what happens, typed (`langchain_qwen_audio.live`), until the
    session is over. It may be left and begun again. What is sent and what is read are independent
    of each other, so that two tasks can do it.

    Example:
        ```python
        from langchain_qwen_audio.live import ResponseFinished, TextDelta

        model = ChatQwenAudio(model="qwen3.5-omni-flash-realtime")


        async def talk():
            async with model.session(turn_detection=None) as session:
                await session.send_audio(Audio.from_path("welcome.wav"))
                await session.commit()
                async for event in session:
                    match event:
                        case TextDelta(text):
                            print(text, end="")
                        case ResponseFinished():
                            return session.messages
        ```
    """

    def __init__(
        self,
        settings: BaseChatQwenAudio,
        *,
        instructions: str | None,
        tools: Sequence[BaseTool | Callable[..., Any]],
        voice: str | None,
        turn_detection: TurnDetection,
        modalities: Sequence[str],
        parameters: Mapping[str, Any],
    ) -> None:
        """Take what `ChatQwenAudio.session` was told."""
        self._profile = voice_profile(settings.model)
        self._tools = ToolRunner(tools)
        self._options = SessionOptions(
            instructions=instructions,
            tools=[convert_to_openai_tool(tool) for tool in self._tools.tools.values()],
            voice=voice,
            modalities=modalities,
            turn_detection=turn_detection,
            parameters=parameters,
        )
        self._session = write_session(self._options, self._profile)
        self._settings = settings
        self._address = live_address(settings, workspace_only=self._profile.workspace_only)
        self._conversation = SessionMessages(instructions)
        self._audio = AudioInput()
        self._events: EventQueue[LiveEvent] = EventQueue()
        self._runs = AnswerRuns(settings)
        self._opened: Link[OmniReader, LiveEvent] | None = None
        self._tool_tasks: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._is_finishing = False
        self._has_sound = False

    async def __aenter__(self) -> Self:
        """Connect, and configure the session.

        Raises:
            QwenAudioError: The service does not open the session, or does not take its settings.
        """
        if self._opened is not None:
            raise InvalidRequestError("a session runs once: make another one")
        for name in ("omni", "link"):  # which an event loop would feel
            await asyncio.to_thread(importlib.import_module, f"langchain_qwen_audio._live.{name}")
        from langchain_qwen_audio._live.link import open_link
        from langchain_qwen_audio._live.omni import OmniReader

        origin = Origin(self._settings.model, region=self._settings.billing_region)
        reader = OmniReader(origin, self._conversation)
        self._opened = await open_link(
            self._settings, self._address, begin_session(self._session), reader, self._events
        )
        self._opened.task.start(self._pass_on, self._settle, lambda: bool(self._tool_tasks))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Hang up at once; `finish` first lets the answer end."""
        for task in self._tool_tasks:
            task.cancel()
        try:
            if self._tool_tasks:
                await asyncio.wait(self._tool_tasks)
        finally:
            await self._link.close()
        await self._runs.fail(self._events.error or exc or asyncio.CancelledError("hung up"))

    @property
    def _link(self) -> Link[OmniReader, LiveEvent]:
        if self._opened is None:
            raise InvalidRequestError("the session is not open: use it in `async with`")
        return self._opened

    # --- what is sent ---

    async def send_audio(self, audio: Audio | bytes, *, sample_rate: int = SAMPLE_RATE) -> None:
        """Send what the user says: a recording, or the next samples of a stream.

        A recording is sent as fast as the connection takes it.

        Args:
            audio: An `Audio`, or raw samples: 16-bit, little endian, mono. They are cut anywhere.
            sample_rate: Samples per second of raw samples.

        Raises:
            AudioError: It is neither, or cannot be decoded.
            APIConnectionError: The connection is broken.
        """
        async for piece in self._audio.pieces(audio, sample_rate):
            await self._send(append_audio(piece))
            self._has_sound = True

    async def send_image(self, image: bytes | Path | Mapping[str, Any]) -> None:
        """Send what the user shows: a photo, or about one frame a second of a camera.

        It belongs to the turn in which it is sent, after the first sound of the turn. Qwen-Audio
        takes no images. https://help.aliyun.com/zh/model-studio/client-events

        Args:
            image: A JPEG file: its bytes, its path, or an image block of LangChain that holds it.
                Up to 256 KB in base64, which are 192 KB as a file, and up to 1920 x 1080 pixels.

        Raises:
            InvalidRequestError: The model takes no images, or there is no sound yet.
            MessageError: It is no JPEG file, or too large.
        """
        if not self._profile.takes_images:
            raise InvalidRequestError(
                f"an image came, and {self._settings.model} takes none; Omni models do"
            )
        jpeg = await asyncio.to_thread(read_jpeg, image)
        if not self._has_sound:
            raise InvalidRequestError(
                "an image came before the first sound of the turn, where the service refuses it: "
                "call send_audio first"
            )
        await self._send(append_image(jpeg))

    async def commit(self) -> None:
        """End the user's turn now; the model answers. An answer that is under way is interrupted.

        With turn detection it is sent as much silence as ends a turn, and the model answers if
        somebody spoke.
        """
        await self._flush_audio()
        silence_ms = self._options.silence_ms
        if silence_ms is None:
            await self.interrupt()
            await self._send(commit_audio())
            self._has_sound = False
            await self._request_response()
            return
        silence = bytes(byte_count((silence_ms + _MORE_SILENCE_MS) / 1000))
        await self._send(append_audio(silence))

    async def send_text(self, text: str) -> None:
        """Send what the user writes; the model answers. An answer that is under way is interrupted.

        Args:
            text: What the user writes.

        Raises:
            MessageError: The text holds half a character; nothing is sent.
        """
        event = create_text(text)
        encode_json(event)  # what cannot be sent changes nothing
        await self.interrupt()
        self._conversation.add_text(text)
        await self._send(event)
        await self._request_response()

    async def interrupt(self) -> None:
        """Have the model stop its answer, if there is one; forget speech that was not read yet."""
        if (response_id := self._link.reader.active_id) is None:
            return
        self._events.silence(response_id)
        event = cancel_response()
        self._link.reader.expect_end(event["event_id"])
        await self._send(event)

    async def finish(self) -> None:
        """Say that nothing more comes: the answer under way ends, then the session does.

        Returns at once; go on reading events, up to the last one. Qwen-Audio has no event for it:
        with turn detection it is sent a pause, as `commit` does, and the session ends when the
        service has been silent for 5 s after the last answer.
        """
        await self._flush_audio()
        if self._profile.finish == "none" and self._has_sound and self._detects_turns:
            await self.commit()
        self._is_finishing = True
        await self._finish_if_idle()

    async def _flush_audio(self) -> None:
        """Send what the conversion of samples has held back."""
        if held := self._audio.flush():
            await self._send(append_audio(held))
            self._has_sound = True

    @property
    def _detects_turns(self) -> bool:
        return self._options.silence_ms is not None

    async def _request_response(self) -> None:
        await self._wait_until_idle()
        event = create_response()
        self._link.reader.expect_answer(event["event_id"])
        await self._send(event)
        self._link.task.expect()

    async def _wait_until_idle(self) -> None:
        """Wait for the end of an answer that was interrupted, or of the session."""
        while self._link.reader.active_id and not self._events.is_ended:
            self._settled.clear()
            await self._link.task.wait_for(self._settled)

    async def _finish_if_idle(self) -> None:
        if not self._is_finishing or self._link.reader.awaits_answer or self._tool_tasks:
            return
        task = self._link.task
        if task.is_passing_on:  # then `_settle` comes
            return
        if self._profile.finish == "none" and self._has_all:
            task.end()
        elif not task.is_finishing:
            task.finish(is_confirmed=self._profile.finish == "confirmed")
            if self._profile.finish != "none":
                await self._send(finish_session())

    @property
    def _has_all(self) -> bool:
        """Whether nothing can come any more; with turn detection, more speech may be found."""
        return not (self._detects_turns or self._link.reader.awaits_transcript)

    async def _send(self, event: RawEvent) -> None:
        await self._link.send(event)

    # --- what comes ---

    def __aiter__(self) -> Self:
        """Go on reading events."""
        return self

    async def __anext__(self) -> LiveEvent:
        """Wait for the next event.

        Raises:
            QwenAudioError: The session broke. `text` has what there was of the answer.
        """
        return await self._events.get()

    @property
    def messages(self) -> list[BaseMessage]:
        """The conversation so far, as `ChatQwenAudio.invoke` takes it: texts, without sound.

        A turn whose transcript has not come says so. An answer that was interrupted has the text
        that came before.
        """
        return self._conversation.messages

    async def _pass_on(self, event: LiveEvent) -> None:
        """Do what an event requires, then hand it to whoever reads."""
        if isinstance(event, SpeechStarted) and self._link.reader.active_id:
            self._events.silence(self._link.reader.active_id)
        if isinstance(event, ErrorReported):
            logger.warning("%s", event.error)
        await self._runs.note(event, self._conversation)
        await self._events.put(event)
        if isinstance(event, ResponseFinished):
            self._run_tools(event)

    async def _settle(self) -> None:
        """Do what waited until an event was passed on."""
        self._settled.set()
        if self._is_finishing:
            await self._finish_if_idle()

    def _run_tools(self, event: ResponseFinished) -> None:
        if event.message.tool_calls or event.message.invalid_tool_calls:
            task = asyncio.create_task(self._answer_calls(event))
            self._tool_tasks.add(task)
            task.add_done_callback(self._tool_tasks.discard)

    async def _answer_calls(self, event: ResponseFinished) -> None:
        """Run the tools of an answer, send their results, and request the next answer."""
        try:
            await self._run_calls(event.message)
            self._tool_tasks.discard(asyncio.current_task())
            await self._finish_if_idle()  # the next answer may already be over
        except Exception as error:  # noqa: BLE001  # whoever reads the events sees it
            self._link.task.fail(error)

    async def _run_calls(self, message: AIMessage) -> None:
        for call in message.tool_calls:
            await self._events.put(ToolStarted(call))
        results = [self._tools.refuse(call) for call in message.invalid_tool_calls]
        results += await asyncio.gather(*map(self._tools.run, message.tool_calls))
        for result in results:
            await self._send_result(result)
        await self._request_response()

    async def _send_result(self, result: ToolMessage) -> None:
        self._conversation.add_result(result)
        await self._send(create_tool_result(result.tool_call_id, result.text))
        await self._events.put(ToolFinished(result))
