"""What others say, made fit to be kept, logged and shown."""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 500


def storable(text: str) -> str:
    """A text without what a database, a log, a spreadsheet or a terminal could choke on."""
    return _without_controls(text, kept="\n\t")


def plain(text: str) -> str:
    """The beginning of a text, made storable, on one line."""
    shown = _without_controls(text[: MAX_CHARACTERS + 1])
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"


def _without_controls(text: str, kept: str = "") -> str:
    whole = text.encode("utf-8", "replace").decode()
    return "".join(one if one.isprintable() or one in kept else " " for one in whole)
