"""What a provider's history of a payment means for the store: records find their owners, requests move, folios are told.

[engine.reconcile] sorts a history, this room turns its findings into rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from engine import effect_messages as messages
from engine.effect_batch import Batch, Item, payment_of
from engine.reconcile import Findings, Open, after_result, compare, moved_money
from engine.store.effects import Effect, Evidence, Learned, PaymentAsk
from engine.store.rows import InternalRow
from handlers.effect import GIVE_UP
from schemas.effect import EffectKind, EffectState, ProviderRecord, RecordKind, Reply, Result

SECOND_US: Final = 1_000_000
_RELEASE: Final = {
    Result.CONFIRMED: EffectState.CONFIRMED,
    Result.REFUSED: EffectState.REVERSED,
    Result.REVERSED: EffectState.REVERSED,
}
"""What a release that was over has come to after all, by its record's result."""
_PENDING_QUERIES = 30  # so often a request that the provider has accepted is asked after: weeks, by the shipped intervals


class Timing(NamedTuple):
    """Seconds: one call's deadline, a claim's lease, and when to ask again after a silence and about what is pending."""

    deadline_s: float = 30.0
    lease_s: float = 90.0
    query_after_s: Sequence[float] = (5, 30, 120, 600, 1800, 3600, 10800, 21600)
    pending_after_s: Sequence[float] = (60, 600, 3600, 14400, 43200, 86400)

    def query_after(self, now: int, number: int) -> int:
        """When what is in doubt is asked about next, after `number` queries; microseconds."""
        return _later(now, self.query_after_s, number)

    def pending_after(self, now: int, number: int) -> int:
        """The same for what the provider has accepted."""
        return _later(now, self.pending_after_s, number)


