"""GraphQL over HTTP: keys, scopes, idempotency, complexity, and the record of calls."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from forwarder.sandbox import Sandbox, SandboxError, documents
from tests.sandbox.client import CREATE, SEND, START, UPDATES, Clock, Shop

ME = "{ me { id } }"
AUTHORIZATION = "{ authorization { scopes } }"
GLOBALS = "{ globals { network nodesIds } }"
KEY_V4 = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
KEY_V7 = "01890a5d-ac96-774b-bcce-b302099a8057"
NO_READ = (
    "Unexpected error occurred, please try again or contact support if it persists "
    "(code: AuthorizationError: not authorized to read data)"
)


async def test_an_unknown_or_revoked_key_is_stopped_by_the_gateway(world: Shop) -> None:
    revoked = world.sandbox.create_key(world.shop)
    world.sandbox.revoke_key(revoked)
    for key in ("blink_unknown", revoked):
        status, text = await world.post(GLOBALS, key=key)
        assert status == 401
        assert "<title>401 Authorization Required</title>" in text
    assert world.sandbox.calls[-1].outcome == "unauthorized"
    with pytest.raises(SandboxError):
        world.sandbox.revoke_key("blink_unknown")


async def test_anybody_may_read_what_is_public_and_nothing_else(world: Shop) -> None:
    answer = await world.ask(GLOBALS, key=None)
    assert answer["data"]["globals"]["network"] == "regtest"
    nullable = await world.ask(ME, key=None)
    assert nullable == {
        "data": {"me": None},
        "errors": [
            {
                "message": "Not authorized",
                "locations": [{"line": 1, "column": 3}],
                "path": ["me"],
            }
        ],
    }
    required = await world.ask(CREATE, {"input": {"walletId": world.wallet, "amount": 1}}, key=None)
    assert (required["data"], required["errors"][0]["message"]) == (None, "Not authorized")


async def test_an_account_that_is_not_active_is_not_authorized(world: Shop) -> None:
    world.sandbox.set_status(world.shop, "locked")
    assert (await world.ask(ME))["errors"][0]["message"] == "Not authorized"


@pytest.mark.parametrize("scope", ["READ", "RECEIVE", "WRITE"])
async def test_each_scope_opens_its_own_doors(world: Shop, scope: str) -> None:
    key = world.sandbox.create_key(world.shop, [scope])
    read = await world.ask(ME, key=key)
    assert ("errors" not in read) == (scope == "READ")
    if "errors" in read:
        assert read["errors"][0]["message"] == NO_READ
    created = await world.mutate(CREATE, key=key, walletId=world.wallet, amount=1)
    assert (created["errors"] == []) == (scope in ("RECEIVE", "WRITE"))
    values = {"walletId": world.wallet, "paymentRequest": await world.payout(5)}
    sent = await world.mutate(SEND, key=key, **values)
    assert (sent["status"] == "SUCCESS") == (scope == "WRITE")
    if scope != "WRITE":
        assert (sent["status"], sent["errors"][0]["code"]) == (None, None)
        assert (
            "AuthorizationError: not authorized to execute mutations"
            in (sent["errors"][0]["message"])
        )


async def test_a_key_learns_its_scopes(world: Shop) -> None:
    key = world.sandbox.create_key(world.shop, ("WRITE", "READ"))
    answer = await world.ask(AUTHORIZATION, key=key)
    assert answer["data"]["authorization"]["scopes"] == ["READ", "WRITE"]
    with pytest.raises(SandboxError, match="unknown scopes"):
        world.sandbox.create_key(world.shop, ("ADMIN",))


async def test_an_idempotency_key_blocks_a_repetition_for_an_hour(world: Shop) -> None:
    assert "data" in await world.ask(ME, X_Idempotency_Key=KEY_V4)
    again = await world.ask(GLOBALS, X_Idempotency_Key=KEY_V4)
    assert again == {
        "errors": [{"message": "HTTP fetch failed from 'public': 409: Conflict"}],
    }
    world.clock.advance(hours=1)
    assert "data" in await world.ask(ME, X_Idempotency_Key=KEY_V4)


@pytest.mark.parametrize("key", [KEY_V7, "hello"])
async def test_an_idempotency_key_has_to_be_a_uuid_of_the_old_kinds(world: Shop, key: str) -> None:
    answer = await world.ask(ME, X_Idempotency_Key=key)
    assert answer["errors"][0]["message"] == "HTTP fetch failed from 'public': 400: Bad Request"


async def test_two_mutations_are_too_complex_for_one_request(world: Shop) -> None:
    one = 'lnInvoiceCancel(input: {walletId: "w", paymentHash: "h"}) { success }'
    answer = await world.ask(f"mutation {{ a: {one} b: {one} }}")
    assert [error["message"] for error in answer["errors"]] == [
        "HTTP fetch failed from 'public': 500: Internal Server Error",
        "Query too complex. Value of 244 is over the maximum 200.",
    ]
    assert world.sandbox.calls[-1].outcome == "rejected"


def test_of_the_alternatives_in_a_union_only_the_dearest_counts() -> None:
    assert documents.read(ME).cost == 2
    assert documents.read(UPDATES).cost == 6 + 13
    spread = "query { me { ...user } } fragment user on User { id username }"
    assert documents.read(spread).cost == 3


@pytest.mark.parametrize("query", ["{ me { ", "{ nothing }", "{ me { id(x: 1) } }", ""])
async def test_a_document_that_is_wrong_gets_errors_with_http_200(world: Shop, query: str) -> None:
    assert (await world.ask(query))["errors"][0]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"query": 5}', b'{"query": "a", "variables": 1}']
)
async def test_a_body_that_is_no_graphql_is_a_bad_request(world: Shop, body: bytes) -> None:
    async with world.http.post(world.sandbox.api_url, data=body) as response:
        assert response.status == 400
        assert (await response.json())["errors"]


async def test_errors_over_http_carry_no_code(world: Shop) -> None:
    query = 'query { accountDefaultWallet(username: "nobody") { id } }'
    answer = await world.ask(query, key=None)
    assert answer["errors"][0]["message"] == "Account does not exist for username nobody"
    assert "extensions" not in answer["errors"][0]
    bad = await world.ask('{ accountDefaultWallet(username: "x") { id } }', key=None)
    assert bad["errors"][0]["message"] == "Invalid value for Username"


async def test_a_username_leads_to_its_wallets(world: Shop) -> None:
    query = """query ($c: WalletCurrency) { accountDefaultWallet(username: "Alice",
      walletCurrency: $c) { id currency walletCurrency } }"""
    default = (await world.ask(query, key=None))["data"]["accountDefaultWallet"]
    assert (default["id"], default["currency"]) == (world.merchant.btc_wallet_id, "BTC")
    dollars = (await world.ask(query, {"c": "USD"}, key=None))["data"]["accountDefaultWallet"]
    assert dollars["id"] == world.merchant.usd_wallet_id
    world.sandbox.set_status(world.merchant, "migrated")
    gone = await world.ask(query, key=None)
    assert gone["errors"][0]["message"] == "Account is inactive."


async def test_the_account_is_described_as_blink_does(world: Shop) -> None:
    answer = await world.ask(
        """query Boot { me { id username defaultAccount { id level displayCurrency defaultWalletId
        defaultWallet { id currency } wallets { __typename id accountId walletCurrency balance
        pendingIncomingBalance } } } authorization { scopes } globals { nodesIds
        lightningAddressDomain } realtimePrice { btcSatPrice { base offset currencyUnit }
        denominatorCurrencyDetails { id symbol } timestamp } }"""
    )
    account = answer["data"]["me"]["defaultAccount"]
    assert UUID(account["id"])
    assert answer["data"]["me"]["id"] != account["id"]
    assert account["defaultWallet"] == {"id": world.wallet, "currency": "BTC"}
    assert [wallet["__typename"] for wallet in account["wallets"]] == ["BTCWallet", "UsdWallet"]
    assert answer["data"]["globals"]["nodesIds"] == [world.sandbox.bank.node.id]
    price = answer["data"]["realtimePrice"]
    assert price["btcSatPrice"]["base"] / 10 ** price["btcSatPrice"]["offset"] == 0.1
    assert price["timestamp"] == int(START.timestamp())


async def test_every_call_is_written_down(world: Shop) -> None:
    await world.create(5)
    await world.ask(GLOBALS, key=None)
    created, asked = world.sandbox.calls
    assert (created.operation, created.account_id) == ("lnInvoiceCreate", world.shop.id)
    assert created.variables["input"]["amount"] == 5
    assert (created.at, created.outcome) == (START, "answered")
    assert (asked.operation, asked.account_id) == ("globals", None)


async def test_latency_comes_after_the_execution(world: Shop) -> None:
    world.sandbox.set_latency("lnInvoiceCreate", 0.15)
    creating = asyncio.create_task(world.create())
    await asyncio.sleep(0.08)
    assert len(world.sandbox.invoices(world.wallet)) == 1
    assert not creating.done()
    await creating


def test_the_same_seed_gives_the_same_run() -> None:
    def run(seed: int) -> tuple[str, str]:
        sandbox = Sandbox(clock=Clock(), seed=seed)
        account = sandbox.open_account("alice", sats=5)
        return sandbox.create_key(account), account.btc_wallet_id

    assert run(1) == run(1)
    assert run(1) != run(2)
