"""Blink's pagination: what `first`, `after`, `last` and `before` really do to its lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

from forwarder.sandbox import errors

MAX_PAGE_SIZE = 100
OBJECT_ID = re.compile(r"[0-9a-fA-F]{24}")

T = TypeVar("T")


class WindowArguments(TypedDict, total=False):
    """The arguments of a connection, any of which may be missing."""

    first: int | None
    after: str | None
    last: int | None
    before: str | None


@dataclass(frozen=True, slots=True)
class Window:
    """The four arguments of a connection, as the client gave them."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    @property
    def size(self) -> int:
        """The page size; raises the refusal of an impossible one."""
        if self.first is not None and self.last is not None:
            raise errors.refusal("INVALID_INPUT", 'Cannot use both "first" and "last".')
        size = self.last if self.first is None else self.first
        if size is None:
            return MAX_PAGE_SIZE
        if size > MAX_PAGE_SIZE:
            message = (
                f"Requested page size ({size}) is greater than max allowed page size "
                f"{MAX_PAGE_SIZE}."
            )
            raise errors.refusal("INVALID_INPUT", message)
        if size <= 0:
            raise errors.refusal("INVALID_INPUT", f"Invalid page size ({size}).")
        return size

    @property
    def backwards(self) -> bool:
        return self.last is not None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    has_next: bool
    has_previous: bool


def by_object_id(items: Sequence[T], window: Window, key: Callable[[T], str]) -> Page[T]:
    """A page of items whose cursor is an ObjectId; the cursor need not be one of theirs."""
    size = window.size
    cursor = window.before if window.backwards else window.after
    if cursor is not None and not OBJECT_ID.fullmatch(cursor):
        raise errors.Refusal("Unknown error occurred (code: UnknownLedgerError)")
    if window.backwards:
        newer = [item for item in items if cursor is None or key(item) > cursor.lower()]
        return _newest_part_cut(newer, size)
    older = [item for item in items if cursor is None or key(item) < cursor.lower()]
    return _oldest_part_cut(older, size)


def by_position(items: Sequence[T], window: Window, key: Callable[[T], str]) -> Page[T]:
    """A page of items whose cursor is one item's own key, as invoices have it."""
    size = window.size
    cursor = window.before if window.backwards else window.after
    keys = [key(item) for item in items]
    if cursor is not None and cursor not in keys:
        raise errors.Refusal("Unknown error occurred (code: UnknownRepositoryError)")
    if window.backwards:
        end = len(items) if cursor is None else keys.index(cursor)
        return _newest_part_cut(items[:end], size)
    start = 0 if cursor is None else keys.index(cursor) + 1
    return _oldest_part_cut(items[start:], size)


def _newest_part_cut(items: Sequence[T], size: int) -> Page[T]:
    # The items next to the cursor are the last ones: what is cut off is still newer.
    return Page(items[-size:], has_next=False, has_previous=len(items) > size)


def _oldest_part_cut(items: Sequence[T], size: int) -> Page[T]:
    return Page(items[:size], has_next=len(items) > size, has_previous=False)
