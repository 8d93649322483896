"""Carries requests to providers, each once: what the provider shows already is read and stored, the mark is durable, then one call.

Silence is never answered with a second send. What is in doubt is queried at rising intervals, then a person decides. The store's
part is done in batches, one transaction each (`begin`, `absorb`); between them stand the calls (`make`), which any thread may make.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, TypeVar

import structlog
from prometheus_client import Counter

from connectors.psp.contract import PaymentConnector
from engine import effect_messages as messages
from engine.brakes import brake_on
from engine.clock import Clock
from engine.histories import SECOND_US, Histories, Timing, evidence_of
from engine.reconcile import after_result
from engine.store.contract import Constraint, StoreAway
from engine.store.effects import Effect, EffectStore, PaymentAsk
from schemas.effect import EffectKind, EffectOrder, EffectState, Reply, Result
from schemas.errors import Rejected
from schemas.policy import TenantPolicy

_UNCONFIGURED = 300 * SECOND_US  # how long what concerns a merchant without connector rests
_AT_ONCE = 500  # items of one transaction
_TO_COME = frozenset({EffectState.PLANNED, EffectState.NEEDS_PERSON})  # may yet be sent, or leads to another request
_T = TypeVar("_T")
log = structlog.get_logger(__name__)
calls = Counter("foliohub_provider_calls_total", "Calls to payment providers", ("merchant", "act", "result"))


class Act(StrEnum):
    """What a provider is called for: `LOOK` before a request is sent, `ASK` about one in doubt or a payment, `SEND`."""

    LOOK = "look"
    ASK = "ask"
    SEND = "send"


class Call(NamedTuple):
    """One call to a provider, ready to be made. It is ours until `until` (microseconds): nothing is written after that."""

    act: Act
    item: Effect | PaymentAsk
    connector: PaymentConnector
    until: int


class Answer(NamedTuple):
    """What came of a call; `began` when it was made (microseconds): a history may be no younger than that."""

    call: Call
    reply: Reply
    began: int


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
    ) -> None:
        """`owners`: whose account each merchant is; nobody else's money moves by it (X-12)."""
        self._store, self._connectors, self._tenants, self._clock = store, connectors, tenants, clock
        self._timing, self._owners = timing or Timing(), owners or {}
        self._histories = Histories(store, clock, self._timing)

    def due(self, limit: int = _AT_ONCE, without: Collection[str] = ()) -> list[Effect | PaymentAsk]:
        """What is to be done now, in order, but for merchants `without`."""
        now = self._clock.now()
        return [*self._store.due(now, limit, without), *self._store.asks(now, limit, without)]

    def connector(self, merchant: str) -> PaymentConnector | None:
        """The connector of a merchant, if it is configured."""
        return self._connectors.get(merchant)

    def next_due(self) -> int | None:
        """When something is to be done next, microseconds."""
        return self._store.next_due()

    def work(self, items: Sequence[Effect | PaymentAsk]) -> None:
        """Carry these as far as they go now, by this thread alone. Raises StoreAway."""
        ready = self.begin(items)
        while ready:
            ready = self.absorb([self.make(call) for call in ready])

    # -- a batch ---------------------------------------------------------------------------------------------------------------

    def begin(self, items: Sequence[Effect | PaymentAsk]) -> list[Call]:
        """Claim these, in one transaction; the calls to make first. Raises StoreAway: nothing is claimed."""
        return self._each(items, self._claimed)

    def make(self, call: Call) -> Answer:
        """Make one call, whatever time it takes up to the deadline. What the provider does never raises."""
        item, connector, began = call.item, call.connector, self._clock.now()
        deadline_s = min(self._timing.deadline_s, (call.until - began) / SECOND_US)
        if call.act is not Act.SEND:
            reply = connector.query(item.reference, item.order_ref, self._timing.deadline_s)
        elif deadline_s <= 0:  # the mark was durable, then this thread slept: whoever took over has it in doubt
            reply = Reply(result=Result.NOT_SENT, code="lapsed", message="the lease was over before anything was written")
        else:
            assert isinstance(item, Effect)
            try:
                reply = connector.send(_order(item), deadline_s)
            except Rejected as never:  # an order that cannot be written: nothing was sent, and again would not help
                reply = Reply(result=Result.REFUSED, code=never.code, message=never.message)
        calls.labels(item.merchant, "send" if call.act is Act.SEND else "query", reply.result.value).inc()
        return Answer(call, reply, began)

    def absorb(self, answers: Sequence[Answer], *, sending: bool = True) -> list[Call]:
        """Store what came of calls, in one transaction; the calls that follow. Raises StoreAway: nothing is stored, and these
        answers are to be kept for the next try. `sending` False: what was looked at is let go instead of sent."""
        return self._each(answers, lambda answer: self._absorbed(answer, sending=sending))

    def _each(self, things: Sequence[_T], step: Callable[[_T], Call | None]) -> list[Call]:
        """All in one transaction, or else each in one of its own, so that one that fails takes nothing else with it."""
        if not things:
            return []
        try:
            with self._store.transaction():
                return [call for thing in things if (call := step(thing)) is not None]
        except StoreAway:
            raise
        except Exception:
            if len(things) == 1:
                log.exception("effect_failed", item=str(things[0])[:500])
                return []
        return [call for thing in things for call in self._each([thing], step)]

    def _claimed(self, item: Effect | PaymentAsk) -> Call | None:
        now, lease = self._clock.now(), self._lease()
        connector = self._connectors.get(item.merchant) if self._owners.get(item.merchant, item.tenant) == item.tenant else None
        if isinstance(item, PaymentAsk):
            if not self._store.claim_payment(item.merchant, item.reference, now, lease):
                return None
            if connector is None:
                unasked = evidence_of(item, "query", Reply(result=Result.NOT_SENT, code="no_connector"), now)
                self._store.ask_again(item.merchant, item.reference, now + _UNCONFIGURED, unasked)
                return None
            return Call(Act.ASK, item, connector, lease)
        if item.state == EffectState.SENDING:
            told = messages.reply(item, EffectState.UNKNOWN, None, "abandoned", "the sender died or fell silent", now)
            self._store.doubt_abandoned(item.id, now, self._timing.query_after(now, 0), told)
            return None
        planned = item.state == EffectState.PLANNED
        fence = item.fence if planned else self._store.claim_ask(item.id, now, lease)  # to look is free, the mark is what counts
        if fence is None:
            return None
        if connector is None:
            log.error("no_connector", merchant=item.merchant, effect=item.id)
            reason = f"merchant {item.merchant} is not configured" if planned else item.reason
            self._store.put_off(item.id, fence, now + _UNCONFIGURED, reason)
            return None
        return Call(Act.LOOK if planned else Act.ASK, item._replace(fence=fence), connector, lease)

    def _absorbed(self, answer: Answer, *, sending: bool) -> Call | None:
        (act, item, _, _), reply, began = answer
        if act is not Act.SEND:
            log.info("queried", merchant=item.merchant, reference=item.reference, effect=getattr(item, "id", ""),
                     result=reply.result.value, records=len(reply.records))  # fmt: skip
        if isinstance(item, PaymentAsk):
            self._histories.of_payment(item, reply, answer.call.until, began)
            return None
        if act is Act.SEND:
            self._settle(item, reply)
            return None
        if act is Act.ASK:
            self._histories.of_effect(item, reply, began)
            return None
        if not sending:
            self._store.put_off(item.id, item.fence, item.next_at, item.reason)
            return None
        return self._marked(answer)

    # -- sending ---------------------------------------------------------------------------------------------------------------

    def _marked(self, answer: Answer) -> Call | None:
        """What the provider shows is stored; then the mark, and the one call that it allows."""
        (_, effect, connector, until), shown, began = answer
        assert isinstance(effect, Effect)
        now = self._clock.now()
        if shown.result is Result.UNKNOWN:
            self._store.keep_evidence(evidence_of(effect, "query", shown, began))
            again = self._timing.query_after(now, effect.queries)
            self._store.put_off(effect.id, effect.fence, again, "the provider cannot be asked", queried=1)
            return None
        if until <= now or self._histories.overtaken(effect, shown, began):
            self._store.put_off(effect.id, effect.fence, now, "what the provider showed is no longer new: looked at again")
            return None
        if self._histories.learn(effect, shown, began).foreign:
            self._store.put_off(effect.id, effect.fence, now, "the provider shows refunds of others: decided first")
            return None
        brake = brake_on(effect, self._tenants.get(effect.tenant), self._store, now)
        if brake is not None:
            alarm = None if effect.reason == brake.name else brake.alarm  # told once
            self._store.put_off(effect.id, effect.fence, brake.until, brake.name, alarm)
            return None
        lease = self._lease()
        fence = self._store.mark_sending(effect.id, effect.fence, now, lease)
        if fence is None:
            reason = "payouts are stopped, or news of this payment is decided first"
            self._store.put_off(effect.id, effect.fence, now, reason)  # not due before it may go
            return None
        marked = effect._replace(fence=fence, attempts=effect.attempts + 1, last=int(self._closes(effect)))
        return Call(Act.SEND, marked, connector, lease)

    def _closes(self, effect: Effect) -> bool:
        """Whether a last request is the last to be sent: nothing follows it at the provider, and one before it may have had to wait."""
        return bool(effect.last) and not any(
            other.state in _TO_COME for other in self._store.effects_on(effect.merchant, effect.reference) if other.id != effect.id
        )

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
            next_at = self._timing.query_after(now, effect.attempts)
            told = []
        else:
            next_at = self._timing.pending_after(now, 0) if state is EffectState.ACCEPTED else self._timing.query_after(now, 0)
            told = [messages.reply(effect, state, reply.record, reply.code, reply.message, now)]
        record = reply.record if state is not EffectState.UNKNOWN else None
        self._store.settle(
            effect, effect.fence, state, next_at=next_at, reason=reply.message[:500], record=record,
            evidence=evidence_of(effect, "send", reply, now), told=told, now=now,
        )  # fmt: skip

    def _lease(self) -> int:
        return self._clock.now() + int(self._timing.lease_s * SECOND_US)


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
