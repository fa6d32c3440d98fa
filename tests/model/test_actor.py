"""Who takes steps."""

from __future__ import annotations

from forwarder.model.actor import Actor
from forwarder.model.payment import Witness


def test_whoever_tells_of_a_receipt_can_stand_in_its_story() -> None:
    assert {Actor(witness) for witness in Witness} <= set(Actor)
