"""How many invoices Blink makes for one account: to ask for more costs five minutes without any.

The limit is 60 in 60 seconds, by core/api/src/config in blinkbitcoin/blink.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

WINDOW: Final = timedelta(seconds=60)
LIMIT: Final = 59  # the sixtieth is Blink's to count, whose minute is never quite ours
SPARED: Final = 39
"""What sales that were rebuilt from a ledger leave of it to those of today.

Whoever has paid a sale knows how it is called at Blink, and can have a satoshi of their own taken
for a lost sale, again and again.
"""
