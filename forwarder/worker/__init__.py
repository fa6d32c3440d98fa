"""What happens by itself between a customer's payment and a merchant's wallet."""

from __future__ import annotations
