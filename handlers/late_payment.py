"""Money that moves after its booking was cancelled, or that a refund waits for (X-16, X-17).

`handlers.collecting` books the payment first; here is only what the cancellation makes of it. The balance is told there.
"""

from __future__ import annotations

from msgspec.structs import replace

from handlers import account, given_up
from handlers.capture import take_or_release
from handlers.frozen import terms_of
from handlers.outcome import Facts, Outcome, Step, folio_of, merge
from handlers.payment_states import GONE
from handlers.quote_lines import authorised
from handlers.refund import open_refund
from handlers.refund_parts import request_of, with_request_state
from handlers.schedule_told import told_where_moved
from handlers.voucher_schedule import replanned, waiting
from ledger import recipes
from schemas.booking import CollectedBy
from schemas.folio import Folio, FolioPayment, FolioRefund, PartStatus, PaymentStatus, RefundPart, Waiver
from schemas.money import allocate, parse_rate, times
from schemas.policy import RefundBase
from schemas.refund import Destination


def after_cancellation(before: Folio, after: Folio, payment: str, facts: Facts) -> Outcome:
    """X-16, X-17: `after` has the payment; `before` is the folio without this message.

    Final money that moved before the cancellation is recomputed as collected: what was not claimed for want of it is kept after all,
    the rest is one more refund; so is what a partial cancellation would have given back of it (S4-37). A payment that a part waits
    for, once final: that part is requested; failed, or authorised again: dropped. Authorised money is taken as far as it is still needed,
    and released otherwise. Money that moved afterwards (`unapplied`) is left alone.
    """
    known = account.payment_of(after, payment)
    assert known is not None, f"{after.folio} has no payment {payment}"
    waiting = sum(part.minor for refund in after.refunds for part in refund.parts if _waits(part.payment, part.status, payment))
    if known.status in GONE:
        return _lost(after, payment, waiting)
    if known.status is PaymentStatus.AUTHORISED:
        if after.cancelled_at is None:  # it stands for what lives on, and may still be taken
            return Outcome(state=after)
        return _authorised(_without_waiting(after, payment)[0], known, facts)
    if known.status is not PaymentStatus.CAPTURED or known.unapplied:
        return Outcome(state=after)
    gained = account.collected(after) - account.collected(before)
    if gained <= 0:
        return Outcome(state=after)
    after, request = _without_waiting(after, payment)
    reduced = account.before_reduction(after, known)
    covers = max(0, gained - _other_kept(before)) if reduced else gained
    first = (
        _kept_after_all(after, known, gained, covers, facts) if reduced or after.cancelled_at is not None else Outcome(state=after)
    )
    if after.vouchers and after.cancelled_at is None:
        first = merge(first, _replanned(after, folio_of(first), facts))
    settled = folio_of(first)
    more = max(0, (account.collected_then(settled) if reduced else account.collected(settled)) - account.ordered(settled))
    if settled.cancelled_at is None:  # other lines live on: what was overpaid for another reason is not this cancellation's
        more = min(more, gained if reduced else waiting)
    minor = min(more, known.refundable())
    if not minor or _told_none(settled):
        return first
    amount = account.text(minor, settled.currency)
    step = Step("X-16", f"payment {payment} is final and happened before the cancellation: {amount} more to give back")
    opened = open_refund(settled, minor, facts, request=request or _cancelled_by(settled), asked_by="system:late-payment")
    return merge(first, replace(opened, trace=(step, *opened.trace)))


def _other_kept(folio: Folio) -> int:
    """S4-34 while other lines live: what is kept, the fee with it, and not covered by money at hand; late money covers it first."""
    kept = sum(line.kept for line in folio.lines) + account.fee_charged(folio) - folio.waived - folio.claim - folio.goodwill
    promised = sum(payment.authorised for payment in authorised(folio)) + sum(voucher.counts for voucher in waiting(folio))
    return max(0, kept - account.collected_then(folio) - promised)


def _replanned(before: Folio, folio: Folio, facts: Facts) -> Outcome:
    """S0-11, S4-34: what is kept after all of a booking that lives on is to be paid beside its vouchers, told where that moves its
    payments."""
    if account.ordered(folio) == account.ordered(before):
        return Outcome(state=folio)
    after = replanned(folio)
    now, later = (account.text(minor, after.currency) for minor in (after.due_now, after.second_payment))
    step = Step("S0-11", f"what is kept after all is due beside the vouchers: {now} now, {later} later")
    return told_where_moved(folio, after, facts, step)


def _waits(of: str, status: PartStatus, payment: str) -> bool:
    return of == payment and status is PartStatus.WAITING


def _cancelled_by(folio: Folio) -> str:
    return folio.cancelled_by if request_of(folio, folio.cancelled_by) is not None else ""


def _told_none(folio: Folio) -> bool:
    """S4-25: nothing goes back, said the system of record: money beyond what is kept is told as overpaid, as if it had been there. X-20:
    it said so of the guest's; a channel that collected gets back what it has paid beyond."""
    by = request_of(folio, folio.cancelled_by)
    return by is not None and by.told_none and folio.collected_by is not CollectedBy.CHANNEL


