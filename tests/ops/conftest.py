"""A point of sale to scrape."""

from __future__ import annotations

from tests.worker.conftest import migrated, shop

__all__ = ["migrated", "shop"]
