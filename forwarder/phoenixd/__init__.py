"""The only code that speaks to a phoenixd node."""

from __future__ import annotations
