"""Commission of what is sold and kept (X-20), given back to the property when a line ends (S4-28, S4-38, A-30),
and due again for what is kept after all (X-16)."""

from __future__ import annotations

from collections.abc import Container, Iterable
from fractions import Fraction

from msgspec.structs import replace

from handlers import account
from handlers.frozen import WITH_TERMS, terms_of
from handlers.given_up import aside
from handlers.outcome import Facts, Outcome, Step
from handlers.quote import Computation
from handlers.refund_parts import request_of
from schemas.commission import CommissionCreditNoteRequested, CommissionLine
from schemas.folio import Folio, FolioLine
from schemas.money import ZERO_RATE, allocate, parse_rate, rate_text, times
from schemas.policy import CommissionOnPenalty


def bearing(line: FolioLine) -> int:
    """What of a line bears commission, minor units: its price while it lives, and what of a cancelled price is kept with commission."""
    return line.kept - line.commission_free + (0 if line.cancelled else line.price)


def of_line(line: FolioLine, rate: Fraction) -> int:
    """S4-38, X-20: the rate × what of a service bears commission, half-up, but for what it kept while the booking had another rate: that
    has the commission it had; minor units."""
    return line.settled_commission + times(bearing(line) - line.settled_base, rate)


def rate_of(folio: Folio) -> Fraction:
    """What the channel takes; nothing where no rate was told."""
    return parse_rate(folio.commission_rate) if folio.commission_rate else ZERO_RATE


def at_another_rate(before: Folio, after: Folio) -> Folio:
    """X-20: a booking that is changed to another rate has it for what is sold from then on; what its services keep of cancellations
    before has the commission of the rate that it was kept at. A first rate is that of what was kept before it, too."""
    rate = rate_of(before)
    if not before.commission_rate or rate == rate_of(after):
        return after
    lines = [
        replace(line, settled_base=base, settled_commission=line.settled_commission + times(base - line.settled_base, rate))
        if line.kind in WITH_TERMS and (base := line.kept - line.commission_free)
        else line
        for line in after.lines
    ]
    return replace(after, lines=tuple(lines))


def settled(folio: Folio, computation: Computation) -> Folio:
    """S4-38, A-30: the folio after it, whose services know what of what they keep bears no commission.

    What is kept bears it, unless `commission_on_penalty = waived`. A penalty that arrhes do not claim and goodwill are not kept; what
    is given up of tourist tax and insurance bore none (X-23). Nothing is known of it without a commission rate.
    """
    services = [(one, one.terms) for one in computation.ended if one.terms is not None]
    kept = [one.kept for one, _ in services]
    if not computation.after.commission_rate or not any(kept):
        return computation.after
    let_go = min(sum(kept), computation.waived - (aside(computation.after) - aside(folio)) + computation.goodwill)
    off = allocate(let_go, kept) if let_go else (0,) * len(kept)
    free = {
        one.line.line: one.kept if terms.commission_on_penalty is CommissionOnPenalty.WAIVED else less
        for (one, terms), less in zip(services, off, strict=True)
    }
    lines = [
        replace(line, commission_free=line.commission_free + free[line.line]) if free.get(line.line) else line
        for line in computation.after.lines
    ]
    return replace(computation.after, lines=tuple(lines))


def credit_note(
    folio: Folio, after: Folio, computation: Computation
) -> tuple[CommissionCreditNoteRequested | None, tuple[Step, ...]]:
    """S4-38, A-30: the commission of what each service was less the commission of what is left of it (`after`: `settled`), so that the
    credits of a line add up to what was charged. None without a commission rate or anything to give back.
    """
    now = {line.line: line for line in after.lines}
    ended = [
        (one.line, now[one.line.line], "A-30" if one.terms.commission_on_penalty is CommissionOnPenalty.WAIVED else "S4-38")
        for one in computation.ended
        if one.terms is not None
    ]
    return _note(folio, ended)


