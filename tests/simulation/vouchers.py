"""Vouchers in a world: bookings that are paid with codes of every origin, checked early, late, twice and otherwise, cancelled for money and
for vouchers. A plan of its own, beside that of the world, so that worlds without it stay what they are."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from engine import ledger_check
from engine.clock import instant, micros
from engine.luck import derived
from schemas.envelope import message_bytes
from schemas.folio import Folio, PartStatus
from schemas.payment import Tender
from schemas.voucher import Flag
from schemas.voucher_book import HoldState, Voucher
from schemas.voucher_code import code_of, normalised
from tests.simulation.messages import TENANT, arrival

if TYPE_CHECKING:
    from tests.simulation.world import World

FOREIGN, PMS = ("MER-1", "MER-2"), ("THAIS-1", "THAIS-2")
VERDICTS = ("accepted", "accepted", "accepted", "lower_value", "goodwill", "refused")
DAY, SECOND = 86_400, 1_000_000


class VoucherPlan:
    """What the guests of one world do with vouchers."""

    def __init__(self, world: World) -> None:
        self._world, self._chance = world, random.Random(f"vouchers {world.seed}")
        chance = self._chance
        self._issued = [self._sold(number) for number in range(chance.choice((1, 2)))]
        for number in PMS:
            data = {"number": number, "value": chance.choice((5_000, 30_000)), "currency": "EUR", "property": "camp-azur"}
            if chance.random() < 0.5:
                data["expires"] = str((self._world.begins + timedelta(days=chance.randrange(5, 60))).date())
            self._say(chance.randrange(20 * DAY), number, "voucher.register", data, "merchant")
        for number in range(chance.choice((2, 3, 4))):
            self._paid_with(f"V-{number}")
        self._told(random.Random(f"told vouchers {world.seed}"))

    def _say(self, at: int, id_: str, name: str, data: dict[str, Any], actor: str) -> None:
        self._world.send(at, "web", f"voucher-{id_}", name, data, actor=actor)

    def _book(self, folio: str, at: int, price: int) -> None:
        chance = self._chance
        arrives = self._world.begins.date() + timedelta(days=chance.randrange(30, 70))
        sold = {
            "line": "1",
            "trade": "outdoor",
            "terms": f"outdoor/{chance.choice(('flexible', 'moderate', 'nanr'))}",
            "price": price,
        }
        stay = {**sold, "arrival": str(arrives), "departure": str(arrives + timedelta(days=7))}
        data = {
            "folio": folio,
            "property": "camp-azur",
            "currency": "EUR",
            "payment_plan": chance.choice(("split", "split", "full")),
        }
        self._say(
            at, f"{folio}-book", "booking.requested", {**data, "lines": [stay], "service_fee": chance.choice((0, 500))}, "system"
        )

    def _sold(self, number: int) -> str:
        """A booking that is paid, and cancelled with a voucher, once or twice: the code that its first message gets."""
        folio, chance = f"S-{number}", self._chance
        price = chance.randrange(10_000, 60_000)
        self._book(folio, 600, price)
        cash = {"folio": folio, "payment": f"P-{folio}", "amount": price, "currency": "EUR", "tender": "cash"}
        self._say(chance.choice((0, 1_200)), f"{folio}-cash", "payment.received", cash, "system")
        data: dict[str, Any] = {"folio": folio, "value_rule": chance.choice(("collected", "percent_of_collected"))}
        if data["value_rule"] == "percent_of_collected":
            data["value_percent"] = chance.choice(("50 %", "120 %"))
        if chance.random() < 0.3:
            data["expires"] = str((self._world.begins + timedelta(days=chance.randrange(5, 60))).date())
        for again in range(chance.choice((1, 2))):
            self._say(
                2 * DAY + again * chance.choice((5, 90_000)),
                f"{folio}-with-{again}",
                "booking.cancel_with_voucher",
                data,
                "merchant",
            )
        return code_of(derived(message_bytes(TENANT, "web", f"voucher-{folio}-with-0")))

    def _paid_with(self, folio: str) -> None:
        chance = self._chance
        at, price = chance.randrange(3 * DAY, 25 * DAY), chance.randrange(5_000, 60_000)
        self._book(folio, at, price)
        number = chance.choice((*FOREIGN, *PMS, *self._issued, *self._issued))
        entered = {"folio": folio, "number": number, "amount": chance.randrange(1, price + 2_000)}
        self._say(at + chance.choice((-600, 60, 4_000)), f"{folio}-enter", "voucher.enter", entered, "guest")
        for _ in range(chance.choice((0, 1, 1))):
            self._card(folio, at, price // chance.choice((1, 2, 4)))
        for time in range(chance.choice((0, 1, 1, 1, 2))):
            check: dict[str, Any] = {"folio": folio, "verdict": chance.choice(VERDICTS), "number": number}
            if check["verdict"] in ("lower_value", "goodwill"):
                check["value"] = chance.randrange(1, entered["amount"] + 1)
            later = at + chance.choice((-60, 600, 100_000, 40 * DAY))
            self._say(later + time, f"{folio}-check-{time}", "voucher.check", check, "merchant")
        ending = chance.random()
        when = at + chance.randrange(60, 30 * DAY)
        if ending < 0.4:
            data = {"folio": folio, "request": f"C-{folio}", "confirm": True, "cause": chance.choice(("guest", "owner"))}
            self._say(when, f"{folio}-cancel", "cancellation.request", data, "guest" if data["cause"] == "guest" else "merchant")
        elif ending < 0.6:
            self._say(when, f"{folio}-with", "booking.cancel_with_voucher", {"folio": folio}, "merchant")

    def _told(self, chance: random.Random) -> None:
        """A code of ours told as a payment of some booking, by one name or the other, before and after it is entered anywhere."""
        world = self._world
        for time in range(chance.choice((0, 1, 2))):
            number, folio = chance.choice(self._issued), f"V-{chance.randrange(2)}"
            named = chance.choice(({"payment": number}, {"payment": f"P-told-{time}", "provider_reference": number}))
            paid = {"folio": folio, "amount": chance.randrange(1, 20_000), "currency": "EUR", "tender": "voucher", **named}
            name = chance.choice(("payment.received", "payment.received", "payment.authorised"))
            at = chance.randrange(4 * DAY, 40 * DAY)
            one = arrival("web", f"voucher-{folio}-told-{time}", name, paid, instant(micros(world.begins) + at * SECOND))
            world.at(at, partial(world.deliver, *[one] * chance.choice((1, 1, 2))))

    def _card(self, folio: str, at: int, amount: int) -> None:
        chance, world = self._chance, self._world
        authorised, late, order = chance.random() < 0.7, chance.choice((0, 30, 200_000)), f"O-{folio}"

        def paid() -> None:
            payid = world.provider.provider.create(order, amount, "EUR", world.now(), operation="RES" if authorised else "SAL")
            data = {
                "folio": folio, "payment": f"P-{order}", "amount": amount, "currency": "EUR", "tender": "card", "provider": "ogone",
                "merchant": "azur", "provider_reference": payid, "order": order, "occurred_at": world.now().isoformat(),
            }  # fmt: skip
            name = "payment.authorised" if authorised else "payment.received"
            self._say(world.seconds() + late, f"{folio}-card", name, data, "system")

        world.at(at + chance.choice((30, 300)), paid)


def vouchers(world: World, folios: list[Folio]) -> list[str]:
    """Each book is its account's, and what `spent` says."""
    return [f"ledger check: {one}" for one in ledger_check.check(world.disk).findings if one.rule == "S0-26"] + spent(
        world.rows, folios
    )


