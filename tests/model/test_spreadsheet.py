"""A line is read back as it was written, and runs nothing in a spreadsheet."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from forwarder.model.spreadsheet import line
from forwarder.model.words import storable

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
CELLS = TEXTS | st.text("=+-@\t\r\n'\",;a1", max_size=6) | st.integers() | st.none()


@given(st.lists(CELLS, min_size=2, max_size=6))
def test_a_line_is_one_row_of_harmless_cells(cells: list[str | int | None]) -> None:
    (row,) = csv.reader(io.StringIO(line(cells), newline=""))
    for cell, read in zip(cells, row, strict=True):
        if isinstance(cell, str):
            assert not read.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
            assert all(one.isprintable() or one in "\n\t" for one in read)
            assert read.removeprefix("'") == storable(cell).removeprefix("'")
        else:
            assert read == ("" if cell is None else str(cell)), "a number stays a number"
