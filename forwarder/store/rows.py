"""Rows as the objects that they were kept from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Result, Row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def read(kind: type[T], row: Row[Any], **parts: object) -> T:
    """The object whose fields have the columns' names; `parts` are those that are no column."""
    kept = row._mapping
    named = {field.name: kept[field.name] for field in fields(kind) if field.name not in parts}
    return kind(**named, **parts)


def read_first(kind: type[T], rows: Result[Any]) -> T | None:
    """The object of the first row, if there is one."""
    row = rows.first()
    return None if row is None else read(kind, row)


def read_all(kind: type[T], rows: Iterable[Row[Any]]) -> list[T]:
    """The objects of all rows."""
    return [read(kind, row) for row in rows]
