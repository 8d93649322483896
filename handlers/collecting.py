"""Money of a payment that came or went: booked, told, and what follows for a cancelled booking (X-16, X-17, X-19).

`handlers.payment` and `handlers.payment_record` say how much. Amounts are minor units of the folio's currency.
"""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from handlers import account, commission
from handlers.capture import take_or_release
from handlers.first_payment_late import in_time
from handlers.late_payment import after_cancellation
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.voucher_refund import voucher_warned
from handlers.voucher_second import beside_vouchers, paid_first
from handlers.withdrawal import Stored, uncovered_refunds, unneeded_closings
from ledger import recipes
from schemas.booking import CollectedBy
from schemas.effect import EffectKind
from schemas.errors import Early
from schemas.folio import Folio, FolioPayment, PartStatus, PaymentStatus
from schemas.operations import EffectNeedsPerson
from schemas.payment import PaymentCaptured, UnappliedReceipt
from schemas.refund import Destination, RefundManualRequired


def waits_for(payment: str) -> str:
    """What a reversal waits for that comes before its payment (X-2)."""
    return f"payment:{payment}"


def of_record(payment: str, facts: Facts) -> tuple[Folio, FolioPayment]:
    """The folio and the payment of which a provider has shown a record. Raises Early for what is not here yet."""
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this record is of is not here yet", waits_for="booking")
    known = account.payment_of(folio, payment)
    if known is None:
        raise Early(f"payment {payment} is not here yet", waits_for=waits_for(payment))
    return folio, known


def captured(folio: Folio, payment: FolioPayment, minor: int) -> Outcome:
    """`minor` more of the payment is collected (X-17); after the cancellation, an unapplied receipt (X-16)."""
    after, amount = account.replace_payment(folio, payment), account.text(minor, folio.currency)
    told = PaymentCaptured(payment=payment.payment, tender=payment.tender.value, amount=minor, currency=folio.currency)
    if not payment.unapplied:
        step = Step("X-17", f"payment {payment.payment} ({payment.tender}): {amount} collected")
        return Outcome(state=after, facts=(told,), entries=recipes.captured(after, payment, minor), trace=(step,))
    reason = f"happened {_second(payment.occurred_at)}, after the booking was cancelled {_second(folio.cancelled_at)}"
    homeless = UnappliedReceipt(payment=payment.payment, amount=minor, currency=folio.currency, reason=reason)
    step = Step("X-16", f"payment {payment.payment}: {amount} {reason}: unapplied")
    return Outcome(state=after, facts=(told, homeless), entries=recipes.unapplied(after, payment, minor), trace=(step,))


def homeless(folio: Folio, at: datetime) -> bool:
    """X-16: whether money that happened then has no home, since the booking was cancelled before; but what a channel that collected pays is
    of what it owes (X-20)."""
    return account.cancelled_before(folio, at) and folio.collected_by is not CollectedBy.CHANNEL


def _second(at: datetime | None) -> datetime | None:
    """An instant as people read it: a whole second."""
    return None if at is None else at.replace(microsecond=0)


def taken_back(
    folio: Folio, payment: FolioPayment, minor: int, stored: Stored, entries: recipes.Transfers | None = None
) -> Outcome:  # fmt: skip
    """X-19: `minor` of the payment was taken back from us: the balance is open again. Refunds of it that are not under way are dropped as
    far as its money no longer covers them. `entries`: how a dispute has booked it (X-13)."""
    after = account.replace_payment(folio, payment)
    recipe = recipes.unapplied_reversed if payment.unapplied else recipes.capture_reversed
    amount = account.text(minor, folio.currency)
    first = Outcome(
        state=after,
        entries=recipe(after, payment, minor) if entries is None else entries,
        messages=voucher_warned(folio, payment, minor),
        trace=(Step("X-19", f"payment {payment.payment}: {amount} taken back from us, owed again"),),
    )
    dropped = merge(first, uncovered_refunds(after, payment, stored))
    return merge(dropped, _for_a_person(folio_of(dropped), payment.payment))


def _for_a_person(folio: Folio, payment: str) -> Outcome:
    """What a person hears of a payment that was taken back, once: what is owed again, else what is gone twice."""
    known = account.payment_of(folio, payment)
    if known is None:
        return Outcome()
    again = _owed_again(folio, known)
    return again if again.facts else _gone_twice(folio, known)


