"""However many messages come while a page is told its history, it gets all of them, in order."""

from __future__ import annotations

import pytest

from forwarder.model.message import Message
from forwarder.web.stories import Story


def message(n: int) -> Message:
    return Message(f"id-{n}", 1, {"type": "notice", "n": n})


@pytest.mark.parametrize("count", [2, 3, 1_000])
def test_what_comes_during_the_history_is_told_after_it_and_whole(count: int) -> None:
    story = Story()
    story.hold()
    late = [message(n) for n in range(1, count + 1)]
    assert not any(story.tells(each) for each in late)
    assert list(story.replay([message(0)])) == [message(0), *late]


def test_what_comes_while_the_history_is_being_sent_is_told_after_it() -> None:
    story = Story()
    story.hold()
    told = []
    for each in story.replay([message(0), message(1)]):
        told.append(each)
        if len(told) <= 2:
            story.tells(message(len(told) * 10))
            story.tells(message(len(told) * 10 + 1))
    assert [each.body["n"] for each in told] == [0, 1, 10, 11, 20, 21]
