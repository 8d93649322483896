"""The lines that a cancellation ends: which, at what rate, and what each keeps of its price (S4-9, S4-32, S4-37, X-23).

Pure arithmetic on a folio; `handlers.quote` adds the lines up.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from fractions import Fraction

import msgspec

from handlers import account
from handlers.frozen import Local
from handlers.outcome import Step
from handlers.penalty import capped, last_rate, penalty, refund_rate
from schemas.booking import CollectedBy, LineKind
from schemas.cancellation import Cause, LineChoice
from schemas.errors import Rejected
from schemas.folio import Folio, FolioLine, FolioPayment, PaymentStatus
from schemas.money import FULL_RATE, ZERO_RATE, allocate, parse_rate, rate_text, times
from schemas.policy import RefundBase, Terms, Unit

EVERYTHING_BACK = frozenset({Cause.FORCE_MAJEURE, Cause.OWNER})
"""S4-35, S4-44: causes that give back 100 % of the services."""


ASIDE = frozenset({LineKind.TOURIST_TAX, LineKind.INSURANCE})
"""X-23: outside penalty and deposit."""
_NO_SHOW, _COLLECTED, _DAY, _AUTHORISED = Cause.NO_SHOW, RefundBase.COLLECTED, Unit.DAY, PaymentStatus.AUTHORISED


class Ended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line, or some nights of it, as it ends. `price` minor units are cancelled, `kept` of them stay, `penalty` is the part of
    `kept` that is a penalty (tourist tax and insurance stand outside: X-23)."""

    line: FolioLine
    terms: Terms | None
    price: int
    rate: str  # as `rate_text` writes it
    kept: int
    penalty: int
    departure: date | None = None  # fewer nights: the new one
    rest: int | None = None  # fewer nights: the new price


def chosen_lines(folio: Folio, choices: tuple[LineChoice, ...]) -> tuple[tuple[LineChoice, FolioLine], ...]:
    """S4-37: the lines meant, each once, checked against the folio. With the last service go tourist tax and insurance."""
    if not choices:
        return tuple([(LineChoice(line=line.line), line) for line in account.live_lines(folio)])
    chosen: dict[str, tuple[LineChoice, FolioLine]] = {}
    for at, choice in enumerate(choices):
        line = account.line_of(folio, choice.line)
        if line is None:
            text = f"folio {folio.folio} has no line {choice.line!r}"
            raise Rejected(text, code="unknown_line", rule="S4-37", field=f"lines[{at}].line", value=choice.line)
        if line.cancelled:
            text = f"line {choice.line!r} is cancelled already"
            raise Rejected(text, code="already_cancelled", rule="S4-41", field=f"lines[{at}].line", value=choice.line)
        if choice.new_departure is not None or choice.new_price is not None:
            _check_fewer(line, choice, at)
        chosen[choice.line] = (choice, line)
    live = account.live_lines(folio)
    if all(line.kind in ASIDE or (line.line in chosen and chosen[line.line][0].new_price is None) for line in live):
        for line in live:
            chosen.setdefault(line.line, (LineChoice(line=line.line), line))
    return tuple(chosen.values())


def _check_fewer(line: FolioLine, choice: LineChoice, at: int) -> None:
    if choice.new_departure is None or choice.new_price is None:
        text = f"line {line.line!r}: fewer nights need new_departure and the new_price that the PMS gives"
        raise Rejected(text, code="not_fewer_nights", rule="S4-37", field=f"lines[{at}]", value=choice.line)
    arrival, departure = line.arrival, line.departure
    if arrival is None or departure is None or not arrival < choice.new_departure < departure:
        text = f"line {line.line!r}: new departure {choice.new_departure} is not between {arrival} and {departure}"
        raise Rejected(text, code="not_fewer_nights", rule="S4-37", field=f"lines[{at}].new_departure", value=choice.new_departure)
    if choice.new_price > line.price:
        text = f"line {line.line!r}: new price {choice.new_price} is above {line.price}"
        raise Rejected(text, code="amount_above_total", rule="S4-37", field=f"lines[{at}].new_price", value=choice.new_price)


def rate_of(
    folio: Folio, line: FolioLine, terms: Terms | None, choice: LineChoice, cause: Cause, here: Local
) -> tuple[Fraction, str, str]:
    """The rate of one line, the words that explain it, and the rule that gives it."""
    arrival, today = account.arrival_of(folio, line), here.today
    if line.kind in ASIDE:
        return *_rate_aside(folio, line, choice, cause, arrival, today), "X-23"
    if cause in EVERYTHING_BACK:
        return FULL_RATE, f"{cause.value}: services in full", "S4-44" if cause is Cause.OWNER else "S4-35"
    assert terms is not None, f"line {line.line} of kind {line.kind} has no terms"
    if arrival is None:
        text = f"line {line.line!r} has no arrival, and no other line has one: no notice can be counted"
        raise Rejected(text, code="arrival_missing", rule="S4-7", field="arrival", value="")
    if cause is _NO_SHOW:
        rate, why, rule = last_rate(terms), f"{terms.version}: no-show, tranche 3", "S4-35"
    else:
        rate = refund_rate(terms, arrival, here.act, here.zone)
        rule = _rule(terms, rate, arrival, today)
        why = f"{terms.version}: {(arrival - today).days} days before {arrival.isoformat()} in {here.zone.key}"
    if not line.rate_cap:
        return rate, why, rule
    best = capped(rate, parse_rate(line.rate_cap))
    return (rate, why, rule) if best is rate else (best, f"{why}, S4-45 no better than at the move", "S4-45")


