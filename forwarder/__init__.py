"""Forwards each Lightning payment of a shared Blink point of sale to its merchant, once."""

from __future__ import annotations

from importlib.metadata import version

__version__ = version("blink-pos-forwarder")
