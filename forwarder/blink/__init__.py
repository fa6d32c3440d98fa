"""The only code that speaks to Blink."""

from __future__ import annotations
