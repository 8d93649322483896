"""No order of arrival that X-2 allows changes the result: what was said of one booking, once more in other orders, on a store of its own
and at one instant, under what the house of the world has settled.

Said to a booking that lives, everything may come in any order: its revisions, its money, what became of that, vouchers and what the
merchant says of them. Where it is cancelled, the booking alone may come later than it was made; what came before waits for it. What a
dearer revision costs more is due with the balance where money was here before it, and is shared out anew where none was (S4-37): only
then is it not the same what is due now.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from engine.clock import ManualClock
from engine.hub import Hub
from engine.luck import derived
from engine.store.opening import open_store
from handlers import account
from schemas.folio import Folio, PartStatus
from tests.simulation.asked import payments
from tests.simulation.messages import arrival

if TYPE_CHECKING:
    from tests.simulation.world import World

ORDERS: Final = 4
FOLIO: Final = "X-1"
MASTER: Final = b"a master key of 32 bytes, public"
AGREED: Final = frozenset({"due", "asked"})
GONE: Final = frozenset({PartStatus.DROPPED, PartStatus.WAITING})


class Said(NamedTuple):
    """One message."""

    name: str
    data: dict[str, Any]
    actor: str = "system"


def orders(world: World) -> list[str]:
    """What is not the same for all orders."""
    chance = random.Random(f"orders {world.seed}")
    booked, said = _drawn(world, chance)
    shared_out = not any(_price(one) > _price(booked) for one in said if one.name == "booking.changed")
    first = _came_to(world, [booked, *said])
    wrong = [f"orders: {one}" for one in first.pop("wrong")]
    for _ in range(ORDERS - 1):
        order = _another(booked, said, chance)
        other = _came_to(world, order)
        wrong += [f"orders: {one}" for one in other.pop("wrong")]
        wrong += [
            f"orders: {what} is {first[what]} of {_names([booked, *said])}, and {found} of {_names(order)}"
            for what, found in other.items()
            if found != first[what] and (shared_out or what not in AGREED)
        ]
    return wrong


def _another(booked: Said, said: Sequence[Said], chance: random.Random) -> list[Said]:
    if not any(one.name == "booking.cancelled" for one in said):
        return chance.sample([booked, *said], len(said) + 1)
    place = chance.randrange(1, len(said) + 1)
    return [*said[:place], booked, *said[place:]]


def _price(said: Said) -> int:
    return sum(line["price"] for line in said.data["lines"])


def _names(order: Sequence[Said]) -> str:
    return ", ".join(f"{one.name.partition('.')[2]} {one.data.get('payment', one.data.get('revision', ''))}" for one in order)


# -- what is said --------------------------------------------------------------------------------------------------------------


def _drawn(world: World, chance: random.Random) -> tuple[Said, list[Said]]:
    """The booking, and what else is said of it; nothing of it is too much for anything else, in whatever order."""
    price = chance.randrange(20_000, 60_000)
    booked = _booking(world, chance, price)
    said = [*_revised(booked, chance), *_paid(chance, price)]
    if world.configuration.properties[booked.data["property"]].second_tenders:  # else a deposit must be whole before it (S0-13)
        said += _with_voucher(chance, price)
    if chance.random() < 0.35:
        told = {"folio": FOLIO, "revision": 9, "reason": "", "refund": chance.choice(("policy", "full", "none"))}
        said.append(Said("booking.cancelled", told))
    return booked, said


def _booking(world: World, chance: random.Random, price: int) -> Said:
    arrives = world.begins.date() + timedelta(days=chance.randrange(40, 90))
    line = {
        "trade": "outdoor", "terms": f"outdoor/{chance.choice(('flexible', 'moderate', 'nanr'))}", "vat_rate": "10 %",
        "arrival": str(arrives), "departure": str(arrives + timedelta(days=7)),
    }  # fmt: skip
    lines = [{**line, "line": str(number), "price": part} for number, part in enumerate((price // 2, price - price // 2))]
    return Said("booking.confirmed", {
        "folio": FOLIO, "property": chance.choice(sorted(world.configuration.properties)), "currency": "EUR", "revision": 1,
        "payment_plan": chance.choice(("split", "split", "full")), "service_fee": chance.choice((0, 500)), "lines": lines,
        "is_package": chance.random() < 0.2, "collected_by": "channel" if chance.random() < 0.1 else "property",
    })  # fmt: skip


def _revised(booked: Said, chance: random.Random) -> Iterator[Said]:
    """Later, or dearer, or a line more."""
    data = booked.data
    for revision in range(2, chance.choice((2, 3, 3, 4))):
        one, *rest = data["lines"]
        later = {"arrival": one["departure"], "departure": one["departure"]}
        changed = chance.choice(({**one, **later}, {**one, "price": one["price"] + 7_000}))
        data = {**data, "revision": revision, "lines": [changed, *rest]}
        yield Said("booking.changed", data)


def _paid(chance: random.Random, price: int) -> Iterator[Said]:
    """Half of it at most; some of that is contested, comes back, or both."""
    for number in range(chance.choice((1, 2, 3))):
        tender = chance.choice(("cash", "cheque", "bank_transfer"))
        data = {"folio": FOLIO, "payment": f"P{number}", "amount": price // 6, "currency": "EUR", "tender": tender}
        yield Said("payment.received", data)
        fate = chance.random()
        if fate < 0.25:
            yield Said("payment.reversed", {**data, "amount": chance.choice((price // 6, 100))})
        elif fate < 0.5 and tender == "bank_transfer":
            about = {"folio": FOLIO, "payment": f"P{number}", "amount": chance.choice((price // 6, 100)), "dispute": f"D{number}"}
            yield Said("dispute.opened", {**about, "funds_taken": chance.random() < 0.5})
            if chance.random() < 0.8:
                yield Said("dispute.closed", {**about, "outcome": chance.choice(("won", "lost", "withdrawn"))})


def _with_voucher(chance: random.Random, price: int) -> Iterator[Said]:
    if chance.random() < 0.75:
        yield Said("voucher.enter", {"folio": FOLIO, "number": "MER-9", "amount": price // 5}, "guest")
        if chance.random() < 0.7:
            yield Said("voucher.check", {"folio": FOLIO, "number": "MER-9", "verdict": "accepted"}, "merchant")


# -- what it comes to ----------------------------------------------------------------------------------------------------------


def _came_to(world: World, order: Sequence[Said]) -> dict[str, Any]:
    """Each is decided, with what follows of it, before the next one comes; its identity goes with it."""
    clock = ManualClock(world.clock.now())
    database = open_store(":memory:", lanes=1)
    hub = Hub(world.configuration, database, {}, clock=clock, master=MASTER, luck=derived)
    try:
        for one in order:
            id_ = f"{one.name}-{one.data.get('payment', one.data.get('revision', ''))}"
            hub.intake.append([arrival("web", id_, one.name, one.data, world.begins, actor=one.actor)])
            hub.drain()
        return _account(hub)
    finally:
        hub.close()


def _account(hub: Hub) -> dict[str, Any]:
    (row,) = hub.reading.rows("SELECT body FROM state WHERE kind = 'folio'", ())
    folio = msgspec.json.decode(row["body"], type=Folio)
    letters = hub.reading.rows("SELECT reason FROM dead_letter", ())
    return {
        "wrong": [*payments(folio), *(f"a dead letter: {one['reason']}" for one in letters)],
        **account_of(folio),
        "the book": book_of(hub.reading.rows("SELECT debit, credit, minor FROM transfer", ())),
        "what waits": sorted(one["waits_for"] for one in hub.reading.rows("SELECT waits_for FROM parked", ())),
    }


def account_of(folio: Folio) -> dict[str, Any]:
    """What a booking has come to, without the instants at which it did."""
    return {
        "status": folio.status.value,
        "account": (account.ordered(folio), account.collected(folio), folio.due_now + folio.second_payment),
        "due": (folio.due_now, folio.second_payment),
        "asked": [(one.status, one.amount, one.planned, one.deadline, one.send_on) for one in folio.balance_requests if one.amount],
        "paid": sorted((one.payment, one.captured, one.reversed, one.refunded, one.refunding) for one in folio.payments),
        "given back": sum(part.minor for one in folio.refunds for part in one.parts if part.status not in GONE),
        "vouchers": [(one.key, one.status, one.counts) for one in folio.vouchers],
        "disputes": sorted((one.dispute, one.minor, one.ruling, one.lost) for one in folio.disputes),
    }


def book_of(transfers: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What stands on each account, minor units, debit positive."""
    book: Counter[str] = Counter()
    for row in transfers:
        book[row["debit"]] += row["minor"]
        book[row["credit"]] -= row["minor"]
    return {name: minor for name, minor in sorted(book.items()) if minor}
