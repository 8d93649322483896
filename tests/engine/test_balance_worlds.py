"""Whatever guests, merchants and operators say of balances, in whatever order and with hubs that were away: nothing is a defect, the log
gives the same again, book and folio agree, and nobody is asked twice at once or for more than is owed (S1-20, S1-41, X-4).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from engine.verify import verify
from handlers import account
from handlers.balance_record import LIVE
from schemas.folio import Folio
from tests.engine.sandbox import Sandbox
from tests.engine.test_balance import ASKING

PROPERTIES = ("camp-azur", "camp-types", "camp-each", "camp-stays", "camp-strict", "camp-quick", "camp-antilles")
FITTING = {
    "pending": ("send_now", "set_amount", "suspend", "cancel"),
    "sent_no_reply": ("choose_method", "choose_method", "resend", "suspend"),
    "sent_replied": ("report_collected", "report_disfunction"),
    "paid": ("recreate", "report_disfunction"),
    "cancelled": ("recreate", "choose_method"),
}
ANY = tuple({action for actions in FITTING.values() for action in actions})


class World:
    """One folio and everybody around it, from a seed."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        lanes, chunk = self.chance.choice((1, 4)), self.chance.choice((1, 500))
        self.box = Sandbox(store=":memory:", configuration=ASKING, lanes=lanes, chunk=chunk)
        self.property = self.chance.choice(PROPERTIES)
        self.told: list[tuple[str, dict[str, Any]]] = []

    def live(self) -> None:
        """Thirty things that happen to it, and the end of the season."""
        acts: tuple[Callable[[], None], ...] = (self.book, self.pay, self.pay, self.act, self.act, self.act, self.act, self.wait)
        self.book()
        for _ in range(30):
            self.chance.choice(acts)()
        if self.chance.random() < 0.3:
            self.say("booking.cancelled", {})
        self.told += self.box.pass_time(120 * 86_400)

    def say(self, name: str, data: dict[str, Any], actor: str = "system") -> None:
        self.told += self.box.say(name, {"folio": "B-1", **data}, actor=actor)

    def book(self) -> None:
        chance = self.chance
        lines = [
            {
                "line": str(n), "price": chance.randrange(30_000), "kind": "service" if n and chance.random() < 0.2 else "stay",
                "trade": "outdoor", "terms": "outdoor/flexible", "departure": "2026-09-30",
                "arrival": f"2026-{chance.choice((6, 7, 8)):02}-{chance.randrange(1, 29):02}",
                "accommodation": chance.choice(("", "pitch-12")), "accommodation_type": chance.choice(("", "tent", "chalet")),
            }
            for n in range(chance.choice((1, 1, 2, 3)))
        ]  # fmt: skip
        by = "channel" if chance.random() < 0.05 else "property"
        plan = "full" if chance.random() < 0.1 else "split"
        booked = {"property": self.property, "currency": "EUR", "payment_plan": plan, "collected_by": by, "lines": lines}
        self.say("booking.confirmed", booked)

    def pay(self) -> None:
        chance, number = self.chance, self.chance.randrange(6)
        name = chance.choice(("payment.received", "payment.received", "payment.authorised", "payment.reversed"))
        amount, tender = (
            chance.choice((1_000, 5_000, chance.randrange(1, 20_000))),
            chance.choice(("card", "cheque", "bank_transfer")),
        )
        data = {"payment": f"P{number}", "amount": amount, "currency": "EUR", "tender": tender}
        if tender == "card" and chance.random() < 0.7:
            data |= {"provider": "ogone", "merchant": "azur", "provider_reference": f"30{number}"}
        if chance.random() < 0.3:
            data["occurred_at"] = f"2026-{chance.choice((5, 6, 7)):02}-{chance.randrange(1, 29):02}T10:00:00Z"
        self.say(name, data)

    def act(self) -> None:
        chance = self.chance
        requests = self.folio().balance_requests
        fitting = FITTING[requests[-1].status.value] if requests and chance.random() < 0.8 else ANY
        action = chance.choice(fitting)
        data: dict[str, Any] = {"request": chance.choice(requests).request} if requests and chance.random() < 0.3 else {}
        if action == "set_amount":
            data["amount"] = chance.choice((0, 500, chance.randrange(30_000)))
        if action == "suspend":
            data["until"] = f"2026-{chance.choice((6, 7, 8)):02}-{chance.randrange(1, 29):02}"
            if chance.random() < 0.3:
                data |= {"scope": chance.choice(("property", "type")), "property": self.property, "accommodation_type": "tent"}
        if action == "choose_method":
            data |= {"method": chance.choice(("card", "cheque", "cash")), "through": chance.choice(("web", "phone"))}
        if action == "report_collected" and chance.random() < 0.5:
            data |= {"amount": chance.randrange(1, 30_000), "payment": f"P{chance.randrange(6)}"}
        self.say(f"balance.{action}", data, "operator" if action in ("set_amount", "suspend") else "merchant")

    def wait(self) -> None:
        """Time goes on, with the hub or while it is away."""
        seconds = self.chance.randrange(12 * 86_400)
        if self.chance.random() < 0.3:
            self.box.wait(seconds)
            seconds = 0
        self.told += self.box.pass_time(seconds)

    def folio(self) -> Folio:
        return self.box.folio()


@pytest.mark.parametrize("seed", range(12))
def test_s1_20_s1_41_x_4_x_7_whatever_happens(seed: int) -> None:
    """A world from its seed."""
    world = World(seed)
    world.live()
    folio = world.folio()
    live = [one for one in folio.balance_requests if one.status in LIVE]
    entries = world.box.rows("SELECT debit, credit, minor FROM transfer")
    owing = ("guest:B-1", "channels:B-1")
    guest = sum(((row["debit"] in owing) - (row["credit"] in owing)) * row["minor"] for row in entries)
    mails = [data["attempt"] for name, data in world.told if name == "balance.sent"]

    assert world.box.rows("SELECT reason FROM dead_letter WHERE why = 'defect'") == []
    assert verify(world.box.database).differences == ()
    assert guest == account.balance(folio)
    assert len(live) == len({one.accommodation for one in live})
    assert sum(one.amount for one in live) <= max(0, guest)
    assert len(mails) == len(set(mails))
