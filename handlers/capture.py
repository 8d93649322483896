"""Authorised money at a cancellation: what is taken, what is released, and what the provider made of it (X-17).

Refunds are `handlers.refund`. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from handlers import account, given_up
from handlers.capture_records import gave_back, shown, took
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.payment_states import IN_FLIGHT
from handlers.refund_parts import noted
from handlers.withdrawal import Stored, uncovered_refunds
from ledger import recipes
from schemas.booking import DepositNature
from schemas.common import Fact
from schemas.effect import EffectKind, EffectRequest, EffectState
from schemas.errors import Stale
from schemas.folio import Folio, FolioPayment, FolioStatus, PaymentStatus, PendingEffect
from schemas.operations import EffectNeedsPerson, ReplyArrived
from schemas.payment import PaymentCaptured, PaymentVoided


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


def settle_capture(message: ReplyArrived, folio: Folio, state: EffectState, stored: Stored) -> Outcome:
    """What a capture or a void came to; a reply that says what is known changes nothing. What the provider made of one that nobody
    waits for any more, withdrawn too late or refused before, counts all the same.

    `stored`: where effects stand. Raises Stale for an effect or a payment that nobody waits for.
    """
    pending = next((known for known in folio.effects if known.effect == message.effect), None)
    payment = account.payment_of(folio, message.payment or (pending.payment if pending is not None else ""))
    if payment is None or (pending is None and not _counts(message, payment, state)):
        raise Stale(f"nothing of {folio.folio} waits for effect {message.effect}", field="effect", value=message.effect)
    after = noted(folio, message.effect, state)
    if state is EffectState.PLANNED:  # it never left, and goes once more
        step = Step("X-17", f"{message.kind} of payment {payment.payment} was not sent: {message.code}")
        return Outcome(state=after, trace=(step,), policy_version=folio.policy)
    step = Step("X-17", f"{message.kind} of payment {payment.payment}: {state.value} {message.code}".rstrip())
    out = Outcome(state=after, trace=(step,), policy_version=folio.policy)
    match state, message.kind:
        case EffectState.CONFIRMED, EffectKind.CAPTURE:
            return _captured(folio, after, payment, message, out)
        case EffectState.CONFIRMED, _:
            return _voided(after, payment, message, out)
        case EffectState.REVERSED, EffectKind.CAPTURE:
            return _reversed(folio, after, payment, message, out, stored)
        case EffectState.REVERSED, _:
            return _stands_again(after, payment, message, out)
        case EffectState.REFUSED | EffectState.NEEDS_PERSON, _:
            return _failed(folio, after, message, state, out)
    return out


def _counts(message: ReplyArrived, payment: FolioPayment, state: EffectState) -> bool:
    """Whether what nobody waits for changes the payment: money that moved, or an authorisation that fell or stands again."""
    if message.kind == EffectKind.CAPTURE:
        moved, _ = _moved(message, payment, stands=state is EffectState.CONFIRMED)
        return state in (EffectState.CONFIRMED, EffectState.REVERSED) and moved != payment
    expected = {EffectState.CONFIRMED: PaymentStatus.AUTHORISED, EffectState.REVERSED: PaymentStatus.VOIDED}
    return expected.get(state) is payment.status


def _moved(message: ReplyArrived, payment: FolioPayment, *, stands: bool) -> tuple[FolioPayment, int]:
    """The payment and what our own capture adds to it or takes away; without the provider's name for it, money that moved elsewhere
    meanwhile is taken for it."""
    if message.record:
        return shown(payment, message.record, message.minor, stands=stands)
    if stands:
        return (took(payment, message.minor), message.minor) if payment.status in IN_FLIGHT else (payment, 0)
    minor = min(message.minor, payment.captured - payment.reversed)
    return gave_back(payment, minor), -minor


def _captured(before: Folio, after: Folio, payment: FolioPayment, message: ReplyArrived, out: Outcome) -> Outcome:
    moved, minor = _moved(message, payment, stands=True)
    after = account.claimed(account.changed(account.replace_payment(after, moved)))
    told: tuple[Fact, ...] = ()
    if minor:
        told = (PaymentCaptured(payment=payment.payment, tender=payment.tender.value, amount=minor, currency=after.currency),)
    rest = payment.authorised - moved.captured
    if rest > 0 and moved != payment:
        told = (*told, PaymentVoided(payment=payment.payment, amount=rest, currency=after.currency))
    beyond = min(minor, -account.balance(after))
    if beyond > 0:
        reason = f"payment {payment.payment}: money came otherwise too, so much more than is owed"
        told = (*told, EffectNeedsPerson(effect=message.effect, reason=reason, amount=beyond, currency=after.currency))
    return replace(
        out,
        state=after,
        facts=(*told, *account.balance_facts(before, after)),
        entries=recipes.captured(after, moved, minor),
    )


def _voided(after: Folio, payment: FolioPayment, message: ReplyArrived, out: Outcome) -> Outcome:
    if payment.status is PaymentStatus.CAPTURED:
        reason = f"payment {payment.payment} was captured elsewhere and then released: see at the provider what stands"
        told = EffectNeedsPerson(effect=message.effect, reason=reason, amount=message.minor, currency=after.currency)
        return replace(out, facts=(told,))
    if payment.status not in IN_FLIGHT:
        return out
    after = account.changed(account.replace_payment(after, replace(payment, status=PaymentStatus.VOIDED)))
    released = PaymentVoided(payment=payment.payment, amount=payment.authorised, currency=after.currency)
    return replace(out, state=after, facts=(released,))


def _stands_again(after: Folio, payment: FolioPayment, message: ReplyArrived, out: Outcome) -> Outcome:
    """A void that has failed after all: the authorisation holds the guest's money again, and a person is told."""
    if payment.status is PaymentStatus.VOIDED:
        after = account.changed(account.replace_payment(after, replace(payment, status=PaymentStatus.AUTHORISED)))
    reason = f"void reversed: {message.message or message.code}"
    told = EffectNeedsPerson(effect=message.effect, reason=reason, amount=message.minor, currency=after.currency)
    return replace(out, state=after, facts=(told,))


def _reversed(
    before: Folio, after: Folio, payment: FolioPayment, message: ReplyArrived, out: Outcome, stored: Stored
) -> Outcome:  # fmt: skip
    """Taken back from us: owed again, and a person is told; refunds of it that are not under way are dropped (X-13)."""
    moved, minor = _moved(message, payment, stands=False)
    after = account.changed(account.replace_payment(after, moved))
    out = replace(out, state=after, entries=recipes.capture_reversed(after, payment, -minor))
    if not minor:
        return out
    out = merge(out, uncovered_refunds(after, moved, stored))
    reason = f"capture reversed: {message.message or message.code}"
    told = EffectNeedsPerson(effect=message.effect, reason=reason, amount=-minor, currency=after.currency)
    return replace(out, facts=(told, *account.balance_facts(before, folio_of(out))))


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
        after = account.claimed(account.changed(replace(after, claim=after.claim + short)))
        return replace(out, state=after, facts=told, trace=(*out.trace, Step("S4-34", f"{text} not taken is a claim (acompte)")))
    less = account.changed(given_up.given_up(after, short))
    return replace(
        out,
        state=less,
        facts=(*told, *account.balance_facts(before, less)),
        entries=given_up.entries(after, less, message.effect),
        trace=(*out.trace, Step("S4-34", f"{text} not taken is not claimed (arrhes)")),
    )
