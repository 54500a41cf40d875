"""Turns of a live session → messages."""

from __future__ import annotations

from langchain_core.messages import AIMessage, ToolMessage

from langchain_qwen_audio._live.conversation import NOT_TRANSCRIBED, SessionMessages


def test_messages_are_in_the_order_in_which_turns_began() -> None:
    said = SessionMessages("Be brief.")
    said.begin_speech("i1")
    said.begin_answer("r1")
    said.begin_speech("i2")
    said.end_answer("r1", AIMessage("Hi"))
    said.set_transcript("i1", "Hello")
    said.add_text("And this?")
    said.add_result(ToolMessage("5", tool_call_id="c1"))
    texts = ["Be brief.", "Hello", "Hi", NOT_TRANSCRIBED, "And this?", "5"]
    assert [it.text for it in said.messages] == texts


def test_a_transcript_that_comes_before_its_turn_is_kept() -> None:
    said = SessionMessages(None)
    said.set_transcript("i1", "Hello")
    said.begin_speech("i1")
    assert [it.text for it in said.messages] == ["Hello"]


def test_what_was_not_understood_and_an_empty_answer() -> None:
    said = SessionMessages(None)
    said.set_transcript("i1", "")
    said.begin_answer("r1")
    assert len(said.messages) == 1
    said.end_answer("r1", AIMessage(""))
    assert [it.text for it in said.messages] == [NOT_TRANSCRIBED]
