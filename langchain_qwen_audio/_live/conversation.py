"""The turns of a live session → LangChain messages, in the order in which they began. Pure.

A transcript may come after the answer to it, so that a turn has its place before it has its text.
"""

from __future__ import annotations

from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)

NOT_TRANSCRIBED = "[speech without a transcript]"


class SessionMessages:
    """What was said so far; texts alone, so that it stays small."""

    def __init__(self, instructions: str | None) -> None:
        """Begin with the instructions, if there are some."""
        self._messages: dict[str, BaseMessage | None] = {}
        if instructions:
            self._messages["instructions"] = SystemMessage(instructions)

    @property
    def messages(self) -> list[BaseMessage]:
        """The messages, in the order in which they began."""
        return [message for message in self._messages.values() if message is not None]

    def begin_speech(self, item_id: str) -> None:
        """Give a turn of the user its place."""
        self._messages.setdefault(item_id, HumanMessage(NOT_TRANSCRIBED))

    def set_transcript(self, item_id: str, text: str) -> None:
        """Fill in what the user said in a turn."""
        self._messages[item_id] = HumanMessage(text or NOT_TRANSCRIBED)

    def add_text(self, text: str) -> None:
        """Add what the user wrote."""
        self._messages[f"text {len(self._messages)}"] = HumanMessage(text)

    def begin_answer(self, response_id: str) -> None:
        """Give an answer its place."""
        self._messages.setdefault(response_id, None)

    def end_answer(self, response_id: str, message: AIMessage) -> None:
        """Fill in an answer; one in which nothing was said is left out."""
        is_empty = not message.text and not message.tool_calls
        self._messages[response_id] = None if is_empty else message

    def add_result(self, message: ToolMessage) -> None:
        """Add what a tool returned."""
        self._messages[message.tool_call_id] = message
