"""Money that somebody else gave back: a person's hands (X-19), or the provider's back office (X-3).

It closes what waits for a person; otherwise it lowers what may still be given back, and a planned refund that no longer fits is
withdrawn (`handlers.overtaken`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from handlers import account
from handlers.collecting import of_record, waits_for
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.overtaken import make_room
from handlers.refund_parts import BY_HAND, refund_of, replace_part
from handlers.refund_reply import came_back, executed, payment_of
from handlers.uncounted import uncounted
from ledger import recipes
from schemas.effect import EffectState, Result
from schemas.errors import Early, Rejected, Stale
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, RefundPart
from schemas.operations import EffectNeedsPerson, ForeignRecordSeen
from schemas.payment import Tender
from schemas.refund import RefundExecutedExternally


def decide_external(message: RefundExecutedExternally, facts: Facts) -> Outcome:
    """`refund.executed_externally` (X-19): closes the parts of `refund` that wait for a person's hands, by their exact amount, one or
    all together; without `refund`, such a part of `payment`, or else it is a refund that we did not decide (X-3). What the provider has
    shown before is the same money.

    Raises Early for an unknown booking or payment, Rejected `unknown_refund`, `amount_mismatch`, `amount_above_total`,
    `refund_or_payment_missing`, `voucher_not_cash`, Stale if the refund was closed with that amount already.
    """
    folio = facts.folio
    if folio is None:
        raise Early("the booking that this refund is of is not here yet", waits_for="booking")
    if message.refund:
        return _close(message, folio)
    if not message.payment:
        text = "say which refund, or which payment, gave the money back"
        raise Rejected(text, code="refund_or_payment_missing", rule="X-19", field="refund", value="")
    payment = account.payment_of(folio, message.payment)
    if payment is None:
        raise Early(f"payment {message.payment} is not here yet", waits_for=waits_for(message.payment))
    if payment.tender is Tender.VOUCHER:
        text = f"payment {payment.payment} is a voucher: its value goes back to a voucher, by a refund of the booking: name that"
        raise Rejected(text, code="voucher_not_cash", rule="S0-29", field="payment", value=payment.payment)
    record = next((record for record, minor in payment.foreign_shown if minor == message.amount), "")
    if record:
        return _shown_before(folio, payment, record)
    found = by_hand(folio, payment, message.amount)
    if found is not None:
        refund, part = found
        return executed(folio, refund, replace(part, record=""))
    if message.amount > payment.refundable():
        amount, left = (account.text(minor, folio.currency) for minor in (message.amount, payment.refundable()))
        text = f"{amount} is above the {left} that payment {payment.payment} still holds"
        raise Rejected(text, code="amount_above_total", rule="X-3", field="amount", value=message.amount)
    if payment.tender is Tender.CARD or payment.provider:  # a provider may show it, by a name that we may not know yet
        payment = replace(payment, foreign_told=(*payment.foreign_told, message.amount))
    return foreign(folio, payment, message.amount, "X-19")


def _shown_before(folio: Folio, payment: FolioPayment, record: str) -> Outcome:
    after = account.changed(account.replace_payment(folio, _heard(payment, record)))
    step = Step("X-19", f"payment {payment.payment}: the provider has shown it before, as record {record}")
    return Outcome(state=after, trace=(step,), policy_version=folio.policy)


def _heard(payment: FolioPayment, record: str) -> FolioPayment:
    """The payment once a person has told of a refund that its provider has shown before."""
    return replace(payment, foreign_shown=tuple(known for known in payment.foreign_shown if known[0] != record))


def _told_before(folio: Folio, payment: FolioPayment, minor: int, text: str) -> Outcome:
    told = list(payment.foreign_told)
    told.remove(minor)
    after = account.changed(account.replace_payment(folio, replace(payment, foreign_told=tuple(told))))
    return Outcome(state=after, trace=(Step("X-19", text),), policy_version=folio.policy)


def _close(message: RefundExecutedExternally, folio: Folio) -> Outcome:
    refund = refund_of(folio, message.refund)
    if refund is None:
        raise Rejected(
            f"{folio.folio} has no refund {message.refund!r}",
            code="unknown_refund",
            rule="X-19",
            field="refund",
            value=message.refund,
        )
    parts = [part for part in refund.parts if not message.payment or part.payment == message.payment]
    waiting = [part for part in parts if part.status in BY_HAND]
    one = next((part for part in waiting if part.minor == message.amount), None)
    chosen = [one] if one is not None else waiting
    if not chosen or sum(part.minor for part in chosen) != message.amount:
        done = [part for part in parts if part.status is PartStatus.EXECUTED and part.minor == message.amount]
        if done and not waiting:
            payment = payment_of(folio, done[0])
            if done[0].record in dict(payment.foreign_shown):
                return _shown_before(folio, payment, done[0].record)
            raise Stale(f"refund {message.refund} is executed already", field="refund", value=message.refund)
        wait = account.text(sum(part.minor for part in waiting), folio.currency)
        text = f"refund {message.refund}: {wait} wait for a person's hands, not {account.text(message.amount, folio.currency)}"
        raise Rejected(text, code="amount_mismatch", rule="X-19", field="amount", value=message.amount)
    out = Outcome(state=folio)
    for part in chosen:
        known = refund_of(folio_of(out), refund.refund)
        assert known is not None
        out = merge(out, _given(folio_of(out), known, part))
    return out


def _given(folio: Folio, refund: FolioRefund, part: RefundPart) -> Outcome:
    """A person gave this part back. A record of as much that nobody has told of yet is the same money: where it has closed another part,
    the oldest open then, it is this part's, and the other one is open again."""
    payment = payment_of(folio, part)
    shown = dict(payment.foreign_shown)
    taken = _oldest(folio, payment, part.minor, lambda other: other.status is PartStatus.EXECUTED and other.record in shown)
    if taken is None:
        return executed(folio, refund, replace(part, record=""))  # what was refused or came back is not its record
    other, closed = taken
    folio = account.replace_payment(folio, _heard(payment, closed.record))
    reason = f"record {closed.record} is refund {refund.refund}, as a person says"
    first = came_back(folio, other, replace(closed, status=PartStatus.REVERSED, record=""), reason)
    known = refund_of(folio_of(first), refund.refund)
    assert known is not None
    return merge(first, executed(folio_of(first), known, replace(part, record=closed.record)))


