"""What a cancellation gives: penalties line by line, refund, claim, and what is taken from or released of authorised money.

Pure arithmetic on a folio. `after` of a `Computation` is the folio as it would stand, before any refund; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from handlers import account
from handlers.frozen import Local, local, terms_of
from handlers.given_up import given_up
from handlers.outcome import Facts, Step
from handlers.quote_lines import EVERYTHING_BACK, Ended, authorised, chosen_lines, end_line, line_steps, rate_of, shares_of
from handlers.voucher_schedule import waiting
from schemas.booking import CollectedBy, DepositNature
from schemas.cancellation import Cause, LineChoice, QuotedLine
from schemas.folio import Folio, FolioLine, FolioPayment, FolioQuote, FolioStatus
from schemas.policy import PropertyPolicy

_CHANNEL = CollectedBy.CHANNEL  # an enum looks its members up by name at every mention


class Captured(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """X-17: what becomes of an authorised payment: `capture` minor units are taken, the rest is released (0: void)."""

    payment: FolioPayment
    capture: int


class Computation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The arithmetic of one cancellation, minor units. refund + kept = collected (final money alone, X-17), but where more
    is gone than was ever here: then nothing is kept, and nobody owes a penalty for it (X-3)."""

    here: Local
    ended: tuple[Ended, ...]
    whole: bool
    after: Folio
    fee_back: int
    penalty: int
    refund: int
    claim: int
    waived: int
    kept: int
    first: int = 0  # what was kept already and is not paid: money covers it before what is waived here
    goodwill: int = 0
    taken: tuple[Captured, ...] = ()
    waiting: int = 0  # more refund once pending payments are final
    trace: tuple[Step, ...] = ()

    def lines(self) -> tuple[QuotedLine, ...]:
        """The lines as facts show them."""
        return tuple([QuotedLine(line=ended.line.line, refund_rate=ended.rate, penalty=ended.penalty) for ended in self.ended])


def quoted(computation: Computation, folio: Folio, facts: Facts, until: datetime | None = None) -> FolioQuote:
    """What is shown of it, bound to the folio as it is; `until` None: it is decided at once."""
    return FolioQuote(
        quote=facts.id("quote"),
        made_at=facts.act,
        valid_until=until or facts.act,
        changes=folio.changes,
        lines=computation.lines(),
        penalty=computation.penalty,
        refund=computation.refund,
        claim=computation.claim,
        kept=computation.kept,
    )


def compute(folio: Folio, choices: tuple[LineChoice, ...], cause: Cause, facts: Facts) -> Computation:
    """S4-32, S4-33, S4-37: penalty per line, then refund = max(0, collected - ordered_after); ordered_after = what remains + kept + fee.

    No choices: all live lines. Judged at `facts.act`. Raises Rejected `unknown_line`, `already_cancelled`, `not_fewer_nights`,
    `amount_above_total`, `arrival_missing`.
    """
    here = local(facts, folio)
    chosen = [(choice, line, terms_of(facts, line)) for choice, line in chosen_lines(folio, choices)]
    shares = shares_of(folio, [(line, terms) for _, line, terms in chosen])
    ended: list[Ended] = []
    trace: list[Step] = []
    for choice, line, terms in chosen:
        rate, why, rule = rate_of(folio, line, terms, choice, cause, here)
        share = shares.get(line.line)
        one = end_line(line, terms, choice, rate, share)
        ended.append(one)
        trace += line_steps(one, why, rule, folio.currency, share)
    return settle(folio, tuple(ended), cause, here, trace)


