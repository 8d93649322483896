"""A campsite for decision tests: its policies, messages and a folio's life as one object. Shipped terms unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import msgspec
from msgspec.structs import replace

from handlers import account, booking, payment
from handlers.channel import owes
from handlers.outcome import Facts, Outcome, Policies
from ledger import recipes
from ledger.balance import balance
from ledger.recipes import guest
from ledger.transfer import Transfer
from schemas.booking import BalanceChanged, Booking, Overpaid
from schemas.common import Fact
from schemas.envelope import message_bytes
from schemas.folio import Folio
from schemas.operations import TimerFired
from schemas.payment import Payment
from schemas.policy import PropertyPolicy, TenantPolicy, Terms, Tranche

ACTOR = {"kind": "system", "id": "thais"}
TENANT = TenantPolicy(tenant="azur", version="azur/1")
CAMP = PropertyPolicy(property="camp-azur", version="camp-azur/1", tenant="azur", zone="Europe/Paris")


def terms(name: str, *rates: str, **knobs: Any) -> Terms:
    """Terms with 4 and 1 days of notice and these three refund rates."""
    first, second, third = (Tranche(from_notice=days, refund=Fraction(rate)) for days, rate in zip((4, 1, 0), rates, strict=True))
    knobs.setdefault("version", f"{name}/1")
    return Terms(name=name, trade=name.split("/")[0], tranches=(first, second, third), **knobs)


FLEXIBLE = terms("outdoor/flexible", "1", "1/2", "0")
NANR = terms("outdoor/nanr", "0", "0", "0")
STRICT = terms("outdoor/strict", "1", "1/4", "0")
HOTEL = terms("hotel/flexible", "1", "1/2", "0")


def line(line: str = "1", price: int = 20_000, **more: Any) -> dict[str, Any]:
    """A line of a booking: a flexible stay from 24 to 31 July unless told otherwise."""
    base = {"line": line, "kind": "stay", "trade": "outdoor", "terms": "outdoor/flexible", "price": price}
    return {**base, "arrival": "2026-07-24", "departure": "2026-07-31", **more}


TWO_LINES = [line("1", 12_000), line("2", 8_000, kind="service", terms="outdoor/nanr")]


def ordered(*lines: dict[str, Any], **more: Any) -> Booking:
    """A booking of these lines (one stay of 200 without any), fee 5, bought on 1 May."""
    base = {
        "actor": ACTOR,
        "property": "camp-azur",
        "currency": "EUR",
        "service_fee": 500,
        "booked_at": "2026-05-01T10:00:00+02:00",
    }
    return msgspec.convert({**base, "lines": list(lines) or [line()], **more}, Booking)


def paid(amount: int, payment: str = "P1", **more: Any) -> Payment:
    """A payment by card."""
    return msgspec.convert({"actor": ACTOR, "payment": payment, "amount": amount, "currency": "EUR", **more}, Payment)


class Stay:
    """A folio from message to message. Refused and stale messages raise and change nothing, as in the engine."""

    def __init__(self, *offered: Terms, camp: PropertyPolicy = CAMP, tenant: TenantPolicy = TENANT) -> None:
        self.offered = offered or (FLEXIBLE, NANR, STRICT, HOTEL)
        self.camp, self.tenant = camp, tenant
        self.state: Folio | None = None
        self.entries: list[Transfer] = []
        self.said: list[Fact] = []
        self.now = "2026-05-01T08:00:00+00:00"
        self._count = 0
        self._known = {offer.version: offer for offer in self.offered}

    @property
    def folio(self) -> Folio:
        """The folio, which is there by now."""
        assert self.state is not None
        return self.state

    def offer(self, *offered: Terms) -> None:
        """The manager changes what is offered; what was frozen stays known."""
        self.offered = offered
        self._known |= {offer.version: offer for offer in offered}

    def facts(self, name: str, source: str = "pms.thais") -> Facts:
        """What the engine would load now."""
        self._count += 1
        at = datetime.fromisoformat(self.now)
        policies = Policies(
            properties={self.camp.property: self.camp},
            terms=self.offered,
            frozen_properties={self.camp.version: self.camp},
            frozen_terms=self._known,
        )
        return Facts(
            message=message_bytes("azur", source, str(self._count)), name=name, source=source, tenant=self.tenant, key="B-1",
            act=at, received_at=at, policies=policies, folio=self.state,
        )  # fmt: skip

    def book(self, message: Booking | None = None, name: str = "booking.confirmed", source: str = "pms.thais") -> Outcome:
        """A booking message."""
        return self._take(booking.decide, message or ordered(), self.facts(name, source))

    def pay(self, message: Payment, name: str = "payment.received") -> Outcome:
        """A payment message."""
        return self._take(payment.decide, message, self.facts(name))

    def ring(self, subject: str) -> Outcome:
        """The second payment's timer fires."""
        fired = TimerFired(name=booking.SECOND_PAYMENT, due=datetime.now(UTC), kind=booking.SECOND_PAYMENT, subject=subject)
        return self._take(booking.decide_second_payment_due, fired, self.facts("timer.fired"))

    def _take(self, decide: Callable[[Any, Facts], Outcome], message: object, facts: Facts) -> Outcome:
        out = (decide if hasattr(decide, "__wrapped__") else owes(decide))(message, facts)
        if isinstance(out.state, Folio):
            self._tells_the_balance(out, out.state)
            self.state = out.state
        self.entries += out.entries
        self.said += out.facts
        return out

    def _tells_the_balance(self, out: Outcome, after: Folio) -> None:
        """S4-22, S1-33: once, where it moved, as it stands after all; and what is too much, where that is news."""
        was = (account.ordered(self.state), account.collected(self.state)) if self.state is not None else None
        ordered, collected = account.ordered(after), account.collected(after)
        owed = ordered - collected
        moved = BalanceChanged(ordered=ordered, collected=collected, balance=owed, currency=after.currency)
        more = Overpaid(amount=-owed, currency=after.currency)
        news = owed < 0 and (was is None or owed != was[0] - was[1])
        told = [fact for fact in out.facts if isinstance(fact, BalanceChanged | Overpaid)]

        assert told == ([] if was == (ordered, collected) else [moved, more] if news else [moved])

    def guest_account(self) -> int:
        """What the ledger says the guest owes."""
        return balance(self.entries, guest(self.folio), self.folio.currency)

    def owes(self) -> int:
        """What the folio says the guest owes; the ledger must say the same (X-4)."""
        assert account.balance(self.folio) == self.guest_account()
        return account.balance(self.folio)

    def plan(self) -> tuple[int, int, date | None]:
        """Due now, second payment, until when."""
        return self.folio.due_now, self.folio.second_payment, self.folio.second_payment_on

    def cancel(self, at: str, kept: int = 0) -> None:
        """The whole booking was cancelled at `at` and kept `kept` of its first line (not decided here)."""
        lines = []
        for n, old in enumerate(self.folio.lines):
            keep = kept if n == 0 else 0
            lines.append(replace(old, cancelled=True, kept=keep))
            self.entries += recipes.penalty_kept(self.folio, old, keep) + recipes.line_given_back(self.folio, old, old.price - keep)
        self.state = replace(
            self.folio, lines=tuple(lines), status=type(self.folio.status).CANCELLED, cancelled_at=datetime.fromisoformat(at)
        )


def kinds(out: Outcome) -> list[str]:
    """The facts of an outcome by name of their type."""
    return [type(fact).__name__ for fact in out.facts]


def fact(out: Outcome, kind: type[Fact]) -> Any:
    """The only fact of that type."""
    (found,) = [one for one in out.facts if isinstance(one, kind)]
    return found
