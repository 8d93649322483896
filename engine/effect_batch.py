"""What a batch of the effects runner knows and what it will write: facts are read at once, each step finds them as the one before it
has left them, and everything is written at once.

It says what may move and how; whether it does, the store compares once more.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

import msgspec

from engine.brakes import Outgo
from engine.reconcile import Known
from engine.store.contract import Constraint
from engine.store.effects import Effect, EffectTransaction, EffectWrite, Evidence, Learned, Moved, Owned, Payment, PaymentAsk, Wish
from engine.store.rows import InternalRow
from handlers import account
from schemas.effect import EffectKind, EffectState, ProviderRecord
from schemas.folio import Folio

Item = Effect | PaymentAsk
_ASKED = frozenset({EffectState.UNKNOWN, EffectState.ACCEPTED})
_FOLIO: Final = msgspec.json.Decoder(Folio)
_BUSY = frozenset({EffectState.SENDING, EffectState.UNKNOWN})


class About(NamedTuple):
    """What a batch may read and move: effects and wishes of the payments of `items`, records of the payments `records`; and `asked`,
    payments whose history was asked for."""

    items: Sequence[Item]
    records: Collection[Payment] = ()
    asked: Collection[Payment] = ()


class Batch:
    """One batch inside a transaction of the store. Everything in it happens at one instant, `now` (microseconds)."""

    def __init__(self, transaction: EffectTransaction, now: int, about: About) -> None:
        self.now = now
        self.outgo = Outgo(transaction, now)
        self._transaction = transaction
        self._to_write = EffectWrite()
        self._effects: dict[str, Effect] = {}
        self._on: dict[Payment, list[str]] = {}
        self._unheard: set[Payment] = set()  # tenant and folio
        for effect, unheard in transaction.effects({payment_of(item) for item in about.items}):
            self._effects[effect.id] = effect
            self._on.setdefault(payment_of(effect), []).append(effect.id)
            if unheard:
                self._unheard.add((effect.tenant, effect.folio))
        self._wishes = dict(transaction.wishes({payment_of(item) for item in about.items if isinstance(item, PaymentAsk)}))
        self._records = {payment: dict(known) for payment, known in transaction.records(about.records).items()}
        self._asked = dict(transaction.asked(about.asked))
        self._stopped = transaction.stopped()

    def write(self) -> None:
        """Everything at once. Raises Fenced or Constraint."""
        self._transaction.write(self._to_write)

    # -- what is known ---------------------------------------------------------------------------------------------------------

    def effects_on(self, payment: Payment) -> Sequence[Effect]:
        """All effects on this payment, by id."""
        return [self._effects[id_] for id_ in self._on.get(payment, ())]

    def known(self, payment: Payment) -> dict[str, Known]:
        """The records of this payment, by level."""
        return self._records.get(payment, {})

    def asked_since(self, payment: Payment, began: int) -> bool:
        """Whether a whole history of this payment is stored that was asked for after `began`."""
        return self._asked.get(payment, began) > began

    def unheard(self, effect: Effect) -> bool:
        """Whether the effect's folio has yet to hear something, which may withdraw it."""
        return (effect.tenant, effect.folio) in self._unheard

    def left(self, effect: Effect) -> int:
        """What its booking was told as authorised of this payment and has not captured, minor units."""
        body = self._transaction.folio(effect.tenant, effect.folio)
        payment = account.payment_of(_FOLIO.decode(body), effect.payment) if body is not None else None
        return max(0, payment.authorised - payment.captured + payment.reversed) if payment is not None else 0

    def _held(self, effect: Effect) -> Effect | None:
        """How an effect stands, unless others had it since."""
        stands = self._effects.get(effect.id)
        return stands if stands is not None and stands.fence == effect.fence else None

    def _free(self, effect: Effect) -> bool:
        """Whether nothing is in the way of sending it: one request of a payment at a time, and no news that may withdraw it."""
        return (
            effect.state == EffectState.PLANNED
            and not effect.needs_approval
            and not (effect.kind == EffectKind.REFUND and effect.tenant in self._stopped)
            and not self.unheard(effect)
            and not any(
                other.state in _BUSY or (other.state == EffectState.ACCEPTED and not other.record)
                for other in self.effects_on(payment_of(effect))
                if other.id != effect.id
            )
        )

    # -- claims and the mark ---------------------------------------------------------------------------------------------------

    def claim(self, effect: Effect, lease_until: int) -> Effect | None:
        """The effect under its new fence, if it may be asked about by us."""
        stands = self._effects.get(effect.id)
        if stands is None or stands.state not in _ASKED or stands.lease_until > self.now:
            return None
        self._move(stands, stands._replace(lease_until=lease_until, next_at=lease_until, fence=stands.fence + 1))
        return effect._replace(fence=stands.fence + 1)

    def claim_payment(self, ask: PaymentAsk, lease_until: int) -> bool:
        """Whether this payment may be asked about by us."""
        wish = self._wishes.get(payment_of(ask))
        if wish is None or wish.lease_until > self.now:
            return False
        self._wish(payment_of(ask), wish, wish._replace(lease_until=lease_until))
        return True

    def doubt(self, effect: Effect, next_at: int, told: InternalRow) -> None:
        """A request whose sender died or fell silent after its mark: in doubt from now on, and never sent again by itself."""
        stands = self._effects.get(effect.id)
        if stands is None or stands.state != EffectState.SENDING or stands.lease_until > self.now:
            return
        doubted = stands._replace(state=EffectState.UNKNOWN.value, fence=stands.fence + 1, next_at=next_at, lease_until=0)
        self._move(stands, doubted, told)

    def mark(self, effect: Effect, lease_until: int) -> int | None:
        """The fence under which it is sent. None when it has moved since it was read, or something is in the way."""
        stands = self._held(effect)
        if stands is None or not self._free(stands):
            return None
        sending = stands._replace(
            state=EffectState.SENDING.value, sent_at=self.now, attempts=stands.attempts + 1, queries=0, lease_until=lease_until,
            next_at=lease_until, reason="", fence=stands.fence + 1,
        )  # fmt: skip
        self._to_write.marks.append(Moved(stands, sending))
        self._stands(stands, sending)
        return sending.fence

    def put_off(self, effect: Effect, next_at: int, reason: str, told: InternalRow | None = None, *, queried: int = 0) -> None:
        """Not now: free the claim and look again at `next_at`; `queried` more queries were in vain."""
        stands = self._held(effect)
        if stands is not None:
            later = stands._replace(lease_until=0, next_at=next_at, reason=reason, queries=stands.queries + queried)
            self._move(stands, later, told)

    def give_up(self, move: Learned) -> None:
        """A planned request that must not go out is a person's from now on."""
        stands = self._effects.get(move.id)
        if stands is not None and stands.state == move.from_ == EffectState.PLANNED:
            after = stands._replace(
                state=move.to.value, reason=move.reason, next_at=move.next_at, lease_until=0, fence=stands.fence + 1
            )
            self._move(stands, after, move.told)

    # -- answers ---------------------------------------------------------------------------------------------------------------

    def settle(
        self, effect: Effect, state: EffectState, *, next_at: int, reason: str, record: ProviderRecord | None, evidence: Evidence,
        told: InternalRow | None,
    ) -> bool:  # fmt: skip
        """The answer to one request. False when others have gone on with it, or when it was answered already: the answer is kept as
        evidence and changes nothing.

        Raises Constraint for a record that is somebody else's: nothing is done.
        """
        stands = self._held(effect)
        if stands is None or stands.state != EffectState.SENDING:
            self.keep(evidence._replace(act="late"))
            return False
        own = f"effect:{effect.id}"
        level = record.level if record is not None else ""
        if record is not None and level:
            known = self.known((effect.merchant, record.reference)).get(level)
            if known is not None and known.owner != own:
                raise Constraint(f"record {record.reference}/{level} is {known.owner}'s", field="record", value=level)
            self._own(effect, record, own)
        settled = stands._replace(state=state.value, next_at=next_at, reason=reason, lease_until=0, record=level or stands.record)
        self._move(stands, settled, told, evidence)
        self.keep(evidence)
        return True

    def learn(
        self, asker: Item, owners: Sequence[tuple[ProviderRecord, str]], moves: Sequence[Learned], told: Sequence[InternalRow],
        evidence: Evidence,
    ) -> None:  # fmt: skip
        """What a history showed: records with their owners, and what it means for effects.

        A move whose effect has gone on meanwhile is left out with its record and its message: the next query sees it again.
        """
        self.keep(evidence)
        for record, owner in owners:
            self._own(asker, record, owner)
        for move in moves:
            self._learned(asker, move)
        self._to_write.told += told
        self._unheard.update((row.tenant, row.key) for row in told)

    def done(self, ask: PaymentAsk, lease_until: int) -> None:
        """The wish to ask about a payment, asked under this lease, is done, unless it was renewed meanwhile."""
        payment = payment_of(ask)
        wish = self._wishes.get(payment)
        if wish is not None and wish.lease_until == lease_until:
            self._wish(payment, wish, None)

    def ask_again(self, ask: PaymentAsk, due: int, evidence: Evidence) -> None:
        """The query itself failed: again later."""
        self.keep(evidence)
        wish = self._wishes.get(payment_of(ask))
        if wish is not None:
            self._wish(payment_of(ask), wish, Wish(due, wish.attempts + 1, 0))

    def keep(self, evidence: Evidence) -> None:
        """What was asked and answered."""
        self._to_write.evidence.append(evidence)
        if evidence.act == "query" and evidence.result == "confirmed":
            payment = (evidence.merchant, evidence.reference)
            self._asked[payment] = max(evidence.at, self._asked.get(payment, 0))

    def _learned(self, asker: Item, move: Learned) -> None:
        level = move.record.level if move.record is not None else ""
        stands = self._effects.get(move.id)
        if stands is None or stands.state != move.from_ or (level and stands.record not in ("", level)):
            return
        if move.record is not None:
            self._own(asker, move.record, f"effect:{move.id}")
        after = stands._replace(
            state=move.to.value, reason=move.reason, record=level or stands.record, next_at=move.next_at, queries=stands.queries + 1,
            lease_until=0, fence=stands.fence + 1,
        )  # fmt: skip
        self._move(stands, after, move.told)

    # -- what will be written --------------------------------------------------------------------------------------------------

    def _own(self, asker: Item, record: ProviderRecord, owner: str) -> None:
        """A record and whose it is: the first owner stays, but for the payment's that shows itself to be something else."""
        of_payment = self._records.setdefault((asker.merchant, record.reference), {})
        before = of_payment.get(record.level)
        if before is not None and before.owner != "payment":
            owner = before.owner
        seen_at = before.seen_at if before is not None else self.now
        minor = before.minor if record.minor is None and before is not None else record.minor
        of_payment[record.level] = Known(owner, record.kind, record.result, seen_at, minor)
        self._to_write.records.append(Owned(asker.merchant, asker.provider, record, owner, self.now))

    def _move(self, before: Effect, after: Effect, told: InternalRow | None = None, evidence: Evidence | None = None) -> None:
        asked, answered = (evidence.request, evidence.answer) if evidence is not None else (None, None)
        self._to_write.moves.append(Moved(before, after, asked, answered))
        self._stands(before, after)
        if told is not None:
            self._to_write.told.append(told)
            self._unheard.add((told.tenant, told.key))

    def _stands(self, before: Effect, after: Effect) -> None:
        self._effects[after.id] = after
        self.outgo.moved(before, after)

    def _wish(self, payment: Payment, before: Wish, after: Wish | None) -> None:
        self._to_write.wishes.append((payment, before, after))
        if after is None:
            del self._wishes[payment]
        else:
            self._wishes[payment] = after


def payment_of(item: Item) -> Payment:
    """The payment that it is about."""
    return item.merchant, item.reference