def settle(
    folio: Folio,
    ended: tuple[Ended, ...],
    cause: Cause,
    here: Local,
    trace: Sequence[Step] = (),
    fee_back: int | None = None,
) -> Computation:
    """S4-37, S4-9: the folio with these lines ended, their penalties added up, and what follows for fee, claim, authorised and
    collected money. X-20: what a channel has collected covers the penalties: it owes them.

    `fee_back`: how much of the fee is given back, where the system of record said so (S4-25).
    """
    lines = _with_ended(folio, ended)
    whole = not [line for line in lines if not line.cancelled]
    fee_step: tuple[Step, ...] = ()
    if fee_back is None:
        fee_back, fee_step = _fee(folio, whole, cause, here.policy)
    status = FolioStatus.CANCELLED if whole else folio.status
    after = replace(folio, lines=lines, status=status, fee_returned=folio.fee_returned + fee_back)
    collected, open_ = account.collected(folio), authorised(folio)
    ordered, at_hand = account.ordered(after), max(0, collected)
    if open_:
        at_hand += sum([payment.authorised for payment in open_])
    if folio.vouchers and not whole:
        at_hand += sum([voucher.counts for voucher in waiting(folio)])  # S0-19: promised, until the merchant has checked
    uncovered = 0 if folio.collected_by is _CHANNEL else max(0, (ordered if whole else _kept(after)) - at_hand)
    short = _short(uncovered, folio, None if whole else ended)
    claim = short if folio.deposit_nature is DepositNature.ACOMPTE else 0
    if short or folio.claim:
        after = replace(after, claim=min(folio.claim, uncovered) + claim)
        after = given_up(after, short - claim, None if whole else [one.line.line for one in ended])
        ordered -= short - claim
    refund = collected - ordered if collected > ordered else 0
    pending = account.pending_minor(folio)
    steps = [*trace, *fee_step, _sum_step(ordered, collected, refund, folio.currency)]
    if short:
        what = "is a claim, not collected" if claim else "is not claimed"
        nature = folio.deposit_nature.value
        steps.append(Step("S4-34", f"{account.text(short, folio.currency)} beyond what was collected {what} ({nature})"))
    if pending:
        steps.append(Step("X-17", f"{account.text(pending, folio.currency)} not final at the provider: what depends on it waits"))
    taken = _taken(open_, ordered - max(0, collected)) if whole and open_ else ()
    steps += [_taken_step(one, folio.currency) for one in taken]
    return Computation(
        here=here,
        ended=ended,
        whole=whole,
        after=after,
        fee_back=fee_back,
        penalty=sum([one.penalty for one in ended]),
        refund=refund,
        claim=claim,
        waived=short - claim,
        first=max(0, uncovered - folio.claim - short),
        kept=max(0, collected - refund),
        taken=taken,
        waiting=max(0, collected + pending - ordered - (short - claim)) - refund if pending else 0,
        trace=tuple(steps),
    )


def _with_ended(folio: Folio, ended: tuple[Ended, ...]) -> tuple[FolioLine, ...]:
    after = {one.line.line: _ended_line(one) for one in ended}
    return tuple([after.get(line.line, line) for line in folio.lines])


def _ended_line(one: Ended) -> FolioLine:
    kept = one.line.kept + one.kept
    if one.rest is None:
        return replace(one.line, kept=kept, cancelled=True)
    return replace(one.line, kept=kept, price=one.rest, departure=one.departure)


def _fee(folio: Folio, whole: bool, cause: Cause, policy: PropertyPolicy) -> tuple[int, tuple[Step, ...]]:
    """S4-5, S4-27: the service fee stays; A-5, A-7, S4-44, X-24: but where a knob or a package gives it back with all."""
    fee = account.fee_charged(folio)
    if not fee:
        return 0, ()
    amount = account.text(fee, folio.currency)
    if whole and folio.is_package and cause in EVERYTHING_BACK:
        return fee, (Step("X-24", f"package, {cause.value}: service fee {amount} given back too"),)
    if whole and cause in policy.fee_refundable_on:
        rule = "S4-44" if cause is Cause.OWNER else "S4-35"
        return fee, (Step(rule, f"{cause.value}: service fee {amount} given back (fee_refundable_on)"),)
    return 0, (Step("S4-5", f"service fee {amount} is kept"),)


def _kept(after: Folio) -> int:
    """S4-34: what is kept while other lines live, the fee with it, minor units; the rest of what is ordered is their balance."""
    return sum(line.kept for line in after.lines) + account.fee_charged(after) - after.waived - after.goodwill


def _short(uncovered: int, folio: Folio, ended: tuple[Ended, ...] | None) -> int:
    """S4-34: what is kept beyond the money at hand (collected and authorised) and is not claimed yet, minor units. While other lines
    live, only what the lines that end now keep can be short; None: the whole."""
    short = max(0, uncovered - folio.claim)
    return short if ended is None else min(sum(one.kept for one in ended), short)


def _taken(payments: tuple[FolioPayment, ...], needed: int) -> tuple[Captured, ...]:
    """X-17: of each authorised payment what is still needed, first paid first; the rest is released."""
    taken = []
    for payment in payments:
        capture = min(payment.authorised, max(0, needed))
        needed -= capture
        taken.append(Captured(payment=payment, capture=capture))
    return tuple(taken)


def _taken_step(one: Captured, currency: str) -> Step:
    released = account.text(one.payment.authorised - one.capture, currency)
    taken = account.text(one.capture, currency)
    return Step("X-17", f"payment {one.payment.payment}, authorised only: {taken} taken, {released} released")


def _sum_step(ordered: int, collected: int, refund: int, currency: str) -> Step:
    has, owes = account.text(collected, currency), account.text(ordered, currency)
    return Step("S4-37", f"refund = max(0, {has} collected − {owes} still ordered) = {account.text(refund, currency)}")
