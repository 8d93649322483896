"""A house with vouchers: folios and vouchers that speak to one another as in the engine, one message after the other, on a clock by hand.

After every message: each guest's account is the folio's balance, each own voucher's account what its book has left, nothing is given back
twice.
"""

from __future__ import annotations

from collections import defaultdict, deque
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from engine.routes import TELLS_VOUCHERS, decision_of
from handlers import account
from handlers.approval import number_of
from handlers.outcome import Facts, Internal, Outcome, Policies, Timer
from handlers.voucher_issue import numbered
from handlers.voucher_told import told_keys
from ledger import recipes
from schemas import registry
from schemas.common import Fact
from schemas.effect import EffectRequest, Move
from schemas.envelope import message_bytes
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, State
from schemas.operations import TimerFired
from schemas.policy import PropertyPolicy, TenantPolicy, Terms
from schemas.voucher import VoucherOrigin
from schemas.voucher_book import HoldState, Voucher
from schemas.voucher_code import code_of, normalised
from tests.handlers.campsite import CAMP, FLEXIBLE, NANR, TENANT, line, terms

SYSTEM, GUEST, MERCHANT = ({"kind": kind, "id": "x"} for kind in ("system", "guest", "merchant"))
ACTORS = {"voucher.enter": GUEST, "voucher.consent": GUEST, "cancellation.request": GUEST, "cancellation.confirm": GUEST}
HOUSE = ("voucher.check", "voucher.register", "booking.cancel_with_voucher")
PREMIUM = replace(TENANT, plan="Pack Individual Premium", zone="Europe/Paris")
THIRTY = terms("outdoor/thirty", "1", "7/10", "0")
"""Terms whose deposit is 30 %: 150 of 500."""
START = "2026-05-01T08:00:00+00:00"
PAGE = Path(__file__).parents[2].joinpath("docs/rules/voucher.md").read_text(encoding="utf-8")
CODES = [code_of(bytes([n]) * 16) for n in range(1, 9)]


class _Parked(NamedTuple):
    name: str
    body: Any
    key: tuple[str, str]
    source: str