def kept_after_all(folio: Folio, after: Folio, facts: Facts) -> Outcome:
    """X-16, S4-38: `after`, with the commission of what money that is told late keeps after all. It was credited when the booking was
    cancelled and is due again: a note of negative amounts. What commission_on_penalty = waived has freed stays free (A-30)."""
    if not after.commission_rate or (after.lines == folio.lines and after.waived == folio.waived):
        return Outcome(state=after)
    free = _free(folio, after, {line.line for line in after.lines if _waived(line, facts)})
    lines = tuple([replace(line, commission_free=free.get(line.line, line.commission_free)) for line in after.lines])
    note, steps = _note(folio, [(was, now, "S4-38") for was, now in zip(folio.lines, lines, strict=True) if now.kind in WITH_TERMS])
    return Outcome(state=replace(after, lines=lines), facts=() if note is None else (note,), trace=steps)


def _waived(line: FolioLine, facts: Facts) -> bool:
    terms = terms_of(facts, line)
    return terms is not None and terms.commission_on_penalty is CommissionOnPenalty.WAIVED


def _free(folio: Folio, after: Folio, waived: Container[str]) -> dict[str, int]:
    """What of each service bears no commission: where less of it is given up than in `folio`, by what each keeps (X-5), of the booking's
    own cancellation apart from those of lines before it; the fee is covered first (S4-34)."""
    request = request_of(after, after.cancelled_by)
    last = {line.line for line in request.quote.lines} if request is not None and request.quote is not None else set()
    lost, less = [sum(waiver.minor for waiver in one.waivers) for one in (folio, after)]
    given = [one.waived - aside(one) - before for one, before in ((folio, lost), (after, less))]
    services = [line for line in after.lines if line.kind in WITH_TERMS and line.kept]
    free: dict[str, int] = {}
    for of, was, now in ((True, *given), (False, lost, less)):
        lines = [line for line in services if (line.line in last) is of]
        kept = [line.kept for line in lines]
        back = min(was, sum(kept)) - now
        if back > 0:
            parts = allocate(max(0, sum(line.commission_free for line in lines) - back), kept)
            free |= {line.line: part for line, part in zip(lines, parts, strict=True)}
    kept_before = {line.line: line.kept for line in folio.lines}
    return free | {line.line: line.commission_free + line.kept - kept_before[line.line] for line in services if line.line in waived}


def _note(
    folio: Folio, moved: Iterable[tuple[FolioLine, FolioLine, str]]
) -> tuple[CommissionCreditNoteRequested | None, tuple[Step, ...]]:
    """What each line was, what is left of it, and the rule of that: the difference is credited; due again where it is negative."""
    rate = rate_of(folio)
    lines, steps = [], []
    for was, rest, rule in moved:
        base, amount = bearing(was) - bearing(rest), of_line(was, rate) - of_line(rest, rate)
        if not amount:
            continue
        lines.append(CommissionLine(line=was.line, base=base, rate=rate_text(rate), amount=amount))
        sums = _sums(was, rest, rate, folio.currency) if amount > 0 else _sums(rest, was, rate, folio.currency)
        word = "credited" if amount > 0 else "due again"
        steps.append(Step(rule, f"line {was.line}: commission {sums} = {account.text(abs(amount), folio.currency)} {word}"))
    if not lines:
        return None, ()
    total = sum(line.amount for line in lines)
    return CommissionCreditNoteRequested(lines=tuple(lines), amount=total, currency=folio.currency), tuple(steps)


def _sums(was: FolioLine, rest: FolioLine, rate: Fraction, currency: str) -> str:
    """The rate × what bears none any more; where rounding parts the two, the rate × what did less the rate × what does."""
    base = bearing(was) - bearing(rest)
    if times(base, rate) == of_line(was, rate) - of_line(rest, rate):
        return f"{rate_text(rate)} × {account.text(base, currency)}"
    stood, stands = [f"{rate_text(rate)} × {account.text(bearing(line), currency)}" for line in (was, rest)]
    return f"{stood} − {stands}"
