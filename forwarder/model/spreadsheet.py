"""Lines of a CSV file that a spreadsheet can open and will not run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

from forwarder.model.words import storable

# A spreadsheet takes a cell that begins so for a formula, or skips to what comes after it.
_DANGEROUS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

Cell = str | int | None


def line(cells: Iterable[Cell]) -> str:
    """One line, with its end. Integers stay numbers."""
    text = io.StringIO()
    csv.writer(text).writerow([_harmless(cell) for cell in cells])
    return text.getvalue()


def _harmless(cell: Cell) -> Cell:
    """An apostrophe tells a spreadsheet that what follows is text."""
    if not isinstance(cell, str):
        return cell
    return storable(f"'{cell}" if cell.startswith(_DANGEROUS) else cell)
