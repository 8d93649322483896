"""Requests to the outside as a state machine, and what people do to them: approve, deny, settle; and a provider's callback.

`NEXT` is the table of `docs/rules/effect.md`: what is not listed is illegal. The runner of effects moves rows by it; decisions only
ask for moves. A callback settles nothing, it causes a query.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from handlers import account
from handlers.approval import check_second
from handlers.cancellation_right import HOUSE, who
from handlers.capture import settle_capture
from handlers.collecting import covered, without_unneeded
from handlers.dispute_hold import stopped
from handlers.dispute_record import open_disputes
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.refund_parts import part_of_effect, replace_part, without_effect
from handlers.refund_reply import manual_required, requested, settle_part
from schemas.effect import EffectKind, EffectMove, EffectState, Move, PaymentQuery, Result
from schemas.errors import Early, IllegalMove, Rejected
from schemas.folio import Folio, FolioPayment, PartStatus, PendingEffect
from schemas.operations import ApprovalDecided, EffectSettle, Operate, ReplyArrived
from schemas.payment import ProviderNotified

NEXT: Mapping[tuple[EffectState, Result], EffectState] = {
    (EffectState.PLANNED, Result.REFUSED): EffectState.REFUSED,  # withdrawn: never sent, never will be
    (EffectState.SENDING, Result.CONFIRMED): EffectState.CONFIRMED,
    (EffectState.SENDING, Result.ACCEPTED): EffectState.ACCEPTED,
    (EffectState.SENDING, Result.REFUSED): EffectState.REFUSED,
    (EffectState.SENDING, Result.UNKNOWN): EffectState.UNKNOWN,
    (EffectState.SENDING, Result.NOT_SENT): EffectState.PLANNED,
    (EffectState.ACCEPTED, Result.CONFIRMED): EffectState.CONFIRMED,
    (EffectState.ACCEPTED, Result.ACCEPTED): EffectState.ACCEPTED,  # still pending: asked again
    (EffectState.ACCEPTED, Result.REFUSED): EffectState.REFUSED,
    (EffectState.ACCEPTED, Result.UNKNOWN): EffectState.ACCEPTED,  # a query that said nothing takes nothing back
    (EffectState.UNKNOWN, Result.CONFIRMED): EffectState.CONFIRMED,
    (EffectState.UNKNOWN, Result.ACCEPTED): EffectState.ACCEPTED,  # a query found it pending at the provider
    (EffectState.UNKNOWN, Result.REFUSED): EffectState.REFUSED,
    (EffectState.UNKNOWN, Result.UNKNOWN): EffectState.UNKNOWN,
    (EffectState.NEEDS_PERSON, Result.CONFIRMED): EffectState.CONFIRMED,
    (EffectState.NEEDS_PERSON, Result.ACCEPTED): EffectState.ACCEPTED,
    (EffectState.NEEDS_PERSON, Result.REFUSED): EffectState.REFUSED,
    (EffectState.NEEDS_PERSON, Result.UNKNOWN): EffectState.NEEDS_PERSON,
    (EffectState.CONFIRMED, Result.REVERSED): EffectState.REVERSED,
}
"""What an answer, silence, or a person's word makes of an effect."""

BEGIN: Mapping[EffectState, EffectState] = {EffectState.PLANNED: EffectState.SENDING}
"""The mark before the call."""

GIVE_UP: Mapping[EffectState, EffectState] = {
    EffectState.PLANNED: EffectState.NEEDS_PERSON,
    EffectState.ACCEPTED: EffectState.NEEDS_PERSON,
    EffectState.UNKNOWN: EffectState.NEEDS_PERSON,
}
"""Asked often enough, or records that cannot be told apart; planned: what the provider shows forbids the send."""

DOUBT: Mapping[EffectState, EffectState] = {
    EffectState.PLANNED: EffectState.UNKNOWN,
    EffectState.SENDING: EffectState.UNKNOWN,
    EffectState.ACCEPTED: EffectState.UNKNOWN,
    EffectState.UNKNOWN: EffectState.UNKNOWN,
    EffectState.NEEDS_PERSON: EffectState.NEEDS_PERSON,
}
"""A sender died after its mark, or the store is a restored one: only a query may tell."""

_EARLY = 20
"""So many names of payments that callbacks told of too early are kept."""

_ITSELF = "0"
"""The number of the record that is a payment, and no later operation on it."""

FINAL = frozenset({EffectState.CONFIRMED, EffectState.REFUSED, EffectState.REVERSED})
"""Nobody asks any more; CONFIRMED may still be reversed by the provider."""


def step(state: EffectState, result: Result) -> EffectState:
    """The state after `result`. Raises IllegalMove for what NEXT does not list."""
    try:
        return NEXT[state, result]
    except KeyError:
        raise IllegalMove(f"effect: {result.value} from {state.value}", field="state", value=state.value) from None


