"""What a folio's decision means for the rows about money outside: requests, a person's moves, queries, and the totals and numbers
that the database itself guards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.store.requests import BY_ORDER, EffectRow, MoveRow, QueryRow
from engine.store.rows import Waiting
from handlers.outcome import Outcome
from schemas.effect import EffectState, Move
from schemas.folio import Folio, FolioPayment, PartStatus, State

if TYPE_CHECKING:
    from engine.chunk import Chunk

_OPEN = " unknown needs_person accepted sending "
MOVES: Final[dict[Move, tuple[EffectState, str]]] = {
    Move.APPROVE: (EffectState.PLANNED, " planned "),
    Move.WITHDRAW: (EffectState.REFUSED, " planned "),
    Move.CONFIRM: (EffectState.CONFIRMED, _OPEN),
    Move.REFUSE: (EffectState.REFUSED, _OPEN),
}
"""Where each move leads, and from where it may start; from anywhere else the store refuses the decision."""


def stage(chunk: Chunk, row: Waiting, seq: int, outcome: Outcome, before: State | None, after: State | None) -> None:
    """Stage the rows of one decision's dealings with the outside; `after`: the state that it leads to, if that is another one."""
    if isinstance(after, Folio):
        _guard(chunk, row.tenant, before if isinstance(before, Folio) else None, after)
    if not (outcome.requests or outcome.moves or outcome.queries):
        return
    write, lane = chunk.staging.write, chunk.lane_of(row.owner)
    write.effects.extend(
        EffectRow(
            request.effect,
            row.tenant,
            row.key,
            lane,
            request.business_key,
            request.kind.value,
            request.provider,
            request.merchant,
            request.payment,
            request.reference,
            request.order,
            request.minor,
            request.currency,
            request.refund,
            request.property,
            int(request.last),
            int(request.needs_approval),
            EffectState.PLANNED.value,
            seq,
            chunk.now,
            chunk.now,
            row.correlation or row.id,
            row.traceparent,
        )
        for request in outcome.requests
    )
    for move in outcome.moves:
        state, allowed = MOVES[move.move]
        level = move.record.rpartition("/")[2]  # PAYID/PAYIDSUB, or the latter alone
        write.moves.append(MoveRow(move.effect, state.value, move.reason, level, chunk.now, allowed))
        if move.move in (Move.CONFIRM, Move.REFUSE) and isinstance(before, Folio):
            write.queries.extend(_settled_query(chunk, row, before, move.effect))
    write.queries.extend(
        QueryRow(
            query.merchant,
            query.reference or BY_ORDER + query.order,
            query.provider,
            query.order,
            row.tenant,
            row.key,
            lane,
            query.payment,
            chunk.now,
        )
        for query in outcome.queries
    )


def _settled_query(chunk: Chunk, row: Waiting, folio: Folio, effect: str) -> list[QueryRow]:
    """A person has settled an effect: what else the provider shows of its payment can be told apart now."""
    name = next((pending.payment for pending in folio.effects if pending.effect == effect), "")
    return [
        QueryRow(
            known.merchant,
            known.reference,
            known.provider,
            known.order,
            row.tenant,
            row.key,
            chunk.lane_of(row.owner),
            known.payment,
            chunk.now,
        )
        for known in folio.payments
        if known.payment == name and known.reference
    ]


def _guard(chunk: Chunk, tenant: str, before: Folio | None, after: Folio) -> None:
    """X-3 in the database: captured and given back of every payment that moved, and the number of every new refund part; one
    that waits for its payment is promised to nobody yet and gets its number with the refund that follows."""
    if before is None or after.payments is not before.payments:
        known = {id(payment) for payment in before.payments} if before else ()
        chunk.staging.write.totals += [
            (tenant, after.folio, payment.payment, after.currency, payment.captured, _given_back(payment))
            for payment in after.payments
            if id(payment) not in known
        ]
    if before is None or after.refunds is not before.refunds:
        refunds = {refund.refund for refund in before.refunds} if before else ()
        chunk.staging.write.parts += [
            (tenant, after.folio, part.payment, part.number, refund.refund, part.minor)
            for refund in after.refunds
            if refund.refund not in refunds
            for part in refund.parts
            if part.status is not PartStatus.WAITING
        ]


def _given_back(payment: FolioPayment) -> int:
    return payment.refunding + payment.refunded + payment.foreign
