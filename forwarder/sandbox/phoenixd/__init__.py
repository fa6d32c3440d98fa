"""A phoenixd node to try the service and to test it against, in the same world as a local Blink.

It follows what is publicly known of phoenixd's API, and it can be told to fail (see `faults`).
"""

from __future__ import annotations

from forwarder.sandbox.phoenixd.books import Incoming, Outgoing
from forwarder.sandbox.phoenixd.faults import NodeFault
from forwarder.sandbox.phoenixd.server import Phoenixd

__all__ = ["Incoming", "NodeFault", "Outgoing", "Phoenixd"]
