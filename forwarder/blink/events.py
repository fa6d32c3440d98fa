"""Blink's events as models that reject what they do not understand."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from forwarder.blink.replies import Reply, UpdateTransaction


class LnUpdate(Reply):
    """A Lightning invoice of the account was paid, by anyone."""

    typename: Literal["LnUpdate"] = Field(alias="__typename")
    status: Literal["PAID", "PENDING", "EXPIRED"]
    transaction: UpdateTransaction


class OtherUpdate(Reply):
    """A price, or something that has no invoice."""

    typename: Literal["IntraLedgerUpdate", "OnChainUpdate", "Price", "RealtimePrice"] = Field(
        alias="__typename"
    )


class UpdateError(Reply):
    """A remark beside an event, such as that a price is deprecated."""

    message: str


class MyUpdates(Reply):
    """`MyUpdatesPayload`."""

    errors: list[UpdateError]
    update: LnUpdate | OtherUpdate | None = Field(discriminator="typename")