def by_hand(folio: Folio, payment: FolioPayment, minor: int) -> tuple[FolioRefund, RefundPart] | None:
    """The oldest part of exactly this amount of the payment that waits for a person's hands."""
    return _oldest(folio, payment, minor, lambda part: part.status in BY_HAND)


def _said(
    folio: Folio, payment: FolioPayment, minor: int, stored: Mapping[str, EffectState]
) -> tuple[FolioRefund, RefundPart] | None:  # fmt: skip
    """The oldest part of exactly this amount of the payment that a person gave back elsewhere, and that no record tells yet: not what
    we sent and a person found done, which has a record of its own."""

    def told(part: RefundPart) -> bool:
        return part.status is PartStatus.EXECUTED and not part.record and stored.get(part.effect) is not EffectState.CONFIRMED

    return _oldest(folio, payment, minor, told)


def _oldest(
    folio: Folio, payment: FolioPayment, minor: int, wanted: Callable[[RefundPart], bool]
) -> tuple[FolioRefund, RefundPart] | None:  # fmt: skip
    parts = ((refund, part) for refund in folio.refunds for part in refund.parts)
    return next((one for one in parts if one[1].payment == payment.payment and one[1].minor == minor and wanted(one[1])), None)


def foreign(folio: Folio, payment: FolioPayment, minor: int, rule: str) -> Outcome:
    """X-3: `minor` of a payment went back without us; the guest's balance opens by as much."""
    after = account.changed(account.replace_payment(folio, replace(payment, foreign=payment.foreign + minor)))
    recipe = recipes.unapplied_foreign_refund if payment.unapplied else recipes.foreign_refund
    amount, left = (account.text(value, folio.currency) for value in (minor, payment.refundable() - minor))
    return Outcome(
        state=after,
        facts=account.balance_facts(folio, after),
        entries=recipe(folio, payment, minor),
        trace=(Step(rule, f"payment {payment.payment}: {amount} given back elsewhere, {left} may still be given back"),),
        policy_version=folio.policy,
    )


