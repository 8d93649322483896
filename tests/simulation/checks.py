"""What must hold when a world is quiet: nothing lost, nothing twice, provider = ledger = outcomes to the cent, and the log makes of
itself what the store says."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from engine.verify import verify
from handlers import account
from handlers.refund_parts import CLOSED
from schemas.effect import EffectState
from schemas.folio import Folio, PartStatus

if TYPE_CHECKING:
    from tests.simulation.world import World

ENDED = {EffectState.CONFIRMED, EffectState.REFUSED, EffectState.REVERSED, EffectState.NEEDS_PERSON}
FATES = {"decided", "refused", "stale", "defect"}


class Broken(AssertionError):
    """What does not hold, all of it."""


def check(world: World) -> None:
    """Raises Broken with everything that is wrong."""
    wrong: list[str] = []
    folios = [
        msgspec.json.decode(row["body"], type=Folio)
        for row in world.rows("SELECT body FROM state WHERE kind = 'folio' AND body IS NOT NULL")
    ]
    for one in (_messages, _internal, _sequences, _effects):
        wrong += one(world)
    wrong += _ledger(world, folios)
    wrong += _provider(world, folios)
    wrong += _outcomes(world, folios)
    wrong += [f"verify: {difference}" for difference in verify(world.disk).differences]
    if wrong:
        raise Broken(f"seed {world.seed}:\n  " + "\n  ".join(wrong))


def _messages(world: World) -> list[str]:
    """Each accepted message has exactly one fate, or waits where somebody sees it."""
    wrong = []
    roots = Counter(
        (row["lane"], row["place"]) for row in world.rows("SELECT lane, place FROM decision WHERE origin = 'intake' AND parent = 0")
    )
    stored = world.rows("SELECT lane, offset, message, id, source, name FROM intake")
    wrong += [f"{row['name']} {row['id']}: {roots[row['lane'], row['offset']]} decisions of offset {row['offset']}"
              for row in stored if roots[row["lane"], row["offset"]] != 1]  # fmt: skip
    wrong += [f"a decision of no message: {place}" for place in roots.keys() - {(row["lane"], row["offset"]) for row in stored}]
    fates: Counter[bytes] = Counter()
    for row in world.rows("SELECT message, result FROM decision WHERE origin IN ('intake', 'inline')"):
        fates[row["message"]] += row["result"] in FATES
    waiting = Counter(row["message"] for row in world.rows("SELECT message FROM parked UNION ALL SELECT message FROM blocked"))
    for row in {row["message"]: row for row in stored}.values():
        if fates[row["message"]] + waiting[row["message"]] != 1:
            wrong.append(f"{row['name']} {row['id']}: {fates[row['message']]} fates, waits {waiting[row['message']]} times")
    known = {(row["source"], row["id"]) for row in stored}
    letters = len(world.rows("SELECT 1 FROM dead_letter WHERE why = 'undecodable'"))
    lost = world.accepted.keys() - known
    if len(lost) > letters:
        wrong.append(
            f"{len(lost)} messages were acknowledged and are not in the log, {letters} are dead letters: {sorted(lost)[:3]}"
        )
    wrong += [
        f"defect: {row['name']} {row['record'].decode()}"
        for row in world.rows("SELECT name, record FROM decision WHERE result = 'defect'")
    ]
    wrong += [f"blocked: {row['key']}" for row in world.rows("SELECT key FROM state WHERE blocked <> ''")]
    return wrong


def _internal(world: World) -> list[str]:
    """What aggregates told one another was decided, once; no timer was forgotten."""
    decided = Counter(row["place"] for row in world.rows("SELECT place FROM decision WHERE origin = 'internal' AND parent = 0"))
    rows = world.rows("SELECT seq, name, decision FROM internal")
    wrong = [f"internal {row['name']} {row['seq']}: {decided[row['seq']]} decisions" for row in rows if decided[row["seq"]] != 1]
    due = world.rows("SELECT name FROM timer WHERE due <= ?", (world.clock.now(),))
    return wrong + [f"timer {row['name']} never fired" for row in due]


def _sequences(world: World) -> list[str]:
    """Outcomes of a key are numbered from 1 without gap, in order; no id is used twice."""
    wrong, last, ids = [], defaultdict(int), Counter()
    for row in world.rows("SELECT kind, key, id, name, body FROM outbox ORDER BY seq"):
        number = msgspec.json.decode(row["body"])["sequence"]
        if number != last[row["kind"], row["key"]] + 1:
            wrong.append(f"{row['kind']} {row['key']}: {row['name']} is {number} after {last[row['kind'], row['key']]}")
        last[row["kind"], row["key"]] = number
        ids[row["id"]] += 1
    return wrong + [f"outcome id {id_.hex()} used {count} times" for id_, count in ids.items() if count > 1]


def _effects(world: World) -> list[str]:
    """Every effect ends, or waits for a person's word with a reason; each record has one owner."""
    wrong = []
    for row in world.rows("SELECT * FROM effect"):
        if row["state"] not in ENDED and not row["needs_approval"]:
            wrong.append(f"effect {row['id']} is {row['state']} ({row['reason']})")
        if row["state"] == EffectState.NEEDS_PERSON and not row["reason"]:
            wrong.append(f"effect {row['id']} needs a person and does not say why")
        if row["attempts"] > 1 and len(_sent(world, row["id"])) > 1:
            wrong.append(f"effect {row['id']} was written to the wire {len(_sent(world, row['id']))} times")
        if row["record"]:
            owner = world.rows(
                "SELECT owner FROM provider_record WHERE merchant = ? AND reference = ? AND level = ?",
                (row["merchant"], row["reference"], row["record"]),
            )
            if [one["owner"] for one in owner] != [f"effect:{row['id']}"]:
                wrong.append(f"effect {row['id']} has record {row['record']}, which is {owner}")
    turned = world.rows("SELECT reference, level FROM provider_record WHERE kind = 'refund' AND owner = 'payment'")
    wrong += [f"refund {row['reference']}/{row['level']} is taken for the payment's own" for row in turned]
    wrong += [f"{row['reference']} is still to be asked for" for row in world.rows("SELECT reference FROM payment_query")]
    return wrong


