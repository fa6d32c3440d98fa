"""The rules of the business: pure, without I/O and without a clock of its own."""

from __future__ import annotations
