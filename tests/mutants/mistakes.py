"""The mistakes that forwarders make, each as it would look in this code, and who catches it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Patch:
    """A text of a file that becomes another."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake, and the tests of which at least one fails on it."""

    name: str
    patches: tuple[Patch, ...]
    tests: tuple[str, ...]


_SENDING = "forwarder/worker/sending.py"
_PAYOUT = "forwarder/model/payout.py"
_REPLIES = "forwarder/blink/replies.py"
_MOVES = "forwarder/store/moves.py"
_CLAIMS = "forwarder/store/claims.py"
_INVOICES = "forwarder/store/invoices.py"
_INTAKE = "forwarder/worker/intake.py"
_WATCHER = "forwarder/worker/watcher.py"
_WEBHOOKS = "forwarder/web/webhooks.py"

MISTAKES: Final = (
    Mistake(
        "a new payout invoice at each retry",
        (
            Patch(
                _SENDING,
                "        return await self.prove(await self._moves.lose(forward), None)",
                "        lost = await self._moves.lose(forward)\n"
                "        return await self._moves.renew(lost)",
            ),
        ),
        (
            "tests/worker/test_forwarding.py::"
            "test_a_payment_that_was_lost_before_blink_saw_it_is_made_with_the_same_invoice",
        ),
    ),
    Mistake(
        "FAILURE retried with a new invoice",
        (
            Patch(
                _SENDING,
                "            return await self.prove(forward, answer)",
                "            return await self._moves.renew(forward)",
            ),
        ),
        ("tests/worker/test_forwarding.py::test_an_empty_balance_is_waited_out",),
    ),
    Mistake(
        "absence believed at once",
        (
            Patch(
                _PAYOUT,
                "    if sent_for < LEDGER_MAY_LAG:",
                "    if sent_for < timedelta(0):",
            ),
            Patch(
                _PAYOUT,
                "    if forward.absent_at is None or forward.absent_at > now:",
                "    if False:",
            ),
        ),
        (
            "tests/model/test_payout.py::test_absence_proves_nothing_soon",
            "tests/worker/test_forwarding.py::test_a_dead_payout_invoice_is_replaced_only_when_the_ledger_is_sure",
        ),
    ),
    Mistake(
        "absence read once",
        (Patch(_PAYOUT, "        return Absent()", "        return Renew()"),),
        ("tests/model/test_payout.py::test_absence_has_to_be_read_twice",),
    ),
    Mistake(
        "'already paid' taken for refusal",
        (
            Patch(
                _PAYOUT,
                "return Doubt(Verdict.PAID, refusal)",
                "return Doubt(Verdict.REFUSED, refusal)",
            ),
        ),
        (
            "tests/worker/test_forwarding.py::test_what_is_said_to_be_paid_waits_for_a_person_who_knows_by_whom",
        ),
    ),
    Mistake(
        "a payment to the account that a merchant had before",
        (Patch(_MOVES, "    if await _has_moved(tx, forward):", "    if False:"),),
        (
            "tests/worker/test_forwarding.py::test_what_was_not_sent_yet_goes_where_the_merchants_money_goes_now",
        ),
    ),
    Mistake(
        "a payment that leaves long after it was kept",
        (
            Patch(
                _SENDING,
                "        if monotonic() - begun > SEND_WITHIN.total_seconds():",
                "        if False:",
            ),
        ),
        (
            "tests/worker/test_forwarding.py::test_a_process_that_was_stopped_before_its_call_does_not_make_it",
        ),
    ),
    Mistake(
        "FAILURE believed without a look at the ledger",
        (
            Patch(
                _SENDING,
                "            return await self.prove(forward, answer)",
                "            return await self._unpaid(forward, answer)",
            ),
        ),
        ("tests/worker/test_forwarding.py::test_a_proof_that_cannot_be_had_is_asked_for_later",),
    ),
    Mistake(
        "PENDING taken for failure",
        (
            Patch(
                _REPLIES,
                "            case SendStatus.SUCCESS | SendStatus.PENDING:\n"
                "                return Underway()",
                "            case SendStatus.SUCCESS | SendStatus.PENDING:\n"
                "                return Refusal(NOT_SHOWN, 'pending')",
            ),
        ),
        ("tests/blink/test_client.py::test_a_payment_that_is_pending_is_under_way",),
    ),
    Mistake(
        "a pending SEND taken for none",
        (
            Patch(
                "forwarder/model/ledger.py",
                "    if any(entry.status is EntryStatus.PENDING for entry in sends):\n"
                "        return Underway()\n",
                "",
            ),
        ),
        ("tests/model/test_ledger.py::test_only_a_send_of_ours_proves_anything",),
    ),
    Mistake(
        "ALREADY_PAID taken for failure",
        (
            Patch(
                _REPLIES,
                "case SendStatus.SUCCESS | SendStatus.ALREADY_PAID if sent is not None",
                "case SendStatus.SUCCESS if sent is not None",
            ),
            Patch(
                _REPLIES,
                "            case SendStatus.ALREADY_PAID if self.transaction is not None:\n"
                "                return Underway()\n",
                "",
            ),
        ),
        (
            "tests/blink/test_client.py::test_each_status_is_understood_as_what_it_proves",
            "tests/blink/test_client.py::test_a_payment_that_went_through_is_proven_by_its_send",
        ),
    ),
    Mistake(
        "rows expired while being sent",
        (
            Patch(
                "forwarder/model/invoice.py",
                "    InvoiceState.PAID: frozenset[InvoiceState](),",
                "    InvoiceState.PAID: frozenset({InvoiceState.EXPIRED}),",
            ),
            Patch(
                _INVOICES,
                "    if invoice.state is not InvoiceState.PENDING or not await _move(",
                "    if not await _move(",
            ),
            Patch(
                _INVOICES,
                "where(_PENDING, invoices.c.expires_at <= now)",
                "where(invoices.c.expires_at <= now)",
            ),
        ),
        (
            "tests/store/test_invoices.py::test_an_invoice_ends_only_while_it_is_pending[sqlite-expired]",
        ),
    ),
    Mistake(
        "no catch-up on reconnect",
        (
            Patch(
                "forwarder/worker/subscription.py",
                "        self._missed = True  # what came before it was live",
                "        self._missed = False",
            ),
        ),
        (
            "tests/worker/test_watcher.py::test_a_connection_that_breaks_is_made_again",
            "tests/worker/test_watcher.py::test_it_asks_for_what_was_paid_before_it_was_open",
        ),
    ),
    Mistake(
        "catch-up before the subscription is live",
        (
            Patch(
                "forwarder/worker/subscription.py",
                "                await subscription._until_heard()\n",
                "",
            ),
        ),
        (
            "tests/worker/test_watcher.py::test_a_subscription_without_a_first_event_is_used_all_the_same",
            "tests/worker/test_watcher.py::test_it_asks_only_once_the_subscription_is_live",
        ),
    ),
    Mistake(
        "start-up repairs a state but wakes nobody",
        (
            Patch(
                _CLAIMS,
                "    await tx.execute(update(table).where(leased).values(owner=None, due_at=now))",
                "    await tx.execute(update(table).where(leased).values(owner=None))",
            ),
        ),
        (
            "tests/worker/test_service.py::test_what_a_dead_process_has_left_is_taken_up_at_the_start",
        ),
    ),
    Mistake(
        "a duplicate event forwarded twice",
        (
            Patch(
                _INTAKE,
                "return [receipt for receipt in receipts if receipt.payment_hash not in known]",
                "return list(receipts)",
            ),
            Patch(
                _INTAKE,
                "        if not await payments.add("
                "tx, receipt, invoice_id, source, witness, self._clock()):\n"
                "            return None\n",
                "        now = self._clock()\n"
                "        await payments.add(tx, receipt, invoice_id, source, witness, now)\n",
            ),
            Patch(
                _INTAKE,
                "            await forwards.add(tx, payment, share, name, now)",
                "            count = len(await forwards.of_payment(tx, payment.payment_hash))\n"
                "            share = type(share)(count, share.merchant_id, share.amount)\n"
                "            await forwards.add(tx, payment, share, name + '-' * count, now)",
            ),
        ),
        ("tests/worker/test_intake.py::test_a_receipt_that_is_told_again_changes_nothing",),
    ),
    Mistake(
        "timeout taken for failure",
        (
            Patch(
                "forwarder/blink/errors.py",
                '            return Unknown("Blink did not answer in time")',
                '            return Refused(Refusal(None, "Blink did not answer in time"))',
            ),
        ),
        (
            "tests/blink/test_errors.py::test_an_answer_that_does_not_come_in_time_is_unknown",
            "tests/blink/test_errors.py::test_what_nobody_has_thought_of_is_unknown",
        ),
    ),
    Mistake(
        "a lost answer taken for failure",
        (
            Patch(
                _SENDING,
                "            # Not known: a later try begins with the proof, "
                "as it does after a crash.\n"
                "            return await self._moves.postpone(forward, str(exc))",
                "            return await self._moves.try_again(forward)",
            ),
        ),
        (
            "tests/worker/test_forwarding.py::test_a_payment_whose_answer_was_lost_is_found_by_its_proof",
        ),
    ),
    Mistake(
        "a claim that is never released",
        (
            Patch(
                _MOVES,
                '    await _set(tx, forward, lease, {"tries": forward.tries + 1, '
                '"due_at": due_at, "owner": None})',
                '    await _set(tx, forward, lease, {"tries": forward.tries + 1, "due_at": None})',
            ),
        ),
        (
            "tests/store/test_forwards.py::test_what_is_postponed_stays_where_it_is_and_is_given_back[sqlite]",
        ),
    ),
    Mistake(
        "check-then-act without a constraint",
        (
            Patch(
                _MOVES,
                "            table.c.state == forward.state,\n"
                "            table.c.attempt == forward.attempt,\n"
                "            table.c.owner == lease.owner,\n",
                "",
            ),
        ),
        ("tests/store/test_forwards.py::test_a_look_at_an_old_state_moves_nothing[sqlite]",),
    ),
    Mistake(
        "a SEND taken for income",
        (
            Patch(
                "forwarder/model/ledger.py",
                "        settled = self.direction is Direction.RECEIVE and "
                "self.status is EntryStatus.SUCCESS",
                "        settled = self.status is EntryStatus.SUCCESS",
            ),
            Patch(
                "forwarder/model/ledger.py",
                "        return Receipt(self.payment_hash, self.id, Sats(self.amount))",
                "        return Receipt(self.payment_hash, self.id, Sats(abs(self.amount)))",
            ),
            Patch(
                "forwarder/model/ledger.py", "return settled and self.amount > 0", "return settled"
            ),
        ),
        ("tests/model/test_ledger.py::test_anything_else_is_no_income",),
    ),
    Mistake(
        "a refund taken for income",
        (
            Patch(
                _INTAKE,
                "        if await forwards.is_payout(tx, receipt.payment_hash):",
                "        if False:",
            ),
        ),
        ("tests/worker/test_intake.py::test_a_refund_of_a_payout_is_no_income",),
    ),
    Mistake(
        "watching stops at expiry",
        (
            Patch(
                "forwarder/model/invoice.py",
                "    InvoiceState.EXPIRED: frozenset({InvoiceState.PAID}),",
                "    InvoiceState.EXPIRED: frozenset[InvoiceState](),",
            ),
        ),
        ("tests/worker/test_intake.py::test_money_that_comes_late_is_money",),
    ),
    Mistake(
        "retries kept only in memory",
        (
            Patch(
                _MOVES,
                '{"tries": forward.tries + 1, "due_at": due_at, "owner": None})',
                '{"owner": None, "due_at": lease.until})',
            ),
        ),
        (
            "tests/store/test_forwards.py::test_what_is_postponed_stays_where_it_is_and_is_given_back[sqlite]",
        ),
    ),
    Mistake(
        "messages dropped when a queue is full",
        (
            Patch(
                "forwarder/web/stories.py",
                "        self._held = deque()",
                "        self._held = deque(maxlen=1)",
            ),
        ),
        ("tests/web/test_many_messages.py",),
    ),
    Mistake(
        "messages only for who is connected",
        (
            Patch(
                _INVOICES,
                "    told = message.paid(invoice, received, now)\n"
                "    await messages.add(tx, told)\n"
                "    return told",
                "    return message.paid(invoice, received, now)",
            ),
        ),
        (
            "tests/store/test_invoices.py::test_an_invoice_is_paid_from_any_state_but_paid_whatever_was_believed[sqlite]",
        ),
    ),
    Mistake(
        "floats for money",
        (
            Patch(
                "forwarder/model/payment.py",
                "amount=received),)",
                "amount=Sats(int(received / 1e8 * 1e8))),)",
            ),
        ),
        ("tests/model/test_ledger.py::test_the_shares_of_a_payment_add_up_to_it",),
    ),
    Mistake(
        "floats in Blink's amounts",
        (
            Patch(
                _REPLIES,
                "Whole = Annotated[int, Field(strict=True, ge=-MAX_SATS, le=MAX_SATS)]",
                "Whole = Annotated[int, BeforeValidator(lambda value: int(float(value)))]",
            ),
        ),
        (
            "tests/blink/test_updates.py::test_an_event_that_is_not_understood_may_have_been_a_payment",
        ),
    ),
    Mistake(
        "a claim released by someone who does not own it",
        (Patch(_CLAIMS, "    if owner is not None:\n", "    if owner == '':\n"),),
        ("tests/store/test_claims.py::test_leases_are_given_back_by_their_owner_alone[sqlite]",),
    ),
    Mistake(
        "a claim moved by someone who does not own it",
        (
            Patch(
                _MOVES,
                "            table.c.attempt == forward.attempt,\n"
                "            table.c.owner == lease.owner,\n",
                "            table.c.attempt == forward.attempt,\n",
            ),
        ),
        ("tests/store/test_forwards.py::test_whoever_has_lost_the_lease_moves_nothing[sqlite]",),
    ),
    Mistake(
        "the client's amount believed",
        (
            Patch(
                _INTAKE,
                "shares_of(payment.received, invoice.merchant_id)",
                "shares_of(invoice.amount, invoice.merchant_id)",
            ),
        ),
        (
            "tests/worker/test_intake.py::test_a_receipt_pays_the_invoice_queues_its_forward_and_tells_the_page",
        ),
    ),
    Mistake(
        "more sent than was received",
        (
            Patch(
                _MOVES,
                "    if not await _is_covered(tx, forward, wallet_id):\n        raise Insolvent\n",
                "",
            ),
        ),
        ("tests/store/test_forwards.py::test_more_than_was_received_is_never_sent",),
    ),
    Mistake(
        "paying a payout invoice that was not decoded",
        (
            Patch(
                _PAYOUT,
                "    if made.amount_msat != forward.amount * 1000:",
                "    if False:",
            ),
            Patch(_PAYOUT, "    if made.network != asked.network:", "    if False:"),
        ),
        ("tests/model/test_payout.py::test_an_invoice_that_asks_for_anything_else_is_not_paid",),
    ),
    Mistake(
        "two sends at once from one wallet",
        (
            Patch(
                _MOVES,
                "    if await _lane_is_taken(",
                "    if False and await _lane_is_taken(",
            ),
        ),
        ("tests/store/test_forwards.py::test_one_forward_at_a_time_is_sent[sqlite]",),
    ),
    Mistake(
        "webhook answered before it is kept",
        (
            Patch(
                _WEBHOOKS,
                "            await service.hints.keep(source, told.income)\n",
                "            asyncio.get_running_loop().call_later(\n"
                "                0.5, lambda: asyncio.ensure_future(\n"
                "                    service.hints.keep(source, told.income)\n"
                "                )\n"
                "            )\n",
            ),
            Patch(_WEBHOOKS, "import structlog\n", "import asyncio\nimport structlog\n"),
        ),
        ("tests/web/test_webhooks.py::test_what_a_node_tells_is_kept",),
    ),
    Mistake(
        "a signature checked over re-serialised JSON",
        (
            Patch(
                _WEBHOOKS,
                "    if not signature.is_phoenixds(raw, ",
                "    raw = json.dumps(json.loads(raw), indent=4).encode()\n"
                "    if not signature.is_phoenixds(raw, ",
            ),
            Patch(_WEBHOOKS, "import structlog\n", "import json\nimport structlog\n"),
        ),
        ("tests/web/test_webhooks.py::test_what_is_signed_and_not_understood_has_the_ledger_read",),
    ),
    Mistake(
        "the amount that a webhook tells believed",
        (
            Patch(
                "forwarder/worker/hints.py",
                "        return await wallet.receipt_of(hint.payment_hash)\n",
                "        issued = await wallet.invoice_of(hint.payment_hash)\n"
                "        asked = bolt11.decode(issued.payment_request).amount_msat or 0\n"
                "        name = hint.payment_hash\n"
                "        return Receipt(name, name, Sats(asked // 1000))\n",
            ),
            Patch(
                "forwarder/worker/hints.py",
                "from forwarder.model.units import PaymentHash\n",
                "from forwarder.model import bolt11\n"
                "from forwarder.model.units import PaymentHash, Sats\n",
            ),
        ),
        ("tests/worker/test_node.py::test_a_hint_is_believed_once_the_node_confirms_it",),
    ),
    Mistake(
        "a node that knows nothing of a payment taken for proof that it was not made",
        (
            Patch(
                "forwarder/worker/node_wallet.py",
                "        sent = await self._sent(made_at)\n",
                "        sent: list[Entry] = []\n",
            ),
        ),
        (
            "tests/worker/test_node.py::"
            "test_an_unpaid_payment_is_not_proven_by_a_call_that_the_node_may_not_know",
        ),
    ),
    Mistake(
        "a short page taken for the last",
        (
            Patch(
                "forwarder/phoenixd/client.py",
                "            if not listed or listed == before:",
                "            if len(before) % PAGE or not listed:",
            ),
        ),
        (
            "tests/phoenixd/test_client.py::"
            "test_a_page_that_is_short_in_the_middle_is_not_the_last_one",
        ),
    ),
    Mistake(
        "a finding forgotten",
        (
            Patch(
                "forwarder/worker/reconciler.py",
                "        report.drift_sats += await audit.discoveries.difference()\n",
                "",
            ),
        ),
        (
            "tests/worker/test_reconciler.py::test_a_forward_that_was_paid_twice_is_told_and_counted",
        ),
    ),
    Mistake(
        "one odd entry that stops all others",
        (
            Patch(
                "forwarder/worker/audit.py",
                "                if not is_refusal(exc):",
                "                if True:",
            ),
        ),
        ("tests/worker/test_findings.py::test_an_entry_that_the_database_refuses_is_set_aside",),
    ),
    Mistake(
        "settled by hand without a look at the ledger",
        (
            Patch(
                "forwarder/worker/desk.py",
                "            await self._check_unpaid(forward)\n",
                "            pass\n",
            ),
        ),
        ("tests/worker/test_desk.py::test_what_the_ledger_shows_as_paid_nobody_settles_by_hand",),
    ),
    Mistake(
        "a lock without an end",
        (
            Patch(
                "forwarder/store/postgres.py",
                '"server_settings": _SETTINGS',
                '"server_settings": {}',
            ),
        ),
        (
            "tests/store/test_postgres.py::"
            "test_a_process_that_freezes_in_a_transaction_loses_what_it_held",
        ),
    ),
    Mistake(
        "a clock that was put right believed as if it had not been",
        (
            Patch(
                _PAYOUT,
                "    if forward.absent_at is None or forward.absent_at > now:",
                "    if forward.absent_at is None:",
            ),
        ),
        ("tests/model/test_payout.py::test_a_reading_of_a_time_that_has_not_come_is_done_again",),
    ),
    Mistake(
        "the money of one source sent from another",
        (
            Patch(
                "forwarder/store/moves.py",
                "            payments.c.source == forward.source,\n            here,\n",
                "",
            ),
        ),
        ("tests/worker/test_node.py::test_the_money_of_a_source_is_never_sent_from_another",),
    ),
    Mistake(
        "the money of one wallet sent from another",
        (Patch("forwarder/store/moves.py", "            here,\n", ""),),
        (
            "tests/store/test_forwards.py::"
            "test_what_another_wallet_has_received_is_not_sent_from_this_one",
        ),
    ),
)

NOT_APPLICABLE: Final = {
    "shares that add up to more than the tip": "a payment has one share, its merchant's",
    "all rounding given to the last": "a payment has one share, its merchant's",
}
"""Mistakes of the list for which there is no code yet, and why."""
