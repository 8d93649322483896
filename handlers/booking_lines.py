"""The lines of a booking message as lines of a folio: checked, and their terms frozen (S4-9, S4-40, X-8).

Refusals name the field and its value, `lines[1].departure`.
"""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from handlers import account
from handlers.frozen import WITH_TERMS, terms_version
from handlers.outcome import Facts, Step
from handlers.penalty import capped, refund_rate
from schemas.booking import Booking, BookingLine
from schemas.common import ActorKind
from schemas.errors import Rejected
from schemas.folio import Folio, FolioLine
from schemas.money import FULL_RATE, parse_rate, rate_text
from schemas.policy import Terms


def check_lines(message: Booking) -> None:
    """Raises Rejected for two lines of one id, a stay without arrival, a departure before its arrival, a rate that is none."""
    seen: set[str] = set()
    for at, line in enumerate(message.lines):
        if line.line in seen:
            raise Rejected(
                f"two lines are called {line.line!r}",
                code="duplicate_line",
                rule="S4-9",
                field=f"lines[{at}].line",
                value=line.line,
            )
        seen.add(line.line)
        if line.departure is not None:
            _check_dates(line, line.departure, at)
        if line.vat_rate:
            check_rate(line.vat_rate, f"lines[{at}].vat_rate")
    if not [line.arrival for line in message.lines if line.arrival is not None]:
        _check_no_arrival(message)


def _check_no_arrival(message: Booking) -> None:
    for at, line in enumerate(message.lines):
        if line.kind in WITH_TERMS:
            text = "no line says when the stay begins"
            raise Rejected(text, code="arrival_missing", rule="S4-7", field=f"lines[{at}].arrival", value="")


def _check_dates(line: BookingLine, departure: date, at: int) -> None:
    if line.arrival is None:
        text = f"line {line.line!r} departs and never arrives"
        raise Rejected(text, code="arrival_missing", rule="S4-7", field=f"lines[{at}].arrival", value="")
    if departure < line.arrival:
        text = f"departure {departure} is before arrival {line.arrival}"
        raise Rejected(text, code="dates_out_of_order", rule="X-9", field=f"lines[{at}].departure", value=departure)


def check_rate(text: str, field: str) -> None:
    """Raises Rejected `rate_out_of_range` for a rate that is not written as one, or is above 100 %. Empty is none."""
    if not text:
        return
    try:
        rate = parse_rate(text)
    except ValueError as why:
        raise Rejected(str(why), code="rate_out_of_range", rule="X-5", field=field, value=text) from why
    if rate > FULL_RATE:
        raise Rejected(f"rate {text} is above 100 %", code="rate_out_of_range", rule="X-5", field=field, value=text)


def freeze(line: BookingLine, at: int, facts: Facts, day: date) -> Terms | None:
    """S4-40, X-8: the terms of that name, trade and level (S4-1, S4-2), offered on local `day`; each line has its own (S4-9). None
    for tourist tax and insurance (X-23).

    Raises Rejected `unknown_terms`, naming `lines[at].terms`.
    """
    if line.kind not in WITH_TERMS:
        return None
    try:
        return facts.policies.offered(line.terms, day)
    except Rejected as why:
        raise Rejected(why.message, code=why.code, rule="S4-9", field=f"lines[{at}].terms", value=line.terms) from why


def folio_line(line: BookingLine, policy: str, trade: str) -> FolioLine:
    """A line as the folio keeps it, under frozen terms `policy`."""
    return FolioLine(
        line=line.line,
        kind=line.kind,
        trade=line.trade or trade,
        price=line.price,
        policy=policy,
        arrival=line.arrival,
        departure=line.departure,
        accommodation=line.accommodation,
        accommodation_type=line.accommodation_type,
        quantity=line.quantity,
        vat_rate=line.vat_rate,
    )


def first_lines(message: Booking, facts: Facts, day: date) -> tuple[tuple[FolioLine, ...], tuple[Step, ...]]:
    """The lines of a new booking, with the terms offered on local `day`, and why."""
    lines, trace = [], []
    for at, line in enumerate(message.lines):
        terms = freeze(line, at, facts, day)
        lines.append(folio_line(line, terms.version if terms else "", terms.trade if terms else ""))
        trace.append(_frozen_step(line, terms, day))
    return tuple(lines), tuple(trace)


