"""Carries requests to providers, each once: what the provider shows already is read and stored, the mark is durable, then one call.

Silence is never answered with a second send. What is in doubt is queried at rising intervals, then a person decides. Whoever calls
`work` may be one of many threads; the store's leases, fences and marks keep them apart.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import structlog
from prometheus_client import Counter

from connectors.psp.contract import PaymentConnector
from engine import effect_messages as messages
from engine.clock import Clock, instant, micros
from engine.reconcile import Findings, Open, compare
from engine.store.effects import Effect, EffectStore, Evidence, Learned, PaymentAsk
from engine.store.rows import InternalRow
from handlers.effect import step
from schemas.effect import EffectKind, EffectOrder, EffectState, Reply, Result
from schemas.errors import Rejected
from schemas.policy import TenantPolicy

_SECOND = 1_000_000
_UNCONFIGURED = 300 * _SECOND  # how long what concerns a merchant without connector rests
log = structlog.get_logger(__name__)
calls = Counter("foliohub_provider_calls_total", "Calls to payment providers", ("merchant", "act", "result"))


class Timing(NamedTuple):
    """Seconds: one call's deadline, a claim's lease, and when to ask again after a silence and about what is pending."""

    deadline_s: float = 30.0
    lease_s: float = 90.0
    query_after_s: Sequence[float] = (5, 30, 120, 600, 1800, 3600, 10800, 21600)
    pending_after_s: Sequence[float] = (60, 600, 3600, 14400, 43200, 86400)


class EffectsRunner:
    """One step at a time, by whoever has a thread for it."""

    def __init__(
        self,
        store: EffectStore,
        connectors: Mapping[str, PaymentConnector],
        tenants: Mapping[str, TenantPolicy],
        clock: Clock,
        timing: Timing | None = None,
    ) -> None:
        self._store, self._connectors, self._tenants, self._clock = store, connectors, tenants, clock
        self._timing = timing or Timing()

    def due(self, limit: int = 100, without: Collection[str] = ()) -> list[Effect | PaymentAsk]:
        """What is to be done now, in order, but for merchants `without`."""
        now = self._clock.now()
        return [*self._store.due(now, limit, without), *self._store.asks(now, limit, without)]

    def connector(self, merchant: str) -> PaymentConnector | None:
        """The connector of a merchant, if it is configured."""
        return self._connectors.get(merchant)

    def next_due(self) -> int | None:
        """When something is to be done next, microseconds."""
        return self._store.next_due()

    def work(self, item: Effect | PaymentAsk) -> None:
        """Carry one item as far as it goes now. Raises StoreAway; what the provider does never raises."""
        connector = self._connectors.get(item.merchant)
        if isinstance(item, PaymentAsk):
            if self._store.claim_payment(item.merchant, item.reference, self._clock.now(), self._lease()):
                self._ask_payment(item, connector)
        elif item.state == EffectState.PLANNED:
            self._send(item, connector)
        elif item.state == EffectState.SENDING:
            told = messages.reply(item, EffectState.UNKNOWN, None, "abandoned", "the sender died or fell silent", self._clock.now())
            self._store.doubt_abandoned(item.id, self._clock.now(), self._after(self._timing.query_after_s, 0), told)
        else:
            fence = self._store.claim_ask(item.id, self._clock.now(), self._lease())
            if fence is not None:
                self._ask(item._replace(fence=fence), connector)

    # -- sending ---------------------------------------------------------------------------------------------------------------

    def _send(self, effect: Effect, connector: PaymentConnector | None) -> None:
        now = self._clock.now()
        fence = self._store.claim_send(effect.id, now, self._lease())
        if fence is None:
            return None
        if connector is None:
            log.error("no_connector", merchant=effect.merchant, effect=effect.id)
            return self._store.put_off(effect.id, fence, now + _UNCONFIGURED, f"merchant {effect.merchant} is not configured")
        shown = self._query(effect.merchant, effect.reference, effect.order_ref, effect.id, connector)
        if shown.result is Result.UNKNOWN:
            self._store.keep_evidence(self._evidence(effect, "query", shown))
            return self._store.put_off(effect.id, fence, self._after(self._timing.query_after_s, 1), "the provider cannot be asked")
        if self._learn(effect.merchant, effect.provider, effect.reference, effect, shown, asked=False):
            return self._store.put_off(effect.id, fence, now, "the provider shows refunds of others: decided first")
        brake = self._brake(effect)
        if brake is not None:
            until, told = brake
            return self._store.put_off(effect.id, fence, until, told[0], None if effect.reason == told[0] else told[1])
        if not self._store.mark_sending(effect.id, fence, self._clock.now(), self._lease()):
            return self._store.put_off(effect.id, fence, self._clock.now() + 30 * _SECOND, "payouts are stopped")
        try:
            reply = connector.send(_order(effect), self._timing.deadline_s)
        except Rejected as never:  # an order that cannot be written: nothing was sent, and again would not help
            reply = Reply(result=Result.REFUSED, code=never.code, message=never.message)
        calls.labels(effect.merchant, "send", reply.result.value).inc()
        return self._settle(effect._replace(fence=fence, attempts=effect.attempts + 1), reply)

    def _settle(self, effect: Effect, reply: Reply) -> None:
        result = reply.result
        if result in (Result.CONFIRMED, Result.ACCEPTED) and (reply.record is None or not reply.record.level):
            result = Result.UNKNOWN  # a yes without its number cannot be told from another one: the history tells
        state = step(EffectState.SENDING, result)
        now = self._clock.now()
        if state is EffectState.PLANNED:
            next_at = self._after(self._timing.query_after_s, effect.attempts)
            told = []
        else:
            next_at = self._after(self._timing.pending_after_s if state is EffectState.ACCEPTED else self._timing.query_after_s, 0)
            told = [messages.reply(effect, state, reply.record, reply.code, reply.message, now)]
        record = reply.record if state is not EffectState.UNKNOWN else None
        self._store.settle(
            effect, effect.fence, state, next_at=next_at, reason=reply.message[:500], record=record,
            evidence=self._evidence(effect, "send", reply), told=told, now=now,
        )  # fmt: skip

    def _brake(self, effect: Effect) -> tuple[int, tuple[str, InternalRow]] | None:
        """X-27: the day's sums and the velocity; until when the payout waits, and the alarm that says so."""
        if effect.kind != EffectKind.REFUND:
            return None
        policy = self._tenants.get(effect.tenant)
        if policy is None or (policy.day_sum, policy.property_day_sum, policy.velocity_per_hour) == (None, None, None):
            return None
        now = self._clock.now()
        today = instant(now).astimezone(ZoneInfo(policy.zone or "UTC")).date()
        midnight = [
            micros(datetime.combine(day, time(0), ZoneInfo(policy.zone or "UTC")).astimezone(UTC))
            for day in (today, today + timedelta(days=1))
        ]
        spent = self._store.spent(effect.tenant, effect.property, midnight[0], now)
        for brake, limit, would_be, until in (
            ("day_sum", policy.day_sum, spent.tenant_today + effect.minor, midnight[1]),
            ("property_day_sum", policy.property_day_sum, spent.property_today + effect.minor, midnight[1]),
            ("velocity", policy.velocity_per_hour, spent.last_hour + 1, now + 300 * _SECOND),
        ):
            if limit is not None and would_be > limit:
                return until, (brake, messages.alarm(effect, brake, limit, now))
        return None

    # -- asking ----------------------------------------------------------------------------------------------------------------

    def _ask(self, effect: Effect, connector: PaymentConnector | None) -> None:
        if connector is None:
            return self._store.put_off(effect.id, effect.fence, self._clock.now() + _UNCONFIGURED, effect.reason)
        shown = self._query(effect.merchant, effect.reference, effect.order_ref, effect.id, connector)
        if shown.result is Result.UNKNOWN:
            self._store.keep_evidence(self._evidence(effect, "query", shown))
            return self._store.put_off(
                effect.id, effect.fence, self._after(self._timing.query_after_s, effect.queries + 1), effect.reason
            )
        self._learn(effect.merchant, effect.provider, effect.reference, effect, shown, asked=True, about=effect)
        return None

    def _ask_payment(self, ask: PaymentAsk, connector: PaymentConnector | None) -> None:
        if connector is None:
            unasked = self._evidence(ask, "query", Reply(result=Result.NOT_SENT, code="no_connector"))
            return self._store.ask_again(ask.merchant, ask.reference, self._clock.now() + _UNCONFIGURED, unasked)
        shown = self._query(ask.merchant, ask.reference, ask.order_ref, "", connector)
        if shown.result is Result.UNKNOWN:
            due = self._after(self._timing.query_after_s, ask.attempts)
            return self._store.ask_again(ask.merchant, ask.reference, due, self._evidence(ask, "query", shown))
        self._learn(ask.merchant, ask.provider, ask.reference, ask, shown, asked=True)
        return None

    def _query(self, merchant: str, reference: str, order: str, effect: str, connector: PaymentConnector) -> Reply:
        reply = connector.query(reference, order, self._timing.deadline_s)
        calls.labels(merchant, "query", reply.result.value).inc()
        log.info(
            "queried", merchant=merchant, reference=reference, effect=effect, result=reply.result.value, records=len(reply.records)
        )
        return reply

    def _learn(
        self,
        merchant: str,
        provider: str,
        reference: str,
        asker: Effect | PaymentAsk,
        shown: Reply,
        *,
        asked: bool,
        about: Effect | None = None,
    ) -> bool:
        """Store what a history showed and tell the folios; True if it holds refunds of others that are new."""
        effects = {row.id: row for row in self._store.effects_on(merchant, reference)}
        opened = [Open(row.id, EffectKind(row.kind), EffectState(row.state), row.minor, row.record) for row in effects.values()]
        found = compare(shown.records, self._store.known_records(merchant, reference), opened)
        now = self._clock.now()
        told = [messages.foreign(asker, record, now) for record in found.foreign]
        if asked:
            told += [row for record in found.payment if (row := messages.observed(asker, record, now)) is not None]
        owners = [(record, f"effect:{id_}") for id_, record in (*found.bound, *found.moved)]
        owners += [(record, "foreign") for record in found.foreign] + [(record, "payment") for record in found.payment]
        self._store.learn(
            merchant, provider, reference, owners=owners, moves=self._moves(found, effects, about), now=now, told=told, asked=asked,
            evidence=self._evidence(asker, "query", shown),
        )  # fmt: skip
        return any(record.result is not Result.REFUSED for record in found.foreign)

    def _moves(self, found: Findings, effects: Mapping[str, Effect], about: Effect | None) -> list[Learned]:
        moves = []
        for id_, record in (*found.bound, *found.moved):
            effect = effects[id_]
            before = EffectState(effect.state)
            after = before if _says_nothing_new(before, record.result) else step(before, record.result)
            told = None if after is before else messages.reply(effect, after, record, record.status, "", self._clock.now())
            due = self._after(self._timing.pending_after_s, effect.queries)
            moves.append(Learned(id_, before, after, "", record.level, due, told))
        moved = {move.id for move in moves}
        for id_ in found.absent:
            if (
                about is not None
                and id_ == about.id
                and EffectState(effects[id_].state) in (EffectState.UNKNOWN, EffectState.ACCEPTED)
            ):
                moves.append(self._absent(effects[id_]))
        for id_, why in found.unclear:
            effect = effects[id_]
            if EffectState(effect.state) is EffectState.UNKNOWN:
                moves.append(self._to_person(effect, why))
        if about is not None and about.id not in moved | {move.id for move in moves}:  # pending still
            due = self._after(self._timing.pending_after_s, about.queries)
            moves.append(Learned(about.id, EffectState(about.state), EffectState(about.state), about.reason, "", due, None))
        return moves

    def _absent(self, effect: Effect) -> Learned:
        if effect.queries + 1 >= len(self._timing.query_after_s) and effect.state == EffectState.UNKNOWN:
            return self._to_person(effect, f"asked {effect.queries + 1} times, the provider shows nothing of it")
        due = self._after(self._timing.query_after_s, effect.queries + 1)
        return Learned(effect.id, EffectState(effect.state), EffectState(effect.state), effect.reason, "", due, None)

    def _to_person(self, effect: Effect, why: str) -> Learned:
        told = messages.reply(effect, EffectState.NEEDS_PERSON, None, "needs_person", why, self._clock.now())
        return Learned(effect.id, EffectState(effect.state), EffectState.NEEDS_PERSON, why, "", 0, told)

    # -- small words -----------------------------------------------------------------------------------------------------------

    def _lease(self) -> int:
        return self._clock.now() + int(self._timing.lease_s * _SECOND)

    def _after(self, intervals: Sequence[float], number: int) -> int:
        return self._clock.now() + int(intervals[min(number, len(intervals) - 1)] * _SECOND)

    def _evidence(self, item: Effect | PaymentAsk, act: str, reply: Reply) -> Evidence:
        effect = item.id if isinstance(item, Effect) else ""
        return Evidence(
            self._clock.now(),
            effect,
            item.merchant,
            item.reference,
            act,
            reply.result.value,
            reply.code,
            reply.request,
            reply.answer,
        )


def _order(effect: Effect) -> EffectOrder:
    return EffectOrder(
        effect=effect.id,
        key=f"foliohub-{effect.id}",
        kind=EffectKind(effect.kind),
        provider=effect.provider,
        merchant=effect.merchant,
        reference=effect.reference,
        order=effect.order_ref,
        minor=effect.minor,
        currency=effect.currency,
        last=bool(effect.last),
    )


def _says_nothing_new(state: EffectState, result: Result) -> bool:
    return result is Result.UNKNOWN or (state, result) in {
        (EffectState.ACCEPTED, Result.ACCEPTED),
        (EffectState.CONFIRMED, Result.CONFIRMED),
        (EffectState.CONFIRMED, Result.ACCEPTED),
        (EffectState.REFUSED, Result.REFUSED),
        (EffectState.REVERSED, Result.REVERSED),
        (EffectState.REVERSED, Result.REFUSED),
    }
