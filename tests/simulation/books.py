"""The money of a quiet world: the ledger, the folios, the provider's own books and what was told agree to the cent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.psp.ogone.simulator.books import Books, Operation
from handlers import account
from handlers.dispute_record import at_stake
from handlers.refund_parts import BY_HAND, CLOSED
from ledger import recipes
from schemas.folio import Folio, FolioPayment, PartStatus, RefundPart
from schemas.refund import Destination
from tests.simulation.provider import captures_standing, refunds_standing

if TYPE_CHECKING:
    from tests.simulation.world import World


def ledger(world: World, folios: list[Folio]) -> list[str]:
    """The book says what the folios say."""
    wrong = []
    balance: Counter[str] = Counter()
    for row in world.rows("SELECT debit, credit, minor FROM transfer"):
        balance[row["debit"]] += row["minor"]
        balance[row["credit"]] -= row["minor"]
    for folio in folios:
        guest = account.balance(folio)
        owing = recipes.guest(folio)
        if balance[owing] != guest:
            wrong.append(f"{folio.folio}: account {owing} {balance[owing]}, folio {guest}")
        parts = [part for refund in folio.refunds for part in refund.parts]
        open_ = [part for part in parts if part.status not in CLOSED and part.status is not PartStatus.WAITING]
        owed = sum(part.minor for part in open_)
        if -balance[f"refunds:{folio.folio}"] != owed:
            wrong.append(f"{folio.folio}: refunds account {-balance[f'refunds:{folio.folio}']}, open parts {owed}")
        refunding = sum(payment.refunding for payment in folio.payments)
        by_payment = sum(part.minor for part in open_ if part.payment)
        if refunding != by_payment:
            wrong.append(f"{folio.folio}: payments are refunding {refunding}, open parts {by_payment}")
        refunded = sum(part.minor for part in parts if part.payment and part.status is PartStatus.EXECUTED)
        refunded -= sum(unused(folio).values())
        if sum(payment.refunded for payment in folio.payments) != refunded:
            wrong.append(f"{folio.folio}: payments refunded {sum(p.refunded for p in folio.payments)}, executed parts {refunded}")
        contested = sum(at_stake(dispute) for dispute in folio.disputes)
        if balance[f"disputes:{folio.folio}"] != contested:
            wrong.append(f"{folio.folio}: disputes {balance[f'disputes:{folio.folio}']}, at stake {contested}")
        suspense = sum(payment.collected() for payment in folio.payments if payment.unapplied)
        if -balance[f"suspense:{folio.folio}"] != suspense:
            wrong.append(f"{folio.folio}: suspense {-balance[f'suspense:{folio.folio}']}, unapplied {suspense}")
        for payment in folio.payments:
            if payment.collected() < 0 and any(True for one, part in _parts(folio) if one == payment and part.status in BY_HAND):
                wrong.append(
                    f"{folio.folio}: payment {payment.payment} is to be given back by hand, and nothing of it is here: {payment}"
                )
            if payment.refunding + payment.refunded + payment.foreign > payment.captured:
                wrong.append(f"{folio.folio}: payment {payment.payment} gives more than it took: {payment}")
    money = sum(
        payment.captured - payment.reversed - payment.refunded - payment.foreign
        for folio in folios
        for payment in folio.payments
        if payment.provider
    )
    money += sum(into_vouchers(folios).values()) - at_the_providers(folios)
    if balance["money:ogone/azur"] != money:
        wrong.append(f"money account {balance['money:ogone/azur']}, payments {money}")
    for row in world.rows("SELECT * FROM payment_total"):
        known = next((p for f in folios if f.folio == row["folio"] for p in f.payments if p.payment == row["payment"]), None)
        if known is None or (row["captured"], row["given_back"]) != (
            known.captured,
            known.refunding + known.refunded + known.foreign,
        ):
            wrong.append(f"payment_total {row['payment']}: {row['captured']}/{row['given_back']}, folio {known}")
    return wrong


def at_the_providers(folios: list[Folio]) -> int:
    """X-13: what a provider has taken out of our account for disputes that have not ended."""
    return sum(
        at_stake(dispute)
        for folio in folios
        for dispute in folio.disputes
        if any(payment.provider and payment.payment == dispute.payment for payment in folio.payments)
    )


def provider(world: World, folios: list[Folio]) -> list[str]:
    """What the provider took and gave back is what was decided and what the folios say. Everything was shown to the hub, since the
    history of every payment was asked for at the end. What waits for a person leaves a difference open, as large as it is: what
    stands at the provider and may be a request's, and a stranger's refund above what the payment holds by our books."""
    effects = world.rows("SELECT id, kind, reference, state, minor, record FROM effect")
    confirmed = {row["id"] for row in effects if row["state"] == "confirmed"}
    decided = Counter[str]()
    for row in effects:
        decided[row["reference"]] += row["minor"] * (row["kind"] == "refund" and row["state"] == "confirmed")
    asked = {
        kind: [row for row in effects if (row["kind"], row["state"]) == (kind, "needs_person")] for kind in ("refund", "capture")
    }
    refunds_open = _unplaced(world, asked["refund"], refunds_standing) + _beyond(world, folios)
    captures_open = _unplaced(world, asked["capture"], captures_standing) + _above(world, folios)
    wrong = []
    for folio in folios:
        for payment, part in _parts(folio):
            if part.destination == Destination.VOUCHER:
                continue
            if part.status is PartStatus.EXECUTED and part.record and part.effect not in confirmed:  # a stranger's refund closed it
                decided[payment.reference] += part.minor
    for payid, (captured, refunded) in world.provider.captured_and_refunded().items():
        ours = [payment for folio in folios for payment in folio.payments if payment.reference == payid]
        if refunded > captured:
            wrong.append(f"provider {payid}: refunded {refunded} of {captured}")
        if not ours:
            continue
        foreign = sum(payment.foreign for payment in ours)
        given = sum(payment.refunded for payment in ours) + foreign - _by_hand(folios, payid, confirmed)
        given -= into_vouchers(folios)[payid]
        if not 0 <= refunded - given <= refunds_open[payid]:
            wrong.append(f"provider {payid}: refunded {refunded}, folios {given} ({foreign} foreign, {refunds_open[payid]} open)")
        if not 0 <= refunded - decided[payid] - foreign <= refunds_open[payid]:
            wrong.append(f"provider {payid}: refunded {refunded}, decided {decided[payid]}, foreign {foreign}")
        turned = sum(one.minor for payment in ours for one in payment.captures if not one.stands)
        took = sum(payment.captured for payment in ours) - turned
        if not 0 <= captured - took <= captures_open[payid]:
            wrong.append(f"provider {payid}: captured {captured}, folios {took} ({captures_open[payid]} open)")
    return wrong + _once(world)


def _unplaced(world: World, asked: list[dict[str, Any]], standing: Callable[[Books, str], list[Operation]]) -> Counter[str]:
    """By payment, what stands at the provider and waits for a person's word: the record of a request that a person is asked about, and
    records that are nobody's while a person is asked about a request that has none, since one of them may be it."""
    open_ = Counter[str]()
    waiting = {f"effect:{row['id']}" for row in asked}
    seeking = {row["reference"] for row in asked if not row["record"]}
    rows = world.rows("SELECT reference, level, owner FROM provider_record")
    owners = {(row["reference"], row["level"]): row["owner"] for row in rows}
    for payid in {row["reference"] for row in asked}:
        for one in standing(world.provider.books, payid):
            owner = owners.get((payid, str(one.level)))
            if owner in waiting or (owner is None and payid in seeking):
                open_[payid] += one.minor
    return open_