def _rate_aside(
    folio: Folio, line: FolioLine, choice: LineChoice, cause: Cause, arrival: date | None, today: date
) -> tuple[Fraction, str]:
    """X-23: the rate of tourist tax by whether somebody stayed, of insurance by whose doing it is."""
    if line.kind is LineKind.TOURIST_TAX:
        if choice.new_departure is None and stayed(arrival, cause, today):
            return ZERO_RATE, "tourist tax, somebody stayed"
        return FULL_RATE, "tourist tax of nights nobody stayed"
    back = cause is Cause.OWNER or (folio.is_package and cause in EVERYTHING_BACK)
    return (FULL_RATE, "insurance, not the guest's doing") if back else (ZERO_RATE, "insurance stands apart")


def stayed(arrival: date | None, cause: Cause, today: date) -> bool:
    """X-23: whether somebody has stayed by now, so that tourist tax falls due."""
    return cause is not _NO_SHOW and arrival is not None and today > arrival


def _rule(terms: Terms, rate: Fraction, arrival: date, today: date) -> str:
    """Which rule tells the tranche: nothing ever comes back (S4-8), after the arrival (S4-42), notice in hours (A-2) or days."""
    first, second, last = terms.tranches
    if not (rate or first.refund or second.refund or last.refund):
        return "S4-8"
    if today > arrival:
        return "S4-42"
    return "S4-6" if terms.unit is _DAY else "A-2"


def shares_of(folio: Folio, lines: Iterable[tuple[FolioLine, Terms | None]]) -> dict[str, int]:
    """A-4 `refund_base = collected`: the part of the money at hand, without fee, that stands on each line; minor units.

    By price over the live services, exact by largest remainder (X-5), never above a line's own price. Empty with the usual base, and
    where a channel has collected all of it (X-20).
    """
    collected = {line.line for line, terms in lines if terms is not None and terms.refund_base is _COLLECTED}
    if not collected or folio.collected_by is CollectedBy.CHANNEL:
        return {}
    live = [line for line in account.live_lines(folio) if line.price]
    if not live:
        return dict.fromkeys(collected, 0)
    at_hand = account.collected(folio) + sum(payment.authorised for payment in authorised(folio))
    spoken_for = account.fee_charged(folio) + sum(line.kept for line in folio.lines) - folio.waived - folio.goodwill
    pool = min(max(0, at_hand - spoken_for), sum(line.price for line in live))
    parts = allocate(pool, [line.price for line in live])
    return {line.line: part for line, part in zip(live, parts, strict=True) if line.line in collected}


def end_line(line: FolioLine, terms: Terms | None, choice: LineChoice, rate: Fraction, share: int | None) -> Ended:
    """S4-32 for one line: penalty = (1 - r) × what is cancelled of its price, half-up (A-4: of `share`, if any)."""
    price = line.price if choice.new_price is None else line.price - choice.new_price
    if share is None:
        kept = penalty(price, rate)
    else:
        part = share if price == line.price else allocate(share, [price, line.price - price])[0]
        kept = part - times(part, rate)
    return Ended(
        line=line,
        terms=terms,
        price=price,
        rate=rate_text(rate),
        kept=kept,
        penalty=0 if line.kind in ASIDE else kept,
        departure=choice.new_departure,
        rest=choice.new_price,
    )


def line_steps(ended: Ended, why: str, rate_rule: str, currency: str, share: int | None) -> list[Step]:
    """Which rule gave the rate, then the arithmetic with it (X-7)."""
    line = f"line {ended.line.line}"
    amount = account.text(ended.price if share is None else share, currency)
    sums = f"{amount} × (1 − {ended.rate}) = {account.text(ended.kept, currency)} kept"
    rule = "X-23" if ended.line.kind in ASIDE else "S4-37" if ended.rest is not None else "S4-32"
    steps = [Step(rate_rule, f"{line}: {ended.rate} of it comes back")] if rate_rule != rule else []
    if share is not None:
        steps.append(Step("A-4", f"{line}: the rate is of what was collected, not of the price"))
        line += " of what was collected"
    steps.append(Step(rule, f"{line}: {sums} ({why})"))
    return steps


def authorised(folio: Folio) -> tuple[FolioPayment, ...]:
    """X-17: payments that a provider can still take or release, first paid first."""
    return tuple(
        [
            payment
            for payment in folio.payments
            if payment.status is _AUTHORISED
            and not payment.unapplied
            and not payment.closing
            and payment.provider
            and payment.reference
        ]
    )
