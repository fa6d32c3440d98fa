"""A page is told each message once, and nothing new before the history."""

from __future__ import annotations

from forwarder.model.message import Message
from forwarder.web.stories import Story


def told(kind: str) -> Message:
    return Message(f"id of {kind}", 1, {"type": kind})


PAID, FORWARDED = told("payment"), told("forwarded")


def test_a_message_that_comes_while_the_history_is_read_waits_for_it() -> None:
    story = Story()
    story.hold()
    assert not story.tells(FORWARDED)
    assert list(story.replay([PAID])) == [PAID, FORWARDED]


def test_a_message_that_comes_while_the_history_is_sent_is_sent_after_it() -> None:
    story = Story()
    story.hold()
    sending = story.replay([PAID])
    assert next(sending) is PAID
    assert not story.tells(FORWARDED)
    assert list(sending) == [FORWARDED]
    assert not story.tells(FORWARDED)


def test_a_message_that_the_history_has_too_is_sent_once() -> None:
    story = Story()
    story.hold()
    story.tells(PAID)
    assert list(story.replay([PAID])) == [PAID]
    assert not story.tells(PAID)
    assert story.tells(FORWARDED)


def test_a_page_that_asks_again_gets_the_history_again() -> None:
    story = Story()
    story.hold()
    assert list(story.replay([PAID])) == [PAID]
    story.hold()
    assert not story.tells(FORWARDED)
    assert list(story.replay([PAID, FORWARDED])) == [PAID, FORWARDED]


def test_a_page_waits_from_its_answer_until_the_invoice_is_over() -> None:
    story = Story()
    assert not story.is_waiting
    story.hold()
    assert not story.is_waiting
    assert list(story.replay([])) == []
    assert story.is_waiting
    story.tells(told("expired"))
    assert not story.is_waiting