def _records_told_of(world: World) -> set[str]:
    """Records at the provider of which a person was told, by their own names."""
    rows = world.rows("SELECT body FROM outbox WHERE name = 'effect.needs_person'")
    return {one for one in (msgspec.json.decode(row["body"])["effect"] for row in rows) if "/" in one}


def _above(world: World, folios: list[Folio]) -> Counter[str]:
    """By payment, what captures that stand took above what was authorised by our books: a person was told of each."""
    told_of, open_ = _records_told_of(world), Counter[str]()
    counted = {one.record: one.minor for folio in folios for payment in folio.payments for one in payment.captures if one.stands}
    for payid in {record.partition("/")[0] for record in told_of}:
        for one in captures_standing(world.provider.books, payid):
            if f"{payid}/{one.level}" in told_of:
                open_[payid] += one.minor - counted.get(f"{payid}/{one.level}", 0)
    return open_


def _beyond(world: World, folios: list[Folio]) -> Counter[str]:
    """By payment, what strangers' refunds that stand are above what the payment holds by our books: a person was told of each."""
    told_of = _records_told_of(world)
    partly = {record: minor for folio in folios for payment in folio.payments for record, minor in payment.foreign_partly}
    counted = {record for folio in folios for payment in folio.payments for record in payment.foreign_records}
    open_ = Counter[str]()
    for payid in {record.partition("/")[0] for record in told_of}:
        for one in refunds_standing(world.provider.books, payid):
            record = f"{payid}/{one.level}"
            if record in told_of:
                open_[payid] += one.minor - partly.get(record, one.minor if record in counted else 0)
    return open_


