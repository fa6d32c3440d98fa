"""What others say, made fit to be kept, logged and shown."""

from __future__ import annotations

from typing import Final

MAX_CHARACTERS: Final = 500


def plain(text: str) -> str:
    """The beginning of a text, without what a database, a log or a terminal could choke on."""
    whole = text[: MAX_CHARACTERS + 1].encode("utf-8", "replace").decode()
    shown = "".join(letter if letter.isprintable() else " " for letter in whole)
    return shown if len(shown) <= MAX_CHARACTERS else shown[: MAX_CHARACTERS - 1] + "…"
