"""Commission given back to the property when a line ends (S4-28, S4-38, A-30)."""

from __future__ import annotations

from handlers import account
from handlers.outcome import Step
from handlers.quote import Computation
from schemas.commission import CommissionCreditNoteRequested, CommissionLine
from schemas.folio import Folio
from schemas.money import allocate, parse_rate, rate_text, times
from schemas.policy import CommissionOnPenalty


def credit_note(folio: Folio, computation: Computation) -> tuple[CommissionCreditNoteRequested | None, tuple[Step, ...]]:
    """S4-38, A-30: the booking's commission rate × the part of each service's price that is not kept, half-up per line.

    What is kept bears commission, unless `commission_on_penalty = waived`: then all that was cancelled is given back. A penalty that
    arrhes do not claim and goodwill are not kept. None without a commission rate or anything to give back.
    """
    if not folio.commission_rate:
        return None, ()
    rate = parse_rate(folio.commission_rate)
    services = [(one, one.terms) for one in computation.ended if one.terms is not None]
    kept = [one.kept for one, _ in services]
    let_go = min(sum(kept), computation.waived + computation.goodwill)
    off = allocate(let_go, kept) if let_go else (0,) * len(kept)
    lines, steps = [], []
    for (one, terms), less in zip(services, off, strict=True):
        waived = terms.commission_on_penalty is CommissionOnPenalty.WAIVED
        base = one.price if waived else one.price - one.kept + less
        amount = times(base, rate)
        if not amount:
            continue
        lines.append(CommissionLine(line=one.line.line, base=base, rate=rate_text(rate), amount=amount))
        sums = f"{rate_text(rate)} × {account.text(base, folio.currency)} = {account.text(amount, folio.currency)}"
        steps.append(Step("A-30" if waived else "S4-38", f"line {one.line.line}: commission {sums} credited"))
    if not lines:
        return None, ()
    total = sum(line.amount for line in lines)
    return CommissionCreditNoteRequested(lines=tuple(lines), amount=total, currency=folio.currency), tuple(steps)
