"""Who takes the steps of a payment's story."""

from __future__ import annotations

from enum import StrEnum


class Actor(StrEnum):
    """A part of the service, or a person's role. Whoever tells of a receipt is one too."""

    SUBSCRIPTION = "subscription"
    CATCH_UP = "catch_up"
    RECONCILIATION = "reconciliation"
    WEBHOOK = "webhook"
    POLL = "poll"
    INTAKE = "intake"
    PAYOUT = "payout"
    EXPIRY = "expiry"
    POS = "pos"
    HTTP = "operator, by HTTP"
    COMMAND = "operator, by command"
