"""The service on a local Blink: a sale told step by step, and a till to play with."""

from __future__ import annotations

from forwarder.demo.sale import run

__all__ = ["run"]
