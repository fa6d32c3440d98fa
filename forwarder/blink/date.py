"""What time it is at Blink."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from forwarder.blink.errors import Unknown

_SECONDS: Final = 10


async def date_of(url: str) -> datetime:
    """The date that the server of a URL puts on its answers, whatever it answers.

    Raises `Unknown`.
    """
    try:
        async with (
            asyncio.timeout(_SECONDS),
            aiohttp.ClientSession() as session,
            session.post(url, json={"query": "{ __typename }"}) as answer,
        ):
            return parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (aiohttp.ClientError, OSError, KeyError, ValueError) as exc:
        raise Unknown(f"{type(exc).__name__}: {exc}") from exc