def moved(table: Mapping[EffectState, EffectState], state: EffectState) -> EffectState:
    """The state after BEGIN, GIVE_UP or DOUBT. Raises IllegalMove for what that table does not list."""
    try:
        return table[state]
    except KeyError:
        raise IllegalMove(f"effect: no such move from {state.value}", field="state", value=state.value) from None


def decide_approval(message: Operate, facts: Facts) -> Outcome:
    """`approval.grant` and `approval.deny` (`facts.name`): a second person's word on an effect that waits for it (X-15, X-27, S4-46).

    Granted: it may be sent, once no dispute holds its payment (X-13). Denied: it is withdrawn, and its money stays owed, by a person's
    hands. Raises Early for an unknown booking that is named, Rejected `unknown_effect`, `approval_not_needed`, `approval_required` for
    whoever asked for it and for who does not act for the house.
    """
    folio, effect = _pending(message, facts)
    if not effect.needs_approval or effect.state is not EffectState.PLANNED:  # in doubt since a restored store: nobody sends it
        text = f"effect {effect.effect} waits for nobody's approval"
        raise Rejected(text, code="approval_not_needed", rule="X-27", field="subject", value=effect.effect)
    by = check_second(message.actor, effect.asked_by)
    found = part_of_effect(folio, effect.effect)
    assert found is not None, f"effect {effect.effect} has no part"
    refund, part = found
    decided = ApprovalDecided(subject=effect.effect, by=by, reason=message.reason)
    if facts.name == "approval.grant" and open_disputes(folio, part.payment):
        waits = stopped(folio, refund, part, f"approved by {by}; the payment is disputed")
        return replace(waits, facts=(decided, *waits.facts))
    if facts.name == "approval.grant":
        effects = tuple(replace(known, needs_approval=False) if known.effect == effect.effect else known for known in folio.effects)
        return Outcome(
            state=replace(folio, effects=effects),
            facts=(decided, requested(folio, refund.refund, part)),
            moves=(EffectMove(effect=effect.effect, move=Move.APPROVE, reason=message.reason),),
            trace=(Step("X-27", f"effect {effect.effect} approved by {by}"),),
            policy_version=folio.policy,
        )
    after = replace_part(without_effect(folio, effect.effect), refund, replace(part, status=PartStatus.MANUAL))
    return Outcome(
        state=after,
        facts=(decided, manual_required(folio, refund.refund, part, f"denied by {by}: {message.reason}")),
        moves=(EffectMove(effect=effect.effect, move=Move.WITHDRAW, reason=message.reason),),
        trace=(Step("X-27", f"effect {effect.effect} denied by {by}: the money stays owed, by hand"),),
        policy_version=folio.policy,
    )


def decide_settle(message: EffectSettle, facts: Facts) -> Outcome:
    """`effect.settle`: a person saw at the provider how an unknown effect ended (X-6, X-15); what follows is what a reply brings.

    Raises Early for an unknown booking that is named, Rejected `unknown_effect`, `effect_not_open` unless it is unknown or waits
    for a person, `unknown_record` for a record of another payment, `record_taken` for one that is something else's, `not_allowed` for
    who does not act for the house.
    """
    folio, effect = _pending(message, facts)
    if message.actor.kind not in HOUSE:
        text = f"{message.actor.kind.value} may not settle an effect"
        raise Rejected(text, code="not_allowed", rule="X-15", field="actor", value=message.actor.kind.value)
    if effect.state not in (EffectState.UNKNOWN, EffectState.NEEDS_PERSON):
        text = f"effect {effect.effect} is {effect.state.value}: only an unknown one is settled by hand"
        raise Rejected(text, code="effect_not_open", rule="X-15", field="subject", value=effect.effect)
    at_hand = account.payment_of(folio, effect.payment)
    record = message.provider_record
    if record and at_hand is not None:
        record = _own_record(record, effect, at_hand, folio)
    state = step(effect.state, Result(message.result))
    reply = ReplyArrived(
        folio=folio.folio,
        effect=effect.effect,
        kind=effect.kind,
        state=state,
        minor=effect.minor,
        currency=folio.currency,
        payment=effect.payment,
        refund=effect.refund,
        record=record,
        message=message.reason,
    )
    move = Move.CONFIRM if state is EffectState.CONFIRMED else Move.REFUSE
    first = Outcome(
        moves=(EffectMove(effect=effect.effect, move=move, reason=message.reason, record=record),),
        trace=(Step("X-15", f"effect {effect.effect}: {state.value} by {who(message.actor)}: {message.reason}"),),
    )
    if effect.kind != EffectKind.REFUND:
        closed = merge(
            first, settle_capture(replace(reply, record=""), folio, state, facts.effects)
        )  # the provider's history names it
        return merge(closed, without_unneeded(closed, effect.payment, facts))
    found = part_of_effect(folio, effect.effect)
    assert found is not None, f"effect {effect.effect} has no part"
    refund, part = found
    settled = settle_part(folio, refund, replace(part, doubted=state is EffectState.REFUSED), state, reply)
    return merge(first, covered(folio, settled, part.payment, facts))


