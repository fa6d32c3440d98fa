"""What the pages have only in the demo: their tokens, filled in, and a customer who pays."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from forwarder.sandbox import Sandbox
from forwarder.sandbox.errors import SandboxError
from forwarder.settings import Settings
from forwarder.web import requests, site
from forwarder.web.errors import ApiError
from forwarder.web.responses import answer

_SCRIPT: Final = site.File.read(Path(__file__).with_name("demo.js"))


class Bill(BaseModel):
    """The body of `POST /demo/pay`."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)

    payment_request: str


class Till:
    """The routes that a demo has beside those of every service."""

    def __init__(self, blink: Sandbox, settings: Settings) -> None:
        self._blink = blink
        self._settings = settings

    def routes(self) -> list[web.RouteDef]:
        """The demo's script takes the place of the one that says that this is no demo."""
        return [
            web.get("/shared/demo.js", self._script),
            web.get("/demo/tokens", self._tokens),
            web.post("/demo/pay", self._pay),
        ]

    async def _script(self, request: web.Request) -> web.Response:
        return site.respond(request, _SCRIPT)

    async def _tokens(self, _request: web.Request) -> web.Response:
        return answer(
            {
                "posToken": shown(self._settings.pos_token),
                "operatorToken": shown(self._settings.operator_token),
            }
        )

    async def _pay(self, request: web.Request) -> web.Response:
        bill = await requests.body(request, Bill)
        try:
            receipt = await self._blink.pay(bill.payment_request)
        except SandboxError as error:
            raise ApiError(409, "not_payable", str(error)) from None
        return answer({"success": True, "amountSat": receipt.amount_sat})


def shown(secret: SecretStr | None) -> str:
    """A secret of the demo, which guards nothing."""
    return "" if secret is None else secret.get_secret_value()
