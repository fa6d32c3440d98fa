"""Points at which a test can cut the service, or hold it; each costs nothing while none is set.

A point is named after the module that it stands in, and after what has just happened there, or is
about to.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

Action = Callable[[], Awaitable[None]]

POINTS: Final = {
    "service.prepared": "dead leases are freed, and nothing runs yet",
    "sales.asked": "a till has asked for an invoice, and nothing is kept",
    "sales.intended": "the order is kept, and Blink was not asked",
    "sales.answered": "Blink has made the invoice, which is not kept",
    "sales.kept": "the invoice is kept, and the till was not answered",
    "sales.cancelled": "an invoice is cancelled at Blink, and not here",
    "expiry.looked": "invoices are over, Blink was asked a last time, and nothing is kept",
    "watcher.subscribing": "a handshake is booked, and no websocket was opened",
    "watcher.subscribed": "the subscription is live, and nobody asked for what it has missed",
    "watcher.idle": "the last pending invoice is done, and the websocket is to be closed",
    "watcher.closed": "the websocket is closed, and a new invoice may have come meanwhile",
    "subscription.heard": "a receipt was read from an event, and is not kept",
    "catch_up.found": "a page of entries was read, and its receipts are not kept",
    "catch_up.taken": "the receipts of a page are kept, and the next page was not asked for",
    "hints.verified": "a webhook is known to be genuine, and nothing of it is kept",
    "hints.kept": "what a webhook has told is kept, and it was not answered",
    "intake.kept": "payments are kept with their messages, and no page was told",
    "intake.told": "the pages were told, and the payout was not woken",
    "payout.due": "forwards are due, and not claimed",
    "payout.claimed": "forwards are claimed, and not worked on",
    "invoicing.asking": "Blink is about to be asked for a payout invoice",
    "invoicing.answered": "Blink has made a payout invoice, which is not kept",
    "sending.due": "the payout invoice is kept, and its payment has not begun",
    "sending.kept": "`sending` is kept, and nothing was sent",
    "sending.answered": "Blink has answered the payment, and that is not kept",
    "sending.proving": "the proof is about to be asked for",
    "sending.proven": "the proof is there, and not kept",
    "moves.forwarded": "`forwarded` is kept, and no page was told",
    "desk.chosen": "forwards are chosen for a replay, and not moved",
    "interventions.replayed": "one forward of a batch was replayed, and nothing of it is committed",
    "lookback.read": "a page of all there ever was is looked through, and how far that is is kept",
    "reconciler.read": "a page of entries was read, and the next one was not asked for",
    "reconciler.audited": "everything found is mended, and the cursor has not moved",
    "reconciler.moved": "the cursor has moved",
    "audit.taken": "a receipt that was missed is kept, and the next one was not looked at",
    "rebuilding.kept": "a lost invoice is kept again, and nobody was told of its payment",
    "audit.settled": "a send is matched with its forward, and nobody was told",
}

_set: dict[str, Action] = {}


async def failpoint(name: str) -> None:
    """Do here what a test has set for this point; by itself nothing happens."""
    if name in _set:
        await _set[name]()


def arm(name: str, action: Action) -> None:
    """From now on do this at the point of that name."""
    if name not in POINTS:
        raise KeyError(f"there is no failpoint {name!r}")
    _set[name] = action


def disarm(name: str | None = None) -> None:
    """Let a point, or all of them, pass again."""
    if name is None:
        _set.clear()
    else:
        _set.pop(name, None)
