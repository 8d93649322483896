"""Payments: promised, taken, or taken back elsewhere (X-2, X-3, X-16, X-17, X-19, X-21).

What a provider's own history shows is `handlers.payment_record`; what money that came or went leads to is `handlers.collecting`; refunds
and captures of ours are not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from handlers import account
from handlers.balance_told import adopted, reported
from handlers.capture_records import told_back, told_so_far
from handlers.card_use import used
from handlers.collecting import captured, concluded, homeless, taken_back, waits_for
from handlers.dispute_reversal import reversed_while_open, told_already
from handlers.outcome import Facts, Outcome, Step, merge
from handlers.payment_states import BY_NAME, BY_STATUS, NEXT, Halt, Told
from handlers.voucher_told import check_told
from schemas.effect import EffectState, PaymentQuery
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioPayment, PaymentStatus
from schemas.payment import Payment, PaymentVoided, Tender

_THERE_OR_NOT = frozenset({Tender.CASH, Tender.CHEQUE, Tender.BANK_TRANSFER})


def told(message: Payment, name: str) -> Told:
    """X-17: what the message says, by its name and the provider's status."""
    said = BY_NAME[name]
    return said if said is Told.REVERSED else BY_STATUS.get((message.provider, message.status), said)


def decide(message: Payment, facts: Facts) -> Outcome:
    """`payment.authorised`, `payment.received`, `payment.reversed` (`facts.name`).

    Raises Early for an unknown booking or the reversal of an unknown payment, Stale for what is known, Rejected for another
    currency, a tender that cannot be authorised, another body under a known payment's id, a known payment under another id, a voucher's
    own payment, or one that waits, or whose book is here (`own_voucher`).
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this pays is not here yet", waits_for="booking")
    if message.currency != folio.currency:
        text = f"{folio.folio} is booked in {folio.currency}"
        raise Rejected(text, code="currency_mismatch", rule="X-4", field="currency", value=message.currency)
    _may_be_promised(message, facts.name)
    known, said = account.payment_of(folio, message.payment), told(message, facts.name)
    if known is not None and known.voucher:
        text = f"payment {known.payment} is voucher {known.voucher}: what becomes of it is told by voucher.check, or by cancelling"
        raise Rejected(text, code="voucher_not_cash", rule="S0-29", field="payment", value=known.payment)
    then = NEXT[known.status if known is not None else None, said]
    if said not in (Told.REVERSED, Told.FAILED):
        check_told(message, folio, known, facts.voucher, moves=not isinstance(then, Halt))
    same = reported(message, folio, known, message.occurred_at or facts.act) if said is Told.CAPTURED else None
    if same is not None and (then is PaymentStatus.CAPTURED or same is known):
        return adopted(message, folio, same, facts)
    _one_name(message, folio, known)
    if isinstance(then, Halt):
        return _halted(then, said, message, folio, facts)
    payment, use = used(folio, _recorded(message, folio, known, facts))
    folio, queries = _asked_again(message, folio)
    match then:
        case PaymentStatus.CAPTURED:
            first = _taken(message, folio, payment)
        case PaymentStatus.REVERSED:
            first = _taken_back(message, folio, payment, facts.effects)
        case PaymentStatus.VOIDED:
            first = _voided(message, folio, payment, said)
        case _:
            first = _promised(message, folio, payment, then)
    return concluded(folio, merge(use, replace(first, queries=queries)), message.payment, facts)


def _may_be_promised(message: Payment, name: str) -> None:
    """X-17: cash, a cheque and a transfer are there or not: nobody holds them for us. Raises Rejected `tender_not_authorisable`."""
    if name == "payment.authorised" and message.tender in _THERE_OR_NOT:
        text = f"{message.tender.value} cannot be authorised: send payment.received once it is there"
        raise Rejected(text, code="tender_not_authorisable", rule="X-17", field="tender", value=message.tender.value)


def _asked_again(message: Payment, folio: Folio) -> tuple[Folio, tuple[PaymentQuery, ...]]:
    """X-6: what a callback had told of this payment before it was known was asked for in vain."""
    named = {message.provider_reference, message.order}
    if not folio.notified or not named & set(folio.notified):
        return folio, ()
    query = PaymentQuery(
        provider=message.provider,
        merchant=message.merchant,
        reference=message.provider_reference,
        order=message.order,
        folio=folio.folio,
        payment=message.payment,
    )
    return replace(folio, notified=tuple(one for one in folio.notified if one not in named)), (query,)


def _halted(halt: Halt, said: Told, message: Payment, folio: Folio, facts: Facts) -> Outcome:
    known = account.payment_of(folio, message.payment)
    if halt is Halt.EARLY or known is None:
        if halt is Halt.REFUSED:
            text = f"payment {message.payment} failed at {message.provider} (status {message.status}): nothing was taken"
            raise Rejected(text, code="payment_failed", rule="X-17", field="status", value=message.status)
        raise Early(f"payment {message.payment} is not here yet", waits_for=waits_for(message.payment))
    if halt is Halt.REFUSED:
        text = f"payment {message.payment} is {known.status.value}: a failure (status {message.status}) does not undo it"
        raise Rejected(text, code="payment_failed", rule="X-17", field="status", value=message.status)
    _same(message, known, said)
    if message.provider_reference and not known.reference:
        folio, queries = _asked_again(message, folio)
        step = Step("X-1", f"payment {message.payment} is known; its provider's id is new")
        named = Outcome(state=account.replace_payment(folio, _named(message, known)), queries=queries, trace=(step,))
        return concluded(folio, named, message.payment, facts)
    raise Stale(f"payment {message.payment} is {known.status.value} already", field="payment", value=message.payment)


def _same(message: Payment, known: FolioPayment, said: Told) -> None:
    """X-1: one id, one payment. Raises Rejected `duplicate_identity` for another amount or another provider payment."""
    amounts = {Told.AUTHORISED: known.authorised, Told.CAPTURED: known.captured, Told.PENDING: known.authorised}
    repeats = said.value == known.status.value or (said is Told.CAPTURED and known.captured > 0)
    one_of_several = said is Told.CAPTURED and message.amount in [one.minor for one in known.captures]
    if repeats and said in amounts and amounts[said] != message.amount and not one_of_several:
        text = f"payment {message.payment} is known with {amounts[said]}, not {message.amount}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="amount", value=message.amount)
    _same_reference(message, known)


def _one_name(message: Payment, folio: Folio, known: FolioPayment | None) -> None:
    """X-1, X-3: what is one payment at the provider is one of a folio. Raises Rejected `duplicate_identity` if another one is it."""
    if not message.provider_reference or (known is not None and known.reference):
        return
    other = account.payment_at(folio, message.provider, message.merchant, message.provider_reference, message.payment)
    if other is not None:
        there = f"{message.provider_reference} at {other.provider or 'its provider'}"
        text = f"{there} is payment {other.payment} of {folio.folio}: tell it under that id, not as payment {message.payment}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="provider_reference", value=message.provider_reference)


def _same_reference(message: Payment, known: FolioPayment) -> None:
    if message.provider_reference and known.reference and message.provider_reference != known.reference:
        text = f"payment {message.payment} is {known.reference} at {known.provider}, not {message.provider_reference}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="provider_reference", value=message.provider_reference)


def _named(message: Payment, payment: FolioPayment) -> FolioPayment:
    """The payment with what this message adds to its names (X-21); what was said before is not unsaid."""
    return replace(
        payment,
        provider=payment.provider or message.provider,
        merchant=payment.merchant or message.merchant,
        reference=payment.reference or message.provider_reference,
        order=payment.order or message.order,
        initiation=payment.initiation or message.initiation,
        sca=payment.sca or message.sca,
        eci=payment.eci or message.eci,
        scheme_transaction=payment.scheme_transaction or message.scheme_transaction,
        mandate=payment.mandate or message.mandate,
        mandate_version=payment.mandate_version or message.mandate_version,
        payer=payment.payer or message.payer,
        through=payment.through or message.through,
    )


def _recorded(message: Payment, folio: Folio, known: FolioPayment | None, facts: Facts) -> FolioPayment:
    """The payment before this message changes it, with or without a home (X-16)."""
    if known is not None:
        _same_reference(message, known)
        return _named(message, known)
    at: datetime = message.occurred_at or facts.act
    payment = FolioPayment(
        payment=message.payment,
        tender=message.tender,
        status=PaymentStatus.PENDING,
        position=max([other.position for other in folio.payments], default=-1) + 1,
        occurred_at=at,
        unapplied=homeless(folio, at),
    )
    return _named(message, payment)


def _promised(message: Payment, folio: Folio, payment: FolioPayment, status: PaymentStatus) -> Outcome:
    """X-17: authorised, or not final at the provider: not collected."""
    authorised = payment.authorised or message.amount
    if status is PaymentStatus.AUTHORISED and authorised != message.amount:
        text = f"payment {message.payment} is pending with {authorised}, not {message.amount}"
        raise Rejected(text, code="duplicate_identity", rule="X-1", field="amount", value=message.amount)
    after = account.replace_payment(folio, replace(payment, status=status, authorised=authorised))
    amount = account.text(message.amount, folio.currency)
    return Outcome(state=after, trace=(Step("X-17", f"payment {message.payment}: {amount} {status.value}, not collected"),))


def _taken(message: Payment, folio: Folio, payment: FolioPayment) -> Outcome:
    """X-17: final, so collected, all of it at once."""
    if payment.authorised and message.amount > payment.authorised:
        text = f"payment {message.payment}: {message.amount} taken of {payment.authorised} authorised"
        raise Rejected(text, code="amount_above_authorised", rule="X-3", field="amount", value=message.amount)
    return captured(folio, replace(payment, status=PaymentStatus.CAPTURED, captured=message.amount), message.amount)


def _voided(message: Payment, folio: Folio, payment: FolioPayment, said: Told) -> Outcome:
    """X-17: what was promised or pending will not come; a reversal of less than all leaves the rest as it was."""
    released = payment.authorised if said is Told.FAILED else min(message.amount, payment.authorised)
    rest = payment.authorised - released
    status = payment.status if rest else PaymentStatus.VOIDED
    after = account.replace_payment(folio, replace(payment, authorised=rest or payment.authorised, status=status))
    amount = account.text(released, folio.currency)
    return Outcome(
        state=after,
        facts=(PaymentVoided(payment=payment.payment, amount=released, currency=folio.currency),),
        trace=(Step("X-17", f"payment {payment.payment}: {amount} will not be taken"),),
    )


def _taken_back(message: Payment, folio: Folio, payment: FolioPayment, stored: Mapping[str, EffectState]) -> Outcome:
    """X-19: a bounced cheque, a charge back: whole or in part. One of a disputed payment is the dispute's own money (X-13)."""
    said = told_already(folio, payment, message.amount)
    if said is not None:
        return said
    rest = payment.captured - told_so_far(payment)
    if message.amount > rest:
        text = f"payment {payment.payment}: {message.amount} taken back of {rest}"
        raise Rejected(text, code="amount_above_captured", rule="X-3", field="amount", value=message.amount)
    payment, less = told_back(payment, message.amount)
    if less:
        folio, entries = reversed_while_open(folio, payment, less)
        return taken_back(folio, payment, less, stored, entries)
    step = Step("X-1", f"payment {payment.payment}: the provider has shown already that {message.amount} were taken back")
    return Outcome(state=account.replace_payment(folio, payment), trace=(step,))
