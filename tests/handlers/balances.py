"""A stay whose balance is asked for: the campsite with `[balance]` settings, its timers, and what must hold after every decision."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from engine.routes import decision_of
from handlers import account
from handlers.balance_record import LIVE
from handlers.balance_request import follows
from handlers.channel import owes
from handlers.outcome import Facts, Outcome, Timer
from schemas import registry
from schemas.balance_request import BalanceRequest, BalanceStatus
from schemas.common import Fact
from schemas.folio import Folio
from schemas.operations import TimerFired
from schemas.payment import Tender
from schemas.policy import BalancePolicy, PropertyPolicy, TenantPolicy, Terms
from schemas.property_settings import Suspension
from tests.handlers.campsite import CAMP, TENANT, line, ordered
from tests.handlers.cancelling import GUEST, MERCHANT, OPERATOR, Leaving

METHODS = (Tender.CARD, Tender.BANK_TRANSFER, Tender.CHEQUE)
BALANCE = BalancePolicy(due_days=14, methods=METHODS)
ASKS = replace(CAMP, version="camp-azur/asks", payment_methods=METHODS, balance=BALANCE)
BY = {"balance.choose_method": GUEST, "balance.report_collected": MERCHANT, "balance.report_disfunction": MERCHANT}


def asking(**knobs: Any) -> PropertyPolicy:
    """The campsite with these knobs of its balances."""
    return replace(ASKS, balance=replace(BALANCE, **knobs))


class Asked(Leaving):
    """A stay and its timers. `late_by`: how much later than it is due a timer is really decided (S1-43)."""

    suspensions: tuple[Suspension, ...] = ()
    late_by = timedelta(0)

    def __init__(self, *offered: Terms, camp: PropertyPolicy = ASKS, tenant: TenantPolicy = TENANT) -> None:
        super().__init__(*offered, camp=camp, tenant=tenant)
        self.timers: dict[str, Timer] = {}
        self.camps = {camp.version: camp}

    def facts(self, name: str, source: str = "pms.thais") -> Facts:
        """What the engine would load now."""
        facts = super().facts(name, source)
        self.camps[self.camp.version] = self.camp
        policies = replace(facts.policies, frozen_properties=self.camps)
        return replace(facts, policies=policies, suspensions=self.suspensions, decided_at=facts.act + self.late_by)

    def say(self, action: str, at: str = "", **body: Any) -> Outcome:
        """A message about the balance: `set_amount`, `choose_method`, ..., by who says such things."""
        self.now = at or self.now
        name = f"balance.{action}"
        data = {"actor": BY.get(name, OPERATOR), "folio": "B-1", **body}
        message = registry.decode_data(name, registry._ENCODER.encode(data))
        return self._take(decision_of(name, message), message, self.facts(name))

    def until(self, at: str) -> list[Fact]:
        """Let time go on: what its timers tell by then, in order."""
        told: list[Fact] = []
        limit = datetime.fromisoformat(at)
        steps = 0
        while (timer := min(self.timers.values(), key=lambda one: (one.due, one.name), default=None)) and timer.due <= limit:
            steps += 1
            assert steps < 100, timer
            del self.timers[timer.name]
            fired = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
            self.now = timer.due.isoformat()
            told += self._take(decision_of("timer.fired", fired), fired, self.facts("timer.fired")).facts
        self.now = at
        return told

    def _take(self, decide: Callable[[Any, Facts], Outcome], message: object, facts: Facts) -> Outcome:
        before = self.state
        decide = decide if hasattr(decide, "__wrapped__") else owes(follows(decide))
        out = super()._take(decide, message, facts)
        for name in out.cancel:
            self.timers.pop(name, None)
        self.timers |= {timer.name: timer for timer in out.timers if timer.kind.startswith("balance_")}
        self.asks_once(before)
        return out

    def asks_once(self, before: Folio | None) -> None:
        """S1-18, S1-20, S1-34: one live request, one live link, nobody is asked for more than is owed, what is over stays over."""
        requests = self.folio.balance_requests
        live = [one for one in requests if one.status in LIVE]
        assert len(live) == len({one.accommodation for one in live})
        assert len(live) <= 1 or self.camp.balance is None or self.camp.balance.per_accommodation
        links = [one.link for one in requests if one.link]
        assert len(links) == len(set(links))
        assert not [one for one in requests if one.status not in LIVE and (one.link or one.wake_at)]
        assert sum(one.amount for one in live) <= max(0, account.balance(self.folio))
        assert all(one.amount > 0 for one in live)
        for known in before.balance_requests if before else ():
            if known.status not in LIVE:
                assert _ended(known) in map(_ended, requests)
        named = {f"{kind}:{one.request}" for one in live for kind in ("balance_send", "balance_overdue", "balance_collection")}
        assert set(self.timers) <= named, "a timer of a request that is over"

    @property
    def request(self) -> BalanceRequest:
        """The latest request."""
        return self.folio.balance_requests[-1]

    def queue(self) -> BalanceStatus:
        """Where it stands."""
        return self.request.status


def _ended(request: BalanceRequest) -> BalanceRequest:
    """Without what came of its attempts, which may be told later (S1-35)."""
    return replace(request, attempts=())


BOUGHT = "2026-01-01T10:00:00+01:00"
SENT = "2026-06-30T09:00:00+02:00"
ANSWERED = "2026-07-02T10:00:00+02:00"


def bought(at: str = BOUGHT, *lines: dict[str, Any], camp: PropertyPolicy = ASKS, deposit: bool = True, **more: Any) -> Asked:
    """V1: a stay of 200 without fee from 24 July, half of it paid at purchase."""
    stay = Asked(camp=camp)
    stay.now = at
    stay.book(ordered(*(lines or (line(),)), **{"payment_plan": "split", "service_fee": 0, "booked_at": at, **more}))
    if deposit and stay.folio.due_now:
        stay.card(stay.folio.due_now)
    return stay


def asked(**more: Any) -> Asked:
    """V1 after its mail of 30 June."""
    stay = bought(**more)
    stay.until(SENT)
    return stay


def answered(method: str = "cheque", **more: Any) -> Asked:
    """V1, and on 2 July the guest has chosen."""
    stay = asked()
    stay.say("choose_method", at=ANSWERED, method=method, **more)
    return stay


def collected() -> Asked:
    """V1, paid by the chosen method as the merchant reports."""
    stay = answered()
    stay.say("report_collected")
    return stay


def dropped() -> Asked:
    """V1, cancelled by an operator while it was pending."""
    stay = bought()
    stay.say("cancel")
    return stay
