"""What accountants are told of a decision: sales, what is kept of them, credit notes, with their VAT (X-23).

It reads the folio before and after and knows no message: whatever changes a line is told, by whichever way it came. Nothing is told of
lines whose VAT nobody has said. Amounts are minor units with VAT in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import Final, NamedTuple

from msgspec.structs import replace

from handlers import account
from handlers.accounting_kept import before_of, kept_of, parts_of, taxed_of
from handlers.frozen import property_policy
from handlers.outcome import Facts, Outcome, Step
from handlers.quote_lines import ASIDE
from handlers.refund_parts import request_of
from handlers.voucher_worth import entity_of
from schemas.accounting import CreditNoteRequested, KeptLine, PenaltyStated, SaleStated, SoldLine, VatTreatment
from schemas.cancellation import CancellationConfirmed, Cause
from schemas.common import Fact
from schemas.folio import Folio, FolioLine, KeptPart
from schemas.money import ZERO_RATE, included, parse_rate

_ORDERS: Final = frozenset({"booking.requested", "booking.confirmed", "booking.changed"})


class _Told(NamedTuple):
    """What is said of one line: sales, or with `back` what a credit note takes back."""

    line: SoldLine
    back: bool


def accounted(outcome: Outcome, facts: Facts) -> Outcome:
    """X-23: what was decided, with what accountants are told of it: sales, what is kept, and one credit-note request at most.

    The outcome itself where no line's VAT is known, or nothing of the lines changed.
    """
    after, before = outcome.state, facts.folio
    if not isinstance(after, Folio) or (before is not None and _same(before, after)) or not _known(before, after):
        return outcome
    policy = property_policy(facts, after)
    old = {line.line: line for line in before.lines} if before is not None else {}
    settled = kept_of(before, after, old, _cause(outcome, after), policy.penalty_vat, facts.act)
    sold = _sold(old, settled, orders=facts.name in _ORDERS)
    kept = _penalties(old, settled)
    back = tuple([one.line for one in sold if one.back])
    more = tuple([one.line for one in sold if not one.back])
    settled = replace(settled, credit_notes=settled.credit_notes + 1) if back else settled
    told = _facts(settled, more, kept, back, entity_of(policy, facts.tenant), _request(outcome, settled))
    steps = _steps(more, kept, back, settled)
    return replace(outcome, state=settled, facts=(*outcome.facts, *told), trace=(*outcome.trace, *steps))


def _facts(
    folio: Folio,
    more: tuple[SoldLine, ...],
    kept: tuple[KeptLine, ...],
    back: tuple[SoldLine, ...],
    entity: str,
    request: str,
) -> list[Fact]:
    """At most one of each, in this order."""
    place, currency = folio.property, folio.currency
    told: list[Fact] = []
    if more:
        amount, vat = _sum(more)
        told.append(SaleStated(property=place, entity=entity, lines=more, amount=amount, vat=vat, currency=currency))
    if kept:
        amount, vat = _sum(kept)
        told.append(
            PenaltyStated(request=request, property=place, entity=entity, lines=kept, amount=amount, vat=vat, currency=currency)
        )
    if back:
        amount, vat = _sum(back)
        told.append(
            CreditNoteRequested(
                number=folio.credit_notes,
                request=request,
                property=place,
                entity=entity,
                lines=back,
                amount=amount,
                vat=vat,
                currency=currency,
            )
        )
    return told


def _same(before: Folio, after: Folio) -> bool:
    return before.lines == after.lines and (before.waived, before.goodwill) == (after.waived, after.goodwill)


def _known(*folios: Folio | None) -> bool:
    return any(line.vat_rate for folio in folios if folio is not None for line in folio.lines)


def _confirmed(outcome: Outcome) -> CancellationConfirmed | None:
    return next((fact for fact in outcome.facts if isinstance(fact, CancellationConfirmed)), None)


def _request(outcome: Outcome, folio: Folio) -> str:
    """The cancellation that this belongs to: the one that was confirmed, else the one that ended the folio."""
    confirmed = _confirmed(outcome)
    return confirmed.request if confirmed is not None else folio.cancelled_by


def _cause(outcome: Outcome, folio: Folio) -> Cause | None:
    request = request_of(folio, _request(outcome, folio))
    return request.cause if request is not None else None


def _standing(line: FolioLine) -> int:
    """What is sold of a line: its price while it lives, and what of a cancelled price is kept as a price. Of tourist tax and
    insurance what is kept, and is not given up, stays sold (X-23)."""
    return (0 if line.cancelled else line.price) + (line.kept - line.given_up if line.kind in ASIDE else taxed_of(line))


def _vat(line: FolioLine, minor: int) -> int:
    return included(minor, parse_rate(line.vat_rate) if line.vat_rate else ZERO_RATE)


def _sold(old: Mapping[str, FolioLine], after: Folio, *, orders: bool) -> list[_Told]:
    """What is sold more and less than before, line by line; what leaves by a change of the booking is no credit note's."""
    told: list[_Told] = []
    for line in after.lines:
        was = before_of(old, line)
        if was.vat_rate == line.vat_rate:
            amount, vat = _standing(line) - _standing(was), _vat(line, _standing(line)) - _vat(was, _standing(was))
            told += _one(line, amount, vat, change=orders)
        else:  # another rate: all of it is sold anew
            told += _one(was, -_standing(was), -_vat(was, _standing(was)), change=orders)
            told += _one(line, _standing(line), _vat(line, _standing(line)), change=orders)
    left = [line for name, line in old.items() if account.line_of(after, name) is None]
    for gone in left:
        told += _one(gone, -_standing(gone), -_vat(gone, _standing(gone)), change=True)
    return told


