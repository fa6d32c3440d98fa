"""What a POS page needs to watch BlinkPOS by itself."""

from __future__ import annotations

from aiohttp import web

from forwarder.web import auth, proxies
from forwarder.web.answers import Credentials
from forwarder.web.keys import SERVICE
from forwarder.web.responses import answer


async def show(request: web.Request) -> web.Response:
    """`GET /api/blink/blinkpos-credentials`."""
    credentials = request.app[SERVICE].credentials
    given = await credentials.give(auth.merchant(request), proxies.address(request))
    told: Credentials = {
        "success": True,
        "apiUrl": given.api_url,
        "wsUrl": given.ws_url,
        "apiKey": given.api_key.get_secret_value(),
        "walletId": given.wallet_id,
        "scopes": [*given.scopes],
    }
    return answer(told)
