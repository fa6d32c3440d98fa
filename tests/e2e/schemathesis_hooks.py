"""For schemathesis. JSON Schema calls 152.0 an integer, but money is never a float here."""

from __future__ import annotations

import schemathesis


@schemathesis.hook
def map_body(_context: schemathesis.HookContext, body: object) -> object:
    """Write whole numbers as such."""
    if not isinstance(body, dict):
        return body
    return {name: _whole(value) for name, value in body.items()}


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value
