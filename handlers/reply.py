"""`reply.arrived`: what became of a request of ours, whatever it was (X-1, X-6).

Captures and releases are `handlers.capture`, refunds `handlers.refund_reply`.
"""

from __future__ import annotations

from handlers import account
from handlers.capture import settle_capture
from handlers.collecting import covered, without_unneeded
from handlers.dispute_hold import held
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.refund_parts import part_of_effect
from handlers.refund_reply import settle_part
from schemas.effect import EffectKind, EffectState
from schemas.errors import Early, Stale
from schemas.operations import ReplyArrived


def decide(message: ReplyArrived, facts: Facts) -> Outcome:
    """What an effect came to. Idempotent: a reply that says what is known changes nothing (X-1). One that never left goes once more, unless
    its payment is disputed meanwhile, and one that failed is a person's work, unless its money was taken back from us meanwhile (X-13).

    Raises Early for an unknown folio, Stale for a reply that no part waits for.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this reply is about is not here", waits_for="booking")
    state = EffectState(message.state)
    if message.kind != EffectKind.REFUND:
        closed = settle_capture(message, folio, state, facts.effects)
        return merge(closed, without_unneeded(closed, message.payment, facts))
    found = part_of_effect(folio, message.effect)
    if found is None:
        raise Stale(f"no refund of {folio.folio} waits for effect {message.effect}", field="effect", value=message.effect)
    refund, part = found
    if state is EffectState.PLANNED:
        step = Step("X-6", f"effect {message.effect} was not sent: {message.code}")
        first = merge(
            Outcome(state=folio, trace=(step,), policy_version=folio.policy), held(folio, part.payment, facts.effects, part.effect)
        )
    else:
        first = settle_part(folio, refund, part, state, message)
    known = account.payment_of(folio, part.payment)
    return covered(folio, first, part.payment, facts) if known is not None and known.collected() < 0 else first
