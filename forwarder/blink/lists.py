"""Blink's lists: connections of nodes, read from new to old."""

from __future__ import annotations

from typing import TypeVar

import structlog
from pydantic import ValidationError

from forwarder.blink.errors import Unknown
from forwarder.blink.replies import ListedInvoice, Reply, Transaction

log = structlog.get_logger(__name__)


class PageInfo(Reply):
    """`PageInfo`, for reading from new to old."""

    end_cursor: str | None
    has_next_page: bool


Node = TypeVar("Node", Transaction, ListedInvoice)


class Edge(Reply):
    """An edge of a connection, with its node as it came."""

    node: dict[str, object]


class Connection(Reply):
    """A page of a list, newest first."""

    page_info: PageInfo
    edges: list[Edge] | None

    def read(self, kind: type[Node], *, whole: bool) -> list[Node]:
        """What is on the page. One node that is not understood must not hide all others.

        Raises `Unknown` if none is understood, or, where the `whole` page is needed, not all.
        """
        nodes, errors = [], []
        for edge in self.edges or []:
            try:
                nodes.append(kind.model_validate(edge.node))
            except ValidationError as exc:
                log.error("a part of a list of Blink's was not understood", fields=_places(exc))
                errors.append(exc)
        if errors and (whole or not nodes):
            raise Unknown("a list of Blink's was not understood") from errors[0]
        return nodes


def _places(exc: ValidationError) -> list[str]:
    """Where something was wrong, without the values."""
    return [".".join(str(part) for part in error["loc"]) for error in exc.errors()]
