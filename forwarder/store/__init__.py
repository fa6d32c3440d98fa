"""Everything that is kept. The only code that speaks SQL."""

from __future__ import annotations
