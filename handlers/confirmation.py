"""A cancellation that is wanted: the folio after it, its entries, and every outcome in its order (S4-28, S4-30).

Who may, and when, is `handlers.cancellation`; the arithmetic is `handlers.quote`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

from msgspec.structs import replace

from handlers import account, commission, given_up, stock
from handlers.booking import SECOND_PAYMENT
from handlers.capture import take_or_release
from handlers.deposit import line_deposit
from handlers.frozen import property_policy
from handlers.late_payment import waiting_refund
from handlers.outcome import Facts, Outcome, Step, Timer, folio_of, merge
from handlers.quote import Computation
from handlers.quote_lines import ASIDE
from handlers.refund import due_days, open_refund
from handlers.refund_parts import with_request, with_request_state
from handlers.refund_reply import OVERDUE, manual_required, timer
from handlers.voucher_accept import rescheduled
from handlers.voucher_release import released
from ledger import recipes
from ledger.recipes import Transfers
from schemas.booking import DepositNature
from schemas.cancellation import CancellationConfirmed, Cause
from schemas.common import Fact
from schemas.folio import CancelRequest, Folio, FolioRefund, PartStatus, RefundPart, RequestStatus, Waiver
from schemas.payment import Tender
from schemas.refund import Destination, RefundDecided, RefundDestination


def versions(folio: Folio, computation: Computation) -> str:
    """X-8: the frozen policies by which this was decided: the property's, then the lines' terms."""
    terms = dict.fromkeys([one.line.policy for one in computation.ended if one.line.policy])
    return " ".join((folio.policy, *terms))


class GiveBack(Protocol):
    """How a cancellation gives back: `handlers.refund.open_refund`, or into a voucher (S0-26)."""

    def __call__(
        self, folio: Folio, minor: int, facts: Facts, *, request: str = "", asked_by: str = "", approve: str = ""
    ) -> Outcome: ...


def confirm(
    folio: Folio,
    request: CancelRequest,
    computation: Computation,
    facts: Facts,
    *,
    asked_by: str,
    approve: str = "",
    give_back: GiveBack = open_refund,
) -> Outcome:
    """S4-28, S4-30: lines end, stock and commission go back, authorised money is taken or released, refunds are asked for.

    `request` carries the quote. `approve`: why a second person must grant the refund. Facts in this order: confirmed, stock,
    commission, balance, refunds.
    """
    quote = request.quote
    assert quote is not None, f"request {request.request} has no quote"
    after = replace(
        commission.settled(folio, computation),
        changes=folio.changes + 1,
        requests=with_request(folio.requests, replace(request, status=RequestStatus.CONFIRMED)),
        **({"cancelled_at": facts.act, "cancelled_by": request.request} if computation.whole else {"reduced_at": facts.act}),
        waivers=_waivers(folio, computation, facts),
    )
    taken = take_or_release(after, [(one.payment, one.capture) for one in computation.taken], facts, asked_by)
    refunded = give_back(folio_of(taken), computation.refund, facts, request=request.request, asked_by=asked_by, approve=approve)
    doubled = _arrhes_double(folio_of(refunded), folio, computation, request, facts)
    freed = released(folio_of(doubled), "the booking is cancelled") if computation.whole else Outcome(state=folio_of(doubled))
    replanned = rescheduled(folio, folio_of(freed), facts) if folio.vouchers and not computation.whole else freed
    final = waiting_refund(folio_of(replanned), computation.waiting, request.request, facts)
    note, commission_steps = commission.credit_note(folio, after, computation)
    free = stock.released(folio, computation.ended, computation.here.today)
    confirmed = CancellationConfirmed(
        request=request.request,
        quote=quote.quote,
        lines=quote.lines,
        penalty=computation.penalty,
        refund=computation.refund,
        claim=computation.claim,
        kept=computation.kept,
        currency=folio.currency,
    )
    told: tuple[Fact | None, ...] = (confirmed, free, note, *account.balance_facts(folio, final))
    cancel = (f"quote:{request.request}", *((SECOND_PAYMENT,) if computation.whole else ()))
    first = Outcome(
        state=after,
        facts=tuple([fact for fact in told if fact is not None]),
        entries=entries(folio, computation, request.request),
        cancel=cancel,
        trace=(*computation.trace, *commission_steps),
        policy_version=versions(folio, computation),
    )
    whole = first
    for more in (taken, refunded, doubled, freed) if replanned is freed else (taken, refunded, doubled, freed, replanned):
        if more.state is not whole.state:  # else nothing was to be done
            whole = merge(whole, more)
    return replace(whole, state=final, policy_version=first.policy_version)


def entries(folio: Folio, computation: Computation, subject: str) -> Transfers:
    """X-4: the transfers of what the lines give back and keep, of the fee, of what is given up and of the goodwill."""
    result: Transfers = ()
    for one in computation.ended:
        result += recipes.line_given_back(folio, one.line, one.price - one.kept)
        if one.line.kind not in ASIDE:
            result += recipes.penalty_kept(folio, one.line, one.kept)
    result += recipes.fee_returned(folio, computation.fee_back)
    result += given_up.entries(folio, computation.after)
    return result + recipes.goodwill(folio, computation.goodwill, subject)


def _waivers(folio: Folio, computation: Computation, facts: Facts) -> tuple[Waiver, ...]:
    """X-16, S4-34: what some lines' cancellation gave up stands apart, since only money of before covers it."""
    if computation.whole or not computation.waived:
        return folio.waivers
    aside = given_up.more_aside(folio, computation.after)
    return (*folio.waivers, Waiver(at=facts.act, minor=computation.waived, aside=aside, first=computation.first))


