"""ChatBatches: many conversations in, an answer or an error for each of them out, at half price.

What becomes of a batch is in _batch_pipeline.py, which is imported with the first one.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING

from langchain_qwen_audio._models.batch_models import LONGEST_WINDOW_H, SHORTEST_WINDOW_H
from langchain_qwen_audio._protocols.batches import BatchState, BatchStatus
from langchain_qwen_audio.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from langchain_core.language_models import LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage

    from langchain_qwen_audio._batch_pipeline import BatchCall
    from langchain_qwen_audio.chat_models import ChatQwenAudio
    from langchain_qwen_audio.costs import Cost, Prices
    from langchain_qwen_audio.errors import QwenAudioError

__all__ = ["BatchState", "BatchStatus", "ChatBatches"]


class ChatBatches:
    """Client of the service's batches: answers within a day or more, at half the price.

    A batch is up to 50,000 requests to one model, in a file of up to 500 MB. Its answers come when
    the service has time: within `completion_window_h` hours, or not at all. What is answered is
    billed, and no more: neither what failed nor what was not begun.

    The models are qwen3.5-omni-plus and qwen3.5-omni-flash, and in older pages qwen-omni-turbo, in
    Beijing (cn-beijing) alone. Answers are texts. Speech is not available in batches; tools and
    searches are documented for none.

    Recordings travel as http(s) URLs that the service can fetch, or inline: a request may have
    6 MB with all that is in it. For that, a larger clip is converted to MP3. Of audio, the pages
    show a URL; base64 they show for images.

    The service keeps a batch for 30 days. The id that `submit` returns is all that `results` takes,
    also in another process. Uploaded requests, with the recordings in them, and results stay in
    the account until they are deleted: see `delete_files`.

    https://help.aliyun.com/zh/model-studio/batch-interfaces-compatible-with-openai
    https://help.aliyun.com/zh/model-studio/batch-inference
    https://help.aliyun.com/zh/model-studio/openai-file-interface

    Example:
        ```python
        from langchain_qwen_audio import Audio, ChatBatches, ChatQwenAudio

        model = ChatQwenAudio(model="qwen3.5-omni-plus")
        batches = ChatBatches(model, poll_interval=0.1)  # the service advises a minute
        question = {"type": "text", "text": "What is said?"}
        recording = Audio.from_path("meeting.mp3").to_block()
        batch_id = batches.submit([[{"role": "user", "content": [recording, question]}]])
        print(batches.status(batch_id).state)
        for answer in batches.results(batch_id):
            print(answer)
        ```
    """

    def __init__(
        self, llm: ChatQwenAudio, *, completion_window_h: int = 24, poll_interval: float = 60.0
    ) -> None:
        """Say which model answers, and how long that may take.

        Args:
            llm: The model, with its parameters. Its `total_timeout` is the limit of each call,
                except `results`.
            completion_window_h: Hours that the service may take, from 24 to 336 (14 days). What it
                has not answered by then is left out.
            poll_interval: Seconds between two looks at a batch; the service advises a minute.

        Raises:
            ValueError: A value is out of its range.
        """
        if not SHORTEST_WINDOW_H <= completion_window_h <= LONGEST_WINDOW_H:
            raise ValueError(
                f"completion_window_h is {completion_window_h}; expected {SHORTEST_WINDOW_H} to "
                f"{LONGEST_WINDOW_H} hours"
            )
        if poll_interval <= 0:
            raise ValueError(f"poll_interval is {poll_interval}; expected more than 0 seconds")
        self.llm = llm
        self.completion_window_h = completion_window_h
        self.poll_interval = poll_interval

    def submit(self, inputs: Sequence[LanguageModelInput]) -> str:
        """Submit a batch.

        A submission is not repeated where its reply was lost, since a second batch would be billed
        as well; the error says so.

        Args:
            inputs: What `model.batch` takes: a conversation or a text each.

        Returns:
            The id of the batch: keep it, to get the `results` later.

        Raises:
            NotFoundError: The model has no batches, or not in this region.
            InvalidRequestError: An input cannot be sent, or is too large, or there are too many.
            QwenAudioError: The service refuses, or cannot be reached.
        """
        return self._call().submit(self._conversations(inputs), self.completion_window_h)

    async def asubmit(self, inputs: Sequence[LanguageModelInput]) -> str:
        """Submit a batch; see `submit`."""
        call = await self._acall()
        return await call.asubmit(self._conversations(inputs), self.completion_window_h)

    def status(self, batch_id: str) -> BatchStatus:
        """Look how far a batch is.

        Args:
            batch_id: What `submit` returned.

        Raises:
            NotFoundError: The service does not know it: it is older than 30 days, or of another
                account or region.
        """
        return self._call().status(batch_id)

    async def astatus(self, batch_id: str) -> BatchStatus:
        """Look how far a batch is; see `status`."""
        return await (await self._acall()).astatus(batch_id)

    def cancel(self, batch_id: str) -> BatchStatus:
        """Cancel a batch that is not over. What it has answered by then is billed.

        Returns:
            How far it is: "cancelling", and "cancelled" some time later; `results` has the answers.

        Raises:
            QwenAudioError: The service refuses, as it may if the batch is over.
        """
        return self._call().status(batch_id, cancels=True)

    async def acancel(self, batch_id: str) -> BatchStatus:
        """Cancel a batch that is not over; see `cancel`."""
        return await (await self._acall()).astatus(batch_id, cancels=True)

    def results(
        self, batch_id: str, timeout: float | None = None
    ) -> list[AIMessage | QwenAudioError]:
        """Wait until a batch is over, and read its results.

        Args:
            batch_id: What `submit` returned, in this process or another one.
            timeout: Seconds to wait at most; by default as long as the batch takes.

        Returns:
            For each input, in their order, its answer, or the error that it failed with. Where the
            batch was cancelled or has expired, inputs that were not answered have an error, too.

        Raises:
            APITimeoutError: It is not over in time; it goes on, and can be waited for again.
            NotFoundError: The service does not know it, or its results are gone.
            QwenAudioError: The batch has failed as a whole, or the service cannot be reached.
        """
        return self._call_of(timeout).results(batch_id)

    async def aresults(
        self,
        batch_id: str,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> list[AIMessage | QwenAudioError]:
        """Wait until a batch is over, and read its results; see `results`."""
        await _load_pipeline()
        return await self._call_of(timeout).aresults(batch_id)

    def delete_files(self, batch_id: str) -> None:
        """Delete the files of a batch that is over: its requests and its results.

        They are kept until then, and an account has room for 10,000 files of 100 GB in all.

        Raises:
            InvalidRequestError: The batch is not over.
        """
        self._call().delete_files(batch_id)

    async def adelete_files(self, batch_id: str) -> None:
        """Delete the files of a batch that is over; see `delete_files`."""
        await (await self._acall()).adelete_files(batch_id)

    def estimate_cost(
        self, inputs: Sequence[LanguageModelInput], *, prices: Prices | None = None
    ) -> Cost:
        """Compute what the inputs will cost in a batch; no request is made.

        As with `ChatQwenAudio.estimate_cost`, the output is not known: `at_least` has the inputs.

        Args:
            inputs: What would be submitted.
            prices: Your own prices, with a `batch_factor`, in place of the service's list.
        """
        from langchain_qwen_audio.costs import estimate_batch

        return estimate_batch(self.llm, self._conversations(inputs), prices)

    def _conversations(self, inputs: Sequence[LanguageModelInput]) -> list[list[BaseMessage]]:
        if isinstance(inputs, str):
            raise InvalidRequestError("a text came; expected a list of inputs: put it into a list")
        return [self.llm._convert_input(it).to_messages() for it in inputs]  # noqa: SLF001

    def _call(self) -> BatchCall:
        return self._call_of(self.llm.total_timeout)

    def _call_of(self, total_s: float | None) -> BatchCall:
        from langchain_qwen_audio._batch_pipeline import BatchCall

        return BatchCall(self.llm, self.poll_interval, total_s)

    async def _acall(self) -> BatchCall:
        await _load_pipeline()
        return self._call()


async def _load_pipeline() -> None:
    """Import what a batch takes, which an event loop would feel."""
    name = "langchain_qwen_audio._batch_pipeline"
    if name not in sys.modules:
        await asyncio.to_thread(importlib.import_module, name)
