"""The export: one line for each forward, for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from forwarder.model import spreadsheet
from forwarder.model.sale import Sale
from forwarder.model.spreadsheet import Cell
from forwarder.web import shapes

COLUMNS: Final = (
    "receivedAt",
    "merchant",
    "externalId",
    "description",
    "receivedSat",
    "position",
    "amountSat",
    "state",
    "forwardedAt",
    "heldReason",
    "paymentHash",
    "payoutHash",
    "transactionId",
    "receiptTransactionId",
    "source",
    "seenBy",
)


def head() -> str:
    """The line of names."""
    return spreadsheet.line(COLUMNS)


def lines(sales: Sequence[Sale]) -> str:
    """The lines of some sales."""
    return "".join(spreadsheet.line(cells) for sale in sales for cells in _cells(sale))


def _cells(sale: Sale) -> Iterator[Sequence[Cell]]:
    summary = shapes.sale(sale)
    for forward in summary["forwards"]:
        shown = {**summary, **forward}
        shown["receiptTransactionId"] = summary["transactionId"]
        shown["forwardedAt"] = forward["endedAt"]
        yield [_cell(shown[name]) for name in COLUMNS]


def _cell(value: object) -> Cell:
    return value if isinstance(value, int | None) else str(value)
