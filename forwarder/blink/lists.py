"""Blink's lists: connections of nodes, read from new to old."""

from __future__ import annotations

import structlog
from pydantic import BaseModel, ValidationError

from forwarder.blink.errors import Unknown
from forwarder.blink.replies import Id, ListedInvoice, Reply, Transaction
from forwarder.model.keyring import FORWARD
from forwarder.model.ledger import Direction, Unreadable
from forwarder.model.words import plain

log = structlog.get_logger(__name__)


class PageInfo(Reply):
    """`PageInfo`, for reading from new to old."""

    end_cursor: str | None
    has_next_page: bool


class Edge(Reply):
    """An edge of a connection, with its node as it came."""

    node: dict[str, object]


class Connection(Reply):
    """A page of a list, newest first."""

    page_info: PageInfo
    edges: list[Edge] | None

    def entries(self, *, whole: bool) -> tuple[list[Transaction], list[Unreadable]]:
        """The transactions, and those that were not understood: one must not stop all others.

        Where the `whole` page is to prove something, what may be a payout has to be understood.
        Raises `Unknown` if it is not, and of what has not even an id.
        """
        read: list[Transaction] = []
        unreadable: list[Unreadable] = []
        for edge in self.edges or []:
            try:
                read.append(Transaction.model_validate(edge.node))
            except ValidationError as exc:
                if whole and _may_be_a_payout(edge.node):
                    raise Unknown("a list of Blink's was not understood") from exc
                unreadable.append(_set_aside(edge.node, exc))
        return read, unreadable

    def invoices(self) -> list[ListedInvoice]:
        """The invoices. Raises `Unknown` if one is not understood: it could be any."""
        try:
            return [ListedInvoice.model_validate(edge.node) for edge in self.edges or []]
        except ValidationError as exc:
            log.error("a part of a list of Blink's was not understood", fields=_places(exc))
            raise Unknown("a list of Blink's was not understood") from exc


class _Named(BaseModel):
    id: Id


def _set_aside(node: dict[str, object], exc: ValidationError) -> Unreadable:
    places = ", ".join(_places(exc))
    log.error("an entry of Blink's was not understood", fields=places)
    try:
        return Unreadable(_Named.model_validate(node).id, plain(f"odd in {places}"))
    except ValidationError:
        raise Unknown("a list of Blink's was not understood") from exc


def _may_be_a_payout(node: dict[str, object]) -> bool:
    """Whether this could have paid a payout invoice, for all that can be understood of it."""
    if node.get("direction") == Direction.RECEIVE:
        return False
    via, name = node.get("initiationVia"), node.get("externalId")
    has_hash = not isinstance(via, dict) or via.get("paymentHash") is not None
    may_be_named = name is not None and (not isinstance(name, str) or FORWARD in name)
    return has_hash or may_be_named


def _places(exc: ValidationError) -> list[str]:
    """Where something was wrong, without the values."""
    return [".".join(str(part) for part in error["loc"]) for error in exc.errors()]