def _own_record(named: str, effect: PendingEffect, payment: FolioPayment, folio: Folio) -> str:
    """X-1: the provider's record that a person names as this effect's, in full (`PAYID/PAYIDSUB`, or the latter alone): of its payment,
    and nothing else's. Raises Rejected `unknown_record`, `record_taken`."""
    payid, _, level = named.rpartition("/")
    if payid not in ("", payment.reference):
        text = f"record {named} is not of payment {effect.payment}, which is {payment.reference} at the provider"
        raise Rejected(text, code="unknown_record", rule="X-15", field="provider_record", value=named)
    record = f"{payment.reference}/{level}" if payment.reference else named
    owner = _owner(record, level, effect, payment, folio)
    if owner:
        text = f"record {named} is {owner}: name the one that this {effect.kind} made, or say that it was refused"
        raise Rejected(text, code="record_taken", rule="X-1", field="provider_record", value=named)
    return record


def _owner(record: str, level: str, effect: PendingEffect, payment: FolioPayment, folio: Folio) -> str:
    """What else than this effect the record is known to be; empty: nothing."""
    names = {record, level}
    if level == _ITSELF:
        return f"payment {payment.payment} itself"
    if effect.kind != EffectKind.CAPTURE and names & {one.record for one in payment.captures}:
        return f"a capture of payment {payment.payment}"
    if names & set(payment.foreign_records):
        return "a refund that others made, and counted as such"
    refunds = (
        refund.refund
        for refund in folio.refunds
        for part in refund.parts
        if part.payment == payment.payment and part.effect != effect.effect and part.record in names
    )
    return next((f"that of refund {refund}" for refund in refunds), "")


def _pending(message: Operate | EffectSettle, facts: Facts) -> tuple[Folio, PendingEffect]:
    folio, subject = facts.folio, message.subject
    if folio is None and not message.folio:
        raise Rejected(f"no effect {subject!r} is known", code="unknown_effect", rule="X-15", field="subject", value=subject)
    if folio is None:
        raise Early("the booking of this effect is not here", waits_for="booking")
    effect = next((known for known in folio.effects if known.effect == subject), None) or _withdrawn(folio, subject, facts)
    if effect is None:
        text = f"{folio.folio} waits for no effect {subject!r}"
        raise Rejected(text, code="unknown_effect", rule="X-15", field="subject", value=subject)
    return folio, effect


def _withdrawn(folio: Folio, subject: str, facts: Facts) -> PendingEffect | None:
    """An effect that was withdrawn too late, when it was on its way already: a person may still say how it ended."""
    found = part_of_effect(folio, subject)
    if found is None or found[1].status is not PartStatus.DROPPED or facts.effects.get(subject) in FINAL:
        return None
    refund, part = found
    return PendingEffect(
        effect=subject,
        kind=EffectKind.REFUND,
        state=EffectState.NEEDS_PERSON,
        payment=part.payment,
        minor=part.minor,
        refund=refund.refund,
    )


def decide_notified(message: ProviderNotified, facts: Facts) -> Outcome:
    """`provider.notified` (X-6): settles nothing; the payment that it names is asked for its history, known to us or not; and once
    more when one that is not becomes known.

    Found by the provider's id, else by our order. Raises Early for an unknown booking, Rejected `unknown_payment` for a callback that
    names neither.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this callback is about is not here yet", waits_for="booking")
    if not message.provider_reference and not message.order:
        text = "the callback names neither a payment nor an order"
        raise Rejected(text, code="unknown_payment", rule="X-6", field="provider_reference", value="")
    payment = _named(folio, message)
    query = PaymentQuery(
        provider=message.provider,
        merchant=message.merchant,
        reference=message.provider_reference or (payment.reference if payment is not None else ""),
        order=message.order or (payment.order if payment is not None else ""),
        folio=folio.folio,
        payment=payment.payment if payment is not None else "",
    )
    name = query.payment or "unknown here"
    said = (
        f"{message.provider} says {message.status or 'something'} of {query.reference or query.order} (payment {name}): it is asked"
    )
    out = Outcome(queries=(query,), trace=(Step("X-6", said),), policy_version=folio.policy)
    if payment is not None:
        return out
    early = [one for one in (message.provider_reference, message.order) if one and one not in folio.notified]
    return replace(out, state=replace(folio, notified=(*folio.notified, *early)[-_EARLY:])) if early else out


def _named(folio: Folio, message: ProviderNotified) -> FolioPayment | None:
    there = [known for known in folio.payments if known.provider == message.provider and known.merchant in ("", message.merchant)]
    exact = (known for known in there if message.provider_reference and known.reference == message.provider_reference)
    ordered = (
        known
        for known in there
        if message.order and known.order == message.order and (not message.provider_reference or not known.reference)
    )
    return next(exact, None) or next(ordered, None)
