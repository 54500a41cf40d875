"""The methods of a chat model that begin something live; what they do is imported when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from langchain_qwen_audio._settings import BaseChatQwenAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Sequence

    from langchain_core.tools import BaseTool

    from langchain_qwen_audio._live.session import LiveSession
    from langchain_qwen_audio._live.session_settings import TurnDetection
    from langchain_qwen_audio._live.transcribing import LiveTranscription
    from langchain_qwen_audio.audio import Audio


class LiveCalls(BaseChatQwenAudio):
    """Live voice and live transcription, over a WebSocket."""

    def session(
        self,
        *,
        instructions: str | None = None,
        tools: Sequence[BaseTool | Callable[..., Any]] = (),
        voice: str | None = None,
        turn_detection: TurnDetection = "server_vad",
        modalities: Sequence[Literal["text", "audio"]] = ("text", "audio"),
    ) -> LiveSession:
        """Begin a live voice session, with an Omni or Qwen-Audio model of `-realtime`.

        It connects in `async with`, and has this model's key, address, `timeout` and parameters.
        https://help.aliyun.com/zh/model-studio/realtime
        https://help.aliyun.com/zh/model-studio/qwen-audio-realtime-user-guides

        Args:
            instructions: The system message.
            tools: LangChain tools, or functions with a docstring; the session runs them.
            voice: The voice; by default that of this model, or what the service has.
            turn_detection: How the service finds the end of a turn: "server_vad", "semantic_vad"
                (not Qwen3, not Qwen-Audio), "smart_turn" (Qwen-Audio), or a dict of the service's
                own; None: by your `commit`.
            modalities: What it answers with; `["text"]` is not spoken.

        Returns:
            A `langchain_qwen_audio.live.LiveSession`.

        Raises:
            NotFoundError: The model has no live voice sessions.
            InvalidRequestError: It does not take one of these settings.
        """
        from langchain_qwen_audio._live.session import LiveSession
        from langchain_qwen_audio._live.session_settings import session_parameters
        from langchain_qwen_audio._models.live_models import voice_profile

        return LiveSession(
            self,
            instructions=instructions,
            tools=tools,
            voice=voice or self.voice,
            turn_detection=turn_detection,
            modalities=modalities,
            parameters=session_parameters(self, voice_profile(self.model)),
        )

    def transcribe_live(
        self,
        source: Audio | AsyncIterable[bytes],
        *,
        sample_rate: int = 16_000,
        silence_ms: int | None = None,
    ) -> LiveTranscription:
        """Transcribe speech while it is recorded, with a model that transcribes live.

        The `asr_options` and `model_kwargs` of this model are sent, as far as it takes them.
        https://help.aliyun.com/zh/model-studio/qwen-audio-asr-streaming-client-events
        https://help.aliyun.com/zh/model-studio/qwen-asr-realtime-client-events

        Args:
            source: An `Audio`, or an async iterator of raw samples: 16-bit, little endian, mono, in
                pieces of any size, such as a `Microphone`.
            sample_rate: Samples per second of raw samples; an `Audio` and a `Microphone` know their
                own.
            silence_ms: How long a pause ends a sentence, from 200 to 6,000 milliseconds; by default
                400 for `qwen3-asr-flash-realtime`, and the service's 1,300 for others.

        Returns:
            An async iterator of `LiveSentence`: each sentence comes several times while it grows,
            and once with `is_final`. Then it knows usage and cost. Errors of the session, and of
            the source, are raised where it is read.

        Raises:
            NotFoundError: The model has no live transcription.
            InvalidRequestError: It does not take one of these settings.
        """
        from langchain_qwen_audio._live.transcribing import LiveTranscription

        return LiveTranscription(self, source, sample_rate=sample_rate, silence_ms=silence_ms)