class House:
    """Everything that is known after some messages."""

    def __init__(self, *offered: Terms, camps: tuple[PropertyPolicy, ...] = (CAMP,), tenant: TenantPolicy = PREMIUM) -> None:
        self.offered, self.camps, self.tenant = offered or (FLEXIBLE, NANR, THIRTY), camps, tenant
        self.states: dict[tuple[str, str], State] = {}
        self.parked: dict[tuple[str, str], list[tuple[str, _Parked]]] = defaultdict(list)
        self.timers: dict[tuple[str, str, str], Timer] = {}
        self.accounts: dict[str, int] = defaultdict(int)
        self.requests: list[EffectRequest] = []
        self.said: list[Fact] = []
        self.now = datetime.fromisoformat(START)
        self._count = 0

    def folio(self, folio: str = "B-1") -> Folio:
        """A folio that is there by now."""
        state = self.states["folio", folio]
        assert isinstance(state, Folio)
        return state

    def book(self, number: str) -> Voucher:
        """A voucher's own book, that is there by now."""
        state = self.states["voucher", normalised(number)]
        assert isinstance(state, Voucher)
        return state

    def has(self, number: str) -> bool:
        return ("voucher", normalised(number)) in self.states

    def send(self, name: str, folio: str = "B-1", source: str = "pms.thais", **data: Any) -> list[Fact]:
        """A message and everything that it leads to inside: what it said. Refused and stale ones raise and change nothing."""
        actor = MERCHANT if name in HOUSE else ACTORS.get(name, SYSTEM)
        if name == "booking.cancel_with_voucher":
            data.setdefault("number", code_of(message_bytes("azur", "luck", str(self._count))))
        kind = registry.IN[name]
        body = msgspec.convert({"actor": actor, "folio": folio, **data}, kind)
        key = ("voucher", normalised(data["number"])) if name == "voucher.register" else ("folio", folio)
        return self._run(name, body, key, source)

    def order(self, folio: str = "B-1", price: int = 50_000, **more: Any) -> list[Fact]:
        """A stay at 30 % deposit in two payments, without fee, unless told otherwise."""
        base = {"property": "camp-azur", "currency": "EUR", "payment_plan": "split", "booked_at": self.now.isoformat()}
        sold = {"lines": [line(price=price, terms="outdoor/thirty")], **base, **more}
        return self.send(more.pop("name", "booking.requested"), folio, **{key: sold[key] for key in sold if key != "name"})

    def authorise(self, amount: int, payment: str = "P1", folio: str = "B-1", **more: Any) -> list[Fact]:
        """A card payment that is authorised only."""
        card = {"provider": "ogone", "merchant": "azur", "provider_reference": f"{folio}-{payment}"}
        return self.send("payment.authorised", folio, payment=payment, amount=amount, currency="EUR", **{**card, **more})

    def pay(self, amount: int, payment: str = "P1", folio: str = "B-1", **more: Any) -> list[Fact]:
        """A card payment that is final."""
        card = {"provider": "ogone", "merchant": "azur", "provider_reference": f"{folio}-{payment}"}
        return self.send("payment.received", folio, payment=payment, amount=amount, currency="EUR", **{**card, **more})

    def enter(self, amount: int, number: str = "MER-1", folio: str = "B-1", **more: Any) -> list[Fact]:
        return self.send("voucher.enter", folio, number=number, amount=amount, **more)

    def check(self, verdict: str = "accepted", folio: str = "B-1", **more: Any) -> list[Fact]:
        return self.send("voucher.check", folio, verdict=verdict, **more)

    def answer_provider(self, state: str = "confirmed") -> list[Fact]:
        """What the providers made of all that they were asked."""
        told, asked = [], self.requests
        self.requests = []
        for number, one in enumerate(asked):
            data = {
                "folio": one.business_key.split("/")[0], "effect": one.effect, "kind": one.kind.value, "state": state, "minor": one.minor,
                "currency": one.currency, "payment": one.payment, "refund": one.refund,
                "record": f"{one.reference}/{number}-{one.effect[:8]}",
            }  # fmt: skip
            reply = msgspec.convert(data, registry.INTERNAL["reply.arrived"])
            told += self._run("reply.arrived", reply, ("folio", data["folio"]), "foliohub")
        return told

    def until(self, at: str) -> list[Fact]:
        """Let time go on; what timers said."""
        end, told = datetime.fromisoformat(at), []
        while due := sorted((timer.due, name) for name, timer in self.timers.items() if timer.due <= end):
            at_, name = due[0]
            timer = self.timers.pop(name)
            self.now = max(self.now, at_)
            fired = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
            try:
                told += self._run("timer.fired", fired, name[:2], "foliohub")
            except Stale:
                continue
        self.now = end
        return told

    def plan(self, folio: str = "B-1") -> tuple[int, int]:
        """Due now and balance."""
        one = self.folio(folio)
        return one.due_now, one.second_payment

    def _run(self, name: str, body: Any, key: tuple[str, str], source: str) -> list[Fact]:
        told: list[Fact] = []
        waiting = deque([_Parked(name, body, key, source)])
        first = True
        while waiting:
            item = waiting.popleft()
            try:
                out = self._decide(item)
            except Early as early:
                self.parked[item.key].append((early.waits_for, item))
                continue
            except Stale:
                if first:
                    raise
                continue
            finally:
                first = False
            told += out.facts
            waiting.extendleft(reversed(self._apply(item.key, out)))
        self.said += told
        self._check()
        return told

    def _decide(self, item: _Parked) -> Outcome:
        return decision_of(item.name, item.body)(item.body, self._facts(item))

    def _facts(self, item: _Parked) -> Facts:
        state = self.states.get(item.key)
        self._count += 1
        policies = Policies(
            properties={camp.property: camp for camp in self.camps},
            terms=self.offered,
            frozen_properties={camp.version: camp for camp in self.camps},
            frozen_terms={offer.version: offer for offer in self.offered},
        )
        folio = state if isinstance(state, Folio) else None
        number = getattr(item.body, "number", "") or number_of(folio, getattr(item.body, "subject", ""))
        number = numbered(folio, number) if item.name == "booking.cancel_with_voucher" else number
        told = told_keys(item.body, folio) if item.name in TELLS_VOUCHERS else ()
        books = [self.states.get(("voucher", key)) for key in (normalised(number), *told)]
        named = next((book for book in books if isinstance(book, Voucher) and (book.known or not told)), None)
        voucher = state if isinstance(state, Voucher) else named
        return Facts(
            message=message_bytes("azur", item.source, str(self._count)), name=item.name, source=item.source, tenant=self.tenant,
            key=item.key[1], act=self.now, received_at=self.now, policies=policies,
            folio=folio, voucher=voucher if isinstance(voucher, Voucher) else None,
        )  # fmt: skip

    def _apply(self, key: tuple[str, str], out: Outcome) -> list[_Parked]:
        if out.state is not None:
            self.states[key] = out.state
        for entry in out.entries:
            self.accounts[entry.debit] += entry.minor
            self.accounts[entry.credit] -= entry.minor
        for name in out.cancel:
            self.timers.pop((*key, name), None)
        for timer in out.timers:
            self.timers[(*key, timer.name)] = timer
        withdrawn = {move.effect for move in out.moves if move.move is Move.WITHDRAW}
        self.requests = [*(one for one in self.requests if one.effect not in withdrawn), *out.requests]
        next_ = [self._internal(one) for one in out.messages]
        for waits, item in list(self.parked[key]):
            if waits in out.unparks:
                self.parked[key].remove((waits, item))
                next_.append(item)
        return next_

    @staticmethod
    def _internal(one: Internal) -> _Parked:
        body = registry.decode_data(one.name, registry.encode(one.body))
        return _Parked(one.name, body, (one.kind, one.key), "foliohub")

    def _check(self) -> None:
        for (kind, key), state in self.states.items():
            if isinstance(state, Folio):
                assert account.balance(state) == self.accounts[recipes.guest(state)], (key, account.balance(state))
                for payment in state.payments:
                    assert 0 <= payment.refunding + payment.refunded + payment.foreign <= payment.captured, payment
            elif isinstance(state, Voucher):
                left = state.left if state.origin is VoucherOrigin.ISSUED_HERE else 0
                assert -self.accounts[f"vouchers:{key}"] == left, (kind, key, self.accounts[f"vouchers:{key}"], left)
                held = sum(hold.held for hold in state.holds if hold.state is HoldState.HELD)
                if state.known:
                    assert 0 <= held <= state.left, state
                    assert sum(hold.taken for hold in state.holds) + state.left + state.expired >= state.value or state.holds, state
        assert not sum(self.accounts.values())


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading of the page, without its head."""
    section = PAGE.partition(f"\n## {heading}")[2].partition("\n## ")[0]
    found = [[cell.strip() for cell in text.strip("|").split("|")] for text in section.splitlines() if text.startswith("|")]
    return found[2:]


def minor(text: str) -> int:
    return round(float(text) * 100)


def named(told: list[Fact], name: str) -> Any:
    """The last fact of that type."""
    return [fact for fact in told if type(fact).__name__ == name][-1]


def names(told: list[Fact]) -> list[str]:
    return [type(fact).__name__ for fact in told]


def refusal(call: Any, *args: Any, **data: Any) -> tuple[str, str]:
    """The code and the field that a message is refused with."""
    with pytest.raises(Rejected) as caught:
        call(*args, **data)
    assert caught.value.rule, caught.value
    assert f"`{caught.value.code}`" in PAGE
    return caught.value.code, caught.value.field


def camp(**knobs: Any) -> House:
    """A house whose property has these knobs."""
    return House(camps=(replace(CAMP, **knobs),))


def ordered(house: House | None = None, **more: Any) -> House:
    house = house or House()
    house.order(**more)
    return house


def issued(house: House, folio: str = "A", value: int = 30_000, **data: Any) -> str:
    """A voucher of ours over so much: a booking that was paid in full and cancelled with one."""
    house.order(folio, price=value)
    house.pay(value, folio=folio)
    return str(named(house.send("booking.cancel_with_voucher", folio, **data), "VoucherIssued").number)