class Histories:
    """Learns from queries, each in the batch of whoever calls."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing

    def overtaken(self, batch: Batch, asker: Item, shown: Reply, began: int) -> bool:
        """Whether a history that was asked for later has been stored already: then this one, of a call that began at `began`, may be
        the older one, and is kept as evidence alone."""
        if not batch.asked_since(payment_of(asker), began):
            return False
        batch.keep(evidence_of(asker, "late", shown, began))
        return True

    def of_effect(self, batch: Batch, effect: Effect, shown: Reply, began: int) -> None:
        """What came of asking about a request in doubt, or about one that the provider has accepted."""
        if shown.result is Result.UNKNOWN:
            in_vain = self.in_vain(effect, "cannot be asked", batch.now)
            batch.learn(effect, (), [in_vain], (), evidence_of(effect, "query", shown, began))
        elif self.overtaken(batch, effect, shown, began):
            batch.put_off(effect, self._timing.query_after(batch.now, 0), effect.reason)
        else:
            self.learn(batch, effect, shown, began, about=effect)

    def of_payment(self, batch: Batch, ask: PaymentAsk, shown: Reply, lease: int, began: int) -> None:
        """What came of asking about a payment under `lease`, after a callback."""
        due = self._timing.query_after(batch.now, ask.attempts)
        if shown.result is Result.UNKNOWN:
            batch.ask_again(ask, due, evidence_of(ask, "query", shown, began))
        elif batch.asked_since(payment_of(ask), began):
            batch.ask_again(ask, due, evidence_of(ask, "late", shown, began))
        else:
            last = ask.attempts + 1 >= len(self._timing.query_after_s)
            found = self.learn(batch, ask, shown, began, asked=True, last=last)
            if found.aside or (found.veiled and not last):
                batch.ask_again(ask, due, evidence_of(ask, "query", shown, began))
            else:
                batch.done(ask, lease)

    def learn(
        self, batch: Batch, asker: Item, shown: Reply, began: int, *, about: Effect | None = None, asked: bool = False,
        last: bool = False,
    ) -> Findings:  # fmt: skip
        """What a history showed, and the words to the folios. `about`: the effect that was asked about; `asked`: the payment was;
        `last`: it will not be again, so that amounts that are not shown are told."""
        now, payment = batch.now, payment_of(asker)
        known, effects = batch.known(payment), {row.id: row for row in batch.effects_on(payment)}
        opened = [
            Open(row.id, EffectKind(row.kind), EffectState(row.state), row.minor, row.record, row.sent_at, row.currency)
            for row in effects.values()
        ]
        found = compare(shown.records, known, opened)
        if not asker.payment:  # a callback came before its payment: whose money it is will be known at a later query
            found = found._replace(foreign=(), payment=(), veiled=())
        captured = sum(one.minor or 0 for one in shown.records if (one.kind, one.result) == (RecordKind.CAPTURE, Result.CONFIRMED))
        back = [
            messages.foreign(asker, record, now, captured=captured)
            for record in found.foreign
            if record.level in known or moved_money(record)
        ]
        first = shown.records[0] if shown.records else None
        seen = [record for record in found.payment if about or asked or record.level in known or _news(asker, record, first)]
        came, left = ([one for one in seen if (one.result is Result.CONFIRMED) is stands] for stands in (True, False))
        told = [*_observed(asker, came, first, now), *back, *_observed(asker, left, first, now)]  # money comes before it goes
        told += [row for one in found.veiled if last and (row := messages.without_amount(asker, one, now)) is not None]
        owners = [(record, "foreign") for record in found.foreign] + [(record, "payment") for record in found.payment]
        batch.learn(asker, owners, self._moves(found, effects, about, now), told, evidence_of(asker, "query", shown, began))
        return found

    def _moves(self, found: Findings, effects: Mapping[str, Effect], about: Effect | None, now: int) -> list[Learned]:
        moves = [self._shown(effects[id_], record, now) for id_, record in (*found.bound, *found.moved)]
        moved = {move.id for move in moves}
        if about is not None and about.id in found.absent:
            effect = effects[about.id]
            if EffectState(effect.state) in (EffectState.UNKNOWN, EffectState.ACCEPTED):
                moves.append(self.in_vain(effect, "shows nothing of it", now))
        moves += [
            _to_person(effects[id_], why, now)
            for id_, why in found.unclear
            if EffectState(effects[id_].state) is EffectState.UNKNOWN
        ]
        if about is not None and about.id not in moved | {move.id for move in moves}:  # pending still
            moves.append(self.in_vain(about, "says neither yes nor no", now))
        return moves

    def _shown(self, effect: Effect, record: ProviderRecord, now: int) -> Learned:
        """What a record of its own means for a request."""
        before = EffectState(effect.state)
        after = after_result(before, record.result)
        if after is EffectState.UNKNOWN:  # an uncertain record
            move = self.in_vain(effect, f"shows a record of it that says nothing (status {record.status})", now)
            return move._replace(record=record)
        told = None if after is before else messages.reply(effect, after, record, record.status, "", now)
        if before in (EffectState.REFUSED, EffectState.REVERSED):  # done after all, or not even that: nobody expects it any more
            told = _unexpected(effect, record, now)
        elif after is before is EffectState.CONFIRMED and effect.kind == EffectKind.CAPTURE:
            told = messages.observed(effect, _whole(effect, record), now)  # a person had said that it was done, and this is it
        return Learned(effect.id, before, after, "", record, self._timing.pending_after(now, effect.queries), told)

    def hold(self, batch: Batch, effect: Effect, why: str) -> None:
        """Not now, since the look shows what does not say enough: looked at again, and after the last time a person decides."""
        if effect.queries + 1 >= len(self._timing.query_after_s):
            self.give_up(batch, effect, why)
        else:
            batch.put_off(effect, self._timing.query_after(batch.now, effect.queries), why, queried=1)

    def give_up(self, batch: Batch, effect: Effect, why: str) -> None:
        """A request that was not sent, and will not be by itself: a person decides."""
        batch.give_up(_to_person(effect, why, batch.now))

    def in_vain(self, effect: Effect, why: str, now: int) -> Learned:
        """A query brought nothing: the next one comes later than this one did, and after the last a person decides."""
        state = EffectState(effect.state)
        if state is EffectState.UNKNOWN:
            again, last = self._timing.query_after, len(self._timing.query_after_s)
        else:
            again, last = self._timing.pending_after, _PENDING_QUERIES
        if effect.queries + 1 >= last and state in GIVE_UP:
            return _to_person(effect, f"asked {effect.queries + 1} times, the provider {why}", now)
        return Learned(effect.id, state, state, effect.reason, None, again(now, effect.queries + 1), None)


def evidence_of(item: Item, act: str, reply: Reply, at: int) -> Evidence:
    """What was asked and answered, as it is kept; a history at the instant at which it was asked for."""
    effect = item.id if isinstance(item, Effect) else ""
    return Evidence(at, effect, item.merchant, item.reference, act, reply.result.value, reply.code, reply.request, reply.answer)


def _observed(asker: Item, seen: Sequence[ProviderRecord], first: ProviderRecord | None, now: int) -> list[InternalRow]:
    rows = (messages.observed(asker, one, now, first=one is first) for one in seen)
    return [row for row in rows if row is not None]


def _news(asker: Item, record: ProviderRecord, first: ProviderRecord | None) -> bool:
    """Whether a look before a send has to tell a new record of the payment: anything but a first one that stands, which the payment's
    own message has told; but where an authorisation is to be captured or released, that too is news."""
    closing = isinstance(asker, Effect) and asker.kind != EffectKind.REFUND
    return closing or record is not first or record.result is not Result.CONFIRMED


def _whole(effect: Effect, record: ProviderRecord) -> ProviderRecord:
    """A request's own record moved what was asked for, where it does not say how much."""
    return record if record.minor is not None else replace(record, minor=effect.minor)


def _unexpected(effect: Effect, shown: ProviderRecord, now: int) -> InternalRow | None:
    """What a request that was over has come to after all, for the folio."""
    record = _whole(effect, shown)
    match effect.kind:
        case EffectKind.REFUND:
            return messages.foreign(effect, record, now, own=effect.id)
        case EffectKind.CAPTURE:
            return messages.observed(effect, record, now)
        case _:
            state = _RELEASE.get(record.result)
            return None if state is None else messages.reply(effect, state, record, record.status, "", now)


def _to_person(effect: Effect, why: str, now: int) -> Learned:
    told = messages.reply(effect, EffectState.NEEDS_PERSON, None, "needs_person", why, now)
    return Learned(effect.id, EffectState(effect.state), EffectState.NEEDS_PERSON, why, None, 0, told)


def _later(now: int, intervals_s: Sequence[float], number: int) -> int:
    return now + int(intervals_s[min(number, len(intervals_s) - 1)] * SECOND_US)
