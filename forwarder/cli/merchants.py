"""Commands for the merchants and their Blink accounts."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer
from pydantic import SecretStr

from forwarder.cli.common import WRONG, Json, fail, with_database
from forwarder.cli.printing import print_json, print_table
from forwarder.model.merchant import Merchant, is_name
from forwarder.model.units import WalletId
from forwarder.settings import Settings
from forwarder.store import merchants
from forwarder.store.database import Database
from forwarder.worker.clock import utc_now
from forwarder.worker.enrolment import enrol


def add(
    name: Annotated[
        str,
        typer.Argument(help="Its name; a known one gets the new key and token."),
    ],
    api_key: Annotated[
        str,
        typer.Option(
            envvar="NEW_MERCHANT_API_KEY",
            prompt="API key of the merchant's Blink account",
            hide_input=True,
            help="Needs RECEIVE, and READ unless --wallet is given.",
        ),
    ],
    token: Annotated[
        str | None,
        typer.Option(envvar="NEW_POS_TOKEN", help="Its POS token; by default a new one."),
    ] = None,
    wallet: Annotated[
        str | None, typer.Option(help="Its BTC wallet; Blink is asked if not given.")
    ] = None,
) -> None:
    """Add a merchant, or give a known one a new key and POS token."""
    if not is_name(name):
        raise typer.BadParameter("a name has 1 to 64 printable characters", param_hint="NAME")
    pos_token = token or secrets.token_urlsafe(24)

    async def enrol_it(settings: Settings, database: Database) -> Merchant:
        return await enrol(
            settings,
            database,
            name,
            SecretStr(api_key),
            SecretStr(pos_token),
            None if wallet is None else WalletId(wallet),
            utc_now(),
        )

    merchant = with_database(enrol_it)
    typer.echo(f"merchant {merchant.name}: wallet {merchant.wallet_id}")
    typer.echo(f"its POS token, shown only now: {pos_token}")


def show(as_json: Json = False) -> None:
    """Show the merchants."""

    async def read(_settings: Settings, database: Database) -> list[Merchant]:
        async with database.reading() as tx:
            return await merchants.everyone(tx)

    known = with_database(read)
    if as_json:
        print_json(
            [
                {"id": m.id, "name": m.name, "walletId": m.wallet_id, "enabled": m.enabled}
                for m in known
            ]
        )
        return
    print_table(
        ("name", "wallet", "enabled"),
        [(m.name, m.wallet_id or "not known yet", "yes" if m.enabled else "no") for m in known],
    )


def disable(
    name: Annotated[str, typer.Argument(help="The merchant's name.")],
) -> None:
    """Refuse new sales of a merchant. What it has received is still forwarded."""

    async def switch_off(_settings: Settings, database: Database) -> bool:
        async with database.transaction() as tx:
            merchant = await merchants.named(tx, name)
            if merchant is None:
                return False
            await merchants.disable(tx, merchant)
            return True

    if not with_database(switch_off):
        fail(f"there is no merchant {name!r}", WRONG)
    typer.echo(f"merchant {name} makes no sales any more")