def _one(line: FolioLine, amount: int, vat: int, *, change: bool) -> list[_Told]:
    if not amount or not line.vat_rate:
        return []
    back = amount < 0 and not change
    sign = -1 if back else 1
    sold = SoldLine(line=line.line, kind=line.kind, amount=sign * amount, vat_rate=line.vat_rate, vat=sign * vat)
    return [_Told(sold, back)]


def _penalties(old: Mapping[str, FolioLine], after: Folio) -> tuple[KeptLine, ...]:
    """What is kept of services more, or less, than before, each reason for itself; at another rate what bears VAT is stated anew."""
    told: list[KeptLine] = []
    for line in after.lines:
        was = before_of(old, line)
        if was.vat_rate != line.vat_rate and taxed_of(was):
            none = replace(
                was, kept_parts=tuple([replace(part, let_go=part.minor) if part.taxed else part for part in parts_of(was)])
            )
            told += _kept(was, none) if was.vat_rate else ()
            was = replace(none, vat_rate=line.vat_rate)
        told += _kept(was, line) if line.vat_rate else ()
    return tuple(told)


def _kept(was: FolioLine, line: FolioLine) -> list[KeptLine]:
    """Of one line. What was told of its VAT adds up to that of all it keeps: the last that bears any has the cent of rounding."""
    stood = chain(parts_of(was), repeat(None))
    moved = [one for old, part in zip(stood, line.kept_parts, strict=False) for one in _moved(old, part) if one[0] != one[1].rest()]
    left, taxed = _vat(line, taxed_of(line)) - _vat(was, taxed_of(was)), sum(part.taxed for _, part in moved)
    told: list[KeptLine] = []
    for rest, part in moved:
        vat = 0
        if part.taxed:
            taxed -= 1
            vat = _vat(line, part.rest()) - _vat(line, rest) if taxed else left
            left -= vat
        told.append(
            KeptLine(
                line=line.line,
                amount=part.rest() - rest,
                reason=part.reason,
                treatment=VatTreatment.TAXABLE if part.taxed else VatTreatment.OUT_OF_SCOPE,
                vat_rate=line.vat_rate if part.taxed else "",
                vat=vat,
            )
        )
    return told


def _moved(old: KeptPart | None, part: KeptPart) -> list[tuple[int, KeptPart]]:
    """What of the part was kept before, and the part; kept for another reason now, it is taken back under the one it was stated with."""
    if old is None or (old.reason, old.taxed) == (part.reason, part.taxed):
        return [(old.rest() if old is not None else 0, part)]
    return [(old.rest(), replace(old, let_go=old.minor)), (0, part)]


def _sum(lines: Sequence[SoldLine | KeptLine]) -> tuple[int, int]:
    return sum(line.amount for line in lines), sum(line.vat for line in lines)


def _steps(more: Sequence[SoldLine], kept: Sequence[KeptLine], back: Sequence[SoldLine], folio: Folio) -> list[Step]:
    def text(minor: int) -> str:
        return account.text(minor, folio.currency)

    steps = [Step("X-23", f"line {one.line}: {text(one.amount)} sold, VAT {one.vat_rate} in it is {text(one.vat)}") for one in more]
    for one in kept:
        vat = f"VAT {one.vat_rate} in it is {text(one.vat)}" if one.vat_rate else "without VAT"
        steps.append(Step("X-23", f"line {one.line}: {text(one.amount)} kept, {one.reason.value} is {one.treatment.value}: {vat}"))
    note = f"credit note {folio.credit_notes} of {folio.folio}"
    steps += [
        Step("X-23", f"{note}, line {one.line}: {text(one.amount)} back, VAT {one.vat_rate} in it is {text(one.vat)}")
        for one in back
    ]
    return steps