def _owed_again(folio: Folio, payment: FolioPayment) -> Outcome:
    """X-17: nobody asks a second time for what a cancelled booking owes, and its refunds go on: a person is told of what is owed again,
    and how much of the payment had been given back (X-13)."""
    owed = account.balance(folio) - account.under_way(folio)
    if folio.cancelled_at is None or payment.unapplied or owed <= 0:
        return Outcome()
    reason = (
        f"owed again: {account.text(owed, folio.currency)} of a cancelled booking, since payment {payment.payment} was taken back"
    )
    if payment.collected() < 0:
        reason += f"; {account.text(-payment.collected(), folio.currency)} of it had been {_gone_as(folio, payment)}"
    told = EffectNeedsPerson(effect=payment.payment, reason=reason, amount=owed, currency=folio.currency)
    return Outcome(facts=(told,), trace=(Step("X-17", reason),))


def _gone_twice(folio: Folio, payment: FolioPayment) -> Outcome:
    """X-3: money that was given back and is taken back as well: more is gone than was ever here, and a person gets it back."""
    beyond = -payment.collected()
    if beyond <= 0:
        return Outcome()
    amount, gone = account.text(beyond, folio.currency), _gone_as(folio, payment)
    reason = f"payment {payment.payment} was {gone} and taken back: {amount} more are gone than it brought"
    told = EffectNeedsPerson(effect=payment.payment, reason=reason, amount=beyond, currency=folio.currency)
    return Outcome(facts=(told,), trace=(Step("X-3", reason),))


def _gone_as(folio: Folio, payment: FolioPayment) -> str:
    """How the payment was given back: in money, or for a voucher, which may be worth something still."""
    parts = [part for refund in folio.refunds for part in refund.parts if part.payment == payment.payment]
    given = sum(part.minor for part in parts if part.destination == Destination.VOUCHER and part.status is PartStatus.EXECUTED)
    if not given:
        return "given back"
    return (
        "given for a voucher"
        if given >= payment.captured - payment.reversed - payment.collected()
        else "given back, in part for a voucher"
    )


def covered(before: Folio, first: Outcome, payment: str, facts: Facts) -> Outcome:
    """X-13: `first`, without refunds of this payment that its money does not cover any more; of what is left as much is decided anew."""
    after = folio_of(first)
    known = account.payment_of(after, payment)
    dropped = uncovered_refunds(after, known, facts.effects) if known is not None else Outcome()
    if not dropped.trace:
        return first
    told = tuple(fact for fact in first.facts if not (isinstance(fact, RefundManualRequired) and fact.payment == payment))
    return concluded(before, merge(replace(first, facts=told), dropped), payment, facts)


def concluded(before: Folio, first: Outcome, payment: str, facts: Facts) -> Outcome:
    """The whole outcome: what a cancellation makes of it (X-16, X-17), and the balance once, at the end (S4-22)."""
    after = folio_of(first)
    after = account.changed(after)
    first, known = replace(first, state=after), account.payment_of(after, payment)
    reduced = known is not None and account.before_reduction(before, known)
    if before.cancelled_at is not None or reduced or _waits(before, payment):
        first = merge(first, after_cancellation(before, after, payment, facts))
        first = merge(first, commission.kept_after_all(after, folio_of(first), facts))
    first = merge(first, in_time(folio_of(first), payment, facts))
    first = merge(first, without_unneeded(first, payment, facts))
    if folio_of(first).vouchers:
        first = merge(first, paid_first(folio_of(first), payment))
        first = merge(first, beside_vouchers(folio_of(first), facts))
    final = account.claimed(folio_of(first))
    return replace(
        first,
        state=final,
        facts=first.facts + account.balance_facts(before, final),
        unparks=(waits_for(payment), *first.unparks),
        policy_version=first.policy_version or before.policy,
    )


def without_unneeded(first: Outcome, payment: str, facts: Facts) -> Outcome:
    """X-17: after `first`, planned requests that are not needed any more are withdrawn; what a withdrawn capture held is released."""
    folio = folio_of(first)
    out = unneeded_closings(folio, payment, facts.effects)
    after = folio_of(out)
    if account.balance(after) > account.under_way(after):
        return out  # a person was told of it, and may take it
    gone = _captures(folio) - _captures(after)
    held = [known for known in after.payments if known.payment in gone and known.status is PaymentStatus.AUTHORISED]
    return merge(out, take_or_release(after, [(known, 0) for known in held], facts))


def _captures(folio: Folio) -> set[str]:
    return {known.payment for known in folio.effects if known.kind == EffectKind.CAPTURE}


def _waits(folio: Folio, payment: str) -> bool:
    return PartStatus.WAITING in [part.status for refund in folio.refunds for part in refund.parts if part.payment == payment]
