"""The key for POS pages is handed out only while Blink says that it can read, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from forwarder.model.credentials import objection
from forwarder.model.units import WalletId
from forwarder.store import tables
from forwarder.web import shapes
from forwarder.worker import credentials, doctor
from forwarder.worker.clock import utc_now
from forwarder.worker.credentials import PROOF_LASTS, Credentials, CredentialsDisabled
from forwarder.worker.service import Service
from tests.worker.conftest import Shop, until

ASKED = "authorization"
OURS, OTHER = WalletId("ours"), WalletId("other")


@pytest.mark.parametrize(
    "scopes", [[], ["WRITE"], ["READ", "RECEIVE"], ["READ", "WRITE"], ["READ", "RECEIVE", "WRITE"]]
)
def test_a_key_that_can_do_anything_else_is_objected_to(scopes: list[str]) -> None:
    assert objection(scopes, [OURS], OURS) is not None


def test_a_key_of_another_account_is_objected_to() -> None:
    assert objection(["READ"], [OTHER], OURS) is not None
    assert objection(["READ"], [OTHER, OURS], OURS) is None


def credentials_of(shop: Shop, key: str | None) -> Credentials:
    kept = None if key is None else SecretStr(key)
    return Credentials(
        shop.common, shop.settings.model_copy(update={"blinkpos_read_api_key": kept})
    )


def read_key(shop: Shop) -> str:
    return shop.blink.create_key(shop.pos, ["READ"])


async def assert_disabled(shop: Shop, credentials: Credentials, why: str) -> None:
    assert why in (credentials.standing.reason or "")
    with pytest.raises(CredentialsDisabled):
        await credentials.give(shop.seller, "198.51.100.1")
    async with shop.database.reading() as tx:
        assert (await tx.execute(select(tables.journal))).all() == []


async def test_a_proven_key_is_handed_out_and_the_journal_knows_to_whom(shop: Shop) -> None:
    key = read_key(shop)
    credentials = credentials_of(shop, key)
    assert await credentials.check()
    given = await credentials.give(shop.seller, "198.51.100.1")
    assert given.api_key.get_secret_value() == key
    assert given.wallet_id == shop.pos.btc_wallet_id
    assert (given.api_url, given.ws_url) == (shop.blink.api_url, shop.blink.ws_url)
    assert given.scopes == ("READ",)
    async with shop.database.reading() as tx:
        (row,) = (await tx.execute(select(tables.journal))).all()
    assert (row.step, row.actor) == ("credentials handed out", "pos")
    assert row.detail == {"merchant": "merchant", "address": "198.51.100.1"}


async def test_nothing_is_handed_out_without_a_key_or_before_blink_was_asked(shop: Shop) -> None:
    await assert_disabled(shop, credentials_of(shop, None), "BLINKPOS_READ_API_KEY is not set")
    await assert_disabled(shop, credentials_of(shop, read_key(shop)), "not been asked")


@pytest.mark.parametrize("scopes", [["READ", "RECEIVE"], ["READ", "WRITE"], ["RECEIVE"]])
async def test_a_key_that_can_do_more_or_less_is_never_handed_out(
    shop: Shop, scopes: list[str]
) -> None:
    credentials = credentials_of(shop, shop.blink.create_key(shop.pos, scopes))
    assert await credentials.check()
    await assert_disabled(
        shop, credentials, "the key" if "READ" not in scopes else "not READ alone"
    )


async def test_the_service_s_own_key_is_never_handed_out(shop: Shop) -> None:
    credentials = credentials_of(shop, shop.pos_key)
    assert await credentials.check()
    await assert_disabled(shop, credentials, "READ and RECEIVE and WRITE")


async def test_a_key_of_another_account_is_never_handed_out(shop: Shop) -> None:
    credentials = credentials_of(shop, shop.blink.create_key(shop.merchant, ["READ"]))
    assert await credentials.check()
    await assert_disabled(shop, credentials, "another account")


async def test_a_key_that_was_revoked_is_no_longer_handed_out(shop: Shop) -> None:
    key = read_key(shop)
    credentials = credentials_of(shop, key)
    await credentials.check()
    assert credentials.standing.enabled
    shop.blink.revoke_key(key)
    assert await credentials.check()
    await assert_disabled(shop, credentials, "Blink does not take the key")


async def test_a_proof_outlasts_blinks_absence_for_a_while_and_no_longer(shop: Shop) -> None:
    credentials = credentials_of(shop, read_key(shop))
    await credentials.check()
    shop.fault(ASKED, "http_503", times=None)
    assert not await credentials.check()
    shop.clock.advance(PROOF_LASTS.total_seconds())
    assert credentials.standing.enabled
    shop.clock.advance(1)
    await assert_disabled(shop, credentials, "not confirmed")
    shop.blink.faults.clear()
    assert await credentials.check()
    assert credentials.standing.enabled


async def test_the_running_service_asks_by_itself_and_its_status_says_so(shop: Shop) -> None:
    update = {"blinkpos_read_api_key": SecretStr(read_key(shop))}
    async with Service.open(shop.settings.model_copy(update=update), shop.clock) as service:
        await until(lambda: service.credentials.standing.enabled)
        status = cast(dict[str, Any], shapes.live(await service.live()))
    assert status["credentials"]["enabled"] is True
    assert status["credentials"]["reason"] is None
    assert status["credentials"]["checkedAt"].endswith("Z")


async def test_the_status_says_why_not(shop: Shop) -> None:
    async with Service.open(shop.settings, shop.clock) as service:
        status = cast(dict[str, Any], shapes.live(await service.live()))
    reason = "BLINKPOS_READ_API_KEY is not set"
    assert status["credentials"] == {"enabled": False, "reason": reason, "checkedAt": None}


@pytest.mark.parametrize(("scopes", "ok"), [(["READ"], True), (["READ", "WRITE"], False)])
async def test_the_doctor_looks_at_the_key(shop: Shop, scopes: list[str], ok: bool) -> None:
    key = shop.blink.create_key(shop.pos, scopes)
    settings = shop.settings.model_copy(update={"blinkpos_read_api_key": SecretStr(key)})
    found = {it.subject: it async for it in doctor.examine(settings, utc_now)}
    finding = found["key for POS pages"]
    assert finding.ok is ok, finding
    assert key not in finding.detail


def test_a_proof_lasts_longer_than_two_checks() -> None:
    assert timedelta(minutes=10) < PROOF_LASTS <= timedelta(minutes=15)


async def test_without_a_key_there_is_nothing_to_ask_blink(shop: Shop) -> None:
    assert await credentials_of(shop, None).check()
    assert shop.blink.calls == []
    assert await credentials.examine(shop.settings, WalletId(shop.pos.btc_wallet_id)) is not None


async def test_a_question_that_came_at_a_bad_pace_is_asked_again(shop: Shop) -> None:
    given = credentials_of(shop, read_key(shop))
    await shop.accounts.pos()
    shop.fault(ASKED, "http_429", account=shop.pos.id)
    assert not await given.check()
    assert await given.check()
    assert given.standing.enabled