def _arrhes_double(after: Folio, folio: Folio, computation: Computation, request: CancelRequest, facts: Facts) -> Outcome:
    """S4-44: the owner withdraws from a contract with arrhes, and `arrhes_double` is on: as much again as the arrhes that were
    collected, by hand, since no payment may give more than it brought (X-3)."""
    if not computation.whole or request.cause is not Cause.OWNER or folio.deposit_nature is not DepositNature.ARRHES:
        return Outcome(state=after)
    policy = property_policy(facts, folio)
    if not policy.arrhes_double:
        return Outcome(state=after)
    deposit = sum(line_deposit(one.line.price, one.terms) for one in computation.ended if one.terms is not None)
    minor = min(deposit, max(0, account.collected(folio) - account.fee_charged(folio)))
    if not minor:
        return Outcome(state=after)
    refund_id = facts.id("arrhes")
    part = RefundPart(
        payment="",
        tender=Tender.BANK_TRANSFER,
        minor=minor,
        destination=Destination.MANUAL.value,
        status=PartStatus.MANUAL,
        number=1,
    )
    due_by = facts.act + timedelta(days=due_days(folio, policy))
    refund = FolioRefund(refund=refund_id, minor=minor, due_by=due_by, parts=(part,), request=request.request)
    decided = RefundDecided(
        refund=refund_id,
        amount=minor,
        currency=folio.currency,
        destinations=(RefundDestination(payment="", tender=part.tender.value, amount=minor, destination=Destination.MANUAL.value),),
        refund_due_by=due_by,
    )
    amount = account.text(minor, folio.currency)
    return Outcome(
        state=with_request_state(replace(after, refunds=(*after.refunds, refund)), request.request),
        facts=(decided, manual_required(folio, refund_id, part, "arrhes returned double by the professional")),
        entries=recipes.goodwill(folio, minor, refund_id) + recipes.refund_decided(folio, minor, refund_id),
        timers=(Timer(name=timer(refund_id), due=due_by, kind=OVERDUE, subject=refund_id),),
        trace=(Step("S4-44", f"arrhes of {amount} are returned double: {amount} more"),),
    )
