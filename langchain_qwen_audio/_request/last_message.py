"""How a conversation ends: with a message that the service answers. Pure.

Its models answer users and tools; after an answer they fail with "list index out of range".
https://help.aliyun.com/zh/model-studio/error-code
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from langchain_qwen_audio._request.parts import Part, RequestMessage, TextPart
from langchain_qwen_audio._tool_calling.tool_choice import forces
from langchain_qwen_audio.errors import MessageError

if TYPE_CHECKING:
    from langchain_qwen_audio._request.messages import Messages

_SHOWN = 500  # characters


def end_with_question(model: str, messages: Messages, choice: str | None) -> Messages:
    """Require that the last message is not an answer, or request the call that it is not.

    An agent with a `response_format` sends an answer in words back as it is, and again, until the
    model calls the tool. One more request is made of that.

    Args:
        model: Its name.
        messages: The conversation.
        choice: Which tool must be called.

    Raises:
        MessageError: The last message is an answer, and no tool must be called; or none was called
            the second time either.
    """
    answers = _answers_at_end(messages)
    if not answers:
        return messages
    if not forces(choice):
        raise MessageError(
            f"messages[-1]: the last message is an assistant's, and {model} answers users and "
            "tools: add a user's message, or leave out the answer"
        )
    if len(answers) > 1:
        raise MessageError(
            f"messages[-1]: {model} answered in words twice where it had to call a tool, and "
            "cannot be made to: use with_structured_output(…, method='json_schema') or another "
            f"model. It answered: {answers[-1][:_SHOWN]!r}"
        )
    what = "one of the functions" if choice == "any" else f"the function {choice}"
    text = f"That was an answer in words. Call {what} now; do not answer in words."
    return [*messages, RequestMessage("user", [TextPart(text)])]


def _answers_at_end(messages: Messages) -> list[str]:
    """List the texts of the answers that follow the last question."""
    texts: list[str] = []
    for message in reversed(messages):
        if message.role != "assistant":
            break
        texts.insert(0, _text_of(message))
    return texts


def _text_of(message: RequestMessage[Part]) -> str:
    return "".join(part.text for part in message.content if isinstance(part, TextPart))
