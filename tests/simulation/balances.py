"""Balances in a world: bookings that are asked for what remains, and everything that guests, merchants and operators do about it, in its
queue and outside, in time and late (S1). A plan of its own beside the others, so that worlds without it stay what they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from schemas.balance_request import BalanceRequest
from schemas.folio import Folio
from schemas.notice import NoticeState
from tests.simulation.house import FAR

if TYPE_CHECKING:
    from tests.simulation.world import World

DAY: Final = 86_400
FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    "pending": ("send_now", "set_amount", "suspend", "cancel", "recreate"),
    "sent_no_reply": ("choose_method", "choose_method", "choose_method", "resend", "suspend"),
    "sent_replied": ("report_collected", "report_disfunction", "report_disfunction"),
    "paid": ("recreate", "report_disfunction"),
    "cancelled": ("recreate", "choose_method"),
}
ANY: Final = tuple(sorted({action for actions in FITTING.values() for action in actions}))
WEIGHTS: Final[Mapping[str, int]] = {
    "act": 44, "pay": 16, "change": 10, "cancel": 5, "reverse": 3, "suspend all": 3, "enter": 9, "contest": 6, "write again": 4,
}  # fmt: skip
"""What happens to a booking that is asked, so often of a hundred."""
ANSWERED: Final = frozenset({"balance.sent", "balance.replied", "balance.disfunction", "balance.overdue"})
WHO: Final = {"choose_method": "guest", "report_collected": "merchant", "report_disfunction": "merchant"}
TENDERS: Final = ("card", "bank_transfer", "cheque")
VAT: Final = ("", "", "10 %", "20 %", "100/3 %")
UNREAD: Final = frozenset({NoticeState.FAILED, NoticeState.UNKNOWN, NoticeState.BOUNCED})


class BalancePlan:
    """What the bookings of one world are asked, and answer."""

    def __init__(self, world: World) -> None:
        self._world, self._chance = world, random.Random(f"balances {world.seed}")
        self._number = 0
        self._stays = {
            f"G-{number}": _Stay(self, f"G-{number}", world, self._chance) for number in range(self._chance.choice((1, 2, 2, 3)))
        }
        for stay in self._stays.values():
            stay.plan()
        for _ in range(self._chance.choice((0, 0, 1))):  # the hub is away so long that mails are missed (S1-43)
            begins, days = self._chance.randrange(120 * DAY), self._chance.choice((1, 3, 12))
            world.at(begins, lambda days=days: self._away(days))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def heard(self, folio: str, name: str) -> None:
        """A guest has his mail, a merchant hears that he chose, an operator that a mail reached nobody: most of them do something about it
        in the next days."""
        stay = self._stays.get(folio)
        act = None if stay is None else stay.act if name in ANSWERED else stay.write_again if name == "notice.failed" else None
        if act is not None and self._chance.random() < 0.7:
            self._world.at(self._world.seconds() + self._chance.choice((60, 4_000, DAY, 6 * DAY)), act)

    def _away(self, days: int) -> None:
        world = self._world
        world.down_until = world.clock.now() + days * DAY * 1_000_000
        world.at(world.seconds() + days * DAY, lambda: None)

    def say(self, name: str, data: dict[str, Any], actor: str = "system", *, at: int | None = None) -> None:
        """One message, now or then."""
        self._number += 1
        second = self._world.seconds() if at is None else at
        self._world.send(second, "web", f"balance-{self._number}", name, data, actor=actor)


class _Stay:
    """One booking file with a deposit and a balance."""

    def __init__(self, plan: BalancePlan, folio: str, world: World, chance: random.Random) -> None:
        self.say, self.folio, self.world, self.chance = plan.say, folio, world, chance
        self.property = chance.choice(("camp-azur", FAR))
        self.booked = chance.randrange(20 * DAY)
        self.revision = self.payments = 0
        self.arrives = self._days()
        self.lines = [self._line(n) for n in range(chance.choice((1, 1, 2)))]
        self.collected_by = "channel" if chance.random() < 0.08 else "property"
        self.is_package = chance.random() < 0.15

    def _days(self) -> int:
        """From the booking to the arrival: anything, or some days after a 29 February, or some weeks after the clocks change there."""
        chance, house, booked = self.chance, self.world.knobs.house, self.booked // DAY
        change = house.change_of_clocks(self.property) if house is not None else None
        leap = house.leap_day() if house is not None else None
        if leap is not None and chance.random() < 0.4:
            return max(5, leap - booked + chance.randrange(1, 15))
        if change is None or chance.random() < 0.5:
            return chance.randrange(5, 150)
        return max(5, change - booked + chance.randrange(5, 40))

    def plan(self) -> None:
        """The booking and its deposit, either of them first; then whatever happens."""
        chance, world = self.chance, self.world
        self.book(at=self.booked)
        world.at(max(0, self.booked + chance.choice((-600, 60, 60, 4_000))), self.deposit)
        acts: Mapping[str, Callable[[], None]] = {
            "act": self.act, "pay": self.pay, "change": self.change, "cancel": self.cancel, "reverse": self.reverse,
            "suspend all": self.suspend_all, "enter": self.enter, "contest": self.contest, "write again": self.write_again,
        }  # fmt: skip
        for name in chance.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()), k=chance.randrange(4, 14)):
            world.at(self.booked + chance.randrange(60, (self.arrives + 10) * DAY), acts[name])

    # -- the booking -----------------------------------------------------------------------------------------------------------

    def _line(self, number: int) -> dict[str, Any]:
        chance = self.chance
        return {
            "line": str(number), "price": chance.randrange(1, 40_000), "trade": "outdoor",
            "kind": "service" if number and chance.random() < 0.2 else "stay",
            "terms": f"outdoor/{chance.choice(('flexible', 'moderate', 'nanr'))}",
            "accommodation": chance.choice(("", "pitch-12")), "accommodation_type": chance.choice(("", "tent", "chalet")),
            "vat_rate": chance.choice(VAT),
        }  # fmt: skip

    def book(self, *, at: int | None = None) -> None:
        """As it now is."""
        arrives = self.world.begins.date() + timedelta(days=self.booked // DAY + self.arrives)
        self.revision += 1
        dates = {"arrival": str(arrives), "departure": str(arrives + timedelta(days=7))}
        data = {
            "folio": self.folio, "property": self.property, "currency": "EUR", "revision": self.revision, "payment_plan": "split",
            "service_fee": 500, "lines": [{**line, **dates} for line in self.lines], "language": self.chance.choice(("fr", "en", "de")),
            "guest": {"name": "Zoé Exemple", "person": f"person-{self.folio}", "email": "zoe@example.org"},
            "collected_by": self.collected_by, "is_package": self.is_package, "commission_rate": "10 %",
        }  # fmt: skip
        self.say("booking.changed" if self.revision > 1 else "booking.confirmed", data, at=at)

    def change(self) -> None:
        """Another arrival or another price (S1-34), or another who collects (X-20)."""
        turn = self.chance.random()
        if turn < 0.08:
            self.collected_by = {"property": "channel", "channel": "property"}[self.collected_by]
        elif turn < 0.5:
            self.arrives = max(1, self.arrives + self.chance.choice((-20, -3, 3, 30)))
        else:
            line = self.chance.choice(self.lines)
            line["price"] = self.chance.choice((1, line["price"] // 2 + 1, line["price"] + 7_000))
        self.book()

    def cancel(self) -> None:
        """In whatever queue (S1-35)."""
        self.revision += 1
        refund = self.chance.choice(("policy", "full", "none"))
        name, actor, data = self.chance.choice((
            ("cancellation.request", "guest", {"request": "C-1", "confirm": True}),
            ("booking.cancelled", "system", {"revision": self.revision, "reason": "", "refund": refund}),
            ("booking.cancel_with_voucher", "merchant", {}),
        ))  # fmt: skip
        self.say(name, {"folio": self.folio, **data}, actor)

    # -- money -----------------------------------------------------------------------------------------------------------------

    def deposit(self) -> None:
        """The half, or nearly."""
        total = 500 + sum(line["price"] for line in self.lines)
        self._pay(max(1, total // 2 + self.chance.choice((0, 0, -100, 300))), self.chance.choice(TENDERS))

    def pay(self) -> None:
        """Some money, now; or told late of a day that has long gone by (S1-42, S1-44, X-16)."""
        self._pay(self.chance.choice((1_000, self.chance.randrange(1, 30_000))), self.chance.choice(TENDERS), late=True)

    def _pay(self, amount: int, tender: str, *, late: bool = False, payment: str = "") -> None:
        world, chance = self.world, self.chance
        self.payments += 1
        order = f"O-{self.folio}-{self.payments}"
        data = {
            "folio": self.folio, "payment": payment or f"P-{order}", "amount": amount, "currency": "EUR", "tender": tender,
            "occurred_at": (world.now() - timedelta(days=chance.choice((0, 0, 0, 1, 9)) * late)).isoformat(),
        }  # fmt: skip
        if tender == "card":
            payid = world.provider.provider.create(order, amount, "EUR", world.now(), operation="SAL")
            data |= {"provider": "ogone", "merchant": "azur", "provider_reference": payid, "order": order}
        self.say("payment.received", data)

    def reverse(self) -> None:
        """A cheque comes back (X-19)."""
        cheque = (
            next((one for one in self._stands().payments if one.tender == "cheque" and one.captured), None)
            if self._known()
            else None
        )
        if cheque is not None:
            data = {"payment": cheque.payment, "amount": cheque.captured, "currency": "EUR", "tender": "cheque"}
            self.say("payment.reversed", {"folio": self.folio, **data})

    def enter(self) -> None:
        """A voucher pays some of it."""
        number = self.chance.choice(("MER-1", "THAIS-1", "THAIS-1"))
        amount = self.chance.choice((self.chance.randrange(1, 9_000), 5_000, 20_000))
        self.say("voucher.enter", {"folio": self.folio, "number": number, "amount": amount}, "guest")
        data = {"folio": self.folio, "number": number, "verdict": self.chance.choice(("accepted", "refused"))}
        self.say("voucher.check", data, "merchant", at=self.world.seconds() + self.chance.choice((60, 30 * 3_600)))

    def contest(self) -> None:
        """A payer's bank contests a payment, and rules on it, or does not (X-13); the reversal may be told beside it."""
        paid = [one for one in self._stands().payments if one.captured and one.tender.value in TENDERS] if self._known() else []
        if not paid:
            return
        chance, at = self.chance, self.world.seconds()
        payment = chance.choice([one for one in paid if one.provider] or paid)
        amount = chance.choice((payment.captured, payment.captured // 2 or 1))
        data = {"folio": self.folio, "payment": payment.payment, "amount": amount, "currency": "EUR"}
        named = {"dispute": chance.choice(("", f"D-{at}"))}
        self.say("dispute.opened", {**data, **named, "funds_taken": chance.random() < 0.5})
        if chance.random() < 0.3:
            told = {**data, "tender": payment.tender.value, "amount": chance.choice((amount, amount // 2 or 1))}
            self.say("payment.reversed", told, at=at + chance.choice((0, 600, 5 * DAY)))
        if chance.random() < 0.5:
            self.world.at(at + chance.choice((0, 4_000, 2 * DAY)), self.cancel)
        if chance.random() < 0.8:
            ruling = {
                "outcome": chance.choice(("won", "lost", "lost", "withdrawn")),
                "amount": chance.choice((amount, amount // 2 or 1)),
            }
            self.say("dispute.closed", {**data, **named, **ruling}, at=at + chance.choice((0, 4_000, 5 * DAY, 40 * DAY)))

    def write_again(self) -> None:
        """An operator wants a mail written once more, mostly one that reached nobody (X-15)."""
        notices = self._stands().notices if self._known() else ()
        lost = [one for one in notices if one.state in UNREAD and self.chance.random() < 0.9] or notices
        if lost:
            self.say("notice.resend", {"notice": self.chance.choice(lost).notice}, "operator")

    # -- what is said of its balance -------------------------------------------------------------------------------------------

    def act(self) -> None:
        """What fits the queue that its last request is in, mostly."""
        chance = self.chance
        requests = self._stands().balance_requests if self._known() else ()
        fitting = FITTING[requests[-1].status.value] if requests and chance.random() < 0.8 else ANY
        self._act(chance.choice(fitting), requests)

    def _act(self, action: str, requests: tuple[BalanceRequest, ...]) -> None:
        chance = self.chance
        data: dict[str, Any] = {"request": chance.choice(requests).request} if requests and chance.random() < 0.4 else {}
        if action == "set_amount":
            data["amount"] = chance.choice((0, 500, chance.randrange(30_000)))
        elif action == "suspend":
            data["until"] = self._day()
        elif action == "recreate":
            data["reapply"] = chance.random() < 0.4
        elif action == "choose_method":
            data |= {"method": chance.choice((*self._methods(), "cash")), "through": chance.choice(("web", "phone"))}
            if data["method"] == "card" and chance.random() < 0.5:
                data |= {"token": "tok-1", "mandate": "m-1"}
        elif action == "report_disfunction":
            data["reason"] = chance.choice(("insufficient_funds", "card_data_invalid", "the line was cut"))
        elif action == "report_collected" and requests:
            self._report(data, requests[-1])
        self.say(f"balance.{action}", {"folio": self.folio, **data}, WHO.get(action, "operator"))

    def _report(self, data: dict[str, Any], request: BalanceRequest) -> None:
        """The merchant has the money; a payment message tells the same, or none does."""
        method = request.attempts[-1].method.value if request.attempts else "card"
        if self.chance.random() < 0.6:
            self.payments += 1
            data["payment"] = f"P-told-{self.folio}-{self.payments}"
            self._pay(request.amount, method if method != "card" else "bank_transfer", payment=data["payment"])
        elif self.chance.random() < 0.3:
            data["amount"] = self.chance.randrange(1, 30_000)

    def suspend_all(self) -> None:
        """A whole property, or a type of it (S1-36)."""
        data = {"until": self._day(), "scope": self.chance.choice(("property", "type")), "property": self.property}
        if data["scope"] == "type":
            data["accommodation_type"] = "tent"
        self.say("balance.suspend", data, "operator")

    def _methods(self) -> tuple[str, ...]:
        """What the house offers now, several times: mostly it is what it offered then."""
        asks = self.world.configuration.properties[self.property].balance
        return () if asks is None else tuple(method.value for method in asks.methods * 3)

    def _day(self) -> str:
        return str(self.world.now().date() + timedelta(days=self.chance.choice((1, 7, 30, 90))))

    def _known(self) -> bool:
        return bool(self._bodies())

    def _stands(self) -> Folio:
        return msgspec.json.decode(self._bodies()[0]["body"], type=Folio)

    def _bodies(self) -> list[dict[str, Any]]:
        return self.world.rows("SELECT body FROM state WHERE kind = 'folio' AND key = ? AND body IS NOT NULL", (self.folio,))