def _without_waiting(folio: Folio, payment: str) -> tuple[Folio, str]:
    """The folio whose parts do not wait for this payment any more, and the first request that they were of."""
    waited, refunds = [], []
    for refund in folio.refunds:
        if any(_waits(part.payment, part.status, payment) for part in refund.parts):
            waited.append(refund.request)
            parts = tuple(
                replace(part, status=PartStatus.DROPPED) if _waits(part.payment, part.status, payment) else part
                for part in refund.parts
            )
            refund = replace(refund, parts=parts)
        refunds.append(refund)
    folio = replace(folio, refunds=tuple(refunds))
    for request in waited:
        folio = with_request_state(folio, request)
    return folio, waited[0] if waited else ""


def _lost(folio: Folio, payment: str, waiting: int) -> Outcome:
    if not waiting:
        return Outcome(state=folio)
    folio, _ = _without_waiting(folio, payment)
    text = f"payment {payment} failed: {account.text(waiting, folio.currency)} that waited for it is not refunded"
    return Outcome(state=folio, trace=(Step("X-17", text),))


def _authorised(folio: Folio, payment: FolioPayment, facts: Facts) -> Outcome:
    """X-17: an authorisation of a cancelled booking takes what no capture under way will bring; what happened after the cancellation is
    released."""
    if payment.closing or not payment.provider or not payment.reference:
        return Outcome(state=folio)
    owed = max(0, account.balance(folio) - account.under_way(folio))
    covered = folio if payment.unapplied else _restored(folio, max(0, payment.authorised - owed), payment)
    capture = 0 if payment.unapplied else min(payment.authorised, owed + folio.waived - covered.waived)
    entries = given_up.entries(folio, covered, payment.payment)
    taken, released = (account.text(minor, folio.currency) for minor in (capture, payment.authorised - capture))
    step = Step("X-17", f"payment {payment.payment}, authorised only: {taken} taken, {released} released")
    return replace(take_or_release(covered, ((payment, capture),), facts), entries=entries, trace=(step,))


def _kept_after_all(folio: Folio, payment: FolioPayment, gained: int, covers: int, facts: Facts) -> Outcome:
    """S4-34, A-4: a penalty that was not claimed because too little was collected, up to `gained`, and a claim, up to `covers` of it; with
    the base `collected` the part that the rate of the cancellation keeps. What was given up before this money moved stays given up."""
    covered = _restored(folio, gained, payment)
    restored = folio.waived - covered.waived
    claimed = min(folio.claim, max(0, covers - restored))
    amount = account.text(restored, folio.currency)
    steps = (Step("S4-34", f"{amount} of the penalty is covered after all"),) if restored else ()
    covered = replace(covered, claim=folio.claim - claimed)
    out = Outcome(state=covered, entries=given_up.entries(folio, covered), trace=steps)
    return merge(out, _kept_of_collected(covered, max(0, covers - restored - claimed), facts))


def _restored(folio: Folio, minor: int, payment: FolioPayment) -> Folio:
    """The folio once `minor` of this money covers what was given up, as it would have then: of the oldest cancellation that it may cover
    first, each after what was to be paid before, and last of the whole booking's; not what was given up before it moved."""
    at, left, rest, restored = payment.occurred_at, list[Waiver](), minor, 0
    for one in folio.waivers:
        if at is None or at <= one.at:
            covered = min(one.minor, max(0, rest - one.first))
            one = replace(one, minor=one.minor - covered, first=max(0, one.first - rest))
            rest, restored = rest - covered, restored + covered
        if one.minor:
            left.append(one)
    whole = folio.waived - sum(one.minor for one in folio.waivers)
    return given_up.taken_up(folio, restored + min(rest, whole), tuple(left))


def _kept_of_collected(folio: Folio, gained: int, facts: Facts) -> Outcome:
    request = request_of(folio, folio.cancelled_by)
    quote = request.quote if request is not None else None
    if quote is None or not gained:
        return Outcome(state=folio)
    rates = {line.line: parse_rate(line.refund_rate) for line in quote.lines}
    lines = [line for line in folio.lines if line.line in rates and line.price]
    if not lines:
        return Outcome(state=folio)
    out, parts = Outcome(state=folio), allocate(gained, [line.price for line in lines])
    for line, part in zip(lines, parts, strict=True):
        terms = terms_of(facts, line)
        if terms is None or terms.refund_base is not RefundBase.COLLECTED:
            continue
        more = min(part - times(part, rates[line.line]), line.price - line.kept)
        folio = account.replace_line(folio, replace(line, kept=line.kept + more))
        text = f"line {line.line}: {account.text(part, folio.currency)} more collected, {account.text(more, folio.currency)} of it kept"
        entries = recipes.line_taken_again(folio, line, more) + recipes.penalty_kept(folio, line, more)
        out = merge(out, Outcome(state=folio, entries=entries, trace=(Step("A-4", text),)))
    return out


def waiting_refund(folio: Folio, minor: int, request: str, facts: Facts) -> Folio:
    """X-17: the folio with what pending payments will give once they are final, last paid first: promised to nobody yet."""
    if not minor:
        return folio
    parts, left = [], minor
    for payment in reversed(account.pending(folio)):
        part = min(left, payment.authorised)
        left -= part
        if part:
            parts.append(_waiting_part(payment, part))
    if not parts:
        return folio
    refund = FolioRefund(refund=facts.id("waiting"), minor=minor - left, due_by=facts.act, parts=tuple(parts), request=request)
    return with_request_state(replace(folio, refunds=(*folio.refunds, refund)), request)


def _waiting_part(payment: FolioPayment, minor: int) -> RefundPart:
    return RefundPart(
        payment=payment.payment,
        tender=payment.tender,
        minor=minor,
        destination=Destination.MANUAL.value,
        status=PartStatus.WAITING,
        number=0,
    )
