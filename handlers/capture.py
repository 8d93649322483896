"""Authorised money at a cancellation: what is taken, what is released, and what the provider made of it (X-17).

Refunds are `handlers.refund`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from handlers import account
from handlers.outcome import Facts, Outcome, Step
from handlers.refund_parts import noted
from ledger import recipes
from schemas.booking import DepositNature
from schemas.common import Fact
from schemas.effect import EffectKind, EffectRequest, EffectState
from schemas.errors import Stale
from schemas.folio import Folio, FolioPayment, FolioStatus, PaymentStatus, PendingEffect
from schemas.operations import EffectNeedsPerson, ReplyArrived
from schemas.payment import PaymentCaptured, PaymentVoided

OPEN = frozenset({PaymentStatus.AUTHORISED, PaymentStatus.PENDING})
"""Payments that nobody else has captured or released meanwhile."""


def take_or_release(folio: Folio, taken: Sequence[tuple[FolioPayment, int]], facts: Facts, asked_by: str = "") -> Outcome:
    """X-17: one request per authorised payment: the last capture of what is needed (SAS), which releases the rest; or, if nothing
    is needed, a void."""
    if not taken:
        return Outcome(state=folio)
    requests, effects = [], []
    for payment, capture in taken:
        kind = EffectKind.CAPTURE if capture else EffectKind.VOID
        effect = facts.id(f"effect-{payment.payment}-{kind.value}")
        minor = capture or payment.authorised
        requests.append(
            EffectRequest(
                effect=effect,
                business_key=f"{folio.folio}/{payment.payment}/{kind.value}",
                kind=kind,
                provider=payment.provider,
                merchant=payment.merchant,
                payment=payment.payment,
                reference=payment.reference,
                order=payment.order,
                minor=minor,
                currency=folio.currency,
                property=folio.property,
                last=True,
            )
        )
        effects.append(
            PendingEffect(
                effect=effect, kind=kind, state=EffectState.PLANNED, payment=payment.payment, minor=minor, asked_by=asked_by
            )
        )
        folio = account.replace_payment(folio, replace(payment, closing=kind.value))
    return Outcome(state=replace(folio, effects=(*folio.effects, *effects)), requests=tuple(requests))


def settle_capture(message: ReplyArrived, folio: Folio, state: EffectState) -> Outcome:
    """What a capture or a void came to; a reply that says what is known changes nothing.

    Raises Stale for an effect or a payment that nobody waits for.
    """
    pending = next((known for known in folio.effects if known.effect == message.effect), None)
    payment = account.payment_of(folio, message.payment or (pending.payment if pending is not None else ""))
    ended = payment is not None and payment.status in (PaymentStatus.CAPTURED, PaymentStatus.VOIDED)
    if payment is None or (pending is None and not (ended and state is EffectState.REVERSED)):
        raise Stale(f"nothing of {folio.folio} waits for effect {message.effect}", field="effect", value=message.effect)
    after = noted(folio, message.effect, state)
    step = Step("X-17", f"{message.kind} of payment {payment.payment}: {state.value} {message.code}".rstrip())
    out = Outcome(state=after, trace=(step,), policy_version=folio.policy)
    match state, message.kind:
        case EffectState.CONFIRMED, EffectKind.CAPTURE:
            return _captured(folio, after, payment, message.minor, out)
        case EffectState.CONFIRMED, _:
            return _voided(after, payment, out)
        case EffectState.REVERSED, EffectKind.CAPTURE:
            return _reversed(folio, after, payment, message.minor, out)
        case EffectState.REVERSED, _:
            return _stands_again(after, payment, message, out)
        case EffectState.REFUSED | EffectState.NEEDS_PERSON, _:
            return _failed(folio, after, message, state, out)
    return out


def _captured(before: Folio, after: Folio, payment: FolioPayment, minor: int, out: Outcome) -> Outcome:
    if payment.status not in OPEN:
        return out
    rest = payment.authorised - minor
    moved = replace(payment, status=PaymentStatus.CAPTURED, captured=minor)
    after = account.changed(account.replace_payment(after, moved))
    told: tuple[Fact, ...] = (
        PaymentCaptured(payment=payment.payment, tender=payment.tender.value, amount=minor, currency=after.currency),
    )
    if rest > 0:
        told = (*told, PaymentVoided(payment=payment.payment, amount=rest, currency=after.currency))
    return replace(
        out,
        state=after,
        facts=(*told, *account.balance_facts(before, after)),
        entries=recipes.captured(after, moved, minor),
    )


def _voided(after: Folio, payment: FolioPayment, out: Outcome) -> Outcome:
    if payment.status not in OPEN:
        return out
    after = account.changed(account.replace_payment(after, replace(payment, status=PaymentStatus.VOIDED)))
    told = PaymentVoided(payment=payment.payment, amount=payment.authorised, currency=after.currency)
    return replace(out, state=after, facts=(told,))


def _stands_again(after: Folio, payment: FolioPayment, message: ReplyArrived, out: Outcome) -> Outcome:
    """A void that has failed after all: the authorisation holds the guest's money again, and a person is told."""
    if payment.status is PaymentStatus.VOIDED:
        after = account.changed(account.replace_payment(after, replace(payment, status=PaymentStatus.AUTHORISED)))
    reason = f"void reversed: {message.message or message.code}"
    told = EffectNeedsPerson(effect=message.effect, reason=reason, amount=message.minor, currency=after.currency)
    return replace(out, state=after, facts=(told,))


def _reversed(before: Folio, after: Folio, payment: FolioPayment, minor: int, out: Outcome) -> Outcome:
    moved = replace(payment, status=PaymentStatus.REVERSED, reversed=payment.reversed + minor)
    after = account.changed(account.replace_payment(after, moved))
    return replace(
        out,
        state=after,
        facts=account.balance_facts(before, after),
        entries=recipes.capture_reversed(after, payment, minor),
    )


def _failed(before: Folio, after: Folio, message: ReplyArrived, state: EffectState, out: Outcome) -> Outcome:
    """S4-34: what a refused capture does not bring is not claimed with arrhes; either way a person is told."""
    told: tuple[Fact, ...] = (
        EffectNeedsPerson(
            effect=message.effect,
            reason=f"{message.kind} {state.value}: {message.message or message.code}",
            amount=message.minor,
            currency=before.currency,
        ),
    )
    lost = state is EffectState.REFUSED and message.kind == EffectKind.CAPTURE
    open_ = max(0, account.balance(after)) if lost and after.status is FolioStatus.CANCELLED else 0
    if not open_:
        return replace(out, facts=told)
    short = min(open_, message.minor)
    text = account.text(short, before.currency)
    if before.deposit_nature is DepositNature.ACOMPTE:
        after = account.changed(replace(after, claim=after.claim + short))
        return replace(out, state=after, facts=told, trace=(*out.trace, Step("S4-34", f"{text} not taken is a claim (acompte)")))
    after = account.changed(replace(after, waived=after.waived + short))
    return replace(
        out,
        state=after,
        facts=(*told, *account.balance_facts(before, after)),
        entries=recipes.claim_waived(after, short, message.effect),
        trace=(*out.trace, Step("S4-34", f"{text} not taken is not claimed (arrhes)")),
    )