def _by_hand(folios: list[Folio], payid: str, confirmed: set[str]) -> int:
    """What people gave back with their own hands of a payment that a provider holds: no record tells it."""
    return sum(
        part.minor
        for folio in folios
        for payment, part in _parts(folio)
        if payment.reference == payid and part.status is PartStatus.EXECUTED and not part.record and part.effect not in confirmed
    )


def into_vouchers(folios: list[Folio]) -> Counter[str]:
    """By provider's payment, what of it stayed with us as the value of a voucher (S0-26)."""
    kept = Counter[str]()
    for folio in folios:
        for payment, part in _parts(folio):
            if payment.provider and part.destination == Destination.VOUCHER and part.status is PartStatus.EXECUTED:
                kept[payment.reference] += part.minor
        for payment in folio.payments:
            if payment.provider:
                kept[payment.reference] -= unused(folio)[payment.payment]
    return kept


def unused(folio: Folio) -> Counter[str]:
    """By payment, what of a voucher that was issued for it is its own again, since nobody used that (S0-28)."""
    return Counter(dict(folio.issued.unused)) if folio.issued is not None else Counter()


def _parts(folio: Folio) -> Iterator[tuple[FolioPayment, RefundPart]]:
    """Parts of refunds, each with the payment that gives it."""
    payments = {payment.payment: payment for payment in folio.payments}
    for refund in folio.refunds:
        for part in refund.parts:
            if part.payment in payments:
                yield payments[part.payment], part


def _once(world: World) -> list[str]:
    """No request of ours stands at the provider more often than it was decided."""
    decided = Counter(
        (row["reference"], row["minor"]) for row in world.rows("SELECT reference, minor FROM effect WHERE kind = 'refund'")
    )
    made: Counter[tuple[str, int]] = Counter()
    for payment in world.provider.provider.books.payments():
        for one in world.provider.provider.books.operations(payment.payid):
            if one.source == "merchant" and one.operation in ("RFD", "RFS"):
                made[payment.payid, one.minor] += 1
    return [f"{payid}: refund of {minor} made {count} times, decided {decided[payid, minor]} times"
            for (payid, minor), count in made.items() if count > decided[payid, minor]]  # fmt: skip


def told(world: World, folios: list[Folio]) -> list[str]:
    """What was published adds up to what stands: refunds executed less reversed, and the balance that was told last."""
    wrong = []
    sums: Counter[str] = Counter()
    for row in world.rows("SELECT key, name, body FROM outbox WHERE name IN ('refund.executed', 'refund.reversed')"):
        sums[row["key"]] += msgspec.json.decode(row["body"])["amount"] * (1 if row["name"] == "refund.executed" else -1)
    last = {
        row["key"]: msgspec.json.decode(row["body"])["balance"]
        for row in world.rows("SELECT key, body FROM outbox WHERE name = 'folio.balance_changed' ORDER BY seq")
    }
    for folio in folios:
        balance = account.balance(folio)
        if last.get(folio.folio, balance) != balance:
            wrong.append(f"{folio.folio}: the last balance told is {last[folio.folio]}, the folio's {balance}")
        executed = sum(part.minor for refund in folio.refunds for part in refund.parts if part.status is PartStatus.EXECUTED)
        if sums[folio.folio] != executed:
            wrong.append(f"{folio.folio}: outcomes say {sums[folio.folio]} given back, the folio {executed}")
    return wrong
