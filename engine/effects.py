"""Carries requests to providers, each once: what the provider shows already is read and stored, the mark is durable, then one call.

Silence is never answered with a second send. What is in doubt is queried at rising intervals, then a person decides. Whoever calls
`work` may be one of many threads; the store's leases, fences and marks keep them apart.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import structlog
from prometheus_client import Counter

from connectors.psp.contract import PaymentConnector
from engine import effect_messages as messages
from engine.brakes import brake_on
from engine.clock import Clock
from engine.reconcile import Findings, Open, after_result, compare, moved_money
from engine.store.contract import Constraint
from engine.store.effects import Effect, EffectStore, Evidence, Learned, PaymentAsk
from handlers.effect import GIVE_UP
from schemas.effect import EffectKind, EffectOrder, EffectState, Reply, Result
from schemas.errors import Rejected
from schemas.policy import TenantPolicy

_SECOND = 1_000_000
_PENDING_QUERIES = 30  # so often a request that the provider has accepted is asked after: weeks, by the shipped intervals
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
        owners: Mapping[str, str] | None = None,
    ) -> None:
        """`owners`: whose account each merchant is; nobody else's money moves by it (X-12)."""
        self._store, self._connectors, self._tenants, self._clock = store, connectors, tenants, clock
        self._timing, self._owners = timing or Timing(), owners or {}
        self._gate = threading.Lock()

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
        connector = self._connectors.get(item.merchant) if self._owners.get(item.merchant, item.tenant) == item.tenant else None
        if isinstance(item, PaymentAsk):
            lease = self._lease()
            if self._store.claim_payment(item.merchant, item.reference, self._clock.now(), lease):
                self._ask_payment(item, connector, lease)
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
            again = self._after(self._timing.query_after_s, effect.queries)
            return self._store.put_off(effect.id, fence, again, "the provider cannot be asked", queried=1)
        if self._learn(effect.reference, effect, shown).foreign:
            return self._store.put_off(effect.id, fence, now, "the provider shows refunds of others: decided first")
        with self._gate:  # what one sender has marked, the next one counts
            brake = brake_on(effect, self._tenants.get(effect.tenant), self._store, now)
            marked = brake is None and self._store.mark_sending(effect.id, fence, self._clock.now(), self._lease())
        if brake is not None:
            alarm = None if effect.reason == brake.name else brake.alarm  # told once
            return self._store.put_off(effect.id, fence, brake.until, brake.name, alarm)
        if not marked:
            reason = "payouts are stopped, or news of this payment is decided first"
            return self._store.put_off(effect.id, fence, self._clock.now() + 30 * _SECOND, reason)
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
        try:
            self._settled(effect, reply, result)
        except Constraint as taken:  # the provider's number in the answer is another operation's: the history tells
            log.warning("record_taken", effect=effect.id, reason=str(taken))
            self._settled(effect, reply, Result.UNKNOWN)

    def _settled(self, effect: Effect, reply: Reply, result: Result) -> None:
        state = after_result(EffectState.SENDING, result)
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

    # -- asking ----------------------------------------------------------------------------------------------------------------

    def _ask(self, effect: Effect, connector: PaymentConnector | None) -> None:
        if connector is None:
            return self._store.put_off(effect.id, effect.fence, self._clock.now() + _UNCONFIGURED, effect.reason)
        shown = self._query(effect.merchant, effect.reference, effect.order_ref, effect.id, connector)
        if shown.result is Result.UNKNOWN:
            self._store.learn(
                effect.merchant, effect.provider, effect.reference, owners=(), moves=[self._in_vain(effect, "cannot be asked")],
                now=self._clock.now(), told=(), asked=None, evidence=self._evidence(effect, "query", shown),
            )  # fmt: skip
            return None
        self._learn(effect.reference, effect, shown, about=effect)
        return None

    def _ask_payment(self, ask: PaymentAsk, connector: PaymentConnector | None, lease: int) -> None:
        if connector is None:
            unasked = self._evidence(ask, "query", Reply(result=Result.NOT_SENT, code="no_connector"))
            return self._store.ask_again(ask.merchant, ask.reference, self._clock.now() + _UNCONFIGURED, unasked)
        shown = self._query(ask.merchant, ask.reference, ask.order_ref, "", connector)
        if shown.result is Result.UNKNOWN:
            due = self._after(self._timing.query_after_s, ask.attempts)
            return self._store.ask_again(ask.merchant, ask.reference, due, self._evidence(ask, "query", shown))
        found = self._learn(ask.reference, ask, shown, lease=lease)
        if found.aside:
            due = self._after(self._timing.query_after_s, ask.attempts)
            return self._store.ask_again(ask.merchant, ask.reference, due, self._evidence(ask, "query", shown))
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
        reference: str,
        asker: Effect | PaymentAsk,
        shown: Reply,
        *,
        about: Effect | None = None,
        lease: int | None = None,
    ) -> Findings:
        """Store what a history showed and tell the folios. `about`: the effect that was asked about; `lease`: of a payment's ask."""
        known = self._store.known_records(asker.merchant, reference)
        effects = {row.id: row for row in self._store.effects_on(asker.merchant, reference)}
        opened = [
            Open(row.id, EffectKind(row.kind), EffectState(row.state), row.minor, row.record, row.sent_at)
            for row in effects.values()
        ]
        found = compare(shown.records, known, opened)
        if not asker.payment:  # a callback came before its payment: whose money it is will be known at a later query
            found = found._replace(foreign=())
        now = self._clock.now()
        told = [messages.foreign(asker, record, now) for record in found.foreign if record.level in known or moved_money(record)]
        seen = found.payment if about or lease else [record for record in found.payment if record.level in known]
        told += [row for record in seen if (row := messages.observed(asker, record, now)) is not None]
        owners = [(record, "foreign") for record in found.foreign] + [(record, "payment") for record in found.payment]
        self._store.learn(
            asker.merchant, asker.provider, reference, owners=owners, moves=self._moves(found, effects, about), now=now, told=told,
            asked=None if found.aside else lease, evidence=self._evidence(asker, "query", shown),
        )  # fmt: skip
        return found

    def _moves(self, found: Findings, effects: Mapping[str, Effect], about: Effect | None) -> list[Learned]:
        moves = []
        for id_, record in (*found.bound, *found.moved):
            effect = effects[id_]
            before = EffectState(effect.state)
            after = after_result(before, record.result)
            told = None if after is before else messages.reply(effect, after, record, record.status, "", self._clock.now())
            if before in (EffectState.REFUSED, EffectState.REVERSED) and moved_money(record):
                told = messages.foreign(effect, record, self._clock.now())  # given back after all, when nobody expected it any more
            due = self._after(self._timing.pending_after_s, effect.queries)
            if after is EffectState.UNKNOWN:  # an uncertain record
                move = self._in_vain(effect, f"shows a record of it that says nothing (status {record.status})")
                moves.append(move._replace(record=record))
            else:
                moves.append(Learned(id_, before, after, "", record, due, told))
        moved = {move.id for move in moves}
        for id_ in found.absent:
            if (
                about is not None
                and id_ == about.id
                and EffectState(effects[id_].state) in (EffectState.UNKNOWN, EffectState.ACCEPTED)
            ):
                moves.append(self._in_vain(effects[id_], "shows nothing of it"))
        for id_, why in found.unclear:
            effect = effects[id_]
            if EffectState(effect.state) is EffectState.UNKNOWN:
                moves.append(self._to_person(effect, why))
        if about is not None and about.id not in moved | {move.id for move in moves}:  # pending still
            moves.append(self._in_vain(about, "says neither yes nor no"))
        return moves

    def _in_vain(self, effect: Effect, why: str) -> Learned:
        """A query brought nothing: the next one comes later than this one did, and after the last a person decides."""
        state = EffectState(effect.state)
        if state is EffectState.UNKNOWN:
            intervals, last = self._timing.query_after_s, len(self._timing.query_after_s)
        else:
            intervals, last = self._timing.pending_after_s, _PENDING_QUERIES
        if effect.queries + 1 >= last and state in GIVE_UP:
            return self._to_person(effect, f"asked {effect.queries + 1} times, the provider {why}")
        return Learned(effect.id, state, state, effect.reason, None, self._after(intervals, effect.queries + 1), None)

    def _to_person(self, effect: Effect, why: str) -> Learned:
        told = messages.reply(effect, EffectState.NEEDS_PERSON, None, "needs_person", why, self._clock.now())
        return Learned(effect.id, EffectState(effect.state), EffectState.NEEDS_PERSON, why, None, 0, told)

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
