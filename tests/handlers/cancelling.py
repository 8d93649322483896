"""A stay that is cancelled: messages of cancellation, refund and effect on top of the campsite, and what must hold after each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from handlers import account, cancellation, cancellation_record, effect, payment_record, refund, refund_elsewhere, reply
from handlers.accounting import accounted
from handlers.dispute import decide_closed, decide_opened
from handlers.dispute_record import at_stake
from handlers.outcome import Facts, Outcome
from handlers.quote_lines import ASIDE
from ledger import recipes
from ledger.balance import balance, out_of_balance, trial_balance
from schemas.booking import BookingCancelled
from schemas.cancellation import CancellationConfirm, CancellationRequest, CancellationWithdraw
from schemas.dispute import DisputeClosed, DisputeOpened
from schemas.effect import EffectRequest, EffectState
from schemas.folio import Area, Folio, FolioPayment, PartStatus, RefundPart
from schemas.operations import EffectSettle, ForeignRecordSeen, Operate, PaymentRecordSeen, ReplyArrived, TimerFired
from schemas.payment import ProviderNotified
from schemas.refund import RefundExecutedExternally
from tests.handlers.campsite import ACTOR, Stay, paid

GUEST = {"kind": "guest", "id": "p-77"}
MERCHANT = {"kind": "merchant", "id": "m-1"}
OPERATOR = {"kind": "operator", "id": "o-1"}
PLATFORM = {"kind": "platform", "id": "pf"}
ARRIVAL = datetime(2026, 7, 24, tzinfo=ZoneInfo("Europe/Paris"))
CARD = {"provider": "ogone", "merchant": "azur", "order": "B1-1"}


def before(days: int, hour: int = 10) -> str:
    """A local hour so many days before the arrival on 24 July; negative days are after it."""
    return (ARRIVAL - timedelta(days=days) + timedelta(hours=hour)).isoformat()


class Leaving(Stay):
    """A stay with everything that can end it. `areas` and `stored` (where effects stand) are what the engine loads for it."""

    areas: tuple[Area, ...] = ()
    stored: Mapping[str, EffectState] = MappingProxyType({})
    requests: tuple[EffectRequest, ...] = ()

    def facts(self, name: str, source: str = "pms.thais") -> Facts:
        """What the engine would load now."""
        return replace(super().facts(name, source), areas=self.areas, effects=self.stored, input_id=f"in-{self._count}")

    def card(self, amount: int, payment: str = "P1", **more: Any) -> Outcome:
        """A card payment through the provider."""
        status = more.pop("name", "payment.received")
        return self.pay(paid(amount, payment, **{**CARD, "provider_reference": f"30{payment[1:]}", **more}), status)

    def ask(self, *lines: object, request: str = "R1", actor: dict[str, str] = GUEST, at: str = "", **more: Any) -> Outcome:
        """`cancellation.request`."""
        self.now = at or self.now
        body = {"actor": actor, "request": request, "lines": list(lines), **more}
        return self._take(
            cancellation.decide_request, msgspec.convert(body, CancellationRequest), self.facts("cancellation.request")
        )

    def confirm(self, request: str = "R1", actor: dict[str, str] = GUEST, at: str = "", **more: Any) -> Outcome:
        """`cancellation.confirm`."""
        self.now = at or self.now
        body = {"actor": actor, "request": request, **more}
        return self._take(
            cancellation.decide_confirm, msgspec.convert(body, CancellationConfirm), self.facts("cancellation.confirm")
        )

    def leave(self, *lines: object, at: str = "", **more: Any) -> Outcome:
        """Quote and confirmation in one."""
        return self.ask(*lines, at=at, confirm=True, **more)

    def withdraw(self, request: str = "R1", actor: dict[str, str] = GUEST) -> Outcome:
        """`cancellation.withdraw`."""
        body = msgspec.convert({"actor": actor, "request": request}, CancellationWithdraw)
        return self._take(cancellation.decide_withdraw, body, self.facts("cancellation.withdraw"))

    def told_cancelled(self, at: str = "", source: str = "pms.thais", **more: Any) -> Outcome:
        """`booking.cancelled`."""
        self.now = at or self.now
        body = msgspec.convert({"actor": ACTOR, **more}, BookingCancelled)
        return self._take(cancellation_record.decide_record, body, self.facts("booking.cancelled", source))

    def reply(self, state: str, request: EffectRequest | None = None, **more: Any) -> Outcome:
        """The effect of that request (the last one without) came to `state`."""
        sent = request or self.requests[-1]
        body = ReplyArrived(
            folio=self.folio.folio, effect=sent.effect, kind=sent.kind, state=state, minor=sent.minor, currency=sent.currency,
            payment=sent.payment, refund=sent.refund, **more,
        )  # fmt: skip
        return self._take(reply.decide, body, self.facts("reply.arrived"))

    def by_hand(self, amount: int, **more: Any) -> Outcome:
        """`refund.executed_externally`."""
        body = msgspec.convert({"actor": MERCHANT, "amount": amount, **more}, RefundExecutedExternally)
        return self._take(refund_elsewhere.decide_external, body, self.facts("refund.executed_externally"))

    def contest(self, amount: int, payment: str = "P1", dispute: str = "D1", **more: Any) -> Outcome:
        """`dispute.opened`."""
        body = msgspec.convert({"actor": ACTOR, "amount": amount, "payment": payment, "dispute": dispute, **more}, DisputeOpened)
        return self._take(decide_opened, body, self.facts("dispute.opened"))

    def rule(self, outcome: str, amount: int, payment: str = "P1", dispute: str = "D1", **more: Any) -> Outcome:
        """`dispute.closed`."""
        said = {"actor": ACTOR, "outcome": outcome, "amount": amount, "payment": payment, "dispute": dispute, **more}
        return self._take(decide_closed, msgspec.convert(said, DisputeClosed), self.facts("dispute.closed"))

    def foreign(self, amount: int, payment: str = "P1", record: str = "301/9", **more: Any) -> Outcome:
        """The provider shows a refund that is not ours."""
        body = ForeignRecordSeen(
            folio="B-1", provider="ogone", merchant="azur", payment=payment, record=record, minor=amount, currency="EUR", **more
        )
        return self._take(refund_elsewhere.decide_foreign, body, self.facts("foreign_record.seen"))

    def shown(self, amount: int, payment: str = "P1", record: str = "301/1", **more: Any) -> Outcome:
        """The provider shows a capture of a payment."""
        said = {"kind": "capture", "status": "9", "result": "confirmed", "provider": "ogone", "merchant": "azur", **more}
        body = PaymentRecordSeen(
            folio="B-1",
            payment=payment,
            reference=f"30{payment[1:]}",
            order="",
            record=record,
            minor=amount,
            currency="EUR",
            **said,
        )
        return self._take(payment_record.decide, body, self.facts("payment_record.seen"))

    def operate(self, name: str, subject: str, actor: dict[str, str] = OPERATOR, reason: str = "seen") -> Outcome:
        """`approval.grant` or `approval.deny`."""
        body = msgspec.convert({"actor": actor, "subject": subject, "reason": reason}, Operate)
        return self._take(effect.decide_approval, body, self.facts(name))

    def settle(self, subject: str, result: str, actor: dict[str, str] = OPERATOR, record: str = "") -> Outcome:
        """`effect.settle`."""
        more = {"provider_record": record} if record else {}
        body = msgspec.convert({"actor": actor, "subject": subject, "result": result, "reason": "seen", **more}, EffectSettle)
        return self._take(effect.decide_settle, body, self.facts("effect.settle"))

    def notified(self, **more: str) -> Outcome:
        """`provider.notified`."""
        body = msgspec.convert({"actor": ACTOR, "provider": "ogone", "merchant": "azur", **more}, ProviderNotified)
        return self._take(effect.decide_notified, body, self.facts("provider.notified"))

    def fire(self, out: Outcome, name: str) -> Outcome:
        """The timer that `out` set under that prefix comes due."""
        (timer,) = [one for one in out.timers if one.name.startswith(name)]
        body = TimerFired(name=timer.name, due=timer.due, kind=timer.kind, subject=timer.subject)
        decide = {"quote": cancellation.decide_expired, "refund_due": refund.decide_overdue}[timer.kind]
        self.now = timer.due.isoformat()
        return self._take(decide, body, self.facts("timer.fired"))

    def payment(self, payment: str = "P1") -> FolioPayment:
        """A payment as the folio knows it."""
        found = account.payment_of(self.folio, payment)
        assert found is not None
        return found

    def parts(self) -> tuple[RefundPart, ...]:
        """All parts of all refunds."""
        return tuple(part for one in self.folio.refunds for part in one.parts)

    def _take(self, decide: Callable[[Any, Facts], Outcome], message: object, facts: Facts) -> Outcome:
        out = super()._take(decide, message, facts)
        self.requests += out.requests
        self.holds()
        return out

    def holds(self) -> None:
        """X-3, X-4, X-23, S4-34: book and folio agree, a claim is owed, no payment gave more than it brought, open parts are promised."""
        folio, entries = self.folio, self.entries
        assert account.balance(folio) == self.guest_account()
        assert 0 <= folio.claim <= max(0, account.balance(folio))
        assert not out_of_balance(trial_balance(entries))
        for kind in ASIDE:
            owed = sum(one.kept - one.given_up + one.price * (not one.cancelled) for one in folio.lines if one.kind is kind)
            assert -balance(entries, f"{recipes.LINE_CODES[kind]}:{folio.folio}", folio.currency) == owed
        assert balance(entries, f"disputes:{folio.folio}", folio.currency) == sum(map(at_stake, folio.disputes))
        waits = [part for part in self.parts() if part.status not in (PartStatus.EXECUTED, PartStatus.DROPPED, PartStatus.WAITING)]
        assert -balance(entries, f"refunds:{folio.folio}", folio.currency) == sum(part.minor for part in waits)
        numbered = [(part.payment, part.number) for part in self.parts() if part.number]  # 0: it waits, or waited
        assert len(numbered) == len(set(numbered)), "the store knows parts by these"
        for payment in folio.payments:
            assert payment.number >= max((number for of, number in numbered if of == payment.payment), default=0)
            assert payment.refunding + payment.refunded + payment.foreign <= payment.captured
            assert payment.refunding == sum(part.minor for part in waits if part.payment == payment.payment)
        assert isinstance(folio, Folio)
        keys = [request.business_key for request in self.requests]
        assert len(keys) == len(set(keys))


class Accounted(Leaving):
    """A stay of which accountants are told, as the engine does."""

    def _take(self, decide: Callable[[Any, Facts], Outcome], message: object, facts: Facts) -> Outcome:
        return super()._take(lambda said, known: accounted(decide(said, known), known), message, facts)


def leaving(paid_minor: int = 20_500, *lines: dict[str, Any], **booking: Any) -> Leaving:
    """A stay of these lines (one of 200), fee 5, `paid_minor` of it paid by card."""
    from tests.handlers.campsite import ordered

    knobs = {name: booking.pop(name) for name in ("camp",) if name in booking}
    offered = booking.pop("offered", ())
    stay = Leaving(*offered, **knobs)
    stay.book(ordered(*lines, **booking))
    if paid_minor:
        stay.card(paid_minor)
    return stay
