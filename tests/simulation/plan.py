"""What happens in a world, from its seed: folios, payments, cancellations, other people's refunds; sent twice, late and out of order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.scripts import CLOSINGS

if TYPE_CHECKING:
    from tests.simulation.world import World

START = datetime(2026, 5, 1, 8, tzinfo=UTC)
TERMS = ("flexible", "flexible", "moderate", "moderate", "firm", "strict", "nanr")
TENDERS = ("voucher", "cash", "cheque")


class Plan:
    """The events of one world, put on its agenda."""

    def __init__(self, seed: int, world: World) -> None:
        self._chance = random.Random(f"plan {seed}")
        self._world = world
        self._stays = self._chance.choice((1, 1, 1, 2, 2, 3, 4))
        for number in range(self._stays):
            _Stay(number, self._chance, world).plan()
        self._operate()

    def another(self) -> None:
        """One stay more, in a world that has not met with what it is for: paid thrice, and given back."""
        stay = _Stay(self._stays, self._chance, self._world)
        stay.come_late(self._world.seconds())
        stay.plan()
        self._stays += 1

    def _operate(self) -> None:
        chance = self._chance
        if chance.random() < 0.15:
            at = chance.randrange(1, 80) * 86_400
            self._world.send(at, "ops", "stop", "payouts.stop", {"reason": "look"}, actor="operator")
            self._world.send(
                at + chance.choice((60, 90_000)), "ops", "start", "payouts.start", {"reason": "go on"}, actor="operator"
            )
        if chance.random() < 0.1:
            data = {"event": "storm", "area": "cote-d-azur", "from": "2026-07-01", "to": "2026-07-20"}
            self._world.send(chance.randrange(1, 70) * 86_400, "ops", "storm", "force_majeure.declare", data, actor="operator")
        if chance.random() < 0.1:
            self._world.send(
                chance.randrange(60) * 86_400, "ops", "forget", "person.forget", {"subject": "person-0"}, actor="operator"
            )
        for _ in range(chance.choice((0, 0, 0, 1, 2))):
            self._world.at(chance.randrange(0, 80 * 86_400), self._rubbish)
        for _ in range(chance.choice((0, 0, 1))):  # what names nobody
            data = {"folio": "F-none", "payment": "P-lost", "amount": 100, "currency": "EUR", "tender": "cash"}
            self._world.send(chance.randrange(80) * 86_400, "web", f"lost-{chance.random()}", "payment.received", data)

    def _rubbish(self) -> None:
        self._world.deliver(self._world.rubbish())


class _Stay:
    """One booking file and what is done to it."""

    def __init__(self, number: int, chance: random.Random, world: World) -> None:
        self.number, self.chance, self.world = number, chance, world
        self.folio = f"F-{number}"
        self.plain = not number and chance.random() < 0.65
        """Known by one name, paid and given back: most worlds are to hold requests."""
        self.late = False
        self.named = not self.plain and chance.random() < 0.5
        self.reference = {"namespace": "pms:thais", "value": f"R{number}"}
        self.arrives = world.begins.date() + timedelta(days=61 + chance.randrange(20))
        self.booked = chance.randrange(0, 20 * 86_400)

    def come_late(self, second: int) -> None:
        """It is booked now, and plain."""
        self.plain, self.named, self.late = True, False, True
        self.booked = second + 600
        self.arrives = self.world.begins.date() + timedelta(days=second // 86_400 + 60)

    def plan(self) -> None:
        """Everything that happens to it."""
        chance = self.chance
        lines = [self._line(str(n + 1)) for n in range(chance.choice((1, 1, 2, 3)))]
        total = sum(line["price"] for line in lines)
        fee = chance.choice((0, 500, 1990))
        parts = (3,) if self.late else (1, 1, 2, 2, 3) if self.plain else (0, 1, 1, 1, 2, 2, 3)
        orders = [f"O{self.number}-{n}" for n in range(chance.choice(parts))]
        self._book(lines, fee, orders)
        for order in orders:
            self._pay(order, total + fee, len(orders))
        if chance.random() < 0.3:
            self._other_money((total + fee) // 3)
        ending = chance.random()
        days = (self.arrives - self.world.begins.date()).days
        when = self.booked + chance.randrange(1, max(2, (days - self.booked // 86_400) * 86_400))
        if self.plain:
            self._recorded(self.booked + chance.randrange(300_000, 400_000 if self.late else 3_000_000), refund="full")
        elif ending < 0.75:
            self._cancel("C1", when, [line["line"] for line in lines])
        elif ending < 0.95:
            self._recorded(when)
        if ending < 0.3:
            self._cancel("C2", when + chance.randrange(1, 400_000), [line["line"] for line in lines])

    # -- messages --------------------------------------------------------------------------------------------------------------

    def _name(self, *more: dict[str, str], known: bool = True) -> dict[str, Any]:
        if self.named and (known or self.chance.random() < 0.7):
            return {"folio": self.folio, **({"references": list(more)} if more else {})}
        return {"references": [self.reference, *more]}

    def _send(
        self, at: int, id_: str, name: str, data: dict[str, Any], *, source: str = "pms.thais", actor: str = "system"
    ) -> None:
        self.world.send(at, source, f"{self.folio}-{id_}", name, data, actor=actor)

    def _line(self, line: str) -> dict[str, Any]:
        kind = self.chance.choice(("stay", "stay", "service", "tourist_tax"))
        base = {"line": line, "kind": kind, "price": self.chance.randrange(1, 40_000)}
        if kind == "tourist_tax":
            return base
        departs = self.arrives + timedelta(days=7)
        terms = f"outdoor/{self.chance.choice(TERMS)}"
        return {**base, "trade": "outdoor", "terms": terms, "arrival": str(self.arrives), "departure": str(departs)}

    def _book(self, lines: list[dict[str, Any]], fee: int, orders: list[str]) -> None:
        chance = self.chance
        bound = [{"namespace": "ogone:azur:order", "value": order} for order in orders if chance.random() < 0.5]
        data = {
            **self._name(*([self.reference] if self.named else []), *bound, known=False),
            "property": "camp-azur", "currency": "EUR", "lines": lines, "service_fee": fee, "revision": 1,
            "payment_plan": chance.choice(("full", "split")), "deposit_nature": chance.choice(("arrhes", "arrhes", "acompte")),
            "guest": {"name": "Zoé Exemple", "person": chance.choice(("", "person-0"))},
            "client": chance.choice(("", "agency")), "commission_rate": "10 %",
        }  # fmt: skip
        self._send(self.booked, "book", chance.choice(("booking.confirmed", "booking.requested")), data)
        if chance.random() < 0.35:
            changed = [dict(lines[0], price=chance.randrange(1, 40_000)), *lines[1:]]
            at = self.booked + chance.randrange(-5_000, 900_000)
            self._send(at, "change", "booking.changed", {**data, "lines": changed, "revision": 2})

    def _pay(self, order: str, total: int, parts: int) -> None:
        chance = self.chance
        amount = max(1, total // parts + chance.choice((0, 0, 0, -100, 700)))
        authorised = chance.random() < (0.95 if self.world.aims.script in CLOSINGS else 0.08)
        at = max(0, self.booked + chance.choice((-600, 5, 60, 200_000)))
        late = chance.choice((0, 0, 30, 4_000))

        def paid() -> None:
            provider = self.world.provider.provider
            payid = provider.create(order, amount, "EUR", self.world.now(), operation="RES" if authorised else "SAL")
            data = {
                "payment": f"P-{order}", "amount": amount, "currency": "EUR", "tender": "card", "provider": "ogone",
                "merchant": "azur", "provider_reference": payid, "order": order, "occurred_at": self.world.now().isoformat(),
                **(self._name() if chance.random() < 0.7 else {"references": [self.reference]}),
            }  # fmt: skip
            name = "payment.authorised" if authorised else "payment.received"
            self._send(self.world.seconds() + late, f"pay-{order}", name, data, source=chance.choice(("web", "pms.thais")))
            for _ in range(chance.choice((0, 0, 0, 0, 1, 2))):
                self.world.at(self.world.seconds() + chance.randrange(60, 75 * 86_400), lambda: self._back_office(payid, amount))
            self._others(payid, order, amount, authorised)
            if chance.random() < 0.06:
                back = {**data, "amount": chance.choice((amount, amount // 2 or 1)), "occurred_at": None}
                del back["occurred_at"]
                self._send(self.world.seconds() + chance.randrange(80 * 86_400), f"bounce-{order}", "payment.reversed", back)

        self.world.at(at, paid)

    def _back_office(self, payid: str, amount: int) -> None:
        minor = self.chance.choice((amount, max(1, amount // 2), 100))
        status = self.chance.choice(("8", "8", "8", "81", "83"))
        self.world.back_office(payid, minor, status)

    def _others(self, payid: str, order: str, amount: int, authorised: bool) -> None:
        """The house takes of an authorisation by itself; a sale fails after all, and stands again."""
        world, others = self.world, random.Random(f"others {self.world.seed} {payid}")
        later = world.seconds() + others.randrange(60, 60 * 86_400)
        if authorised:
            for _ in range(others.choice((0, 1, 1, 2))):
                minor, status = others.choice((amount, max(1, amount // 2), 100)), others.choice(("9", "9", "9", "93"))
                at = later + others.choice((0, 0, 5, 86_400))
                world.at(at, lambda minor=minor, status=status: world.back_office(payid, minor, status, "SAL"))
        elif others.random() < 0.1:
            world.at(later, lambda: world.turn(payid, order, "93"))
            if others.random() < 0.5:
                world.at(later + others.choice((30, 86_400)), lambda: world.turn(payid, order, "9"))

    def _other_money(self, amount: int) -> None:
        tender = self.chance.choice(TENDERS)
        data = {
            **self._name(),
            "payment": f"P-{self.number}-{tender}",
            "amount": max(1, amount),
            "currency": "EUR",
            "tender": tender,
        }
        self._send(self.booked + self.chance.randrange(0, 60 * 86_400), f"pay-{tender}", "payment.received", data)

    def _cancel(self, request: str, at: int, lines: list[str]) -> None:
        chance = self.chance
        chosen = lines if chance.random() < 0.6 else lines[:1]
        cause, actor = chance.choice((("guest", "guest"), ("guest", "guest"), ("owner", "merchant"), ("force_majeure", "guest")))
        data = {**self._name(), "request": request, "lines": chosen if chosen != lines else [], "cause": cause}
        if chance.random() < 0.2:
            data["confirm"] = True
        self._send(at, f"ask-{request}", "cancellation.request", data, source="web", actor=actor)
        confirm: dict[str, Any] = {**self._name(), "request": request}
        for number in range(chance.choice((1, 1, 2, 3))):
            later = at + chance.choice((0, 5, 600, 1_799, 1_801, 100_000)) + number
            who = actor
            if chance.random() < 0.2:
                confirm, who = (
                    {**confirm, "override": {"amount": chance.choice((100, 5_000, 20_000)), "reason": "kind"}},
                    "merchant",
                )
            self._send(later, f"yes-{request}-{number}", "cancellation.confirm", confirm, source="web", actor=who)
        if chance.random() < 0.1:
            gone = {**self._name(), "request": request}
            self._send(at + 3, f"no-{request}", "cancellation.withdraw", gone, source="web", actor=actor)

    def _recorded(self, at: int, refund: str | int = "") -> None:
        refund = refund or self.chance.choice(("policy", "policy", "full", "none", 1_000))
        revision = 3 if self.plain else self.chance.choice((1, 3, 3))
        data = {**self._name(), "revision": revision, "reason": "", "refund": refund}
        self._send(at, "cancelled", "booking.cancelled", data)
