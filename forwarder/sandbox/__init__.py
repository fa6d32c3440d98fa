"""A local Blink to try the service and to test it against: real sockets, made-up money.

It follows what is publicly known of Blink's API, quirks included, and it can be told to fail in
every way that a payment service has to survive (see `faults`).
"""

from __future__ import annotations

from forwarder.sandbox.accounts import Account
from forwarder.sandbox.api import Call
from forwarder.sandbox.errors import SandboxError
from forwarder.sandbox.faults import Fault, FaultKind
from forwarder.sandbox.invoices import InvoiceView
from forwarder.sandbox.ledger import LedgerError
from forwarder.sandbox.server import Sandbox, utc_now
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.transactions import TransactionView

__all__ = [
    "Account",
    "Call",
    "Fault",
    "FaultKind",
    "InvoiceView",
    "LedgerError",
    "Sandbox",
    "SandboxError",
    "Timing",
    "TransactionView",
    "utc_now",
]