def decide_foreign(message: ForeignRecordSeen, facts: Facts) -> Outcome:
    """The provider shows a refund that no effect of ours made. One that a person has told already is counted; one that matches a part
    that waits for a person's hands closes it.
    Otherwise refunds of ours that no longer fit are withdrawn (not yet sent) and dropped, since the guest has that money; what even
    so is above what was captured is for a person, and so is one of a payment that pays other bookings too. The same record twice
    changes nothing.

    Raises Early for an unknown booking or payment.
    """
    folio, payment = of_record(message.payment, facts)
    other = uncounted(message, folio)
    if other is not None:
        return other
    if message.result in (Result.REFUSED, Result.REVERSED):
        return _came_back(message, folio, payment)
    if message.record in payment.foreign_records:
        raise Stale(f"record {message.record} is known", field="record", value=message.record)
    payment = replace(payment, foreign_records=(*payment.foreign_records, message.record))
    folio = account.replace_payment(folio, payment)
    said = None if message.effect else _said(folio, payment, message.minor, facts.effects)
    if said is not None:
        refund, part = said
        text = f"record {message.record} is the part of refund {refund.refund} that was told as given back elsewhere"
        after = account.changed(replace_part(folio, refund, replace(part, record=message.record)))
        reason = f"{text}; or it is request {part.effect}, which a person said was refused: then both were given back"
        told = EffectNeedsPerson(effect=message.record, reason=reason, amount=part.minor, currency=folio.currency)
        return Outcome(state=after, facts=(told,) if part.doubted else (), trace=(Step("X-19", text),), policy_version=folio.policy)
    found = by_hand(folio, payment, message.minor)
    if found is not None and message.result == Result.UNKNOWN:
        reason = f"record {message.record}: uncertain, and a refund of as much waits for a person's hands"
        told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=folio.currency)
        unchanged = tuple(known for known in payment.foreign_records if known != message.record)
        folio = account.replace_payment(folio, replace(payment, foreign_records=unchanged))
        return Outcome(state=folio, facts=(told,), trace=(Step("X-6", reason),), policy_version=folio.policy)
    if found is not None:
        refund, part = found
        shown = () if message.effect else ((message.record, message.minor),)
        folio = account.replace_payment(folio, replace(payment, foreign_shown=(*payment.foreign_shown, *shown)))
        return merge(executed(folio, refund, replace(part, record=message.record)), _perhaps_others(message, folio, payment))
    if not message.effect and message.minor in payment.foreign_told:
        return _told_before(folio, payment, message.minor, f"record {message.record} is what a person told of before")
    made_room = make_room(folio, payment, message.minor, facts.effects)
    roomy = folio_of(made_room)
    payment = account.payment_of(roomy, message.payment) or payment
    minor = min(message.minor, payment.refundable())
    if minor < message.minor:
        payment = replace(payment, foreign_partly=(*payment.foreign_partly, (message.record, minor)))
    elif not message.effect:
        payment = replace(payment, foreign_shown=(*payment.foreign_shown, (message.record, minor)))
    roomy = account.replace_payment(roomy, payment)
    made_room = replace(made_room, state=roomy)
    out = merge(made_room, foreign(roomy, payment, minor, "X-3")) if minor else made_room
    out = replace(out, facts=(*made_room.facts, *account.balance_facts(folio, folio_of(out))))
    if payment.foreign_told and not message.effect:
        amounts = ", ".join(account.text(one, folio.currency) for one in payment.foreign_told)
        reason = f"record {message.record}: a refund elsewhere of {amounts} was told before and not shown: is it in there?"
        told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=folio.currency)
        out = merge(out, Outcome(facts=(told,), trace=(Step("X-19", reason),)))
    if minor < message.minor:
        beyond = message.minor - minor
        reason = f"record {message.record}: refund above what payment {message.payment} holds"
        told = EffectNeedsPerson(effect=message.record, reason=reason, amount=beyond, currency=folio.currency)
        out = merge(out, Outcome(facts=(told,), trace=(Step("X-3", reason),)))
    return replace(merge(out, _perhaps_others(message, folio, payment)), policy_version=folio.policy)


def _perhaps_others(message: ForeignRecordSeen, folio: Folio, payment: FolioPayment) -> Outcome:
    """X-3: of a payment that at the provider is more than this booking's, a refund that others made may be another booking's. It is
    counted here, so that nothing goes back twice, and a person is told."""
    if message.effect or message.captured <= payment.captured:
        return Outcome()
    whole, own, gone = (account.text(minor, folio.currency) for minor in (message.captured, payment.captured, message.minor))
    reason = (
        f"record {message.record}: {gone} given back of {whole}, of which {own} are of payment {payment.payment}: perhaps others'"
    )
    told = EffectNeedsPerson(effect=message.record, reason=reason, amount=message.minor, currency=folio.currency)
    return Outcome(facts=(told,), trace=(Step("X-3", reason),))


def _came_back(message: ForeignRecordSeen, folio: Folio, payment: FolioPayment) -> Outcome:
    """A refund that others made has failed after all: its money is with us again. What it had closed is open again; what it had
    lowered is raised. Raises Stale for one that was never counted."""
    if message.record not in payment.foreign_records:
        raise Stale(f"record {message.record} moved no money", field="record", value=message.record)
    counted = dict(payment.foreign_partly).get(message.record, message.minor)
    payment = replace(
        payment,
        foreign_records=tuple(known for known in payment.foreign_records if known != message.record),
        foreign_partly=tuple(known for known in payment.foreign_partly if known[0] != message.record),
        foreign_shown=tuple(known for known in payment.foreign_shown if known[0] != message.record),
    )
    folio = account.replace_payment(folio, payment)
    for refund in folio.refunds:
        for part in refund.parts:
            if part.record == message.record and part.status is PartStatus.EXECUTED:
                return came_back(folio, refund, replace(part, status=PartStatus.REVERSED), message.result)
    minor = min(counted, payment.foreign)
    after = account.claimed(account.changed(account.replace_payment(folio, replace(payment, foreign=payment.foreign - minor))))
    recipe = recipes.unapplied_foreign_refund if payment.unapplied else recipes.foreign_refund
    amount = account.text(minor, folio.currency)
    return Outcome(
        state=after,
        facts=account.balance_facts(folio, after),
        entries=tuple(recipes.reversal(transfer) for transfer in recipe(folio, payment, minor)) if minor else (),
        trace=(Step("X-3", f"payment {payment.payment}: record {message.record} failed after all, {amount} are with us again"),),
        policy_version=folio.policy,
    )
