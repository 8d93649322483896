"""Carries requests to providers, each once: what the provider shows already is read and stored, the mark is durable, then one call.

Silence is never answered with a second send. What is in doubt is queried at rising intervals, then a person decides. The store's
part is done in batches, one transaction each (`begin`, `absorb`); between them stand the calls (`make`), which any thread may make.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence

import structlog
from prometheus_client import Counter

from connectors.psp.contract import Deadline, PaymentConnector
from engine import effect_messages as messages
from engine.brakes import brake_on
from engine.calls import Act, Answer, Call, about, claims, doubted, planned
from engine.clearance import forbidden, takes_all, waiting
from engine.clock import Clock
from engine.effect_batch import Batch, Item, payment_of
from engine.histories import SECOND_US, Histories, Timing, evidence_of
from engine.reconcile import after_result
from engine.store.contract import Constraint, StoreAway
from engine.store.effects import Effect, EffectStore, PaymentAsk
from engine.store.requests import BY_ORDER
from engine.together import Partly, Steps, together
from engine.watching import Watch, asked
from schemas.effect import EffectKind, EffectOrder, EffectState, ProviderRecord, Reply, Result
from schemas.errors import Rejected
from schemas.policy import TenantPolicy

_UNCONFIGURED = 300 * SECOND_US  # how long what concerns a merchant without connector rests
_AT_ONCE = 500  # items of one transaction
_TO_COME = frozenset({EffectState.PLANNED, EffectState.NEEDS_PERSON})  # may yet be sent, or leads to another request
_UNSTORED = "says what cannot be stored: see the log"
log = structlog.get_logger(__name__)
calls = Counter("foliohub_provider_calls_total", "Calls to payment providers", ("merchant", "act", "result"))


class EffectsRunner:
    """`begin` and `absorb` by one thread at a time, `make` by any."""

    def __init__(
        self,
        store: EffectStore,
        connectors: Mapping[str, PaymentConnector],
        tenants: Mapping[str, TenantPolicy],
        clock: Clock,
        timing: Timing | None = None,
        owners: Mapping[str, str] | None = None,
        watch: Watch | None = None,
    ) -> None:
        """`owners`: whose account each merchant is; nobody else's money moves by it (X-12)."""
        self._store, self._connectors, self._tenants, self._clock = store, connectors, tenants, clock
        self._timing, self._owners = timing or Timing(), owners or {}
        self._histories = Histories(self._timing)
        self._watch = watch or Watch(0)

    def due(self, limit: int = _AT_ONCE, without: Collection[str] = ()) -> list[Item]:
        """What is to be done now, in order, but for merchants `without`: what callbacks tell of first, however much is to be paid out."""
        now = self._clock.now()
        return [*self._store.asks(now, limit, without), *self._store.due(now, limit, without)]

    def connector(self, merchant: str) -> PaymentConnector | None:
        """The connector of a merchant, if it is configured."""
        return self._connectors.get(merchant)

    def next_due(self) -> int | None:
        """When something is to be done next, microseconds."""
        return self._store.next_due()

    def work(self, items: Sequence[Item]) -> None:
        """Carry these as far as they go now, by this thread alone. Raises StoreAway."""
        ready, left = self.begin(items), list[Answer]()
        while ready or left:
            try:
                ready, left = self.absorb([*left, *(self.make(call) for call in ready)]), []
            except Partly as partly:
                ready, left = partly.made, partly.left

    # -- a batch ---------------------------------------------------------------------------------------------------------------

    def begin(self, items: Sequence[Item]) -> list[Call]:
        """Claim these, in one transaction; the calls to make first. Raises StoreAway: nothing is claimed; Partly: only the first ones
        are."""
        owned = [(item, self._own(item)) for item in items]
        return together(self._store, self._clock, owned, Steps(claims, self._claimed))

    def make(self, call: Call) -> Answer:
        """Make one call, whatever time it takes up to the deadline. What the provider does never raises."""
        began_ns = time.time_ns()
        since_s, began = self._clock.elapsed_s(), self._clock.now()  # in this order: a pause between them shortens the call
        item, connector, ours_s, most_s = call.item, call.connector, (call.until - began) / SECOND_US, self._timing.deadline_s
        if call.act is not Act.SEND:
            known = "" if item.reference.startswith(BY_ORDER) else item.reference
            reply = connector.query(known, item.order_ref, Deadline(since_s + most_s, self._clock.elapsed_s))
        elif ours_s <= 0:  # the mark was durable, then this thread slept: whoever took over has it in doubt
            reply = Reply(result=Result.NOT_SENT, code="lapsed", message="the lease was over before anything was written")
        elif self._stopped(item):
            reply = Reply(
                result=Result.NOT_SENT, code="payouts_stopped", message="payouts were stopped before anything was written"
            )
        else:
            assert isinstance(item, Effect)
            try:
                reply = connector.send(_order(item), Deadline(since_s + min(ours_s, most_s), self._clock.elapsed_s))
            except Rejected as never:  # an order that cannot be written: nothing was sent, and again would not help
                reply = Reply(result=Result.REFUSED, code=never.code, message=never.message)
        calls.labels(item.merchant, "send" if call.act is Act.SEND else "query", reply.result.value).inc()
        answer = Answer(call, reply, began)
        self._watch.called(answer, began_ns)
        return answer

    def absorb(self, answers: Sequence[Answer], *, sending: bool = True) -> list[Call]:
        """Store what came of calls, in one transaction; the calls that follow. Raises StoreAway: nothing is stored, and these
        answers are to be kept for the next try; Partly: those that are `left`. `sending` False: what was looked at is let go instead
        of sent."""
        steps = Steps(about, lambda batch, answer: self._absorbed(batch, answer, sending=sending), doubted, self._unstored)
        return together(self._store, self._clock, answers, steps)

    def _claimed(self, batch: Batch, owned: tuple[Item, PaymentConnector | None]) -> Call | None:
        (item, connector), lease, unconfigured = owned, self._lease(batch), batch.now + _UNCONFIGURED
        if isinstance(item, PaymentAsk):
            if not batch.claim_payment(item, lease):
                return None
            if connector is None:
                unasked = evidence_of(item, "query", Reply(result=Result.NOT_SENT, code="no_connector"), batch.now)
                batch.ask_again(item, unconfigured, unasked)
                return None
            return Call(Act.ASK, item, connector, lease)
        if item.state == EffectState.SENDING:
            told = messages.reply(item, EffectState.UNKNOWN, None, "abandoned", "the sender died or fell silent", batch.now)
            batch.doubt(item, self._timing.query_after(batch.now, 0), told)
            return None
        claimed = item if planned(item) else batch.claim(item, lease)
        if claimed is None:
            return None
        if connector is None:
            log.error("no_connector", **asked(item))
            batch.put_off(claimed, unconfigured, f"merchant {item.merchant} is not configured" if planned(item) else item.reason)
            return None
        return Call(Act.LOOK if planned(item) else Act.ASK, claimed, connector, lease)

    def _absorbed(self, batch: Batch, answer: Answer, *, sending: bool) -> Call | None:
        (act, item, _, until), reply, began = answer.call, answer.reply, answer.began
        if act is not Act.SEND:
            log.info("queried", reference=item.reference, **asked(item), result=reply.result.value,
                     records=len(reply.records))  # fmt: skip
        if isinstance(item, PaymentAsk):
            self._histories.of_payment(batch, item, reply, until, began)
        elif act is Act.SEND:
            self._settle(batch, item, reply, doubted=answer.doubted)
        elif act is Act.ASK:
            self._histories.of_effect(batch, item, reply, began)
        elif sending:
            return self._marked(batch, item, answer)
        else:
            batch.put_off(item, item.next_at, item.reason)
        return None

    def _unstored(self, batch: Batch, answer: Answer, little: bool) -> None:
        """What was heard is kept, `little`: without the words; what it is about comes later, after the last time before a person."""
        (act, item, _, _), now = answer.call, batch.now
        heard = evidence_of(item, "late", answer.reply, now)
        if little:
            heard = heard._replace(request="", answer="")
        if isinstance(item, PaymentAsk):
            batch.ask_again(item, self._timing.query_after(now, item.attempts), heard)
        elif act is Act.ASK:
            batch.learn(item, (), [self._histories.in_vain(item, _UNSTORED, now)], (), heard)
        else:
            batch.keep(heard)
            if act is Act.LOOK:
                batch.put_off(item, self._timing.query_after(now, item.queries), f"the provider {_UNSTORED}", queried=1)

    # -- sending ---------------------------------------------------------------------------------------------------------------

    def _marked(self, batch: Batch, effect: Effect, answer: Answer) -> Call | None:
        """What the provider shows is stored; then the mark, and the one call that it allows."""
        (_, _, connector, until), shown, began, now = answer.call, answer.reply, answer.began, batch.now
        if shown.result is Result.UNKNOWN:
            batch.keep(evidence_of(effect, "query", shown, began))
            again = self._timing.query_after(now, effect.queries)
            batch.put_off(effect, again, "the provider cannot be asked", queried=1)
            return None
        if until <= now or self._histories.overtaken(batch, effect, shown, began):
            batch.put_off(effect, now, "what the provider showed is no longer new: looked at again")
            return None
        found = self._histories.learn(batch, effect, shown, began)
        if found.foreign:
            batch.put_off(effect, now, "the provider shows refunds of others: decided first")
            return None
        if batch.unheard(effect):
            batch.put_off(effect, now, "news of this payment is decided first")
            return None
        why, unsaid = forbidden(effect, shown.records), waiting(effect, shown.records, found.veiled)
        if why or unsaid:
            (self._histories.hold if unsaid else self._histories.give_up)(batch, effect, unsaid or why)
            return None
        brake = brake_on(effect, self._tenants.get(effect.tenant), batch.outgo)
        if brake is not None:
            alarm = None if effect.reason == brake.name else brake.alarm  # told once
            batch.put_off(effect, brake.until, brake.name, alarm)
            return None
        lease = self._lease(batch)
        fence = batch.mark(effect, lease)
        if fence is None:  # not due before it may go
            batch.put_off(effect, now, "payouts are stopped, or news of this payment is decided first")
            return None
        marked = effect._replace(fence=fence, attempts=effect.attempts + 1, last=int(_closes(batch, effect, shown.records)))
        return Call(Act.SEND, marked, connector, lease)

    def _settle(self, batch: Batch, effect: Effect, reply: Reply, *, doubted: bool) -> None:
        result = reply.result
        if result in (Result.CONFIRMED, Result.ACCEPTED) and (reply.record is None or not reply.record.level):
            result = Result.UNKNOWN  # a yes without its number cannot be told from another one: the history tells
        try:
            self._settled(batch, effect, reply, Result.UNKNOWN if doubted else result)
        except Constraint as taken:  # the provider's number in the answer is another operation's: the history tells
            log.warning("record_taken", **asked(effect), reason=str(taken))
            self._settled(batch, effect, reply, Result.UNKNOWN)

    def _settled(self, batch: Batch, effect: Effect, reply: Reply, result: Result) -> None:
        state, now = after_result(EffectState.SENDING, result), batch.now
        told = messages.reply(effect, state, reply.record, reply.code, reply.message, now)
        if state is EffectState.PLANNED:
            next_at = self._timing.query_after(now, effect.attempts)
        else:
            next_at = self._timing.pending_after(now, 0) if state is EffectState.ACCEPTED else self._timing.query_after(now, 0)
        record = reply.record if state is not EffectState.UNKNOWN else None
        evidence = evidence_of(effect, "send", reply, now)
        batch.settle(effect, state, next_at=next_at, reason=reply.message[:500], record=record, evidence=evidence, told=told)

    def _stopped(self, item: Item) -> bool:
        """X-27: whether payouts were stopped since the mark. A store that cannot be asked stops them."""
        try:
            return isinstance(item, Effect) and item.kind == EffectKind.REFUND and self._store.stopped(item.tenant)
        except StoreAway:
            return True

    def _own(self, item: Item) -> PaymentConnector | None:
        """The connector of an item's merchant, if it is configured and the item's tenant's own (X-12)."""
        return self.connector(item.merchant) if self._owners.get(item.merchant, item.tenant) == item.tenant else None

    def _lease(self, batch: Batch) -> int:
        return batch.now + int(self._timing.lease_s * SECOND_US)


def _closes(batch: Batch, effect: Effect, shown: Sequence[ProviderRecord]) -> bool:
    """Whether a last request is the last to be sent: nothing follows it at the provider, one before it may have had to wait, and a
    payment may be other bookings' too, whose requests come later."""
    others = [other for other in batch.effects_on(payment_of(effect)) if other.id != effect.id]
    if not effect.last or any(other.state in _TO_COME for other in others):
        return False
    return effect.kind == EffectKind.VOID or takes_all(
        effect, shown, batch.left(effect) if effect.kind == EffectKind.CAPTURE else 0
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