def spent(rows: Callable[[str], Sequence[Mapping[str, Any]]], folios: Sequence[Folio]) -> list[str]:
    """No voucher gives more than its value, one code a booking, and no voucher's money goes elsewhere than to a voucher; what of an
    issued one nobody used is money again where it was (S0-28)."""
    wrong: list[str] = []
    for row in rows("SELECT body FROM state WHERE kind = 'voucher' AND body IS NOT NULL"):
        wrong += overspent(msgspec.json.decode(row["body"], type=Voucher), folios)
    issued: dict[str, set[str]] = {}
    for row in rows("SELECT key, body FROM outbox WHERE name = 'voucher.issued'"):
        issued.setdefault(row["key"], set()).add(msgspec.json.decode(row["body"])["number"])
    wrong += [f"{folio}: several codes were issued: {codes}" for folio, codes in issued.items() if len(codes) > 1]
    for folio in folios:
        paid = {payment.payment for payment in folio.payments if payment.voucher}
        into: Counter[str] = Counter()
        for refund in folio.refunds:
            wrong += [f"{folio.folio}: {part} is a voucher's" for part in refund.parts
                      if part.payment in paid and part.destination != "voucher"]  # fmt: skip
            for part in refund.parts:
                into[part.payment] += part.minor * (part.destination == "voucher" and part.status is PartStatus.EXECUTED)
        for payment, minor in folio.issued.unused if folio.issued is not None else ():
            if payment in paid or minor > into[payment]:
                wrong.append(
                    f"{folio.folio}: {minor} of a voucher go back as money of {payment}, which gave {into[payment]} into it"
                )
    return wrong


def overspent(book: Voucher, folios: Sequence[Folio] = ()) -> list[str]:
    """S0-20, S0-21: what of a voucher whose value is known is held, spent and left is no more than that; of an issued one what
    `folios` were told as a payment of theirs is spent too."""
    if not book.known:
        return []
    spent, held = sum(hold.taken for hold in book.holds), sum(hold.held for hold in book.holds if hold.state is HoldState.HELD)
    spent += told(book, folios) if book.issued_by else 0
    if 0 <= held <= book.left and (not book.issued_by or spent + book.left + book.expired == book.value):
        return []
    return [f"voucher {book.number}: {book.value} are worth {spent} spent, {held} held, {book.left} left"]


def told(book: Voucher, folios: Sequence[Folio]) -> int:
    """What bookings have collected of payments that name it and are not its own."""
    payments = [
        payment for folio in folios for payment in folio.payments if payment.tender is Tender.VOUCHER and not payment.voucher
    ]
    return sum(one.captured for one in payments if book.key in (normalised(one.payment), normalised(one.reference)))


def seen(world: World) -> set[str]:
    """What a world has met with: outcomes, flags and refusals about vouchers, by name."""
    met = {
        row["name"]
        for row in world.rows("SELECT DISTINCT name FROM outbox WHERE name LIKE 'voucher.%' OR name = 'booking.declined'")
    }
    for row in world.rows("SELECT body FROM outbox WHERE name = 'voucher.check_requested'"):
        asked = msgspec.json.decode(row["body"])
        met |= {asked["stage"], *(flag for flag in asked["flags"] if flag in set(Flag))}
    refused = [msgspec.json.decode(row["body"]) for row in world.rows("SELECT body FROM outbox WHERE name = 'payment.refused'")]
    return met | {one["code"] for one in refused if one["code"] == "own_voucher"}