def _frozen_step(line: BookingLine, terms: Terms | None, day: date) -> Step:
    if terms is None:
        return Step("X-23", f"line {line.line}: {line.kind.value}, outside penalty and deposit")
    return Step("S4-40", f"line {line.line}: {terms.version} frozen, as offered on {day.isoformat()}")


def changed_lines(message: Booking, folio: Folio, facts: Facts, zone: ZoneInfo) -> tuple[tuple[FolioLine, ...], tuple[Step, ...]]:
    """The lines after a change: known ones keep their terms (S4-40) unless the change names others, new ones get those offered at
    the change; cancelled ones stay cancelled with what they keep; a line that is not named any more is not ordered any more."""
    lines: list[FolioLine] = []
    trace: list[Step] = []
    today = facts.act.astimezone(zone).date()
    for at, new in enumerate(message.lines):
        old = account.line_of(folio, new.line)
        if old is not None and old.cancelled:
            lines.append(old)
            trace.append(Step("S4-37", f"line {new.line} is cancelled and stays so"))
        elif old is None or not _same_terms(old, new, facts):
            terms = freeze(new, at, facts, today)
            fresh = folio_line(new, terms.version if terms else "", terms.trade if terms else "")
            lines.append(_carried(fresh, old))
            trace.append(_frozen_step(new, terms, today))
        else:
            lines.append(_carried(folio_line(new, old.policy, old.trade), old))
    named = {line.line for line in message.lines}
    for old in folio.lines:
        if old.line in named:
            continue
        if old.cancelled or old.kept:
            lines.append(_closed(old))
        trace.append(
            Step("S4-37", f"line {old.line} is not in the change: " + ("kept" if old.cancelled else "not ordered any more"))
        )
    return tuple(lines), tuple(trace)


def _same_terms(old: FolioLine, new: BookingLine, facts: Facts) -> bool:
    if new.kind not in WITH_TERMS:
        return not old.policy
    return bool(old.policy) and terms_version(facts, old.policy).name == new.terms


def _carried(line: FolioLine, old: FolioLine | None) -> FolioLine:
    """What a change cannot undo: what the line already keeps, why, what of it nobody owes, its commission, and its best rate."""
    if old is None:
        return line
    return replace(
        line,
        kept=old.kept,
        given_up=old.given_up,
        commission_free=old.commission_free,
        settled_base=old.settled_base,
        settled_commission=old.settled_commission,
        kept_parts=old.kept_parts,
        rate_cap=old.rate_cap,
    )


def _closed(line: FolioLine) -> FolioLine:
    """A line that left the booking and keeps the penalty of nights it lost before."""
    return replace(line, cancelled=True)


def floor_on_move(
    lines: tuple[FolioLine, ...], message: Booking, before: Folio, after: Folio, facts: Facts, zone: ZoneInfo
) -> tuple[tuple[FolioLine, ...], tuple[Step, ...]]:
    """S4-45: a line whose arrival moved never gets a better refund rate than a cancellation at the moment of the move had.

    A move by the property itself (actor `merchant`) is not the guest's and sets no cap.
    """
    if message.actor.kind is ActorKind.MERCHANT:
        return lines, ()
    capped_lines, trace = [], []
    for line in lines:
        old = account.line_of(before, line.line)
        cap = _cap(old, line, before, after, facts, zone) if old is not None else ""
        if cap:
            trace.append(
                Step("S4-45", f"line {line.line}: moved to {line.arrival} when {cap} was given back: never more than that")
            )
            line = replace(line, rate_cap=cap)
        capped_lines.append(line)
    return tuple(capped_lines), tuple(trace)


def _cap(old: FolioLine, new: FolioLine, before: Folio, after: Folio, facts: Facts, zone: ZoneInfo) -> str:
    was, now = account.arrival_of(before, old), account.arrival_of(after, new)
    if was is None or was == now or not old.policy or new.cancelled:
        return ""
    known = parse_rate(old.rate_cap) if old.rate_cap else None
    rate = capped(refund_rate(terms_version(facts, old.policy), was, facts.act, zone), known)
    return rate_text(rate) if rate < FULL_RATE else ""