def _sent(world: World, effect: str) -> list[dict[str, Any]]:
    return world.rows("SELECT 1 FROM evidence WHERE effect = ? AND act <> 'query' AND result <> 'not_sent'", (effect,))


def _ledger(world: World, folios: list[Folio]) -> list[str]:
    """The book says what the folios say."""
    wrong = []
    balance: Counter[str] = Counter()
    for row in world.rows("SELECT debit, credit, minor FROM transfer"):
        balance[row["debit"]] += row["minor"]
        balance[row["credit"]] -= row["minor"]
    for folio in folios:
        guest = account.balance(folio)
        if balance[f"guest:{folio.folio}"] != guest:
            wrong.append(f"{folio.folio}: guest account {balance[f'guest:{folio.folio}']}, folio {guest}")
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
        if sum(payment.refunded for payment in folio.payments) != refunded:
            wrong.append(f"{folio.folio}: payments refunded {sum(p.refunded for p in folio.payments)}, executed parts {refunded}")
        suspense = sum(payment.collected() for payment in folio.payments if payment.unapplied)
        if -balance[f"suspense:{folio.folio}"] != suspense:
            wrong.append(f"{folio.folio}: suspense {-balance[f'suspense:{folio.folio}']}, unapplied {suspense}")
        for payment in folio.payments:
            if payment.refunding + payment.refunded + payment.foreign > payment.captured:
                wrong.append(f"{folio.folio}: payment {payment.payment} gives more than it took: {payment}")
    money = sum(
        payment.captured - payment.reversed - payment.refunded - payment.foreign
        for folio in folios
        for payment in folio.payments
        if payment.provider
    )
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


def _provider(world: World, folios: list[Folio]) -> list[str]:
    """What the provider took and gave back is what the folios say, but for payments that wait for a person."""
    wrong = []
    books = world.provider.captured_and_refunded()
    confirmed = {row["id"] for row in world.rows("SELECT id FROM effect WHERE state = 'confirmed'")}
    open_ = {row["reference"] for row in world.rows("SELECT reference FROM effect WHERE state = 'needs_person'")}
    told = {
        msgspec.json.decode(row["body"])["effect"].partition("/")[0]
        for row in world.rows("SELECT body FROM outbox WHERE name = 'effect.needs_person'")
    }
    for payid, (captured, refunded) in books.items():
        ours = [payment for folio in folios for payment in folio.payments if payment.reference == payid]
        if refunded > captured:
            wrong.append(f"provider {payid}: refunded {refunded} of {captured}")
        if not ours or payid in open_ or payid in told:
            continue
        given = sum(payment.refunded + payment.foreign for payment in ours) - _by_hand(folios, payid, confirmed)
        if given != refunded and not _unseen(world, payid):
            wrong.append(f"provider {payid}: refunded {refunded}, folios {given}")
        if sum(payment.captured for payment in ours) != captured:
            wrong.append(f"provider {payid}: captured {captured}, folios {sum(payment.captured for payment in ours)}")
    wrong += _once(world)
    return wrong


def _by_hand(folios: list[Folio], payid: str, confirmed: set[str]) -> int:
    """What people gave back with their own hands of a payment that a provider holds: no record tells it."""
    return sum(
        part.minor
        for folio in folios
        for payment in folio.payments
        if payment.reference == payid
        for refund in folio.refunds
        for part in refund.parts
        if part.payment == payment.payment and part.status is PartStatus.EXECUTED and not part.record and part.effect not in confirmed
    )  # fmt: skip


def _unseen(world: World, payid: str) -> bool:
    """Whether something at the provider was never shown to the hub: no callback of it came, and nothing was asked since. What became
    of a request of ours and was told by a callback is no excuse: the hub has asked then."""
    shown = {row["level"]: row for row in world.rows("SELECT * FROM provider_record WHERE reference = ?", (payid,))}
    told = {
        (str(one["level"]), one["status"])
        for one in world.provider.provider.books.callbacks()
        if one["payid"] == payid and one["state"] == "delivered"
    }
    for one in world.provider.provider.books.operations(payid):
        record = shown.get(str(one.level))
        if record is None:
            return True
        if record["status"] != one.status:
            return not (record["owner"].startswith("effect:") and (str(one.level), one.status) in told)
    return False


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


def _outcomes(world: World, folios: list[Folio]) -> list[str]:
    """What was published adds up to what stands: refunds executed less reversed."""
    wrong = []
    sums: Counter[str] = Counter()
    for row in world.rows("SELECT key, name, body FROM outbox WHERE name IN ('refund.executed', 'refund.reversed')"):
        sums[row["key"]] += msgspec.json.decode(row["body"])["amount"] * (1 if row["name"] == "refund.executed" else -1)
    for folio in folios:
        executed = sum(part.minor for refund in folio.refunds for part in refund.parts if part.status is PartStatus.EXECUTED)
        if sums[folio.folio] != executed:
            wrong.append(f"{folio.folio}: outcomes say {sums[folio.folio]} given back, the folio {executed}")
    return wrong
